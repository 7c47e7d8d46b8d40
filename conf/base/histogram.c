/*
 * A log-linear histogram; see histogram.h.
 *
 * The bucket of a value is found from the place of its highest bit (the octave) and the four bits below it.
 * Reading gives the middle of a bucket. Counts are summed from the buckets each time, so that a reader's
 * total always agrees with what it walks over.
 */
#include "conf/base/histogram.h"

#define SUB_BITS 4
#define SUB_COUNT (1u << SUB_BITS)
#define MAX_VALUE ((UINT64_C(1) << 36) - 1)

_Static_assert(HISTOGRAM_BUCKETS == (36 - SUB_BITS + 1) * SUB_COUNT, "octaves up to 2^36, and the exact one");

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* One writer: a load and a store are cheaper than an atomic addition, and as good. */
static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, get(counter) + n, memory_order_relaxed);
}

static unsigned bucket_of(uint64_t us)
{
    if (us > MAX_VALUE)
        us = MAX_VALUE;
    if (us < SUB_COUNT)
        return (unsigned)us;
    unsigned octave = 63 - (unsigned)__builtin_clzll(us);
    unsigned shift = octave - SUB_BITS;
    return (shift + 1) * SUB_COUNT + (unsigned)((us >> shift) - SUB_COUNT);
}

static uint64_t middle_of(unsigned bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    unsigned shift = bucket / SUB_COUNT - 1;
    uint64_t low = (uint64_t)(bucket % SUB_COUNT + SUB_COUNT) << shift;
    return low + ((UINT64_C(1) << shift) - 1) / 2;
}

void histogram_add(struct histogram *histogram, uint64_t us)
{
    add(&histogram->buckets[bucket_of(us)], 1);
    add(&histogram->sum_us, us);
    if (us > get(&histogram->max_us))
        atomic_store_explicit(&histogram->max_us, us, memory_order_relaxed);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        add(&into->buckets[i], get(&from->buckets[i]));
    add(&into->sum_us, get(&from->sum_us));
    if (get(&from->max_us) > get(&into->max_us))
        atomic_store_explicit(&into->max_us, get(&from->max_us), memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        count += get(&histogram->buckets[i]);
    return count;
}

uint64_t histogram_sum_us(const struct histogram *histogram)
{
    return get(&histogram->sum_us);
}

uint64_t histogram_max_us(const struct histogram *histogram)
{
    return get(&histogram->max_us);
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    uint64_t total = histogram_count(histogram);
    if (total == 0)
        return 0;
    double share = quantile < 0 ? 0 : quantile > 1 ? 1 : quantile;
    double exact = share * (double)total;
    uint64_t rank = (uint64_t)exact;
    if ((double)rank < exact || rank == 0)
        rank++;
    uint64_t max = get(&histogram->max_us), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += get(&histogram->buckets[i]);
        if (seen >= rank && i < HISTOGRAM_BUCKETS - 1)
            return middle_of(i) < max ? middle_of(i) : max;
    }
    return max;
}

uint64_t histogram_at_most(const struct histogram *histogram, uint64_t us)
{
    uint64_t count = 0;
    for (unsigned i = 0, last = bucket_of(us); i <= last; i++)
        count += get(&histogram->buckets[i]);
    return count;
}
