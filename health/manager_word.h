/*
 * What a cluster's manager (Patroni, the pg_auto_failover monitor, rolecall's own switchover) says of one
 * node, as the judge weighs it. Plain values, copied freely; no pointers, no clock.
 */
#ifndef ROLECALL_HEALTH_MANAGER_WORD_H
#define ROLECALL_HEALTH_MANAGER_WORD_H

#include <stdbool.h>
#include <stdint.h>

#define MANAGER_WHY_MAX 128

enum manager_role {
    MANAGER_NONE,    /* says nothing of this node, or nothing that gives it a role */
    MANAGER_PRIMARY, /* may take writes, as soon as SQL agrees */
    MANAGER_REPLICA,
    MANAGER_ABSTAINS, /* cannot be asked, which is no reason against the node: SQL alone decides */
    MANAGER_LEAVING /* was primary and is being deposed: new writes are held, what runs goes on to its end */
};

struct manager_word {
    enum manager_role role;
    bool heard;                /* a word about this node has ever come; age_ms says nothing otherwise */
    uint64_t age_ms;           /* of the newest word about this node */
    bool no_reads;             /* noloadbalance, maintenance, not streaming */
    bool leads_standbys;       /* the whole cluster follows another one, and it is the first that does */
    char why[MANAGER_WHY_MAX]; /* in words, the manager named; stays the same as long as nothing changes */
};

#endif
