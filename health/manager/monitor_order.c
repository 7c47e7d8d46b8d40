/*
 * perform_promotion and perform_failover of the monitor; see monitor_order.h.
 *
 *     connect -> SELECT -> done        (any failure: done, with the reason)
 *
 * The monitor sets goals and returns; what the nodes make of it shows in its table.
 */
#include "health/manager/monitor_order.h"

#include "health/memory.h"

#include <inttypes.h>
#include <stdio.h>

struct monitor_order {
    struct endpoint endpoint;
    struct pgconn *conn;
    char *formation, node[NODE_NAME_MAX], group[16];
    void *context;
    void (*done)(void *context, bool accepted, const char *words);
};

static void on_answer(void *context, const struct pgconn_answer *answer)
{
    struct monitor_order *order = context;
    const char *value = pgconn_value(answer, 0, 0);
    char words[MANAGER_ANSWER_MAX];
    bool answered = answer->outcome == PGCONN_OK, refused = answer->outcome == PGCONN_QUERY;
    bool forbidden = refused && strcmp(answer->error.sqlstate, "42501") == 0;
    bool accepted = answered && (!order->node[0] || (value && value[0] == 't'));
    if (accepted)
        snprintf(words, sizeof words, "the monitor has ordered it");
    else if (answered)
        snprintf(words, sizeof words, "the monitor has %s as the primary already", order->node);
    else
        snprintf(words, sizeof words, "%s: %.140s%s",
            refused ? "the monitor refuses" : "the monitor's answer did not come", answer->error.text,
            forbidden ? " (README.md tells what monitor_user must be granted)" : "");
    order->done(order->context, accepted, words);
}

static void on_opened(void *context, const struct pgconn_answer *answer)
{
    struct monitor_order *order = context;
    char words[MANAGER_ANSWER_MAX];
    if (answer->outcome != PGCONN_OK) {
        snprintf(words, sizeof words, "the monitor cannot be asked: %.160s", answer->error.text);
        order->done(order->context, false, words);
        return;
    }
    const char *const values[] = {order->formation, order->node[0] ? order->node : order->group};
    pgconn_query(order->conn,
        order->node[0] ? "SELECT pgautofailover.perform_promotion($1::text, $2::text)"
                       : "SELECT pgautofailover.perform_failover($1::text, $2::int)",
        values, 2, MONITOR_ORDER_TIMEOUT_MS, order, on_answer);
}

struct monitor_order *monitor_order_open(uv_loop_t *loop, const struct monitor_order_spec *spec)
{
    struct monitor_order *order = memory_new(1, sizeof *order);
    struct pgconn_params params = *spec->params;
    order->formation = memory_copy(spec->formation);
    snprintf(order->node, sizeof order->node, "%s", spec->node);
    snprintf(order->group, sizeof order->group, "%" PRIu32, spec->group);
    order->context = spec->context;
    order->done = spec->done;
    endpoint_init(&order->endpoint, params.endpoint->host, params.endpoint->port);
    params.endpoint = &order->endpoint;
    params.application_name = "rolecall switchover";
    params.context = order;
    params.opened = on_opened;
    params.lost = NULL;
    params.notified = NULL;
    order->conn = pgconn_open(loop, &params);
    return order;
}

void monitor_order_close(struct monitor_order *order)
{
    if (!order)
        return;
    pgconn_close(order->conn);
    endpoint_fini(&order->endpoint);
    free(order->formation);
    free(order);
}
