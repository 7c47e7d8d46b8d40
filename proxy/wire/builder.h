/*
 * Writes messages into a caller's fixed buffer. Pure; any thread.
 *
 *     builder_begin(&b, FRONTEND_QUERY);
 *     builder_cstring(&b, text);
 *     if (!builder_end(&b)) ...
 *
 * A message that does not fit leaves nothing behind: `len` is where it was before the message, `overflow` is
 * set, and everything written later is dropped too (a gap in a stream of messages is worse than its end). The
 * caller makes room, takes back what it wrote of the batch, clears `overflow` and begins again.
 */
#ifndef ROLECALL_WIRE_BUILDER_H
#define ROLECALL_WIRE_BUILDER_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct builder {
    char *data;
    size_t len, cap;
    bool overflow;
    /* private */
    bool open;          /* between begin and end */
    size_t start;       /* of the message being written */
    size_t length_word; /* where its length goes */
};

static inline struct builder builder_of(void *data, size_t cap)
{
    return (struct builder){.data = data, .cap = cap};
}

void builder_begin(struct builder *builder, char type);
/* A packet without a type byte: StartupMessage, SSLRequest, CancelRequest. */
void builder_begin_untyped(struct builder *builder);
/* Fills the length. False: the message did not fit and is gone. */
bool builder_end(struct builder *builder);
/* The same when `following` more bytes of the body are sent by the caller after what was built here. */
bool builder_end_plus(struct builder *builder, size_t following);

void builder_u8(struct builder *builder, uint8_t value);
void builder_u16(struct builder *builder, uint16_t value);
void builder_u32(struct builder *builder, uint32_t value);
void builder_bytes(struct builder *builder, const void *data, size_t len);
void builder_slice(struct builder *builder, struct slice bytes);
/* The text and a NUL; text is cut at an embedded NUL, which the protocol cannot carry. */
void builder_cstring(struct builder *builder, struct slice text);

/* A message with no body: Sync, Flush, Terminate, ParseComplete, NoData, ... */
bool builder_empty(struct builder *builder, char type);

#endif
