/*
 * What the data plane could do for a client now, since the router itself is asked: for health checks and for
 * whoever tells what is refused, and why. Main thread.
 */
#ifndef ROLECALL_FRONT_SERVICE_H
#define ROLECALL_FRONT_SERVICE_H

#include "proxy/front/admin_output.h"
#include "proxy/front/admin_view.h"

/* The node that a request would go to, -1 when there is none. The topology may be NULL. */
int service_node(const struct topology *topology, enum route route, enum fallback fallback);

/* Could a client of this listener be served? Writes of `split` count: without a primary it is half. */
bool service_of_listener(const struct admin_view *view, const struct config_listener *listener);

/* In words. */
const char *service_no_primary(const struct topology *topology);
/* "node2 is replica, down: nobody is there ...; node3 ..." */
void service_no_replica(const struct topology *topology, struct output *out);
/* Why a replica is not chosen for reads; "" when nothing speaks against it. */
void service_unfit(const struct topology *topology, size_t node, struct output *out);

#endif
