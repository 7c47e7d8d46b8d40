/*
 * Sending a request to its server: settings first, then each message, with the session's statement names
 * turned into the server's (prepare.c); all of it in one write.
 *
 * A statement that the server does not hold is parsed there first (hidden); one that it holds already is
 * answered by rolecall (EXPECT_LOCAL). What goes out is entered into the server's account of what it owes.
 */
#include "proxy/session/changes.h"
#include "proxy/session/inquiry.h"
#include "proxy/session/prefix.h"
#include "proxy/session/prepare.h"
#include "proxy/session/sequence.h"
#include "proxy/session/stale.h"
#include "router/statement_names.h"

#include "proxy/server/answer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 512

static bool owe(struct server *server, enum expect_kind kind, bool hidden, uint64_t about)
{
    return expect_push(
        &server->expect, (struct expect){.kind = (uint8_t)kind, .hidden = hidden, .about = about});
}

static bool send_raw(struct server *server, const struct frame *frame, enum expect_kind kind, uint64_t about)
{
    server_send(server, frame->body - FRAME_HEADER_LEN, frame->total);
    return owe(server, kind, false, about);
}

/* ---- messages of the extended protocol ---- */

/* One whose text names others is sent as it is, for the node to look at; Bind sends it again under the names
   that they have there. */
static bool on_unnamed_parse(struct session *session, struct server *server, const struct frame *frame,
    const struct frontend_parse *parse)
{
    struct request *request = session->request;
    struct statement_name uses[STATEMENT_NAMES_MAX];
    const struct buffer *bytes = &request->bytes;
    request->unnamed_sent = true;
    request->unnamed_parse = slice_of(NULL, 0);
    if (request->names_statements && statement_names(parse->query, !session->escape_strings, uses) > 0) {
        bool collected = bytes->data && frame->body >= bytes->data && frame->body < bytes->data + bytes->len;
        request->unnamed_parse = collected ? slice_of(frame->body - FRAME_HEADER_LEN, frame->total)
                                           : slice_of(session->unnamed.data, session->unnamed.len);
    }
    server->statements.unnamed = session->unnamed_stamp;
    return send_raw(server, frame, EXPECT_PARSE, 0);
}

/* SQL may have given this name where the session could not carry it. */
static bool may_be_the_nodes(const struct session *session, struct slice name)
{
    return name.len > 0 && name.len < HEAD_MAX / 2 && inquiry_may_have_prepared(session);
}

static bool on_parse(struct session *session, struct server *server, const struct frame *frame)
{
    struct frontend_parse parse;
    if (!frontend_parse_parse(frame_body(frame), &parse))
        return false;
    uint32_t ordinal = session->request->sent_of[CAUSE_PARSE]++;
    if (parse.name.len == 0)
        return on_unnamed_parse(session, server, frame, &parse);
    const struct name_change *change = changes_nth(session->request, CAUSE_PARSE, ordinal);
    struct prepared *prepared =
        change && !change->duplicate ? change->prepared : changes_find(session, parse.name);
    if (!prepared)
        return false;
    if (change && change->duplicate) /* the node itself shall say 42P05, in its own transaction */
        return prepare_duplicate(server, &parse);
    if (may_be_the_nodes(session, parse.name))
        return prepare_parse_by_name(session, server, &parse, prepared);
    return prepare_parse(session, server, prepared);
}

/* The same as server_statement for the one without a name. */
static bool unnamed_statement(struct session *session, struct server *server, struct slice *name,
    char out[STATEMENT_NAME_MAX + 8], uint64_t *key)
{
    const struct prepared *prepared = session->unnamed_prepared;
    bool other = stale_is_other_unnamed(session);
    *key = other ? 0 : ABOUT_UNNAMED;
    if (!prepared && !other)
        return prepare_unnamed(session, server);
    if (other) /* what is there shall not be bound the next time either */
        server->statements.unnamed = STATEMENTS_UNNAMED_UNKNOWN;
    *name = slice_of(out, statement_name(other ? PREPARE_STALE_ID : prepared->id, out));
    return other || prepare_ensure(session, server, prepared);
}

/* The name that a statement's is on the server, where it is put in place; *key is the statement's. */
static bool server_statement(struct session *session, struct server *server, struct slice *name,
    char out[STATEMENT_NAME_MAX + 8], uint64_t *key)
{
    if (name->len == 0)
        return unnamed_statement(session, server, name, out, key);
    const struct prepared *prepared = changes_find(session, *name);
    *key = 0;
    if (!prepared) { /* the node itself shall say 26000 */
        *name = prepare_unknown(*name, out);
        return true;
    }
    if (prepared->names) {
        *name = slice_of("", 0);
        return prepare_renamed(session, server, prepared->query, prepared->n_types, prepared->types);
    }
    enum stale stale = stale_look(session, server, *name, prepared);
    *name = slice_of(out, statement_name(stale == STALE_TOLD ? PREPARE_STALE_ID : prepared->id, out));
    if (stale == STALE_TOLD)
        return true;
    *key = prepared->key;
    return (stale != STALE_HELD || prepare_forget(server, prepared)) &&
           prepare_ensure(session, server, prepared) &&
           (stale != STALE_UNSURE || prepare_describe(server, prepared));
}

