/*
 * One cluster's watch; see cluster.h.
 *
 *     a look ends -> evidence -> judge -> sampler -> publish -> memory on disk -> the next look's pause
 *
 * Besides, a timer judges again at the moment when the next answer, or the next word of the manager, becomes
 * too old to count; so does the manager when it speaks, which may change who is watched. While there is no
 * primary every node is looked at in short order.
 */
#include "health/cluster.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "health/catalogue_reader.h"
#include "health/failover/handover.h"
#include "health/failover/plan.h"
#include "health/hook/events.h"
#include "health/hook/rejoin.h"
#include "health/manager.h"
#include "health/memory.h"
#include "health/news.h"
#include "health/node.h"
#include "health/reload.h"
#include "health/roster.h"
#include "health/sampler.h"
#include "health/secrets.h"
#include "health/state_file.h"

#include <assert.h>
#include <stdio.h>

/* A primary that has not answered a look for so long is in doubt, long before the look times out. */
#define DOUBT_MS 100

struct cluster {
    uv_loop_t *loop;
    struct settings settings;
    struct cluster_live *live;
    struct manager *manager;                      /* NULL: none */
    struct roster roster;                         /* who is watched; */
    size_t n;                                     /* so many, */
    struct node *nodes[TOPOLOGY_MAX_NODES];       /* in the same order */
    struct sample_mark marks[TOPOLOGY_MAX_NODES]; /* of the looks under way; number 0: no sample */
    struct verdict verdict;
    uint64_t seeking_since_us; /* there is no primary since; 0 = there is one */
    struct news news;
    struct publisher publisher;
    struct sampler *sampler;
    struct secrets *secrets;
    struct catalogue_reader *catalogues;
    struct state_file *state_file;
    struct hook_queue *hooks;
    struct rejoin rejoin;
    struct handover *handover;
    uv_timer_t expiry;
};

static size_t index_of(const struct cluster *cluster, const struct node *node)
{
    size_t i = 0;
    while (cluster->nodes[i] != node) {
        i++;
        assert(i < cluster->n);
    }
    return i;
}

/* --- judging --- */

static void judge_now(struct cluster *cluster);

static void on_expiry(uv_timer_t *timer)
{
    judge_now(timer->data);
}

static void sooner(uint64_t *next_ms, uint64_t age_ms, uint64_t ttl_ms)
{
    if (age_ms < ttl_ms && ttl_ms - age_ms < *next_ms)
        *next_ms = ttl_ms - age_ms;
}

/* For how long the primary's look has been under way, at least 1; 0: none is. */
static uint64_t looking_ms(const struct cluster *cluster)
{
    int primary = cluster->verdict.primary;
    uint64_t asked_us = primary < 0 ? 0 : cluster->marks[primary].asked_at_us;
    return asked_us == 0 ? 0 : (clock_now_us() - asked_us) / 1000 + 1;
}

/* Judges again when the next answer or word that counts stops counting, or the primary comes into doubt. */
static void plan_expiry(struct cluster *cluster, const struct evidence *evidence)
{
    const struct config_cluster *config = cluster->settings.cluster;
    uint64_t next_ms = UINT64_MAX;
    for (size_t i = 0; i < cluster->n; i++) {
        if (evidence[i].answered)
            sooner(&next_ms, evidence[i].age_ms, config->observation_ttl_ms);
        if (evidence[i].word.heard)
            sooner(&next_ms, evidence[i].word.age_ms, config->manager_grace_ms);
    }
    if (looking_ms(cluster) > 0)
        sooner(&next_ms, looking_ms(cluster), DOUBT_MS);
    if (next_ms == UINT64_MAX)
        uv_timer_stop(&cluster->expiry);
    else
        uv_timer_start(&cluster->expiry, on_expiry, next_ms + 1, 0);
}

/* It has not answered in time, and keeps its role for now: its successor may be there any moment. */
static bool primary_is_doubtful(const struct verdict *verdict)
{
    return verdict->primary >= 0 && verdict->nodes[verdict->primary].condition != CONDITION_UP;
}

