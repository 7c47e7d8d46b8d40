/*
 * Pointing replicas at a new primary; see repoint.h.
 *
 *     connect to the primary, read its own primary_conninfo (the pattern for a node that never had one)
 *     each replica: connect, read -> [a lost slot dropped -> slot on the primary] -> ALTER SYSTEM -> reload
 *
 * Settings hold passwords: they are wiped when they have been used.
 */
#include "health/failover/repoint.h"

#include "conf/base/log.h"
#include "health/failover/conninfo.h"
#include "health/failover/errand.h"
#include "health/memory.h"

#include <assert.h>
#include <stdio.h>

enum step { STEP_PATTERN, STEP_READ, STEP_LOST_SLOT, STEP_SLOT, STEP_SET, STEP_RELOAD };

struct repoint {
    uv_loop_t *loop;
    struct repoint_spec spec;
    struct pgconn *primary, *replica;
    enum step step;
    size_t node; /* the one at hand */
    uint64_t failed;
    char pattern[CONNINFO_MAX];
    char conninfo[CONNINFO_MAX]; /* the new one of the node at hand */
    char slot[64];
};

#define READ                                                                                                 \
    "SELECT pg_catalog.current_setting('primary_conninfo'), "                                                \
    "pg_catalog.current_setting('primary_slot_name'),"                                                       \
    " CASE WHEN pg_catalog.current_setting('cluster_name') <> ''"                                            \
    "  THEN pg_catalog.current_setting('cluster_name') END"

static void next_node(struct repoint *repoint);
static void on_answer(void *context, const struct pgconn_answer *answer);

static const struct config_node *config_of(const struct repoint *repoint, size_t node)
{
    return &repoint->spec.roster->nodes[node];
}

static void finish(struct repoint *repoint)
{
    repoint->spec.ended(repoint->spec.context, repoint->failed);
}

static void ask(struct repoint *repoint, struct pgconn *conn, enum step step, const char *sql)
{
    repoint->step = step;
    pgconn_query(conn, sql, NULL, 0, ERRAND_TIMEOUT_MS, repoint, on_answer);
}

static void leave_node(struct repoint *repoint)
{
    explicit_bzero(repoint->conninfo, sizeof repoint->conninfo);
    pgconn_close(repoint->replica);
    repoint->replica = NULL;
    repoint->spec.nodes &= ~(UINT64_C(1) << repoint->node);
    next_node(repoint);
}

static void fail_node(struct repoint *repoint, const char *error)
{
    log_event(LOG_WARNING, "repoint_failed", "cluster=%s node=%s primary=%s error=%s",
        repoint->spec.settings->cluster->name, config_of(repoint, repoint->node)->name,
        config_of(repoint, repoint->spec.primary)->name, error);
    repoint->failed |= UINT64_C(1) << repoint->node;
    leave_node(repoint);
}

/* --- one replica --- */

static void set_conninfo(struct repoint *repoint)
{
    char literal[2 * CONNINFO_MAX + 3], sql[2 * CONNINFO_MAX + 64];
    if (!conninfo_literal(repoint->conninfo, literal)) {
        fail_node(repoint, "primary_conninfo is too long");
        return;
    }
    snprintf(sql, sizeof sql, "ALTER SYSTEM SET primary_conninfo = %s", literal);
    ask(repoint, repoint->replica, STEP_SET, sql);
    explicit_bzero(literal, sizeof literal);
    explicit_bzero(sql, sizeof sql);
}

/* Of the time when this node was a primary before: nobody can stream from it any more. */
static void drop_lost_slot(struct repoint *repoint)
{
    char literal[2 * CONNINFO_MAX + 3], sql[2 * CONNINFO_MAX + 256];
    if (!repoint->slot[0] || !conninfo_literal(repoint->slot, literal)) {
        set_conninfo(repoint);
        return;
    }
    snprintf(sql, sizeof sql,
        "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots"
        " WHERE slot_name = %s AND NOT active AND wal_status = 'lost'",
        literal);
    ask(repoint, repoint->primary, STEP_LOST_SLOT, sql);
}

static void make_slot(struct repoint *repoint)
{
    char literal[2 * CONNINFO_MAX + 3], sql[2 * CONNINFO_MAX + 256];
    if (!conninfo_literal(repoint->slot, literal)) {
        set_conninfo(repoint);
        return;
    }
    snprintf(sql, sizeof sql,
        "SELECT pg_catalog.pg_create_physical_replication_slot(%s, true) WHERE NOT EXISTS"
        " (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = %s)",
        literal, literal);
    ask(repoint, repoint->primary, STEP_SLOT, sql);
}

static bool follows_a_leader(const struct repoint *repoint, const char *conninfo)
{
    const struct roster *roster = repoint->spec.roster;
    for (size_t i = 0; i < roster->n; i++) {
        if ((repoint->spec.leaders >> i & 1) &&
            conninfo_names(conninfo, roster->nodes[i].host, roster->nodes[i].port))
            return true;
    }
    return false;
}

