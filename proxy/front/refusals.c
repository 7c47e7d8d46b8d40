/* What clients do not get; see refusals.h. */
#include "proxy/front/refusals.h"

#include "proxy/front/counters.h"
#include "proxy/front/pool_totals.h"
#include "proxy/front/service.h"
#include "proxy/session/census.h"
#include "router/event.h"

#include <inttypes.h>
#include <stdio.h>

/* Waiting for a connection for less than this is everyday life. */
#define LONG_WAIT_US 1000000u

/* Whom it is about; NULL: all. */
struct whom {
    const char *cluster, *listener, *node;
};

static void put(json_t *object, const char *key, const char *text)
{
    char room[1024];
    json_object_set_new(object, key, text ? json_string(clean_text(text, room, sizeof room)) : json_null());
}

static void add(
    json_t *array, struct whom whom, enum event_weight weight, const char *what, const char *reason)
{
    if (json_array_size(array) >= REFUSALS_MAX)
        return;
    json_t *object = json_object();
    put(object, "cluster", whom.cluster);
    put(object, "listener", whom.listener);
    put(object, "node", whom.node);
    put(object, "what", what);
    put(object, "reason", reason);
    put(object, "weight", event_weight_name(weight));
    json_array_append_new(array, object);
}

/* With the reason from an output, which is ended. */
static void add_said(
    json_t *array, struct whom whom, enum event_weight weight, const char *what, struct output *said)
{
    output_bytes(said, "", 1);
    add(array, whom, weight, what, said->failed ? "out of memory" : said->data);
    output_fini(said);
}

/* ---- clusters and nodes ---- */

static void cluster_refuses(
    json_t *array, const struct config_cluster *config, const struct topology *topology)
{
    char what[128];
    const struct whom whom = {.cluster = config->name};
    if (topology && (topology->primary >= 0 || service_node(topology, ROUTE_PRIMARY, FALLBACK_ERROR) >= 0))
        return;
    snprintf(what, sizeof what, "writes wait up to %.4g s (hold_timeout), then they fail with 57P03",
        (double)config->hold_timeout_ms / 1000);
    add(array, whom, EVENT_TROUBLE, what, service_no_primary(topology));
}

static void node_refuses(json_t *array, const struct topology *topology, size_t i)
{
    const struct topology_node *node = &topology->nodes[i];
    const struct whom whom = {.cluster = topology->cluster, .node = node->name};
    struct output said = {0};
    switch (node->role) {
    case ROLE_UNKNOWN: add(array, whom, EVENT_TROUBLE, "nothing is sent to this node", node->reason); return;
    case ROLE_PRIMARY:
        if (topology_is_leaving(topology, i))
            add(array, whom, EVENT_NOTE, "the primary is leaving: what runs there ends, new work waits",
                node->reason);
        if (node->read_only)
            add(array, whom, EVENT_TROUBLE, "the primary refuses writes (25006)", node->reason);
        return;
    case ROLE_REPLICA:
        service_unfit(topology, i, &said);
        if (said.len > 0)
            add_said(array, whom, EVENT_NOTE, "no reads are sent to this replica", &said);
        return;
    case ROLE_MASTER:
        service_unfit(topology, i, &said);
        if (said.len > 0)
            add_said(array, whom, EVENT_NOTE, "no work is sent to this master", &said);
        return;
    }
}

static void clusters_refuse(json_t *array, const struct admin_view *view)
{
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        const struct topology *topology = view->topologies[i];
        cluster_refuses(array, &view->config->clusters[i], topology);
        for (size_t k = 0; topology && k < topology->n_nodes; k++)
            node_refuses(array, topology, k);
    }
}

/* ---- listeners ---- */

static const char *without_replicas(enum fallback fallback)
{
    switch (fallback) {
    case FALLBACK_PRIMARY: return "the primary serves its reads";
    case FALLBACK_WAIT: return "its reads wait for a fit replica (fallback = wait)";
    case FALLBACK_ERROR: return "its reads are refused (fallback = error)";
    }
    return "";
}

