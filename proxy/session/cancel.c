/*
 * Cancel requests; see cancel.h.
 *
 * All well: the key names a worker and a slot, the secret fits the session there; a waiting or held request
 * is answered 57014 by rolecall itself, a running one is cancelled over a connection of its own to the node
 * (with TLS when the server's has it), and the server stays reserved until the node has closed that
 * connection. Keys of passthrough relays are the node's own: they are looked for in all workers. Failure: a
 * key that fits nothing is ignored, as PostgreSQL does, and counted: past a number in a second further
 * requests are not looked at.
 */
#include "proxy/session/cancel.h"

#include "conf/base/log.h"
#include "proxy/session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANCEL_TIMEOUT_MS 5000
#define FAILURES_A_SECOND 20

struct cancel_request {
    struct cancel_request *prev, *next;
    struct sessions *all;
    struct stream stream;
    struct server *server; /* kept alive by its count of cancels */
    bool asking;           /* SSLRequest was sent */
    struct tls_context *tls;
    char host[256];
    uint64_t deadline_ms;
};

static void free_request(void *object)
{
    struct cancel_request *request = object;
    tls_context_unref(request->tls);
    free(request);
}

static void finish(struct cancel_request *request)
{
    struct sessions *all = request->all;
    if (request->prev)
        request->prev->next = request->next;
    else
        all->cancels = request->next;
    if (request->next)
        request->next->prev = request->prev;
    stream_close(&request->stream);
    reactor_bury(all->reactor, request, free_request);
    pool_cancel_done(request->server);
}

static void send_cancel(struct cancel_request *request)
{
    char out[300];
    struct builder builder = builder_of(out, sizeof out);
    const struct server *server = request->server;
    if (startup_build_cancel(&builder, server->key_pid, slice_of((const char *)server->key, server->key_len)))
        stream_write(&request->stream, out, builder.len);
    explicit_bzero(out, sizeof out);
}

static void on_open(void *owner)
{
    struct cancel_request *request = owner;
    char out[16];
    struct builder builder = builder_of(out, sizeof out);
    if (request->tls && !request->asking && startup_build_ssl_request(&builder)) {
        request->asking = true;
        stream_write(&request->stream, out, builder.len);
        return;
    }
    send_cancel(request);
}

static size_t on_data(void *owner, const char *bytes, size_t len)
{
    struct cancel_request *request = owner;
    if (request->asking && !request->stream.tls && len == 1 && bytes[0] == 'S' &&
        stream_start_tls(&request->stream, request->tls, false, request->host))
        return len;
    finish(request);
    return len;
}

static void on_drained(void *owner)
{
    (void)owner;
}

static void on_end(void *owner, enum stream_end end, const struct error *error)
{
    (void)end;
    (void)error;
    finish(owner);
}

static const struct stream_events cancel_events = {
    .on_data = on_data, .on_open = on_open, .on_drained = on_drained, .on_end = on_end};

static void cancel_server(struct session *session, struct server *server)
{
    struct sessions *all = session->all;
    struct cancel_request *request = calloc(1, sizeof *request);
    if (!request || server->key_len == 0 ||
        !stream_connect(&request->stream, all->reactor, &cancel_events, request,
            (struct sockaddr *)&server->address, server->address_len, 1024, NULL)) {
        free(request);
        return;
    }
    const struct topology *topology = pool_topology(session->pool);
    int index = topology ? topology_find(topology, server->node) : -1;
    snprintf(request->host, sizeof request->host, "%s", index < 0 ? "" : topology->nodes[index].host);
    if (server->stream.tls)
        request->tls = tls_context_ref(all->pools.runtime->cluster_tls[pool_cluster(session->pool)]);
    request->all = all;
    request->server = server;
    request->deadline_ms = uv_now(all->reactor->loop) + CANCEL_TIMEOUT_MS;
    request->next = all->cancels;
    if (all->cancels)
        all->cancels->prev = request;
    all->cancels = request;
    server->cancels++;
}

