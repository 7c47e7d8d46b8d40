/*
 * Events as JSON, for /events.json and as a part of /stats.json. Main thread.
 *
 *     id, at_ms (since 1970), kind, weight (note, good, trouble), cluster, node (null: of none), count (of
 *     things that it stands for, or null), text, reason, evidence (null: nothing is said)
 */
#ifndef ROLECALL_FRONT_EVENTS_JSON_H
#define ROLECALL_FRONT_EVENTS_JSON_H

#include "proxy/front/events.h"
#include "proxy/front/http_routes.h"

#include <jansson.h>

/* The newest `max` of those above `since`, oldest first. */
json_t *events_json(const struct events *events, uint64_t since, uint64_t max);

/* /events.json?since=ID: newest (the number of the newest event) and events[], those above ID that are still
   kept. An ID above the newest one is of an earlier process: everything is told then. */
unsigned events_json_answer(const struct http_asked *asked, struct output *body);

#endif
