/*
 * A connection to a node for a few statements that change it. Whoever opens it closes it (pgconn_close);
 * control thread only.
 */
#ifndef ROLECALL_HEALTH_FAILOVER_ERRAND_H
#define ROLECALL_HEALTH_FAILOVER_ERRAND_H

#include "health/pgconn.h"
#include "health/settings.h"

#define ERRAND_TIMEOUT_MS 10000 /* of each statement */

/* As the probe's user, to its database. `opened` as in pgconn.h. */
struct pgconn *errand_open(uv_loop_t *loop, const struct settings *settings, struct endpoint *endpoint,
    void *context, void (*opened)(void *context, const struct pgconn_answer *answer));

#endif
