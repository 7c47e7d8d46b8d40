/*
 * Runs auth_query for the workers and remembers the answers, "no such user" too. One per cluster, owned by
 * its watch; control thread only.
 *
 * An answer is used for auth_cache_ttl. It is kept longer: while no node can be asked, an old answer is
 * better than none, so logins go on during an outage. Requests for one user coalesce; queue and cache are
 * bounded.
 */
#ifndef ROLECALL_HEALTH_SECRETS_H
#define ROLECALL_HEALTH_SECRETS_H

#include "health/publish.h"
#include "health/settings.h"

#include <uv.h>

struct secrets;

/* Where the query may run: asked for each attempt, best first. The endpoint of the nth fit node, or NULL past
   the last; primary_only leaves replicas out. */
struct secrets_nodes {
    void *context;
    struct endpoint *(*nth)(void *context, size_t nth, bool primary_only);
};

struct secrets *secrets_open(uv_loop_t *loop, const struct settings *settings,
    const struct subscribers *subscribers, const struct secrets_nodes *nodes);
/* Takes the message (a MESSAGE_SECRET_REQUEST); the reply goes to subscribers[request.worker]. */
void secrets_request(struct secrets *secrets, struct message *message);
/* A verdict changed: waiting requests may find a node now. */
void secrets_nodes_changed(struct secrets *secrets);
/* Who asks or how has changed: the connection is made anew, and answers are asked for again. */
void secrets_settings_changed(struct secrets *secrets);
/* Before a node goes away: nothing of its endpoint is used afterwards. */
void secrets_forget_endpoint(struct secrets *secrets, const struct endpoint *endpoint);
/* Waiting requests are answered with "not answered". NULL is allowed. */
void secrets_close(struct secrets *secrets);

#endif
