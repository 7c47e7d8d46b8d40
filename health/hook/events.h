/*
 * From what changed in a verdict to the hooks that tell of it. Owned by nobody: plain functions; control
 * thread only.
 */
#ifndef ROLECALL_HEALTH_HOOK_EVENTS_H
#define ROLECALL_HEALTH_HOOK_EVENTS_H

#include "health/hook/queue.h"
#include "health/judge.h"
#include "health/roster.h"

/* What every hook is told: itself, the cluster, the configuration's path and the primary, if there is one. */
void events_facts(struct facts *facts, enum hook hook, const struct settings *settings,
    const struct roster *roster, const struct verdict *verdict);
/* And of the node that it is about. */
void events_node_facts(
    struct facts *facts, const struct roster *roster, const struct verdict *verdict, size_t node);

/* Both verdicts are about the roster's nodes. */
void events_tell(struct hook_queue *queue, const struct settings *settings, const struct roster *roster,
    const struct verdict *before, const struct verdict *now);

#endif
