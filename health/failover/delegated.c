/*
 * A switchover that the cluster's manager carries out: it is told when nothing runs at the old primary any
 * more, and new work is held until another node is the primary, as the manager's word and SQL show, whatever
 * the answer to the order is and whenever it comes.
 *
 * As long as the old primary has the role it can be called off: because the manager refuses, or because held
 * work would soon have waited too long. An order that was given cannot be taken back: if the manager obeys
 * later, that is a switchover like any other that somebody else has begun.
 */
#include "health/failover/handover_private.h"

#include <stdio.h>

void delegated_begin(const struct view *view)
{
    struct handover *handover = view->handover;
    struct error error;
    handover_move(handover, HANDOVER_DELEGATED);
    if (handover->owner.delegate(handover->owner.context, handover->old, handover->target, &error))
        return;
    handover->outcome = OUTCOME_FAILED;
    handover_say(handover, "%s", error.text);
}

/* Stopped and made the primary anew, instead of another. */
static bool is_back(const struct view *view)
{
    const struct handover *handover = view->handover;
    const struct observation *now = &view->evidence[handover->old].seen;
    return now->timeline != handover->primary.timeline || now->started_us != handover->primary.started_us;
}

/* Held work has a fifth of its time left to go on at the old primary. */
static bool is_late(const struct view *view)
{
    uint64_t patience_us = view->handover->settings->cluster->hold_timeout_ms * 800;
    return view->now_us - view->handover->began_us >= patience_us;
}

/* The old primary has the role, still or again: is that the end of it? */
static void wait_for_begin(const struct view *view)
{
    struct handover *handover = view->handover;
    char why[2 * PLAN_REASON_MAX];
    if (handover->outcome == OUTCOME_FAILED) {
        snprintf(why, sizeof why, "%s", handover->words);
        switchover_call_off(handover, why);
    } else if (is_back(view)) {
        snprintf(why, sizeof why, "the manager has made %s the primary again",
            handover_node(handover, handover->old));
        switchover_call_off(handover, why);
    } else if (is_late(view)) {
        snprintf(why, sizeof why,
            "the manager has not begun, and held work may wait no longer (hold_timeout)%s%.160s",
            handover->outcome == OUTCOME_DONE ? "; " : "",
            handover->outcome == OUTCOME_DONE ? handover->words : "");
        switchover_call_off(handover, why);
    }
}

static void end(const struct view *view, int primary)
{
    struct handover *handover = view->handover;
    char text[ERROR_TEXT_MAX];
    if (handover->target < 0 || handover->target == primary) {
        handover_done(view, primary, "");
    } else {
        snprintf(text, sizeof text, "the manager has made %s the primary instead of %s, not %s",
            handover_node(handover, primary), handover_node(handover, handover->old),
            handover_node(handover, handover->target));
        handover_answer(handover, false, text);
    }
    handover_rest(handover);
}

void delegated_wait(const struct view *view)
{
    struct handover *handover = view->handover;
    int primary = view->verdict->primary;
    if (primary >= 0 && primary != handover->old) {
        end(view, primary);
    } else if (primary == handover->old) {
        wait_for_begin(view);
    } else if (handover_waited(view, handover->settings->cluster->promote_timeout_ms)) {
        char text[ERROR_TEXT_MAX];
        snprintf(text, sizeof text,
            "%s was given up, and no other takes writes within promote_timeout: %.200s",
            handover_node(handover, handover->old), view->verdict->reason);
        handover_answer(handover, false, text);
        handover_rest(handover);
    }
}
