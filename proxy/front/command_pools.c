/*
 * SHOW POOLS: one row for each database, user and node, summed over the workers. Column names are PgBouncer's
 * where the meaning is the same.
 */
#include "proxy/front/command_handlers.h"
#include "proxy/front/pool_totals.h"

static const struct result_column pools_columns[] = {
    {"database", COLUMN_TEXT},    /* as the node calls it */
    {"user", COLUMN_TEXT},        /* as it logs in to the node */
    {"cl_active", COLUMN_NUMBER}, /* clients that hold a connection */
    {"cl_waiting", COLUMN_NUMBER},
    {"sv_active", COLUMN_NUMBER},
    {"sv_idle", COLUMN_NUMBER},
    {"sv_tested", COLUMN_NUMBER}, /* being reset between two clients */
    {"sv_login", COLUMN_NUMBER},
    {"maxwait", COLUMN_NUMBER}, /* seconds, and microseconds beyond, of the client that waits longest */
    {"maxwait_us", COLUMN_NUMBER},
    {"pool_mode", COLUMN_TEXT},
    {"pool_size", COLUMN_NUMBER},
    {"cluster", COLUMN_TEXT},
    {"node", COLUMN_TEXT},
};
const struct result_shape pools_shape = RESULT_SHAPE(pools_columns);

static void add_pool(struct result *result, const struct pool_report *pool)
{
    result_text(result, pool->database);
    result_text(result, pool->user);
    result_number(result, pool->active - pool->resetting);
    result_number(result, pool->waiting);
    result_number(result, pool->active - pool->resetting);
    result_number(result, pool->idle);
    result_number(result, pool->resetting);
    result_number(result, pool->opening);
    result_number(result, pool->oldest_wait_us / 1000000);
    result_number(result, pool->oldest_wait_us % 1000000);
    result_text(result, pool_mode_name(pool->mode));
    if (pool->pool_size)
        result_number(result, pool->pool_size);
    else
        result_null(result);
    result_text(result, pool->cluster);
    result_text(result, pool->node);
}

bool show_pools(struct command_call *call, struct error *error)
{
    struct pool_totals totals;
    if (!pool_totals_init(&totals, call->survey))
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < totals.n + totals.left_out; i++)
        add_pool(&call->result, &totals.pools[i]);
    pool_totals_fini(&totals);
    return true;
}
