/* SHOW LATENCY: quantiles by node and by pool, since the start and over the last minute. */
#include "proxy/front/command_handlers.h"
#include "proxy/front/latency.h"

#include <stdlib.h>

static const struct result_column latency_columns[] = {
    {"cluster", COLUMN_TEXT},
    {"node", COLUMN_TEXT},     /* NULL in the rows of pools */
    {"database", COLUMN_TEXT}, /* NULL in the rows of nodes */
    {"user", COLUMN_TEXT},
    {"phase", COLUMN_TEXT}, /* wait, login, node, client, request: see proxy/pool/meter.h */
    {"count", COLUMN_NUMBER},
    {"p50_us", COLUMN_NUMBER},
    {"p95_us", COLUMN_NUMBER},
    {"p99_us", COLUMN_NUMBER},
    {"p999_us", COLUMN_NUMBER},
    {"max_us", COLUMN_NUMBER},
    {"minute_count", COLUMN_NUMBER}, /* and so on: of the last minute */
    {"minute_p50_us", COLUMN_NUMBER},
    {"minute_p95_us", COLUMN_NUMBER},
    {"minute_p99_us", COLUMN_NUMBER},
    {"minute_p999_us", COLUMN_NUMBER},
};
const struct result_shape latency_shape = RESULT_SHAPE(latency_columns);

static void add_quantiles(struct result *result, const struct latency_quantiles *quantiles)
{
    result_number(result, quantiles->p50_us);
    result_number(result, quantiles->p95_us);
    result_number(result, quantiles->p99_us);
    result_number(result, quantiles->p999_us);
}

static void add_row(struct result *result, const struct latency_row *row, enum meter_phase phase)
{
    const struct latency_quantiles *of = row->of[phase];
    result_text(result, row->cluster);
    result_text(result, row->node);
    result_text(result, row->database);
    result_text(result, row->user);
    result_text(result, meter_phase_name(phase));
    result_number(result, of[LATENCY_START].count);
    add_quantiles(result, &of[LATENCY_START]);
    result_number(result, row->max_us[phase]);
    result_number(result, of[LATENCY_MINUTE].count);
    add_quantiles(result, &of[LATENCY_MINUTE]);
}

bool show_latency(struct command_call *call, struct error *error)
{
    static const enum latency_group groups[] = {LATENCY_NODES, LATENCY_POOLS};
    (void)error;
    for (size_t group = 0; group < 2; group++) {
        struct latency_row *rows;
        size_t n = latency_rows(call->view->latency, groups[group], &rows);
        for (size_t i = 0; i < n; i++)
            for (int phase = 0; phase < METER_PHASES; phase++)
                add_row(&call->result, &rows[i], (enum meter_phase)phase);
        free(rows);
    }
    return true;
}
