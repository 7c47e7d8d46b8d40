/*
 * Prometheus' text format; see metrics.h. Each family is written at once, as the format wants it: HELP, TYPE,
 * then every sample of it. Histograms have buckets at powers of two of a microsecond, where those of the
 * meters end as well, so that their counts are exact.
 */
#include "proxy/front/metrics.h"

#include "conf/base/clock.h"
#include "proxy/front/counters.h"
#include "proxy/front/pool_totals.h"
#include "proxy/pool/meter.h"
#include "proxy/session/census.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define OUT_OF_MEMORY 503u
#define FIRST_BUCKET 6 /* 2^6 us = 64 us */
#define LAST_BUCKET 25 /* 2^25 us = 33.6 s */

/* ---- the format ---- */

static void family(struct output *out, const char *name, const char *type, const char *help)
{
    http_print(out, "# HELP rolecall_%s %s\n# TYPE rolecall_%s %s\n", name, help, name, type);
}

static void escaped(struct output *out, const char *text)
{
    char room[256];
    for (const char *at = clean_text(text, room, sizeof room); *at; at++) {
        if (*at == '\n')
            output_text(out, "\\n");
        else if (*at == '"' || *at == '\\')
            output_bytes(out, (char[]){'\\', *at}, 2);
        else
            output_bytes(out, at, 1);
    }
}

/* The name and its labels: pairs of key and value, ended by NULL. */
static void head(struct output *out, const char *name, ...) __attribute__((sentinel));
static void head(struct output *out, const char *name, ...)
{
    va_list labels;
    const char *key, *between = "{";
    http_print(out, "rolecall_%s", name);
    va_start(labels, name);
    while ((key = va_arg(labels, const char *))) {
        http_print(out, "%s%s=\"", between, key);
        escaped(out, va_arg(labels, const char *));
        output_text(out, "\"");
        between = ",";
    }
    va_end(labels);
    output_text(out, *between == ',' ? "} " : " ");
}

static void number(struct output *out, uint64_t value)
{
    http_print(out, "%" PRIu64 "\n", value);
}

static void seconds(struct output *out, uint64_t us)
{
    http_print(out, "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
}

static uint64_t load64(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static uint64_t load32(const _Atomic uint32_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* ---- the process ---- */

static void write_process(struct output *out, const struct admin_view *view)
{
    uint64_t age_us = clock_now_us() - view->started_us;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    family(out, "build_info", "gauge", "The version of rolecall.");
    head(out, "build_info", "version", ROLECALL_VERSION, NULL);
    number(out, 1);
    family(out, "start_time_seconds", "gauge", "When the process began, in seconds since 1970.");
    head(out, "start_time_seconds", NULL);
    seconds(out, now_us - age_us);
    family(out, "clients_max", "gauge", "Client connections that are allowed at once.");
    head(out, "clients_max", NULL);
    number(out, view->config->max_clients);
}

static void write_counters(struct output *out, const struct admin_view *view)
{
    size_t n;
    const struct counter *all = counters(&n);
    for (size_t i = 0; i < n; i++) {
        family(out, all[i].metric, all[i].gauge ? "gauge" : "counter", all[i].help);
        head(out, all[i].metric, NULL);
        number(out, counter_sum(view, &all[i]));
    }
    family(out, "verdicts_total", "counter", "Where requests were sent, by the reason of the choice.");
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        head(out, "verdicts_total", "reason", reason_name((enum reason)reason), NULL);
        number(out, counter_verdicts(view, (enum reason)reason));
    }
}

static void write_workers(struct output *out, const struct admin_view *view)
{
    static const char *const chosen[] = {"clients", "requests_total"};
    static const char *const names[] = {"worker_clients", "worker_requests_total"};
    size_t n;
    const struct counter *all = counters(&n);
    for (size_t which = 0; which < 2; which++)
        for (size_t i = 0; i < n; i++) {
            if (strcmp(all[i].metric, chosen[which]) != 0)
                continue;
            family(out, names[which], all[i].gauge ? "gauge" : "counter", all[i].help);
            for (uint32_t worker = 0; worker < view->n_workers; worker++) {
                char text[16];
                snprintf(text, sizeof text, "%u", worker);
                head(out, names[which], "worker", text, NULL);
                number(out, counter_of(&view->workers[worker], &all[i]));
            }
        }
}

static void write_listeners(struct output *out, const struct config *config)
{
    family(out, "listener_clients", "gauge", "Clients that have logged in through the listener.");
    for (size_t i = 0; i < config->n_listeners; i++) {
        head(out, "listener_clients", "listener", config->listeners[i].name, "cluster",
            config->clusters[config->listeners[i].cluster].name, NULL);
        number(out, census_count(CENSUS_LISTENER, config->listeners[i].name));
    }
}

/* ---- clusters and nodes ---- */

static void write_clusters(struct output *out, const struct admin_view *view)
{
    const struct config *config = view->config;
    family(out, "cluster_has_primary", "gauge", "1 when there is a node to write to.");
    for (size_t i = 0; i < config->n_clusters; i++) {
        const struct topology *topology = view->topologies[i];
        head(out, "cluster_has_primary", "cluster", config->clusters[i].name, NULL);
        number(out, topology && topology->primary >= 0);
    }
    family(out, "cluster_timeline", "gauge", "The primary's timeline; 0 = not known.");
    for (size_t i = 0; i < config->n_clusters; i++) {
        head(out, "cluster_timeline", "cluster", config->clusters[i].name, NULL);
        number(out, view->topologies[i] ? view->topologies[i]->timeline : 0);
    }
}

static void write_holds(struct output *out, const struct admin_view *view)
{
    family(out, "cluster_holding_requests", "gauge", "Requests that wait for a node to serve them.");
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        const struct topology *topology = view->topologies[i];
        head(out, "cluster_holding_requests", "cluster", view->config->clusters[i].name, NULL);
        number(out, topology && topology->live ? load32(&topology->live->holding) : 0);
    }
    family(out, "cluster_failed_holds_total", "counter", "Requests that no node could serve in time.");
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        const struct topology *topology = view->topologies[i];
        head(out, "cluster_failed_holds_total", "cluster", view->config->clusters[i].name, NULL);
        number(out, topology && topology->live ? load64(&topology->live->hold_failed) : 0);
    }
}

