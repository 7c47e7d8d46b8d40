/*
 * Sending a request to its server: settings first, then each message, with the session's statement names
 * turned into the server's; all of it in one write.
 *
 * A statement that the server does not hold is parsed there first (hidden); one that it holds already is
 * answered by rolecall (EXPECT_LOCAL). What goes out is entered into the server's account of what it owes.
 */
#include "proxy/session/inquiry.h"
#include "proxy/session/prefix.h"
#include "proxy/session/sequence.h"
#include "proxy/session/session.h"

#include "proxy/server/answer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 512

/* ---- prepared statements ---- */

static bool owe(struct server *server, enum expect_kind kind, bool hidden, uint64_t about)
{
    return expect_push(
        &server->expect, (struct expect){.kind = (uint8_t)kind, .hidden = hidden, .about = about});
}

static bool owe_local(struct server *server, char type)
{
    return expect_push(&server->expect, (struct expect){.kind = EXPECT_LOCAL, .local = type});
}

static bool send_raw(struct server *server, const struct frame *frame, enum expect_kind kind)
{
    server_send(server, frame->body - FRAME_HEADER_LEN, frame->total);
    return owe(server, kind, false, 0);
}

/* Writes a Parse of a shared statement under the server's name. */
static bool write_parse(struct server *server, const struct prepared *prepared)
{
    char name[STATEMENT_NAME_MAX], head[HEAD_MAX], count[2];
    struct builder builder = builder_of(head, sizeof head);
    size_t name_len = statement_name(prepared->id, name);
    size_t following = prepared->query.len + 1 + 2 + prepared->types.len;
    builder_begin(&builder, FRONTEND_PARSE);
    builder_cstring(&builder, slice_of(name, name_len));
    if (!builder_end_plus(&builder, following))
        return false;
    count[0] = (char)(prepared->n_types >> 8);
    count[1] = (char)prepared->n_types;
    server_send(server, head, builder.len);
    server_send(server, prepared->query.data, prepared->query.len);
    server_send(server, "", 1);
    server_send(server, count, 2);
    server_send(server, prepared->types.data, prepared->types.len);
    return true;
}

static bool send_parse(struct server *server, const struct prepared *prepared, bool hidden)
{
    return write_parse(server, prepared) && statements_add(&server->statements, prepared->id) &&
           owe(server, EXPECT_PARSE, hidden, prepared->id);
}

/* Fails on the server and changes nothing there. */
static bool send_duplicate(struct server *server, const struct prepared *prepared)
{
    return write_parse(server, prepared) && owe(server, EXPECT_PARSE, false, EXPECT_ABOUT_NOTHING);
}

/* Keeps the number of statements on the server bounded: the least recently used goes. */
static bool make_room(struct session *session, struct server *server)
{
    uint32_t max = session->runtime->config->max_prepared_statements;
    while (server->statements.count >= max) {
        uint64_t oldest = statements_oldest(&server->statements);
        char name[STATEMENT_NAME_MAX], out[64];
        struct builder builder = builder_of(out, sizeof out);
        size_t len = statement_name(oldest, name);
        if (!frontend_build_target(&builder, FRONTEND_CLOSE, 'S', slice_of(name, len)))
            return false;
        server_send(server, out, builder.len);
        statements_remove(&server->statements, oldest);
        if (!owe(server, EXPECT_CLOSE, true, oldest))
            return false;
    }
    return true;
}

static bool ensure(struct session *session, struct server *server, const struct prepared *prepared)
{
    if (statements_use(&server->statements, prepared->id))
        return true;
    return make_room(session, server) && send_parse(server, prepared, true);
}

/* The unnamed statement of this session, on a server that holds another one; none, when the session has none.
 */
static bool ensure_unnamed(struct session *session, struct server *server)
{
    if (server->statements.unnamed == session->unnamed_stamp)
        return true;
    if (session->unnamed.len == 0) {
        server_send(server, "C\0\0\0\6S\0", 7);
        server->statements.unnamed = session->unnamed_stamp = 0;
        return owe(server, EXPECT_CLOSE, true, 0);
    }
    server_send(server, session->unnamed.data, session->unnamed.len);
    server->statements.unnamed = session->unnamed_stamp;
    return owe(server, EXPECT_PARSE, true, 0);
}