static struct pace pace_of(const struct cluster *cluster, bool answering)
{
    struct pace pace = {.interval_ms = cluster->settings.cluster->probe_interval_ms, .answering = answering};
    pace.seeking = cluster->seeking_since_us != 0 || primary_is_doubtful(&cluster->verdict) ||
                   looking_ms(cluster) >= DOUBT_MS;
    if (cluster->seeking_since_us != 0)
        pace.seeking_ms = (clock_now_us() - cluster->seeking_since_us) / 1000;
    return pace;
}

static void hurry(struct cluster *cluster, const struct evidence *evidence)
{
    for (size_t i = 0; i < cluster->n; i++) {
        struct pace pace = pace_of(cluster, evidence[i].finding == FINDING_ANSWER);
        node_hurry(cluster->nodes[i], &pace);
    }
}

static void begin_seeking(struct cluster *cluster, const struct evidence *evidence)
{
    cluster->seeking_since_us = clock_now_us();
    manager_seek(cluster->manager, true);
    hurry(cluster, evidence);
}

static void end_seeking(struct cluster *cluster)
{
    if (cluster->seeking_since_us == 0)
        return;
    cluster->seeking_since_us = 0;
    manager_seek(cluster->manager, false);
}

static void publish_now(struct cluster *cluster)
{
    struct published_node nodes[TOPOLOGY_MAX_NODES];
    for (size_t i = 0; i < cluster->n; i++)
        nodes[i] = (struct published_node){&cluster->roster.nodes[i], node_endpoint(cluster->nodes[i]),
            node_live(cluster->nodes[i]), node_orders(cluster->nodes[i])};
    publish(&cluster->publisher, &cluster->settings, cluster->live, nodes, &cluster->verdict);
}

static bool roles_differ(const struct verdict *a, const struct verdict *b)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->nodes[i].role != b->nodes[i].role || a->nodes[i].condition != b->nodes[i].condition)
            return true;
    }
    return a->primary != b->primary;
}

static void gather(const struct cluster *cluster, struct evidence *evidence)
{
    uint64_t now_us = clock_now_us();
    for (size_t i = 0; i < cluster->n; i++) {
        const struct config_node *node = &cluster->roster.nodes[i];
        node_evidence(cluster->nodes[i], now_us, &evidence[i]);
        manager_word(cluster->manager, node->host, node->port, now_us, &evidence[i].word);
    }
}

/* Who takes writes and is not named may have been promoted since the manager spoke last. */
static void ask_about_unnamed(const struct cluster *cluster, const struct evidence *evidence)
{
    for (size_t i = 0; i < cluster->n; i++) {
        const struct config_node *node = &cluster->roster.nodes[i];
        bool stands = evidence[i].finding == FINDING_ANSWER && !evidence[i].seen.in_recovery;
        if (stands && evidence[i].word.role != MANAGER_PRIMARY)
            manager_ask(cluster->manager, node->host, node->port);
    }
}

/* New work waits while one primary is being replaced by another, though nobody has lost the role. */
static void hold_work(struct cluster *cluster)
{
    struct verdict *verdict = &cluster->verdict;
    const char *reason;
    if (!handover_holds(cluster->handover, &reason) || verdict->primary < 0)
        return;
    verdict->holding = verdict->primary;
    verdict->primary = -1;
    snprintf(verdict->reason, sizeof verdict->reason, "%s", reason);
}

