/*
 * The process-wide account of a pool: how many server connections a (cluster, database, user, node) has, over
 * all workers. Counters are atomics; a ledger is found under a lock, which is taken when a worker first meets
 * a pool, never while a query is served. Reference-counted; any thread.
 */
#ifndef ROLECALL_POOL_LEDGER_H
#define ROLECALL_POOL_LEDGER_H

#include "router/topology.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ledger;

/* One reference is the caller's. */
struct ledger *ledger_find(
    const char *cluster, const char *database, const char *user, struct node_live *node);
struct ledger *ledger_ref(struct ledger *ledger);
void ledger_unref(struct ledger *ledger); /* NULL is allowed */

/* Takes room for one more connection: below `pool_size` here and `node_max` (0 = none) on the node. */
enum ledger_room { LEDGER_ROOM, LEDGER_POOL_FULL, LEDGER_NODE_FULL };
enum ledger_room ledger_reserve(struct ledger *ledger, uint32_t pool_size, uint32_t node_max);
void ledger_release(struct ledger *ledger);

struct node_live *ledger_node(const struct ledger *ledger); /* borrowed */
uint32_t ledger_connections(const struct ledger *ledger);
/* Claims that wait in all workers: raised and lowered by the workers. */
void ledger_waiting(struct ledger *ledger, int change);
uint32_t ledger_waiting_count(const struct ledger *ledger);
/* Somebody has asked for currval() or lastval(); stays so. */
void ledger_set_reads_sequences(struct ledger *ledger);
bool ledger_reads_sequences(const struct ledger *ledger);

#endif