static void listener_refuses(
    json_t *array, const struct admin_view *view, const struct config_listener *listener)
{
    const struct config_cluster *cluster = &view->config->clusters[listener->cluster];
    const struct topology *topology = view->topologies[listener->cluster];
    const struct whom whom = {.cluster = cluster->name, .listener = listener->name};
    struct output said = {0};
    if (listener->max_clients && census_count(CENSUS_LISTENER, listener->name) >= listener->max_clients)
        add(array, whom, EVENT_TROUBLE, "new clients are refused (53300)",
            "max_clients of the listener is reached");
    if (listener->route != ROUTE_REPLICA || service_node(topology, ROUTE_REPLICA, FALLBACK_ERROR) >= 0)
        return;
    service_no_replica(topology, &said);
    add_said(array, whom, service_of_listener(view, listener) ? EVENT_NOTE : EVENT_TROUBLE,
        without_replicas(cluster->fallback), &said);
}

/* ---- pools and the process ---- */

static void pools_refuse(json_t *array, const struct survey *survey)
{
    struct pool_totals totals;
    if (!pool_totals_init(&totals, survey))
        return;
    for (size_t i = 0; i < totals.n; i++) {
        const struct pool_report *pool = &totals.pools[i];
        const struct whom whom = {.cluster = pool->cluster, .node = pool->node};
        char what[256], reason[128];
        if (pool->waiting == 0 || pool->oldest_wait_us < LONG_WAIT_US)
            continue;
        snprintf(what, sizeof what,
            "%u of user %s in database %s wait for a connection, the first for %.1f s", pool->waiting,
            pool->user, pool->database, (double)pool->oldest_wait_us / 1e6);
        snprintf(reason, sizeof reason, "%u connections are in use, pool_size is %u", pool->active,
            pool->pool_size);
        add(array, whom, EVENT_TROUBLE, what, reason);
    }
    pool_totals_fini(&totals);
}

static void process_refuses(json_t *array, const struct http_asked *asked)
{
    const struct admin_view *view = asked->view;
    const struct whom all = {.cluster = NULL};
    char reason[96];
    uint64_t clients = 0;
    for (uint32_t i = 0; i < view->n_workers; i++)
        clients += atomic_load_explicit(&view->workers[i].sessions.counters.clients, memory_order_relaxed);
    if (view->pauses.all)
        add(array, all, EVENT_TROUBLE, "requests of every database wait",
            "PAUSE was said on the admin socket");
    for (uint32_t i = 0; i < view->pauses.n; i++) {
        char what[128];
        snprintf(what, sizeof what, "requests of database %s wait", view->pauses.databases[i]);
        add(array, all, EVENT_TROUBLE, what, "PAUSE was said on the admin socket");
    }
    if (asked->stopping)
        add(array, all, EVENT_TROUBLE, "new clients are refused", "rolecall is stopping");
    snprintf(
        reason, sizeof reason, "max_clients = %" PRIu64 " is reached", (uint64_t)view->config->max_clients);
    if (clients >= view->config->max_clients)
        add(array, all, EVENT_TROUBLE, "new clients are refused (53300)", reason);
    snprintf(
        reason, sizeof reason, "%u of its threads did not answer within two seconds", asked->pools->silent);
    if (asked->pools->silent)
        add(array, all, EVENT_TROUBLE, "a part of rolecall may not serve its clients", reason);
}

json_t *refusals_json(const struct http_asked *asked)
{
    const struct config *config = asked->view->config;
    json_t *array = json_array();
    process_refuses(array, asked);
    clusters_refuse(array, asked->view);
    for (size_t i = 0; i < config->n_listeners; i++)
        listener_refuses(array, asked->view, &config->listeners[i]);
    pools_refuse(array, asked->pools);
    return array;
}