/* What a name stands for at this point of the request, which has changed the session's names already when it
   was collected: the last change that has been sent decides, or the state before the first that has not. */
static struct prepared *prepared_of(struct session *session, struct slice name)
{
    const struct request *request = session->request;
    struct prepared *now = NULL;
    bool known = false;
    for (uint32_t i = 0; i < request->n_changes; i++) {
        const struct name_change *change = &request->changes[i];
        if (change->duplicate || !slice_equal(slice_of(change->name, change->len), name))
            continue;
        if (change->ordinal < (change->closed ? request->closes_sent : request->parses_sent)) {
            now = change->closed ? NULL : change->prepared;
            known = true;
            continue;
        }
        if (!known)
            now = change->closed ? change->prepared : NULL;
        return now;
    }
    return known ? now : names_find(&session->names, name);
}

/* What the request's n-th Parse did. */
static const struct name_change *change_of(const struct request *request, uint32_t ordinal)
{
    for (uint32_t i = 0; i < request->n_changes; i++)
        if (!request->changes[i].closed && request->changes[i].ordinal == ordinal)
            return &request->changes[i];
    return NULL;
}

/* The same inside a batch, as an unnamed statement. */
static bool send_renamed_parse(struct session *session, struct server *server,
    const struct prepared *prepared, const struct frontend_parse *parse)
{
    struct buffer text = {0};
    char head[16];
    struct builder builder = builder_of(head, sizeof head);
    bool ready = special_rename(session, prepared, parse->query, &text) && ensure(session, server, prepared);
    builder_begin(&builder, FRONTEND_PARSE);
    builder_cstring(&builder, slice_of("", 0));
    if (ready && builder_end_plus(&builder, text.len + 2 + parse->types.len)) {
        char count[2] = {(char)(parse->n_types >> 8), (char)parse->n_types};
        server_send(server, head, builder.len);
        server_send(server, text.data, text.len);
        server_send(server, count, sizeof count);
        server_send(server, parse->types.data, parse->types.len);
    }
    buffer_release(&text, &session->all->spares);
    return ready && owe(server, EXPECT_PARSE, false, 0);
}

static bool on_parse(struct session *session, struct server *server, const struct frame *frame)
{
    struct frontend_parse parse;
    if (!frontend_parse_parse(frame_body(frame), &parse))
        return false;
    uint32_t ordinal = session->request->parses_sent++;
    if (parse.name.len == 0) {
        server->statements.unnamed = session->unnamed_stamp;
        struct prepared *named = special_prepared(session);
        if (named)
            return send_renamed_parse(session, server, named, &parse);
        return send_raw(server, frame, EXPECT_PARSE);
    }
    const struct name_change *change = change_of(session->request, ordinal);
    struct prepared *prepared =
        change && !change->duplicate ? change->prepared : prepared_of(session, parse.name);
    if (!prepared)
        return false;
    if (change && change->duplicate) /* the node itself shall say 42P05, in its own transaction */
        return ensure(session, server, prepared) && send_duplicate(server, prepared);
    if (statements_use(&server->statements, prepared->id))
        return owe_local(server, BACKEND_PARSE_COMPLETE);
    return make_room(session, server) && send_parse(server, prepared, false);
}

bool dispatch_bind_head(
    struct session *session, struct server *server, const struct frontend_bind *bind, size_t rest)
{
    char name[STATEMENT_NAME_MAX], head[HEAD_MAX];
    struct builder builder = builder_of(head, sizeof head);
    struct slice statement =
        bind->statement; /* an unknown one goes as it is: the node itself shall say 26000 */
    struct prepared *prepared = statement.len ? prepared_of(session, statement) : NULL;
    if (prepared)
        statement = slice_of(name, statement_name(prepared->id, name));
    bool ready = prepared            ? ensure(session, server, prepared)
                 : statement.len > 0 ? true
                                     : ensure_unnamed(session, server);
    if (!ready || !frontend_build_bind_head(&builder, bind, statement, rest))
        return false;
    server_send(server, head, builder.len);
    return owe(server, EXPECT_BIND, false, 0);
}

