/*
 * SHOW STATS and SHOW STATS_TOTALS: what went through so far, by database as the nodes call it, in
 * PgBouncer's columns. Times are microseconds, sizes bytes. From the meters, which live as long as the
 * process: sums never fall.
 */
#include "proxy/front/command_handlers.h"
#include "proxy/pool/meter.h"

#include <stdlib.h>
#include <string.h>

static const struct result_column stats_columns[] = {
    {"database", COLUMN_TEXT}, {"total_server_assignment_count", COLUMN_NUMBER},
    {"total_xact_count", COLUMN_NUMBER},
    {"total_query_count", COLUMN_NUMBER}, /* requests: a Query, or a batch up to its Sync */
    {"total_received", COLUMN_NUMBER},    /* bytes, from clients */
    {"total_sent", COLUMN_NUMBER},        /* bytes, to clients */
    {"total_xact_time", COLUMN_NUMBER},   /* microseconds */
    {"total_query_time", COLUMN_NUMBER},  /* microseconds at the nodes */
    {"total_wait_time", COLUMN_NUMBER},   /* microseconds of waiting for a server connection */
};
const struct result_shape stats_shape = RESULT_SHAPE(stats_columns);

/* The same numbers by the names that PgBouncer has for them here. */
static const struct result_column stats_totals_columns[] = {
    {"database", COLUMN_TEXT},
    {"server_assignment_count", COLUMN_NUMBER},
    {"xact_count", COLUMN_NUMBER},
    {"query_count", COLUMN_NUMBER},
    {"bytes_received", COLUMN_NUMBER},
    {"bytes_sent", COLUMN_NUMBER},
    {"xact_time", COLUMN_NUMBER},
    {"query_time", COLUMN_NUMBER},
    {"wait_time", COLUMN_NUMBER},
};
const struct result_shape stats_totals_shape = RESULT_SHAPE(stats_totals_columns);

struct total {
    const char *database;
    struct histogram wait, node, request;
    uint64_t sums[METER_SUMS];
};

static struct total *total_of(struct total *totals, size_t *n, const char *database)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(totals[i].database, database) == 0)
            return &totals[i];
    totals[*n].database = database;
    return &totals[(*n)++];
}

static void add_meter(struct total *total, const struct meter *meter)
{
    meter_merge(meter, METER_WAIT, &total->wait);
    meter_merge(meter, METER_NODE, &total->node);
    meter_merge(meter, METER_REQUEST, &total->request);
    for (int sum = 0; sum < METER_SUMS; sum++)
        total->sums[sum] += meter_total(meter, (enum meter_sum)sum);
}

static void add_row(struct result *result, const struct total *total)
{
    result_text(result, total->database);
    result_number(result, histogram_count(&total->wait));
    result_number(result, total->sums[METER_TRANSACTIONS]);
    result_number(result, histogram_count(&total->request));
    result_number(result, total->sums[METER_RECEIVED_BYTES]);
    result_number(result, total->sums[METER_SENT_BYTES]);
    result_number(result, total->sums[METER_TRANSACTION_US]);
    result_number(result, histogram_sum_us(&total->node));
    result_number(result, histogram_sum_us(&total->wait));
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct total *)left)->database, ((const struct total *)right)->database);
}

bool show_stats(struct command_call *call, struct error *error)
{
    size_t n_meters = 0, n = 0;
    const struct meter *first = meters_first();
    for (const struct meter *meter = first; meter; meter = meter->next)
        n_meters++;
    struct total *totals = calloc(n_meters + 1, sizeof *totals);
    if (!totals)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    for (const struct meter *meter = first; meter; meter = meter->next)
        add_meter(total_of(totals, &n, meter->database), meter);
    if (n > 0)
        qsort(totals, n, sizeof *totals, by_name);
    for (size_t i = 0; i < n; i++)
        add_row(&call->result, &totals[i]);
    free(totals);
    return true;
}
