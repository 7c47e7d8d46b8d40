/*
 * Failover and switchover; see handover.h.
 *
 *     failover     IDLE -> CONFIRMING -> CHOOSING -> FENCING -> CHOOSING -> PROMOTING -> REPOINTING -> IDLE
 *     switchover   IDLE -> LOOKING -> PREPARING -> DRAINING -> DEMOTING -> CATCHING_UP -> PROMOTING ->
 *                  REPOINTING -> IDLE
 *                  with a manager   DRAINING -> DELEGATED -> IDLE
 *                  called off       -> IDLE, or, once the demote hook has begun, -> UNDOING -> IDLE
 *
 * Callbacks note what came of a hook or an errand and have the cluster judged anew; with each verdict `step`
 * looks what the state waits for. Whenever another node than the one to be replaced turns out to be primary,
 * a failover is over. What fails for one replica is tried with another; a fence that fails stops everything
 * until there is a primary again, or a reload.
 */
#include "health/failover/handover_private.h"

#include "conf/base/clock.h"
#include "conf/base/fsm.h"
#include "conf/base/log.h"
#include "health/hook/events.h"
#include "health/memory.h"

#include <stdarg.h>
#include <stdio.h>

#define POLL_MS 10  /* while open transactions are waited for */
#define TICK_MS 200 /* in other states that wait for time to pass */
#define REPOINT_GAP_US 10000000u

static const char *const state_names[] = {[HANDOVER_IDLE] = "idle",
    [HANDOVER_CONFIRMING] = "confirming",
    [HANDOVER_CHOOSING] = "choosing",
    [HANDOVER_FENCING] = "fencing",
    [HANDOVER_LOOKING] = "looking",
    [HANDOVER_PREPARING] = "making a checkpoint",
    [HANDOVER_DRAINING] = "draining",
    [HANDOVER_DEMOTING] = "demoting",
    [HANDOVER_CATCHING_UP] = "catching up",
    [HANDOVER_DELEGATED] = "delegated to the manager",
    [HANDOVER_UNDOING] = "undoing",
    [HANDOVER_PROMOTING] = "promoting",
    [HANDOVER_REPOINTING] = "re-pointing",
    [HANDOVER_STOPPED] = "stopped"};
static const uint64_t moves[] = {
    [HANDOVER_IDLE] = FSM_TO(HANDOVER_CONFIRMING) | FSM_TO(HANDOVER_LOOKING) | FSM_TO(HANDOVER_REPOINTING),
    [HANDOVER_LOOKING] = FSM_TO(HANDOVER_PREPARING) | FSM_TO(HANDOVER_IDLE),
    [HANDOVER_PREPARING] = FSM_TO(HANDOVER_DRAINING) | FSM_TO(HANDOVER_IDLE),
    [HANDOVER_CONFIRMING] = FSM_TO(HANDOVER_CHOOSING) | FSM_TO(HANDOVER_IDLE),
    [HANDOVER_CHOOSING] = FSM_TO(HANDOVER_FENCING) | FSM_TO(HANDOVER_PROMOTING) |
                          FSM_TO(HANDOVER_CONFIRMING) | FSM_TO(HANDOVER_IDLE),
    [HANDOVER_FENCING] = FSM_TO(HANDOVER_CHOOSING) | FSM_TO(HANDOVER_STOPPED) | FSM_TO(HANDOVER_IDLE),
    [HANDOVER_DRAINING] = FSM_TO(HANDOVER_DEMOTING) | FSM_TO(HANDOVER_DELEGATED) | FSM_TO(HANDOVER_IDLE),
    [HANDOVER_DEMOTING] = FSM_TO(HANDOVER_CATCHING_UP) | FSM_TO(HANDOVER_UNDOING) | FSM_TO(HANDOVER_IDLE),
    [HANDOVER_CATCHING_UP] = FSM_TO(HANDOVER_PROMOTING) | FSM_TO(HANDOVER_UNDOING) | FSM_TO(HANDOVER_IDLE),
    [HANDOVER_DELEGATED] = FSM_TO(HANDOVER_IDLE),
    [HANDOVER_UNDOING] = FSM_TO(HANDOVER_IDLE),
    [HANDOVER_PROMOTING] = FSM_TO(HANDOVER_REPOINTING) | FSM_TO(HANDOVER_CHOOSING) |
                           FSM_TO(HANDOVER_UNDOING) | FSM_TO(HANDOVER_IDLE),
    [HANDOVER_REPOINTING] = FSM_TO(HANDOVER_IDLE),
    [HANDOVER_STOPPED] = FSM_TO(HANDOVER_CONFIRMING) | FSM_TO(HANDOVER_IDLE)};
