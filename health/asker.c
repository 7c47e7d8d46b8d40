/*
 * Asking for positions; see asker.h.
 *
 *     asker_ready -> connect -> PREPARE -> ready <-> asker_ask -> ... -> asker_rest
 *
 * A connection belongs to one postmaster, so when that was started is asked once, together with PREPARE. What
 * breaks is opened again a moment later, what is refused somewhat later.
 */
#include "health/asker.h"

#include "conf/base/clock.h"
#include "health/lsn.h"
#include "health/memory.h"
#include "health/pgconn.h"

#include <inttypes.h>
#include <stdio.h>

#define RECONNECT_US 100000u
#define REFUSED_RECONNECT_US 1000000u

#define PREPARE                                                                                              \
    "PREPARE position AS SELECT pg_is_in_recovery(), "                                                       \
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END, "     \
    "CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END; "                                \
    "SELECT floor(1000000 * extract(epoch FROM pg_postmaster_start_time()))::bigint"

struct asker {
    uv_loop_t *loop;
    const struct settings *settings;
    struct endpoint *endpoint;
    struct asker_owner owner;
    struct pgconn *conn;
    uint64_t not_before_us; /* of the next attempt to connect */
    uint64_t asked_at_us;
    int64_t started_us;
};

static void drop(struct asker *asker, uint64_t again_us)
{
    pgconn_close(asker->conn);
    asker->conn = NULL;
    asker->not_before_us = clock_now_us() + again_us;
}

static void broke(struct asker *asker)
{
    drop(asker, RECONNECT_US);
    asker->owner.broke(asker->owner.context);
}

static void on_lost(void *context, const struct pgconn_answer *answer)
{
    (void)answer;
    broke(context);
}

static uint64_t timeout_ms(const struct asker *asker)
{
    return asker->settings->cluster->probe_timeout_ms;
}

static void on_prepared(void *context, const struct pgconn_answer *answer)
{
    struct asker *asker = context;
    const char *started = answer->outcome == PGCONN_OK ? pgconn_value(answer, 0, 0) : NULL;
    if (started)
        asker->started_us = strtoll(started, NULL, 10);
    else
        drop(asker, answer->outcome == PGCONN_QUERY ? REFUSED_RECONNECT_US : RECONNECT_US);
}

static void on_opened(void *context, const struct pgconn_answer *answer)
{
    struct asker *asker = context;
    if (answer->outcome != PGCONN_OK)
        drop(asker, answer->outcome == PGCONN_LOGIN ? REFUSED_RECONNECT_US : RECONNECT_US);
    else
        pgconn_query(asker->conn, PREPARE, NULL, 0, timeout_ms(asker), asker, on_prepared);
}

static void open_connection(struct asker *asker)
{
    const struct config *config = asker->settings->config;
    const struct config_cluster *cluster = asker->settings->cluster;
    char options[160];
    snprintf(options, sizeof options,
        "-c search_path= -c statement_timeout=%" PRIu64
        " -c synchronous_commit=local -c default_transaction_read_only=off",
        cluster->probe_timeout_ms);
    struct pgconn_params params = {.endpoint = asker->endpoint,
        .user = cluster->probe_user,
        .password = cluster->probe_password,
        .database = cluster->probe_database,
        .options = options,
        .application_name = "rolecall sampler",
        .tls = &cluster->tls,
        .tcp_user_timeout_ms = config->tcp_user_timeout_ms,
        .tcp_keepalive_ms = config->tcp_keepalive_ms,
        .connect_timeout_ms = cluster->probe_timeout_ms,
        .context = asker,
        .opened = on_opened,
        .lost = on_lost};
    asker->conn = pgconn_open(asker->loop, &params);
}

bool asker_ready(struct asker *asker)
{
    if (!asker->conn && clock_now_us() >= asker->not_before_us)
        open_connection(asker);
    return pgconn_ready(asker->conn);
}

/* A connection that is no good is dropped; an error leaves it as it is. */
static bool is_answer(struct asker *asker, const struct pgconn_answer *answer)
{
    if (answer->outcome != PGCONN_OK && answer->outcome != PGCONN_QUERY)
        broke(asker);
    return answer->outcome == PGCONN_OK;
}

static void on_position(void *context, const struct pgconn_answer *answer)
{
    struct asker *asker = context;
    struct position position = {.started_us = asker->started_us, .asked_at_us = asker->asked_at_us};
    if (!is_answer(asker, answer))
        return;
    const char *in_recovery = pgconn_value(answer, 0, 0), *flush_lsn = pgconn_value(answer, 0, 2);
    position.in_recovery = in_recovery && in_recovery[0] == 't';
    if (!lsn_parse(pgconn_value(answer, 0, 1), &position.lsn))
        return; /* a replica that has replayed nothing yet */
    if (!position.in_recovery && !lsn_parse(flush_lsn, &position.flush_lsn))
        return;
    asker->owner.answered(asker->owner.context, &position);
}

void asker_ask(struct asker *asker)
{
    asker->asked_at_us = clock_now_us();
    pgconn_query(asker->conn, "position", NULL, PGCONN_PREPARED, timeout_ms(asker), asker, on_position);
}

static void on_flushed(void *context, const struct pgconn_answer *answer)
{
    struct asker *asker = context;
    if (is_answer(asker, answer))
        asker->owner.flushed(asker->owner.context, clock_now_us() - asker->asked_at_us);
}

void asker_flush(struct asker *asker)
{
    asker->asked_at_us = clock_now_us();
    pgconn_query(asker->conn, "SELECT pg_logical_emit_message(true, 'rolecall', '')", NULL, 0,
        timeout_ms(asker), asker, on_flushed);
}

struct asker *asker_new(uv_loop_t *loop, const struct settings *settings, struct endpoint *endpoint,
    const struct asker_owner *owner)
{
    struct asker *asker = memory_new(1, sizeof *asker);
    asker->loop = loop;
    asker->settings = settings;
    asker->endpoint = endpoint;
    asker->owner = *owner;
    return asker;
}

void asker_rest(struct asker *asker)
{
    if (!asker->conn)
        return;
    pgconn_close(asker->conn);
    asker->conn = NULL;
}

void asker_close(struct asker *asker)
{
    if (!asker)
        return;
    pgconn_close(asker->conn);
    free(asker);
}
