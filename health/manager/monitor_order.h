/*
 * A failover that is ordered of the monitor, on a connection of its own, so that the one that listens goes on
 * hearing. Belongs to whoever opened it; control thread only.
 */
#ifndef ROLECALL_HEALTH_MANAGER_MONITOR_ORDER_H
#define ROLECALL_HEALTH_MANAGER_MONITOR_ORDER_H

#include "health/manager.h"
#include "health/pgconn.h"

#define MONITOR_ORDER_TIMEOUT_MS 10000 /* of the statement */

struct monitor_order;

struct monitor_order_spec {
    const struct pgconn_params *params; /* how to reach the monitor; without callbacks */
    const char *formation;
    uint32_t group;
    const char *node; /* "" = whichever the monitor finds best */
    void *context;
    /* Once, from the loop, never after monitor_order_close, which may be called from it. */
    void (*done)(void *context, bool accepted, const char *words);
};

/* Never NULL. All that `spec` points to is copied. */
struct monitor_order *monitor_order_open(uv_loop_t *loop, const struct monitor_order_spec *spec);
/* NULL is allowed. */
void monitor_order_close(struct monitor_order *order);

#endif