static const struct fsm fsm = {"handover", state_names, moves, HANDOVER_STOPPED + 1};

const char *handover_cluster(const struct handover *handover)
{
    return handover->settings->cluster->name;
}

const char *handover_node(const struct handover *handover, int node)
{
    return node < 0 ? "" : handover->roster->nodes[node].name;
}

bool handover_is_builtin(const struct handover *handover)
{
    return handover->settings->cluster->failover == FAILOVER_BUILTIN;
}

bool handover_is_managed(const struct handover *handover)
{
    return handover->settings->cluster->manager != MANAGER_KIND_NONE;
}

static void on_timer(uv_timer_t *timer)
{
    struct handover *handover = timer->data;
    handover->owner.changed(handover->owner.context);
}

void handover_move(struct handover *handover, enum handover_state to)
{
    fsm_check(&fsm, handover->state, to);
    log_event(LOG_DEBUG, "handover", "cluster=%s from=%s to=%s", handover_cluster(handover),
        state_names[handover->state], state_names[to]);
    handover->state = to;
    handover->since_us = clock_now_us();
    handover->outcome = OUTCOME_PENDING;
    pgconn_close(handover->conn);
    handover->conn = NULL;
    uint64_t tick_ms = to == HANDOVER_DRAINING ? POLL_MS : TICK_MS;
    if (to == HANDOVER_IDLE)
        uv_timer_stop(&handover->timer);
    else
        uv_timer_start(&handover->timer, on_timer, 1, tick_ms);
}

__attribute__((format(printf, 2, 3))) void handover_say(struct handover *handover, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(handover->words, sizeof handover->words, format, args);
    va_end(args);
}

void handover_event(const struct handover *handover, int node, const char *reason, const char *format, ...)
{
    struct event event = news_event(handover->news, handover->switchover ? EVENT_SWITCHOVER : EVENT_FAILOVER,
        handover_node(handover, node));
    va_list args;
    va_start(args, format);
    vsnprintf(event.text, sizeof event.text, format, args);
    va_end(args);
    snprintf(event.reason, sizeof event.reason, "%s", reason);
    news_send(handover->news, &event);
}

void handover_tell(struct handover *handover, const char *event, const char *reason)
{
    if (strcmp(handover->told, reason) == 0)
        return;
    snprintf(handover->told, sizeof handover->told, "%s", reason);
    log_event(LOG_WARNING, event, "cluster=%s node=%s reason=%s", handover_cluster(handover),
        handover_node(handover, handover->old), reason);
    handover_event(handover, handover->old, reason, "nobody is promoted yet");
}

bool handover_waited(const struct view *view, uint64_t ms)
{
    return view->now_us - view->handover->since_us >= ms * 1000;
}

/* --- answers --- */

void handover_answer(struct handover *handover, bool ok, const char *text)
{
    struct message *order = handover->order;
    struct error error;
    handover->order = NULL;
    log_event(ok ? LOG_INFO : LOG_WARNING, ok ? "switchover_done" : "switchover_failed", "cluster=%s text=%s",
        handover_cluster(handover), text);
    if (!ok)
        handover_event(handover, -1, text, "a switchover failed");
    error_set(&error, SQLSTATE_OBJECT_NOT_IN_STATE, "%s", text);
    if (order)
        message_reply(order, ok, &error);
}

