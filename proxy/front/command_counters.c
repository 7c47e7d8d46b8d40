/*
 * Commands about what was done so far: SHOW WORKERS, SHOW TOTALS, SHOW ROUTES. Counters have one writer each
 * and are read while they move: a sum is never torn, but two of them need not belong to the same moment.
 */
#include "proxy/front/command_handlers.h"

#include <stddef.h>

/* The columns that WORKERS and TOTALS share, and where their numbers are. PgBouncer's names where the meaning
   is the same. */
#define COUNTER(name) offsetof(struct session_counters, name)
static const size_t offsets[] = {COUNTER(clients), COUNTER(pinned), COUNTER(logins), COUNTER(login_failures),
    COUNTER(transactions), COUNTER(exchanges), COUNTER(held), COUNTER(retries), COUNTER(reruns),
    COUNTER(lost_transactions), COUNTER(unknown_outcomes)};
#define N_COUNTERS (sizeof offsets / sizeof *offsets)

/* clang-format off */
#define COUNTER_COLUMNS                                                                         \
    {"clients", COLUMN_NUMBER},           /* now */                                             \
    {"pinned", COLUMN_NUMBER},            /* now */                                             \
    {"logins", COLUMN_NUMBER},                                                                  \
    {"login_failures", COLUMN_NUMBER},                                                          \
    {"total_xact_count", COLUMN_NUMBER},                                                        \
    {"total_query_count", COLUMN_NUMBER}, /* requests: a Query, or a batch up to its Sync */    \
    {"held", COLUMN_NUMBER},              /* requests that waited for a node */                 \
    {"retries", COLUMN_NUMBER},           /* reads that a replica answered by an error */       \
    {"reruns", COLUMN_NUMBER},            /* requests run again after their node was lost */    \
    {"lost_transactions", COLUMN_NUMBER},                                                       \
    {"unknown_outcomes", COLUMN_NUMBER}
/* clang-format on */

static const struct result_column workers_columns[] = {{"worker", COLUMN_NUMBER}, COUNTER_COLUMNS};
const struct result_shape workers_shape = RESULT_SHAPE(workers_columns);

static const struct result_column totals_columns[] = {COUNTER_COLUMNS};
const struct result_shape totals_shape = RESULT_SHAPE(totals_columns);

_Static_assert(sizeof totals_columns / sizeof *totals_columns == N_COUNTERS, "a column for each counter");

static uint64_t read_counter(const struct worker *worker, size_t offset)
{
    const char *counters = (const char *)&worker->sessions.counters;
    return atomic_load_explicit(
        (const _Atomic uint64_t *)(const void *)(counters + offset), memory_order_relaxed);
}

static uint64_t sum(const struct admin_view *view, size_t offset)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < view->n_workers; i++)
        total += read_counter(&view->workers[i], offset);
    return total;
}

bool show_workers(struct command_call *call, struct error *error)
{
    const struct admin_view *view = call->view;
    (void)error;
    for (uint32_t i = 0; i < view->n_workers; i++) {
        result_number(&call->result, i);
        for (size_t counter = 0; counter < N_COUNTERS; counter++)
            result_number(&call->result, read_counter(&view->workers[i], offsets[counter]));
    }
    return true;
}

bool show_totals(struct command_call *call, struct error *error)
{
    (void)error;
    for (size_t counter = 0; counter < N_COUNTERS; counter++)
        result_number(&call->result, sum(call->view, offsets[counter]));
    return true;
}

static const struct result_column routes_columns[] = {
    {"reason", COLUMN_TEXT},
    {"count", COLUMN_NUMBER},
    {"text", COLUMN_TEXT},
};
const struct result_shape routes_shape = RESULT_SHAPE(routes_columns);

bool show_routes(struct command_call *call, struct error *error)
{
    (void)error;
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        size_t offset = COUNTER(verdicts) + (size_t)reason * sizeof(_Atomic uint64_t);
        result_text(&call->result, reason_name((enum reason)reason));
        result_number(&call->result, sum(call->view, offset));
        result_text(&call->result, reason_text((enum reason)reason));
    }
    return true;
}
