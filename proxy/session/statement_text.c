/* Texts of prepared statements; see statement_text.h. */
#include "proxy/session/statement_text.h"

#include "proxy/session/session.h"

bool statement_text(const struct session *session, struct slice name, struct slice *text)
{
    struct frame frame;
    struct frontend_parse parse;
    if (name.len > 0) {
        const struct prepared *prepared = names_find(&session->names, name);
        if (prepared)
            *text = prepared->query;
        return prepared != NULL;
    }
    if (session->unnamed.len == 0 ||
        frame_parse(session->unnamed.data, session->unnamed.len, &frame) != FRAME_OK || !frame.whole ||
        !frontend_parse_parse(frame_body(&frame), &parse))
        return false;
    *text = parse.query;
    return true;
}

/* Of the last Parse of this name ahead of `end`. */
static bool parsed_in_request(
    const struct request *request, size_t end, struct slice name, struct slice *text)
{
    struct frame frame;
    struct frontend_parse parse;
    bool found = false;
    for (size_t at = 0; at < end; at += frame.total) {
        if (frame_parse(request->bytes.data + at, end - at, &frame) != FRAME_OK || !frame.whole)
            break;
        if (frame.type != FRONTEND_PARSE || !frontend_parse_parse(frame_body(&frame), &parse) ||
            !slice_equal(parse.name, name))
            continue;
        *text = parse.query;
        found = true;
    }
    return found;
}

bool statement_text_run(const struct session *session, uint32_t nth_execute, struct slice *text)
{
    const struct request *request = session->request;
    struct slice bound = {NULL, 0};
    struct frame frame;
    struct frontend_bind bind;
    for (size_t at = 0; at < request->bytes.len; at += frame.total) {
        if (frame_parse(request->bytes.data + at, request->bytes.len - at, &frame) != FRAME_OK ||
            !frame.whole)
            return false;
        if (frame.type == FRONTEND_QUERY)
            return frontend_parse_query(frame_body(&frame), text);
        if (frame.type == FRONTEND_BIND && frontend_parse_bind(frame_body(&frame), &bind))
            bound = bind.statement;
        if (frame.type == FRONTEND_EXECUTE && nth_execute-- == 0)
            return bound.data &&
                   (parsed_in_request(request, at, bound, text) || statement_text(session, bound, text));
    }
    return false;
}
