/*
 * The pools of a worker: finding, joining, configuring and ending them; see pool.h. Giving and taking
 * connections is in claim.c, moving them between workers in handover.c, what time does to them in upkeep.c.
 */
#include "proxy/pool/node.h"

#include "conf/base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool pools_open(struct pools *pools, struct reactor *reactor, uint32_t worker, struct runtime *runtime)
{
    pools->reactor = reactor;
    pools->worker = worker;
    pools->runtime = runtime_ref(runtime);
    pools->topologies = calloc(runtime->config->n_clusters + 1, sizeof *pools->topologies);
    pools->prepared = prepared_registry_new(worker);
    pools->settings = settings_table_new();
    return pools->topologies && pools->prepared && pools->settings;
}

static void pool_free(struct pool *pool)
{
    struct pools *pools = pool->pools;
    HASH_DELETE(hh, pools->by_key, pool);
    while (pool->nodes) {
        struct pool_node *at = pool->nodes;
        pool->nodes = at->next;
        assert(!at->first_claim);
        ledger_unref(at->ledger);
        node_live_unref(at->live);
        free(at);
    }
    secret_wipe(&pool->secret);
    secret_wipe(&pool->derived);
    free(pool->client_database);
    free(pool->client_user);
    free(pool->listener);
    free(pool->database);
    free(pool->user);
    free(pool->connect_query);
    free(pool);
}

static bool has_servers(const struct pool *pool)
{
    for (const struct pool_node *at = pool->nodes; at; at = at->next)
        for (int place = 0; place < PLACES; place++)
            if (at->places[place].count > 0)
                return true;
    return false;
}

static void drop_servers(struct pool *pool, const char *reason)
{
    struct error error;
    error_set(&error, SQLSTATE_ADMIN_SHUTDOWN, "%s", reason);
    for (struct pool_node *at = pool->nodes; at; at = at->next)
        for (int place = 0; place < PLACES; place++)
            while (at->places[place].first)
                pool_drop_server(at->places[place].first, STREAM_END_OTHER, &error, reason);
}

void pools_close(struct pools *pools)
{
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        drop_servers(pool, "rolecall is stopping");
        pool_free(pool);
    }
    for (size_t i = 0; i < pools->runtime->config->n_clusters; i++)
        topology_unref(pools->topologies[i]);
    free(pools->topologies);
    prepared_registry_free(pools->prepared);
    settings_table_free(pools->settings);
    runtime_unref(pools->runtime);
}

/* ---- configuration and topology ---- */

static void replace(char **text, const char *with)
{
    if (*text && strcmp(*text, with) == 0)
        return;
    free(*text);
    *text = strdup(with);
    assert(*text);
}

static void find_limits(struct pool *pool)
{
    const struct runtime *runtime = pool->pools->runtime;
    int listener = runtime_listener(runtime, pool->listener);
    if (listener >= 0)
        config_limits(runtime->config, &runtime->config->listeners[listener], pool->client_database,
            pool->client_user, &pool->limits);
}

void pools_set_runtime(struct pools *pools, struct runtime *runtime)
{
    size_t n = runtime->config->n_clusters;
    struct topology **topologies = calloc(n + 1, sizeof *topologies);
    assert(topologies);
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        const char *name = pools->runtime->config->clusters[pool->cluster].name;
        int cluster = runtime_cluster(runtime, name);
        if (cluster >= 0)
            pool->cluster =
                (size_t)cluster; /* a cluster that is gone keeps its pools until its sessions end */
    }
    for (size_t i = 0; i < pools->runtime->config->n_clusters; i++) {
        int cluster = runtime_cluster(runtime, pools->runtime->config->clusters[i].name);
        if (cluster >= 0)
            topologies[cluster] = pools->topologies[i];
        else
            topology_unref(pools->topologies[i]);
    }
    free(pools->topologies);
    pools->topologies = topologies;
    runtime_ref(runtime);
    runtime_unref(pools->runtime);
    pools->runtime = runtime;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        find_limits(pool);
        for (struct pool_node *at = pool->nodes; at; at = at->next)
            pool_node_serve(at);
    }
}

static bool must_cut(const struct server *server, const struct topology_node *node)
{
    if (!node || node->condition == CONDITION_DOWN || server_is_elsewhere(server, node))
        return true;
    return server->generation != node->generation && server->role == ROLE_PRIMARY;
}

/* What waits for a connection there would begin anew on a primary that is being deposed. */
static bool is_leaving(const struct pool_node *at)
{
    const struct topology *topology = pool_topology(at->pool);
    int index = topology ? topology_find(topology, at->live) : -1;
    return index >= 0 && topology_is_leaving(topology, (size_t)index);
}

/* Whoever waits there was sent to a node of another role. */
static bool is_chosen_anew(const struct pool_node *at, const struct topology_node *node)
{
    return at->first_claim && at->first_claim->generation != node->generation;
}

static void review_node(struct pool_node *at)
{
    const struct topology_node *node = pool_node_entry(at);
    struct error error;
    error_set(&error, SQLSTATE_ADMIN_SHUTDOWN, "node %s: %s", at->live->name,
        node && node->reason ? node->reason : "no longer a member");
    bool serves = node && node->condition != CONDITION_DOWN && node->duty == DUTY_ENABLED;
    for (int place = 0; place < PLACES; place++)
        for (struct server *server = at->places[place].first, *next; server; server = next) {
            next = server->next;
            if (place == PLACE_IDLE)
                server_follow(server);
            if (must_cut(server, node) || (place == PLACE_IDLE && !server_is_current(server)))
                pool_drop_server(server, STREAM_END_RESET, &error, "node changed");
        }
    if (!serves || is_leaving(at))
        pool_refuse_all(at, REFUSED_NO_NODE, &error);
    else if (is_chosen_anew(at, node))
        pool_refuse_all(at, REFUSED_CHANGED, &error);
    at->retry_ms = 0;
}

