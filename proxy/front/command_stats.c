/*
 * SHOW STATS, STATS_TOTALS and STATS_AVERAGES: what went through so far, and in the last minute, by database
 * as the nodes call it, in PgBouncer's columns. Times are microseconds, sizes bytes. From the meters, which
 * live as long as the process: sums never fall.
 */
#include "proxy/front/command_handlers.h"
#include "proxy/front/latency.h"
#include "proxy/pool/meter.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off: a column of the three tables in a row */
#define STATS_COLUMNS(COUNT, RECEIVED, SENT, TIME)                                                           \
    {COUNT("server_assignment"), COLUMN_NUMBER}, {COUNT("xact"), COLUMN_NUMBER},                             \
        {COUNT("query"), COLUMN_NUMBER}, /* requests: a Query, or a batch up to its Sync */                  \
        {RECEIVED, COLUMN_NUMBER},       /* from clients */                                                  \
        {SENT, COLUMN_NUMBER},           /* to clients */                                                    \
        {TIME("xact"), COLUMN_NUMBER}, {TIME("query"), COLUMN_NUMBER}, /* at the nodes */                    \
        {TIME("wait"), COLUMN_NUMBER},                                 /* for a server connection */         \
        {COUNT("client_parse"), COLUMN_NUMBER}, {COUNT("server_parse"), COLUMN_NUMBER},                      \
    {                                                                                                        \
        COUNT("bind"), COLUMN_NUMBER                                                                         \
    }
#define TOTAL_COUNT(name) "total_" name "_count"
#define TOTAL_TIME(name) "total_" name "_time"
#define AVG_COUNT(name) "avg_" name "_count"
#define AVG_TIME(name) "avg_" name "_time"
#define BARE_COUNT(name) name "_count"
#define BARE_TIME(name) name "_time"
/* clang-format on */

static const struct result_column stats_columns[] = {{"database", COLUMN_TEXT},
    STATS_COLUMNS(TOTAL_COUNT, "total_received", "total_sent", TOTAL_TIME),
    STATS_COLUMNS(AVG_COUNT, "avg_recv", "avg_sent", AVG_TIME)};
const struct result_shape stats_shape = RESULT_SHAPE(stats_columns);

/* By the names that PgBouncer has for them here. */
static const struct result_column bare_columns[] = {
    {"database", COLUMN_TEXT}, STATS_COLUMNS(BARE_COUNT, "bytes_received", "bytes_sent", BARE_TIME)};
const struct result_shape stats_totals_shape = RESULT_SHAPE(bare_columns);
const struct result_shape stats_averages_shape = RESULT_SHAPE(bare_columns);

/* What has gone through one database. */
struct flow {
    const char *database;
    struct latency_minute total, minute; /* total.period_us is of no interest */
};

static struct flow *flow_of(struct flow *flows, size_t *n, const char *database)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(flows[i].database, database) == 0)
            return &flows[i];
    flows[*n].database = database;
    return &flows[(*n)++];
}

static void add_meter(struct flow *flow, const struct meter *meter, const struct latency *latency)
{
    for (int phase = 0; phase < METER_PHASES; phase++) {
        struct histogram sum = {0};
        meter_merge(meter, (enum meter_phase)phase, &sum);
        flow->total.counts[phase] += histogram_count(&sum);
        flow->total.us[phase] += histogram_sum_us(&sum);
    }
    for (int sum = 0; sum < METER_SUMS; sum++)
        flow->total.sums[sum] += meter_total(meter, (enum meter_sum)sum);
    if (latency)
        latency_minute(latency, meter, &flow->minute);
}

static void add_totals(struct result *result, const struct latency_minute *total)
{
    result_number(result, total->counts[METER_WAIT]);
    result_number(result, total->sums[METER_TRANSACTIONS]);
    result_number(result, total->counts[METER_REQUEST]);
    result_number(result, total->sums[METER_RECEIVED_BYTES]);
    result_number(result, total->sums[METER_SENT_BYTES]);
    result_number(result, total->sums[METER_TRANSACTION_US]);
    result_number(result, total->us[METER_NODE]);
    result_number(result, total->us[METER_WAIT]);
    result_number(result, total->sums[METER_CLIENT_PARSES]);
    result_number(result, total->sums[METER_SERVER_PARSES]);
    result_number(result, total->sums[METER_BINDS]);
}

/* Counts and sizes by the second, times by each. */
static void add_averages(struct result *result, const struct latency_minute *minute)
{
    const uint64_t *sums = minute->sums, *counts = minute->counts;
    const uint64_t by_second[] = {counts[METER_WAIT], sums[METER_TRANSACTIONS], counts[METER_REQUEST],
        sums[METER_RECEIVED_BYTES], sums[METER_SENT_BYTES]};
    const uint64_t by_each[][2] = {{sums[METER_TRANSACTION_US], sums[METER_TRANSACTIONS]},
        {minute->us[METER_NODE], counts[METER_NODE]}, {minute->us[METER_WAIT], counts[METER_WAIT]}};
    const uint64_t messages[] = {sums[METER_CLIENT_PARSES], sums[METER_SERVER_PARSES], sums[METER_BINDS]};
    uint64_t period_ms = minute->period_us / 1000 ? minute->period_us / 1000 : 1;
    for (size_t i = 0; i < sizeof by_second / sizeof *by_second; i++)
        result_number(result, by_second[i] * 1000 / period_ms);
    for (size_t i = 0; i < sizeof by_each / sizeof *by_each; i++)
        result_number(result, by_each[i][1] ? by_each[i][0] / by_each[i][1] : 0);
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        result_number(result, messages[i] * 1000 / period_ms);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct flow *)left)->database, ((const struct flow *)right)->database);
}

static bool show(struct command_call *call, bool totals, bool averages, struct error *error)
{
    size_t n_meters = 0, n = 0;
    const struct meter *first = meters_first();
    for (const struct meter *meter = first; meter; meter = meter->next)
        n_meters++;
    struct flow *flows = calloc(n_meters + 1, sizeof *flows);
    if (!flows)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    for (const struct meter *meter = first; meter; meter = meter->next)
        add_meter(flow_of(flows, &n, meter->database), meter, call->view->latency);
    if (n > 0)
        qsort(flows, n, sizeof *flows, by_name);
    for (size_t i = 0; i < n; i++) {
        result_text(&call->result, flows[i].database);
        if (totals)
            add_totals(&call->result, &flows[i].total);
        if (averages)
            add_averages(&call->result, &flows[i].minute);
    }
    free(flows);
    return true;
}

bool show_stats(struct command_call *call, struct error *error)
{
    return show(call, true, true, error);
}

bool show_stats_totals(struct command_call *call, struct error *error)
{
    return show(call, true, false, error);
}

bool show_stats_averages(struct command_call *call, struct error *error)
{
    return show(call, false, true, error);
}
