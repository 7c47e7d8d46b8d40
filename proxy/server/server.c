/*
 * A connection to a node; see server.h. The parsing of answers is in answer.c, the login in login.c.
 *
 * All well: connect, TLS when asked for, login, connect_query, idle; then it is linked to a session,
 * exchanges run, and it is unlinked with nothing owed. Failure: on_end tells the owner what happened and the
 * owner closes; the user hears it from the owner, so that there is one way through the code.
 */
#include "proxy/server/server.h"

#include "proxy/server/answer.h"
#include "proxy/server/login.h"
#include "proxy/wire/frontend.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define RESET_TIMEOUT_MS 10000

const char *server_state_name(enum server_state state)
{
    static const char *const names[] = {"connecting", "asking_tls", "tls_handshake", "login", "setup", "idle",
        "active", "resetting", "raw", "closed"};
    return names[state];
}

bool server_address(const struct topology_node *node, struct sockaddr_storage *out, socklen_t *len)
{
    memset(out, 0, sizeof *out);
    if (node->host[0] == '/') {
        struct sockaddr_un *un = (struct sockaddr_un *)out;
        un->sun_family = AF_UNIX;
        int wrote = snprintf(un->sun_path, sizeof un->sun_path, "%s/.s.PGSQL.%u", node->host, node->port);
        *len = sizeof *un;
        return wrote > 0 && (size_t)wrote < sizeof un->sun_path;
    }
    if (!node->hostaddr)
        return false;
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    if (inet_pton(AF_INET, node->hostaddr, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(node->port);
        *len = sizeof *in;
        return true;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET6, node->hostaddr, &in6->sin6_addr) != 1)
        return false;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(node->port);
    *len = sizeof *in6;
    return true;
}

/* ---- the stream's events ---- */

static void fail(struct server *server, enum stream_end end, const struct error *error)
{
    if (server->state != SERVER_CLOSED)
        server->owner_events->on_end(server, end, error);
}

static void send_startup(struct server *server)
{
    login_send_startup(server);
    if (login_is_raw(server->login)) {
        login_free(server->login);
        server->login = NULL;
        server->state = SERVER_RAW;
        server->owner_events->on_ready(server);
    } else {
        server->state = SERVER_LOGIN;
    }
}

static void on_open(void *owner)
{
    struct server *server = owner;
    if (server->state == SERVER_CONNECTING && login_wants_tls(server->login)) {
        server->state = SERVER_ASKING;
        login_send_ssl_request(server);
        return;
    }
    assert(server->state == SERVER_CONNECTING || server->state == SERVER_HANDSHAKE);
    send_startup(server);
}

static void on_drained(void *owner)
{
    struct server *server = owner;
    if (server->user_events)
        server->user_events->on_drained(server->user, server);
}

static void on_stream_end(void *owner, enum stream_end end, const struct error *error)
{
    fail(owner, end, error);
}

static void became_idle(struct server *server)
{
    server->state = SERVER_IDLE;
    server->used_ms = uv_now(server->reactor->loop);
    server->deadline_ms = 0;
    login_free(server->login);
    server->login = NULL;
    server->owner_events->on_ready(server);
}

static size_t on_login_data(struct server *server, const char *bytes, size_t len)
{
    struct error error;
    if (server->state == SERVER_ASKING) {
        if (len > 1) { /* bytes before the handshake would be plain text pretending to be inside it */
            error_set(&error, SQLSTATE_PROTOCOL_VIOLATION, "unencrypted data after the answer to SSLRequest");
            fail(server, STREAM_END_TLS, &error);
        } else if (!login_on_ssl_answer(server, bytes[0], &error)) {
            fail(server, STREAM_END_TLS, &error);
        }
        return len;
    }
    struct frame frame;
    enum frame_result result = frame_parse(bytes, len, &frame);
    if (result == FRAME_MORE || (result == FRAME_OK && !frame.whole && frame.total < REACTOR_READ_BUFFER / 2))
        return 0;
    if (result == FRAME_BAD || !frame.whole) {
        error_set(&error, SQLSTATE_PROTOCOL_VIOLATION, "malformed message from the node during login");
        fail(server, STREAM_END_OTHER, &error);
        return len;
    }
    switch (login_on_message(server, &frame, &error)) {
    case LOGIN_MORE: break;
    case LOGIN_FAILED: fail(server, STREAM_END_OTHER, &error); return len;
    case LOGIN_READY:
        if (login_connect_query(server->login)) {
            server->state = SERVER_SETUP;
            server_inject_query(server, login_connect_query(server->login), INJECTED_PREFIX);
        } else {
            became_idle(server);
        }
        break;
    }
    return frame.total;
}

