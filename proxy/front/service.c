/* What could be done for a client; see service.h. */
#include "proxy/front/service.h"

#include "proxy/front/http_routes.h"
#include "router/target.h"

#include <inttypes.h>

int service_node(const struct topology *topology, enum route route, enum fallback fallback)
{
    const struct target_request request = {
        .route = route, .want_read = route != ROUTE_PRIMARY, .fallback = fallback};
    return topology ? target_choose(topology, &request).node : -1;
}

bool service_of_listener(const struct admin_view *view, const struct config_listener *listener)
{
    const struct config_cluster *cluster = &view->config->clusters[listener->cluster];
    enum route route = listener->route == ROUTE_SPLIT ? ROUTE_PRIMARY : listener->route;
    return service_node(view->topologies[listener->cluster], route, cluster->fallback) >= 0;
}

const char *service_no_primary(const struct topology *topology)
{
    if (!topology)
        return "no node has been probed yet";
    return topology->no_primary_reason ? topology->no_primary_reason : "there is no primary";
}

void service_no_replica(const struct topology *topology, struct output *out)
{
    bool any = false;
    for (size_t i = 0; topology && i < topology->n_nodes; i++) {
        const struct topology_node *node = &topology->nodes[i];
        if (node->role == ROLE_PRIMARY)
            continue;
        http_print(out, "%s%s is %s, %s: %s", any ? "; " : "", node->name, node_role_name(node->role),
            node_condition_name(node->condition), node->reason ? node->reason : "no reason is known");
        any = true;
    }
    if (!any)
        output_text(out, topology ? "there are no replicas" : "no node has been probed yet");
}

static void say_lag(const struct topology *topology, const struct node_live *live, struct output *out)
{
    uint64_t bytes = atomic_load_explicit(&live->lag_bytes, memory_order_relaxed);
    uint64_t ms = atomic_load_explicit(&live->lag_ms, memory_order_relaxed);
    if (ms == UINT64_MAX && bytes == UINT64_MAX)
        output_text(out, "how far it is behind is not known");
    if (ms != UINT64_MAX)
        http_print(out, "it is %" PRIu64 " ms behind", ms);
    if (bytes != UINT64_MAX)
        http_print(out, "%s%" PRIu64 " bytes of WAL", ms != UINT64_MAX ? ", " : "it is behind by ", bytes);
    if (topology->max_lag_ms)
        http_print(out, "; max_lag_time is %" PRIu64 " ms", topology->max_lag_ms);
    if (topology->max_lag_bytes)
        http_print(out, "; max_lag is %" PRIu64 " bytes", topology->max_lag_bytes);
}

void service_unfit(const struct topology *topology, size_t i, struct output *out)
{
    const struct topology_node *node = &topology->nodes[i];
    const struct target_request request = {.route = ROUTE_REPLICA, .want_read = true};
    if (node->duty != DUTY_ENABLED)
        http_print(out, "an operator said so: it is %s", node_duty_name(node->duty));
    else if (node->condition == CONDITION_DOWN)
        http_print(out, "%s", node->reason ? node->reason : "it is down");
    else if (node->weight == 0)
        output_text(out, "its weight is 0");
    else if (!target_fresh(topology, &request, (int)i))
        say_lag(topology, node->live, out);
}
