/*
 * Where a request goes: the verdict, the node, the claim; and holding what has no node to go to.
 *
 * All well: a session that has a server stays on it; else the router chooses a node, the pool grants a
 * connection at once or later, and dispatch.c sends the request. Failure: no fit node holds the request
 * (bounded in number and time) until the topology changes; a node that cannot be reached is left out and
 * another chosen; what the node itself refuses (a wrong password) is tried elsewhere once and then told to
 * the client.
 */
#include "proxy/session/own_settings.h"
#include "proxy/session/session.h"
#include "proxy/session/transfer.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "router/target.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- holding ---- */

static const struct config_cluster *cluster_of(const struct session *session)
{
    return &session->all->pools.runtime->config->clusters[pool_cluster(session->pool)];
}

/* False when too many wait: then the request has failed. */
static bool may_wait(struct session *session, const char *why)
{
    const struct sessions *all = session->all;
    const struct config_cluster *cluster = cluster_of(session);
    uint32_t peers = all->pools.n_peers ? all->pools.n_peers : 1;
    uint32_t limit = cluster->hold_limit / peers;
    if (held_has_room(session, limit ? limit : 1, cluster->hold_bytes / peers))
        return true;
    held_failed(session);
    lost_fail_request(session, SQLSTATE_CANNOT_CONNECT_NOW, why, session->tx_status);
    return false;
}

static void wait_in_line(struct session *session, uint64_t at_most_ms)
{
    held_add(session);
    if (session->state != SESSION_HELD)
        count(&session->all->counters.held);
    session_move(session, SESSION_HELD);
    session_deadline(session, at_most_ms);
}

static void hold(struct session *session, const char *why)
{
    const struct config_cluster *cluster = cluster_of(session);
    uint64_t now = uv_now(session->all->reactor->loop);
    char text[ERROR_TEXT_MAX];
    if (session->request->kind == REQUEST_WELCOME && welcome_from_memory(session, true))
        return;
    if (!session->held_since_ms)
        session->held_since_ms = now ? now : 1;
    uint64_t held_ms = now - session->held_since_ms;
    snprintf(text, sizeof text, "%s", why);
    if (held_ms >= cluster->hold_timeout_ms) {
        held_failed(session);
        lost_fail_request(session, SQLSTATE_CANNOT_CONNECT_NOW, text, session->tx_status);
    } else if (may_wait(session, text))
        wait_in_line(session, cluster->hold_timeout_ms - held_ms);
}

/* What the administrator has paused waits as for a connection: that no node is there is not the reason. */
static void hold_paused(struct session *session)
{
    uint64_t limit = session->limits->query_wait_timeout_ms;
    uint64_t now = uv_now(session->all->reactor->loop);
    uint64_t waited = session->state == SESSION_HELD ? now - session->state_since_ms : 0;
    if (session->request->kind == REQUEST_WELCOME && welcome_from_memory(session, true))
        return;
    if (limit && waited >= limit)
        lost_fail_request(session, SQLSTATE_CANNOT_CONNECT_NOW, NULL, session->tx_status);
    else if (may_wait(session, "the database is paused by the administrator, and too many wait"))
        wait_in_line(session, limit ? limit - waited : 0);
}

/* ---- the verdict ---- */

/* No sure write: only names that are not known, or known to be special, keep it on the primary. */
static bool is_read_by_shape(const struct request *request)
{
    return request->class == STATEMENT_READ ||
           (request->class == STATEMENT_WRITE && request->statements == 1 && request->pins == 0 &&
               (request->reason == REASON_FUNCTION_UNKNOWN || request->reason == REASON_FUNCTION_SPECIAL ||
                   request->reason == REASON_RELATION_SPECIAL || request->reason == REASON_NO_CATALOGUE));
}

bool route_is_hinted_read(const struct session *session)
{
    return session->own.route == OWN_ROUTE_REPLICA && is_read_by_shape(session->request);
}

