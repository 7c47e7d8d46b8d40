/*
 * The watch over one node: its address, its probe, its schedule, and the evidence that they give. Owned by
 * the cluster's watch; control thread only.
 */
#ifndef ROLECALL_HEALTH_NODE_H
#define ROLECALL_HEALTH_NODE_H

#include "health/endpoint.h"
#include "health/judge.h"
#include "health/orders.h"
#include "health/scheduler.h"
#include "health/settings.h"

#include <uv.h>

struct node;

struct node_owner {
    void *context;
    void (*asking)(void *context, struct node *node); /* the probe's question is about to be sent */
    /* A look has ended and the evidence is new; seen: its answer, or NULL. The owner must call node_schedule.
     */
    void (*looked)(void *context, struct node *node, const struct observation *seen);
    void (*lost)(void *context, struct node *node); /* a connection that worked broke */
};

/* Begins to look at once. Takes over the caller's reference of `live`. */
struct node *node_open(uv_loop_t *loop, const struct settings *settings, const struct config_node *config,
    struct node_live *live, const struct node_owner *owner);

const char *node_name(const struct node *node);
struct endpoint *node_endpoint(struct node *node);
struct node_live *node_live(struct node *node);
/* The operator's word about it; lives as long as the watch. */
struct orders *node_orders(struct node *node);
/* True when the configuration means the same node: name, host and port. */
bool node_is(const struct node *node, const struct config_node *config);

/* Valid until the next look ends. */
void node_evidence(const struct node *node, uint64_t now_us, struct evidence *out);

/* Ends a look: plans the next. */
void node_schedule(struct node *node, const struct pace *pace);
void node_hint(struct node *node, uint64_t gap_ms);
void node_hurry(struct node *node, const struct pace *pace);
/* As if it had never been looked at. */
void node_forget(struct node *node);
/* The settings changed: connects anew, the evidence stays. */
void node_reconnect(struct node *node);
/* No callback afterwards. Whoever uses the endpoint must have stopped before. */
void node_close(struct node *node);

#endif
