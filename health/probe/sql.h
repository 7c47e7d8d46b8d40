/*
 * The SQL probe of one node: a persistent connection, one query per look, and beside it a walsender
 * connection for what only the replication protocol tells (timeline of a replica, timeline history).
 *
 * Owned by the node's watch. Control thread only. `report` comes once per sql_probe_run, from the loop;
 * `lost` when a connection that had answered broke, whatever was going on: what the node said of its position
 * is void then.
 */
#ifndef ROLECALL_HEALTH_PROBE_SQL_H
#define ROLECALL_HEALTH_PROBE_SQL_H

#include "conf/base/error.h"
#include "health/endpoint.h"
#include "health/observation.h"
#include "health/settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct sql_report {
    enum finding finding;
    struct error error;      /* unless ANSWER */
    uint64_t asked_at_us;    /* clock_now_us when the query was sent: the observation is of later than that */
    struct observation seen; /* when ANSWER */
};

struct sql_probe_owner {
    void *context;
    /* Just before the question is sent, for whoever numbers the questions. May be NULL. */
    void (*asking)(void *context);
    void (*report)(void *context, const struct sql_report *report);
    void (*lost)(void *context);
};

struct sql_probe;

/* `name` (for the log), `endpoint` and `settings` must live until sql_probe_close. */
struct sql_probe *sql_probe_open(uv_loop_t *loop, const char *name, struct endpoint *endpoint,
    const struct settings *settings, const struct sql_probe_owner *owner);
/* Starts a look; not while one is under way. */
void sql_probe_run(struct sql_probe *probe);
bool sql_probe_busy(const struct sql_probe *probe);
/* Any time, also in `report`; no callback comes afterwards. NULL is allowed. */
void sql_probe_close(struct sql_probe *probe);

#endif