/* One that is sent as it is. */
static bool is_read_only_begin(const struct session *session)
{
    const struct request *request = session->request;
    const struct transaction_modes none = {ISOLATION_DEFAULT, SWITCH_DEFAULT, SWITCH_DEFAULT};
    return request->class == STATEMENT_TRANSACTION && request->statements == 1 &&
           (request->flags & STATEMENT_BEGIN_READ_ONLY) && begin_is_read_committed(session, &none);
}

/* May this request leave the primary, as far as its own contents tell? */
static bool may_read(struct session *session, enum reason *reason)
{
    struct request *request = session->request;
    *reason = request->reason;
    if (request->kind == REQUEST_WELCOME || request->kind == REQUEST_RELAY)
        return request->class == STATEMENT_READ;
    if (session->listener->route == ROUTE_ANY)
        return true; /* nothing is decided: any node will do */
    if (request->stream)
        return false;
    if (request->force_primary) {
        *reason = REASON_RETRY;
        return false;
    }
    if (session->pins) {
        *reason = REASON_PINNED;
        return false;
    }
    if (session->settings->serializable) { /* its default: a standby runs nothing then */
        *reason = REASON_SESSION;
        return false;
    }
    if (session->own.route == OWN_ROUTE_PRIMARY) {
        *reason = REASON_HINT_PRIMARY;
        return false;
    }
    bool begins = session->begin.state == BEGIN_OWED && !request->own_need;
    if (begins && !begin_leaves_primary(session)) {
        *reason = REASON_TRANSACTION;
        return false;
    }
    if (begins || is_read_only_begin(session)) {
        *reason = REASON_READ_ONLY_TRANSACTION;
        return !sessions_refused(session->all, request->shape) && !(begins && transfer_is_likely(session));
    }
    if (route_is_hinted_read(session)) {
        *reason = REASON_HINT_REPLICA;
        return true;
    }
    if (request->class != STATEMENT_READ)
        return false;
    if (sessions_refused(session->all, request->shape)) {
        *reason = REASON_REFUSED_BEFORE;
        return false;
    }
    return true;
}

static void ask_consistency(struct session *session, struct target_request *wanted)
{
    switch (own_consistency(session)) {
    case CONSISTENCY_SESSION:
        wanted->write_epoch = session->write_epoch;
        wanted->seen_epoch = session->seen_epoch;
        break;
    case CONSISTENCY_STRONG: wanted->want_read = false; break;
    case CONSISTENCY_EVENTUAL: break;
    }
    if (session->own.route == OWN_ROUTE_ANY)
        wanted->route = ROUTE_ANY;
}

static void ask_target(struct session *session, const struct topology *topology, bool read,
    uint64_t token_epoch, struct target_answer *answer)
{
    const struct config_cluster *cluster = cluster_of(session);
    struct target_request wanted = {
        .route = session->listener->route,
        .want_read = read,
        .sticky = session->sticky,
        .last = session->last_node,
        .last_incarnation = session->last_incarnation,
        .exclude = session->request->exclude,
        .fallback = cluster->fallback,
        .random = sessions_random(session->all),
        .max_lag_bytes = session->own.max_lag_bytes,
        .max_lag_ms = session->own.max_lag_ms,
    };
    if (read && session_is_split(session))
        ask_consistency(session, &wanted);
    if (token_epoch > wanted.write_epoch)
        wanted.write_epoch = token_epoch;
    if (session->request->own_need)
        wanted.route = ROUTE_PRIMARY;
    *answer = target_choose(topology, &wanted);
    if (answer->reason == REASON_CONSISTENCY)
        atomic_store_explicit(&topology->live->wanted_at_us, clock_now_us(), memory_order_relaxed);
}

static void stick_to(struct session *session, struct node_live *live)
{
    if (session->sticky == live)
        return;
    node_live_unref(session->sticky);
    session->sticky = node_live_ref(live);
}

static void record(struct session *session, enum reason verdict)
{
    session->request->verdict = verdict;
    count(&session->all->counters.verdicts[verdict]);
}

