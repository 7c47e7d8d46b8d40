/*
 * The arithmetic of SCRAM-SHA-256, on OpenSSL's PBKDF2, HMAC and SHA-256, and the text forms that both sides
 * share: verifiers and attribute lists.
 *
 * The crypto functions fail only when OpenSSL itself does (no memory, no provider); that is told to the
 * caller, who fails the login.
 */
#include "proxy/auth/scram.h"

#include "proxy/auth/base64.h"
#include "proxy/auth/saslprep.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool scram_hmac(const unsigned char key[SCRAM_KEY_LEN], const struct slice *parts, size_t n_parts,
    unsigned char out[SCRAM_KEY_LEN])
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    bool ok = context != NULL && EVP_MAC_init(context, key, SCRAM_KEY_LEN, params) == 1;
    for (size_t i = 0; ok && i < n_parts; i++)
        if (parts[i].data != NULL)
            ok = EVP_MAC_update(context, (const unsigned char *)parts[i].data, parts[i].len) == 1;
    size_t len = 0;
    ok = ok && EVP_MAC_final(context, out, &len, SCRAM_KEY_LEN) == 1 && len == SCRAM_KEY_LEN;
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    return ok;
}

bool scram_sha256(const void *data, size_t len, unsigned char out[SCRAM_KEY_LEN])
{
    return EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) == 1;
}

bool scram_derive(struct slice password, struct scram_keys *keys)
{
    assert(keys->iterations >= 1 && keys->iterations <= SCRAM_ITERATIONS_MAX);
    unsigned char salted[SCRAM_KEY_LEN];
    char *prepared = saslprep(password);
    struct slice input = prepared ? slice_from(prepared) : password;
    const struct slice client = slice_from("Client Key"), server = slice_from("Server Key");
    bool ok = PKCS5_PBKDF2_HMAC(input.len ? input.data : "", (int)input.len, keys->salt, (int)keys->salt_len,
                  (int)keys->iterations, EVP_sha256(), sizeof salted, salted) == 1 &&
              scram_hmac(salted, &client, 1, keys->client_key) &&
              scram_sha256(keys->client_key, SCRAM_KEY_LEN, keys->stored_key) &&
              scram_hmac(salted, &server, 1, keys->server_key);
    explicit_bzero(salted, sizeof salted);
    if (prepared != NULL)
        explicit_bzero(prepared, strlen(prepared));
    free(prepared);
    return ok;
}

bool scram_parse_number(struct slice text, uint32_t max, uint32_t *out)
{
    uint32_t value = 0;
    if (text.len == 0 || text.len > 9)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    *out = value;
    return value >= 1 && value <= max;
}

/* The text before `end`, which must be there; both are taken off `rest`. */
static bool take_until(struct slice *rest, char end, struct slice *out)
{
    const char *at = rest->len ? memchr(rest->data, end, rest->len) : NULL;
    if (at == NULL)
        return false;
    *out = slice_of(rest->data, (size_t)(at - rest->data));
    *rest = slice_of(at + 1, rest->len - out->len - 1);
    return true;
}

bool scram_parse_verifier(struct slice text, struct scram_keys *out)
{
    struct slice mechanism, iterations, salt, stored;
    size_t len;
    memset(out, 0, sizeof *out);
    if (!take_until(&text, '$', &mechanism) || !slice_is(mechanism, SCRAM_SHA_256) ||
        !take_until(&text, ':', &iterations) || !take_until(&text, '$', &salt) ||
        !take_until(&text, ':', &stored))
        return false;
    if (!scram_parse_number(iterations, SCRAM_ITERATIONS_MAX, &out->iterations) ||
        !base64_decode(salt, out->salt, sizeof out->salt, &out->salt_len) || out->salt_len == 0)
        return false;
    return base64_decode(stored, out->stored_key, SCRAM_KEY_LEN, &len) && len == SCRAM_KEY_LEN &&
           base64_decode(text, out->server_key, SCRAM_KEY_LEN, &len) && len == SCRAM_KEY_LEN;
}

size_t scram_format_verifier(const struct scram_keys *keys, char out[SCRAM_VERIFIER_MAX])
{
    size_t at = (size_t)snprintf(out, SCRAM_VERIFIER_MAX, SCRAM_SHA_256 "$%u:", keys->iterations);
    at += base64_encode(keys->salt, keys->salt_len, out + at);
    out[at++] = '$';
    at += base64_encode(keys->stored_key, SCRAM_KEY_LEN, out + at);
    out[at++] = ':';
    at += base64_encode(keys->server_key, SCRAM_KEY_LEN, out + at);
    assert(at < SCRAM_VERIFIER_MAX);
    out[at] = '\0';
    return at;
}

bool scram_attribute(struct slice *rest, char wanted, struct slice *value)
{
    if (rest->len < 2 || rest->data[1] != '=')
        return false;
    char name = rest->data[0];
    bool letter = (name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z');
    if (wanted != '\0' ? name != wanted : !letter)
        return false;
    struct slice body = slice_of(rest->data + 2, rest->len - 2);
    if (take_until(&body, ',', value)) {
        *rest = body;
    } else {
        *value = body;
        *rest = slice_of(body.data + body.len, 0);
    }
    return true;
}

bool scram_printable(struct slice nonce)
{
    for (size_t i = 0; i < nonce.len; i++)
        if (nonce.data[i] < 0x21 || nonce.data[i] > 0x7e || nonce.data[i] == ',')
            return false;
    return true;
}
