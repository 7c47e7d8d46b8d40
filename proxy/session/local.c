/* Answers of our own; see local.h. */
#include "proxy/session/local.h"

#include "proxy/session/changes.h"

#define ROW_MAX 2048

static void write_rows(struct session *session, const struct local_result *result, bool columns, bool row)
{
    char out[ROW_MAX];
    struct builder builder = builder_of(out, sizeof out);
    struct slice value = slice_from(result->value);
    if (columns)
        backend_build_text_columns(&builder, &result->column, 1);
    if (row)
        backend_build_text_row(&builder, &value, 1);
    session_write(session, out, builder.len);
}

static void write_empty(struct session *session, char type)
{
    session_write(session, (char[]){type, 0, 0, 0, 4}, 5);
}

static bool execute(struct session *session, const struct local_result *result)
{
    char out[128];
    struct builder builder = builder_of(out, sizeof out);
    if (!result->tag) {
        session_error(session, result->error.sqlstate, result->error.text);
        return false;
    }
    if (result->column)
        write_rows(session, result, false, true);
    backend_build_command_complete(&builder, slice_from(result->tag));
    session_write(session, out, builder.len);
    return true;
}

static void describe(struct session *session, const struct local_result *result, struct slice body)
{
    struct frontend_target target;
    if (frontend_parse_target(body, &target) && target.kind == 'S')
        session_write(session, (char[]){BACKEND_PARAMETER_DESCRIPTION, 0, 0, 0, 6, 0, 0}, 7);
    if (result->column)
        write_rows(session, result, true, false);
    else
        write_empty(session, BACKEND_NO_DATA);
}

bool local_answer(struct session *session, const struct local_result *result)
{
    struct request *request = session->request;
    struct frame frame;
    for (size_t at = 0; at < request->bytes.len; at += frame.total) {
        if (frame_parse(request->bytes.data + at, request->bytes.len - at, &frame) != FRAME_OK ||
            !frame.whole)
            break;
        bool fine = true;
        if (frame.type == FRONTEND_PARSE) {
            write_empty(session, BACKEND_PARSE_COMPLETE);
            request->done_of[CAUSE_PARSE]++;
        } else if (frame.type == FRONTEND_BIND) {
            write_empty(session, BACKEND_BIND_COMPLETE);
        } else if (frame.type == FRONTEND_CLOSE) {
            write_empty(session, BACKEND_CLOSE_COMPLETE);
            request->done_of[CAUSE_CLOSE]++;
        } else if (frame.type == FRONTEND_DESCRIBE) {
            describe(session, result, frame_body(&frame));
        } else if (frame.type == FRONTEND_EXECUTE) {
            fine = execute(session, result);
        } else if (frame.type == FRONTEND_QUERY) {
            if (result->tag && result->column)
                write_rows(session, result, true, false);
            fine = execute(session, result);
        }
        if (!fine)
            return false;
    }
    return true;
}

void local_finish(struct session *session, const struct local_result *result, char status)
{
    bool failed = !local_answer(session, result);
    if (failed)
        changes_undo(session, NULL);
    if (session->request->flush_as_sync) /* the Sync is still to come */
        session->skip_to_sync = failed;
    else
        session_ready_for_query(session, status);
    session_next(session);
}
