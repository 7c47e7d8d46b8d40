/*
 * Nodes that went their own way, and the `rejoin` hook that is to bring them back: run when such a node is
 * seen and there is a primary to rejoin, and again while it fails, after pauses that grow. Owned by the
 * cluster's watch; control thread only. Its hook_queue must be closed before it goes.
 */
#ifndef ROLECALL_HEALTH_HOOK_REJOIN_H
#define ROLECALL_HEALTH_HOOK_REJOIN_H

#include "health/hook/queue.h"
#include "health/judge.h"
#include "health/roster.h"

#define REJOIN_PAUSE_US UINT64_C(10000000)      /* after the first attempt; it doubles with each */
#define REJOIN_PAUSE_MAX_US UINT64_C(300000000) /* and is no longer than this */

struct rejoin_node {
    uint32_t attempts;      /* since it was last seen as a replica */
    uint64_t not_before_us; /* the next one */
    bool trusted;           /* the hook ended well, and the node has not been seen otherwise since */
};

struct rejoin {
    struct rejoin_node nodes[TOPOLOGY_MAX_NODES];
    int running; /* the node whose hook has not ended; -1 = none */
    bool ended, ended_well;
    unsigned stale; /* hooks that run for nodes of another roster */
};

void rejoin_init(struct rejoin *rejoin);
/* With each verdict, which is about the roster's nodes; `now_us` is clock_now_us. */
void rejoin_judged(struct rejoin *rejoin, struct hook_queue *queue, const struct settings *settings,
    const struct roster *roster, const struct verdict *verdict, uint64_t now_us);
/* The roster is another one. */
void rejoin_forget(struct rejoin *rejoin);

#endif
