/*
 * Where a request goes: the node that decide.c names, the claim; and holding what has no node to go to.
 *
 * All well: a session that has a server stays on it; else a node is chosen, the pool grants a
 * connection at once or later, and dispatch.c sends the request. Failure: no fit node holds the request
 * (bounded in number and time) until the topology changes; a node that cannot be reached is left out and
 * another chosen; what the node itself refuses (a wrong password) is tried elsewhere once and then told to
 * the client.
 */
#include "proxy/session/decide.h"
#include "proxy/session/own_settings.h"
#include "proxy/session/session.h"
#include "proxy/session/transfer.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- holding ---- */

/* False when too many wait: then the request has failed. */
static bool may_wait(struct session *session, const char *why)
{
    const struct sessions *all = session->all;
    const struct config_cluster *cluster = session_cluster(session);
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

/* Without a primary, and without anything remembered, a session with split routing is greeted from a replica,
 * whose parameters are the primary's but for those that write_parameters (welcome.c) puts right. */
static bool greet_from_replica(struct session *session)
{
    struct request *request = session->request;
    bool possible = session_is_split(session) && request->class == STATEMENT_WRITE;
    if (request->kind != REQUEST_WELCOME || !possible)
        return false;
    request->class = STATEMENT_READ;
    route_request(session);
    return true;
}

static void hold(struct session *session, const char *why)
{
    const struct config_cluster *cluster = session_cluster(session);
    uint64_t now = uv_now(session->all->reactor->loop);
    char text[ERROR_TEXT_MAX];
    if (session->request->kind == REQUEST_WELCOME && welcome_from_memory(session, true))
        return;
    if (greet_from_replica(session))
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

/* ---- sending ---- */

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

static void on_parked_lost(void *user, struct server *server, enum stream_end end, const struct error *error)
{
    (void)user; /* nothing runs there: the next request takes another */
    (void)server;
    (void)end;
    (void)error;
}

const struct claim_events route_parked_events = {.on_lost = on_parked_lost};

/* ---- routing ---- */

/* On the server that the session has. */
static void stay(struct session *session, const struct decision *decision)
{
    struct error error;
    if (begin_forbids(session, &error))
        session->request->own_need = OWN_NEEDS_FAILURE;
    record(session, decision->verdict);
    dispatch_request(session, session->claim.server);
}

static void go(struct session *session, const struct decision *decision)
{
    const struct topology_node *node = decision->node;
    record(session, decision->verdict);
    if (node->role == ROLE_REPLICA)
        stick_to(session, node->live);
    session->incarnation = decision->incarnation;
    change_node(session, node->live);
    if (session->claim.server) {
        note_retriable(session, node);
        dispatch_request(session, session->claim.server);
        return;
    }
    claim(session, node);
}

void route_request(struct session *session)
{
    struct decision decision;
    struct topology *topology;
    held_remove(session);
    if (session->request->began_us == 0)
        session->request->began_us = reactor_now_us(session->all->reactor);
    if (session->lost != LOST_NONE && lost_answer(session))
        return;
    if (own_answer(session) || begin_answer(session))
        return;
    transfer_look(session);
    decide(session, &decision);
    if (decision.choice == REASON_CONSISTENCY && (topology = pool_topology(session->pool)))
        atomic_store_explicit(&topology->live->wanted_at_us, clock_now_us(), memory_order_relaxed);
    switch (decision.kind) {
    case DECISION_STAY: stay(session, &decision); return;
    case DECISION_NODE: go(session, &decision); return;
    case DECISION_PAUSE: hold_paused(session); return;
    case DECISION_HOLD:
        session->request->exclude = 0; /* were all others tried, they are again */
        hold(session, decision.why);
        return;
    case DECISION_REFUSE:
        held_failed(session);
        lost_fail_request(session, SQLSTATE_CANNOT_CONNECT_NOW, decision.why, 'I');
        return;
    }
}

/* ---- the claim's events ---- */

/* What was found of the node when it was chosen may not hold any more: it was started anew while the request
 * waited, or is about to be left. */
static bool chosen_anew(struct session *session, const struct server *server)
{
    uint32_t incarnation = atomic_load_explicit(&server->node->incarnation, memory_order_acquire);
    bool other = server->role == ROLE_REPLICA && incarnation != session->incarnation;
    if (!other && !decide_must_hold(session, server))
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
    if (why == REFUSED_BY_NODE && (request->class != STATEMENT_READ || request->refusals++ > 0)) {
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
