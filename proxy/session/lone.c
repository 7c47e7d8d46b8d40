/*
 * Finds the one statement of a request; see lone.h.
 *
 * All well: Query, or Parse/Bind/[Describe]/Execute/Sync in this order, with parts left out. Whatever else a
 * batch may hold makes it somebody else's: the server's.
 */
#include "proxy/session/lone.h"

#include "proxy/session/session.h"
#include "proxy/session/statement_text.h"
#include "proxy/wire/reader.h"

/* What a batch was found to hold. */
struct batch {
    bool parsed, bound, executed;
    struct slice name; /* of the statement parsed */
    struct slice text;
};

static bool on_parse(struct batch *batch, const struct frame *frame)
{
    struct frontend_parse parse;
    if (batch->parsed || batch->bound || !frontend_parse_parse(frame_body(frame), &parse))
        return false;
    batch->parsed = true;
    batch->name = parse.name;
    batch->text = parse.query;
    return true;
}

/* None of the statements that are answered here has any: what else is bound is the server's to refuse. */
static bool has_no_parameters(const struct frontend_bind *bind)
{
    struct reader reader = reader_of(bind->rest);
    uint16_t formats = reader_u16(&reader);
    reader_bytes(&reader, 2 * (size_t)formats);
    uint16_t values = reader_u16(&reader);
    return formats <= 1 && values == 0 && reader_u16(&reader) <= 1 && !reader.failed;
}

static bool on_bind(const struct session *session, struct batch *batch, const struct frame *frame)
{
    struct frontend_bind bind;
    if (batch->bound || !frontend_parse_bind(frame_body(frame), &bind) || bind.portal.len > 0 ||
        !has_no_parameters(&bind))
        return false;
    batch->bound = true;
    return batch->parsed ? slice_equal(batch->name, bind.statement)
                         : statement_text(session, bind.statement, &batch->text);
}

static bool on_message(const struct session *session, struct batch *batch, const struct frame *frame)
{
    switch ((enum frontend_type)frame->type) {
    case FRONTEND_PARSE: return on_parse(batch, frame);
    case FRONTEND_BIND: return on_bind(session, batch, frame);
    case FRONTEND_EXECUTE:
        if (batch->executed || !batch->bound)
            return false;
        batch->executed = true;
        return true;
    case FRONTEND_DESCRIBE: return batch->parsed || batch->bound;
    case FRONTEND_CLOSE: return true; /* what it names is the session's affair, and done with */
    case FRONTEND_SYNC:
    case FRONTEND_FLUSH: return true;
    case FRONTEND_QUERY:
    case FRONTEND_FUNCTION_CALL:
    case FRONTEND_TERMINATE:
    case FRONTEND_COPY_DATA:
    case FRONTEND_COPY_DONE:
    case FRONTEND_COPY_FAIL:
    case FRONTEND_PASSWORD: return false;
    }
    return false;
}

bool lone_statement(const struct session *session, struct slice *text, bool *runs)
{
    const struct request *request = session->request;
    struct batch batch = {0};
    struct frame frame;
    if (request->stream || !request->complete)
        return false;
    for (uint32_t i = 0; i < request->n_changes; i++)
        if (request->changes[i].duplicate) /* the server shall say 42P05 */
            return false;
    for (size_t at = 0; at < request->bytes.len; at += frame.total) {
        if (frame_parse(request->bytes.data + at, request->bytes.len - at, &frame) != FRAME_OK ||
            !frame.whole)
            return false;
        if (request->kind == REQUEST_QUERY) {
            *runs = true;
            return frontend_parse_query(frame_body(&frame), text);
        }
        if (!on_message(session, &batch, &frame))
            return false;
    }
    *text = batch.text;
    *runs = batch.executed;
    return request->kind == REQUEST_BATCH && (batch.parsed || batch.bound);
}
