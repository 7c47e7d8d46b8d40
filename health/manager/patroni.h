/*
 * Patroni as a cluster's manager, over its REST API: members from /cluster of any node, words from /primary
 * of each node itself. See manager.h for owner and thread.
 */
#ifndef ROLECALL_HEALTH_MANAGER_PATRONI_H
#define ROLECALL_HEALTH_MANAGER_PATRONI_H

#include "health/manager.h"

struct manager *patroni_open(
    uv_loop_t *loop, const struct settings *settings, const struct manager_events *events);

#endif
