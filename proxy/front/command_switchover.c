/*
 * SWITCHOVER: passed on to the control thread, and answered when it is over, which may take as long as
 * drain_timeout, the demote hook and a promotion do. A CancelRequest calls it off while transactions are
 * waited for; later it only ends the wait.
 */
#include "proxy/front/command_handlers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct result_column switchover_columns[] = {{"switchover", COLUMN_TEXT}};
const struct result_shape switchover_shape = RESULT_SHAPE(switchover_columns);

static const struct config_cluster *find_cluster(const struct admin_view *view, const char *name)
{
    const struct config *config = view->config;
    for (size_t i = 0; name && i < config->n_clusters; i++)
        if (strcmp(config->clusters[i].name, name) == 0)
            return &config->clusters[i];
    return !name && config->n_clusters == 1 ? &config->clusters[0] : NULL;
}

struct wish {
    const struct config_cluster *cluster;
    const char *node; /* NULL: the best one */
};

static bool read_wish(const struct command_call *call, struct wish *out, struct error *error)
{
    const char *name = NULL;
    *out = (struct wish){.node = NULL};
    for (size_t i = 0; i < call->n_arguments; i += 2) {
        bool to = strcasecmp(call->arguments[i].text, "TO") == 0 && !out->node;
        bool cluster = strcasecmp(call->arguments[i].text, "CLUSTER") == 0 && !name;
        if ((!to && !cluster) || i + 1 == call->n_arguments)
            return error_set(error, SQLSTATE_SYNTAX_ERROR, "SWITCHOVER takes %s", call->command->arguments);
        *(to ? &out->node : &name) = call->arguments[i + 1].text;
    }
    out->cluster = find_cluster(call->view, name);
    if (!out->cluster && !name)
        return error_set(error, SQLSTATE_INVALID_PARAMETER, "which cluster? SWITCHOVER ... CLUSTER name");
    return out->cluster ||
           error_set(error, SQLSTATE_INVALID_PARAMETER, "there is no cluster \"%.64s\"", name);
}

/* Its ticket is the call's. */
static void give(const struct command_call *call, enum node_order order, const struct wish *wish)
{
    struct message *message = message_new(MESSAGE_NODE_ORDER);
    message->node_order.order = order;
    message->node_order.ticket = call->ticket;
    snprintf(message->node_order.cluster, MESSAGE_NAME_MAX, "%s", wish->cluster->name);
    snprintf(message->node_order.node, NODE_NAME_MAX, "%s", wish->node ? wish->node : "");
    call->view->actions->order_node(call->view->context, message);
}

bool run_switchover(struct command_call *call, struct error *error)
{
    struct wish wish;
    if (!read_wish(call, &wish, error))
        return false;
    call->ticket = ++call->view->tickets;
    give(call, ORDER_SWITCHOVER, &wish);
    call->next = COMMAND_ORDERED;
    return true;
}

bool cancel_switchover(struct command_call *call, struct error *error)
{
    struct wish wish;
    if (!read_wish(call, &wish, error)) /* a reload has taken the cluster away */
        return false;
    give(call, ORDER_CALL_OFF, &wish);
    return true;
}
