/*
 * Patroni; see patroni.h.
 *
 *     /cluster of one node -> members -> a watch over each (patroni_node.c) -> words
 *
 * Any node's /cluster will do: the members' own URLs are tried in turn, then the configured ones. It may hang
 * for ten seconds when the DCS is gone, and answers from memory when it is half gone; so it has a deadline,
 * and its roles are not believed. A member that is no longer listed is kept for a while without a say in
 * membership: a Patroni that is restarted must not cost its replica the reads, nor a primary its evidence.
 */
#include "health/manager/patroni.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "health/manager/patroni_node.h"
#include "health/manager/patroni_order.h"
#include "health/memory.h"

#include <assert.h>
#include <stdio.h>

#define CLUSTER_INTERVAL_MS 1000
#define CLUSTER_DEADLINE_MS 2500
#define KEEP_UNLISTED_GRACES 12 /* times manager_grace */

struct followed {
    struct patroni_node *node;
    uint64_t listed_at_us;
};

struct patroni {
    struct manager manager; /* first */
    uv_loop_t *loop;
    const struct settings *settings;
    struct manager_events events;
    struct rest *rest;
    struct rest_call *call;  /* of /cluster; NULL: none under way */
    struct rest_call *order; /* of /switchover; likewise */
    uv_timer_t timer;        /* the next question for /cluster */
    size_t source;           /* whom to ask: the members in turn, then the configured URLs */
    size_t failed;           /* in a row */
    bool listed;             /* members are known */
    bool silent;             /* the log knows that nobody tells the members */
    bool seeking;
    bool paused;
    char switchover[PATRONI_TIME_MAX]; /* the scheduled one that the log knows of */
    size_t n;
    struct followed followed[TOPOLOGY_MAX_NODES];
};

static struct patroni *patroni_of(const struct manager *manager)
{
    return (struct patroni *)manager;
}

static const char *cluster_name(const struct patroni *patroni)
{
    return patroni->settings->cluster->name;
}

static void speak(void *context)
{
    struct patroni *patroni = context;
    patroni->events.spoke(patroni->events.context);
}

/* --- members --- */

static struct followed *find(struct patroni *patroni, const char *name)
{
    for (size_t i = 0; i < patroni->n; i++) {
        if (strcmp(patroni_node_member(patroni->followed[i].node)->member.name, name) == 0)
            return &patroni->followed[i];
    }
    return NULL;
}

static bool same_place(const struct patroni_member *a, const struct patroni_member *b)
{
    return a->member.port == b->member.port && strcmp(a->member.host, b->member.host) == 0 &&
           strcmp(a->url, b->url) == 0;
}

static void log_member(const struct patroni *patroni, const char *event, const struct patroni_member *member)
{
    log_event(LOG_INFO, event, "cluster=%s member=%s host=%s port=%u url=%s", cluster_name(patroni),
        member->member.name, member->member.host, (unsigned)member->member.port, member->url);
}

static bool follow(struct patroni *patroni, const struct patroni_member *member, uint64_t now_us)
{
    const struct patroni_node_owner owner = {.context = patroni, .changed = speak};
    struct followed *known = find(patroni, member->member.name);
    if (known) {
        known->listed_at_us = now_us;
        if (same_place(patroni_node_member(known->node), member))
            return false;
        log_member(patroni, "member_moved", member);
        patroni_node_move(known->node, member);
        return true;
    }
    if (patroni->n == TOPOLOGY_MAX_NODES)
        return false;
    log_member(patroni, "member_found", member);
    struct patroni_node *node =
        patroni_node_open(patroni->loop, patroni->rest, patroni->settings, member, &owner);
    patroni_node_seek(node, patroni->seeking);
    patroni->followed[patroni->n++] = (struct followed){node, now_us};
    return true;
}

static bool leave_unlisted(struct patroni *patroni, uint64_t now_us)
{
    uint64_t keep_us = KEEP_UNLISTED_GRACES * patroni->settings->cluster->manager_grace_ms * 1000;
    size_t kept = 0;
    for (size_t i = 0; i < patroni->n; i++) {
        struct followed *each = &patroni->followed[i];
        if (now_us - each->listed_at_us < keep_us) {
            patroni->followed[kept++] = *each;
            continue;
        }
        log_member(patroni, "member_gone", patroni_node_member(each->node));
        patroni_node_close(each->node);
    }
    bool changed = kept != patroni->n;
    patroni->n = kept;
    return changed;
}

static void tell(const struct patroni *patroni, enum event_kind kind, const char *text, const char *reason)
{
    patroni->events.told(patroni->events.context, kind, text, reason);
}

