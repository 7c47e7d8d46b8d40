/*
 * From the monitor's states to words; see monitor_state.h.
 *
 * The goal decides, and SQL must agree. It leaves the writing states before anything happens to the old
 * primary: what it reports is still one of them, so it is LEAVING, 60 to 150 ms before its connections drop.
 * It enters them for the new one, as wait_primary, 30 to 115 ms before the promotion ends, and up to two
 * seconds before that is reported: whoever waits for both states gives these two seconds away, whoever trusts
 * one of them without SQL sends writes to a standby. The monitor never gives two nodes of a group such a goal
 * at a time.
 *
 * A monitor that is lost is another matter than a Patroni that is lost. Patroni's leader lock runs out on its
 * own and a successor may exist, so silence takes the role away. Here nobody is deposed and nobody promoted
 * but by the monitor's order: while it is down the primary writes on, and all nodes go on as they are; the
 * only thing that silence could hide from us alone is an order that reached the nodes, and that shows in SQL:
 * the old primary is stopped, or in recovery, or on an older timeline than one that was seen. So after
 * manager_grace PostgreSQL alone decides, as it does for every client that uses the formation's own
 * connection string (target_session_attrs=read-write): whoever is out of recovery and not read-only, on the
 * newest timeline. Only one whom the monitor was deposing, or held in maintenance, when it was last heard
 * stays refused: that order is out.
 */
#include "health/manager/monitor_state.h"

#include <stdio.h>
#include <string.h>

static const char *const names[MONITOR_STATES] = {[MONITOR_OTHER] = "another state",
    [MONITOR_UNKNOWN] = "unknown",
    [MONITOR_INIT] = "init",
    [MONITOR_SINGLE] = "single",
    [MONITOR_WAIT_PRIMARY] = "wait_primary",
    [MONITOR_PRIMARY] = "primary",
    [MONITOR_DRAINING] = "draining",
    [MONITOR_DEMOTE_TIMEOUT] = "demote_timeout",
    [MONITOR_DEMOTED] = "demoted",
    [MONITOR_CATCHINGUP] = "catchingup",
    [MONITOR_SECONDARY] = "secondary",
    [MONITOR_PREPARE_PROMOTION] = "prepare_promotion",
    [MONITOR_STOP_REPLICATION] = "stop_replication",
    [MONITOR_WAIT_STANDBY] = "wait_standby",
    [MONITOR_MAINTENANCE] = "maintenance",
    [MONITOR_JOIN_PRIMARY] = "join_primary",
    [MONITOR_APPLY_SETTINGS] = "apply_settings",
    [MONITOR_PREPARE_MAINTENANCE] = "prepare_maintenance",
    [MONITOR_WAIT_MAINTENANCE] = "wait_maintenance",
    [MONITOR_REPORT_LSN] = "report_lsn",
    [MONITOR_FAST_FORWARD] = "fast_forward",
    [MONITOR_JOIN_SECONDARY] = "join_secondary",
    [MONITOR_DROPPED] = "dropped"};

enum monitor_state monitor_state_parse(const char *text)
{
    for (int i = MONITOR_UNKNOWN; text && i < MONITOR_STATES; i++) {
        if (strcmp(names[i], text) == 0)
            return (enum monitor_state)i;
    }
    return MONITOR_OTHER;
}

const char *monitor_state_name(enum monitor_state state)
{
    return names[state];
}

bool monitor_state_writes(enum monitor_state state)
{
    return state == MONITOR_SINGLE || state == MONITOR_WAIT_PRIMARY || state == MONITOR_PRIMARY ||
           state == MONITOR_JOIN_PRIMARY || state == MONITOR_APPLY_SETTINGS;
}

/* The role that a goal gives. */
static enum manager_role role_of(enum monitor_state goal)
{
    switch (goal) {
    case MONITOR_SINGLE:
    case MONITOR_WAIT_PRIMARY:
    case MONITOR_PRIMARY:
    case MONITOR_JOIN_PRIMARY:
    case MONITOR_APPLY_SETTINGS: return MANAGER_PRIMARY;
    case MONITOR_CATCHINGUP:
    case MONITOR_SECONDARY:
    case MONITOR_WAIT_STANDBY:
    case MONITOR_REPORT_LSN:
    case MONITOR_FAST_FORWARD:
    case MONITOR_JOIN_SECONDARY:
    case MONITOR_PREPARE_PROMOTION:
    case MONITOR_STOP_REPLICATION: return MANAGER_REPLICA;
    case MONITOR_OTHER:
    case MONITOR_UNKNOWN:
    case MONITOR_INIT:
    case MONITOR_DRAINING:
    case MONITOR_DEMOTE_TIMEOUT:
    case MONITOR_DEMOTED:
    case MONITOR_MAINTENANCE:
    case MONITOR_PREPARE_MAINTENANCE:
    case MONITOR_WAIT_MAINTENANCE:
    case MONITOR_DROPPED: return MANAGER_NONE;
    }
    return MANAGER_NONE;
}

/* A standby being made, fetched up or worked at. During a failover standbys go through report_lsn and the
 * like, restart, and may be read: as old as they are, nothing newer exists. */
static bool is_unfit_for_reads(enum monitor_state state)
{
    return state == MONITOR_UNKNOWN || state == MONITOR_INIT || state == MONITOR_WAIT_STANDBY ||
           state == MONITOR_CATCHINGUP || state == MONITOR_MAINTENANCE ||
           state == MONITOR_PREPARE_MAINTENANCE || state == MONITOR_WAIT_MAINTENANCE ||
           state == MONITOR_DROPPED;
}

/* What is reported stays until the keeper has done what it was told: a goal of secondary means that the
 * monitor found it caught up. */
static bool wants_no_reads(enum monitor_state goal, enum monitor_state reported)
{
    if (goal == MONITOR_SECONDARY || monitor_state_writes(goal))
        return false;
    return is_unfit_for_reads(goal) || is_unfit_for_reads(reported);
}

static void tell(enum monitor_state goal, enum monitor_state reported, struct manager_word *word)
{
    if (goal == reported)
        snprintf(word->why, sizeof word->why, "the monitor has it as %s", names[goal]);
    else
        snprintf(
            word->why, sizeof word->why, "the monitor takes it from %s to %s", names[reported], names[goal]);
}

void monitor_state_word(enum monitor_state goal, enum monitor_state reported, struct manager_word *word)
{
    word->role = role_of(goal);
    if (!monitor_state_writes(goal) && monitor_state_writes(reported))
        word->role = MANAGER_LEAVING;
    word->no_reads = wants_no_reads(goal, reported);
    tell(goal, reported, word);
}

void monitor_state_word_unheard(
    enum monitor_state goal, enum monitor_state reported, struct manager_word *word)
{
    bool refused =
        role_of(goal) == MANAGER_NONE || (!monitor_state_writes(goal) && monitor_state_writes(reported));
    word->role = refused ? MANAGER_NONE : MANAGER_ABSTAINS;
    word->no_reads = wants_no_reads(goal, reported);
    if (refused)
        snprintf(word->why, sizeof word->why, "the monitor is silent, and its last word was %s", names[goal]);
    else
        snprintf(word->why, sizeof word->why, "the monitor is silent: PostgreSQL alone decides");
}
