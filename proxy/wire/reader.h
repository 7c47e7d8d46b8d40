/*
 * A cursor over a message's body. The first read past the end sets `failed` for good, and every later read
 * gives zeros and empty slices, so that a parser reads everything and asks once at the end. Pure; any thread.
 */
#ifndef ROLECALL_WIRE_READER_H
#define ROLECALL_WIRE_READER_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader {
    const char *data;
    size_t len, at;
    bool failed;
};

static inline struct reader reader_of(struct slice body)
{
    return (struct reader){.data = body.data, .len = body.len};
}

static inline size_t reader_left(const struct reader *reader)
{
    return reader->failed ? 0 : reader->len - reader->at;
}

/* True when nothing failed and nothing is left over. */
static inline bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->at == reader->len;
}

static inline struct slice reader_bytes(struct reader *reader, size_t n)
{
    if (n > reader_left(reader)) {
        reader->failed = true;
        return slice_of("", 0);
    }
    if (n == 0)
        return slice_of("", 0);
    struct slice out = slice_of(reader->data + reader->at, n);
    reader->at += n;
    return out;
}

static inline struct slice reader_rest(struct reader *reader)
{
    return reader_bytes(reader, reader_left(reader));
}

static inline uint8_t reader_u8(struct reader *reader)
{
    struct slice bytes = reader_bytes(reader, 1);
    return bytes.len ? (uint8_t)bytes.data[0] : 0;
}

static inline uint16_t reader_u16(struct reader *reader)
{
    struct slice bytes = reader_bytes(reader, 2);
    const unsigned char *p = (const unsigned char *)bytes.data;
    return bytes.len ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t reader_u32(struct reader *reader)
{
    struct slice bytes = reader_bytes(reader, 4);
    const unsigned char *p = (const unsigned char *)bytes.data;
    return bytes.len ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline int32_t reader_i32(struct reader *reader)
{
    return (int32_t)reader_u32(reader);
}

/* The text before the next NUL; the NUL is consumed and follows the slice in memory. Fails when there is
 * none. */
static inline struct slice reader_cstring(struct reader *reader)
{
    size_t left = reader_left(reader);
    const char *start = reader->data + reader->at;
    const char *end = left ? memchr(start, '\0', left) : NULL;
    if (end == NULL) {
        reader->failed = true;
        return slice_of("", 0);
    }
    reader->at += (size_t)(end - start) + 1;
    return slice_of(start, (size_t)(end - start));
}

#endif