/* A number of a node. False: there is none at the moment. */
struct node_gauge {
    const char *metric, *type, *help;
    bool (*read)(const struct topology_node *node, uint64_t *value);
    bool is_ms; /* written in seconds */
};

static bool node_up(const struct topology_node *node, uint64_t *value)
{
    *value = node->condition == CONDITION_UP;
    return true;
}

static bool node_lag_bytes(const struct topology_node *node, uint64_t *value)
{
    *value = load64(&node->live->lag_bytes);
    return node->role == ROLE_REPLICA && *value != UINT64_MAX;
}

static bool node_lag_ms(const struct topology_node *node, uint64_t *value)
{
    *value = load64(&node->live->lag_ms);
    return node->role == ROLE_REPLICA && *value != UINT64_MAX;
}

static bool node_outstanding(const struct topology_node *node, uint64_t *value)
{
    *value = load32(&node->live->outstanding);
    return true;
}

static bool node_connections(const struct topology_node *node, uint64_t *value)
{
    *value = load32(&node->live->connections);
    return true;
}

static bool node_max_connections(const struct topology_node *node, uint64_t *value)
{
    *value = node->max_connections;
    return node->max_connections > 0;
}

static bool node_weight(const struct topology_node *node, uint64_t *value)
{
    *value = node->weight;
    return true;
}

static bool node_exchanges(const struct topology_node *node, uint64_t *value)
{
    *value = load64(&node->live->exchanges);
    return true;
}

static bool node_role_changes(const struct topology_node *node, uint64_t *value)
{
    *value = node->generation;
    return true;
}

static const struct node_gauge node_gauges[] = {
    {"node_up", "gauge", "1 when the node answers its probes.", node_up, false},
    {"node_lag_bytes", "gauge", "WAL that the replica has not replayed yet.", node_lag_bytes, false},
    {"node_lag_seconds", "gauge", "How far the replica is behind.", node_lag_ms, true},
    {"node_outstanding_requests", "gauge", "Requests on their way now.", node_outstanding, false},
    {"node_connections", "gauge", "Server connections, those being opened included.", node_connections,
        false},
    {"node_connections_max", "gauge", "Server connections that are allowed.", node_max_connections, false},
    {"node_weight", "gauge", "The node's share of the reads.", node_weight, false},
    {"node_requests_total", "counter", "Requests that the node has answered.", node_exchanges, false},
    {"node_role_changes_total", "counter", "How often the node's role has changed.", node_role_changes,
        false},
};

static void write_node_gauge(
    struct output *out, const struct admin_view *view, const struct node_gauge *gauge)
{
    family(out, gauge->metric, gauge->type, gauge->help);
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        const struct topology *topology = view->topologies[i];
        for (size_t k = 0; topology && k < topology->n_nodes; k++) {
            uint64_t value;
            if (!gauge->read(&topology->nodes[k], &value))
                continue;
            head(out, gauge->metric, "cluster", topology->cluster, "node", topology->nodes[k].name, NULL);
            if (gauge->is_ms)
                seconds(out, value * 1000);
            else
                number(out, value);
        }
    }
}

static void write_roles(struct output *out, const struct admin_view *view)
{
    static const enum node_role roles[] = {ROLE_UNKNOWN, ROLE_PRIMARY, ROLE_REPLICA, ROLE_MASTER};
    family(out, "node_role", "gauge", "1 for the role that the node holds, 0 for the others.");
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        const struct topology *topology = view->topologies[i];
        for (size_t k = 0; topology && k < topology->n_nodes; k++)
            for (size_t role = 0; role < sizeof roles / sizeof *roles; role++) {
                head(out, "node_role", "cluster", topology->cluster, "node", topology->nodes[k].name, "role",
                    node_role_name(roles[role]), NULL);
                number(out, topology->nodes[k].role == roles[role]);
            }
    }
}