void handover_rest(struct handover *handover)
{
    handover->fenced = handover->switchover = handover->promote_sent = false;
    handover->excluded = 0;
    handover->gone_since_us = 0;
    handover->target = -1;
    handover->told[0] = '\0';
    handover_move(handover, HANDOVER_IDLE);
}

void handover_done(const struct view *view, int primary, const char *but)
{
    struct handover *handover = view->handover;
    char text[ERROR_TEXT_MAX];
    snprintf(text, sizeof text,
        "%s is the primary on timeline %u instead of %s, after %llu ms%s; closed: %u pinned sessions, %u "
        "relays",
        handover_node(handover, primary), view->verdict->nodes[primary].timeline,
        handover_node(handover, handover->old),
        (unsigned long long)(view->now_us - handover->began_us) / 1000, but, handover->census.pinned,
        handover->census.relays);
    handover_event(handover, primary, text, "a switchover is done");
    handover_answer(handover, true, text);
}

/* --- hooks and errands --- */

static void on_hook(void *context, const struct command_end *end)
{
    struct handover *handover = context;
    if (handover->stale_hooks > 0) {
        handover->stale_hooks--;
        return;
    }
    handover->outcome = end->ok ? OUTCOME_DONE : OUTCOME_FAILED;
    if (!end->ok)
        handover_say(handover, "%s", end->how);
    handover->owner.changed(handover->owner.context);
}

static void add_facts(const struct view *view, struct facts *facts, enum hook hook)
{
    const struct handover *handover = view->handover;
    const struct config_node *nodes = handover->roster->nodes;
    const struct config_node *old = &nodes[handover->old];
    events_facts(facts, hook, handover->settings, handover->roster, view->verdict);
    facts_add(facts, "OLD_PRIMARY", "%s", old->name);
    facts_add(facts, "OLD_PRIMARY_HOST", "%s", old->host);
    facts_add(facts, "OLD_PRIMARY_PORT", "%u", (unsigned)old->port);
    if (handover->target < 0)
        return;
    facts_add(facts, "TARGET", "%s", nodes[handover->target].name);
    facts_add(facts, "TARGET_HOST", "%s", nodes[handover->target].host);
    facts_add(facts, "TARGET_PORT", "%u", (unsigned)nodes[handover->target].port);
}

/* A hook about a node, whose end the state waits for. False when there is none. */
bool handover_hook(const struct view *view, enum hook hook, int node, bool undo)
{
    struct facts facts = {0};
    add_facts(view, &facts, hook);
    events_node_facts(&facts, view->handover->roster, view->verdict, (size_t)node);
    if (undo)
        facts_add(&facts, "UNDO", "1");
    return hook_queue_run(view->handover->hooks, hook, &facts, view->handover, on_hook);
}

/* A hook that only tells. */
void handover_tell_hook(const struct view *view, enum hook hook, int node)
{
    struct facts facts = {0};
    add_facts(view, &facts, hook);
    events_node_facts(&facts, view->handover->roster, view->verdict, (size_t)node);
    hook_queue_run(view->handover->hooks, hook, &facts, NULL, NULL);
}

/* --- facts for the plan --- */

struct plan_facts handover_facts(const struct view *view, uint64_t since_us)
{
    const struct handover *handover = view->handover;
    return (struct plan_facts){.evidence = view->evidence,
        .n = view->verdict->n,
        .old = (size_t)handover->old,
        .primary = &handover->primary,
        .since_ms = (view->now_us - since_us) / 1000,
        .data_loss = handover->settings->cluster->data_loss,
        .excluded = handover->excluded,
        .wanted = -1};
}

bool handover_fresh(const struct view *view, int node, uint64_t since_us)
{
    const struct evidence *evidence = &view->evidence[node];
    return evidence->finding == FINDING_ANSWER && evidence->age_ms <= (view->now_us - since_us) / 1000;
}

