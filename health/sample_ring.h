/*
 * Where the primary stood at each numbered sample, newest kept longest: which sample has a replica replayed?
 * Pure; one primary in one incarnation only, so it is cleared when that changes.
 */
#ifndef ROLECALL_HEALTH_SAMPLE_RING_H
#define ROLECALL_HEALTH_SAMPLE_RING_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLE_RING_SIZE 1024

struct sample {
    uint64_t number, lsn;
    uint64_t asked_at_us; /* whoever has replayed this sample has everything that was written until then */
};

/* Sorted: numbers and positions both rise. */
struct sample_ring {
    size_t n;
    struct sample samples[SAMPLE_RING_SIZE];
};

void sample_ring_clear(struct sample_ring *ring);
/* A sample that says no more than a newer one is left out, and makes older ones that say no more go. */
void sample_ring_add(struct sample_ring *ring, const struct sample *sample);
/* The one with the highest number whose position is at most `replayed`; NULL when there is none. Valid until
   the next change. */
const struct sample *sample_ring_reached(const struct sample_ring *ring, uint64_t replayed);
/* The first one whose position is beyond `replayed`; NULL when there is none. */
const struct sample *sample_ring_missed(const struct sample_ring *ring, uint64_t replayed);

#endif
