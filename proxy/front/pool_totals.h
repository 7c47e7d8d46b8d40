/* The pools of all workers, added up by cluster, database, user and node. */
#ifndef ROLECALL_FRONT_POOL_TOTALS_H
#define ROLECALL_FRONT_POOL_TOTALS_H

#include "proxy/front/admin_survey.h"

#define POOL_TOTALS_MAX 256

struct pool_totals {
    struct pool_report *pools; /* sorted; `worker` says nothing */
    size_t n;
    size_t
        left_out; /* those behind the first POOL_TOTALS_MAX: for whoever has no bound, they are there too */
};

/* From a finished survey of pools. False: memory is out. */
bool pool_totals_init(struct pool_totals *totals, const struct survey *survey);
/* Adds the numbers of one to another. */
void pool_report_merge(struct pool_report *into, const struct pool_report *from);
void pool_totals_fini(struct pool_totals *totals);

#endif