static void judge_now(struct cluster *cluster)
{
    struct evidence evidence[TOPOLOGY_MAX_NODES];
    struct verdict before = cluster->verdict;
    const struct config_cluster *config = cluster->settings.cluster;
    const struct judge_rules rules = {.observation_ttl_ms = config->observation_ttl_ms,
        .down_after = config->down_after,
        .managed = cluster->manager != NULL,
        .manager_grace_ms = config->manager_grace_ms,
        .read_only_waits = config->manager == MANAGER_KIND_MONITOR,
        .replaced = handover_replaced(cluster->handover)};
    gather(cluster, evidence);
    judge(&rules, evidence, &cluster->verdict);
    ask_about_unnamed(cluster, evidence);
    handover_judged(cluster->handover, &cluster->verdict, evidence);
    hold_work(cluster);
    sampler_roles(cluster->sampler, &cluster->verdict, evidence);
    publish_now(cluster);
    news_of_verdict(&cluster->news, &before, &cluster->verdict, evidence, cluster->seeking_since_us);
    events_tell(cluster->hooks, &cluster->settings, &cluster->roster, &before, &cluster->verdict);
    rejoin_judged(&cluster->rejoin, cluster->hooks, &cluster->settings, &cluster->roster, &cluster->verdict,
        clock_now_us());
    if (cluster->verdict.memory.system_identifier != 0)
        state_file_save(cluster->state_file, &cluster->verdict.memory);
    if (cluster->verdict.primary >= 0)
        end_seeking(cluster);
    else if (cluster->seeking_since_us == 0)
        begin_seeking(cluster, evidence);
    bool newly = primary_is_doubtful(&cluster->verdict) && !primary_is_doubtful(&before);
    if (newly || looking_ms(cluster) >= DOUBT_MS)
        hurry(cluster, evidence);
    if (roles_differ(&before, &cluster->verdict)) {
        secrets_nodes_changed(cluster->secrets);
        catalogue_reader_nodes_changed(cluster->catalogues);
    }
    plan_expiry(cluster, evidence);
}

/* --- what the nodes tell --- */

static void on_asking(void *context, struct node *node)
{
    struct cluster *cluster = context;
    size_t i = index_of(cluster, node);
    cluster->marks[i] = (struct sample_mark){.asked_at_us = clock_now_us()};
    if ((int)i != cluster->verdict.primary)
        return;
    cluster->marks[i] = sampler_begin(cluster->sampler);
    if (!uv_is_active((uv_handle_t *)&cluster->expiry) || uv_timer_get_due_in(&cluster->expiry) > DOUBT_MS)
        uv_timer_start(&cluster->expiry, on_expiry, DOUBT_MS + 1, 0);
}

/* What is seen of its replication, for who looks on. */
static void tell_replication(struct node_live *live, const struct observation *seen)
{
    enum node_following following = !seen             ? FOLLOWING_UNKNOWN
                                    : !seen->receiver ? FOLLOWING_NONE
                                    : !seen->hears    ? FOLLOWING_SILENT
                                                      : FOLLOWING_STREAM;
    atomic_store_explicit(&live->following, (uint32_t)following, memory_order_relaxed);
    if (!seen)
        return;
    atomic_store_explicit(&live->timeline, seen->timeline, memory_order_relaxed);
    atomic_store_explicit(&live->lsn, seen->lsn, memory_order_relaxed);
    atomic_store_explicit(
        &live->received_lsn, seen->in_recovery ? plan_position(seen) : 0, memory_order_relaxed);
}

static void on_looked(void *context, struct node *node, const struct observation *seen)
{
    struct cluster *cluster = context;
    size_t i = index_of(cluster, node);
    struct sample_mark mark = cluster->marks[i];
    struct pace pace;
    cluster->marks[i] = (struct sample_mark){0}; /* it is under way no more */
    judge_now(cluster);
    tell_replication(node_live(node), seen);
    if (seen && (seen->in_recovery || mark.number != 0))
        sampler_observed(cluster->sampler, i, &mark, seen);
    pace = pace_of(cluster, seen != NULL);
    node_schedule(node, &pace);
}

static void on_lost(void *context, struct node *node)
{
    struct cluster *cluster = context;
    sampler_broken(cluster->sampler, index_of(cluster, node));
    node_hint(node, schedule_hint_gap_ms(HINT_LOST));
}

