/*
 * The nodes of one group of a formation as the monitor's table had them when it was read last. Plain values,
 * no pointers; made from an answer by monitor_table_read, the rest is pure. Control thread only.
 */
#ifndef ROLECALL_HEALTH_MANAGER_MONITOR_TABLE_H
#define ROLECALL_HEALTH_MANAGER_MONITOR_TABLE_H

#include "health/manager.h"
#include "health/manager/monitor_state.h"
#include "health/pgconn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MONITOR_QUERY_MAX 512
#define MONITOR_COLUMNS 6

struct monitor_node {
    struct manager_member member;
    enum monitor_state goal, reported;
    bool keeper_silent;        /* what it reported is old: its pg_autoctl is dead or cut off */
    uint64_t leaving_since_us; /* the goal has left the writing states and it still reports one; 0 = no */
};

struct monitor_table {
    size_t n;
    struct monitor_node nodes[TOPOLOGY_MAX_NODES];
};

/* The question to the monitor, with $1 = formation and $2 = group. `relation` is the table
 * pgautofailover.node or a view with its columns: a name, or a schema and a name. */
void monitor_table_query(const char *relation, char out[MONITOR_QUERY_MAX]);

/* One row: name, host, port, goal, reported state, milliseconds since the report; NULL is allowed. False when
 * a name, host or port cannot be used. */
bool monitor_node_read(const char *const fields[MONITOR_COLUMNS], struct monitor_node *node);

/* False, with the reason, when the answer has no node, or one that cannot be used: *table stays as it was.
 * Dropped nodes are left out. `now_us` is the time from which a node that is leaving now is counted. */
bool monitor_table_read(
    struct monitor_table *table, const struct pgconn_answer *answer, uint64_t now_us, struct error *error);

/* True when there is a difference that the judge should know. */
bool monitor_table_differs(const struct monitor_table *a, const struct monitor_table *b);

/* NULL when there is no such node. */
const struct monitor_node *monitor_table_find(
    const struct monitor_table *table, const char *host, uint16_t port);

struct monitor_rules {
    uint64_t grace_us;   /* manager_grace */
    bool serve_draining; /* a primary whose goal is draining stays PRIMARY as long as it would be LEAVING */
};

/* The word of the monitor that was heard last `silent_us` ago, about a node of the table or (NULL) another.
 */
void monitor_table_word(const struct monitor_node *node, uint64_t now_us, uint64_t silent_us,
    const struct monitor_rules *rules, struct manager_word *word);

#endif
