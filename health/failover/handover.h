/*
 * From one primary to the next: failover of rolecall's own, and SWITCHOVER. One machine for each cluster, fed
 * with every verdict before it is published. Owned by the cluster's watch; control thread only.
 */
#ifndef ROLECALL_HEALTH_FAILOVER_HANDOVER_H
#define ROLECALL_HEALTH_FAILOVER_HANDOVER_H

#include "health/endpoint.h"
#include "health/hook/queue.h"
#include "health/judge.h"
#include "health/news.h"
#include "health/roster.h"
#include "health/settings.h"
#include "router/message.h"

#include <stdbool.h>
#include <uv.h>

/* What is still going on at a primary that is to be left. */
struct handover_census {
    bool held;               /* every worker knows that new work is to wait */
    uint32_t open;           /* requests and transactions under way */
    uint32_t pinned, relays; /* sessions that will be closed */
};

struct handover_owner {
    void *context;
    void (*changed)(void *context); /* judge again; from the loop, never from within a call */
    void (*look)(void *context);    /* look at all nodes at once; each answer is judged */
    struct endpoint *(*endpoint)(void *context, size_t node);
    void (*census)(void *context, size_t node, struct handover_census *census);
    /* Has the manager make `to` (-1: whichever it finds best) the primary instead of `from`; what it says to
     * that comes by handover_answered. False, with the reason, when it cannot even be asked. */
    bool (*delegate)(void *context, int from, int to, struct error *error);
};

struct handover;

/* What it points to must outlive it. */
struct handover *handover_open(uv_loop_t *loop, const struct settings *settings, const struct roster *roster,
    struct hook_queue *hooks, const struct news *news, const struct handover_owner *owner);

/* The judge's verdict, and what it is made of; not later than the next call. */
void handover_judged(
    struct handover *handover, const struct verdict *verdict, const struct evidence *evidence);

/* True while new work must wait though there may be a primary; why, in words that live as long as the state.
 */
bool handover_holds(const struct handover *handover, const char **reason);

/* Bits of nodes that must not be primary any more since another is being promoted. For the judge. */
uint64_t handover_replaced(const struct handover *handover);

/* Takes an ORDER_SWITCHOVER, and replies when it is over. */
void handover_order(struct handover *handover, struct message *order);

/* Takes an ORDER_CALL_OFF. While the open transactions are waited for, the switchover with its ticket ends,
   whose order is answered then; else the reply says that it goes on. */
void handover_call_off(struct handover *handover, struct message *message);

/* What the manager says to what was delegated to it. */
void handover_answered(struct handover *handover, bool accepted, const char *words);

/* The configuration is another one. With other members, what was under way is called off. */
void handover_reload(struct handover *handover, bool members_changed);

/* NULL is allowed. An order under way is not answered any more. */
void handover_close(struct handover *handover);

#endif