bool cluster_hint(struct cluster *cluster, const struct node_live *live, enum node_hint hint)
{
    for (size_t i = 0; i < cluster->n; i++) {
        if (node_live(cluster->nodes[i]) != live)
            continue;
        if (hint == HINT_LOST || hint == HINT_REFUSED)
            sampler_broken(cluster->sampler, i);
        node_hint(cluster->nodes[i], schedule_hint_gap_ms(hint));
        return true;
    }
    return false;
}

/* --- what the operator says --- */

static int find_node(const struct cluster *cluster, const char *name, struct error *error)
{
    for (size_t i = 0; i < cluster->n; i++) {
        if (strcmp(node_name(cluster->nodes[i]), name) == 0)
            return (int)i;
    }
    error_set(
        error, SQLSTATE_INVALID_PARAMETER, "cluster %s has no node \"%s\"", cluster_name(cluster), name);
    return -1;
}

static bool accept_node(struct cluster *cluster, struct node *node, struct error *error)
{
    struct evidence evidence;
    node_evidence(node, clock_now_us(), &evidence);
    if (!evidence.answered)
        return error_set(error, SQLSTATE_CANNOT_CONNECT_NOW,
            "node %s has never answered: nothing is known to accept", node_name(node));
    cluster->verdict.memory = (struct judge_memory){evidence.seen.system_identifier, evidence.seen.timeline};
    news_of_decision(&cluster->news, "node_accepted", node_name(node), &cluster->verdict.memory);
    return true;
}

/* The highest timeline that any node of this cluster showed last, however long ago. */
static uint32_t highest_shown(const struct cluster *cluster)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < cluster->n; i++) {
        struct evidence evidence;
        node_evidence(cluster->nodes[i], 0, &evidence);
        bool ours = evidence.seen.system_identifier == cluster->verdict.memory.system_identifier;
        if (evidence.answered && ours && evidence.seen.timeline > highest)
            highest = evidence.seen.timeline;
    }
    return highest;
}

static void forget_node(struct cluster *cluster, struct node *node)
{
    node_forget(node);
    cluster->verdict.memory.timeline = highest_shown(cluster);
    news_of_decision(&cluster->news, "node_forgotten", node_name(node), &cluster->verdict.memory);
}

static void set_duty(struct cluster *cluster, struct node *node, enum node_duty duty)
{
    node_orders(node)->duty = duty;
    log_event(LOG_WARNING, "node_duty", "cluster=%s node=%s duty=%s", cluster_name(cluster), node_name(node),
        node_duty_name(duty));
}

static void set_weight(struct cluster *cluster, size_t i, uint32_t weight)
{
    struct node *node = cluster->nodes[i];
    orders_set_weight(node_orders(node), weight, cluster->roster.nodes[i].weight);
    log_event(LOG_WARNING, "node_weight", "cluster=%s node=%s weight=%u", cluster_name(cluster),
        node_name(node), (unsigned)weight);
}

static void probe_all(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->n; i++)
        node_hint(cluster->nodes[i], 0);
}

bool cluster_order(
    struct cluster *cluster, enum node_order order, const char *name, uint32_t weight, struct error *error)
{
    if (order == ORDER_PROBE && !name[0]) {
        probe_all(cluster);
        return true;
    }
    int i = find_node(cluster, name, error);
    if (i < 0)
        return false;
    struct node *node = cluster->nodes[i];
    switch (order) {
    case ORDER_ACCEPT:
        if (!accept_node(cluster, node, error))
            return false;
        break;
    case ORDER_FORGET: forget_node(cluster, node); break;
    case ORDER_ENABLE: set_duty(cluster, node, DUTY_ENABLED); break;
    case ORDER_DRAIN: set_duty(cluster, node, DUTY_DRAINED); break;
    case ORDER_DISABLE: set_duty(cluster, node, DUTY_DISABLED); break;
    case ORDER_WEIGHT: set_weight(cluster, (size_t)i, weight); break;
    case ORDER_PROBE:
    case ORDER_SWITCHOVER:
    case ORDER_CALL_OFF: break; /* which are cluster_switchover's */
    }
    judge_now(cluster);
    if (order == ORDER_FORGET || order == ORDER_PROBE)
        node_hint(node, 0);
    return true;
}

