/*
 * Which node takes the next piece of work: a pure choice from a topology and what a session needs. Any
 * thread; reads the nodes' shared numbers (relaxed), keeps nothing, allocates nothing.
 *
 * A replica is fit for a read when it has the role, is not down, not drained, not excluded, has weight, is
 * within the lag bounds and has replayed the session's write epoch; unless the session's last answer came
 * from it, in its present incarnation, also the seen epoch, so that reads never go back in time. Replicas
 * that are up come before suspect ones. A session goes where its reads went before as long as that node is
 * fit; otherwise two are drawn by weight and the one with less outstanding work per weight is taken.
 */
#ifndef ROLECALL_ROUTER_TARGET_H
#define ROLECALL_ROUTER_TARGET_H

#include "conf/config.h"
#include "router/classify.h"
#include "router/topology.h"

#include <stdbool.h>
#include <stdint.h>

#define TARGET_NO_BOUND UINT64_MAX

/* Zeroed members mean: nothing asked for. */
struct target_request {
    enum route
        route; /* REPLICA ignores want_read; PRIMARY too; ANY and SPLIT send what is no read to the primary */
    bool want_read;       /* true only when the work is sure to be a read */
    uint64_t write_epoch; /* what a replica must have replayed; 0: nothing */
    uint64_t seen_epoch;  /* ... and what a node other than the last one must have replayed */
    const struct node_live
        *sticky; /* where this session's last read or write (masters) went; NULL: nowhere yet */
    const struct node_live
        *last;                 /* who gave the session's last answer, the primary too; NULL: the sticky one */
    uint32_t last_incarnation; /* target_answer.incarnation of when that was chosen */
    uint64_t max_lag_bytes, max_lag_ms; /* 0: the topology's; TARGET_NO_BOUND: none */
    uint64_t exclude;                   /* bit i: not node i of this topology (it was just tried) */
    enum fallback fallback;             /* for reads, when no replica is fit */
    uint64_t random;                    /* fresh random bits */
};

struct target_answer {
    int node;             /* index into the topology's nodes; -1: none */
    uint32_t incarnation; /* of the node: what was found of it holds while this is its incarnation */
    /* READ: a fit replica (ANY: or the primary). CONSISTENCY: replicas are there, but none has replayed
       enough. NO_REPLICA: none is fit otherwise. LISTENER: the route leaves no choice. WRITE: no read was
       asked for. */
    enum reason reason;
    bool wait; /* only with node -1: hold the work and ask again; false: refuse it */
};

struct target_answer target_choose(const struct topology *topology, const struct target_request *request);

/* True when this replica may serve that request as far as epochs and lag go; for sessions in READ ONLY
   transactions and for EXPLAIN ROUTE. */
bool target_fresh(const struct topology *topology, const struct target_request *request, int node);

#endif
