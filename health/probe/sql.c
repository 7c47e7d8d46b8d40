/*
 * Looking at a node by SQL; see sql.h.
 *
 *     run -> connect (once), then the walsender -> ask -> [identify -> history, on the walsender] -> report
 *
 * An established connection that turns out to be broken is opened again within the same look: only a node
 * that cannot be reached anew is reported as gone. The walsender is a bonus: a role that may not replicate,
 * or a node without a free sender, is probed without it, and asked again now and then. A history is fetched
 * once per timeline and connection.
 */
#include "health/probe/sql.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "health/memory.h"
#include "health/pgconn.h"
#include "health/probe/sql_row.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define WALSENDER_REFUSED_RETRY_US 30000000u
#define WALSENDER_BROKEN_RETRY_US 1000000u
#define HISTORY_RETRY_US 5000000u

enum step { STEP_IDLE, STEP_CONNECT, STEP_ASK, STEP_AWAIT_WALSENDER, STEP_IDENTIFY, STEP_HISTORY };

struct sql_probe {
    uv_loop_t *loop;
    const char *name;
    struct endpoint *endpoint;
    const struct settings *settings;
    struct sql_probe_owner owner;
    struct pgconn *main, *walsender;
    enum step step;
    bool fresh; /* the main connection was opened in this look */
    bool walsender_opening;
    bool walsender_told, question_told; /* the log knows of what may not be asked */
    bool walsender_refused;             /* since the last look; then: */
    struct error walsender_error;
    enum sql_question question;
    uint64_t walsender_not_before_us, history_not_before_us;
    struct history history;     /* fetched last */
    int64_t history_started_us; /* of the postmaster that told it: a node that starts anew may have been
                                   rewound */
    struct sql_report report;
};

static void open_main(struct sql_probe *probe);
static void use_walsender(struct sql_probe *probe);

/* --- the end of a look --- */

static void finish(struct sql_probe *probe)
{
    assert(probe->step != STEP_IDLE);
    probe->step = STEP_IDLE;
    struct sql_report report = probe->report;
    if (report.finding == FINDING_ANSWER && probe->history.known &&
        probe->history.timeline == report.seen.timeline)
        report.seen.history = probe->history;
    probe->owner.report(probe->owner.context, &report);
}

static bool says_not_now(const char *sqlstate)
{
    return strcmp(sqlstate, "57P01") == 0 || strcmp(sqlstate, "57P02") == 0 || strcmp(sqlstate, "57P03") == 0;
}

static enum finding finding_of(const struct pgconn_answer *answer)
{
    switch (answer->outcome) {
    case PGCONN_OK: return FINDING_ANSWER;
    case PGCONN_REFUSED:
    case PGCONN_RESET: return FINDING_GONE;
    case PGCONN_UNRESOLVED:
    case PGCONN_UNREACHABLE:
    case PGCONN_TIMEOUT:
    case PGCONN_UNUSABLE: return FINDING_SILENT;
    case PGCONN_LOGIN: return says_not_now(answer->error.sqlstate) ? FINDING_NOT_NOW : FINDING_ALIVE;
    case PGCONN_QUERY: return FINDING_ALIVE;
    }
    return FINDING_SILENT;
}

static void finish_failed(struct sql_probe *probe, const struct pgconn_answer *answer)
{
    probe->report.finding = finding_of(answer);
    probe->report.error = answer->error;
    finish(probe);
}

/* --- the walsender --- */

static void drop_walsender(struct sql_probe *probe, uint64_t retry_us)
{
    pgconn_close(probe->walsender);
    probe->walsender = NULL;
    probe->walsender_opening = false;
    probe->walsender_not_before_us = clock_now_us() + retry_us;
}

static void on_walsender_lost(void *context, const struct pgconn_answer *answer)
{
    (void)answer;
    drop_walsender(context, 0);
}

static void on_walsender_opened(void *context, const struct pgconn_answer *answer)
{
    struct sql_probe *probe = context;
    probe->walsender_opening = false;
    if (answer->outcome == PGCONN_OK) {
        probe->walsender_told = false;
    } else {
        probe->walsender_refused = answer->outcome == PGCONN_LOGIN && !says_not_now(answer->error.sqlstate);
        probe->walsender_error = answer->error;
        drop_walsender(probe, WALSENDER_BROKEN_RETRY_US);
    }
    if (probe->step == STEP_AWAIT_WALSENDER)
        use_walsender(probe);
}

