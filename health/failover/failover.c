/*
 * Failover: the primary is gone, of which nobody must be mistaken. It is confirmed over failover_after, a
 * replica is chosen, the old primary is fenced, and the choice is made again with what replicas have then.
 */
#include "health/failover/handover_private.h"

#include "conf/base/log.h"

#include <stdio.h>

static void warn_when_unsafe(struct handover *handover)
{
    bool unsafe = handover_is_builtin(handover) &&
                  handover->settings->cluster->data_loss == DATA_LOSS_REFUSE &&
                  handover->primary.sync_names_known && !handover->primary.sync_names[0];
    if (unsafe && !handover->told_unsafe)
        log_event(LOG_WARNING, "failover_not_safe", "cluster=%s consequence=%s advice=%s",
            handover_cluster(handover),
            "no replica will be promoted when the primary crashes: it may lack commits",
            "set synchronous_standby_names, or data_loss = allow");
    handover->told_unsafe = unsafe;
}

void failover_see(const struct view *view)
{
    struct handover *handover = view->handover;
    int primary = view->verdict->primary;
    if (primary < 0 || view->evidence[primary].finding != FINDING_ANSWER)
        return;
    handover->last = primary;
    handover->last_seen = view->evidence[primary].seen;
}

void failover_take_old(struct handover *handover)
{
    handover->old = handover->last;
    handover->primary = handover->last_seen;
    warn_when_unsafe(handover);
}

static void note_gone(const struct view *view)
{
    struct handover *handover = view->handover;
    struct plan_facts facts =
        handover_facts(view, view->now_us - 1000 * handover->settings->cluster->observation_ttl_ms);
    char reason[PLAN_REASON_MAX];
    if (!plan_is_gone(&facts, reason)) {
        handover->gone_since_us = 0;
        handover_tell(handover, "failover_waits", reason);
    } else if (handover->gone_since_us == 0) {
        handover->gone_since_us = view->now_us;
    }
}

void failover_confirm(const struct view *view)
{
    struct handover *handover = view->handover;
    note_gone(view);
    uint64_t after_us = handover->settings->cluster->failover_after_ms * 1000;
    if (handover->gone_since_us == 0 || view->now_us - handover->gone_since_us < after_us)
        return;
    log_event(LOG_WARNING, "failover_begins", "cluster=%s node=%s reason=%s", handover_cluster(handover),
        handover_node(handover, handover->old), view->verdict->nodes[handover->old].reason);
    handover_event(handover, handover->old, view->verdict->nodes[handover->old].reason,
        "%s is given up: a replica is to take its place", handover_node(handover, handover->old));
    handover_tell_hook(view, HOOK_ON_PRIMARY_DOWN, handover->old);
    handover->told[0] = '\0';
    handover_move(handover, HANDOVER_CHOOSING);
}

void failover_choose(const struct view *view)
{
    struct handover *handover = view->handover;
    note_gone(view);
    if (handover->gone_since_us == 0) {
        handover->fenced = false;
        handover_move(handover, HANDOVER_CONFIRMING);
        return;
    }
    if (!handover_all_asked(view, handover->old))
        return;
    struct plan_facts facts = handover_facts(view, handover->since_us);
    char reason[PLAN_REASON_MAX];
    handover->target = plan_choose(&facts, reason);
    if (handover->target < 0) {
        handover_tell(handover, "failover_refused", reason);
        return;
    }
    handover_say(handover, "%s", reason);
    if (handover->fenced || !hook_queue_has(handover->hooks, HOOK_BEFORE_PROMOTE)) {
        handover_promote(handover);
        return;
    }
    handover_move(handover, HANDOVER_FENCING);
    handover_hook(view, HOOK_BEFORE_PROMOTE, handover->old, false);
}

void failover_fence(const struct view *view)
{
    struct handover *handover = view->handover;
    switch (handover->outcome) {
    case OUTCOME_PENDING: return;
    case OUTCOME_DONE:
        handover->fenced = true;
        handover_move(handover, HANDOVER_CHOOSING);
        return;
    case OUTCOME_FAILED:
        log_event(LOG_ERROR, "failover_stopped", "cluster=%s error=%s advice=%s", handover_cluster(handover),
            "before_promote failed: the old primary may take writes", "a reload tries again");
        handover_event(handover, handover->old, handover->words, "before_promote failed: nobody is promoted");
        handover_move(handover, HANDOVER_STOPPED);
        return;
    }
}
