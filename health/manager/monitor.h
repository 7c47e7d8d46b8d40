/*
 * pg_auto_failover's monitor as a cluster's manager: see manager.h for what it does. Its table of nodes is
 * read over one persistent connection, anew with each notification that says that it may have changed, and
 * at least once a second.
 */
#ifndef ROLECALL_HEALTH_MANAGER_MONITOR_H
#define ROLECALL_HEALTH_MANAGER_MONITOR_H

#include "health/manager.h"

/* Never NULL. Same lifetimes as manager_open. */
struct manager *monitor_open(
    uv_loop_t *loop, const struct settings *settings, const struct manager_events *events);

#endif