static void tell_pause(struct patroni *patroni, bool paused)
{
    if (paused == patroni->paused)
        return;
    patroni->paused = paused;
    log_event(LOG_INFO, paused ? "patroni_paused" : "patroni_resumed", "cluster=%s", cluster_name(patroni));
    if (paused)
        tell(patroni, EVENT_FAILOVER, "Patroni is paused: nobody will be promoted by it",
            "GET /cluster says so");
    else
        tell(patroni, EVENT_FAILOVER, "Patroni is at work again", "GET /cluster says no more of a pause");
}

static void tell_schedule(struct patroni *patroni, const struct patroni_cluster *cluster)
{
    char text[EVENT_TEXT_MAX];
    if (strcmp(cluster->switchover_at, patroni->switchover) == 0)
        return;
    memcpy(patroni->switchover, cluster->switchover_at, sizeof patroni->switchover);
    if (!cluster->switchover_at[0]) {
        log_event(LOG_INFO, "switchover_unscheduled", "cluster=%s", cluster_name(patroni));
        tell(patroni, EVENT_SWITCHOVER, "no switchover is scheduled any more",
            "it was begun, or taken back: GET /cluster says no more of it");
        return;
    }
    log_event(LOG_INFO, "switchover_scheduled", "cluster=%s at=%s from=%s to=%s", cluster_name(patroni),
        cluster->switchover_at, cluster->switchover_from, cluster->switchover_to);
    snprintf(text, sizeof text, "a switchover from %s to %s is scheduled for %s", cluster->switchover_from,
        cluster->switchover_to[0] ? cluster->switchover_to : "any other", cluster->switchover_at);
    tell(patroni, EVENT_SWITCHOVER, text, "GET /cluster of Patroni says so");
}

/* A list without any member is no news: a DCS that has lost its keys must not take the nodes away. */
static void take_cluster(struct patroni *patroni, const struct patroni_cluster *cluster)
{
    uint64_t now_us = clock_now_us();
    bool changed = false;
    tell_pause(patroni, cluster->paused);
    tell_schedule(patroni, cluster);
    if (cluster->n == 0)
        return;
    for (size_t i = 0; i < cluster->n; i++)
        changed |= follow(patroni, &cluster->members[i], now_us);
    changed |= leave_unlisted(patroni, now_us);
    patroni->listed = true;
    if (changed)
        speak(patroni);
}

/* --- asking for them --- */

static size_t count_urls(const struct patroni *patroni)
{
    size_t n = 0;
    while (patroni->settings->cluster->patroni.urls[n])
        n++;
    return n;
}

static size_t count_sources(const struct patroni *patroni)
{
    return patroni->n + count_urls(patroni);
}

static void source_url(const struct patroni *patroni, char out[REST_URL_MAX + 16])
{
    char base[REST_URL_MAX] = "";
    size_t at = patroni->source % count_sources(patroni);
    if (at < patroni->n)
        memcpy(base, patroni_node_member(patroni->followed[at].node)->url, sizeof base);
    else
        patroni_base_url(patroni->settings->cluster->patroni.urls[at - patroni->n], base);
    snprintf(out, REST_URL_MAX + 16, "%s/cluster", base);
}

static void on_timer(uv_timer_t *timer);

static void ask_again(struct patroni *patroni, uint64_t delay_ms)
{
    uv_timer_start(&patroni->timer, on_timer, delay_ms, 0);
}

