/*
 * Turns an identifier token into a name; see name.h.
 *
 * The common case, a short word in lower-case ASCII, is returned as it stands in the text. Everything else is
 * copied character by character into the caller's storage until 63 bytes are full: PostgreSQL cuts longer
 * names at a character's border. What is no UTF-8 gives no name.
 */
#include "router/sql/name.h"

#include <stdint.h>
#include <string.h>

struct writer {
    char *out;
    size_t len;
    bool full; /* a character did not fit: the rest is cut off */
};

static void put(struct writer *writer, const char *bytes, size_t len)
{
    if (writer->full || writer->len + len > LEX_NAME_MAX - 1) {
        writer->full = true;
        return;
    }
    memcpy(writer->out + writer->len, bytes, len);
    writer->len += len;
}

static void put_code_point(struct writer *writer, uint32_t point)
{
    char bytes[4];
    if (point < 0x80) {
        bytes[0] = (char)point;
        put(writer, bytes, 1);
    } else if (point < 0x800) {
        bytes[0] = (char)(0xC0 | point >> 6);
        bytes[1] = (char)(0x80 | (point & 0x3F));
        put(writer, bytes, 2);
    } else if (point < 0x10000) {
        bytes[0] = (char)(0xE0 | point >> 12);
        bytes[1] = (char)(0x80 | (point >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (point & 0x3F));
        put(writer, bytes, 3);
    } else {
        bytes[0] = (char)(0xF0 | point >> 18);
        bytes[1] = (char)(0x80 | (point >> 12 & 0x3F));
        bytes[2] = (char)(0x80 | (point >> 6 & 0x3F));
        bytes[3] = (char)(0x80 | (point & 0x3F));
        put(writer, bytes, 4);
    }
}

/* The length of the UTF-8 character that begins here; 0 when it is none. */
static size_t character_length(const char *at, const char *end)
{
    unsigned char first = (unsigned char)*at;
    size_t len = first < 0x80                    ? 1
                 : first >= 0xC2 && first < 0xE0 ? 2
                 : first >= 0xE0 && first < 0xF0 ? 3
                 : first >= 0xF0 && first < 0xF5 ? 4
                                                 : 0;
    if (len == 0 || (size_t)(end - at) < len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)at[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool read_hex(const char **at, const char *end, int digits, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        int digit = *at < end ? hex_digit(**at) : -1;
        if (digit < 0)
            return false;
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

/* \XXXX, \+XXXXXX or \\ behind the escape character; surrogates come in pairs. */
static bool put_escape(struct writer *writer, const char **at, const char *end, char escape)
{
    uint32_t point, low;
    if (*at < end && **at == escape) {
        put(writer, (*at)++, 1);
        return true;
    }
    bool plus = *at < end && **at == '+';
    *at += plus;
    if (!read_hex(at, end, plus ? 6 : 4, &point))
        return false;
    if (point >= 0xD800 && point < 0xDC00) {
        if (*at == end || *(*at)++ != escape)
            return false;
        plus = *at < end && **at == '+';
        *at += plus;
        if (!read_hex(at, end, plus ? 6 : 4, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    if (point == 0 || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return false;
    put_code_point(writer, point);
    return true;
}

/* The contents of a quoted name: "" is one quote. `escape` 0: no escapes. */
static bool put_quoted(struct writer *writer, const char *at, const char *end, char escape)
{
    while (at < end) {
        if (escape && *at == escape) {
            at++;
            if (!put_escape(writer, &at, end, escape))
                return false;
            continue;
        }
        size_t len = character_length(at, end);
        if (len == 0)
            return false;
        put(writer, at, len);
        at += len + (*at == '"'); /* the second of two quotes */
    }
    return true;
}

static bool put_word(struct writer *writer, const char *at, const char *end)
{
    while (at < end) {
        size_t len = character_length(at, end);
        if (len == 0)
            return false;
        char folded = *at >= 'A' && *at <= 'Z' ? (char)(*at + ('a' - 'A')) : *at;
        put(writer, len == 1 ? &folded : at, len);
        at += len;
    }
    return true;
}

static bool is_plain(struct slice text)
{
    if (text.len >= LEX_NAME_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x80 || (c >= 'A' && c <= 'Z'))
            return false;
    }
    return true;
}

bool name_of(const struct token *token, char storage[LEX_NAME_MAX], struct slice *name)
{
    struct writer writer = {.out = storage};
    const char *start = token->text.data, *end = start + token->text.len;
    bool ok;
    if (token->kind == TOKEN_QUOTED) {
        ok = put_quoted(&writer, start + 1, end - 1, '\0');
    } else if (token->kind == TOKEN_UNICODE) {
        ok = put_quoted(&writer, start + 3, end - 1, token->escape);
    } else if (is_plain(token->text)) {
        *name = token->text;
        return true;
    } else {
        ok = put_word(&writer, start, end);
    }
    *name = slice_of(storage, writer.len);
    return ok;
}

bool name_is_temporary_schema(struct slice name)
{
    return slice_is(name, "pg_temp") || (name.len > 8 && memcmp(name.data, "pg_temp_", 8) == 0) ||
           (name.len > 14 && memcmp(name.data, "pg_toast_temp_", 14) == 0);
}
