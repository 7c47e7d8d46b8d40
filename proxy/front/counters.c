/* The workers' counters; see counters.h. Sums are never torn, but two need not belong to the same moment. */
#include "proxy/front/counters.h"

#include <jansson.h>
#include <stdio.h>

#define AT(name) offsetof(struct session_counters, name)

/* clang-format off: a row is read as a table */
static const struct counter table[] = {
    {"clients", "clients", true, AT(clients), "Client connections now."},
    {"pinned", "pinned_sessions", true, AT(pinned), "Sessions bound to one server connection now."},
    {"connections_taken", "client_connections_total", false, AT(taken), "Client connections accepted."},
    {"logins", "logins_total", false, AT(logins), "Clients that have logged in."},
    {"login_failures", "login_failures_total", false, AT(login_failures), "Logins of clients that failed."},
    {"transactions", "transactions_total", false, AT(transactions), "Transactions that have ended."},
    {"requests", "requests_total", false, AT(exchanges),
        "Requests answered: a simple query, or a batch up to its Sync."},
    {"held", "held_requests_total", false, AT(held), "Requests that waited for a node to serve them."},
    {"retries", "retried_reads_total", false, AT(retries),
        "Reads that a replica answered by an error and the primary was asked for."},
    {"reruns", "rerun_requests_total", false, AT(reruns), "Requests run again after their node was lost."},
    {"lost_transactions", "lost_transactions_total", false, AT(lost_transactions),
        "Open transactions whose node was lost."},
    {"unknown_outcomes", "unknown_outcomes_total", false, AT(unknown_outcomes),
        "Writes whose node was lost before it had answered."},
};
/* clang-format on */

const struct counter *counters(size_t *n)
{
    *n = sizeof table / sizeof *table;
    return table;
}

static uint64_t load(const struct worker *worker, size_t offset)
{
    const char *all = (const char *)&worker->sessions.counters;
    return atomic_load_explicit((const _Atomic uint64_t *)(const void *)(all + offset), memory_order_relaxed);
}

uint64_t counter_of(const struct worker *worker, const struct counter *counter)
{
    return load(worker, counter->offset);
}

uint64_t counter_sum(const struct admin_view *view, const struct counter *counter)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < view->n_workers; i++)
        total += load(&view->workers[i], counter->offset);
    return total;
}

uint64_t counter_verdicts(const struct admin_view *view, enum reason reason)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < view->n_workers; i++)
        total += load(&view->workers[i], AT(verdicts) + (size_t)reason * sizeof(_Atomic uint64_t));
    return total;
}

const char *clean_text(const char *text, char *room, size_t size)
{
    json_t *valid = json_string(text);
    json_decref(valid);
    if (valid)
        return text;
    snprintf(room, size, "%s", text);
    for (char *at = room; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    return room;
}