static void on_cluster(void *context, const struct rest_answer *answer)
{
    struct patroni *patroni = context;
    struct patroni_cluster cluster;
    const char *why = answer->error;
    bool usable = answer->came && answer->status == 200;
    if (answer->came && !usable)
        why = "another status than 200 came";
    patroni->call = NULL;
    if (usable && patroni_read_cluster(answer->body, answer->len, &cluster, &why)) {
        if (patroni->silent)
            log_event(LOG_INFO, "patroni_lists", "cluster=%s", cluster_name(patroni));
        patroni->silent = false;
        patroni->failed = 0;
        ask_again(patroni, CLUSTER_INTERVAL_MS);
        take_cluster(patroni, &cluster);
        return;
    }
    patroni->source++;
    patroni->failed++;
    bool all = patroni->failed % count_sources(patroni) == 0;
    if (all && !patroni->silent) {
        log_event(LOG_WARNING, "patroni_lists_nobody", "cluster=%s error=%s", cluster_name(patroni), why);
        patroni->silent = true;
    }
    ask_again(patroni, all ? CLUSTER_INTERVAL_MS : 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct patroni *patroni = timer->data;
    struct rest_manners manners;
    char url[REST_URL_MAX + 16];
    assert(!patroni->call);
    source_url(patroni, url);
    patroni_manners(patroni->settings, CLUSTER_DEADLINE_MS, &manners);
    patroni->call = rest_get(patroni->rest, url, &manners, patroni, on_cluster);
}

/* --- what the cluster's watch asks --- */

static bool list_members(const struct manager *manager, struct manager_members *out)
{
    const struct patroni *patroni = patroni_of(manager);
    for (size_t i = 0; i < patroni->n; i++)
        out->list[out->n++] = patroni_node_member(patroni->followed[i].node)->member;
    return patroni->listed;
}

static struct patroni_node *node_at(const struct patroni *patroni, const char *host, uint16_t port)
{
    for (size_t i = 0; i < patroni->n; i++) {
        const struct manager_member *member = &patroni_node_member(patroni->followed[i].node)->member;
        if (member->port == port && strcasecmp(member->host, host) == 0)
            return patroni->followed[i].node;
    }
    return NULL;
}

static void tell_word(
    const struct manager *manager, const char *host, uint16_t port, uint64_t now_us, struct manager_word *out)
{
    const struct patroni_node *node = node_at(patroni_of(manager), host, port);
    if (node)
        patroni_node_word(node, now_us, out);
}

static void ask(struct manager *manager, const char *host, uint16_t port)
{
    struct patroni_node *node = node_at(patroni_of(manager), host, port);
    if (node)
        patroni_node_ask(node);
}

static void seek(struct manager *manager, bool seeking)
{
    struct patroni *patroni = patroni_of(manager);
    patroni->seeking = seeking;
    for (size_t i = 0; i < patroni->n; i++)
        patroni_node_seek(patroni->followed[i].node, seeking);
}

/* --- the switchover that is ordered --- */

static void on_ordered(void *context, const struct rest_answer *answer)
{
    struct patroni *patroni = context;
    char words[MANAGER_ANSWER_MAX];
    bool accepted = patroni_order_read(answer, words);
    patroni->order = NULL;
    patroni->events.answered(patroni->events.context, accepted, words);
}

/* Of the leader itself: that one acts at once, another would leave it to the leader's next look at the DCS.
 */
static bool switchover(struct manager *manager, const struct manager_place *from,
    const struct manager_place *to, struct error *error)
{
    struct patroni *patroni = patroni_of(manager);
    const struct patroni_node *leader = node_at(patroni, from->host, from->port);
    const struct patroni_node *candidate = to ? node_at(patroni, to->host, to->port) : NULL;
    const struct manager_place *unknown = !leader ? from : !candidate ? to : NULL;
    struct rest_manners manners;
    char url[REST_URL_MAX + 16], body[PATRONI_ORDER_MAX];
    if (unknown)
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_STATE, "Patroni lists no member at %s, port %u",
            unknown->host, (unsigned)unknown->port);
    patroni_order_write(patroni_node_member(leader)->member.name,
        candidate ? patroni_node_member(candidate)->member.name : NULL, body);
    snprintf(url, sizeof url, "%s/switchover", patroni_node_member(leader)->url);
    patroni_manners(patroni->settings, patroni->settings->cluster->promote_timeout_ms, &manners);
    rest_drop(patroni->order);
    patroni->order = rest_post(patroni->rest, url, body, &manners, patroni, on_ordered);
    return true;
}

static void reload(struct manager *manager)
{
    struct patroni *patroni = patroni_of(manager);
    for (size_t i = 0; i < patroni->n; i++)
        patroni_node_ask(patroni->followed[i].node);
    if (!patroni->call)
        ask_again(patroni, 0);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_patroni(struct manager *manager)
{
    struct patroni *patroni = patroni_of(manager);
    rest_drop(patroni->call);
    rest_drop(patroni->order);
    for (size_t i = 0; i < patroni->n; i++)
        patroni_node_close(patroni->followed[i].node);
    rest_close(patroni->rest);
    uv_close((uv_handle_t *)&patroni->timer, on_closed);
}

static const struct manager_methods methods = {.members = list_members,
    .word = tell_word,
    .ask = ask,
    .seek = seek,
    .switchover = switchover,
    .reload = reload,
    .close = close_patroni};

struct manager *patroni_open(
    uv_loop_t *loop, const struct settings *settings, const struct manager_events *events)
{
    struct patroni *patroni = memory_new(1, sizeof *patroni);
    patroni->manager.methods = &methods;
    patroni->loop = loop;
    patroni->settings = settings;
    patroni->events = *events;
    patroni->rest = memory_must(rest_open(loop));
    uv_timer_init(loop, &patroni->timer);
    patroni->timer.data = patroni;
    ask_again(patroni, 0);
    return &patroni->manager;
}