void cluster_switchover(struct cluster *cluster, struct message *message)
{
    if (message->node_order.order == ORDER_CALL_OFF)
        handover_call_off(cluster->handover, message);
    else
        handover_order(cluster->handover, message);
}

/* --- the handover --- */

static void on_handover_changed(void *context)
{
    judge_now(context);
}

static void on_handover_looks(void *context)
{
    probe_all(context);
}

static struct endpoint *handover_endpoint(void *context, size_t node)
{
    struct cluster *cluster = context;
    return node_endpoint(cluster->nodes[node]);
}

static uint32_t load(const _Atomic uint32_t *value)
{
    return atomic_load_explicit(value, memory_order_acquire);
}

/* `heard` first: what is begun before is counted then, and nothing begins afterwards. */
static void take_census(void *context, size_t node, struct handover_census *census)
{
    struct cluster *cluster = context;
    const struct topology *topology = cluster->publisher.last;
    const struct node_live *live = node_live(cluster->nodes[node]);
    int i = topology ? topology_find(topology, live) : -1;
    *census = (struct handover_census){0};
    if (i < 0 || !topology_is_leaving(topology, (size_t)i))
        return;
    census->held = load(&topology->echo.heard) == cluster->publisher.subscribers->n;
    census->open = load(&live->transactions) + load(&live->outstanding);
    census->pinned = load(&topology->echo.pinned);
    census->relays = load(&topology->echo.relays);
}

static bool delegate(void *context, int from, int to, struct error *error)
{
    struct cluster *cluster = context;
    const struct config_node *nodes = cluster->roster.nodes;
    const struct manager_place old = {nodes[from].host, nodes[from].port};
    struct manager_place target;
    if (to >= 0)
        target = (struct manager_place){nodes[to].host, nodes[to].port};
    return manager_switchover(cluster->manager, &old, to >= 0 ? &target : NULL, error);
}

/* --- where secrets and catalogues are read --- */

static struct endpoint *nth_fit(void *context, size_t nth, bool primary_only)
{
    struct cluster *cluster = context;
    const struct verdict *verdict = &cluster->verdict;
    int first = verdict->primary >= 0 ? verdict->primary : verdict->standby_leader;
    if (first >= 0 && verdict->nodes[first].condition == CONDITION_UP && nth-- == 0)
        return node_endpoint(cluster->nodes[first]);
    for (size_t i = 0; i < cluster->n && !primary_only; i++) {
        bool fit = verdict->nodes[i].role == ROLE_REPLICA && (int)i != first &&
                   verdict->nodes[i].condition == CONDITION_UP;
        if (fit && nth-- == 0)
            return node_endpoint(cluster->nodes[i]);
    }
    return NULL;
}

void cluster_secret_request(struct cluster *cluster, struct message *message)
{
    secrets_request(cluster->secrets, message);
}

void cluster_catalogue_request(struct cluster *cluster, const char *database, bool changed)
{
    catalogue_reader_request(cluster->catalogues, database, changed);
}

/* --- life --- */

static struct node *open_node(struct cluster *cluster, const struct config_node *config)
{
    const struct node_owner owner = {
        .context = cluster, .asking = on_asking, .looked = on_looked, .lost = on_lost};
    return node_open(cluster->loop, &cluster->settings, config, node_live_new(config->name), &owner);
}

static void open_sampler(struct cluster *cluster)
{
    struct sampler_node nodes[TOPOLOGY_MAX_NODES];
    for (size_t i = 0; i < cluster->n; i++) {
        nodes[i] = (struct sampler_node){node_endpoint(cluster->nodes[i]), node_live(cluster->nodes[i])};
        cluster->marks[i] = (struct sample_mark){0};
    }
    cluster->sampler = sampler_open(cluster->loop, &cluster->settings, cluster->live, nodes, cluster->n);
}