bool dispatch_bind_head(
    struct session *session, struct server *server, const struct frontend_bind *bind, size_t rest)
{
    struct request *request = session->request;
    char name[STATEMENT_NAME_MAX + 8], head[HEAD_MAX];
    struct builder builder = builder_of(head, sizeof head);
    struct slice statement = bind->statement;
    request->executes_key = 0;
    if (!server_statement(session, server, &statement, name, &request->bound_key) ||
        !frontend_build_bind_head(&builder, bind, statement, rest))
        return false;
    request->bound_portal = names_hash(bind->portal);
    server_send(server, head, builder.len);
    return owe(server, EXPECT_BIND, false, request->bound_key);
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

static bool on_execute(struct session *session, struct server *server, const struct frame *frame)
{
    struct request *request = session->request;
    uint64_t key = request->executes_key;
    request->executes_key = 0;
    request->sent_of[CAUSE_EXECUTE]++;
    return send_raw(server, frame, EXPECT_EXECUTE, key);
}

static bool on_close(struct session *session, struct server *server, const struct frame *frame)
{
    struct frontend_target target;
    if (!frontend_parse_target(frame_body(frame), &target))
        return false;
    bool known = changes_find(session, target.name);
    session->request->sent_of[CAUSE_CLOSE]++;
    if (target.kind == 'S' && !known && may_be_the_nodes(session, target.name))
        return prepare_close_by_name(server, target.name);
    if (target.kind == 'S' && target.name.len > 0) /* others may share it: it stays on the server */
        return expect_push(
            &server->expect, (struct expect){.kind = EXPECT_LOCAL, .local = BACKEND_CLOSE_COMPLETE});
    if (target.kind == 'S')
        server->statements.unnamed = 0;
    return send_raw(server, frame, EXPECT_CLOSE, 0);
}

static bool on_describe(struct session *session, struct server *server, const struct frame *frame)
{
    const struct request *request = session->request;
    struct frontend_target target;
    char name[STATEMENT_NAME_MAX + 8], out[HEAD_MAX];
    struct builder builder = builder_of(out, sizeof out);
    uint64_t key;
    if (!frontend_parse_target(frame_body(frame), &target))
        return false;
    if (target.kind == 'P')
        return send_raw(server, frame, EXPECT_DESCRIBE,
            request->bound_portal == names_hash(target.name) ? request->bound_key : 0);
    if (!server_statement(session, server, &target.name, name, &key))
        return false;
    if (!frontend_build_target(&builder, FRONTEND_DESCRIBE, 'S', target.name)) /* a long, unknown name */
        return send_raw(server, frame, EXPECT_DESCRIBE, 0);
    server_send(server, out, builder.len);
    return owe(server, EXPECT_DESCRIBE, false, key);
}

static bool on_query(struct session *session, struct server *server, const struct frame *frame)
{
    struct slice query;
    server->statements.unnamed = 0;
    if (!session->request->names_statements || !frontend_parse_query(frame_body(frame), &query))
        return send_raw(server, frame, EXPECT_QUERY, 0);
    return prepare_query(session, server, query);
}

bool dispatch_message(struct session *session, struct server *server, const struct frame *frame)
{
    switch ((enum frontend_type)frame->type) {
    case FRONTEND_PARSE: return on_parse(session, server, frame);
    case FRONTEND_BIND: return on_bind(session, server, frame);
    case FRONTEND_DESCRIBE: return on_describe(session, server, frame);
    case FRONTEND_CLOSE: return on_close(session, server, frame);
    case FRONTEND_EXECUTE: return on_execute(session, server, frame);
    case FRONTEND_SYNC: return send_raw(server, frame, EXPECT_SYNC, 0);
    case FRONTEND_QUERY: return on_query(session, server, frame);
    case FRONTEND_FUNCTION_CALL: return send_raw(server, frame, EXPECT_QUERY, 0);
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
        return send_raw(server, frame, EXPECT_COPY_END, 0);
    case FRONTEND_COPY_FAIL: return send_raw(server, frame, EXPECT_COPY_END, 0);
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
    /* Ahead of all of it, but not of a Sync of our own (prepare_query): that would end the skipping. */
    bool renamed = request->kind == REQUEST_QUERY && request->names_statements;
    if (!renamed && !begin_send(session, server))
        return false;
    memset(request->sent_of, 0, sizeof request->sent_of);
    request->n_shifts = 0;
    request->unnamed_sent = false;
    request->unnamed_parse = slice_of(NULL, 0);
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
    uint32_t pins = session->request->pins & ~(uint32_t)(PIN_ASKABLE | PIN_SEQUENCE);
    session->request->pinned |= pins & ~session->pins;
    session_pin(session, pins);
}

/* What a RESET gives back is known when it is over: until then the client hears of no parameter. */
static void compare_parameters(struct session *session, const struct server *server)
{
    struct request *request = session->request;
    bool resets = request->flags & (STATEMENT_RESETS | STATEMENT_SETS_ANY);
    if (resets && !request->compares && !settings_is_empty(session_base(session)) &&
        params_copy(&request->before, &server->params))
        request->compares = COMPARE_WITH_SERVER;
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
    held_remove(session);
    if (server->state == SERVER_IDLE)
        server_link(server, &answer_events, session);
    bool begins = session->begin.state == BEGIN_OWED && !request->own_need;
    request->in_transaction = server->tx_status != 'I' || begins;
    request->withholds = request->complete && !request->stream;
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
    statements_begin(&server->statements);
    prefix_before_statements(session, server);
    dispatch_go_on(session, server);
}

static void out_of_memory(struct session *session)
{
    session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
}

void dispatch_go_on(struct session *session, struct server *server)
{
    struct request *request = session->request;
    bool fine;
    if (prepare_ahead(session, server, &fine))
        return;
    if (!fine) {
        out_of_memory(session);
        return;
    }
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
