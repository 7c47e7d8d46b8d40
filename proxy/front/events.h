/*
 * The newest events (router/event.h) of this process, for everybody who shows them. A ring: what is older
 * than EVENTS_KEPT events is forgotten; a reload forgets nothing. Main thread.
 */
#ifndef ROLECALL_FRONT_EVENTS_H
#define ROLECALL_FRONT_EVENTS_H

#include "router/event.h"

#define EVENTS_KEPT 512u

struct events;

/* NULL: memory is out. */
struct events *events_new(void);
void events_free(struct events *events); /* NULL is allowed */

/* Keeps a copy under the next number (the first is 1), and sets its time when it has none. */
void events_add(struct events *events, const struct event *event);

/* The oldest one kept whose number is above `id`; NULL: there is none. Valid until the next events_add. */
const struct event *events_after(const struct events *events, uint64_t id);
/* The newest one's number; 0: there is none. */
uint64_t events_newest(const struct events *events);

#endif
