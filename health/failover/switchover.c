/*
 * SWITCHOVER: all nodes are looked at, the primary makes a checkpoint, new work is held, and open
 * transactions end. Then, where there is a manager, it is told to move the primary (delegated.c); else the
 * demote hook makes a standby of the primary, and the target is promoted when it has the end of the old one's
 * log. Until then it is called off without a trace; afterwards the hook is asked to undo what it did.
 */
#include "health/failover/handover_private.h"

#include "conf/base/log.h"
#include "health/failover/errand.h"

#include <stdio.h>
#include <string.h>

void switchover_call_off(struct handover *handover, const char *why)
{
    char text[ERROR_TEXT_MAX];
    snprintf(text, sizeof text, "called off: %s", why);
    handover_answer(handover, false, text);
    handover_rest(handover);
}

void switchover_undo(const struct view *view, const char *why)
{
    snprintf(view->handover->cause, sizeof view->handover->cause, "%s", why);
    handover_event(view->handover, view->handover->old, why, "%s is to be the primary again",
        handover_node(view->handover, view->handover->old));
    handover_move(view->handover, HANDOVER_UNDOING);
    handover_hook(view, HOOK_DEMOTE, view->handover->old, true);
}

/* Nothing runs at the old primary any more. */
static void hand_over(const struct view *view)
{
    struct handover *handover = view->handover;
    handover_event(handover, handover->old, "new work is held, and open transactions have ended",
        "%s is idle, %llu ms later", handover_node(handover, handover->old),
        (unsigned long long)(view->now_us - handover->began_us) / 1000);
    if (handover_is_managed(handover)) {
        delegated_begin(view);
        return;
    }
    handover_move(handover, HANDOVER_DEMOTING);
    handover_hook(view, HOOK_DEMOTE, handover->old, false);
}

/* What speaks against going on, while it is still the old primary's turn. */
static bool is_spoiled(const struct view *view, char why[PLAN_REASON_MAX])
{
    struct handover *handover = view->handover;
    struct plan_facts facts =
        handover_facts(view, view->now_us - 1000 * handover->settings->cluster->observation_ttl_ms);
    if (view->verdict->primary != handover->old)
        return snprintf(why, PLAN_REASON_MAX, "the primary was lost meanwhile") > 0;
    return !handover_is_managed(handover) && !plan_is_eligible(&facts, (size_t)handover->target, why);
}

/* --- a checkpoint, while all goes on: the one that ends PostgreSQL then has little to write --- */

static void end_checkpoint(struct handover *handover, const struct pgconn_answer *reply)
{
    handover->outcome = reply->outcome == PGCONN_OK ? OUTCOME_DONE : OUTCOME_FAILED;
    if (handover->outcome == OUTCOME_FAILED)
        handover_say(handover, "%.200s", reply->error.text);
    handover->owner.changed(handover->owner.context);
}

static void on_checkpoint(void *context, const struct pgconn_answer *reply)
{
    end_checkpoint(context, reply);
}

static void on_old_opened(void *context, const struct pgconn_answer *reply)
{
    struct handover *handover = context;
    if (reply->outcome == PGCONN_OK)
        pgconn_query(handover->conn, "SET statement_timeout = 0; CHECKPOINT", NULL, 0,
            handover->settings->cluster->promote_timeout_ms, handover, on_checkpoint);
    else
        end_checkpoint(handover, reply);
}

static void begin_checkpoint(struct handover *handover)
{
    handover_move(handover, HANDOVER_PREPARING);
    handover->conn = errand_open(handover->loop, handover->settings,
        handover->owner.endpoint(handover->owner.context, (size_t)handover->old), handover, on_old_opened);
}

static void begin_drain(const struct view *view)
{
    struct handover *handover = view->handover;
    const char *target = handover->target < 0 ? "another node" : handover_node(handover, handover->target);
    handover->began_us = view->now_us;
    log_event(LOG_WARNING, "switchover_begins", "cluster=%s node=%s to=%s", handover_cluster(handover),
        handover_node(handover, handover->old), target);
    handover_event(handover, handover->old, "SWITCHOVER", "%s is to take the place of %s", target,
        handover_node(handover, handover->old));
    handover_move(handover, HANDOVER_DRAINING);
}

/* Without it the pause may be longer, that is all. */
void switchover_prepare(const struct view *view)
{
    struct handover *handover = view->handover;
    char why[PLAN_REASON_MAX];
    if (is_spoiled(view, why)) {
        switchover_call_off(handover, why);
        return;
    }
    if (handover->outcome == OUTCOME_PENDING)
        return;
    if (handover->outcome == OUTCOME_FAILED) {
        log_event(LOG_WARNING, "no_checkpoint", "cluster=%s node=%s error=%s advice=%s",
            handover_cluster(handover), handover_node(handover, handover->old), handover->words,
            "GRANT pg_checkpoint to probe_user");
        handover_event(handover, handover->old, handover->words,
            "%s makes no checkpoint beforehand: the pause may be longer",
            handover_node(handover, handover->old));
    }
    begin_drain(view);
}

void switchover_drain(const struct view *view)
{
    struct handover *handover = view->handover;
    char why[PLAN_REASON_MAX];
    handover->owner.census(handover->owner.context, (size_t)handover->old, &handover->census);
    if (is_spoiled(view, why)) {
        switchover_call_off(handover, why);
    } else if (handover->census.held && handover->census.open == 0) {
        hand_over(view);
    } else if (handover_waited(view, handover->settings->cluster->drain_timeout_ms)) {
        snprintf(why, sizeof why, "%u transactions were still open after drain_timeout (SHOW SESSIONS tells)",
            handover->census.open);
        switchover_call_off(handover, why);
    }
}

