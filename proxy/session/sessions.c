/*
 * The sessions of a worker; see sessions.h: accepting, messages from other threads, deadlines, catalogues.
 */
#include "proxy/session/session.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "proxy/session/cancel.h"
#include "proxy/session/inquiry.h"

#include <assert.h>
#include <stdlib.h>
#include <uthash.h>

struct known_catalogue {
    struct catalogue *catalogue; /* as last read; NULL: never */
    bool stale;                  /* DDL has gone through since */
    uint64_t asked_ms;
    uint64_t schema;      /* changes that are known of */
    uint64_t read;        /* serial of the schema that was read last; 0: none */
    bool reads_sequences; /* as the last one said */
    char cluster[MESSAGE_NAME_MAX], database[MESSAGE_NAME_MAX];
    UT_hash_handle hh;
    size_t key_len;
    char key[2 * MESSAGE_NAME_MAX];
};

bool sessions_open(
    struct sessions *sessions, struct reactor *reactor, uint32_t worker, struct runtime *runtime)
{
    sessions->reactor = reactor;
    sessions->earliest_ms = UINT64_MAX;
    sessions->stamp = ((uint64_t)worker << 48) + 1;
    sessions->ticket = 1;
    if (!cancel_random(&sessions->random, sizeof sessions->random))
        return false;
    sessions->random |= 1;
    if (!(sessions->no_request = calloc(1, sizeof *sessions->no_request)))
        return false;
    if (!pools_open(&sessions->pools, reactor, worker, runtime))
        return false;
    sessions->no_settings = settings_none(sessions->pools.settings);
    held_open(sessions);
    return true;
}

struct kept_limits {
    struct kept_limits *next;
    struct limits limits;
};

const struct limits *sessions_limits(struct sessions *sessions, const struct limits *limits)
{
    struct kept_limits *kept = sessions->limits;
    while (kept && memcmp(&kept->limits, limits, sizeof *limits) != 0)
        kept = kept->next;
    if (!kept) {
        kept = calloc(1, sizeof *kept);
        if (!kept)
            abort();
        memcpy(&kept->limits, limits, sizeof *limits);
        kept->next = sessions->limits;
        sessions->limits = kept;
    }
    return &kept->limits;
}

void sessions_refuse(struct sessions *sessions, uint64_t shape)
{
    if (shape)
        sessions->refused[shape % REFUSED_SHAPES] = shape;
}

bool sessions_refused(const struct sessions *sessions, uint64_t shape)
{
    return shape && sessions->refused[shape % REFUSED_SHAPES] == shape;
}

uint64_t sessions_random(struct sessions *sessions)
{
    uint64_t x = sessions->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return sessions->random = x;
}

void sessions_close(struct sessions *sessions)
{
    while (sessions->first)
        session_fatal(sessions->first, SQLSTATE_ADMIN_SHUTDOWN, "rolecall is shutting down");
    held_close(sessions);
    cancels_close(sessions);
    welcomes_clear(sessions);
    struct known_catalogue *known, *next;
    HASH_ITER(hh, sessions->catalogues, known, next)
    {
        HASH_DELETE(hh, sessions->catalogues, known);
        catalogue_unref(known->catalogue);
        free(known);
    }
    settings_replace(&sessions->no_settings, NULL);
    pools_close(&sessions->pools);
    while (sessions->spare_requests) {
        struct request *request = sessions->spare_requests;
        sessions->spare_requests = request->next_spare;
        free(request);
    }
    while (sessions->limits) {
        struct kept_limits *kept = sessions->limits;
        sessions->limits = kept->next;
        free(kept);
    }
    free(sessions->no_request);
    free(sessions->slots);
    buffer_spares_fini(&sessions->spares);
}

/* ---- accepting ---- */

