/*
 * What a client says: parsed on the client's side, built on the node's. Pure; any thread.
 *
 * Parsers return slices into the body; false means malformed, or, for a body that is not whole yet, that the
 * part looked for is not there yet. Builders return builder_end's answer: false when the message did not fit.
 */
#ifndef ROLECALL_WIRE_FRONTEND_H
#define ROLECALL_WIRE_FRONTEND_H

#include "conf/base/slice.h"
#include "proxy/wire/builder.h"
#include "proxy/wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool frontend_parse_query(struct slice body, struct slice *query);
bool frontend_build_query(struct builder *builder, struct slice query);

/* Parse */
struct frontend_parse {
    struct slice name, query;
    uint16_t n_types;
    struct slice types; /* n_types * 4 bytes, big-endian, as sent */
};
bool frontend_parse_parse(struct slice body, struct frontend_parse *out);
/* The same statement under another name. */
bool frontend_build_parse(struct builder *builder, const struct frontend_parse *parse, struct slice name);

/* Bind. A body that is not whole will do, when portal and statement are there: `rest` is then what has
   arrived, and body_len - head_len bytes belong to it in all. */
struct frontend_bind {
    struct slice portal, statement;
    struct slice rest; /* formats, parameter values, result formats */
    size_t head_len;   /* bytes of portal and statement with their NULs */
};
bool frontend_parse_bind(struct slice body, struct frontend_bind *out);
/* The same Bind for another statement name; `rest` must be all there. */
bool frontend_build_bind(struct builder *builder, const struct frontend_bind *bind, struct slice statement);
/* Only the header, portal and name: the caller sends the rest_len bytes of the rest itself. */
bool frontend_build_bind_head(
    struct builder *builder, const struct frontend_bind *bind, struct slice statement, size_t rest_len);

/* Describe and Close: kind is 'S' (statement) or 'P' (portal); anything else is malformed. */
struct frontend_target {
    char kind;
    struct slice name;
};
bool frontend_parse_target(struct slice body, struct frontend_target *out);
bool frontend_build_target(struct builder *builder, char type, char kind, struct slice name);

struct frontend_execute {
    struct slice portal;
    uint32_t max_rows; /* 0 = all */
};
bool frontend_parse_execute(struct slice body, struct frontend_execute *out);
bool frontend_build_execute(struct builder *builder, struct slice portal, uint32_t max_rows);

/* Sync, Flush, Terminate, CopyDone: builder_empty. */

bool frontend_parse_copy_fail(struct slice body, struct slice *reason);
bool frontend_build_copy_fail(struct builder *builder, struct slice reason);

/* The answers to an authentication request share one type letter: the exchange says which it is. */
bool frontend_parse_password(struct slice body, struct slice *password);
bool frontend_build_password(struct builder *builder, struct slice password);
struct frontend_sasl_initial {
    struct slice mechanism;
    struct slice data; /* .data NULL when none was sent (length -1) */
};
bool frontend_parse_sasl_initial(struct slice body, struct frontend_sasl_initial *out);
bool frontend_build_sasl_initial(struct builder *builder, struct slice mechanism, struct slice data);
/* SASLResponse is the mechanism's bytes and nothing else: frame_body is its parser. */
bool frontend_build_sasl_response(struct builder *builder, struct slice data);

#endif