static bool on_bind(struct session *session, struct server *server, const struct frame *frame)
{
    struct frontend_bind bind;
    if (!frontend_parse_bind(frame_body(frame), &bind) ||
        !dispatch_bind_head(session, server, &bind, bind.rest.len))
        return false;
    server_send(server, bind.rest.data, bind.rest.len);
    return true;
}

static bool on_target(struct session *session, struct server *server, const struct frame *frame)
{
    struct frontend_target target;
    bool close = frame->type == FRONTEND_CLOSE;
    enum expect_kind kind = close ? EXPECT_CLOSE : EXPECT_DESCRIBE;
    if (!frontend_parse_target(frame_body(frame), &target))
        return false;
    if (close)
        session->request->closes_sent++;
    if (target.kind == 'P')
        return send_raw(server, frame, kind);
    if (target.name.len == 0) {
        if (close)
            server->statements.unnamed = 0;
        return (close || ensure_unnamed(session, server)) && send_raw(server, frame, kind);
    }
    if (close)
        return owe_local(server, BACKEND_CLOSE_COMPLETE); /* others may share it: it stays on the server */
    struct prepared *prepared = prepared_of(session, target.name);
    if (!prepared)
        return send_raw(server, frame, kind);
    char name[STATEMENT_NAME_MAX], out[64];
    struct builder builder = builder_of(out, sizeof out);
    struct slice server_name = slice_of(name, statement_name(prepared->id, name));
    if (!ensure(session, server, prepared) ||
        !frontend_build_target(&builder, FRONTEND_DESCRIBE, 'S', server_name))
        return false;
    server_send(server, out, builder.len);
    return owe(server, kind, false, prepared->id);
}

/* EXECUTE or DEALLOCATE of what the protocol prepared: under the server's name, which must be there first. */
static bool send_renamed(
    struct session *session, struct server *server, const struct prepared *prepared, struct slice query)
{
    struct buffer text = {0};
    char head[16];
    struct builder builder = builder_of(head, sizeof head);
    bool ready = special_rename(session, prepared, query, &text) && ensure(session, server, prepared);
    if (ready) {
        server_send(server, "S\0\0\0\4", 5);
        builder_begin(&builder, FRONTEND_QUERY);
        ready = owe(server, EXPECT_SYNC, true, 0) && begin_send(session, server) &&
                builder_end_plus(&builder, text.len);
        server_send(server, head, builder.len);
        server_send(server, text.data, text.len);
    }
    buffer_release(&text, &session->all->spares);
    return ready && owe(server, EXPECT_QUERY, false, 0);
}

static bool on_query(struct session *session, struct server *server, const struct frame *frame)
{
    struct prepared *prepared = special_prepared(session);
    struct slice query;
    server->statements.unnamed = 0;
    if (prepared && frontend_parse_query(frame_body(frame), &query))
        return send_renamed(session, server, prepared, query);
    return send_raw(server, frame, EXPECT_QUERY);
}

bool dispatch_message(struct session *session, struct server *server, const struct frame *frame)
{
    switch ((enum frontend_type)frame->type) {
    case FRONTEND_PARSE: return on_parse(session, server, frame);
    case FRONTEND_BIND: return on_bind(session, server, frame);
    case FRONTEND_DESCRIBE:
    case FRONTEND_CLOSE: return on_target(session, server, frame);
    case FRONTEND_EXECUTE: return send_raw(server, frame, EXPECT_EXECUTE);
    case FRONTEND_SYNC: return send_raw(server, frame, EXPECT_SYNC);
    case FRONTEND_QUERY: return on_query(session, server, frame);
    case FRONTEND_FUNCTION_CALL: return send_raw(server, frame, EXPECT_QUERY);
    case FRONTEND_FLUSH:
        if (session->request->flush_as_sync) {
            server_send(server, "S\0\0\0\4", 5);
            return owe(server, EXPECT_SYNC, true, 0);
        }
        server_send(server, frame->body - FRAME_HEADER_LEN, frame->total);
        return true;
    case FRONTEND_COPY_DATA: server_send(server, frame->body - FRAME_HEADER_LEN, frame->total); return true;
    case FRONTEND_COPY_DONE:
        session->request->copy_done = true;
        return send_raw(server, frame, EXPECT_COPY_END);
    case FRONTEND_COPY_FAIL: return send_raw(server, frame, EXPECT_COPY_END);
    case FRONTEND_TERMINATE:
    case FRONTEND_PASSWORD: break;
    }
    return false;
}

