/*
 * A client that speaks while its request is at the server: batches that are passed on message by message
 * (streaming) and COPY data.
 *
 * Large messages pass in parts; only a Bind's head is rewritten. Backpressure: when the server does not take
 * more, the client's stream is held until it has drained.
 */
#include "proxy/session/inquiry.h"
#include "proxy/session/note.h"
#include "proxy/session/prepare.h"
#include "proxy/session/session.h"

#include "proxy/server/answer.h"

#include <string.h>

#define BIND_HEAD_MAX 4096

static size_t pass_rest(struct session *session, struct server *server, const char *bytes, size_t len)
{
    size_t part = len < session->passing ? len : session->passing;
    server_send(server, bytes, part);
    session->passing -= part;
    if (session->passing == 0 && session->passing_ends) {
        session->passing_ends = false;
        session_move(session, SESSION_ACTIVE);
    }
    return part;
}

static size_t violation(struct session *session, size_t len)
{
    session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "invalid message from the client");
    return len;
}

static bool owe(struct server *server, enum expect_kind kind)
{
    return expect_push(&server->expect, (struct expect){.kind = (uint8_t)kind});
}

/* The effects of a text that is never seen whole are not known: the server is asked for them. */
static void note_unknown(struct session *session)
{
    const struct classification unknown = {.class = STATEMENT_WRITE,
        .reason = REASON_COPY,
        .flags = STATEMENT_COMMIT | STATEMENT_MULTIPLE | STATEMENT_DDL | STATEMENT_CALL | STATEMENT_SURVEY |
                 STATEMENT_SETS_ANY | STATEMENT_SETS_PARSING};
    session->request->flags |= unknown.flags;
    inquiry_note(session, &unknown, slice_of("", 0));
}

/* The head of a Bind whose parameters are too large to collect. */
static size_t pass_bind(struct session *session, struct server *server, const struct frame *frame, size_t len)
{
    struct frontend_bind bind;
    size_t there = len - FRAME_HEADER_LEN;
    if (!frontend_parse_bind(slice_of(frame->body, there), &bind))
        return there < BIND_HEAD_MAX ? 0 : violation(session, len);
    if (!dispatch_bind_head(session, server, &bind, frame->body_len - bind.head_len))
        return violation(session, len);
    session->request->probes = 0;
    session->passing = frame->body_len - bind.head_len;
    session->passing_ends = false;
    pass_rest(session, server, bind.rest.data, bind.rest.len);
    return len;
}

static size_t pass_large(
    struct session *session, struct server *server, const struct frame *frame, size_t len)
{
    char type = frame->type;
    if (type == FRONTEND_BIND)
        return pass_bind(session, server, frame, len);
    bool query = type == FRONTEND_QUERY || type == FRONTEND_FUNCTION_CALL;
    if (query) {
        session_forget_unnamed(session);
        server->statements.unnamed = 0;
    }
    if (type == FRONTEND_PARSE) {
        session->request->noted_of[CAUSE_PARSE]++;
        session->request->sent_of[CAUSE_PARSE]++;
        session_forget_unnamed(session); /* too large to keep: the session is pinned to where it is */
        server->statements.unnamed = session->unnamed_stamp = session->all->stamp++;
    }
    if (type == FRONTEND_PARSE) /* its name is known to this server only */
        session_pin(session, PIN_UNKNOWN);
    if (type == FRONTEND_PARSE || query)
        note_unknown(session);
    if (query || type == FRONTEND_PARSE)
        owe(server, query ? EXPECT_QUERY : EXPECT_PARSE);
    else if (type != FRONTEND_COPY_DATA)
        return violation(session, len);
    session->passing = frame->total;
    session->passing_ends = query;
    return pass_rest(session, server, frame->body - FRAME_HEADER_LEN, len);
}

/* Held until the server has drained; the bytes stay in the stream. */
static bool wait_for_server(struct session *session, struct server *server)
{
    if (!stream_is_full(&server->stream) && !stream_is_full(&session->stream))
        return false;
    stream_hold(&session->stream);
    return true;
}

static size_t skip_rest(struct session *session, size_t len)
{
    size_t part = len < session->skipping ? len : session->skipping;
    session->skipping -= part;
    return part;
}

/* The next message of a client that speaks while its request is at the server. False: there is none yet, and
   `used` bytes are done with. */
