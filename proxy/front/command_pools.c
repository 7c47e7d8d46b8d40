/*
 * SHOW POOLS: a row for each database and user, as PgBouncer has it. SHOW POOLS BY NODE: their shares of each
 * node. Summed over the workers; names are PgBouncer's where the meaning is the same.
 */
#include "proxy/front/command_handlers.h"
#include "proxy/front/pool_totals.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define POOL_COLUMNS                                                                                    \
    {"database", COLUMN_TEXT},      /* as the node calls it */                                          \
    {"user", COLUMN_TEXT},          /* as it logs in to the node */                                     \
    {"cl_active", COLUMN_NUMBER},   /* clients that hold a connection */                                \
    {"cl_waiting", COLUMN_NUMBER},                                                                      \
    {"sv_active", COLUMN_NUMBER},                                                                       \
    {"sv_idle", COLUMN_NUMBER},                                                                         \
    {"sv_used", COLUMN_NUMBER},     /* PgBouncer's: idle and to be checked first; there are none */     \
    {"sv_tested", COLUMN_NUMBER},   /* being reset between two clients */                               \
    {"sv_login", COLUMN_NUMBER},                                                                        \
    {"maxwait", COLUMN_NUMBER},     /* seconds, and microseconds beyond, of who waits longest */        \
    {"maxwait_us", COLUMN_NUMBER},                                                                      \
    {"pool_mode", COLUMN_TEXT},                                                                         \
    {"pool_size", COLUMN_NUMBER},   /* for each node */                                                 \
    {"cl_active_cancel_req", COLUMN_NUMBER},  /* cancel requests on their way to the node */            \
    {"cl_waiting_cancel_req", COLUMN_NUMBER}, /* ... that wait for a connection: none has to */         \
    {"sv_active_cancel", COLUMN_NUMBER},      /* connections that carry one */                          \
    {"sv_being_canceled", COLUMN_NUMBER}      /* free, but for the end of one */
/* clang-format on */

static const struct result_column pools_columns[] = {POOL_COLUMNS};
const struct result_shape pools_shape = RESULT_SHAPE(pools_columns);

static const struct result_column node_pools_columns[] = {
    POOL_COLUMNS, {"cluster", COLUMN_TEXT}, {"node", COLUMN_TEXT}};
const struct result_shape node_pools_shape = RESULT_SHAPE(node_pools_columns);

static void add_pool(struct result *result, const struct pool_report *pool)
{
    result_text(result, pool->database);
    result_text(result, pool->user);
    result_number(result, pool->active - pool->resetting);
    result_number(result, pool->waiting);
    result_number(result, pool->active - pool->resetting);
    result_number(result, pool->idle);
    result_number(result, 0);
    result_number(result, pool->resetting);
    result_number(result, pool->opening);
    result_number(result, pool->oldest_wait_us / 1000000);
    result_number(result, pool->oldest_wait_us % 1000000);
    result_text(result, pool_mode_name(pool->mode));
    if (pool->pool_size)
        result_number(result, pool->pool_size);
    else
        result_null(result);
    result_number(result, pool->cancels);
    result_number(result, 0);
    result_number(result, pool->cancels);
    result_number(result, pool->cancelled);
}

static int by_name(const void *left, const void *right)
{
    const struct pool_report *a = left, *b = right;
    int order = strcmp(a->database, b->database);
    return order ? order : strcmp(a->user, b->user);
}

bool show_pools(struct command_call *call, struct error *error)
{
    struct pool_totals totals;
    if (!pool_totals_init(&totals, call->survey))
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    size_t n = totals.n + totals.left_out;
    if (n > 0)
        qsort(totals.pools, n, sizeof *totals.pools, by_name);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && by_name(&totals.pools[i], &totals.pools[next]) == 0; next++)
            pool_report_merge(&totals.pools[i], &totals.pools[next]);
        add_pool(&call->result, &totals.pools[i]);
    }
    pool_totals_fini(&totals);
    return true;
}

bool show_node_pools(struct command_call *call, struct error *error)
{
    struct pool_totals totals;
    if (!pool_totals_init(&totals, call->survey))
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < totals.n + totals.left_out; i++) {
        add_pool(&call->result, &totals.pools[i]);
        result_text(&call->result, totals.pools[i].cluster);
        result_text(&call->result, totals.pools[i].node);
    }
    pool_totals_fini(&totals);
    return true;
}
