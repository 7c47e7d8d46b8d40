/*
 * /stats.json; see stats_json.h for its members. A table says which part is made by what; to add one: a
 * function and a row.
 */
#include "proxy/front/stats_json.h"

#include "conf/base/clock.h"
#include "proxy/front/counters.h"
#include "proxy/front/events_json.h"
#include "proxy/front/latency.h"
#include "proxy/front/pool_totals.h"
#include "proxy/front/refusals.h"
#include "proxy/front/service.h"
#include "proxy/session/census.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT_OF_MEMORY 503u
#define EVENTS_SHOWN 64

/* ---- values ---- */

static void put(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void put_known(json_t *object, const char *key, bool known, uint64_t value)
{
    json_object_set_new(object, key, known ? json_integer((json_int_t)value) : json_null());
}

static void put_bool(json_t *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

/* NULL becomes null. */
static void put_text(json_t *object, const char *key, const char *text)
{
    char room[512];
    json_object_set_new(object, key, text ? json_string(clean_text(text, room, sizeof room)) : json_null());
}

static uint64_t load64(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static uint64_t load32(const _Atomic uint32_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* ---- clusters ---- */

static bool serves_reads(const struct topology *topology, size_t i)
{
    const struct topology_node *node = &topology->nodes[i];
    struct output why = {0};
    service_unfit(topology, i, &why);
    bool fit = why.len == 0 && node->role != ROLE_UNKNOWN;
    output_fini(&why);
    return fit;
}

static json_t *node_object(const struct topology *topology, size_t i)
{
    const struct topology_node *node = &topology->nodes[i];
    const struct node_live *live = node->live;
    json_t *object = json_object();
    bool follows = node->role == ROLE_REPLICA;
    uint64_t lag_bytes = load64(&live->lag_bytes), lag_ms = load64(&live->lag_ms);
    put_text(object, "name", node->name);
    put_text(object, "host", node->host);
    put(object, "port", node->port);
    put_text(object, "role", node_role_name(node->role));
    put_bool(object, "read_only", node->read_only);
    put_text(object, "condition", node_condition_name(node->condition));
    put_text(object, "duty", node_duty_name(node->duty));
    put_text(object, "reason", node->reason);
    put_bool(object, "serves_reads", serves_reads(topology, i));
    put(object, "generation", node->generation);
    put(object, "weight", node->weight);
    put_known(object, "lag_bytes", follows && lag_bytes != UINT64_MAX, lag_bytes);
    put_known(object, "lag_ms", follows && lag_ms != UINT64_MAX, lag_ms);
    put_known(object, "replayed_epoch", follows, load64(&live->replayed_epoch));
    put(object, "outstanding", load32(&live->outstanding));
    put(object, "connections", load32(&live->connections));
    put_known(object, "max_connections", node->max_connections > 0, node->max_connections);
    put(object, "requests", load64(&live->exchanges));
    return object;
}

static json_t *cluster_object(const struct config_cluster *config, const struct topology *topology)
{
    json_t *object = json_object(), *nodes = json_array();
    bool has = topology && topology->primary >= 0;
    const char *why = topology ? topology->no_primary_reason : "no node has been probed yet";
    put_text(object, "name", config->name);
    put_text(object, "primary", has ? topology->nodes[topology->primary].name : NULL);
    put_text(object, "no_primary_reason", has ? NULL : why);
    put_known(object, "timeline", topology && topology->timeline > 0, topology ? topology->timeline : 0);
    put(object, "topology_version", topology ? topology->version : 0);
    bool sampled = topology && topology->live;
    put(object, "max_lag_bytes", topology ? topology->max_lag_bytes : 0);
    put(object, "max_lag_ms", topology ? topology->max_lag_ms : 0);
    put(object, "holding", topology && topology->live ? load32(&topology->live->holding) : 0);
    put(object, "held", topology && topology->live ? load64(&topology->live->held) : 0);
    put(object, "hold_failed", topology && topology->live ? load64(&topology->live->hold_failed) : 0);
    put_known(object, "sampled_epoch", sampled, sampled ? load64(&topology->live->started) : 0);
    for (size_t i = 0; topology && i < topology->n_nodes; i++)
        json_array_append_new(nodes, node_object(topology, i));
    json_object_set_new(object, "nodes", nodes);
    return object;
}

static json_t *clusters(const struct http_asked *asked)
{
    const struct admin_view *view = asked->view;
    json_t *array = json_array();
    for (size_t i = 0; i < view->config->n_clusters; i++)
        json_array_append_new(array, cluster_object(&view->config->clusters[i], view->topologies[i]));
    return array;
}

static json_t *listeners(const struct http_asked *asked)
{
    const struct config *config = asked->view->config;
    json_t *array = json_array();
    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *listener = &config->listeners[i];
        json_t *object = json_object();
        put_text(object, "name", listener->name);
        put_text(object, "address", listener->address);
        put_text(object, "cluster", config->clusters[listener->cluster].name);
        put_text(object, "route", route_name(listener->route));
        put_text(object, "pool_mode", pool_mode_name(listener->pool));
        put_text(object, "auth", auth_method_name(listener->auth));
        put_text(object, "tls", tls_mode_name(listener->tls.mode));
        put_bool(object, "serves", service_of_listener(asked->view, listener));
        put(object, "clients", census_count(CENSUS_LISTENER, listener->name));
        put_known(object, "max_clients", listener->max_clients > 0, listener->max_clients);
        json_array_append_new(array, object);
    }
    return array;
}

/* ---- pools ---- */

static json_t *pool_object(const struct pool_report *pool)
{
    json_t *object = json_object();
    put_text(object, "cluster", pool->cluster);
    put_text(object, "database", pool->database);
    put_text(object, "user", pool->user);
    put_text(object, "node", pool->node);
    put_text(object, "pool_mode", pool_mode_name(pool->mode));
    put_known(object, "pool_size", pool->pool_size > 0, pool->pool_size);
    put(object, "clients_active", pool->active - pool->resetting);
    put(object, "clients_waiting", pool->waiting);
    put(object, "servers_active", pool->active - pool->resetting);
    put(object, "servers_idle", pool->idle);
    put(object, "servers_resetting", pool->resetting);
    put(object, "servers_opening", pool->opening);
    put(object, "oldest_wait_us", pool->oldest_wait_us);
    return object;
}

static uint64_t waiting(const struct survey *survey)
{
    uint64_t n = 0;
    for (size_t i = 0; i < survey->n; i++)
        n += survey->pools[i].waiting;
    return n;
}

static void put_pools(json_t *root, const struct pool_totals *all)
{
    json_t *array = json_array();
    for (size_t i = 0; i < all->n; i++)
        json_array_append_new(array, pool_object(&all->pools[i]));
    json_object_set_new(root, "pools", array);
    put(root, "pools_left_out", all->left_out);
}

/* ---- counters ---- */

static json_t *workers(const struct http_asked *asked)
{
    const struct admin_view *view = asked->view;
    json_t *array = json_array();
    size_t n;
    const struct counter *all = counters(&n);
    for (uint32_t worker = 0; worker < view->n_workers; worker++) {
        json_t *object = json_object();
        put(object, "worker", worker);
        for (size_t i = 0; i < n; i++)
            put(object, all[i].key, counter_of(&view->workers[worker], &all[i]));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *totals(const struct http_asked *asked)
{
    json_t *object = json_object();
    size_t n;
    const struct counter *all = counters(&n);
    for (size_t i = 0; i < n; i++)
        put(object, all[i].key, counter_sum(asked->view, &all[i]));
    put(object, "waiting", waiting(asked->pools));
    put(object, "max_clients", asked->view->config->max_clients);
    return object;
}

static json_t *verdicts(const struct http_asked *asked)
{
    json_t *array = json_array();
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        json_t *object = json_object();
        put_text(object, "reason", reason_name((enum reason)reason));
        put_text(object, "text", reason_text((enum reason)reason));
        put(object, "count", counter_verdicts(asked->view, (enum reason)reason));
        json_array_append_new(array, object);
    }
    return array;
}

/* ---- latency ---- */

static json_t *quantiles_object(const struct latency_quantiles *quantiles)
{
    json_t *object = json_object();
    put(object, "count", quantiles->count);
    put(object, "p50_us", quantiles->p50_us);
    put(object, "p95_us", quantiles->p95_us);
    put(object, "p99_us", quantiles->p99_us);
    put(object, "p999_us", quantiles->p999_us);
    return object;
}

static json_t *latency_object(const struct latency_row *row)
{
    const struct {
        const char *key, *value;
    } names[] = {{"cluster", row->cluster}, {"node_name", row->node}, {"database", row->database},
        {"user", row->user}};
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].value)
            put_text(object, names[i].key, names[i].value);
    for (int phase = 0; phase < METER_PHASES; phase++) {
        json_t *times = json_object();
        put(times, "max_us", row->max_us[phase]);
        json_object_set_new(times, "since_start", quantiles_object(&row->of[phase][LATENCY_START]));
        json_object_set_new(times, "last_minute", quantiles_object(&row->of[phase][LATENCY_MINUTE]));
        json_object_set_new(object, meter_phase_name((enum meter_phase)phase), times);
    }
    return object;
}

static json_t *latency_array(const struct http_asked *asked, enum latency_group group)
{
    struct latency_row *rows;
    size_t n = latency_rows(asked->view->latency, group, &rows);
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, latency_object(&rows[i]));
    free(rows);
    return array;
}

static json_t *latency(const struct http_asked *asked)
{
    static const struct latency_row nothing;
    json_t *object = json_object(), *all = latency_array(asked, LATENCY_ALL);
    json_t *first = json_array_get(all, 0);
    json_object_set_new(object, "all", first ? json_incref(first) : latency_object(&nothing));
    json_object_set_new(object, "nodes", latency_array(asked, LATENCY_NODES));
    json_object_set_new(object, "pools", latency_array(asked, LATENCY_POOLS));
    json_decref(all);
    return object;
}

static json_t *events(const struct http_asked *asked)
{
    return events_json(asked->view->events, 0, EVENTS_SHOWN);
}

/* ---- the whole ---- */

static const struct {
    const char *key;
    json_t *(*make)(const struct http_asked *asked);
} parts[] = {
    {"clusters", clusters},
    {"listeners", listeners},
    {"workers", workers},
    {"totals", totals},
    {"verdicts", verdicts},
    {"latency", latency},
    {"refusals", refusals_json},
    {"events", events},
};

static void put_process(json_t *root, const struct http_asked *asked)
{
    char now[32];
    clock_format(now, sizeof now);
    put_text(root, "version", ROLECALL_VERSION);
    put(root, "pid", (uint64_t)getpid());
    put_text(root, "time", now);
    put(root, "uptime_ms", (clock_now_us() - asked->view->started_us) / 1000);
    put_bool(root, "stopping", asked->stopping);
    put(root, "silent_workers", asked->pools->silent);
}

unsigned stats_json_answer(const struct http_asked *asked, struct output *body)
{
    struct pool_totals pools;
    json_t *root = json_object();
    bool good = pool_totals_init(&pools, asked->pools);
    if (good) {
        put_process(root, asked);
        put_pools(root, &pools);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            json_object_set_new(root, parts[i].key, parts[i].make(asked));
    }
    char *text = good ? json_dumps(root, JSON_COMPACT) : NULL;
    output_text(body, text ? text : "{\"error\":\"out of memory\"}");
    output_text(body, "\n");
    free(text);
    json_decref(root);
    pool_totals_fini(&pools);
    return text ? 200 : OUT_OF_MEMORY;
}