void cancels_tick(struct sessions *sessions)
{
    uint64_t now = uv_now(sessions->reactor->loop);
    for (struct cancel_request *request = sessions->cancels, *next; request; request = next) {
        next = request->next;
        if (now > request->deadline_ms)
            finish(request);
    }
}

void cancels_close(struct sessions *sessions)
{
    while (sessions->cancels)
        finish(sessions->cancels);
}

/* ---- finding the session ---- */

void cancel_running(struct session *session)
{
    if (session->claim.server && session->request->sent)
        cancel_server(session, session->claim.server);
}

static void cancel_session(struct session *session)
{
    switch (session->state) {
    case SESSION_HELD:
    case SESSION_WAITING:
        lost_fail_request(
            session, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request", session->tx_status);
        return;
    case SESSION_ACTIVE:
    case SESSION_STREAMING:
    case SESSION_COPY_IN:
        session->cancelled = true;
        cancel_running(session);
        return;
    case SESSION_RELAY:
        if (session->relay)
            cancel_server(session, session->relay);
        return;
    case SESSION_CONSOLE: console_cancel(session); return;
    case SESSION_PROXY_HEADER:
    case SESSION_STARTUP:
    case SESSION_TLS:
    case SESSION_SECRET:
    case SESSION_AUTH:
    case SESSION_IDLE:
    case SESSION_CLOSED: return;
    }
}

static bool too_many_failures(struct sessions *all)
{
    uint64_t now = uv_now(all->reactor->loop);
    if (now - all->cancel_failures_ms > 1000) {
        all->cancel_failures_ms = now;
        all->cancel_failures = 0;
    }
    return all->cancel_failures >= FAILURES_A_SECOND;
}

static void by_slot(struct sessions *all, uint32_t slot, struct slice secret)
{
    struct session *session = slot < all->n_slots ? all->slots[slot] : NULL;
    if (session && session->key.secret_len && cancel_key_equal(&session->key, secret))
        cancel_session(session);
    else
        all->cancel_failures++;
}

/* A key that the node itself gave to the client of a passthrough relay. */
static void by_node_key(struct sessions *all, uint32_t pid, struct slice secret)
{
    for (struct session *session = all->first; session; session = session->next) {
        const struct server *server = session->relay;
        if (server && server->key_pid == pid && server->key_len == secret.len &&
            secret_equal_bytes(server->key, secret.data, secret.len)) {
            cancel_session(session);
            return;
        }
    }
}

static struct message *letter_of(uint32_t slot, uint32_t pid, bool foreign, struct slice secret)
{
    struct message *message = message_new(MESSAGE_CANCEL);
    message->cancel.slot = slot;
    message->cancel.pid = pid;
    message->cancel.foreign = foreign;
    message->cancel.secret_len = secret.len;
    memcpy(message->cancel.secret, secret.data, secret.len);
    return message;
}

void cancel_from_client(struct session *session, uint32_t pid, struct slice secret)
{
    struct sessions *all = session->all;
    struct cancel_address address;
    uint32_t self = all->pools.worker;
    if (secret.len > CANCEL_WIDE_SECRET || too_many_failures(all))
        return;
    bool ours = cancel_key_parse(&session->runtime->issuer, pid, secret, &address) &&
                address.worker < all->pools.n_peers &&
                (!address.process_known || address.process == session->runtime->issuer.process);
    if (ours && address.worker == self)
        by_slot(all, address.slot, secret);
    else if (ours)
        mailbox_post(all->pools.peers[address.worker], &letter_of(address.slot, pid, false, secret)->letter);
    if (session->listener->auth != AUTH_PASSTHROUGH)
        return;
    by_node_key(all, pid, secret);
    for (uint32_t i = 0; i < all->pools.n_peers; i++)
        if (i != self)
            mailbox_post(all->pools.peers[i], &letter_of(0, pid, true, secret)->letter);
}

void sessions_on_cancel(struct sessions *sessions, struct message *message)
{
    struct slice secret = slice_of((const char *)message->cancel.secret, message->cancel.secret_len);
    if (message->cancel.foreign)
        by_node_key(sessions, message->cancel.pid, secret);
    else if (!too_many_failures(sessions))
        by_slot(sessions, message->cancel.slot, secret);
}
