/* The ring of events; see events.h. Its memory is touched only as it fills. */
#include "proxy/front/events.h"

#include "conf/base/clock.h"

#include <stdlib.h>

struct events {
    uint64_t newest;
    struct event ring[EVENTS_KEPT]; /* number n at n % EVENTS_KEPT */
};

struct events *events_new(void)
{
    return calloc(1, sizeof(struct events));
}

void events_free(struct events *events)
{
    free(events);
}

void events_add(struct events *events, const struct event *event)
{
    struct event *kept = &events->ring[++events->newest % EVENTS_KEPT];
    *kept = *event;
    kept->id = events->newest;
    if (kept->at_ms == 0)
        kept->at_ms = clock_day_ms();
}

const struct event *events_after(const struct events *events, uint64_t id)
{
    if (id >= events->newest)
        return NULL;
    uint64_t oldest = events->newest > EVENTS_KEPT ? events->newest - EVENTS_KEPT + 1 : 1;
    uint64_t next = id + 1 > oldest ? id + 1 : oldest;
    return &events->ring[next % EVENTS_KEPT];
}

uint64_t events_newest(const struct events *events)
{
    return events->newest;
}