bool handover_all_asked(const struct view *view, int but)
{
    const struct handover *handover = view->handover;
    if (handover_waited(view, 2 * handover->settings->cluster->probe_timeout_ms))
        return true;
    for (size_t i = 0; i < view->verdict->n; i++) {
        bool gone = view->verdict->nodes[i].condition == CONDITION_DOWN;
        if ((int)i != but && !gone && !handover_fresh(view, (int)i, handover->since_us))
            return false;
    }
    return true;
}

/* --- the whole --- */

static void step_idle(const struct view *view)
{
    struct handover *handover = view->handover;
    failover_take_old(handover);
    if (handover->order) {
        switchover_begin(view);
        return;
    }
    if (!handover_is_builtin(handover) || handover->old < 0)
        return;
    if (view->verdict->primary < 0 && !view->verdict->split) {
        handover->began_us = view->now_us;
        handover_move(handover, HANDOVER_CONFIRMING);
        return;
    }
    uint64_t lost = view->verdict->primary < 0 ? 0 : handover_replicas(view, true);
    if (lost && view->now_us - handover->repointed_us > REPOINT_GAP_US)
        handover_start_repoint(view, view->verdict->primary, lost);
}

/* A failover is over when a primary is there, whoever it is. */
static bool is_over(const struct view *view)
{
    switch (view->handover->state) {
    case HANDOVER_CONFIRMING:
    case HANDOVER_CHOOSING:
    case HANDOVER_STOPPED: return view->verdict->primary >= 0;
    case HANDOVER_FENCING: /* whose end is waited for */
        return view->verdict->primary >= 0 && view->handover->outcome != OUTCOME_PENDING;
    case HANDOVER_IDLE:
    case HANDOVER_LOOKING:
    case HANDOVER_PREPARING:
    case HANDOVER_DRAINING:
    case HANDOVER_DEMOTING:
    case HANDOVER_CATCHING_UP:
    case HANDOVER_DELEGATED:
    case HANDOVER_UNDOING:
    case HANDOVER_PROMOTING:
    case HANDOVER_REPOINTING: return false;
    }
    return false;
}

static void step(const struct view *view)
{
    struct handover *handover = view->handover;
    if (is_over(view)) {
        log_event(LOG_WARNING, "failover_ends", "cluster=%s node=%s reason=%s", handover_cluster(handover),
            handover_node(handover, view->verdict->primary), "there is a primary again");
        handover_rest(handover);
    }
    switch (handover->state) {
    case HANDOVER_IDLE: step_idle(view); return;
    case HANDOVER_CONFIRMING: failover_confirm(view); return;
    case HANDOVER_CHOOSING: failover_choose(view); return;
    case HANDOVER_FENCING: failover_fence(view); return;
    case HANDOVER_LOOKING: switchover_look(view); return;
    case HANDOVER_PREPARING: switchover_prepare(view); return;
    case HANDOVER_DRAINING: switchover_drain(view); return;
    case HANDOVER_DEMOTING: switchover_demote(view); return;
    case HANDOVER_CATCHING_UP: switchover_catch_up(view); return;
    case HANDOVER_DELEGATED: delegated_wait(view); return;
    case HANDOVER_UNDOING: switchover_end_undo(view); return;
    case HANDOVER_PROMOTING: promotion_step(view); return;
    case HANDOVER_REPOINTING: promotion_repoint(view); return;
    case HANDOVER_STOPPED: return;
    }
}

void handover_judged(
    struct handover *handover, const struct verdict *verdict, const struct evidence *evidence)
{
    const struct view view = {handover, verdict, evidence, clock_now_us()};
    failover_see(&view);
    step(&view);
}

