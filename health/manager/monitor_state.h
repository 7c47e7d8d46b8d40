/*
 * The states that pg_auto_failover's monitor knows of a node, and what they say of its role. Pure; any
 * thread.
 *
 * A node has two: its goal, which the monitor has assigned, and the one that its keeper (pg_autoctl) has
 * reported last. Source: pg_auto_failover 2.0, type pgautofailover.replication_state and the keeper's fsm.c.
 */
#ifndef ROLECALL_HEALTH_MANAGER_MONITOR_STATE_H
#define ROLECALL_HEALTH_MANAGER_MONITOR_STATE_H

#include "health/manager_word.h"

#include <stdbool.h>

enum monitor_state {
    MONITOR_OTHER, /* a word that is not known here: of a later version */
    MONITOR_UNKNOWN,
    MONITOR_INIT,
    MONITOR_SINGLE,
    MONITOR_WAIT_PRIMARY,
    MONITOR_PRIMARY,
    MONITOR_DRAINING,
    MONITOR_DEMOTE_TIMEOUT,
    MONITOR_DEMOTED,
    MONITOR_CATCHINGUP,
    MONITOR_SECONDARY,
    MONITOR_PREPARE_PROMOTION,
    MONITOR_STOP_REPLICATION,
    MONITOR_WAIT_STANDBY,
    MONITOR_MAINTENANCE,
    MONITOR_JOIN_PRIMARY,
    MONITOR_APPLY_SETTINGS,
    MONITOR_PREPARE_MAINTENANCE,
    MONITOR_WAIT_MAINTENANCE,
    MONITOR_REPORT_LSN,
    MONITOR_FAST_FORWARD,
    MONITOR_JOIN_SECONDARY,
    MONITOR_DROPPED
};
#define MONITOR_STATES (MONITOR_DROPPED + 1)

/* NULL is allowed. */
enum monitor_state monitor_state_parse(const char *text);
const char *monitor_state_name(enum monitor_state state);

/* A state in which a node may take writes. */
bool monitor_state_writes(enum monitor_state state);

/*
 * What the monitor says of a node by its two states: role, no_reads and why; heard and age stay as they are.
 * PRIMARY only says that it may take writes as soon as SQL agrees.
 */
void monitor_state_word(enum monitor_state goal, enum monitor_state reported, struct manager_word *word);

/* What is left of that when the monitor has been silent for longer than manager_grace. */
void monitor_state_word_unheard(
    enum monitor_state goal, enum monitor_state reported, struct manager_word *word);

#endif