static void note_retriable(struct session *session, const struct topology_node *node)
{
    struct request *request = session->request;
    bool begins = session->begin.state == BEGIN_OWED && !request->own_need;
    request->retriable = request->complete && (request->class == STATEMENT_READ || begins) &&
                         node->role == ROLE_REPLICA &&
                         (request->kind == REQUEST_QUERY || request->kind == REQUEST_BATCH);
}

static void claim(struct session *session, const struct topology_node *node)
{
    const struct params *native =
        session->limits->pool == POOL_SESSION || session->request->kind == REQUEST_RELAY
            ? &session->startup->params
            : NULL;
    note_retriable(session, node);
    if (session->state != SESSION_WAITING) {
        session_move(session, SESSION_WAITING);
        uint64_t limit = session->limits->query_wait_timeout_ms;
        session_deadline(session, limit);
    }
    if (session->request->kind == REQUEST_RELAY) {
        relay_claim(session, node);
        return;
    }
    session->claim.writer = session->request->pins & PIN_SEQUENCE ? session->id : 0;
    if (pool_claim(session->pool, node, native, &session->claim))
        dispatch_request(session, session->claim.server);
}

static const char *no_node_reason(const struct topology *topology, bool read)
{
    if (!topology)
        return "no node has been probed yet";
    if (!read && topology->no_primary_reason)
        return topology->no_primary_reason;
    return read ? "no fit replica" : "there is no primary";
}

/* ---- two connections of one session: session pooling with split routing ---- */

static void move_claim(struct claim *from, struct claim *to)
{
    assert(!to->server && !to->queued && !from->queued);
    to->server = from->server;
    to->at = from->at;
    from->server = NULL;
    from->at = NULL;
    if (to->server)
        to->server->claim = to;
}

static struct claim *parked_new(struct session *session)
{
    struct claim *parked = calloc(1, sizeof *parked);
    if (parked) {
        parked->events = &route_parked_events;
        parked->user = session;
    }
    return parked;
}

/* Leaves the connection to another node aside and takes up the one to this node, if there is one. */
static void change_node(struct session *session, const struct node_live *live)
{
    struct claim other = {0};
    if (!session->claim.server && !session->parked)
        return;
    if (session->claim.server && session->claim.server->node == live)
        return;
    if (!session->parked && !(session->parked = parked_new(session)))
        return;
    move_claim(session->parked, &other);
    if (session->claim.server)
        move_claim(&session->claim, session->parked);
    if (!other.server)
        return;
    if (other.server->node == live) {
        move_claim(&other, &session->claim);
        return;
    }
    struct claim *spare = session->parked->server ? &session->claim : session->parked;
    move_claim(&other, spare);
    if (spare == &session->claim) { /* a third node: its connection goes back */
        session->claim.server->dirty = true;
        pool_release(&session->claim, false);
    }
}

static bool must_stay(const struct session *session)
{
    bool both = session->limits->pool == POOL_SESSION && session_is_split(session);
    bool open = session->tx_status != 'I' && session->begin.state != BEGIN_OWED;
    return session->claim.server && (open || session->pins || !both);
}

/* What begins anew on a primary that is being deposed waits for the next one, or for this one's return. */
static bool must_hold(const struct session *session, const struct server *server)
{
    const struct topology *topology = pool_topology(session->pool);
    int index = topology ? topology_find(topology, server->node) : -1;
    return server->tx_status == 'I' && index >= 0 && topology_is_leaving(topology, (size_t)index);
}

static void on_parked_lost(void *user, struct server *server, enum stream_end end, const struct error *error)
{
    (void)user; /* nothing runs there: the next request takes another */
    (void)server;
    (void)end;
    (void)error;
}

const struct claim_events route_parked_events = {.on_lost = on_parked_lost};

/* ---- routing ---- */

