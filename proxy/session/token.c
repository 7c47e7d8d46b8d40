/*
 * "rc1" timeline (8 hexadecimal digits) position (16) checksum (8); see token.h. The checksum keeps mangled
 * and invented text out; it is no signature, for whoever gives a wrong token waits himself.
 */
#include "proxy/session/token.h"

#include "proxy/wire/frame.h"
#include "proxy/wire/reader.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "rc1"
#define PREFIX_LEN 3
#define BODY_LEN (PREFIX_LEN + 8 + 16)
#define LEN (BODY_LEN + 8)

static uint32_t checksum(const char *text)
{
    uint32_t hash = 0x811c9dc5u;
    for (size_t i = 0; i < BODY_LEN; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x01000193u;
    return hash;
}

void token_format(uint32_t timeline, uint64_t lsn, char out[TOKEN_MAX + 1])
{
    snprintf(out, TOKEN_MAX + 1, PREFIX "%08X%016llX", timeline, (unsigned long long)lsn);
    snprintf(out + BODY_LEN, TOKEN_MAX + 1 - BODY_LEN, "%08X", checksum(out));
}

/* Up to the first byte that is no hexadecimal digit, 16 at most. */
static size_t hex(const char *text, size_t len, uint64_t *value)
{
    size_t i = 0;
    for (*value = 0; i < len && i < 16; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0)
            break;
        *value = *value << 4 | (uint64_t)digit;
    }
    return i;
}

bool token_parse(struct slice text, uint32_t *timeline, uint64_t *lsn)
{
    char again[TOKEN_MAX + 1];
    uint64_t value;
    if (text.len != LEN || memcmp(text.data, PREFIX, PREFIX_LEN) != 0 ||
        hex(text.data + PREFIX_LEN, 8, &value) != 8 || hex(text.data + PREFIX_LEN + 8, 16, lsn) != 16 ||
        value == 0)
        return false;
    *timeline = (uint32_t)value;
    token_format(*timeline, *lsn, again);
    return memcmp(again, text.data, LEN) == 0;
}

/* "0/308E808" */
static bool parse_lsn(struct slice text, uint64_t *lsn)
{
    uint64_t high, low;
    size_t len = hex(text.data, text.len, &high);
    if (len == 0 || len > 8 || len >= text.len || text.data[len] != '/')
        return false;
    const char *rest = text.data + len + 1;
    size_t rest_len = text.len - len - 1, low_len = hex(rest, rest_len, &low);
    *lsn = high << 32 | low;
    return low_len > 0 && low_len <= 8 && low_len == rest_len;
}

bool token_of_row(const char *bytes, size_t len, char out[TOKEN_MAX + 1])
{
    struct frame frame;
    uint64_t timeline, lsn;
    if (len == 0 || frame_parse(bytes, len, &frame) != FRAME_OK || !frame.whole || frame.total != len)
        return false;
    struct reader reader = reader_of(frame_body(&frame));
    uint16_t columns = reader_u16(&reader);
    struct slice file = reader_bytes(&reader, reader_u32(&reader));
    struct slice position = reader_bytes(&reader, reader_u32(&reader));
    if (reader.failed || columns != 2 || file.len != 24 || hex(file.data, 8, &timeline) != 8 ||
        timeline == 0 || !parse_lsn(position, &lsn))
        return false;
    token_format((uint32_t)timeline, lsn, out);
    return true;
}
