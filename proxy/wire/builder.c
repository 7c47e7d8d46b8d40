/*
 * Building messages in a fixed buffer.
 *
 * begin leaves room for the length word, the puts append, end fills it in. When the buffer is full the puts
 * do nothing and end takes the whole message back, so that what is in the buffer is always a run of complete
 * messages.
 */
#include "proxy/wire/builder.h"

#include "proxy/wire/frame.h"

#include <assert.h>
#include <string.h>

static char *reserve(struct builder *builder, size_t n)
{
    assert(builder->open);
    if (builder->overflow)
        return NULL;
    if (n > builder->cap - builder->len) {
        builder->overflow = true;
        return NULL;
    }
    char *at = builder->data + builder->len;
    builder->len += n;
    return at;
}

static void store_u32(char *at, uint32_t value)
{
    at[0] = (char)(value >> 24);
    at[1] = (char)(value >> 16);
    at[2] = (char)(value >> 8);
    at[3] = (char)value;
}

void builder_begin_untyped(struct builder *builder)
{
    assert(!builder->open);
    builder->open = true;
    builder->start = builder->len;
    builder->length_word = builder->len;
    builder_u32(builder, 0);
}

void builder_begin(struct builder *builder, char type)
{
    assert(!builder->open);
    builder->open = true;
    builder->start = builder->len;
    builder_u8(builder, (uint8_t)type);
    builder->length_word = builder->len;
    builder_u32(builder, 0);
}

bool builder_end_plus(struct builder *builder, size_t following)
{
    assert(builder->open);
    builder->open = false;
    size_t length = builder->len - builder->length_word;
    if (following > FRAME_LENGTH_MAX || length > FRAME_LENGTH_MAX - following)
        builder->overflow = true;
    if (builder->overflow) {
        builder->len = builder->start;
        return false;
    }
    store_u32(builder->data + builder->length_word, (uint32_t)(length + following));
    return true;
}

bool builder_end(struct builder *builder)
{
    return builder_end_plus(builder, 0);
}

void builder_u8(struct builder *builder, uint8_t value)
{
    char *at = reserve(builder, 1);
    if (at != NULL)
        at[0] = (char)value;
}

void builder_u16(struct builder *builder, uint16_t value)
{
    char *at = reserve(builder, 2);
    if (at != NULL) {
        at[0] = (char)(value >> 8);
        at[1] = (char)value;
    }
}

void builder_u32(struct builder *builder, uint32_t value)
{
    char *at = reserve(builder, 4);
    if (at != NULL)
        store_u32(at, value);
}

void builder_bytes(struct builder *builder, const void *data, size_t len)
{
    char *at = reserve(builder, len);
    if (at != NULL && len > 0)
        memcpy(at, data, len);
}

void builder_slice(struct builder *builder, struct slice bytes)
{
    builder_bytes(builder, bytes.data, bytes.len);
}

void builder_cstring(struct builder *builder, struct slice text)
{
    size_t len = text.len > 0 ? strnlen(text.data, text.len) : 0;
    builder_bytes(builder, text.data, len);
    builder_u8(builder, 0);
}

bool builder_empty(struct builder *builder, char type)
{
    builder_begin(builder, type);
    return builder_end(builder);
}
