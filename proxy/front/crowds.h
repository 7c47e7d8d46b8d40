/*
 * Makes single events of what comes in crowds: requests that are held (a beginning and an end for each
 * cluster) and logins that fail (one event when there are many, then one every ten seconds while it goes on).
 * Pure but for memory: time and numbers are given. Main thread.
 */
#ifndef ROLECALL_FRONT_CROWDS_H
#define ROLECALL_FRONT_CROWDS_H

#include "proxy/front/events.h"
#include "router/topology.h"

#include <stdbool.h>

/* So many failed logins within LOGINS_WINDOW_US are told. */
#define CROWD_LOGINS 5u
#define CROWD_LOGINS_WINDOW_US UINT64_C(10000000)
/* A hold is over when nothing was held for so long: a short gap does not make two of one. */
#define CROWD_HOLD_GAP_US UINT64_C(2000000)

struct crowds;

/* NULL: memory is out. `events` outlives it. */
struct crowds *crowds_new(struct events *events);
void crowds_free(struct crowds *crowds); /* NULL is allowed */

/* A worker tells of event->count failed logins. */
void crowds_logins(struct crowds *crowds, const struct event *event, uint64_t now_us);

/* Looks at what a cluster's topology counts; call it a few times a second for each. */
void crowds_hold(struct crowds *crowds, const struct topology *topology, uint64_t now_us);

/* Tells what has become due. */
void crowds_tick(struct crowds *crowds, uint64_t now_us);

#endif
