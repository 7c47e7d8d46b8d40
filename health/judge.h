/*
 * From what was seen to who holds which role. Pure: no clock, no I/O; ages come as numbers. Any thread.
 *
 * A node is primary only while its newest answer is younger than observation_ttl, it is out of recovery, its
 * system identifier is the cluster's, and no node ever showed a newer timeline. There is never more than one.
 *
 * In a managed cluster it needs the manager's fresh word besides. A primary of which is said that it is
 * leaving is none any more, but keeps role and generation (verdict.holding) until it stops, returns, or
 * another has taken its place: what runs there goes on to its end, new work is held.
 */
#ifndef ROLECALL_HEALTH_JUDGE_H
#define ROLECALL_HEALTH_JUDGE_H

#include "health/manager_word.h"
#include "health/observation.h"
#include "router/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JUDGE_REASON_MAX 256

struct judge_rules {
    uint64_t observation_ttl_ms; /* 0 = answers do not age (not recommended) */
    uint32_t down_after;         /* silent looks in a row until a node is down; 0 counts as 1 */
    bool managed;                /* only whom the manager names is primary; then: */
    uint64_t manager_grace_ms;   /* its words must be younger */
    bool read_only_waits;        /* a node that is read-only by default does not take writes yet */
    uint64_t replaced;           /* bits of nodes that are not primary any more, whatever they say */
};

/* What is known of one node. */
struct evidence {
    const char *name;
    enum finding finding; /* of the newest look */
    const char *error;    /* in words, unless it was an answer; "" is allowed, NULL is not */
    uint32_t silent;      /* looks in a row that ended silent, up to the newest */
    bool answered;        /* ever; then: */
    uint64_t age_ms;      /* of the newest answer */
    struct observation seen;
    struct manager_word word;
};

/* What a cluster must remember even when everything restarts; see state_file.h. 0 = nothing yet. */
struct judge_memory {
    uint64_t system_identifier;
    uint32_t timeline; /* the highest that was ever seen */
};

struct node_verdict {
    enum node_role role;
    enum node_condition condition;
    bool read_only;      /* primary, but default_transaction_read_only is on */
    bool strayed;        /* went its own way: must be rewound or cloned before it can serve again */
    bool no_reads;       /* the manager wants no reads there */
    bool shares_history; /* replica whose positions can be compared with the primary's */
    uint32_t generation; /* raised with each change of role, and when a primary's timeline changed unseen */
    uint32_t timeline;
    char reason[JUDGE_REASON_MAX];
};

struct verdict {
    struct judge_memory memory;
    int primary;        /* -1 = none, and `reason` says why */
    bool split;         /* ... because two nodes take writes apart from each other */
    int holding;        /* with primary -1: the node that is leaving and keeps the role meanwhile; else -1 */
    int standby_leader; /* with primary -1: whom the others of a standby cluster follow; else -1 */
    char reason[JUDGE_REASON_MAX];
    size_t n;
    struct node_verdict nodes[TOPOLOGY_MAX_NODES];
};

/* Before the first look: all unknown, in generation 1. */
void verdict_init(struct verdict *verdict, const struct judge_memory *memory, size_t n_nodes);

/* In: the previous verdict about the same nodes in the same order (verdict->n of them). Out: the present one.
 */
void judge(const struct judge_rules *rules, const struct evidence *evidence, struct verdict *verdict);

#endif
