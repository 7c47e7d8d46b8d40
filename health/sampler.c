/*
 * Sampling; see sampler.h.
 *
 *     somebody missed an epoch -> number raised -> primary asked -> into the ring -> replicas asked
 *     replica answers -> the highest sample at or below its position is its replayed epoch, else asked again
 *
 * It costs the primary little: one prepared question per miss, at most one in SAMPLE_EVERY_US. What is not
 * flushed is not sent to replicas; when nothing else flushes it for a while, an empty transaction does, at
 * most a tenth of the time. A replica that is far behind is asked less and less often.
 *
 * Nothing is kept that could be about another incarnation: the ring is cleared when the primary, its timeline
 * or its postmaster changes; a replica falls, to no epoch and another incarnation, when a connection to it
 * breaks, its postmaster is another, or its history is not the primary's. Answers still under way are
 * dropped.
 */
#include "health/sampler.h"

#include "conf/base/clock.h"
#include "health/asker.h"
#include "health/lsn.h"
#include "health/memory.h"
#include "health/sample_ring.h"

#define WANTED_FOR_US 1000000u /* replicas are asked that long after the last miss */
#define TICK_MS 2
#define IDLE_TICK_MS 10
#define SAMPLE_EVERY_US 15000u /* on average; 50 to 120 us of the primary's time each */
#define SAMPLE_BURST_US 60000u
#define KEEP_CONNECTIONS_US 60000000u
#define AGAIN_LEAST_US 2000u /* until a replica that is behind is asked again: */
#define AGAIN_MOST_US 25000u
#define AGAIN_PART 8u /* an eighth of the time for which it has been behind */
#define FLUSH_AFTER_US 8000u
#define FLUSH_PART 10u /* of the time */
#define FLUSH_FAILED_US 1000000u

struct sampled_node {
    struct sampler *sampler;
    struct sampler_node node;
    struct asker *asker;
    bool comparable;      /* a replica on the primary's history */
    int64_t started_us;   /* of its postmaster, by the probe */
    uint64_t broke_at_us; /* what a probe asked before says nothing */
    uint64_t replayed_lsn;
    uint64_t again_at_us; /* when it is to be asked again */
};

/* What the primary has written and not flushed. */
struct tail {
    uint64_t lsn; /* 0 = nothing */
    uint64_t since_us;
    uint64_t flush_not_before_us;
};

struct sampler {
    struct cluster_live *live;
    uv_timer_t timer;
    struct sample_ring ring;
    struct sample_mark mark; /* of the sample asked for last */
    struct tail tail;
    uint64_t budget_us; /* the next sample is paid for at this time */
    int primary;
    uint32_t timeline, page_bytes;
    int64_t started_us;
    uint64_t segment_bytes, insert_lsn;
    size_t n;
    struct sampled_node nodes[TOPOLOGY_MAX_NODES];
};

