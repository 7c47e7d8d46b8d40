/*
 * Tables of text; see command_result.h. All cells lie in one block of bytes and are named by offset, so that
 * ten thousand rows are a handful of allocations. When memory or the bound is out the table ends with its
 * last whole row and says so.
 */
#include "proxy/front/command_result.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void result_init(struct result *result, const struct result_shape *shape)
{
    *result = (struct result){.shape = shape};
}

void result_fini(struct result *result)
{
    free(result->bytes);
    free(result->cells);
    result->bytes = NULL;
    result->cells = NULL;
}

static bool make_room(struct result *result, size_t len)
{
    if (result->truncated || len > RESULT_BYTES_MAX - result->len)
        return false;
    if (result->len + len > result->cap) {
        size_t cap = result->cap ? result->cap : 1024;
        while (cap < result->len + len)
            cap *= 2;
        char *bytes = realloc(result->bytes, cap);
        if (!bytes)
            return false;
        result->bytes = bytes;
        result->cap = cap;
    }
    if (result->n_cells == result->cap_cells) {
        size_t cap = result->cap_cells ? result->cap_cells * 2 : 64;
        struct result_cell *cells = realloc(result->cells, cap * sizeof *cells);
        if (!cells)
            return false;
        result->cells = cells;
        result->cap_cells = cap;
    }
    return true;
}

/* Length of the UTF-8 sequence at the beginning of the bytes; 0 when there is none (RFC 3629). */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80)
        return 1;
    size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool outside = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return overlong || outside ? 0 : len;
}

static void make_valid(char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        if ((signed char)text[at] > 0) { /* ASCII, as nearly all is */
            at++;
            continue;
        }
        size_t step = utf8_length((unsigned char *)text + at, len - at);
        if (step == 0 || text[at] == 0) {
            text[at] = '?';
            step = 1;
        }
        at += step;
    }
}

void result_slice(struct result *result, struct slice text)
{
    assert(result->shape && result->shape->n > 0);
    size_t len = text.data ? text.len : 0;
    if (!make_room(result, len)) {
        result->truncated = true;
        return;
    }
    struct result_cell *cell = &result->cells[result->n_cells++];
    cell->at = (uint32_t)result->len;
    cell->len = text.data ? (uint32_t)len : RESULT_NULL;
    if (len == 0)
        return;
    memcpy(result->bytes + result->len, text.data, len);
    make_valid(result->bytes + result->len, len);
    result->len += len;
}

void result_text(struct result *result, const char *text)
{
    result_slice(result, slice_from(text));
}

void result_number(struct result *result, uint64_t number)
{
    char digits[24];
    char *at = digits + sizeof digits;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    result_slice(result, slice_of(at, (size_t)(digits + sizeof digits - at)));
}

void result_known_number(struct result *result, bool known, uint64_t number)
{
    if (known)
        result_number(result, number);
    else
        result_null(result);
}

void result_bool(struct result *result, bool value)
{
    result_slice(result, slice_of(value ? "t" : "f", 1));
}

void result_null(struct result *result)
{
    result_slice(result, slice_of(NULL, 0));
}

void result_format(struct result *result, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert(len >= 0);
    result_slice(result, slice_of(text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1));
}

size_t result_rows(const struct result *result)
{
    if (!result->shape || result->shape->n == 0)
        return 0;
    assert(result->truncated || result->n_cells % result->shape->n == 0);
    return result->n_cells / result->shape->n;
}

struct slice result_cell(const struct result *result, size_t row, uint32_t column)
{
    assert(row < result_rows(result) && column < result->shape->n);
    const struct result_cell *cell = &result->cells[row * result->shape->n + column];
    if (cell->len == RESULT_NULL)
        return slice_of(NULL, 0);
    return slice_of(cell->len ? result->bytes + cell->at : "", cell->len);
}
