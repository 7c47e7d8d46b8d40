/*
 * Giving connections to claims and taking them back; see pool.h.
 *
 * All well: a claim takes the connection that was used last. Else it queues, and a connection is opened when
 * the process-wide limits allow; else other workers are asked. A connection that comes back is reset when it
 * may carry somebody's state, then goes to the oldest claim, here or elsewhere. Failure: a connection that
 * cannot be opened refuses the claims that wait for it, saying whether the node itself said no or could not
 * be reached; the next attempt waits a little longer each time.
 */
#include "proxy/pool/node.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_MS 20
#define RETRY_MAX_MS 1000

/* ---- places ---- */

void place_server(struct server *server, struct pool_node *at, enum place place)
{
    struct pool_node *from = server->pool;
    if (from && server->placed >= 0) {
        struct server_list *list = &from->places[server->placed];
        if (server->prev)
            server->prev->next = server->next;
        else
            list->first = server->next;
        if (server->next)
            server->next->prev = server->prev;
        list->count--;
    }
    server->prev = server->next = NULL;
    server->pool = place == PLACE_NOWHERE ? NULL : at;
    server->placed = place == PLACE_NOWHERE ? -1 : (int)place;
    if (place == PLACE_NOWHERE)
        return;
    struct server_list *list = &at->places[place];
    server->next = list->first;
    if (list->first)
        list->first->prev = server;
    list->first = server;
    list->count++;
}

const struct topology_node *pool_node_entry(const struct pool_node *at)
{
    const struct topology *topology = pool_topology(at->pool);
    int index = topology ? topology_find(topology, at->live) : -1;
    return index < 0 ? NULL : &topology->nodes[index];
}

struct pool_node *pool_node_of(struct pool *pool, struct node_live *live)
{
    for (struct pool_node *at = pool->nodes; at; at = at->next)
        if (at->live == live)
            return at;
    struct pool_node *at = calloc(1, sizeof *at);
    if (!at)
        abort();
    const char *cluster = pool->pools->runtime->config->clusters[pool->cluster].name;
    *at = (struct pool_node){.pool = pool, .live = node_live_ref(live), .remote = -1, .next = pool->nodes};
    at->ledger = ledger_find(cluster, pool->database, pool->user, live);
    at->meter = meter_share(cluster, pool->database, pool->user, live->name, pool->pools->worker);
    pool->nodes = at;
    return at;
}

/* ---- the queue ---- */

static void enqueue(struct pool_node *at, struct claim *claim)
{
    claim->at = at;
    claim->queued = true;
    claim->next = NULL;
    claim->prev = at->last_claim;
    if (at->last_claim)
        at->last_claim->next = claim;
    else
        at->first_claim = claim;
    at->last_claim = claim;
    at->n_claims++;
    ledger_waiting(at->ledger, 1);
}

void pool_unclaim(struct claim *claim)
{
    if (!claim->queued)
        return;
    struct pool_node *at = claim->at;
    if (claim->prev)
        claim->prev->next = claim->next;
    else
        at->first_claim = claim->next;
    if (claim->next)
        claim->next->prev = claim->prev;
    else
        at->last_claim = claim->prev;
    claim->prev = claim->next = NULL;
    claim->queued = false;
    claim->at = NULL;
    at->n_claims--;
    ledger_waiting(at->ledger, -1);
}

void pool_refuse_all(struct pool_node *at, enum refusal why, const struct error *error)
{
    struct claim *last = at->last_claim; /* a refused claim may queue again: only those that wait now */
    while (at->first_claim) {
        struct claim *claim = at->first_claim;
        bool done = claim == last;
        pool_unclaim(claim);
        claim->events->on_refused(claim->user, why, error);
        if (done)
            break;
    }
}

/* ---- opening ---- */

static bool is_native(const struct server *server, const struct params *native)
{
    static const struct params none;
    return params_equal(&server->native, native ? native : &none);
}