/* The node answers plain SQL but refuses the walsender: that is a matter of rights, not of the moment. */
static void do_without_walsender(struct sql_probe *probe)
{
    if (!probe->walsender_told)
        log_event(LOG_INFO, "probe_without_replication", "node=%s sqlstate=%s error=%s consequence=%s",
            probe->name, probe->walsender_error.sqlstate, probe->walsender_error.text,
            "timelines of replicas come from their WAL receiver and histories are not compared");
    probe->walsender_told = true;
    probe->walsender_refused = false;
    probe->walsender_not_before_us = clock_now_us() + WALSENDER_REFUSED_RETRY_US;
}

static struct pgconn *open_connection(struct sql_probe *probe, bool replication,
    void (*opened)(void *, const struct pgconn_answer *), void (*lost)(void *, const struct pgconn_answer *))
{
    const struct config *config = probe->settings->config;
    const struct config_cluster *cluster = probe->settings->cluster;
    char options[96];
    snprintf(
        options, sizeof options, "-c search_path= -c statement_timeout=%" PRIu64, cluster->probe_timeout_ms);
    struct pgconn_params params = {.endpoint = probe->endpoint,
        .user = cluster->probe_user,
        .password = cluster->probe_password,
        .database = cluster->probe_database,
        .options = options,
        .replication = replication,
        .tls = &cluster->tls,
        .tcp_user_timeout_ms = config->tcp_user_timeout_ms,
        .tcp_keepalive_ms = config->tcp_keepalive_ms,
        .connect_timeout_ms = cluster->probe_timeout_ms,
        .context = probe,
        .opened = opened,
        .lost = lost};
    return pgconn_open(probe->loop, &params);
}

static void open_walsender(struct sql_probe *probe)
{
    if (probe->walsender || clock_now_us() < probe->walsender_not_before_us)
        return;
    probe->walsender_opening = true;
    probe->walsender = open_connection(probe, true, on_walsender_opened, on_walsender_lost);
}

static void on_history(void *context, const struct pgconn_answer *answer)
{
    struct sql_probe *probe = context;
    const char *content = answer->outcome == PGCONN_OK ? pgconn_value(answer, 0, 1) : NULL;
    if (!history_parse(content, probe->report.seen.timeline, &probe->history))
        probe->history_not_before_us = clock_now_us() + HISTORY_RETRY_US;
    if (answer->outcome != PGCONN_OK && answer->outcome != PGCONN_QUERY)
        drop_walsender(probe, WALSENDER_BROKEN_RETRY_US);
    finish(probe);
}

static void fetch_history(struct sql_probe *probe)
{
    uint32_t timeline = probe->report.seen.timeline;
    bool have = probe->history.known && probe->history.timeline == timeline;
    if (timeline == 1)
        history_first(&probe->history);
    if (timeline <= 1 || have || clock_now_us() < probe->history_not_before_us) {
        finish(probe);
        return;
    }
    char command[48];
    snprintf(command, sizeof command, "TIMELINE_HISTORY %" PRIu32, timeline);
    probe->step = STEP_HISTORY;
    pgconn_query(
        probe->walsender, command, NULL, 0, probe->settings->cluster->probe_timeout_ms, probe, on_history);
}

static void on_identity(void *context, const struct pgconn_answer *answer)
{
    struct sql_probe *probe = context;
    if (answer->outcome == PGCONN_OK && sql_identity_read(answer, &probe->report.seen)) {
        fetch_history(probe);
        return;
    }
    drop_walsender(probe, WALSENDER_BROKEN_RETRY_US);
    finish(probe);
}

static void use_walsender(struct sql_probe *probe)
{
    const struct observation *seen = &probe->report.seen;
    if (probe->walsender_refused)
        do_without_walsender(probe);
    if (probe->walsender_opening) {
        probe->step = STEP_AWAIT_WALSENDER;
    } else if (!pgconn_ready(probe->walsender)) {
        finish(probe);
    } else if (seen->in_recovery || seen->system_identifier == 0 || seen->timeline == 0) {
        probe->step = STEP_IDENTIFY;
        pgconn_query(probe->walsender, "IDENTIFY_SYSTEM", NULL, 0, probe->settings->cluster->probe_timeout_ms,
            probe, on_identity);
    } else {
        fetch_history(probe);
    }
}

/* --- the question --- */