static uint64_t load64(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* What the node had replayed may be gone. Workers read the incarnation first: see router/target.c. */
static void fall(struct sampled_node *node)
{
    atomic_fetch_add_explicit(&node->node.live->incarnation, 1, memory_order_seq_cst);
    atomic_store_explicit(&node->node.live->replayed_epoch, 0, memory_order_release);
    node->replayed_lsn = 0;
    node->again_at_us = 0;
    asker_rest(node->asker);
}

/* --- positions --- */

struct sample_mark sampler_begin(struct sampler *sampler)
{
    uint64_t number = atomic_fetch_add_explicit(&sampler->live->started, 1, memory_order_seq_cst) + 1;
    return (struct sample_mark){number, clock_now_us()};
}

/* Other transactions' commits flush it soon, usually: then nothing has to be forced. */
static void watch_tail(struct tail *tail, uint64_t insert_lsn, uint64_t flush_lsn)
{
    bool flushed = tail->lsn == 0 || flush_lsn >= tail->lsn;
    if (flush_lsn >= insert_lsn) {
        tail->lsn = 0;
    } else if (flushed) {
        tail->lsn = insert_lsn;
        tail->since_us = clock_now_us();
    }
}

static void take_sample(
    struct sampler *sampler, const struct sample_mark *mark, uint64_t insert_lsn, uint64_t flush_lsn)
{
    const struct sample sample = {mark->number, insert_lsn, mark->asked_at_us};
    sample_ring_add(&sampler->ring, &sample);
    watch_tail(&sampler->tail, insert_lsn, flush_lsn);
    if (insert_lsn > sampler->insert_lsn)
        sampler->insert_lsn = insert_lsn;
}

static uint64_t age_us(const struct sample *sample)
{
    return clock_now_us() - sample->asked_at_us;
}

/*
 * What a replica itself says of its lag, the time since the last transaction that it replayed, is far too
 * much after a pause in which nothing was written, and 0 when it has heard nothing new because its connection
 * is dead. The samples know better: it has everything until the one that it reached, and lacks what was there
 * at the one that it missed.
 */
static uint64_t lag_between(const struct sample *reached, const struct sample *missed, uint64_t said_ms)
{
    uint64_t least_ms = missed ? age_us(missed) / 1000 : 0;
    uint64_t most_ms = reached ? age_us(reached) / 1000 : UINT64_MAX;
    if (said_ms < least_ms)
        return least_ms;
    return said_ms > most_ms ? most_ms : said_ms;
}

static uint64_t pause_us(const struct sample *missed)
{
    uint64_t pause = age_us(missed) / AGAIN_PART;
    return pause < AGAIN_LEAST_US ? AGAIN_LEAST_US : pause > AGAIN_MOST_US ? AGAIN_MOST_US : pause;
}

/* Answers may overtake each other, but within an incarnation nothing that was replayed goes again. */
static void take_replay(
    struct sampler *sampler, struct sampled_node *node, uint64_t replayed_lsn, uint64_t said_ms)
{
    struct node_live *live = node->node.live;
    if (replayed_lsn > node->replayed_lsn)
        node->replayed_lsn = replayed_lsn;
    uint64_t behind = sampler->insert_lsn > node->replayed_lsn ? sampler->insert_lsn - node->replayed_lsn : 0;
    const struct sample *reached = sample_ring_reached(&sampler->ring, node->replayed_lsn);
    const struct sample *missed = sample_ring_missed(&sampler->ring, node->replayed_lsn);
    if (reached && reached->number > load64(&live->replayed_epoch))
        atomic_store_explicit(&live->replayed_epoch, reached->number, memory_order_release);
    node->again_at_us = missed ? clock_now_us() + pause_us(missed) : 0;
    uint64_t lag_ms = behind == 0 ? 0 : lag_between(reached, missed, said_ms);
    atomic_store_explicit(&live->lag_bytes, behind, memory_order_relaxed);
    atomic_store_explicit(&live->lag_ms, lag_ms, memory_order_relaxed);
}

static void observed_replica(struct sampler *sampler, struct sampled_node *node,
    const struct sample_mark *mark, const struct observation *seen)
{
    bool is_it = seen->timeline == sampler->timeline && seen->started_us == node->started_us;
    if (node->comparable && is_it && mark->asked_at_us > node->broke_at_us)
        take_replay(sampler, node, seen->lsn, seen->lag_ms);
    else
        atomic_store_explicit(&node->node.live->lag_ms, seen->lag_ms, memory_order_relaxed);
}

void sampler_observed(
    struct sampler *sampler, size_t index, const struct sample_mark *mark, const struct observation *seen)
{
    struct sampled_node *node = &sampler->nodes[index];
    if (seen->in_recovery) {
        observed_replica(sampler, node, mark, seen);
        return;
    }
    atomic_store_explicit(&node->node.live->lag_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&node->node.live->lag_bytes, 0, memory_order_relaxed);
    if ((int)index == sampler->primary && seen->timeline == sampler->timeline &&
        seen->started_us == sampler->started_us)
        take_sample(sampler, mark, seen->lsn, seen->flush_lsn);
}

/* --- own questions --- */

/* Those that have not reached the newest sample and are due; connections are opened before they are needed.
 */
static void ask_replicas(struct sampler *sampler, uint64_t now_us)
{
    const struct sample_ring *ring = &sampler->ring;
    uint64_t newest = ring->n > 0 ? ring->samples[ring->n - 1].number : 0;
    for (size_t i = 0; i < sampler->n; i++) {
        struct sampled_node *node = &sampler->nodes[i];
        if (node->comparable && asker_ready(node->asker) && now_us >= node->again_at_us &&
            load64(&node->node.live->replayed_epoch) < newest)
            asker_ask(node->asker);
    }
}

/* An error is not told: until then another attempt waits. */
static void flush_if_due(struct sampler *sampler, struct asker *asker, uint64_t now_us)
{
    struct tail *tail = &sampler->tail;
    if (tail->lsn == 0 || now_us < tail->since_us + FLUSH_AFTER_US || now_us < tail->flush_not_before_us)
        return;
    tail->lsn = 0;
    tail->flush_not_before_us = now_us + FLUSH_FAILED_US;
    asker_flush(asker);
}

static void on_primary(struct sampler *sampler, struct asker *asker, const struct position *position)
{
    uint64_t now_us = clock_now_us();
    uint64_t lsn = lsn_without_page_header(position->lsn, sampler->page_bytes, sampler->segment_bytes);
    take_sample(sampler, &sampler->mark, lsn, position->flush_lsn);
    flush_if_due(sampler, asker, now_us);
    ask_replicas(sampler, now_us);
}

static void on_answered(void *context, const struct position *position)
{
    struct sampled_node *node = context;
    struct sampler *sampler = node->sampler;
    bool is_primary = node - sampler->nodes == sampler->primary;
    bool as_known = position->started_us == node->started_us && position->in_recovery != is_primary;
    if (is_primary && as_known)
        on_primary(sampler, node->asker, position);
    else if (node->comparable && as_known)
        take_replay(sampler, node, position->lsn, UINT64_MAX);
    else if (load64(&node->node.live->replayed_epoch) > 0)
        fall(node);
}

static void on_flushed(void *context, uint64_t took_us)
{
    struct sampled_node *node = context;
    uint64_t gap_us = FLUSH_PART * took_us;
    node->sampler->tail.flush_not_before_us =
        clock_now_us() + (gap_us > FLUSH_AFTER_US ? gap_us : FLUSH_AFTER_US);
}

static void on_broke(void *context)
{
    struct sampled_node *node = context;
    node->broke_at_us = clock_now_us();
    fall(node);
}

/* --- the rhythm --- */

/* Who missed an epoch since the newest sample needs another; so does a tail: is it flushed by now? */
static bool is_due(const struct sampler *sampler, uint64_t wanted_at_us, uint64_t now_us)
{
    const struct tail *tail = &sampler->tail;
    bool missed = wanted_at_us >= sampler->mark.asked_at_us;
    bool stuck =
        tail->lsn != 0 && now_us >= tail->since_us + FLUSH_AFTER_US && now_us >= tail->flush_not_before_us;
    return (missed || stuck) && now_us >= sampler->budget_us;
}

static void ask_primary(struct sampler *sampler, uint64_t wanted_at_us, uint64_t now_us)
{
    struct asker *asker = sampler->nodes[sampler->primary].asker;
    if (!asker_ready(asker) || !is_due(sampler, wanted_at_us, now_us))
        return;
    if (sampler->budget_us + SAMPLE_BURST_US < now_us)
        sampler->budget_us = now_us - SAMPLE_BURST_US;
    sampler->budget_us += SAMPLE_EVERY_US;
    sampler->mark = sampler_begin(sampler);
    asker_ask(asker);
}

static void let_connections_go(struct sampler *sampler)
{
    for (size_t i = 0; i < sampler->n; i++)
        asker_rest(sampler->nodes[i].asker);
}

static void on_timer(uv_timer_t *timer)
{
    struct sampler *sampler = timer->data;
    uint64_t wanted_at_us = load64(&sampler->live->wanted_at_us), now_us = clock_now_us();
    uint64_t since_us = now_us > wanted_at_us ? now_us - wanted_at_us : 0;
    bool wanted = wanted_at_us != 0 && since_us < WANTED_FOR_US && sampler->primary >= 0;
    if (wanted) {
        ask_primary(sampler, wanted_at_us, now_us);
        ask_replicas(sampler, now_us);
    } else if (wanted_at_us == 0 || since_us > KEEP_CONNECTIONS_US) {
        let_connections_go(sampler);
    }
    uv_timer_start(timer, on_timer, wanted ? TICK_MS : IDLE_TICK_MS, 0);
}

/* --- roles --- */

static void set_primary(struct sampler *sampler, int primary, const struct observation *seen)
{
    bool same = primary == sampler->primary &&
                (!seen || (seen->timeline == sampler->timeline && seen->started_us == sampler->started_us));
    if (same)
        return;
    sample_ring_clear(&sampler->ring);
    sampler->primary = primary;
    sampler->insert_lsn = 0;
    sampler->tail = (struct tail){0};
    sampler->timeline = seen ? seen->timeline : 0;
    sampler->started_us = seen ? seen->started_us : 0;
    sampler->page_bytes = seen ? seen->page_bytes : 0;
    sampler->segment_bytes = seen ? seen->segment_bytes : 0;
    for (size_t i = 0; primary >= 0 && i < sampler->n; i++)
        fall(&sampler->nodes[i]);
}

void sampler_roles(struct sampler *sampler, const struct verdict *verdict, const struct evidence *evidence)
{
    int primary = verdict->primary;
    set_primary(sampler, primary, primary >= 0 ? &evidence[primary].seen : NULL);
    for (size_t i = 0; i < sampler->n; i++) {
        struct sampled_node *node = &sampler->nodes[i];
        bool other = node->started_us != evidence[i].seen.started_us;
        /* without a primary there is nothing to compare with, and nothing that was replayed goes */
        bool leaves = primary >= 0 && node->comparable && !verdict->nodes[i].shares_history;
        if (primary >= 0)
            node->comparable = verdict->nodes[i].shares_history;
        node->started_us = evidence[i].seen.started_us;
        if (other || leaves)
            fall(node);
        if (!node->comparable && verdict->nodes[i].role != ROLE_PRIMARY)
            atomic_store_explicit(&node->node.live->lag_bytes, UINT64_MAX, memory_order_relaxed);
    }
}

void sampler_broken(struct sampler *sampler, size_t node)
{
    on_broke(&sampler->nodes[node]);
}

/* --- life --- */

struct sampler *sampler_open(uv_loop_t *loop, const struct settings *settings, struct cluster_live *live,
    const struct sampler_node *nodes, size_t n_nodes)
{
    struct sampler *sampler = memory_new(1, sizeof *sampler);
    sampler->live = cluster_live_ref(live);
    sampler->primary = -1;
    sampler->n = n_nodes;
    for (size_t i = 0; i < n_nodes; i++) {
        struct sampled_node *node = &sampler->nodes[i];
        const struct asker_owner owner = {
            .context = node, .answered = on_answered, .flushed = on_flushed, .broke = on_broke};
        node->sampler = sampler;
        node->node = nodes[i];
        node_live_ref(nodes[i].live);
        node->asker = asker_new(loop, settings, nodes[i].endpoint, &owner);
        fall(node);
    }
    uv_timer_init(loop, &sampler->timer);
    sampler->timer.data = sampler;
    uv_timer_start(&sampler->timer, on_timer, IDLE_TICK_MS, 0);
    return sampler;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void sampler_close(struct sampler *sampler)
{
    if (!sampler)
        return;
    for (size_t i = 0; i < sampler->n; i++) {
        asker_close(sampler->nodes[i].asker);
        node_live_unref(sampler->nodes[i].node.live);
    }
    cluster_live_unref(sampler->live);
    uv_close((uv_handle_t *)&sampler->timer, on_closed);
}