static size_t on_data(void *owner, const char *bytes, size_t len)
{
    struct server *server = owner;
    switch (server->state) {
    case SERVER_ASKING:
    case SERVER_LOGIN: return on_login_data(server, bytes, len);
    case SERVER_RAW:
        if (server->user_events)
            server->user_events->on_raw(server->user, server, bytes, len);
        return len;
    case SERVER_SETUP:
    case SERVER_IDLE:
    case SERVER_ACTIVE:
    case SERVER_RESETTING: return answer_parse(server, bytes, len);
    case SERVER_CONNECTING:
    case SERVER_HANDSHAKE:
    case SERVER_CLOSED: break;
    }
    return len;
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_open = on_open,
    .on_drained = on_drained,
    .on_end = on_stream_end,
};

/* ---- opening and closing ---- */

static void free_server(void *object)
{
    struct server *server = object;
    if (server->cancels > 0) {
        server->buried = true;
        return;
    }
    login_free(server->login);
    expect_fini(&server->expect);
    params_fini(&server->params);
    params_fini(&server->native);
    params_fini(&server->carried);
    statements_fini(&server->statements);
    node_live_unref(server->node);
    explicit_bzero(server->key, sizeof server->key);
    free(server);
}

struct server *server_open(struct reactor *reactor, const struct server_target *target,
    const struct server_owner_events *events, struct error *error)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server || !(server->login = login_new(target))) {
        error_set(error, SQLSTATE_OUT_OF_MEMORY, "the login to the node does not fit, or out of memory");
        goto fail;
    }
    if (!server_address(target->node, &server->address, &server->address_len)) {
        error_set(error, SQLSTATE_CANNOT_CONNECT_NOW, "the address of node %s is not known yet",
            target->node->name);
        goto fail;
    }
    server->reactor = reactor;
    server->owner_events = events;
    server->generation = target->node->generation;
    server->moves = target->node->moves;
    server->role = target->node->role;
    server->tx_status = 'I';
    if (target->settings && !params_copy(&server->native, target->settings))
        goto fail;
    if (!stream_connect(&server->stream, reactor, &stream_events, server, (struct sockaddr *)&server->address,
            server->address_len, target->high_water, error))
        goto fail;
    if (server->address.ss_family != AF_UNIX)
        stream_set_tcp(&server->stream, target->keepalive_ms, target->user_timeout_ms);
    server->stream.keeps_end = 1; /* an answer that is whole counts, although the node has gone since */
    server->node = node_live_ref(target->node->live);
    server->opened_ms = server->used_ms = uv_now(reactor->loop);
    server->deadline_ms = server->opened_ms + target->connect_timeout_ms + target->login_timeout_ms;
    return server;
fail:
    if (server) {
        login_free(server->login);
        params_fini(&server->native);
        free(server);
    }
    return NULL;
}

void server_note_transaction(struct server *server, char status)
{
    bool was_open = server->tx_status != 'I', is_open = status != 'I';
    server->tx_status = status;
    if (is_open && !was_open)
        atomic_fetch_add_explicit(&server->node->transactions, 1, memory_order_release);
    else if (was_open && !is_open)
        atomic_fetch_sub_explicit(&server->node->transactions, 1, memory_order_release);
}

void server_close(struct server *server)
{
    if (server->state == SERVER_CLOSED)
        return;
    if (server->state == SERVER_IDLE || server->state == SERVER_ACTIVE || server->state == SERVER_RESETTING)
        if (server->stream.out.len == 0)
            stream_write(&server->stream, "X\0\0\0\4", 5);
    server_note_transaction(server, 'I');
    server->state = SERVER_CLOSED;
    server->user_events = NULL;
    settings_replace(&server->applied, NULL);
    stream_close(&server->stream);
    reactor_bury(server->reactor, server, free_server);
}

void server_cancel_done(struct server *server)
{
    assert(server->cancels > 0);
    if (--server->cancels == 0 && server->buried)
        free_server(server);
}

