/* Pools added up; see pool_totals.h. */
#include "proxy/front/pool_totals.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    const struct pool_report *a = left, *b = right;
    int order = strcmp(a->cluster, b->cluster);
    order = order ? order : strcmp(a->database, b->database);
    order = order ? order : strcmp(a->user, b->user);
    return order ? order : strcmp(a->node, b->node);
}

void pool_report_merge(struct pool_report *into, const struct pool_report *from)
{
    into->idle += from->idle;
    into->active += from->active;
    into->resetting += from->resetting;
    into->opening += from->opening;
    into->cancels += from->cancels;
    into->cancelled += from->cancelled;
    into->waiting += from->waiting;
    if (from->oldest_wait_us > into->oldest_wait_us)
        into->oldest_wait_us = from->oldest_wait_us;
}

bool pool_totals_init(struct pool_totals *totals, const struct survey *survey)
{
    *totals = (struct pool_totals){.pools = calloc(survey->n + 1, sizeof *totals->pools)};
    if (!totals->pools)
        return false;
    if (survey->n > 0) {
        memcpy(totals->pools, survey->pools, survey->n * sizeof *totals->pools);
        qsort(totals->pools, survey->n, sizeof *totals->pools, compare);
    }
    size_t n = 0;
    for (size_t i = 0; i < survey->n; i++) {
        if (n > 0 && compare(&totals->pools[n - 1], &totals->pools[i]) == 0)
            pool_report_merge(&totals->pools[n - 1], &totals->pools[i]);
        else
            totals->pools[n++] = totals->pools[i];
    }
    totals->n = n < POOL_TOTALS_MAX ? n : POOL_TOTALS_MAX;
    totals->left_out = n - totals->n;
    return true;
}

void pool_totals_fini(struct pool_totals *totals)
{
    free(totals->pools);
    *totals = (struct pool_totals){0};
}
