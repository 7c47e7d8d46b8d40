/*
 * Base64, strict: OpenSSL's decoder skips blanks and guesses at padding, which would let one proof be written
 * in several ways.
 */
#include "proxy/auth/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(const void *data, size_t len, char *out)
{
    const unsigned char *p = data;
    char *at = out;
    for (; len >= 3; p += 3, len -= 3) {
        *at++ = alphabet[p[0] >> 2];
        *at++ = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
        *at++ = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
        *at++ = alphabet[p[2] & 63];
    }
    if (len > 0) {
        unsigned second = len == 2 ? p[1] : 0;
        *at++ = alphabet[p[0] >> 2];
        *at++ = alphabet[(p[0] & 3U) << 4 | second >> 4];
        *at++ = len == 2 ? alphabet[(second & 15) << 2] : '=';
        *at++ = '=';
    }
    return (size_t)(at - out);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct slice text, unsigned char *out, size_t cap, size_t *len)
{
    if (text.len % 4 != 0)
        return false;
    size_t padding = 0, n = 0;
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
        padding++;
    if (text.len / 4 * 3 - padding > cap)
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len - padding; i++) {
        int value = value_of(text.data[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 1)
            out[n++] = (unsigned char)(bits >> 4);
        else if (i % 4 == 2)
            out[n++] = (unsigned char)(bits >> 2);
        else if (i % 4 == 3)
            out[n++] = (unsigned char)bits;
    }
    /* The bits that padding leaves over must be zero, or the same bytes had two spellings. */
    if ((padding == 1 && (bits & 3)) || (padding == 2 && (bits & 15)))
        return false;
    *len = n;
    return true;
}