static void write_nodes(struct output *out, const struct admin_view *view)
{
    write_roles(out, view);
    for (size_t i = 0; i < sizeof node_gauges / sizeof *node_gauges; i++)
        write_node_gauge(out, view, &node_gauges[i]);
}

/* ---- pools ---- */

#define POOL_LABELS(pool)                                                                                    \
    "cluster", (pool)->cluster, "database", (pool)->database, "user", (pool)->user, "node", (pool)->node

static void write_pool_states(struct output *out, const struct pool_report *pool)
{
    const struct {
        const char *name;
        uint32_t n;
    } states[] = {{"active", pool->active - pool->resetting}, {"idle", pool->idle},
        {"resetting", pool->resetting}, {"opening", pool->opening}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        head(out, "pool_connections", POOL_LABELS(pool), "state", states[i].name, NULL);
        number(out, states[i].n);
    }
}

static void write_pools(struct output *out, const struct pool_totals *totals)
{
    family(out, "pool_connections", "gauge", "Server connections of a database, user and node, by state.");
    for (size_t i = 0; i < totals->n; i++)
        write_pool_states(out, &totals->pools[i]);
    family(out, "pool_waiting_clients", "gauge", "Clients that wait for a server connection.");
    for (size_t i = 0; i < totals->n; i++) {
        head(out, "pool_waiting_clients", POOL_LABELS(&totals->pools[i]), NULL);
        number(out, totals->pools[i].waiting);
    }
    family(out, "pool_oldest_wait_seconds", "gauge", "How long the first of them has waited.");
    for (size_t i = 0; i < totals->n; i++) {
        head(out, "pool_oldest_wait_seconds", POOL_LABELS(&totals->pools[i]), NULL);
        seconds(out, totals->pools[i].oldest_wait_us);
    }
    family(out, "pool_connections_max", "gauge", "Server connections that are allowed (pool_size); 0 = any.");
    for (size_t i = 0; i < totals->n; i++) {
        head(out, "pool_connections_max", POOL_LABELS(&totals->pools[i]), NULL);
        number(out, totals->pools[i].pool_size);
    }
    family(out, "pools_left_out", "gauge", "Pools beyond the number that is told of here.");
    head(out, "pools_left_out", NULL);
    number(out, totals->left_out);
}

/* ---- times ---- */

static void write_histogram(
    struct output *out, const char *name, const struct meter *meter, enum meter_phase phase)
{
    struct histogram sum = {0};
    char part[48], le[32];
    meter_merge(meter, phase, &sum);
    uint64_t count = histogram_count(&sum);
    snprintf(part, sizeof part, "%s_bucket", name);
    for (int power = FIRST_BUCKET; power <= LAST_BUCKET; power++) {
        uint64_t us = UINT64_C(1) << power;
        snprintf(le, sizeof le, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
        head(out, part, POOL_LABELS(meter), "le", le, NULL);
        number(out, histogram_at_most(&sum, us - 1));
    }
    head(out, part, POOL_LABELS(meter), "le", "+Inf", NULL);
    number(out, count);
    snprintf(part, sizeof part, "%s_sum", name);
    head(out, part, POOL_LABELS(meter), NULL);
    seconds(out, histogram_sum_us(&sum));
    snprintf(part, sizeof part, "%s_count", name);
    head(out, part, POOL_LABELS(meter), NULL);
    number(out, count);
}

static void write_times(struct output *out)
{
    static const struct {
        const char *name, *help;
    } phases[METER_PHASES] = {
        [METER_WAIT] = {"wait_seconds", "How long requests waited for a server connection."},
        [METER_LOGIN] = {"server_login_seconds", "How long it took to open a server connection and log in."},
        [METER_NODE] = {"node_seconds", "From a request's sending to the node to the end of its answer."},
        [METER_CLIENT] = {"client_seconds",
            "How long answers were held up by clients that did not take them."},
        [METER_REQUEST] = {"request_seconds", "From a request's arrival to the end of its answer."},
    };
    for (int phase = 0; phase < METER_PHASES; phase++) {
        family(out, phases[phase].name, "histogram", phases[phase].help);
        for (const struct meter *meter = meters_first(); meter; meter = meter->next)
            write_histogram(out, phases[phase].name, meter, (enum meter_phase)phase);
    }
}

unsigned metrics_answer(const struct http_asked *asked, struct output *body)
{
    struct pool_totals totals;
    if (!pool_totals_init(&totals, asked->pools)) {
        output_text(body, "out of memory\n");
        return OUT_OF_MEMORY;
    }
    write_process(body, asked->view);
    write_counters(body, asked->view);
    write_workers(body, asked->view);
    write_listeners(body, asked->view->config);
    write_clusters(body, asked->view);
    write_holds(body, asked->view);
    write_nodes(body, asked->view);
    write_pools(body, &totals);
    write_times(body);
    pool_totals_fini(&totals);
    return 200;
}