void switchover_demote(const struct view *view)
{
    struct handover *handover = view->handover;
    char why[PLAN_REASON_MAX];
    switch (handover->outcome) {
    case OUTCOME_PENDING: return;
    case OUTCOME_DONE:
        handover_event(handover, handover->old, "the demote hook ended well", "%s becomes a standby of %s",
            handover_node(handover, handover->old), handover_node(handover, handover->target));
        handover_move(handover, HANDOVER_CATCHING_UP);
        return;
    case OUTCOME_FAILED:
        snprintf(why, sizeof why, "the demote hook failed: %.160s", handover->words);
        switchover_undo(view, why);
        return;
    }
}

/* The old one is a replica now, and what it ended its log with has reached the target. */
static bool has_all(const struct view *view)
{
    const struct handover *handover = view->handover;
    const struct observation *old = &view->evidence[handover->old].seen;
    const struct observation *target = &view->evidence[handover->target].seen;
    return handover_fresh(view, handover->old, handover->since_us) && old->in_recovery && old->lsn > 0 &&
           handover_fresh(view, handover->target, handover->since_us) && target->timeline == old->timeline &&
           plan_position(target) >= old->lsn;
}

void switchover_catch_up(const struct view *view)
{
    struct handover *handover = view->handover;
    bool back = view->verdict->primary == handover->old;
    if (has_all(view)) {
        handover_say(handover, "switchover");
        handover_promote(handover);
    } else if (back || handover_waited(view, handover->settings->cluster->hook_timeout_ms)) {
        switchover_undo(view, back ? "the demote hook left the old primary as it was"
                                   : "the target did not get the end of the old primary's log in time");
    }
}

void switchover_end_undo(const struct view *view)
{
    struct handover *handover = view->handover;
    char why[2 * PLAN_REASON_MAX];
    if (handover->outcome == OUTCOME_PENDING)
        return;
    snprintf(why, sizeof why, "%.200s; %s %s", handover->cause, handover_node(handover, handover->old),
        handover->outcome == OUTCOME_DONE ? "was made the primary again"
                                          : "could not be made the primary again: the demote hook failed");
    switchover_call_off(handover, why);
}

/* The node that SWITCHOVER TO names: what it is fit for is the manager's to say. Without a name the manager
 * chooses. */
static bool find_named(struct handover *handover, const char *name, char why[PLAN_REASON_MAX])
{
    handover->target = -1;
    for (size_t i = 0; i < handover->roster->n; i++) {
        if (strcmp(name, handover_node(handover, (int)i)) == 0)
            handover->target = (int)i;
    }
    if (handover->target == handover->old)
        snprintf(why, PLAN_REASON_MAX, "%.64s is the one to be replaced", name);
    else
        snprintf(why, PLAN_REASON_MAX, "there is no node %.64s", name);
    return !name[0] || (handover->target >= 0 && handover->target != handover->old);
}

/* The node that SWITCHOVER TO names, or the most advanced. False with the reason. */
static bool find_target(const struct view *view, const char *name, char why[PLAN_REASON_MAX])
{
    struct handover *handover = view->handover;
    struct plan_facts facts =
        handover_facts(view, view->now_us - 1000 * handover->settings->cluster->observation_ttl_ms);
    uint64_t best = 0;
    handover->target = -1;
    snprintf(why, PLAN_REASON_MAX, "there is no node %.64s", name[0] ? name : "to switch over to");
    for (size_t i = 0; i < view->verdict->n; i++) {
        const struct observation *seen = &view->evidence[i].seen;
        bool named = strcmp(name, handover_node(handover, (int)i)) == 0;
        if ((name[0] && !named) || (!name[0] && (int)i == handover->old))
            continue;
        if (!plan_is_eligible(&facts, i, why))
            continue;
        if (!seen->hears)
            snprintf(why, PLAN_REASON_MAX, "%s does not follow the primary", view->evidence[i].name);
        else if (plan_position(seen) >= best) {
            best = plan_position(seen);
            handover->target = (int)i;
        }
    }
    return handover->target >= 0;
}

static bool may_switch(const struct view *view, char why[PLAN_REASON_MAX])
{
    struct handover *handover = view->handover;
    bool managed = handover_is_managed(handover);
    if (!managed && !handover_is_builtin(handover))
        snprintf(why, PLAN_REASON_MAX,
            "failover = external, and no manager is known here: ask whoever manages this cluster");
    else if (!managed && !hook_queue_has(handover->hooks, HOOK_DEMOTE))
        snprintf(why, PLAN_REASON_MAX, "a switchover needs the demote hook");
    else if (view->verdict->primary < 0)
        snprintf(why, PLAN_REASON_MAX, "there is no primary: %.200s", view->verdict->reason);
    else if (view->verdict->primary != handover->old)
        snprintf(why, PLAN_REASON_MAX, "the primary does not answer at the moment");
    else if (managed)
        return find_named(handover, handover->order->node_order.node, why);
    else
        return find_target(view, handover->order->node_order.node, why);
    return false;
}

/* What was seen last may be as old as probe_interval. */
void switchover_begin(const struct view *view)
{
    struct handover *handover = view->handover;
    handover->switchover = true;
    handover_move(handover, HANDOVER_LOOKING);
    handover->owner.look(handover->owner.context);
}

void switchover_look(const struct view *view)
{
    struct handover *handover = view->handover;
    char why[PLAN_REASON_MAX];
    failover_take_old(handover);
    if (!handover_all_asked(view, -1))
        return;
    if (may_switch(view, why)) {
        begin_checkpoint(handover);
        return;
    }
    handover_answer(handover, false, why);
    handover_rest(handover);
}
