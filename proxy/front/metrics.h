/*
 * The metrics of the process in Prometheus' text format, version 0.0.4: base units, one HELP and TYPE for
 * each name, labels of bounded number (clusters, nodes, listeners and reasons are few; pools are counted
 * together beyond a bound). Main thread.
 */
#ifndef ROLECALL_FRONT_METRICS_H
#define ROLECALL_FRONT_METRICS_H

#include "proxy/front/http_routes.h"

/* `asked` has a survey of pools. Returns the HTTP status. */
unsigned metrics_answer(const struct http_asked *asked, struct output *body);

#endif