static bool next_message(
    struct session *session, const char *bytes, size_t len, struct frame *frame, size_t *used)
{
    struct server *server = session->claim.server;
    *used = 0;
    if (session->skipping > 0) {
        *used = skip_rest(session, len);
        return false;
    }
    if (wait_for_server(session, server))
        return false;
    if (session->passing > 0) {
        *used = pass_rest(session, server, bytes, len);
        return false;
    }
    switch (frame_parse(bytes, len, frame)) {
    case FRAME_MORE: return false;
    case FRAME_BAD: *used = violation(session, len); return false;
    case FRAME_OK: break;
    }
    if (frame->type != FRONTEND_TERMINATE)
        return true;
    session_close(session, "terminated by the client");
    *used = len;
    return false;
}

/* A Bind that has to wait for what the server says of its statement; it stays in the stream. */
static bool asks_first(struct session *session, struct server *server, const struct frame *frame, size_t len)
{
    struct frontend_bind bind;
    size_t there = frame->whole ? frame->body_len : len - FRAME_HEADER_LEN;
    bool fine;
    if (frame->type != FRONTEND_BIND || !frontend_parse_bind(slice_of(frame->body, there), &bind) ||
        !prepare_asks(session, server, bind.statement, &fine))
        return false;
    if (fine)
        stream_hold(&session->stream);
    else
        session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return true;
}

/* After an error it tells which unnamed statement is left, and the name that was bound where a statement has
   two; where there are too many these are not known then. */
static void keep_message(struct session *session, const struct frame *frame)
{
    struct buffer *streamed = &session->request->streamed;
    bool tells = frame->type == FRONTEND_PARSE || (frame->type == FRONTEND_BIND && session->names.doubled);
    if (tells && streamed->len + frame->total <= session->runtime->config->request_buffer_bytes)
        buffer_append(streamed, &session->all->spares, frame->body - FRAME_HEADER_LEN, frame->total);
}

size_t streaming_on_data(struct session *session, const char *bytes, size_t len)
{
    struct server *server = session->claim.server;
    struct frame frame;
    size_t used;
    if (session->request->probing) {
        stream_hold(&session->stream);
        return 0;
    }
    if (!next_message(session, bytes, len, &frame, &used))
        return used;
    if (session->request->error_seen && frame.type != FRONTEND_SYNC) { /* the node skips it: so do we */
        session->skipping = frame.total;
        return skip_rest(session, len);
    }
    if (asks_first(session, server, &frame, len))
        return session->state == SESSION_CLOSED ? len : 0;
    if (!frame.whole)
        return frame.total < REACTOR_READ_BUFFER / 2 ? 0 : pass_large(session, server, &frame, len);
    keep_message(session, &frame);
    if (!note_message(session, &frame))
        return len;
    request_pin(session);
    if (!dispatch_message(session, server, &frame))
        return violation(session, len);
    if (frame.type == FRONTEND_BIND) /* the next one asks for itself */
        session->request->probes = 0;
    if (frame.type == FRONTEND_SYNC || frame.type == FRONTEND_QUERY || frame.type == FRONTEND_FUNCTION_CALL) {
        session->request->complete = true;
        session_move(session, SESSION_ACTIVE);
    }
    answer_local(server);
    return frame.total;
}

/* What a client may say while it copies. Anything else, unaccounted for, could run as a statement. */
static bool is_of_copy(char type)
{
    return type == FRONTEND_COPY_DATA || type == FRONTEND_COPY_DONE || type == FRONTEND_COPY_FAIL ||
           type == FRONTEND_SYNC || type == FRONTEND_FLUSH;
}

size_t copy_on_data(struct session *session, const char *bytes, size_t len)
{
    struct server *server = session->claim.server;
    struct request *request = session->request;
    struct frame frame;
    size_t used;
    if (request->kind == REQUEST_BATCH && request->copy_ended && session->passing == 0) {
        session_move(session, SESSION_STREAMING); /* the data is over: the batch goes on */
        return streaming_on_data(session, bytes, len);
    }
    if (!next_message(session, bytes, len, &frame, &used))
        return used;
    if (!is_of_copy(frame.type))
        return violation(session, len);
    if (!frame.whole && frame.type != FRONTEND_COPY_DATA)
        return frame.total < REACTOR_READ_BUFFER / 2 ? 0 : violation(session, len);
    bool ends = frame.type == FRONTEND_COPY_DONE || frame.type == FRONTEND_COPY_FAIL;
    bool over = request->copy_ended || request->error_seen;
    /* While it copies the node ignores a Sync. */
    bool sync = frame.type == FRONTEND_SYNC && request->kind != REQUEST_QUERY && over;
    request->copy_done |= frame.type == FRONTEND_COPY_DONE;
    request->copy_ended |= ends;
    session->passing = frame.total;
    session->passing_ends = request->kind == REQUEST_QUERY ? ends : sync;
    if (sync && !owe(server, EXPECT_SYNC))
        return violation(session, len);
    return pass_rest(session, server, bytes, frame.whole ? frame.total : len);
}
