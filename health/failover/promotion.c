/*
 * Promoting the target and making the others follow it, for failover and switchover alike; see handover.c.
 */
#include "health/failover/handover_private.h"

#include "conf/base/log.h"
#include "health/failover/errand.h"

#include <stdio.h>
#include <string.h>

static void end_errand(struct handover *handover, bool ok, const char *words)
{
    handover->outcome = ok ? OUTCOME_DONE : OUTCOME_FAILED;
    if (!ok)
        handover_say(handover, "%s", words);
    pgconn_close(handover->conn);
    handover->conn = NULL;
    handover->owner.changed(handover->owner.context);
}

static void on_promoted(void *context, const struct pgconn_answer *reply)
{
    struct handover *handover = context;
    const char *value = pgconn_value(reply, 0, 0);
    bool lost = reply->outcome != PGCONN_OK && reply->outcome != PGCONN_QUERY;
    if (lost || (value && value[0] == 't')) { /* lost: it may have been done all the same */
        end_errand(handover, true, "");
        return;
    }
    handover->promote_sent = false;
    end_errand(handover, false, reply->outcome == PGCONN_OK ? "pg_promote said no" : reply->error.text);
}

static void on_target_opened(void *context, const struct pgconn_answer *reply)
{
    struct handover *handover = context;
    if (reply->outcome != PGCONN_OK) {
        end_errand(handover, false, reply->error.text);
        return;
    }
    handover->promote_sent = true;
    pgconn_query(handover->conn, "SELECT pg_catalog.pg_promote(false)", NULL, 0, ERRAND_TIMEOUT_MS, handover,
        on_promoted);
}

void handover_promote(struct handover *handover)
{
    log_event(LOG_WARNING, "promoting", "cluster=%s node=%s old=%s reason=%s", handover_cluster(handover),
        handover_node(handover, handover->target), handover_node(handover, handover->old), handover->words);
    handover_move(handover, HANDOVER_PROMOTING);
    handover->conn = errand_open(handover->loop, handover->settings,
        handover->owner.endpoint(handover->owner.context, (size_t)handover->target), handover,
        on_target_opened);
}

static struct endpoint *endpoint_of(void *context, size_t node)
{
    struct handover *handover = context;
    return handover->owner.endpoint(handover->owner.context, node);
}

static void on_repointed(void *context, uint64_t failed)
{
    struct handover *handover = context;
    handover->outcome = failed ? OUTCOME_FAILED : OUTCOME_DONE;
    handover->owner.changed(handover->owner.context);
}

/* Replicas that can be asked. `lone`: only those without a connection to a primary. */
uint64_t handover_replicas(const struct view *view, bool lone)
{
    uint64_t nodes = 0;
    for (size_t i = 0; i < view->verdict->n; i++) {
        const struct node_verdict *node = &view->verdict->nodes[i];
        if (node->role == ROLE_REPLICA && node->condition == CONDITION_UP &&
            view->evidence[i].finding == FINDING_ANSWER && !(lone && view->evidence[i].seen.receiver))
            nodes |= UINT64_C(1) << i;
    }
    return nodes;
}

/* Makes these follow the primary, but for those that follow another replica of their own will. One that is
   set to follow the primary is done all the same: it may lack its slot there. */
void handover_start_repoint(const struct view *view, int primary, uint64_t nodes)
{
    struct handover *handover = view->handover;
    uint64_t old = handover->old == primary ? 0 : UINT64_C(1) << handover->old;
    const struct repoint_spec spec = {.settings = handover->settings,
        .roster = handover->roster,
        .primary = (size_t)primary,
        .leaders = handover_replicas(view, false) & ~old,
        .nodes = nodes,
        .context = handover,
        .endpoint = endpoint_of,
        .ended = on_repointed};
    handover_move(handover, HANDOVER_REPOINTING);
    handover->repointed_us = view->now_us;
    handover->repoint = repoint_start(handover->loop, &spec);
}

static void promotion_failed(const struct view *view, const char *why)
{
    struct handover *handover = view->handover;
    log_event(LOG_ERROR, "promotion_failed", "cluster=%s node=%s error=%s", handover_cluster(handover),
        handover_node(handover, handover->target), why);
    handover_event(handover, handover->target, why, "%s could not be promoted",
        handover_node(handover, handover->target));
    if (handover->switchover && !handover->promote_sent) {
        char text[2 * PLAN_REASON_MAX];
        snprintf(text, sizeof text, "%s could not be promoted: %s", handover_node(handover, handover->target),
            why);
        switchover_undo(view, text);
        return;
    }
    if (handover->switchover)
        handover_answer(handover, false, why); /* it goes on as a failover: the old one may not come back */
    handover->switchover = false;
    handover->excluded |= UINT64_C(1) << handover->target;
    handover_move(handover, HANDOVER_CHOOSING);
}

void promotion_step(const struct view *view)
{
    struct handover *handover = view->handover;
    if (view->verdict->primary >= 0 && view->verdict->primary != handover->old) {
        handover->target = view->verdict->primary;
        log_event(LOG_WARNING, "promoted", "cluster=%s node=%s old=%s took_ms=%llu",
            handover_cluster(handover), handover_node(handover, handover->target),
            handover_node(handover, handover->old),
            (unsigned long long)(view->now_us - handover->began_us) / 1000);
        handover_event(handover, handover->target, handover->words, "%s was promoted instead of %s",
            handover_node(handover, handover->target), handover_node(handover, handover->old));
        handover_start_repoint(view, handover->target, handover_replicas(view, false));
    } else if (handover->outcome == OUTCOME_FAILED) {
        char why[PLAN_REASON_MAX];
        snprintf(why, sizeof why, "%s", handover->words);
        promotion_failed(view, why);
    } else if (handover_waited(view, handover->settings->cluster->promote_timeout_ms)) {
        promotion_failed(view, "promote_timeout: it does not take writes");
    }
}

void promotion_repoint(const struct view *view)
{
    struct handover *handover = view->handover;
    if (handover->outcome == OUTCOME_PENDING)
        return;
    repoint_close(handover->repoint);
    handover->repoint = NULL;
    if (handover->target < 0) { /* only replicas that had lost their way */
        handover_rest(handover);
        return;
    }
    handover_tell_hook(view, HOOK_AFTER_PROMOTE, handover->target);
    if (handover->switchover)
        handover_done(view, handover->target,
            handover->outcome == OUTCOME_FAILED ? "; not every replica follows it yet" : "");
    handover_rest(handover);
}
