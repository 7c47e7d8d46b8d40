/*
 * The samples; see sample_ring.h. A full ring is thinned, not shifted: every second of its older half goes,
 * so a replica that is far behind still finds a sample near its position.
 */
#include "health/sample_ring.h"

#include <string.h>

void sample_ring_clear(struct sample_ring *ring)
{
    ring->n = 0;
}

static void thin(struct sample_ring *ring)
{
    size_t half = ring->n / 2, kept = 0;
    for (size_t i = 0; i < half; i += 2)
        ring->samples[kept++] = ring->samples[i];
    memmove(ring->samples + kept, ring->samples + half, (ring->n - half) * sizeof *ring->samples);
    ring->n = kept + ring->n - half;
}

void sample_ring_add(struct sample_ring *ring, const struct sample *sample)
{
    /* Answers may overtake each other: an older sample that comes late is covered by the newer one. */
    if (ring->n > 0 && ring->samples[ring->n - 1].number >= sample->number)
        return;
    while (ring->n > 0 && ring->samples[ring->n - 1].lsn >= sample->lsn)
        ring->n--;
    if (ring->n == SAMPLE_RING_SIZE)
        thin(ring);
    ring->samples[ring->n++] = *sample;
}

/* How many positions are at most `replayed`. */
static size_t count_reached(const struct sample_ring *ring, uint64_t replayed)
{
    size_t low = 0, high = ring->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ring->samples[middle].lsn <= replayed)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct sample *sample_ring_reached(const struct sample_ring *ring, uint64_t replayed)
{
    size_t reached = count_reached(ring, replayed);
    return reached == 0 ? NULL : &ring->samples[reached - 1];
}

const struct sample *sample_ring_missed(const struct sample_ring *ring, uint64_t replayed)
{
    size_t reached = count_reached(ring, replayed);
    return reached == ring->n ? NULL : &ring->samples[reached];
}
