/*
 * SHOW REPLICATION: who follows whom, and how far. SHOW HOOKS: the operator's own commands, and what came of
 * them.
 */
#include "proxy/front/command_handlers.h"
#include "proxy/front/hook_log.h"

#include "conf/base/clock.h"

#include <stdio.h>

/* ---- replication ---- */

static const struct result_column replication_columns[] = {
    {"cluster", COLUMN_TEXT},
    {"node", COLUMN_TEXT},
    {"role", COLUMN_TEXT},
    {"condition", COLUMN_TEXT},
    {"state",
        COLUMN_TEXT}, /* of its WAL receiver: streaming; silent: it hears nothing; none; NULL: not known */
    {"timeline", COLUMN_NUMBER},
    {"lsn", COLUMN_TEXT},                 /* inserted; of a replica: replayed */
    {"received_lsn", COLUMN_TEXT},        /* by a replica */
    {"receive_lag_bytes", COLUMN_NUMBER}, /* behind the primary's position when that was looked at last */
    {"replay_lag_bytes", COLUMN_NUMBER},
    {"replay_lag_ms", COLUMN_NUMBER},
};
const struct result_shape replication_shape = RESULT_SHAPE(replication_columns);

static uint64_t load(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void add_lsn(struct result *result, uint64_t lsn)
{
    if (lsn)
        result_format(result, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
    else
        result_null(result);
}

static void add_node(struct result *result, const struct topology *topology, const struct topology_node *node)
{
    const struct node_live *live = node->live;
    const struct node_live *primary = topology->primary < 0 ? NULL : topology->nodes[topology->primary].live;
    uint32_t timeline = atomic_load_explicit(&live->timeline, memory_order_relaxed);
    uint64_t lsn = load(&live->lsn), received = load(&live->received_lsn);
    uint64_t ahead = primary ? load(&primary->lsn) : 0;
    uint64_t lag_bytes = load(&live->lag_bytes), lag_ms = load(&live->lag_ms);
    bool follows = node->role == ROLE_REPLICA;
    result_text(result, topology->cluster);
    result_text(result, node->name);
    result_text(result, node_role_name(node->role));
    result_text(result, node_condition_name(node->condition));
    result_text(result, node_following_name((enum node_following)atomic_load_explicit(
                            &live->following, memory_order_relaxed)));
    result_known_number(result, timeline > 0, timeline);
    add_lsn(result, lsn);
    add_lsn(result, received);
    result_known_number(result, follows && ahead && received, ahead > received ? ahead - received : 0);
    result_known_number(result, follows && lag_bytes != UINT64_MAX, lag_bytes);
    result_known_number(result, follows && lag_ms != UINT64_MAX, lag_ms);
}

bool show_replication(struct command_call *call, struct error *error)
{
    const struct admin_view *view = call->view;
    (void)error;
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        const struct topology *topology = view->topologies[i];
        for (size_t n = 0; topology && n < topology->n_nodes; n++)
            add_node(&call->result, topology, &topology->nodes[n]);
    }
    return true;
}

/* ---- hooks ---- */

static const struct result_column hooks_columns[] = {
    {"cluster", COLUMN_TEXT}, {"hook", COLUMN_TEXT}, {"command", COLUMN_TEXT}, {"timeout_ms", COLUMN_NUMBER},
    {"runs", COLUMN_NUMBER},                                                        /* since the start */
    {"failures", COLUMN_NUMBER}, {"last_time", COLUMN_TEXT}, {"last", COLUMN_TEXT}, /* how that ended */
};
const struct result_shape hooks_shape = RESULT_SHAPE(hooks_columns);

static void add_hook(
    struct command_call *call, const struct config_cluster *cluster, enum hook hook, char *const *words)
{
    struct result *result = &call->result;
    struct hook_record record = hook_log_find(call->view->hooks, cluster->name, hook_name(hook));
    char command[512], time[32];
    size_t len = 0;
    for (; *words && len < sizeof command; words++)
        len += (size_t)snprintf(command + len, sizeof command - len, "%s%s", len ? " " : "", *words);
    clock_format_ms(time, sizeof time, record.last_ms);
    result_text(result, cluster->name);
    result_text(result, hook_name(hook));
    result_text(result, command);
    result_number(result, cluster->hook_timeout_ms);
    result_number(result, record.runs);
    result_number(result, record.failures);
    result_text(result, record.runs ? time : NULL);
    result_text(result, record.runs ? record.last : NULL);
}

bool show_hooks(struct command_call *call, struct error *error)
{
    const struct config *config = call->view->config;
    (void)error;
    for (size_t i = 0; i < config->n_clusters; i++)
        for (int hook = 0; hook < HOOK_KINDS; hook++)
            if (config->clusters[i].hooks[hook])
                add_hook(call, &config->clusters[i], (enum hook)hook, config->clusters[i].hooks[hook]);
    return true;
}
