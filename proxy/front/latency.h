/*
 * Quantiles of the workers' meters (proxy/pool/meter.h) since the start and over the last minute. Every ten
 * seconds the main thread notes what the meters hold; the last minute is what has come since the note of a
 * minute ago (50 to 60 seconds). Main thread.
 */
#ifndef ROLECALL_FRONT_LATENCY_H
#define ROLECALL_FRONT_LATENCY_H

#include "proxy/pool/meter.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum latency_window { LATENCY_START, LATENCY_MINUTE, LATENCY_WINDOWS };
enum latency_group { LATENCY_ALL, LATENCY_NODES, LATENCY_POOLS };

struct latency_quantiles {
    uint64_t count;
    uint64_t p50_us, p95_us, p99_us, p999_us;
};

struct latency_row {
    const char *cluster, *database, *user, *node; /* of a meter; NULL where all are taken together */
    struct latency_quantiles of[METER_PHASES][LATENCY_WINDOWS];
    uint64_t max_us[METER_PHASES]; /* since the start */
};

/* What has come to a meter in the last minute, or since the start when that is not so long ago. */
struct latency_minute {
    uint64_t period_us;
    uint64_t counts[METER_PHASES], us[METER_PHASES];
    uint64_t sums[METER_SUMS];
};

struct latency;

/* NULL: memory is out. */
struct latency *latency_open(uv_loop_t *loop);
void latency_close(struct latency *latency);
/* When the loop has ended. NULL is allowed. */
void latency_free(struct latency *latency);

/* Notes the meters now; the timer's work, and a test's. */
void latency_note(struct latency *latency);

/* Adds the meter's last minute. */
void latency_minute(const struct latency *latency, const struct meter *meter, struct latency_minute *into);

/* Rows from malloc, the caller's; sorted by name. 0 when there is nothing or memory is out. */
size_t latency_rows(const struct latency *latency, enum latency_group group, struct latency_row **rows);

#endif
