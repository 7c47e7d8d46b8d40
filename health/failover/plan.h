/*
 * What failover decides, from what was seen. Pure: no clock, no I/O. Any thread.
 *
 * A replica may be promoted without the loss of any acknowledged commit when those that can be asked include,
 * of the standbys that commits have waited for, so many that at least one of them has every such commit; the
 * most advanced one then has it too, since all are on one history.
 */
#ifndef ROLECALL_HEALTH_FAILOVER_PLAN_H
#define ROLECALL_HEALTH_FAILOVER_PLAN_H

#include "conf/config.h"
#include "health/judge.h"

#define PLAN_REASON_MAX 256

struct plan_facts {
    const struct evidence *evidence; /* of n nodes */
    size_t n;
    size_t old;                        /* the primary that is to be replaced */
    const struct observation *primary; /* its last answer as the primary */
    uint64_t since_ms;                 /* only younger answers count */
    enum data_loss data_loss;
    uint64_t excluded; /* bits of nodes that are not to be promoted */
    int wanted;        /* this node and no other; -1 = the best */
};

/* True when the primary is gone: it answers nothing, and no replica hears from it. Says why not. */
bool plan_is_gone(const struct plan_facts *facts, char reason[PLAN_REASON_MAX]);

/* The node to promote, or -1 with the reason. `reason` also says what may be lost, when that is allowed. */
int plan_choose(const struct plan_facts *facts, char reason[PLAN_REASON_MAX]);

/* What a replica has of the log: received or replayed, whichever is more. */
uint64_t plan_position(const struct observation *seen);

/* Could this node be promoted, as far as it itself is concerned? */
bool plan_is_eligible(const struct plan_facts *facts, size_t node, char reason[PLAN_REASON_MAX]);

#endif