static bool take_slot(struct sessions *sessions, struct session *session)
{
    uint32_t slot = sessions->free_slot;
    while (slot < sessions->n_slots && sessions->slots[slot])
        slot++;
    if (slot == sessions->n_slots) {
        uint32_t n = sessions->n_slots ? sessions->n_slots * 2 : 64;
        struct session **slots = n > CANCEL_SLOT_MAX ? NULL : realloc(sessions->slots, n * sizeof *slots);
        if (!slots)
            return false;
        memset(slots + sessions->n_slots, 0, (n - sessions->n_slots) * sizeof *slots);
        sessions->slots = slots;
        sessions->n_slots = n;
    }
    sessions->slots[slot] = session;
    sessions->free_slot = slot + 1;
    session->slot = slot;
    return true;
}

static void begin(struct session *session)
{
    const struct config *config = session->runtime->config;
    session_deadline(session, config->login_timeout_ms);
    if (session_listening(session)->tls)
        stream_sniff(&session->stream);
    if (session->listener->proxy_protocol)
        session->state = SESSION_PROXY_HEADER;
    if (session->peer.any.sa_family != AF_UNIX)
        stream_set_tcp(&session->stream, config->tcp_keepalive_ms, config->tcp_user_timeout_ms);
    if (*session->all->process_clients > config->max_clients)
        session_fatal(session, SQLSTATE_TOO_MANY_CONNECTIONS, "sorry, too many clients already");
}

void sessions_accept(struct sessions *sessions, struct message *message)
{
    count(&sessions->counters.taken);
    const struct config *old = message->connection.config;
    struct runtime *runtime = sessions->pools.runtime;
    int listener = runtime_listener(runtime, old->listeners[message->connection.listener].name);
    struct session *session = listener < 0 || sessions->draining ? NULL : session_new(sessions);
    if (!session)
        return; /* message_free closes the descriptor */
    if (!take_slot(sessions, session))
        goto fail;
    session->serial = ++sessions->serial;
    session->runtime = runtime_ref(runtime);
    session->listener = &runtime->config->listeners[listener];
    memcpy(&session->peer, &message->connection.peer, sizeof session->peer);
    if (!stream_accept(&session->stream, sessions->reactor, &session_stream_events, session,
            message->connection.fd, runtime->config->stream_buffer_bytes)) {
        sessions->slots[session->slot] = NULL;
        runtime_unref(session->runtime);
        goto fail;
    }
    message->connection.fd = -1;
    session->next = sessions->first;
    if (sessions->first)
        sessions->first->prev = session;
    sessions->first = session;
    count(&sessions->counters.clients);
    (*sessions->process_clients)++;
    begin(session);
    return;
fail:
    free(session);
}

/* ---- messages ---- */