static void drop_main(struct sql_probe *probe)
{
    pgconn_close(probe->main);
    probe->main = NULL;
}

static void on_row(void *context, const struct pgconn_answer *answer);

static void ask(struct sql_probe *probe)
{
    probe->step = STEP_ASK;
    if (probe->owner.asking)
        probe->owner.asking(probe->owner.context);
    probe->report.asked_at_us = clock_now_us();
    pgconn_query(probe->main, sql_question_text(probe->question), NULL, 0,
        probe->settings->cluster->probe_timeout_ms, probe, on_row);
}

/* True when the question is asked again with fewer rights. */
static bool ask_less(struct sql_probe *probe, const struct pgconn_answer *answer)
{
    if (probe->question != SQL_QUESTION_FULL || strcmp(answer->error.sqlstate, "42501") != 0)
        return false;
    if (!probe->question_told)
        log_event(LOG_WARNING, "probe_lacks_rights", "node=%s error=%s consequence=%s", probe->name,
            answer->error.text, "the system identifier comes from the replication protocol, if at all");
    probe->question_told = true;
    probe->question = SQL_QUESTION_PLAIN;
    ask(probe);
    return true;
}

static void forget_old_history(struct sql_probe *probe)
{
    if (probe->history_started_us == probe->report.seen.started_us)
        return;
    probe->history = (struct history){0};
    probe->history_started_us = probe->report.seen.started_us;
    probe->history_not_before_us = 0;
}

static void on_row(void *context, const struct pgconn_answer *answer)
{
    struct sql_probe *probe = context;
    if (answer->outcome == PGCONN_OK) {
        if (!sql_row_read(answer, &probe->report.seen)) {
            probe->report.finding = FINDING_SILENT;
            error_set(
                &probe->report.error, SQLSTATE_INTERNAL_ERROR, "an answer that is no answer to the question");
            finish(probe);
            return;
        }
        probe->report.finding = FINDING_ANSWER;
        forget_old_history(probe);
        use_walsender(probe);
        return;
    }
    if (answer->outcome == PGCONN_QUERY) {
        if (!ask_less(probe, answer))
            finish_failed(probe, answer);
        return;
    }
    drop_main(probe);
    probe->owner.lost(probe->owner.context);
    if (answer->outcome == PGCONN_RESET && !probe->fresh)
        open_main(probe);
    else
        finish_failed(probe, answer);
}

static void on_main_opened(void *context, const struct pgconn_answer *answer)
{
    struct sql_probe *probe = context;
    if (answer->outcome == PGCONN_OK) {
        probe->question = SQL_QUESTION_FULL;
        probe->walsender_not_before_us =
            0; /* what refused it may have been another server, or another moment */
        open_walsender(probe);
        ask(probe);
        return;
    }
    drop_main(probe);
    finish_failed(probe, answer);
}

static void on_main_lost(void *context, const struct pgconn_answer *answer)
{
    struct sql_probe *probe = context;
    (void)answer;
    drop_main(probe);
    probe->owner.lost(probe->owner.context);
}

static void open_main(struct sql_probe *probe)
{
    probe->step = STEP_CONNECT;
    probe->fresh = true;
    probe->main = open_connection(probe, false, on_main_opened, on_main_lost);
}

/* --- the owner's side --- */

struct sql_probe *sql_probe_open(uv_loop_t *loop, const char *name, struct endpoint *endpoint,
    const struct settings *settings, const struct sql_probe_owner *owner)
{
    struct sql_probe *probe = memory_new(1, sizeof *probe);
    probe->loop = loop;
    probe->name = name;
    probe->endpoint = endpoint;
    probe->settings = settings;
    probe->owner = *owner;
    return probe;
}

void sql_probe_run(struct sql_probe *probe)
{
    assert(probe->step == STEP_IDLE);
    probe->report = (struct sql_report){.asked_at_us = clock_now_us()};
    probe->fresh = false;
    probe->walsender_refused = false;
    if (!pgconn_ready(probe->main)) {
        open_main(probe);
        return;
    }
    open_walsender(probe);
    ask(probe);
}

bool sql_probe_busy(const struct sql_probe *probe)
{
    return probe->step != STEP_IDLE;
}

void sql_probe_close(struct sql_probe *probe)
{
    if (!probe)
        return;
    pgconn_close(probe->main);
    pgconn_close(probe->walsender);
    free(probe);
}
