/* The workers' counters by name, for the doors that give numbers to machines. Main thread; reads relaxed. */
#ifndef ROLECALL_FRONT_COUNTERS_H
#define ROLECALL_FRONT_COUNTERS_H

#include "proxy/front/admin_view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct counter {
    const char *key;    /* in JSON */
    const char *metric; /* in Prometheus, without "rolecall_" */
    bool gauge;         /* falls as well */
    size_t offset;      /* in struct session_counters */
    const char *help;
};

const struct counter *counters(size_t *n);

uint64_t counter_of(const struct worker *worker, const struct counter *counter);
uint64_t counter_sum(const struct admin_view *view, const struct counter *counter);
uint64_t counter_verdicts(const struct admin_view *view, enum reason reason);

/* The same text, or a copy in `room` with ? for what is not ASCII when it is no UTF-8. */
const char *clean_text(const char *text, char *room, size_t size);

#endif