/* --- who is watched --- */

static struct node *take_node(struct node **nodes, size_t n, const struct config_node *config, size_t *was)
{
    for (size_t i = 0; i < n; i++) {
        struct node *node = nodes[i];
        if (node && node_is(node, config)) {
            nodes[i] = NULL;
            *was = i;
            return node;
        }
    }
    return NULL;
}

static void drop_node(struct cluster *cluster, struct node *node)
{
    secrets_forget_endpoint(cluster->secrets, node_endpoint(node));
    catalogue_reader_forget_endpoint(cluster->catalogues, node_endpoint(node));
    news_of_member(&cluster->news, node_name(node), false);
    node_close(node);
}

/* The roster has changed: nodes that stay bring their record, evidence and verdict along. */
static void change_members(struct cluster *cluster)
{
    const struct roster *roster = &cluster->roster;
    struct node *before[TOPOLOGY_MAX_NODES];
    struct verdict verdict = cluster->verdict;
    size_t n_before = cluster->n, was;
    memcpy(before, cluster->nodes, sizeof before);
    sampler_close(cluster->sampler);
    verdict_init(&cluster->verdict, &verdict.memory, roster->n);
    for (size_t i = 0; i < roster->n; i++) {
        cluster->nodes[i] = take_node(before, n_before, &roster->nodes[i], &was);
        if (cluster->nodes[i]) {
            cluster->verdict.nodes[i] = verdict.nodes[was];
            if (verdict.primary == (int)was)
                cluster->verdict.primary = (int)i;
            if (verdict.holding == (int)was)
                cluster->verdict.holding = (int)i;
        } else {
            cluster->nodes[i] = open_node(cluster, &roster->nodes[i]);
            news_of_member(&cluster->news, roster->nodes[i].name, true);
        }
    }
    cluster->n = roster->n;
    for (size_t i = 0; i < n_before; i++) {
        if (before[i])
            drop_node(cluster, before[i]);
    }
    open_sampler(cluster);
    handover_reload(cluster->handover, true);
    rejoin_forget(&cluster->rejoin);
}

/* The sections, or what the manager lists, may have changed. */
static void review_members(struct cluster *cluster)
{
    struct manager_members members;
    bool listed = manager_members(cluster->manager, &members);
    if (roster_update(&cluster->roster, cluster->settings.cluster, listed ? &members : NULL))
        change_members(cluster);
}

static void on_spoke(void *context)
{
    struct cluster *cluster = context;
    review_members(cluster);
    judge_now(cluster);
}

static void on_told(void *context, enum event_kind kind, const char *text, const char *reason)
{
    struct cluster *cluster = context;
    struct event event = news_event(&cluster->news, kind, "");
    event_say(event.text, sizeof event.text, "%s", text);
    event_say(event.reason, sizeof event.reason, "%s", reason);
    news_send(&cluster->news, &event);
}

static void on_answered(void *context, bool accepted, const char *words)
{
    struct cluster *cluster = context;
    handover_answered(cluster->handover, accepted, words);
}

static void open_manager(struct cluster *cluster)
{
    const struct manager_events events = {
        .context = cluster, .spoke = on_spoke, .told = on_told, .answered = on_answered};
    cluster->manager = manager_open(cluster->loop, &cluster->settings, &events);
    manager_seek(cluster->manager, cluster->seeking_since_us != 0);
}

/* --- opening, reloading, closing --- */

static void set_settings(struct cluster *cluster, struct config *config, size_t index)
{
    struct config *before = cluster->settings.config;
    cluster->settings.config = config_ref(config);
    cluster->settings.cluster = &config->clusters[index];
    assert(cluster->settings.cluster->n_nodes <= TOPOLOGY_MAX_NODES);
    config_unref(before);
}