/* ---- use ---- */

void server_link(struct server *server, const struct server_user_events *events, void *user)
{
    assert(server->state == SERVER_IDLE);
    server->state = SERVER_ACTIVE;
    server->user_events = events;
    server->user = user;
    server->prefix_failed = false;
}

void server_unlink(struct server *server)
{
    server->user_events = NULL;
    server->user = NULL;
    if (server->stream.held)
        stream_release(&server->stream);
    if (server->state == SERVER_ACTIVE)
        server->state = SERVER_IDLE;
    server->used_ms = uv_now(server->reactor->loop);
}

void server_send(struct server *server, const void *bytes, size_t len)
{
    stream_write(&server->stream, bytes, len);
}

bool server_inject_query(struct server *server, const char *query, enum injected injected)
{
    char head[8];
    size_t len = strlen(query) + 1;
    struct builder builder = builder_of(head, sizeof head);
    builder_begin(&builder, FRONTEND_QUERY);
    if (!builder_end_plus(&builder, len) ||
        !expect_push(
            &server->expect, (struct expect){.kind = EXPECT_QUERY, .hidden = true, .about = injected}))
        return false;
    stream_write(&server->stream, head, builder.len);
    stream_write(&server->stream, query, len);
    server->statements.unnamed = 0; /* a simple query drops the unnamed statement */
    return true;
}

bool server_inject_begin(struct server *server, const char *text)
{
    static const char rest[] = "B\0\0\0\14\0\0\0\0\0\0\0\0"
                               "E\0\0\0\11\0\0\0\0\0";
    static const enum expect_kind kinds[] = {EXPECT_PARSE, EXPECT_BIND, EXPECT_EXECUTE};
    static const char no_types[2] = {0};
    char head[8];
    size_t len = strlen(text) + 1;
    struct builder builder = builder_of(head, sizeof head);
    builder_begin(&builder, FRONTEND_PARSE);
    builder_u8(&builder, 0); /* unnamed */
    if (!builder_end_plus(&builder, len + sizeof no_types))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!expect_push(&server->expect, (struct expect){.kind = (uint8_t)kinds[i], .hidden = true}))
            return false;
    stream_write(&server->stream, head, builder.len);
    stream_write(&server->stream, text, len);
    stream_write(&server->stream, no_types, sizeof no_types);
    stream_write(&server->stream, rest, sizeof rest - 1);
    server->statements.unnamed = STATEMENTS_UNNAMED_UNKNOWN;
    return true;
}

void server_reset(struct server *server)
{
    assert(server->state == SERVER_IDLE && !server->user_events);
    server->state = SERVER_RESETTING;
    server->deadline_ms = uv_now(server->reactor->loop) + RESET_TIMEOUT_MS;
    bool sent = (server->tx_status == 'I' || server_inject_query(server, "ROLLBACK", INJECTED_PREFIX)) &&
                server_inject_query(server, "DISCARD ALL", INJECTED_PREFIX);
    statements_clear(&server->statements);
    settings_replace(&server->applied, NULL);
    server->dirty = false;
    server->writer = 0;
    if (!sent) {
        struct error error;
        error_set(&error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        fail(server, STREAM_END_OTHER, &error);
    }
}

/* ---- moving ---- */

bool server_is_movable(const struct server *server)
{
    const struct stream *stream = &server->stream;
    return server->state == SERVER_IDLE && !server->user_events && server->expect.count == 0 &&
           server->cancels == 0 && stream->state == STREAM_OPEN && stream->out.len == 0 && !stream->in &&
           !stream->in_data && server->passing == 0;
}

void server_detach(struct server *server)
{
    assert(server_is_movable(server));
    stream_detach(&server->stream);
    server->reactor = NULL;
    if (server->applied && !params_copy(&server->carried, &server->applied->params))
        server->dirty = true;
    settings_replace(&server->applied, NULL);
}

void server_attach(struct server *server, struct reactor *reactor, const struct server_owner_events *events)
{
    server->reactor = reactor;
    server->owner_events = events;
    stream_attach(&server->stream, reactor, &stream_events, server);
    server->used_ms = uv_now(reactor->loop);
}

void server_abandon(struct server *server)
{
    stream_abandon(&server->stream);
    free_server(server);
}
