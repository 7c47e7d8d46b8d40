/*
 * Makes topology snapshots and posts them, when there is something new: membership, a role, a condition, a
 * reason, an address. Owned by the cluster's watch; control thread only.
 */
#ifndef ROLECALL_HEALTH_PUBLISH_H
#define ROLECALL_HEALTH_PUBLISH_H

#include "conf/base/mailbox.h"
#include "health/endpoint.h"
#include "health/judge.h"
#include "health/orders.h"
#include "health/settings.h"
#include "router/message.h"

#include <stdbool.h>
#include <stddef.h>

/* Whom the control thread tells. Owned by control.c; the mailboxes outlive it. */
struct subscribers {
    struct mailbox **mailboxes;
    size_t n;
};

/* Posts to each subscriber a message of `kind` with a reference of its own. */
void subscribers_send_topology(const struct subscribers *subscribers, struct topology *topology);
void subscribers_send_catalogue(const struct subscribers *subscribers, struct catalogue *catalogue);

/* To the last of them, which keeps what operators want to hear of; sets the time when it has none. */
void subscribers_send_event(const struct subscribers *subscribers, const struct event *event);

/* The facts of one node that a snapshot holds, beside the verdict. */
struct published_node {
    const struct config_node *config;
    struct endpoint *endpoint;
    struct node_live *live;
    struct orders *orders;
};

struct publisher {
    const struct subscribers *subscribers;
    struct topology *last; /* one reference; NULL before the first */
};

/* Makes a snapshot from the verdict about these nodes (verdict->n of them, same order) and posts it if it
   differs from the last. Also stores each node's generation in its record, before posting. */
void publish(struct publisher *publisher, const struct settings *settings, struct cluster_live *live,
    const struct published_node *nodes, const struct verdict *verdict);
void publisher_fini(struct publisher *publisher);

#endif
