/*
 * How long things took: a log-linear histogram of microseconds.
 *
 * Each power of two is divided into 16 equal buckets, so a value read back is at most about 3 % away from
 * what was recorded; below 16 us it is exact. Values from 2^36 us (19 hours) on share the last bucket. One
 * thread writes, any thread may read or merge at any time: the counters are relaxed atomics, so a reader sees
 * a slightly older but never a torn number. All zeroes is an empty histogram; it needs no memory of its own.
 */
#ifndef ROLECALL_BASE_HISTOGRAM_H
#define ROLECALL_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 528

struct histogram {
    _Atomic uint64_t sum_us;
    _Atomic uint64_t max_us;
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* The writer's thread. */
void histogram_add(struct histogram *histogram, uint64_t us);

/* Adds what `from` holds now. `into` is the calling thread's own. */
void histogram_merge(struct histogram *into, const struct histogram *from);

uint64_t histogram_count(const struct histogram *histogram);
uint64_t histogram_sum_us(const struct histogram *histogram);
uint64_t histogram_max_us(const struct histogram *histogram);

/* The value that the share `quantile` (0..1) of all values do not exceed; 0 when empty, never above the
 * maximum. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

/* How many values are at most `us`, for cumulative buckets; values in the bucket of `us` itself count. */
uint64_t histogram_at_most(const struct histogram *histogram, uint64_t us);

#endif