void pools_set_topology(struct pools *pools, struct topology *topology)
{
    int cluster = runtime_cluster(pools->runtime, topology->cluster);
    if (cluster < 0) {
        topology_unref(topology);
        return;
    }
    topology_unref(pools->topologies[cluster]);
    pools->topologies[cluster] = topology;
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        if (pool->cluster != (size_t)cluster)
            continue;
        for (struct pool_node *at = pool->nodes; at; at = at->next) {
            review_node(at);
            pool_node_serve(at);
        }
    }
}

/* ---- pools ---- */

static size_t append(char *out, size_t at, const char *text)
{
    size_t len = strlen(text) + 1;
    memcpy(out + at, text, len);
    return at + len;
}

static void set_limits(struct pool *pool, const struct pool_key *key)
{
    replace(&pool->client_database, key->client_database);
    replace(&pool->client_user, key->client_user);
    replace(&pool->listener, key->listener);
    find_limits(pool);
}

struct pool *pool_join(struct pools *pools, const struct pool_key *key, const char *connect_query)
{
    const char *cluster = pools->runtime->config->clusters[key->cluster].name;
    size_t size = strlen(cluster) + strlen(key->database) + strlen(key->user) + 3;
    struct pool *fresh = calloc(1, sizeof *fresh + size), *pool;
    if (!fresh)
        return NULL;
    size_t at = append(fresh->key, 0, cluster);
    fresh->key_len = append(fresh->key, append(fresh->key, at, key->database), key->user);
    HASH_FIND(hh, pools->by_key, fresh->key, fresh->key_len, pool);
    if (pool) {
        free(fresh);
    } else {
        pool = fresh;
        pool->pools = pools;
        pool->cluster = key->cluster;
        pool->database = strdup(key->database);
        pool->user = strdup(key->user);
        pool->connect_query = connect_query ? strdup(connect_query) : NULL;
        assert(pool->database && pool->user);
        pool->paused = pauses_cover(&pools->pauses, pool->database);
        HASH_ADD_KEYPTR(hh, pools->by_key, pool->key, pool->key_len, pool);
    }
    set_limits(pool, key);
    pool->users++;
    return pool;
}

void pool_leave(struct pool *pool)
{
    assert(pool->users > 0);
    pool->users--;
    pool->left_ms = pools_now(pool->pools);
}

struct pools *pool_pools(const struct pool *pool)
{
    return pool->pools;
}

struct topology *pool_topology(const struct pool *pool)
{
    return pool->pools->topologies[pool->cluster];
}

size_t pool_cluster(const struct pool *pool)
{
    return pool->cluster;
}

const char *pool_database(const struct pool *pool)
{
    return pool->database;
}

const char *pool_user(const struct pool *pool)
{
    return pool->user;
}

void pool_set_secret(struct pool *pool, const struct secret *secret)
{
    if (secret_same(&pool->secret, secret))
        return;
    secret_wipe(&pool->secret);
    secret_wipe(&pool->derived);
    pool->secret = *secret;
    for (struct pool_node *at = pool->nodes; at; at = at->next)
        at->retry_ms = 0;
}

void pool_fill_login(struct pool *pool, struct server_target *target)
{
    target->user = pool->user;
    target->database = pool->database;
    target->secret = &pool->secret;
    target->cached_keys = &pool->derived;
    target->connect_query = pool->connect_query;
}

/* A pool that nobody has used for a while and that holds nothing. */
static bool is_forsaken(const struct pool *pool)
{
    return pool->users == 0 && pools_now(pool->pools) - pool->left_ms > 1000 && !has_servers(pool);
}

void pools_forget_unused(struct pools *pools)
{
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        if (is_forsaken(pool))
            pool_free(pool);
    }
}

static void count_busy(const struct pool_node *at, struct pool_numbers *numbers)
{
    for (const struct server *server = at->places[PLACE_BUSY].first; server; server = server->next) {
        numbers->resetting += !server->claim;
        numbers->cancels += server->cancels;
        numbers->cancelled += !server->claim && server->cancels > 0;
    }
}

void pools_each(
    struct pools *pools, void *context, void (*visit)(void *context, const struct pool_numbers *numbers))
{
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        for (struct pool_node *at = pool->nodes; at; at = at->next) {
            struct pool_numbers numbers = {
                .cluster = pool->cluster < pools->runtime->config->n_clusters
                               ? pools->runtime->config->clusters[pool->cluster].name
                               : "", /* the cluster is gone, its sessions are not */
                .database = pool->database,
                .user = pool->user,
                .node = at->live->name,
                .idle = at->places[PLACE_IDLE].count,
                .active = at->places[PLACE_BUSY].count,
                .opening = at->places[PLACE_OPENING].count,
                .waiting = at->n_claims,
                .connections = ledger_connections(at->ledger),
                .oldest_wait_us = at->first_claim ? clock_now_us() - at->first_claim->since_us : 0,
                .limits = &pool->limits,
            };
            count_busy(at, &numbers);
            visit(context, &numbers);
        }
    }
}

void pools_each_server(struct pools *pools, void *context,
    void (*visit)(void *context, const struct pool *pool, const struct server *server))
{
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        for (struct pool_node *at = pool->nodes; at; at = at->next)
            for (int place = 0; place < PLACES; place++)
                for (struct server *server = at->places[place].first; server; server = server->next)
                    visit(context, pool, server);
    }
}