static void read_memory(struct cluster *cluster, struct judge_memory *memory)
{
    struct error error;
    if (!state_file_read(cluster->state_file, memory, &error))
        log_event(LOG_WARNING, "state_not_read", "cluster=%s error=%s", cluster->settings.cluster->name,
            error.text);
}

struct cluster *cluster_open(
    uv_loop_t *loop, struct config *config, size_t index, const struct subscribers *subscribers)
{
    struct cluster *cluster = memory_new(1, sizeof *cluster);
    struct judge_memory memory;
    cluster->loop = loop;
    set_settings(cluster, config, index);
    cluster->live = cluster_live_new();
    cluster->publisher.subscribers = subscribers;
    news_init(&cluster->news, cluster_name(cluster), subscribers);
    roster_update(&cluster->roster, cluster->settings.cluster, NULL);
    cluster->n = cluster->roster.n;
    cluster->seeking_since_us = clock_now_us();
    for (size_t i = 0; i < cluster->n; i++)
        cluster->nodes[i] = open_node(cluster, &cluster->roster.nodes[i]);
    cluster->state_file = state_file_open(loop, config->state_dir, cluster->settings.cluster->name);
    read_memory(cluster, &memory);
    verdict_init(&cluster->verdict, &memory, cluster->n);
    const struct secrets_nodes fit = {cluster, nth_fit};
    open_sampler(cluster);
    cluster->secrets = secrets_open(loop, &cluster->settings, subscribers, &fit);
    cluster->catalogues = catalogue_reader_open(loop, &cluster->settings, subscribers, &fit);
    cluster->hooks = hook_queue_open(loop, &cluster->settings, &cluster->news);
    rejoin_init(&cluster->rejoin);
    const struct handover_owner handover = {.context = cluster,
        .changed = on_handover_changed,
        .look = on_handover_looks,
        .endpoint = handover_endpoint,
        .census = take_census,
        .delegate = delegate};
    cluster->handover =
        handover_open(loop, &cluster->settings, &cluster->roster, cluster->hooks, &cluster->news, &handover);
    uv_timer_init(loop, &cluster->expiry);
    cluster->expiry.data = cluster;
    open_manager(cluster);
    publish_now(cluster);
    return cluster;
}

const char *cluster_name(const struct cluster *cluster)
{
    return cluster->settings.cluster->name;
}

void cluster_reload(struct cluster *cluster, struct config *config, size_t index)
{
    unsigned changes = reload_changes(&cluster->settings, config, index);
    set_settings(cluster, config, index);
    if (changes & RELOAD_MANAGER) {
        manager_close(cluster->manager);
        open_manager(cluster);
    } else {
        manager_reload(cluster->manager);
    }
    review_members(cluster);
    if (changes & RELOAD_PROBES) {
        for (size_t i = 0; i < cluster->n; i++)
            node_reconnect(cluster->nodes[i]);
    }
    if (changes & (RELOAD_SECRETS | RELOAD_PROBES))
        secrets_settings_changed(cluster->secrets);
    if (changes & (RELOAD_CATALOGUES | RELOAD_PROBES))
        catalogue_reader_settings_changed(cluster->catalogues);
    handover_reload(cluster->handover, false);
    judge_now(cluster);
}

static void on_expiry_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void cluster_close(struct cluster *cluster)
{
    manager_close(cluster->manager);
    sampler_close(cluster->sampler);
    secrets_close(cluster->secrets);
    catalogue_reader_close(cluster->catalogues);
    for (size_t i = 0; i < cluster->n; i++)
        node_close(cluster->nodes[i]);
    state_file_close(cluster->state_file);
    handover_close(cluster->handover);
    hook_queue_close(cluster->hooks);
    publisher_fini(&cluster->publisher);
    cluster_live_unref(cluster->live);
    roster_fini(&cluster->roster);
    config_unref(cluster->settings.config);
    uv_close((uv_handle_t *)&cluster->expiry, on_expiry_closed);
}
