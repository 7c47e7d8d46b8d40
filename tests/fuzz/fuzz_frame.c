/*
 * A stream of messages of both directions: every parser gets every body. What is parsed and built again must
 * be parsed to the same; no slice may leave its body.
 */
#include "proxy/wire/backend.h"
#include "proxy/wire/frontend.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char buffer[1 << 16];

static void inside(struct slice slice, struct slice body)
{
    assert(slice.len <= body.len);
    assert(slice.len == 0 || (slice.data >= body.data && slice.data + slice.len <= body.data + body.len));
}

/* The body of the only message in the builder. */
static struct slice rebuilt(const struct builder *builder)
{
    struct frame frame;
    enum frame_result result = frame_parse(builder->data, builder->len, &frame);
    assert(result == FRAME_OK && frame.whole && frame.total == builder->len);
    return frame_body(&frame);
}

static void check_statements(struct slice body)
{
    struct frontend_parse parse, parse_again;
    struct frontend_bind bind, bind_again;
    struct slice name = slice_from("another name");
    struct builder builder = builder_of(buffer, sizeof buffer);
    if (frontend_parse_parse(body, &parse)) {
        inside(parse.query, body);
        inside(parse.types, body);
        assert(frontend_build_parse(&builder, &parse, name));
        assert(frontend_parse_parse(rebuilt(&builder), &parse_again));
        assert(slice_equal(parse_again.name, name) && slice_equal(parse_again.query, parse.query));
        assert(slice_equal(parse_again.types, parse.types));
    }
    builder = builder_of(buffer, sizeof buffer);
    if (frontend_parse_bind(body, &bind)) {
        inside(bind.portal, body);
        inside(bind.rest, body);
        assert(bind.head_len + bind.rest.len == body.len);
        assert(frontend_build_bind(&builder, &bind, name));
        assert(frontend_parse_bind(rebuilt(&builder), &bind_again));
        assert(slice_equal(bind_again.statement, name) && slice_equal(bind_again.rest, bind.rest));
    }
}

static void check_frontend(struct slice body)
{
    struct slice text;
    struct frontend_target target;
    struct frontend_execute execute;
    struct frontend_sasl_initial initial;
    if (frontend_parse_query(body, &text))
        inside(text, body);
    if (frontend_parse_target(body, &target))
        inside(target.name, body);
    if (frontend_parse_execute(body, &execute))
        inside(execute.portal, body);
    if (frontend_parse_sasl_initial(body, &initial) && initial.data.data != NULL)
        inside(initial.data, body);
    check_statements(body);
}

static void check_backend(struct slice body)
{
    struct backend_error error;
    struct backend_authentication request;
    struct slice name, value;
    uint32_t number, count;
    char status;
    if (backend_parse_error(body, &error)) {
        assert(strlen(error.sqlstate) <= 5);
        inside(error.message, body);
    }
    if (backend_parse_ready(body, &status))
        assert(status == 'I' || status == 'T' || status == 'E');
    if (backend_parse_parameter_status(body, &name, &value))
        inside(value, body);
    if (backend_parse_key_data(body, &number, &value))
        assert(value.len >= 4 && value.len <= 256);
    if (backend_parse_authentication(body, &request))
        for (size_t at = 0; backend_next_mechanism(&request, &at, &name);)
            inside(name, body);
    backend_parse_command_complete(body, &name);
    backend_parse_negotiate(body, &number, &count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    struct frame frame;
    /* Random length words are hopeless: the input as one body first, then as it would come. */
    check_frontend(slice_of(at, size));
    check_backend(slice_of(at, size));
    while (frame_parse(at, size, &frame) == FRAME_OK && frame.whole) {
        assert(frame.total == FRAME_HEADER_LEN + (size_t)frame.body_len && frame.total <= size);
        check_frontend(frame_body(&frame));
        check_backend(frame_body(&frame));
        at += frame.total;
        size -= frame.total;
    }
    return 0;
}