/* From its own, or the operator's pattern, or as the new primary had it when it was a replica. */
static bool make_conninfo(struct repoint *repoint, const char *present, const char *cluster_name)
{
    const struct config_node *primary = config_of(repoint, repoint->spec.primary);
    const char *pattern = repoint->spec.settings->cluster->repoint_conninfo;
    const char *name = cluster_name ? cluster_name : config_of(repoint, repoint->node)->name;
    if (!pattern && *present)
        return conninfo_repoint(present, primary->host, primary->port, NULL, repoint->conninfo);
    if (!pattern)
        pattern = repoint->pattern;
    return *pattern && conninfo_repoint(pattern, primary->host, primary->port, name, repoint->conninfo);
}

static void take_settings(struct repoint *repoint, const struct pgconn_answer *answer)
{
    const char *present = pgconn_value(answer, 0, 0), *slot = pgconn_value(answer, 0, 1);
    if (!present || !slot) {
        fail_node(repoint, "its settings cannot be read");
        return;
    }
    snprintf(repoint->slot, sizeof repoint->slot, "%s", slot);
    bool fine = make_conninfo(repoint, present, pgconn_value(answer, 0, 2));
    bool let_be = *present && follows_a_leader(repoint, present);
    pgconn_wipe(answer);
    if (let_be)
        leave_node(repoint);
    else if (!fine)
        fail_node(repoint, "no primary_conninfo to change: set repoint_conninfo");
    else
        drop_lost_slot(repoint);
}

/* --- steps --- */

static void go_on(struct repoint *repoint, const struct pgconn_answer *answer)
{
    const char *value = pgconn_value(answer, 0, 0);
    switch (repoint->step) {
    case STEP_PATTERN:
        snprintf(repoint->pattern, sizeof repoint->pattern, "%s", value ? value : "");
        pgconn_wipe(answer);
        next_node(repoint);
        return;
    case STEP_READ: take_settings(repoint, answer); return;
    case STEP_LOST_SLOT: make_slot(repoint); return;
    case STEP_SLOT: set_conninfo(repoint); return;
    case STEP_SET: ask(repoint, repoint->replica, STEP_RELOAD, "SELECT pg_catalog.pg_reload_conf()"); return;
    case STEP_RELOAD:
        log_event(LOG_INFO, "repointed", "cluster=%s node=%s primary=%s slot=%s",
            repoint->spec.settings->cluster->name, config_of(repoint, repoint->node)->name,
            config_of(repoint, repoint->spec.primary)->name, repoint->slot[0] ? repoint->slot : NULL);
        leave_node(repoint);
        return;
    }
}

static void on_answer(void *context, const struct pgconn_answer *answer)
{
    struct repoint *repoint = context;
    bool primary_is_lost =
        answer->outcome != PGCONN_OK && answer->outcome != PGCONN_QUERY &&
        (repoint->step == STEP_PATTERN || repoint->step == STEP_LOST_SLOT || repoint->step == STEP_SLOT);
    if (answer->outcome == PGCONN_OK) {
        go_on(repoint, answer);
    } else if (primary_is_lost) {
        repoint->failed |= repoint->spec.nodes;
        finish(repoint);
    } else if (repoint->step == STEP_PATTERN) {
        next_node(repoint); /* it may not be read: each node's own will do */
    } else {
        fail_node(repoint, answer->error.text);
    }
}

static void on_replica(void *context, const struct pgconn_answer *answer)
{
    struct repoint *repoint = context;
    if (answer->outcome == PGCONN_OK)
        ask(repoint, repoint->replica, STEP_READ, READ);
    else
        fail_node(repoint, answer->error.text);
}

static void next_node(struct repoint *repoint)
{
    assert(!repoint->replica);
    if (!repoint->spec.nodes) {
        finish(repoint);
        return;
    }
    repoint->node = (size_t)__builtin_ctzll(repoint->spec.nodes);
    repoint->slot[0] = '\0';
    repoint->replica = errand_open(repoint->loop, repoint->spec.settings,
        repoint->spec.endpoint(repoint->spec.context, repoint->node), repoint, on_replica);
}

static void on_primary(void *context, const struct pgconn_answer *answer)
{
    struct repoint *repoint = context;
    if (answer->outcome == PGCONN_OK) {
        ask(repoint, repoint->primary, STEP_PATTERN, READ);
        return;
    }
    log_event(LOG_WARNING, "repoint_failed", "cluster=%s primary=%s error=%s",
        repoint->spec.settings->cluster->name, config_of(repoint, repoint->spec.primary)->name,
        answer->error.text);
    repoint->failed = repoint->spec.nodes;
    finish(repoint);
}

struct repoint *repoint_start(uv_loop_t *loop, const struct repoint_spec *spec)
{
    struct repoint *repoint = memory_new(1, sizeof *repoint);
    repoint->loop = loop;
    repoint->spec = *spec;
    repoint->spec.nodes &= ~(UINT64_C(1) << spec->primary);
    repoint->primary =
        errand_open(loop, spec->settings, spec->endpoint(spec->context, spec->primary), repoint, on_primary);
    return repoint;
}

void repoint_close(struct repoint *repoint)
{
    if (!repoint)
        return;
    pgconn_close(repoint->primary);
    pgconn_close(repoint->replica);
    explicit_bzero(repoint->pattern, sizeof repoint->pattern);
    explicit_bzero(repoint->conninfo, sizeof repoint->conninfo);
    free(repoint);
}