void route_request(struct session *session)
{
    held_remove(session);
    if (session->request->began_us == 0)
        session->request->began_us = reactor_now_us(session->all->reactor);
    if (session->lost != LOST_NONE && lost_answer(session))
        return;
    if (own_answer(session) || begin_answer(session))
        return;
    transfer_look(session);
    if (must_stay(session)) {
        struct error error;
        if (must_hold(session, session->claim.server)) {
            hold(session, no_node_reason(pool_topology(session->pool), false));
            return;
        }
        if (begin_forbids(session, &error))
            session->request->own_need = OWN_NEEDS_FAILURE;
        record(session, session->tx_status != 'I' ? REASON_IN_TRANSACTION
                        : session->pins           ? REASON_PINNED
                                                  : REASON_LISTENER);
        dispatch_request(session, session->claim.server);
        return;
    }
    if (pool_is_paused(session->pool)) {
        hold_paused(session);
        return;
    }
    struct topology *topology = pool_topology(session->pool);
    enum reason reason;
    bool read = may_read(session, &reason);
    uint64_t token_epoch;
    bool own = session->request->kind == REQUEST_WELCOME || session->request->kind == REQUEST_RELAY;
    if (!own_token_epoch(session, topology, &token_epoch) && !own) {
        hold(session, "rolecall.token is of a later timeline than the primary known here");
        return;
    }
    struct target_answer answer = {.node = -1, .wait = true};
    if (topology) {
        ask_target(session, topology, read, token_epoch, &answer);
        if (answer.node < 0 && session->request->exclude) { /* every other node was tried: begin again */
            session->request->exclude = 0;
            hold(session, no_node_reason(topology, read));
            return;
        }
    }
    if (answer.node < 0 && answer.wait) {
        hold(session, no_node_reason(topology, read));
        return;
    }
    if (answer.node < 0) {
        held_failed(session);
        lost_fail_request(session, SQLSTATE_CANNOT_CONNECT_NOW, no_node_reason(topology, read), 'I');
        return;
    }
    const struct topology_node *node = &topology->nodes[answer.node];
    bool chosen = read && answer.reason != REASON_READ;
    record(session, !session_is_split(session) ? REASON_LISTENER : chosen ? answer.reason : reason);
    if (node->role == ROLE_REPLICA)
        stick_to(session, node->live);
    session->incarnation = answer.incarnation;
    change_node(session, node->live);
    if (session->claim.server) {
        note_retriable(session, node);
        dispatch_request(session, session->claim.server);
        return;
    }
    claim(session, node);
}

/* ---- the claim's events ---- */

/* What was found of the node when it was chosen may not hold any more: it was started anew while the request
 * waited, or is about to be left. */
static bool chosen_anew(struct session *session, const struct server *server)
{
    uint32_t incarnation = atomic_load_explicit(&server->node->incarnation, memory_order_acquire);
    bool other = server->role == ROLE_REPLICA && incarnation != session->incarnation;
    if (!other && !must_hold(session, server))
        return false;
    pool_release(&session->claim, false);
    route_request(session);
    return true;
}

static void on_granted(void *user, struct server *server)
{
    if (!chosen_anew(user, server))
        dispatch_request(user, server);
}

static void exclude_node(struct session *session, const struct node_live *live)
{
    struct topology *topology = pool_topology(session->pool);
    int index = topology ? topology_find(topology, live) : -1;
    if (index >= 0)
        session->request->exclude |= (uint64_t)1 << index;
}

static void on_refused(void *user, enum refusal why, const struct error *error)
{
    struct session *session = user;
    struct request *request = session->request;
    if (why == REFUSED_CHANGED) {
        route_request(session);
        return;
    }
    if (session->claim.asked)
        exclude_node(session, session->claim.asked);
    if (why == REFUSED_BY_NODE && (request->class != STATEMENT_READ || request->reruns++ > 0)) {
        lost_fail_request(session, error->sqlstate, error->text, session->tx_status);
        return;
    }
    if (request->class == STATEMENT_READ)
        route_request(session);
    else
        hold(session, error->text);
}

static void on_lost(void *user, struct server *server, enum stream_end end, const struct error *error)
{
    lost_server(user, server, end, error);
}

const struct claim_events route_claim_events = {
    .on_granted = on_granted, .on_refused = on_refused, .on_lost = on_lost};

void route_retry_without(struct session *session, const struct node_live *live)
{
    exclude_node(session, live);
    route_request(session);
}