bool handover_holds(const struct handover *handover, const char **reason)
{
    static const char *const reasons[] = {
        [HANDOVER_DRAINING] = "switchover: open transactions are waited for",
        [HANDOVER_DEMOTING] = "switchover: the primary becomes a standby",
        [HANDOVER_CATCHING_UP] = "switchover: the new primary gets the end of the log",
        [HANDOVER_DELEGATED] = "switchover: the manager makes another node the primary",
        [HANDOVER_UNDOING] = "switchover: called off, the old primary comes back",
        [HANDOVER_PROMOTING] = "a replica is being promoted",
        [HANDOVER_STOPPED] = NULL};
    *reason = reasons[handover->state];
    return *reason != NULL;
}

uint64_t handover_replaced(const struct handover *handover)
{
    bool promoting = handover->promote_sent || handover->state == HANDOVER_PROMOTING;
    return promoting && handover->old >= 0 ? UINT64_C(1) << handover->old : 0;
}

void handover_order(struct handover *handover, struct message *order)
{
    struct error error;
    if (handover->state == HANDOVER_IDLE && !handover->order) {
        handover->order = order;
        handover->owner.changed(handover->owner.context);
        return;
    }
    error_set(&error, SQLSTATE_OBJECT_NOT_IN_STATE, "a failover or switchover is under way (%s)",
        state_names[handover->state]);
    message_reply(order, false, &error);
}

void handover_answered(struct handover *handover, bool accepted, const char *words)
{
    if (handover->state != HANDOVER_DELEGATED || handover->outcome != OUTCOME_PENDING)
        return;
    handover->outcome = accepted ? OUTCOME_DONE : OUTCOME_FAILED;
    handover_say(handover, "%s", words);
    handover_event(handover, -1, words, "the manager has %s", accepted ? "answered" : "not done it");
    handover->owner.changed(handover->owner.context);
}

void handover_call_off(struct handover *handover, struct message *message)
{
    const struct message *order = handover->order;
    bool waits = handover->state == HANDOVER_LOOKING || handover->state == HANDOVER_PREPARING ||
                 handover->state == HANDOVER_DRAINING;
    struct error error;
    if (waits && order && order->node_order.ticket == message->node_order.ticket) {
        switchover_call_off(handover, "whoever asked for it has canceled it");
        message_free(message);
        handover->owner.changed(handover->owner.context);
        return;
    }
    error_set(&error, SQLSTATE_QUERY_CANCELED,
        "canceling statement due to user request; the switchover goes on, SHOW EVENTS tells how it ends");
    message_reply(message, false, &error);
}

static bool awaits_hook(const struct handover *handover)
{
    bool runs = handover->state == HANDOVER_FENCING || handover->state == HANDOVER_DEMOTING ||
                handover->state == HANDOVER_UNDOING;
    return runs && handover->outcome == OUTCOME_PENDING;
}

static void drop_errands(struct handover *handover)
{
    handover->stale_hooks += awaits_hook(handover);
    pgconn_close(handover->conn);
    repoint_close(handover->repoint);
    handover->conn = NULL;
    handover->repoint = NULL;
}

void handover_reload(struct handover *handover, bool members_changed)
{
    if (members_changed || handover->promote_sent || handover->state == HANDOVER_STOPPED) {
        drop_errands(handover);
        if (handover->order)
            handover_answer(handover, false, "called off: the configuration was changed");
        if (handover->state != HANDOVER_IDLE)
            handover_rest(handover);
    }
    if (members_changed)
        handover->last = handover->old = -1;
}

struct handover *handover_open(uv_loop_t *loop, const struct settings *settings, const struct roster *roster,
    struct hook_queue *hooks, const struct news *news, const struct handover_owner *owner)
{
    struct handover *handover = memory_new(1, sizeof *handover);
    handover->loop = loop;
    handover->settings = settings;
    handover->roster = roster;
    handover->hooks = hooks;
    handover->news = news;
    handover->owner = *owner;
    handover->last = handover->old = handover->target = -1;
    uv_timer_init(loop, &handover->timer);
    handover->timer.data = handover;
    return handover;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void handover_close(struct handover *handover)
{
    if (!handover)
        return;
    drop_errands(handover);
    message_free(handover->order);
    uv_close((uv_handle_t *)&handover->timer, on_closed);
}