/* Says back that it is acted by, and who cannot be held. */
static void hear(struct sessions *sessions, struct topology *topology)
{
    struct topology_echo *echo = &topology->echo;
    for (const struct session *session = sessions->first; session; session = session->next) {
        const struct server *server = session->relay ? session->relay : session->claim.server;
        int node = server ? topology_find(topology, server->node) : -1;
        if (node < 0 || !topology_is_leaving(topology, (size_t)node))
            continue;
        if (session->relay)
            atomic_fetch_add_explicit(&echo->relays, 1, memory_order_relaxed);
        else if (session->pins)
            atomic_fetch_add_explicit(&echo->pinned, 1, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&echo->heard, 1, memory_order_release);
}

void sessions_on_topology(struct sessions *sessions, struct topology *topology)
{
    topology_ref(topology); /* it may be of no cluster that is known here */
    pools_set_topology(&sessions->pools, topology);
    for (struct session *session = sessions->first, *next; session; session = next) {
        next = session->next;
        if (session->state == SESSION_RELAY)
            relay_review(session);
    }
    held_try(sessions);
    hear(sessions, topology);
    topology_unref(topology);
}

void sessions_on_runtime(struct sessions *sessions, struct runtime *runtime)
{
    welcomes_clear(sessions);
    pools_set_runtime(&sessions->pools, runtime);
}

void sessions_on_secret(struct sessions *sessions, struct message *message)
{
    for (struct session *session = sessions->first; session; session = session->next)
        if (session->state == SESSION_SECRET && auth_ticket(session->auth) == message->secret_reply.ticket) {
            authenticate_on_secret(session, message);
            return;
        }
}

void sessions_drain(struct sessions *sessions)
{
    sessions->draining = true;
    for (struct session *session = sessions->first, *next; session; session = next) {
        next = session->next;
        if (session->state == SESSION_RELAY || session->state == SESSION_CONSOLE)
            continue;
        if (session->state < SESSION_IDLE || (session->state == SESSION_IDLE && session->tx_status == 'I' &&
                                                 session->request->kind == REQUEST_NONE))
            session_fatal(session, SQLSTATE_ADMIN_SHUTDOWN, "rolecall is shutting down");
    }
}

bool sessions_are_over(const struct sessions *sessions)
{
    return sessions->draining &&
           atomic_load_explicit(&sessions->counters.clients, memory_order_relaxed) == sessions->consoles;
}

/* ---- time ---- */

static void late(struct session *session)
{
    session->deadline_ms = 0;
    switch (session->state) {
    case SESSION_PROXY_HEADER:
    case SESSION_STARTUP:
    case SESSION_TLS:
    case SESSION_SECRET:
    case SESSION_AUTH:
    case SESSION_CONSOLE: /* not greeted yet */
        session_fatal(session, SQLSTATE_ADMIN_SHUTDOWN, "login_timeout: the login took too long");
        return;
    case SESSION_IDLE:
        if (session->tx_status != 'I')
            session_fatal(session, SQLSTATE_IDLE_IN_TRANSACTION, "idle_transaction_timeout");
        else
            session_fatal(session, SQLSTATE_IDLE_SESSION_TIMEOUT, "client_idle_timeout");
        return;
    case SESSION_HELD: held_failed(session); /* fall through */
    case SESSION_WAITING:
        lost_fail_request(session,
            session->state == SESSION_HELD ? SQLSTATE_CANNOT_CONNECT_NOW : SQLSTATE_LIMIT_EXCEEDED, NULL,
            session->tx_status);
        return;
    case SESSION_ACTIVE:
    case SESSION_STREAMING:
    case SESSION_COPY_IN:
        cancel_running(session); /* the node would go on otherwise */
        session_fatal(session, SQLSTATE_QUERY_CANCELED, "query_timeout");
        return;
    case SESSION_RELAY:
    case SESSION_CLOSED: return;
    }
}

void sessions_tick(struct sessions *sessions)
{
    uint64_t now = uv_now(sessions->reactor->loop);
    pools_tick(&sessions->pools);
    cancels_tick(sessions);
    held_try(sessions);
    if (now < sessions->earliest_ms)
        return;
    sessions->earliest_ms = UINT64_MAX; /* session_deadline lowers it for those set meanwhile */
    for (struct session *session = sessions->first, *next; session; session = next) {
        next = session->next;
        if (session->deadline_ms && session->deadline_ms <= now)
            late(session);
        else if (session->deadline_ms && session->deadline_ms < sessions->earliest_ms)
            sessions->earliest_ms = session->deadline_ms;
    }
}

/* ---- catalogues ---- */

static struct known_catalogue *known_catalogue(
    struct sessions *sessions, const char *cluster, const char *database)
{
    char key[2 * MESSAGE_NAME_MAX];
    int len = snprintf(key, sizeof key, "%s/%s", cluster, database);
    size_t key_len = (size_t)len < sizeof key ? (size_t)len : sizeof key - 1;
    struct known_catalogue *known;
    HASH_FIND(hh, sessions->catalogues, key, key_len, known);
    if (known)
        return known;
    known = calloc(1, sizeof *known);
    if (!known)
        abort();
    memcpy(known->key, key, key_len);
    snprintf(known->cluster, sizeof known->cluster, "%s", cluster);
    snprintf(known->database, sizeof known->database, "%s", database);
    known->key_len = key_len;
    HASH_ADD_KEYPTR(hh, sessions->catalogues, known->key, key_len, known);
    return known;
}

static struct message *request_for(const char *cluster, const char *database, bool changed)
{
    struct message *message = message_new(MESSAGE_CATALOGUE_REQUEST);
    snprintf(message->catalogue_request.cluster, sizeof message->catalogue_request.cluster, "%s", cluster);
    snprintf(message->catalogue_request.database, sizeof message->catalogue_request.database, "%s", database);
    message->catalogue_request.changed = changed;
    return message;
}

static void ask(struct sessions *sessions, struct known_catalogue *known, const char *cluster,
    const char *database, bool changed)
{
    known->asked_ms = uv_now(sessions->reactor->loop);
    if (sessions->control)
        mailbox_post(sessions->control, &request_for(cluster, database, changed)->letter);
}

#define ASK_AGAIN_MS 1000
#define ASK_REFRESH_MS 30000

struct known_catalogue *sessions_know(struct sessions *sessions, size_t cluster, const char *database)
{
    return known_catalogue(sessions, sessions->pools.runtime->config->clusters[cluster].name, database);
}

const struct catalogue *sessions_catalogue(struct sessions *sessions, struct known_catalogue *known)
{
    uint64_t now = uv_now(sessions->reactor->loop);
    bool right = known->catalogue && !known->stale;
    if (now - known->asked_ms > (right ? ASK_REFRESH_MS : ASK_AGAIN_MS) || known->asked_ms == 0)
        ask(sessions, known, known->cluster, known->database, false);
    return right ? known->catalogue : NULL;
}

const struct catalogue *sessions_last_catalogue(const struct known_catalogue *known)
{
    return known->catalogue;
}

static void forget(struct sessions *sessions, struct known_catalogue *known)
{
    known->stale = true;
    known->schema++;
    sessions->catalogue_serial++;
}

/* The other workers hear of it before the client that did it does. */
static void tell_peers(struct sessions *sessions, const char *cluster, const char *database)
{
    const struct pools *pools = &sessions->pools;
    for (uint32_t i = 0; i < pools->n_peers; i++)
        if (i != pools->worker)
            mailbox_post(pools->peers[i], &request_for(cluster, database, true)->letter);
}

void sessions_on_catalogue_changed(struct sessions *sessions, const struct message *message)
{
    forget(sessions,
        known_catalogue(sessions, message->catalogue_request.cluster, message->catalogue_request.database));
}

bool sessions_reads_sequences(const struct known_catalogue *known)
{
    return known && known->reads_sequences;
}

uint64_t sessions_schema(const struct known_catalogue *known)
{
    return known ? known->schema + 1 : 1;
}

bool sessions_has_read(const struct known_catalogue *known, uint64_t schema)
{
    return known->read >= schema;
}

void sessions_catalogue_changed(struct sessions *sessions, size_t cluster, const char *database)
{
    const char *name = sessions->pools.runtime->config->clusters[cluster].name;
    struct known_catalogue *known = known_catalogue(sessions, name, database);
    forget(sessions, known);
    tell_peers(sessions, name, database);
    ask(sessions, known, name, database, true);
}

void sessions_on_catalogue(struct sessions *sessions, struct catalogue *catalogue)
{
    struct known_catalogue *known =
        known_catalogue(sessions, catalogue_cluster(catalogue), catalogue_database(catalogue));
    catalogue_unref(known->catalogue);
    known->catalogue = catalogue;
    known->stale = false;
    known->read = sessions_schema(known);
    known->reads_sequences = catalogue_reads_sequences(catalogue);
    sessions->catalogue_serial++;
    for (struct session *session = sessions->first; session; session = session->next)
        if (session->known == known)
            inquiry_on_catalogue(session);
}
