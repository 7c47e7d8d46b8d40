/*
 * From a client's messages to a request: one Query or FunctionCall, or everything up to Sync.
 *
 * All well: messages are appended to the request until it is complete, each Parse and Query is classed on the
 * way, and route.c is called. A batch that grows past request_buffer, or that is flushed after a Bind,
 * becomes a stream: it goes to the primary and the rest is passed on message by message. A Flush after only
 * Parse, Describe and Close binds nothing: it is sent as a Sync whose ReadyForQuery the client does not see.
 * Failure: what is not protocol 3 is FATAL 08P01; nothing of it has reached a server.
 */
#include "proxy/session/note.h"
#include "proxy/session/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void violation(struct session *session, const char *what)
{
    session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "invalid message from the client: %s", what);
}

struct request *request_begin(struct session *session)
{
    struct sessions *all = session->all;
    if (session->request != all->no_request)
        return session->request;
    struct request *request = all->spare_requests;
    if (request)
        all->spare_requests = request->next_spare;
    else
        request = malloc(sizeof *request);
    if (!request) {
        session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    *request = (struct request){0};
    return session->request = request;
}

void request_reset(struct session *session)
{
    struct request *request = session->request;
    struct sessions *all = session->all;
    session->cancelled = false;
    if (request == all->no_request)
        return;
    for (uint32_t i = 0; i < request->n_changes; i++) {
        prepared_unref(all->pools.prepared, request->changes[i].prepared);
        free(request->changes[i].name);
    }
    free(request->changes);
    free(request->own);
    buffer_release(&request->bytes, &all->spares);
    buffer_release(&request->streamed, &all->spares);
    buffer_release(&request->withheld, &all->spares);
    buffer_release(&request->kept_error, &all->spares);
    params_fini(&request->before);
    request->next_spare = all->spare_requests;
    all->spare_requests = request;
    session->request = all->no_request;
}

void request_again(struct session *session)
{
    struct request *request = session->request;
    begin_again(session);
    memset(request->done_of, 0, sizeof request->done_of);
    request->done_binds = 0;
    request->retrying = RETRY_NOT;
    request->healing = request->probing = false;
    request->probes = 0;
    request->completed = false;
    request->unnamed_columns = 0;
    buffer_release(&request->withheld, &session->all->spares);
    buffer_release(&request->kept_error, &session->all->spares);
}

bool request_runs_nothing(const struct request *request)
{
    return request->kind == REQUEST_BATCH && request->complete && !request->stream &&
           request->noted_of[CAUSE_EXECUTE] == 0;
}

uint32_t request_ends(const struct request *request)
{
    return request_runs_nothing(request) ? 0 : request->flags & (STATEMENT_ROLLBACK | STATEMENT_COMMIT);
}

bool request_is_repeatable(const struct request *request)
{
    const uint32_t several = STATEMENT_CALL | STATEMENT_MULTIPLE | STATEMENT_BEGIN;
    return !request->in_transaction && !request->committed && request->complete && !request->stream &&
           !(request->flags & several) && request->statements <= 1;
}

/* ---- messages ---- */

static bool append(struct session *session, const char *bytes, size_t len)
{
    if (buffer_append(&session->request->bytes, &session->all->spares, bytes, len))
        return true;
    session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return false;
}

static void complete(struct session *session, enum request_kind kind)
{
    session->request->kind = kind;
    session->request->complete = true;
    route_request(session);
}

static void on_query(struct session *session, const struct frame *frame)
{
    struct slice query;
    if (!frontend_parse_query(frame_body(frame), &query)) {
        violation(session, "malformed Query");
        return;
    }
    if (note_query(session, query))
        complete(session, REQUEST_QUERY);
}

static void begin_stream(struct session *session)
{
    session->request->kind = REQUEST_BATCH;
    session->request->stream = true;
    session->request->read_until_flush = session->request->class == STATEMENT_READ;
    session->request->class = STATEMENT_WRITE;
    session->request->reason = REASON_COPY;
    route_request(session);
}

static void on_flush(struct session *session)
{
    struct request *request = session->request;
    request->kind = REQUEST_BATCH;
    if (!request->has_bind && !session->claim.server) {
        request->flush_as_sync = true;
        request->complete = true;
    } else {
        request->stream = true;
        request->read_until_flush = request->class == STATEMENT_READ;
        request->class = STATEMENT_WRITE;
        request->reason = REASON_FLUSH;
    }
    route_request(session);
}

static void on_function_call(struct session *session)
{
    session->request->class = STATEMENT_WRITE;
    session->request->reason = REASON_WRITE;
    session->request->flags |= STATEMENT_CALL;
    complete(session, REQUEST_FUNCTION);
}

/* One whole message, which is the last of the request's bytes. */
static void on_message(struct session *session, const struct frame *frame)
{
    switch ((enum frontend_type)frame->type) {
    case FRONTEND_PARSE:
    case FRONTEND_BIND:
    case FRONTEND_CLOSE:
    case FRONTEND_DESCRIBE:
    case FRONTEND_EXECUTE: note_message(session, frame); return;
    case FRONTEND_QUERY: on_query(session, frame); return;
    case FRONTEND_FLUSH: on_flush(session); return;
    case FRONTEND_SYNC: complete(session, REQUEST_BATCH); return;
    case FRONTEND_FUNCTION_CALL: on_function_call(session); return;
    case FRONTEND_TERMINATE:
    case FRONTEND_COPY_DATA:
    case FRONTEND_COPY_DONE:
    case FRONTEND_COPY_FAIL:
    case FRONTEND_PASSWORD: abort(); /* unrequested() has dealt with them */
    }
}

static bool is_known(char type)
{
    return type && strchr("BCDEFHPQSXcdfp", type);
}

static bool has_no_body(char type)
{
    return type == FRONTEND_SYNC || type == FRONTEND_FLUSH || type == FRONTEND_TERMINATE ||
           type == FRONTEND_COPY_DONE;
}

static bool is_copy(char type)
{
    return type == FRONTEND_COPY_DATA || type == FRONTEND_COPY_DONE || type == FRONTEND_COPY_FAIL;
}

/* Messages that are no part of a request. True when the frame was one; `*used` of `len` bytes are done with.
 */
static bool unrequested(struct session *session, const struct frame *frame, size_t len, size_t *used)
{
    *used = len;
    if (frame->type == FRONTEND_TERMINATE) {
        session_close(session, "terminated by the client");
        return true;
    }
    if (frame->type == FRONTEND_PASSWORD) {
        violation(session, "unexpected password message");
        return true;
    }
    /* COPY's messages outside of a request are ignored, as PostgreSQL does. */
    bool copy = is_copy(frame->type) && session->request->bytes.len == 0;
    bool empty_flush = frame->type == FRONTEND_FLUSH && session->request->bytes.len == 0;
    bool skipped = session->skip_to_sync && frame->type != FRONTEND_SYNC;
    if (skipped && session->skip_simple) {
        session->skip_to_sync = session->skip_simple = false;
        session_ready_for_query(session, session->tx_status);
    }
    if (session->skip_to_sync && frame->type == FRONTEND_SYNC) {
        session->skip_to_sync = false;
        session_ready_for_query(session, session->tx_status);
        *used = frame->total;
        return true;
    }
    if (!copy && !empty_flush && !skipped)
        return false;
    if (frame->whole)
        *used = frame->total;
    else
        session->passing = frame->total - len;
    return true;
}

/* The rest of a message that is skipped, or collected although it is large. */
static size_t go_on(struct session *session, const char *bytes, size_t len)
{
    struct request *request = session->request;
    size_t *left = session->passing ? &session->passing : &request->awaited;
    size_t part = len < *left ? len : *left;
    *left -= part;
    if (left == &session->passing || !append(session, bytes, part) || request->awaited > 0)
        return part;
    struct frame frame;
    frame_parse(request->bytes.data + request->message_at, request->bytes.len - request->message_at, &frame);
    on_message(session, &frame);
    return part;
}

size_t collect_on_data(struct session *session, const char *bytes, size_t len)
{
    struct request *request = request_begin(session);
    struct frame frame;
    size_t used;
    if (!request)
        return len;
    if (session->passing > 0 || request->awaited > 0)
        return go_on(session, bytes, len);
    if (stream_is_full(&session->stream)) { /* it does not read what it asked for */
        stream_hold(&session->stream);
        return 0;
    }
    if (!is_known(bytes[0])) {
        violation(session, "unknown message type");
        return len;
    }
    enum frame_result result = frame_parse(bytes, len, &frame);
    if (result == FRAME_MORE)
        return 0;
    if (result == FRAME_BAD || (frame.body_len > 0 && has_no_body(frame.type))) {
        violation(session, "bad message length");
        return len;
    }
    if (unrequested(session, &frame, len, &used))
        return used;
    bool begins_anew =
        frame.type == FRONTEND_PARSE || frame.type == FRONTEND_BIND || frame.type == FRONTEND_FLUSH;
    if (begins_anew && begin_answer_ahead(session))
        return session->state == SESSION_IDLE ? collect_on_data(session, bytes, len) : 0;
    bool simple = frame.type == FRONTEND_QUERY || frame.type == FRONTEND_FUNCTION_CALL;
    bool alien = (simple || is_copy(frame.type)) && request->bytes.len > 0;
    if (alien || /* inside a batch without Sync: the batch goes first, as it is */
        request->bytes.len + frame.total > session->runtime->config->request_buffer_bytes) {
        begin_stream(session);
        return 0;
    }
    used = frame.whole ? frame.total : len;
    if (!frame.whole && frame.total < REACTOR_READ_BUFFER / 2)
        return 0;
    request->message_at = request->bytes.len;
    request->awaited = frame.total - used;
    if (append(session, bytes, used) && frame.whole)
        on_message(session, &frame);
    return session->state == SESSION_CLOSED ? len : used;
}
