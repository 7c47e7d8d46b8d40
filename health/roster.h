/*
 * The nodes of a cluster as they are watched: those of the configuration, or, with a manager, the members
 * that it lists, in the order of their first appearance. Pure; any thread.
 *
 * A member at the host and port of a [node] section takes over that section's name, weight and limit. Until
 * the manager has listed members the sections stand in.
 */
#ifndef ROLECALL_HEALTH_ROSTER_H
#define ROLECALL_HEALTH_ROSTER_H

#include "conf/config.h"
#include "health/manager.h"

#include <stdbool.h>
#include <stddef.h>

struct roster {
    size_t n;
    struct config_node nodes[TOPOLOGY_MAX_NODES]; /* the strings are the roster's own */
};

/* Makes it anew; members NULL: of the configuration. True when who is watched has changed (a name, host, port
 * or the order), false when at most weights and limits have. `roster` is zeroed at first. */
bool roster_update(
    struct roster *roster, const struct config_cluster *cluster, const struct manager_members *members);

void roster_fini(struct roster *roster);

#endif
