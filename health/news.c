/* What a cluster's watch tells; see news.h. */
#include "health/news.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "health/evidence.h"

#include <stdio.h>
#include <string.h>

/* Reasons that come and go while there is no primary are logged that often at most. */
#define REASON_GAP_US 5000000u

void news_init(struct news *news, const char *cluster, const struct subscribers *subscribers)
{
    *news = (struct news){.subscribers = subscribers};
    snprintf(news->cluster, sizeof news->cluster, "%s", cluster);
}

struct event news_event(const struct news *news, enum event_kind kind, const char *node)
{
    struct event event = {.kind = kind};
    event_say(event.cluster, sizeof event.cluster, "%s", news->cluster);
    event_say(event.node, sizeof event.node, "%s", node);
    return event;
}

void news_send(const struct news *news, const struct event *event)
{
    subscribers_send_event(news->subscribers, event);
}

/* ---- one node ---- */

static enum event_kind kind_of(enum node_condition condition)
{
    switch (condition) {
    case CONDITION_UP: return EVENT_NODE_UP;
    case CONDITION_SUSPECT: return EVENT_NODE_SUSPECT;
    case CONDITION_DOWN: return EVENT_NODE_DOWN;
    }
    return EVENT_NODE_DOWN;
}

static void send_change(const struct news *news, enum event_kind kind, const char *now, const char *before,
    const struct node_verdict *verdict, const struct evidence *evidence)
{
    struct event event = news_event(news, kind, evidence->name);
    event_say(event.text, sizeof event.text, "%s is %s, it was %s", evidence->name, now, before);
    event_say(event.reason, sizeof event.reason, "%s", verdict->reason);
    evidence_describe(evidence, event.evidence, sizeof event.evidence);
    news_send(news, &event);
}

static void tell_role(const struct news *news, const struct node_verdict *before,
    const struct node_verdict *now, const struct evidence *evidence)
{
    const char *from = node_role_name(before->role), *to = node_role_name(now->role);
    log_event(LOG_INFO, "role_changed", "cluster=%s node=%s from=%s to=%s generation=%u reason=%s",
        news->cluster, evidence->name, from, to, (unsigned)now->generation, now->reason);
    send_change(news, EVENT_ROLE_CHANGED, to, from, now, evidence);
}

static void tell_condition(const struct news *news, const struct node_verdict *before,
    const struct node_verdict *now, const struct evidence *evidence)
{
    const char *from = node_condition_name(before->condition), *to = node_condition_name(now->condition);
    log_event(now->condition == CONDITION_UP ? LOG_INFO : LOG_WARNING, "condition_changed",
        "cluster=%s node=%s from=%s to=%s reason=%s", news->cluster, evidence->name, from, to, now->reason);
    send_change(news, kind_of(now->condition), to, from, now, evidence);
}

/* ---- the primary ---- */

static void send_loss(const struct news *news, const struct verdict *now, const struct evidence *evidence)
{
    struct event event =
        news_event(news, now->split ? EVENT_SPLIT : EVENT_PRIMARY_LOST, now->split ? "" : news->last_primary);
    if (now->split)
        event_say(event.text, sizeof event.text, "two nodes take writes: neither gets any");
    else if (now->holding >= 0)
        event_say(event.text, sizeof event.text, "%s is to be the primary no longer: new work is held",
            news->last_primary);
    else
        event_say(event.text, sizeof event.text, "%s is the primary no longer, and there is no other",
            news->last_primary);
    event_say(event.reason, sizeof event.reason, "%s", now->reason);
    evidence_describe_all(evidence, now->n, event.evidence, sizeof event.evidence);
    news_send(news, &event);
}

static void tell_no_primary(struct news *news, const struct verdict *before, const struct verdict *now,
    const struct evidence *evidence)
{
    uint64_t now_us = clock_now_us();
    bool lost = before->primary >= 0, soon = now_us - news->told_us < REASON_GAP_US;
    if (lost || (now->split && !before->split))
        send_loss(news, now, evidence);
    if (!lost && (soon || strcmp(news->told, now->reason) == 0))
        return;
    news->told_us = now_us;
    snprintf(news->told, sizeof news->told, "%s", now->reason);
    log_event(
        lost ? LOG_WARNING : LOG_INFO, "no_primary", "cluster=%s reason=%s", news->cluster, now->reason);
}

