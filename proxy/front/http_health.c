/*
 * Health checks, as load balancers and orchestrators ask for them: a status, and a line for people. They say
 * what the data plane would do now, since the router itself is asked.
 */
#include "proxy/front/http_routes.h"

#include "router/target.h"

#include <string.h>

#define OK 200u
#define BAD_REQUEST 400u
#define NOT_FOUND 404u
#define UNAVAILABLE 503u

unsigned http_answer_healthz(const struct http_asked *asked, struct output *body)
{
    (void)asked;
    output_text(body, "ok\n");
    return OK;
}

/* ---- one cluster ---- */

/* The node that a request would go to, -1 when there is none. */
static int choose(const struct topology *topology, enum route route, enum fallback fallback)
{
    const struct target_request request = {
        .route = route, .want_read = route != ROUTE_PRIMARY, .fallback = fallback};
    return topology ? target_choose(topology, &request).node : -1;
}

static const char *why_no_primary(const struct topology *topology)
{
    if (!topology)
        return "no node has been probed yet";
    return topology->no_primary_reason ? topology->no_primary_reason : "there is no primary";
}

static void explain_replicas(const struct topology *topology, struct output *body)
{
    bool any = false;
    for (size_t i = 0; topology && i < topology->n_nodes; i++) {
        const struct topology_node *node = &topology->nodes[i];
        if (node->role == ROLE_PRIMARY)
            continue;
        http_print(body, "%s%s is %s, %s: %s", any ? "; " : "", node->name, node_role_name(node->role),
            node_condition_name(node->condition), node->reason ? node->reason : "no reason is known");
        any = true;
    }
    if (!any)
        output_text(body, topology ? "there are no replicas" : "no node has been probed yet");
}

/* The cluster that is asked about: an index, or -1 with the answer given. */
static int which_cluster(const struct http_asked *asked, struct output *body, unsigned *status)
{
    const struct config *config = asked->view->config;
    if (!asked->cluster && config->n_clusters == 1)
        return 0;
    int index = asked->cluster ? admin_view_cluster(asked->view, asked->cluster) : -1;
    if (index >= 0)
        return index;
    *status = asked->cluster ? NOT_FOUND : BAD_REQUEST;
    output_text(body, asked->cluster ? "there is no such cluster; known are" : "say which: ?cluster= one of");
    for (size_t i = 0; i < config->n_clusters; i++)
        http_print(body, " %s", config->clusters[i].name);
    output_text(body, "\n");
    return -1;
}

static unsigned stopping(struct output *body)
{
    output_text(body, "rolecall is stopping\n");
    return UNAVAILABLE;
}

unsigned http_answer_primary(const struct http_asked *asked, struct output *body)
{
    unsigned status;
    if (asked->stopping)
        return stopping(body);
    int index = which_cluster(asked, body, &status);
    if (index < 0)
        return status;
    const struct topology *topology = asked->view->topologies[index];
    int node = choose(topology, ROUTE_PRIMARY, FALLBACK_ERROR);
    const char *name = asked->view->config->clusters[index].name;
    if (node >= 0)
        http_print(body, "%s: %s is primary\n", name, topology->nodes[node].name);
    else
        http_print(body, "%s: no primary: %s\n", name, why_no_primary(topology));
    return node >= 0 ? OK : UNAVAILABLE;
}

unsigned http_answer_replica(const struct http_asked *asked, struct output *body)
{
    unsigned status;
    if (asked->stopping)
        return stopping(body);
    int index = which_cluster(asked, body, &status);
    if (index < 0)
        return status;
    const struct topology *topology = asked->view->topologies[index];
    int node = choose(topology, ROUTE_REPLICA, FALLBACK_ERROR);
    const char *name = asked->view->config->clusters[index].name;
    if (node >= 0) {
        http_print(body, "%s: %s is a fit replica\n", name, topology->nodes[node].name);
        return OK;
    }
    http_print(body, "%s: no fit replica: ", name);
    explain_replicas(topology, body);
    output_text(body, "\n");
    return UNAVAILABLE;
}

/* ---- the whole ---- */

/* Could a client of this listener be served now? Writes of `split` count: without a primary it is half. */
static bool can_serve(const struct http_asked *asked, const struct config_listener *listener)
{
    const struct config_cluster *cluster = &asked->view->config->clusters[listener->cluster];
    const struct topology *topology = asked->view->topologies[listener->cluster];
    enum route route = listener->route == ROUTE_SPLIT ? ROUTE_PRIMARY : listener->route;
    return choose(topology, route, cluster->fallback) >= 0;
}

unsigned http_answer_readyz(const struct http_asked *asked, struct output *body)
{
    const struct config *config = asked->view->config;
    size_t served = 0;
    if (asked->stopping)
        return stopping(body);
    for (size_t i = 0; i < config->n_listeners; i++)
        served += can_serve(asked, &config->listeners[i]);
    output_text(body, served > 0 ? "ready\n" : "not ready\n");
    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *listener = &config->listeners[i];
        if (can_serve(asked, listener))
            continue;
        http_print(body, "listener %s cannot serve: cluster %s: ", listener->name,
            config->clusters[listener->cluster].name);
        if (listener->route == ROUTE_PRIMARY || listener->route == ROUTE_SPLIT)
            output_text(body, why_no_primary(asked->view->topologies[listener->cluster]));
        else
            explain_replicas(asked->view->topologies[listener->cluster], body);
        output_text(body, "\n");
    }
    return served > 0 ? OK : UNAVAILABLE;
}
