/*
 * How the hooks of each cluster have ended so far, from their events. Main thread.
 */
#ifndef ROLECALL_FRONT_HOOK_LOG_H
#define ROLECALL_FRONT_HOOK_LOG_H

#include "router/event.h"

#include <stdint.h>

struct hook_log;

struct hook_record {
    uint64_t runs, failures;   /* since the start; runs that failed are among the runs */
    uint64_t last_ms;          /* time of day; 0 = it has not run */
    char last[EVENT_TEXT_MAX]; /* how that ended */
};

/* NULL: memory is out. */
struct hook_log *hook_log_new(void);
void hook_log_free(struct hook_log *log); /* NULL is allowed */

/* Others than EVENT_HOOK and EVENT_HOOK_FAILED are passed over. */
void hook_log_add(struct hook_log *log, const struct event *event);
/* All zero when it has not run. `log` may be NULL. */
struct hook_record hook_log_find(const struct hook_log *log, const char *cluster, const char *hook);

#endif
