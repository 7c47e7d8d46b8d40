/*
 * md5 passwords: two rounds of MD5 in hexadecimal, the first over password and user (which is what PostgreSQL
 * stores), the second over its digits and a salt of four bytes.
 *
 * It fails only where OpenSSL refuses MD5, as in FIPS mode; the login then fails.
 */
#include "proxy/auth/md5.h"

#include <openssl/evp.h>
#include <string.h>

/* "md5" + hex(md5(a + b)) */
static bool hash(struct slice a, struct slice b, char out[MD5_TEXT_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[16];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
              EVP_DigestUpdate(context, a.data, a.len) == 1 &&
              EVP_DigestUpdate(context, b.data, b.len) == 1 && EVP_DigestFinal_ex(context, sum, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!ok)
        return false;
    memcpy(out, "md5", 3);
    for (size_t i = 0; i < sizeof sum; i++) {
        out[3 + 2 * i] = digits[sum[i] >> 4];
        out[4 + 2 * i] = digits[sum[i] & 15];
    }
    out[MD5_TEXT_LEN] = '\0';
    return true;
}

bool md5_stored(struct slice password, struct slice user, char out[MD5_TEXT_LEN + 1])
{
    return hash(password, user, out);
}

bool md5_response(
    const struct secret *secret, struct slice user, const unsigned char salt[4], char out[MD5_TEXT_LEN + 1])
{
    char stored[MD5_TEXT_LEN + 1];
    if (secret->kind == SECRET_MD5)
        memcpy(stored, secret->md5, sizeof stored);
    else if (secret->kind != SECRET_PLAIN ||
             !md5_stored(slice_of(secret->plain.text, secret->plain.len), user, stored))
        return false;
    bool ok = hash(slice_of(stored + 3, MD5_TEXT_LEN - 3), slice_of((const char *)salt, 4), out);
    explicit_bzero(stored, sizeof stored);
    return ok;
}

bool md5_verify(
    const struct secret *secret, struct slice user, const unsigned char salt[4], struct slice response)
{
    char expected[MD5_TEXT_LEN + 1];
    if (secret == NULL || !md5_response(secret, user, salt, expected))
        return false;
    return secret_equal_slices(slice_of(expected, MD5_TEXT_LEN), response);
}
