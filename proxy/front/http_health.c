/*
 * Health checks, as load balancers and orchestrators ask for them: a status, and a line for people. They say
 * what the data plane would do now, since the router itself is asked.
 */
#include "proxy/front/http_routes.h"
#include "proxy/front/service.h"

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
    int node = service_node(topology, ROUTE_PRIMARY, FALLBACK_ERROR);
    const char *name = asked->view->config->clusters[index].name;
    if (node >= 0)
        http_print(body, "%s: %s is primary\n", name, topology->nodes[node].name);
    else
        http_print(body, "%s: no primary: %s\n", name, service_no_primary(topology));
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
    int node = service_node(topology, ROUTE_REPLICA, FALLBACK_ERROR);
    const char *name = asked->view->config->clusters[index].name;
    if (node >= 0) {
        http_print(body, "%s: %s is a fit replica\n", name, topology->nodes[node].name);
        return OK;
    }
    http_print(body, "%s: no fit replica: ", name);
    service_no_replica(topology, body);
    output_text(body, "\n");
    return UNAVAILABLE;
}

/* ---- the whole ---- */

unsigned http_answer_readyz(const struct http_asked *asked, struct output *body)
{
    const struct config *config = asked->view->config;
    size_t served = 0;
    if (asked->stopping)
        return stopping(body);
    for (size_t i = 0; i < config->n_listeners; i++)
        served += service_of_listener(asked->view, &config->listeners[i]);
    output_text(body, served > 0 ? "ready\n" : "not ready\n");
    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *listener = &config->listeners[i];
        if (service_of_listener(asked->view, listener))
            continue;
        http_print(body, "listener %s cannot serve: cluster %s: ", listener->name,
            config->clusters[listener->cluster].name);
        if (listener->route == ROUTE_PRIMARY || listener->route == ROUTE_SPLIT)
            output_text(body, service_no_primary(asked->view->topologies[listener->cluster]));
        else
            service_no_replica(asked->view->topologies[listener->cluster], body);
        output_text(body, "\n");
    }
    return served > 0 ? OK : UNAVAILABLE;
}
