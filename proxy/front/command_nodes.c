/*
 * The operator's word about a node: DRAIN, ENABLE, DISABLE, SET WEIGHT, ACCEPT, FORGET, PROBE. The control
 * thread obeys and answers; what came of it is in the next topology, so in SHOW NODES a moment later.
 */
#include "proxy/front/command_handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHT_MAX 10000 /* as the configuration has it */

static bool find_in_topologies(const struct admin_view *view, const char *name, const char **cluster)
{
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        const struct topology *topology = view->topologies[i];
        for (size_t node = 0; topology && node < topology->n_nodes; node++)
            if (strcmp(topology->nodes[node].name, name) == 0) {
                *cluster = topology->cluster;
                return true;
            }
    }
    return false;
}

static bool find_cluster(
    const struct admin_view *view, const char *node, const char **cluster, struct error *error)
{
    if (find_in_topologies(view, node, cluster))
        return true;
    return error_set(
        error, SQLSTATE_INVALID_PARAMETER, "there is no node \"%s\"; SHOW NODES lists them", node);
}

static void give_order(
    struct command_call *call, enum node_order order, const char *cluster, const char *node, uint32_t weight)
{
    struct admin_view *view = call->view;
    struct message *message = message_new(MESSAGE_NODE_ORDER);
    message->node_order.order = order;
    message->node_order.weight = weight;
    message->node_order.ticket = call->ticket = ++view->tickets;
    snprintf(message->node_order.cluster, MESSAGE_NAME_MAX, "%s", cluster);
    snprintf(message->node_order.node, NODE_NAME_MAX, "%s", node);
    view->actions->order_node(view->context, message);
    call->next = COMMAND_ORDERED;
}

static bool order_one(struct command_call *call, enum node_order order, struct error *error)
{
    const char *cluster;
    if (call->n_arguments != 1)
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "%s wants the name of a node", call->command->words);
    if (!find_cluster(call->view, call->arguments[0].text, &cluster, error))
        return false;
    give_order(call, order, cluster, call->arguments[0].text, 0);
    return true;
}

bool run_drain(struct command_call *call, struct error *error)
{
    return order_one(call, ORDER_DRAIN, error);
}

bool run_enable(struct command_call *call, struct error *error)
{
    return order_one(call, ORDER_ENABLE, error);
}

bool run_disable(struct command_call *call, struct error *error)
{
    return order_one(call, ORDER_DISABLE, error);
}

bool run_accept(struct command_call *call, struct error *error)
{
    return order_one(call, ORDER_ACCEPT, error);
}

bool run_forget(struct command_call *call, struct error *error)
{
    return order_one(call, ORDER_FORGET, error);
}

bool run_set_weight(struct command_call *call, struct error *error)
{
    const char *cluster;
    char *end = NULL;
    unsigned long weight = call->n_arguments == 2 ? strtoul(call->arguments[1].text, &end, 10) : 0;
    bool number = end && end > call->arguments[1].text && !*end && call->arguments[1].text[0] != '-';
    if (!number || weight > WEIGHT_MAX)
        return error_set(error, SQLSTATE_SYNTAX_ERROR,
            "SET WEIGHT wants the name of a node and a number up to %d", WEIGHT_MAX);
    if (!find_cluster(call->view, call->arguments[0].text, &cluster, error))
        return false;
    give_order(call, ORDER_WEIGHT, cluster, call->arguments[0].text, (uint32_t)weight);
    return true;
}

bool run_probe(struct command_call *call, struct error *error)
{
    const struct config *config = call->view->config;
    if (call->n_arguments > 0)
        return order_one(call, ORDER_PROBE, error);
    for (size_t i = 0; i < config->n_clusters; i++)
        give_order(call, ORDER_PROBE, config->clusters[i].name, "", 0); /* the last one's reply counts */
    return true;
}