static void open_failed(struct pool_node *at, bool said_no, const struct error *error)
{
    uint64_t wait = RETRY_FIRST_MS << (at->failures < 6 ? at->failures : 6);
    at->failures++;
    at->retry_ms = pools_now(at->pool->pools) + (wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
    bool full = strcmp(error->sqlstate, SQLSTATE_TOO_MANY_CONNECTIONS) == 0;
    if (!full || ledger_connections(at->ledger) == 0) /* else a connection in use will come back */
        pool_refuse_all(at, said_no ? REFUSED_BY_NODE : REFUSED_NO_NODE, error);
}

static bool open_one(struct pool_node *at, const struct topology_node *node, const struct params *native)
{
    struct pool *pool = at->pool;
    struct pools *pools = pool->pools;
    const struct config *config = pools->runtime->config;
    const struct config_cluster *cluster = &config->clusters[pool->cluster];
    struct error error = {.sqlstate = SQLSTATE_CONNECTION_FAILURE};
    struct server_target target = {
        .node = node,
        .tls = pools->runtime->cluster_tls[pool->cluster],
        .tls_required = cluster->tls.mode > TLS_ALLOW,
        .user = pool->user,
        .database = pool->database,
        .settings = native,
        .secret = &pool->secret,
        .cached_keys = &pool->derived,
        .connect_query = pool->connect_query,
        .connect_timeout_ms = cluster->server_connect_timeout_ms,
        .login_timeout_ms = cluster->server_login_timeout_ms,
        .keepalive_ms = config->tcp_keepalive_ms,
        .user_timeout_ms = config->tcp_user_timeout_ms,
        .high_water = config->stream_buffer_bytes,
    };
    struct server *server = server_open(pools->reactor, &target, &pool_server_events, &error);
    if (!server) {
        ledger_release(at->ledger);
        pools_hint(pools, at->live, node->generation, HINT_REFUSED);
        open_failed(at, false, &error);
        return false;
    }
    server->ledger = ledger_ref(at->ledger);
    server->placed = -1;
    server->opening_us = reactor_now_us(pools->reactor);
    place_server(server, at, PLACE_OPENING);
    pools->opened++;
    return true;
}

/* Closes an idle connection that nobody waits for: of this pool when it has other startup settings, or of any
   other pool to the same node. */
static bool make_room(struct pool_node *at, enum ledger_room full, const struct params *native)
{
    if (full == LEDGER_POOL_FULL) {
        for (struct server *server = at->places[PLACE_IDLE].first; server; server = server->next)
            if (!is_native(server, native)) {
                pool_drop_server(server, STREAM_END_OTHER, NULL, "room for other startup settings");
                return true;
            }
        return false;
    }
    struct pool *pool, *next;
    HASH_ITER(hh, at->pool->pools->by_key, pool, next)
    {
        for (struct pool_node *other = pool->nodes; other; other = other->next)
            if (other->live == at->live && other->places[PLACE_IDLE].first && !other->first_claim) {
                pool_drop_server(other->places[PLACE_IDLE].first, STREAM_END_OTHER, NULL, "room on the node");
                return true;
            }
    }
    return false;
}

static uint32_t allowed(const struct pool_node *at)
{
    const struct limits *limits = &at->pool->limits;
    uint64_t waited_us = at->first_claim ? clock_now_us() - at->first_claim->since_us : 0;
    bool reserve = limits->pool_size && waited_us > limits->reserve_pool_timeout_ms * 1000;
    return limits->pool_size + (reserve ? limits->reserve_pool_size : 0);
}

void pool_node_serve(struct pool_node *at)
{
    struct pools *pools = at->pool->pools;
    const struct topology_node *node = pool_node_entry(at);
    while (node && !at->pool->paused && at->n_claims > at->places[PLACE_OPENING].count) {
        if (pools_now(pools) < at->retry_ms)
            return;
        const struct params *native = at->first_claim->native;
        enum ledger_room room = ledger_reserve(at->ledger, allowed(at), node->max_connections);
        if (room != LEDGER_ROOM && make_room(at, room, native))
            room = ledger_reserve(at->ledger, allowed(at), node->max_connections);
        if (room != LEDGER_ROOM) {
            pool_ask_others(at, room == LEDGER_POOL_FULL ? at->first_claim->since_us : 0);
            return;
        }
        if (!open_one(at, node, native))
            return;
    }
}

void pool_node_open(struct pool_node *at, uint32_t up_to)
{
    const struct topology_node *node = pool_node_entry(at);
    bool fit = node && node->condition != CONDITION_DOWN && node->duty == DUTY_ENABLED &&
               pools_now(at->pool->pools) >= at->retry_ms;
    if (fit && ledger_reserve(at->ledger, up_to, node->max_connections) == LEDGER_ROOM)
        open_one(at, node, NULL);
}

/* ---- giving ---- */

void server_follow(struct server *server)
{
    const struct topology_node *node = pool_node_entry(server->pool);
    if (!node || node->role != ROLE_PRIMARY || server->role != ROLE_REPLICA ||
        node->generation != server->generation + 1)
        return;
    server->role = ROLE_PRIMARY;
    server->generation = node->generation;
}

bool server_is_current(const struct server *server)
{
    const struct pool_node *at = server->pool;
    const struct topology_node *node = pool_node_entry(at);
    uint64_t lifetime = at->pool->limits.server_lifetime_ms;
    if (!node || node->generation != server->generation || node->condition == CONDITION_DOWN ||
        node->duty != DUTY_ENABLED || at->pool->paused || server->spent)
        return false;
    return lifetime == 0 || pools_now(at->pool->pools) - server->opened_ms < lifetime;
}

static void grant(struct pool_node *at, struct server *server, struct claim *claim)
{
    claim->server = server;
    claim->at = at;
    server->claim = claim;
    place_server(server, at, PLACE_BUSY);
}

/* The one that a session wrote on last, if it is idle and still fit. */
static struct server *pick_written(struct pool_node *at, uint64_t writer)
{
    for (struct server *server = at->places[PLACE_IDLE].first; server; server = server->next)
        if (server->writer == writer && server_is_current(server))
            return server;
    return NULL;
}

static struct server *pick_idle(struct pool_node *at, const struct params *native)
{
    for (struct server *server = at->places[PLACE_IDLE].first, *next; server; server = next) {
        next = server->next;
        if (!is_native(server, native))
            continue;
        if (server_is_current(server))
            return server;
        pool_drop_server(server, STREAM_END_OTHER, NULL, "lifetime or generation over");
    }
    return NULL;
}

bool pool_claim(
    struct pool *pool, const struct topology_node *node, const struct params *native, struct claim *claim)
{
    assert(!claim->queued && !claim->server);
    struct pool_node *at = pool_node_of(pool, node->live);
    claim->native = native;
    claim->asked = at->live;
    claim->generation = node->generation;
    struct server *server = claim->writer ? pick_written(at, claim->writer) : NULL;
    if (!server && !at->first_claim)
        server = pick_idle(at, native);
    if (server) {
        histogram_add(&at->meter->phases[METER_WAIT], 0);
        grant(at, server, claim);
        return true;
    }
    claim->since_us = reactor_now_us(pool->pools->reactor);
    enqueue(at, claim);
    pool_node_serve(at);
    return false;
}

/* The oldest claim that this connection fits. A claim for other startup settings at the head is not passed
   over: the connection is closed to make room for its own. */
static bool give_to_claim(struct pool_node *at, struct server *server)
{
    struct claim *claim = at->first_claim;
    if (!claim)
        return false;
    if (!is_native(server, claim->native)) {
        pool_drop_server(server, STREAM_END_OTHER, NULL, "room for other startup settings");
        pool_node_serve(at);
        return true;
    }
    pool_unclaim(claim);
    uint64_t now_us = reactor_now_us(at->pool->pools->reactor);
    histogram_add(&at->meter->phases[METER_WAIT], now_us - claim->since_us);
    grant(at, server, claim);
    claim->events->on_granted(claim->user, server);
    return true;
}

void pool_offer(struct server *server)
{
    struct pool_node *at = server->pool;
    if (server->cancels > 0)
        return; /* pool_cancel_done comes back */
    server_follow(server);
    if (!server_is_current(server)) {
        pool_drop_server(server, STREAM_END_OTHER, NULL, "lifetime or generation over");
        pool_node_serve(at);
        return;
    }
    if (server->dirty || server->tx_status != 'I') {
        server_reset(server);
        return;
    }
    if (at->remote >= 0 && (!at->first_claim || at->first_claim->since_us > at->remote_since_us)) {
        place_server(server, at, PLACE_IDLE);
        pool_hand_over_later(at);
        return;
    }
    if (!give_to_claim(at, server))
        place_server(server, at, PLACE_IDLE);
}

void pool_release(struct claim *claim, bool broken)
{
    struct server *server = claim->server;
    assert(server && server->claim == claim);
    claim->server = NULL;
    claim->at = NULL;
    server->claim = NULL;
    server_unlink(server);
    if (!broken && !server->spent && server->state == SERVER_IDLE && server->expect.count == 0 &&
        server->passing == 0) {
        pool_offer(server);
        return;
    }
    struct pool_node *at = server->pool;
    pool_drop_server(server, STREAM_END_OTHER, NULL, "not reusable");
    pool_node_serve(at);
}

void pool_cut(struct claim *claim, const struct error *error, const char *reason)
{
    struct pool_node *at = claim->at;
    assert(claim->server && claim->server->claim == claim);
    pool_drop_server(claim->server, STREAM_END_OTHER, error, reason);
    pool_node_serve(at);
}

void pool_measure(const struct claim *claim, enum meter_phase phase, uint64_t us)
{
    const struct pool_node *at = claim->at;
    if (at)
        histogram_add(&at->meter->phases[phase], us);
}

void pool_add(const struct claim *claim, enum meter_sum sum, uint64_t n)
{
    if (claim->at)
        meter_add(claim->at->meter, sum, n);
}

void pool_cancel_done(struct server *server)
{
    bool waits = server->cancels == 1 && server->state == SERVER_IDLE && server->pool && !server->claim;
    server_cancel_done(server);
    if (waits)
        pool_offer(server);
}

/* ---- the server's events ---- */

static void on_ready(struct server *server)
{
    struct pool_node *at = server->pool;
    if (server->placed == PLACE_OPENING) {
        at->failures = 0;
        at->retry_ms = 0;
        histogram_add(
            &at->meter->phases[METER_LOGIN], reactor_now_us(at->pool->pools->reactor) - server->opening_us);
        const char *standby = params_get(&server->params, "in_hot_standby");
        if (standby && server->role == ROLE_PRIMARY && strcmp(standby, "on") == 0)
            pools_hint(at->pool->pools, at->live, server->generation, HINT_READ_ONLY);
        if (standby && server->role == ROLE_REPLICA && strcmp(standby, "off") == 0)
            pools_hint(at->pool->pools, at->live, server->generation, HINT_PROMOTED);
        place_server(server, at, PLACE_BUSY);
    }
    pool_offer(server);
}

/* Did the node itself refuse the login (and is alive)? */
static bool said_no(const char *sqlstate)
{
    return sqlstate[0] && strncmp(sqlstate, "57P", 3) != 0;
}

static void on_end(struct server *server, enum stream_end end, const struct error *error)
{
    struct pool_node *at = server->pool;
    struct pools *pools = at->pool->pools;
    bool opening = server->placed == PLACE_OPENING;
    char sqlstate[6];
    memcpy(sqlstate, server->fatal_sqlstate, sizeof sqlstate);
    bool no_secret = opening && strcmp(error->sqlstate, SQLSTATE_INVALID_PASSWORD) == 0;
    if (sqlstate[0] && strncmp(sqlstate, "57P", 3) == 0)
        pools_hint(pools, at->live, server->generation, HINT_SHUTDOWN);
    else if (!sqlstate[0] && !no_secret)
        pools_hint(pools, at->live, server->generation, opening ? HINT_REFUSED : HINT_LOST);
    log_event(opening ? LOG_WARNING : LOG_INFO, opening ? "server_login_failed" : "server_lost",
        "node=%s database=%s user=%s state=%s sqlstate=%s error=%s", at->live->name, at->pool->database,
        at->pool->user, server_state_name(server->state), error->sqlstate, error->text);
    pools->lost++;
    struct error copy = *error;
    pool_drop_server(server, end, &copy, NULL);
    if (opening)
        open_failed(at, said_no(sqlstate) || no_secret, &copy);
    else
        pool_node_serve(at);
}

const struct server_owner_events pool_server_events = {.on_ready = on_ready, .on_end = on_end};

void pool_drop_server(
    struct server *server, enum stream_end end, const struct error *error, const char *reason)
{
    struct pool_node *at = server->pool;
    struct claim *claim = server->claim;
    struct ledger *ledger = server->ledger;
    if (reason)
        log_event(LOG_DEBUG, "server_closed", "node=%s database=%s user=%s reason=%s", at->live->name,
            at->pool->database, at->pool->user, reason);
    place_server(server, at, PLACE_NOWHERE);
    if (claim) {
        struct error unknown;
        error_set(&unknown, SQLSTATE_CONNECTION_FAILURE, "%s", reason ? reason : "closed");
        claim->server = NULL;
        claim->at = NULL;
        server->claim = NULL;
        if (server->stream.out.len > 0) /* it may be run elsewhere: this server must not run it, too */
            stream_stop_sending(&server->stream);
        claim->events->on_lost(claim->user, server, end, error ? error : &unknown);
    }
    server_close(server);
    server->ledger = NULL;
    ledger_release(ledger);
    ledger_unref(ledger);
}
