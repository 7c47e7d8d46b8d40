/*
 * Secrets: reading them, comparing them, making them disappear.
 *
 * The text form says by itself what it is. A text that begins like a SCRAM verifier and is none is refused
 * rather than taken for a password: a verifier cut off by a column or an editor must not become a password
 * that anyone could read.
 */
#include "proxy/auth/secret.h"

#include "proxy/auth/md5.h"
#include "proxy/auth/scram.h"

#include <openssl/crypto.h>
#include <string.h>

void secret_wipe(struct secret *secret)
{
    explicit_bzero(secret, sizeof *secret);
}

static bool is_md5(struct slice text)
{
    if (text.len != MD5_TEXT_LEN || memcmp(text.data, "md5", 3) != 0)
        return false;
    for (size_t i = 3; i < text.len; i++)
        if (!((text.data[i] >= '0' && text.data[i] <= '9') || (text.data[i] >= 'a' && text.data[i] <= 'f')))
            return false;
    return true;
}

bool secret_parse(struct slice text, struct secret *out)
{
    static const char prefix[] = SCRAM_SHA_256 "$";
    memset(out, 0, sizeof *out);
    if (text.len == 0)
        return true;
    if (text.len > SECRET_PLAIN_MAX || memchr(text.data, '\0', text.len) != NULL)
        return false;
    if (text.len >= sizeof prefix - 1 && memcmp(text.data, prefix, sizeof prefix - 1) == 0) {
        if (!scram_parse_verifier(text, &out->scram)) {
            secret_wipe(out);
            return false;
        }
        out->kind = SECRET_SCRAM;
    } else if (is_md5(text)) {
        out->kind = SECRET_MD5;
        memcpy(out->md5, text.data, text.len);
    } else {
        out->kind = SECRET_PLAIN;
        out->plain.len = text.len;
        memcpy(out->plain.text, text.data, text.len);
    }
    return true;
}

bool secret_equal_bytes(const void *a, const void *b, size_t len)
{
    return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}

bool secret_equal_slices(struct slice a, struct slice b)
{
    return a.len == b.len && secret_equal_bytes(a.data, b.data, a.len);
}

static bool same_scram(const struct scram_keys *a, const struct scram_keys *b)
{
    return a->iterations == b->iterations && a->salt_len == b->salt_len &&
           secret_equal_bytes(a->salt, b->salt, a->salt_len) &&
           secret_equal_bytes(a->stored_key, b->stored_key, SCRAM_KEY_LEN) &&
           secret_equal_bytes(a->server_key, b->server_key, SCRAM_KEY_LEN);
}

bool secret_same(const struct secret *a, const struct secret *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case SECRET_NONE: return true;
    case SECRET_PLAIN:
        return a->plain.len == b->plain.len && secret_equal_bytes(a->plain.text, b->plain.text, a->plain.len);
    case SECRET_MD5: return secret_equal_bytes(a->md5, b->md5, MD5_TEXT_LEN);
    case SECRET_SCRAM: return same_scram(&a->scram, &b->scram);
    case SECRET_SCRAM_KEYS:
        return same_scram(&a->scram, &b->scram) &&
               secret_equal_bytes(a->scram.client_key, b->scram.client_key, SCRAM_KEY_LEN);
    }
    return false;
}

static bool check_scram(const struct scram_keys *verifier, struct slice password)
{
    struct scram_keys keys = *verifier;
    bool ok = scram_derive(password, &keys) &&
              secret_equal_bytes(keys.stored_key, verifier->stored_key, SCRAM_KEY_LEN);
    explicit_bzero(&keys, sizeof keys);
    return ok;
}

bool secret_check_password(const struct secret *secret, struct slice user, struct slice password)
{
    char hash[MD5_TEXT_LEN + 1];
    if (password.len == 0 || password.len > SECRET_PLAIN_MAX)
        return false;
    switch (secret->kind) {
    case SECRET_NONE: return false;
    case SECRET_PLAIN: return secret_equal_slices(slice_of(secret->plain.text, secret->plain.len), password);
    case SECRET_MD5:
        return md5_stored(password, user, hash) && secret_equal_bytes(hash, secret->md5, MD5_TEXT_LEN);
    case SECRET_SCRAM:
    case SECRET_SCRAM_KEYS: return check_scram(&secret->scram, password);
    }
    return false;
}

const char *secret_kind_name(enum secret_kind kind)
{
    switch (kind) {
    case SECRET_NONE: return "none";
    case SECRET_PLAIN: return "plain";
    case SECRET_MD5: return "md5";
    case SECRET_SCRAM: return "scram-sha-256 verifier";
    case SECRET_SCRAM_KEYS: return "scram-sha-256 keys";
    }
    return "unknown";
}