static void tell_primary(
    struct news *news, const struct verdict *now, const struct evidence *evidence, uint64_t without_since_us)
{
    const struct node_verdict *primary = &now->nodes[now->primary];
    char before[EVENT_NAME_MAX + 16] = "", gap[48] = "";
    log_event(LOG_INFO, "primary_found", "cluster=%s node=%s timeline=%u", news->cluster, evidence->name,
        (unsigned)primary->timeline);
    if (news->last_primary[0] && strcmp(news->last_primary, evidence->name) != 0)
        snprintf(before, sizeof before, ", it was %s", news->last_primary);
    if (without_since_us)
        snprintf(gap, sizeof gap, "; there was none for %.1f s",
            (double)(clock_now_us() - without_since_us) / 1e6);
    struct event event = news_event(news, EVENT_PRIMARY_FOUND, evidence->name);
    event_say(event.text, sizeof event.text, "%s is the primary%s%s", evidence->name, before, gap);
    event_say(event.reason, sizeof event.reason, "%s", primary->reason);
    evidence_describe(evidence, event.evidence, sizeof event.evidence);
    news_send(news, &event);
    snprintf(news->last_primary, sizeof news->last_primary, "%s", evidence->name);
}

/* ---- what its owner tells ---- */

void news_of_verdict(struct news *news, const struct verdict *before, const struct verdict *now,
    const struct evidence *evidence, uint64_t without_since_us)
{
    for (size_t i = 0; i < now->n; i++) {
        if (now->nodes[i].role != before->nodes[i].role)
            tell_role(news, &before->nodes[i], &now->nodes[i], &evidence[i]);
        if (now->nodes[i].condition != before->nodes[i].condition)
            tell_condition(news, &before->nodes[i], &now->nodes[i], &evidence[i]);
    }
    if (now->primary >= 0 && before->primary != now->primary)
        tell_primary(news, now, &evidence[now->primary], without_since_us);
    if (now->primary < 0)
        tell_no_primary(news, before, now, evidence);
}

void news_of_member(const struct news *news, const char *node, bool added)
{
    struct event event = news_event(news, added ? EVENT_NODE_ADDED : EVENT_NODE_REMOVED, node);
    log_event(LOG_INFO, added ? "node_added" : "node_removed", "cluster=%s node=%s", news->cluster, node);
    event_say(
        event.text, sizeof event.text, "%s was %s the cluster", node, added ? "added to" : "taken out of");
    news_send(news, &event);
}

void news_of_hook(const struct news *news, const char *hook, bool ok, const char *how, uint64_t took_ms)
{
    struct event event = news_event(news, ok ? EVENT_HOOK : EVENT_HOOK_FAILED, "");
    event_say(event.text, sizeof event.text, "%s %s after %.1f s", hook, ok ? "ended well" : "failed",
        (double)took_ms / 1000);
    event_say(event.reason, sizeof event.reason, "%s", how);
    event_say(event.hook, sizeof event.hook, "%s", hook);
    news_send(news, &event);
}

void news_of_decision(
    const struct news *news, const char *what, const char *node, const struct judge_memory *memory)
{
    unsigned long long identifier = memory->system_identifier;
    unsigned timeline = memory->timeline;
    log_event(LOG_WARNING, what, "cluster=%s node=%s system_identifier=%llu timeline=%u", news->cluster, node,
        identifier, timeline);
    struct event event = news_event(news, EVENT_COMMAND, node);
    event_say(event.text, sizeof event.text, "%s: %s", what, node);
    event_say(event.reason, sizeof event.reason,
        "the cluster is the one with system identifier %llu, on timeline %u", identifier, timeline);
    news_send(news, &event);
}
