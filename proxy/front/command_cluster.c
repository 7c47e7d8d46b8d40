/* Commands about clusters and the way to them: SHOW NODES, SHOW CLUSTERS, SHOW LISTENERS. */
#include "proxy/front/command_handlers.h"

#include "proxy/session/census.h"

static uint64_t load64(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static uint32_t load32(const _Atomic uint32_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* ---- nodes ---- */

static const struct result_column nodes_columns[] = {
    {"cluster", COLUMN_TEXT},
    {"node", COLUMN_TEXT},
    {"role", COLUMN_TEXT},
    {"condition", COLUMN_TEXT},
    {"duty", COLUMN_TEXT}, /* what the administrator said: enabled, drained, disabled */
    {"host", COLUMN_TEXT},
    {"port", COLUMN_NUMBER},
    {"weight", COLUMN_NUMBER},
    {"generation", COLUMN_NUMBER}, /* raised at each change of its role */
    {"lag_bytes", COLUMN_NUMBER},
    {"lag_ms", COLUMN_NUMBER},
    {"replayed_epoch", COLUMN_NUMBER}, /* to be compared with sampled_epoch of SHOW CLUSTERS */
    {"outstanding", COLUMN_NUMBER},    /* requests on their way now */
    {"connections", COLUMN_NUMBER},
    {"max_connections", COLUMN_NUMBER},
    {"exchanges", COLUMN_NUMBER}, /* requests answered since the start */
    {"reason", COLUMN_TEXT},
};
const struct result_shape nodes_shape = RESULT_SHAPE(nodes_columns);

static void add_node(struct result *result, const struct topology *topology, const struct topology_node *node)
{
    const struct node_live *live = node->live;
    bool follows = node->role == ROLE_REPLICA;
    uint64_t lag_ms = load64(&live->lag_ms), lag_bytes = load64(&live->lag_bytes);
    result_text(result, topology->cluster);
    result_text(result, node->name);
    result_format(result, "%s%s", node_role_name(node->role), node->read_only ? " (read-only)" : "");
    result_text(result, node_condition_name(node->condition));
    result_text(result, node_duty_name(node->duty));
    result_text(result, node->host);
    result_number(result, node->port);
    result_number(result, node->weight);
    result_number(result, node->generation);
    result_known_number(result, follows && lag_bytes != UINT64_MAX, lag_bytes);
    result_known_number(result, follows && lag_ms != UINT64_MAX, lag_ms);
    result_known_number(result, follows, load64(&live->replayed_epoch));
    result_number(result, load32(&live->outstanding));
    result_number(result, load32(&live->connections));
    result_known_number(result, node->max_connections > 0, node->max_connections);
    result_number(result, load64(&live->exchanges));
    result_text(result, node->reason);
}

bool show_nodes(struct command_call *call, struct error *error)
{
    const struct admin_view *view = call->view;
    (void)error;
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        const struct topology *topology = view->topologies[i];
        for (size_t node = 0; topology && node < topology->n_nodes; node++)
            add_node(&call->result, topology, &topology->nodes[node]);
    }
    return true;
}

/* ---- clusters ---- */

static const struct result_column clusters_columns[] = {
    {"cluster", COLUMN_TEXT}, {"primary", COLUMN_TEXT}, {"nodes", COLUMN_NUMBER}, {"up", COLUMN_NUMBER},
    {"replicas", COLUMN_NUMBER},      /* with the role and not down */
    {"version", COLUMN_NUMBER},       /* of the topology: raised at every change */
    {"sampled_epoch", COLUMN_NUMBER}, /* of the primary's position */
    {"reason", COLUMN_TEXT},          /* why there is no primary */
};
const struct result_shape clusters_shape = RESULT_SHAPE(clusters_columns);

static void add_unknown_cluster(struct result *result, const struct config_cluster *cluster)
{
    result_text(result, cluster->name);
    result_null(result);
    result_number(result, cluster->n_nodes);
    result_number(result, 0);
    result_number(result, 0);
    result_number(result, 0);
    result_null(result);
    result_text(result, "no node has been probed yet");
}

static void add_cluster(struct result *result, const struct topology *topology)
{
    uint64_t up = 0, replicas = 0;
    for (size_t i = 0; i < topology->n_nodes; i++) {
        const struct topology_node *node = &topology->nodes[i];
        up += node->condition == CONDITION_UP;
        replicas += node->role == ROLE_REPLICA && node->condition != CONDITION_DOWN;
    }
    result_text(result, topology->cluster);
    result_text(result, topology->primary < 0 ? NULL : topology->nodes[topology->primary].name);
    result_number(result, topology->n_nodes);
    result_number(result, up);
    result_number(result, replicas);
    result_number(result, topology->version);
    result_known_number(
        result, topology->live != NULL, topology->live ? load64(&topology->live->started) : 0);
    result_text(result, topology->primary < 0 ? topology->no_primary_reason : NULL);
}

bool show_clusters(struct command_call *call, struct error *error)
{
    const struct admin_view *view = call->view;
    (void)error;
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        if (view->topologies[i])
            add_cluster(&call->result, view->topologies[i]);
        else
            add_unknown_cluster(&call->result, &view->config->clusters[i]);
    }
    return true;
}

/* ---- listeners ---- */

static const struct result_column listeners_columns[] = {
    {"listener", COLUMN_TEXT},
    {"address", COLUMN_TEXT},
    {"cluster", COLUMN_TEXT},
    {"route", COLUMN_TEXT},
    {"pool_mode", COLUMN_TEXT},
    {"auth", COLUMN_TEXT},
    {"tls", COLUMN_TEXT},
    {"proxy_protocol", COLUMN_BOOL},
    {"clients", COLUMN_NUMBER}, /* that have logged in */
    {"max_clients", COLUMN_NUMBER},
};
const struct result_shape listeners_shape = RESULT_SHAPE(listeners_columns);

bool show_listeners(struct command_call *call, struct error *error)
{
    const struct config *config = call->view->config;
    struct result *result = &call->result;
    (void)error;
    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *listener = &config->listeners[i];
        result_text(result, listener->name);
        result_text(result, listener->address);
        result_text(result, config->clusters[listener->cluster].name);
        result_text(result, route_name(listener->route));
        result_text(result, pool_mode_name(listener->pool));
        result_text(result, auth_method_name(listener->auth));
        result_text(result, tls_mode_name(listener->tls.mode));
        result_bool(result, listener->proxy_protocol);
        result_number(result, census_count(CENSUS_LISTENER, listener->name));
        result_known_number(result, listener->max_clients > 0, listener->max_clients);
    }
    return true;
}
