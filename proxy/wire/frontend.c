/*
 * What a client says.
 *
 * Parsers take the parts that routing and pooling look at and leave the rest as one slice: parameters of a
 * Bind are never counted here, the node does that. The rewriting builders put another statement name into a
 * message whose rest stays as it is; for a Bind that is too large to hold, only the head is written and the
 * caller streams the rest.
 */
#include "proxy/wire/frontend.h"

#include "proxy/wire/reader.h"

bool frontend_parse_query(struct slice body, struct slice *query)
{
    struct reader reader = reader_of(body);
    *query = reader_cstring(&reader);
    return reader_done(&reader);
}

bool frontend_build_query(struct builder *builder, struct slice query)
{
    builder_begin(builder, FRONTEND_QUERY);
    builder_cstring(builder, query);
    return builder_end(builder);
}

bool frontend_parse_parse(struct slice body, struct frontend_parse *out)
{
    struct reader reader = reader_of(body);
    out->name = reader_cstring(&reader);
    out->query = reader_cstring(&reader);
    out->n_types = reader_u16(&reader);
    out->types = reader_bytes(&reader, (size_t)out->n_types * 4);
    return reader_done(&reader);
}

bool frontend_build_parse(struct builder *builder, const struct frontend_parse *parse, struct slice name)
{
    builder_begin(builder, FRONTEND_PARSE);
    builder_cstring(builder, name);
    builder_cstring(builder, parse->query);
    builder_u16(builder, parse->n_types);
    builder_slice(builder, parse->types);
    return builder_end(builder);
}

bool frontend_parse_bind(struct slice body, struct frontend_bind *out)
{
    struct reader reader = reader_of(body);
    out->portal = reader_cstring(&reader);
    out->statement = reader_cstring(&reader);
    out->head_len = reader.at;
    out->rest = reader_rest(&reader);
    return !reader.failed;
}

static void put_bind_head(struct builder *builder, const struct frontend_bind *bind, struct slice statement)
{
    builder_begin(builder, FRONTEND_BIND);
    builder_cstring(builder, bind->portal);
    builder_cstring(builder, statement);
}

bool frontend_build_bind(struct builder *builder, const struct frontend_bind *bind, struct slice statement)
{
    put_bind_head(builder, bind, statement);
    builder_slice(builder, bind->rest);
    return builder_end(builder);
}

bool frontend_build_bind_head(
    struct builder *builder, const struct frontend_bind *bind, struct slice statement, size_t rest_len)
{
    put_bind_head(builder, bind, statement);
    return builder_end_plus(builder, rest_len);
}

bool frontend_parse_target(struct slice body, struct frontend_target *out)
{
    struct reader reader = reader_of(body);
    out->kind = (char)reader_u8(&reader);
    out->name = reader_cstring(&reader);
    return reader_done(&reader) && (out->kind == 'S' || out->kind == 'P');
}

bool frontend_build_target(struct builder *builder, char type, char kind, struct slice name)
{
    builder_begin(builder, type);
    builder_u8(builder, (uint8_t)kind);
    builder_cstring(builder, name);
    return builder_end(builder);
}

bool frontend_parse_execute(struct slice body, struct frontend_execute *out)
{
    struct reader reader = reader_of(body);
    out->portal = reader_cstring(&reader);
    out->max_rows = reader_u32(&reader);
    return reader_done(&reader);
}

bool frontend_build_execute(struct builder *builder, struct slice portal, uint32_t max_rows)
{
    builder_begin(builder, FRONTEND_EXECUTE);
    builder_cstring(builder, portal);
    builder_u32(builder, max_rows);
    return builder_end(builder);
}

bool frontend_parse_copy_fail(struct slice body, struct slice *reason)
{
    return frontend_parse_query(body, reason);
}

bool frontend_build_copy_fail(struct builder *builder, struct slice reason)
{
    builder_begin(builder, FRONTEND_COPY_FAIL);
    builder_cstring(builder, reason);
    return builder_end(builder);
}

bool frontend_parse_password(struct slice body, struct slice *password)
{
    return frontend_parse_query(body, password);
}

bool frontend_build_password(struct builder *builder, struct slice password)
{
    builder_begin(builder, FRONTEND_PASSWORD);
    builder_cstring(builder, password);
    return builder_end(builder);
}

bool frontend_parse_sasl_initial(struct slice body, struct frontend_sasl_initial *out)
{
    struct reader reader = reader_of(body);
    out->mechanism = reader_cstring(&reader);
    uint32_t len = reader_u32(&reader);
    out->data = slice_of(NULL, 0);
    if (len != UINT32_MAX)
        out->data = reader_bytes(&reader, len);
    return reader_done(&reader);
}

bool frontend_build_sasl_initial(struct builder *builder, struct slice mechanism, struct slice data)
{
    builder_begin(builder, FRONTEND_PASSWORD);
    builder_cstring(builder, mechanism);
    builder_u32(builder, data.data ? (uint32_t)data.len : UINT32_MAX);
    builder_slice(builder, data);
    return builder_end(builder);
}

bool frontend_build_sasl_response(struct builder *builder, struct slice data)
{
    builder_begin(builder, FRONTEND_PASSWORD);
    builder_slice(builder, data);
    return builder_end(builder);
}