/* ---- the request ---- */

static bool send_all(struct session *session, struct server *server)
{
    struct request *request = session->request;
    size_t at = 0;
    if (request->own_need)
        return own_send(session, server);
    /* Ahead of all of it, but not of a Sync of our own (send_renamed): that would end the skipping. */
    bool renamed = request->kind == REQUEST_QUERY && special_prepared(session);
    if (!renamed && !begin_send(session, server))
        return false;
    request->parses_sent = request->closes_sent = 0;
    while (at < request->bytes.len) {
        struct frame frame;
        if (frame_parse(request->bytes.data + at, request->bytes.len - at, &frame) != FRAME_OK ||
            !frame.whole || !dispatch_message(session, server, &frame))
            return false;
        at += frame.total;
    }
    return true;
}

void session_pin(struct session *session, uint32_t pins)
{
    if (pins && !session->pins)
        count(&session->all->counters.pinned);
    session->pins |= pins;
}

void session_unpin(struct session *session, uint32_t pins)
{
    if (session->pins && !(session->pins & ~pins))
        count_down(&session->all->counters.pinned);
    session->pins &= ~pins;
}

void request_pin(struct session *session)
{
    session_pin(session, session->request->pins & ~(uint32_t)(PIN_ASKABLE | PIN_SEQUENCE));
}

/* What a RESET gives back is known when it is over: until then the client hears of no parameter. */
static void compare_parameters(struct session *session, const struct server *server)
{
    struct request *request = session->request;
    bool resets = request->flags & (STATEMENT_RESETS | STATEMENT_SETS_ANY);
    if (resets && !settings_is_empty(session_base(session)))
        request->compares = params_copy(&request->before, &server->params);
}

void request_arrives(struct session *session, struct server *server)
{
    if (session->request->sent)
        return;
    session->request->sent = true;
    session->request->sent_us = reactor_now_us(session->all->reactor);
    atomic_fetch_add_explicit(&server->node->outstanding, 1, memory_order_relaxed);
}

void request_leaves(struct session *session, struct server *server)
{
    if (!session->request->sent)
        return;
    session->request->sent = false;
    atomic_fetch_sub_explicit(&server->node->outstanding, 1, memory_order_relaxed);
}

void dispatch_request(struct session *session, struct server *server)
{
    struct request *request = session->request;
    route_unhold(session);
    if (server->state == SERVER_IDLE)
        server_link(server, &answer_events, session);
    bool begins = session->begin.state == BEGIN_OWED && !request->own_need;
    request->in_transaction = server->tx_status != 'I' || begins;
    request->withholds = request->complete && !request->stream && (!request->in_transaction || begins);
    if (request->kind == REQUEST_WELCOME) {
        welcome_on_server(session, server);
        return;
    }
    session_move(session, SESSION_ACTIVE);
    session_deadline(session, session->limits->query_timeout_ms);
    session->held_since_ms = 0;
    if (!request->in_transaction || begins)
        request->exclude = 0;
    request_arrives(session, server);
    request_pin(session);
    server->shutdown_warned = server->prefix_failed = false;
    prefix_settings(session, server);
    compare_parameters(session, server);
    if (!sequence_guard(session, server) || !send_all(session, server)) {
        session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "malformed request");
        return;
    }
    answer_local(server);
    if (session->state == SESSION_ACTIVE && request->stream)
        session_move(session, SESSION_STREAMING);
}
