/*
 * How long things take and how much goes through, by pool and node, since the start of the process: one
 * histogram for each phase of a request, and some sums.
 *
 * A meter belongs to a (cluster, database, user, node) and lives as long as the process, so that its counts
 * never fall. Each worker writes a share of its own (one writer, relaxed atomics); any thread may read. There
 * are at most METERS_MAX; the pools that come later are counted together as database and user "*" of their
 * node. A share takes 21 kB.
 */
#ifndef ROLECALL_POOL_METER_H
#define ROLECALL_POOL_METER_H

#include "conf/base/histogram.h"

#include <stdatomic.h>
#include <stdint.h>

#define METERS_MAX 256
#define METER_NAME_MAX 64
#define METER_WORKERS_MAX 256

enum meter_phase {
    METER_WAIT,    /* for a server connection; 0 when one was free */
    METER_LOGIN,   /* of a server connection: from connect to its first use */
    METER_NODE,    /* from the request's sending to ReadyForQuery, without METER_CLIENT */
    METER_CLIENT,  /* the node's answer was held up since the client did not take it */
    METER_REQUEST, /* the whole: from the request's arrival to the end of its answer */
    METER_PHASES
};

enum meter_sum {
    METER_TRANSACTIONS,
    METER_TRANSACTION_US, /* from the first request's arrival to the end of the last one's answer */
    METER_RECEIVED_BYTES, /* from clients, as it was before any rewriting; relays too */
    METER_SENT_BYTES,     /* to clients */
    METER_CLIENT_PARSES,  /* Parse messages of clients; of relays none are seen */
    METER_SERVER_PARSES,  /* ... to nodes: those that no connection had prepared already */
    METER_BINDS,          /* Bind messages to nodes */
    METER_SUMS
};

struct meter_share {
    struct histogram phases[METER_PHASES];
    _Atomic uint64_t sums[METER_SUMS];
};

struct meter {
    const struct meter *next;
    char cluster[METER_NAME_MAX], database[METER_NAME_MAX], user[METER_NAME_MAX], node[METER_NAME_MAX];
    struct meter_share *_Atomic shares[METER_WORKERS_MAX];
};

/* The worker's share of a meter, found or made; lives as long as the process. Takes a lock: called when a
   worker first meets a pool. */
struct meter_share *meter_share(
    const char *cluster, const char *database, const char *user, const char *node, uint32_t worker);

/* All meters so far, newest first, by their `next`. Any thread. */
const struct meter *meters_first(void);

/* Adds what all workers have counted. */
void meter_merge(const struct meter *meter, enum meter_phase phase, struct histogram *into);

/* The worker's own. */
static inline void meter_add(struct meter_share *share, enum meter_sum sum, uint64_t n)
{
    atomic_store_explicit(&share->sums[sum],
        atomic_load_explicit(&share->sums[sum], memory_order_relaxed) + n, memory_order_relaxed);
}
uint64_t meter_total(const struct meter *meter, enum meter_sum sum);

/* "wait", "login", "node", "client", "request" */
const char *meter_phase_name(enum meter_phase phase);

#endif
