/*
 * Sampling; see sampler.h.
 *
 *     primary:  number raised -> ask insert and flush position -> into the ring  [flush behind: empty commit,
 * again] replica:  ask replayed position -> the highest sample at or below it is its replayed epoch
 *
 * Nothing is kept that could be about another incarnation: the ring is cleared when the primary, its timeline
 * or its postmaster changes; a replica's epoch falls to 0 when a connection to it breaks, its postmaster is
 * another, or its history is not the primary's. An answer that was asked in an older incarnation is dropped.
 */
#include "health/sampler.h"

#include "conf/base/clock.h"
#include "health/lsn.h"
#include "health/memory.h"
#include "health/pgconn.h"
#include "health/sample_ring.h"

#include <inttypes.h>
#include <stdio.h>

#define WANTED_FOR_US 1000000u   /* fast sampling goes on that long after the last miss */
#define FRESHLY_WANTED_US 50000u /* and is fastest in the beginning */
#define FASTEST_PAUSE_MS 2
#define FAST_PAUSE_MS 5
#define IDLE_PAUSE_MS 20
#define KEEP_CONNECTIONS_US 60000000u
#define RECONNECT_US 100000u
#define REFUSED_RECONNECT_US 1000000u
#define FORCE_GAP_US 10000u

/* One of the sampler's own connections. */
struct asker {
    struct sampler *sampler;
    size_t index;
    struct pgconn *conn;
    uint64_t not_before_us;
    struct sample_mark mark; /* of the sample asked for; primary only */
    uint64_t incarnation;    /* of the sampler when it was asked */
};

struct sampled_node {
    struct sampler_node node;
    struct asker asker;
    bool comparable;    /* a replica on the primary's history */
    int64_t started_us; /* of its postmaster, by the probe that made it comparable */
};

struct sampler {
    uv_loop_t *loop;
    const struct settings *settings;
    struct cluster_live *live;
    uv_timer_t timer;
    struct sample_ring ring;
    int primary;
    uint64_t incarnation; /* raised with each other primary; 0 = never had one */
    uint32_t timeline, page_bytes;
    int64_t started_us;
    uint64_t segment_bytes, insert_lsn;
    uint64_t force_not_before_us;
    bool force; /* the newest sample is not flushed */
    size_t n;
    struct sampled_node nodes[TOPOLOGY_MAX_NODES];
};

static void set_epoch(struct sampled_node *node, uint64_t epoch)
{
    atomic_store_explicit(&node->node.live->replayed_epoch, epoch, memory_order_release);
}

/* --- positions --- */

struct sample_mark sampler_begin(struct sampler *sampler)
{
    uint64_t number = atomic_fetch_add_explicit(&sampler->live->started, 1, memory_order_seq_cst) + 1;
    return (struct sample_mark){number, clock_now_us()};
}

static void take_sample(
    struct sampler *sampler, const struct sample_mark *mark, uint64_t insert_lsn, uint64_t flush_lsn)
{
    const struct sample sample = {mark->number, insert_lsn, mark->asked_at_us};
    sample_ring_add(&sampler->ring, &sample);
    sampler->force = flush_lsn < insert_lsn;
    if (insert_lsn > sampler->insert_lsn)
        sampler->insert_lsn = insert_lsn;
}

static uint64_t age_ms(const struct sample *sample, uint64_t otherwise)
{
    return sample ? (clock_now_us() - sample->asked_at_us) / 1000 : otherwise;
}

/*
 * What a replica itself says of its lag, the time since the last transaction that it replayed, is far too
 * much after a pause in which nothing was written, and 0 when it has heard nothing new because its connection
 * is dead. The samples know better: it has everything until the one that it reached, and lacks what was there
 * at the one that it missed.
 */
static uint64_t lag_between(const struct sample_ring *ring, uint64_t replayed_lsn, uint64_t said_ms)
{
    uint64_t least_ms = age_ms(sample_ring_missed(ring, replayed_lsn), 0);
    uint64_t most_ms = age_ms(sample_ring_reached(ring, replayed_lsn), UINT64_MAX);
    if (said_ms < least_ms)
        return least_ms;
    return said_ms > most_ms ? most_ms : said_ms;
}

static void take_replay(
    struct sampler *sampler, struct sampled_node *node, uint64_t replayed_lsn, uint64_t lag_ms)
{
    struct node_live *live = node->node.live;
    uint64_t behind = sampler->insert_lsn > replayed_lsn ? sampler->insert_lsn - replayed_lsn : 0;
    const struct sample *reached = sample_ring_reached(&sampler->ring, replayed_lsn);
    lag_ms = behind == 0 ? 0 : lag_between(&sampler->ring, replayed_lsn, lag_ms);
    set_epoch(node, reached ? reached->number : 0);
    atomic_store_explicit(&live->lag_bytes, behind, memory_order_relaxed);
    atomic_store_explicit(&live->lag_ms, lag_ms, memory_order_relaxed);
}

static void observed_replica(
    struct sampler *sampler, struct sampled_node *node, const struct observation *seen)
{
    if (node->comparable && seen->timeline == sampler->timeline && seen->started_us == node->started_us) {
        take_replay(sampler, node, seen->lsn, seen->lag_ms);
        return;
    }
    set_epoch(node, 0);
    atomic_store_explicit(&node->node.live->lag_ms, seen->lag_ms, memory_order_relaxed);
}

void sampler_observed(
    struct sampler *sampler, size_t index, const struct sample_mark *mark, const struct observation *seen)
{
    struct sampled_node *node = &sampler->nodes[index];
    if (seen->in_recovery) {
        observed_replica(sampler, node, seen);
        return;
    }
    atomic_store_explicit(&node->node.live->lag_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&node->node.live->lag_bytes, 0, memory_order_relaxed);
    if ((int)index == sampler->primary && seen->timeline == sampler->timeline &&
        seen->started_us == sampler->started_us)
        take_sample(sampler, mark, seen->lsn, seen->flush_lsn);
}

/* --- own connections --- */

static void drop_connection(struct asker *asker, uint64_t again_us)
{
    pgconn_close(asker->conn);
    asker->conn = NULL;
    asker->not_before_us = clock_now_us() + again_us;
}

static void broke(struct asker *asker)
{
    drop_connection(asker, RECONNECT_US);
    set_epoch(&asker->sampler->nodes[asker->index], 0);
}

static void on_lost(void *context, const struct pgconn_answer *answer)
{
    (void)answer;
    broke(context);
}

static void on_opened(void *context, const struct pgconn_answer *answer)
{
    if (answer->outcome != PGCONN_OK)
        drop_connection(context, answer->outcome == PGCONN_LOGIN ? REFUSED_RECONNECT_US : RECONNECT_US);
}

static void open_connection(struct asker *asker)
{
    struct sampler *sampler = asker->sampler;
    const struct config *config = sampler->settings->config;
    const struct config_cluster *cluster = sampler->settings->cluster;
    if (asker->conn || clock_now_us() < asker->not_before_us)
        return;
    char options[160];
    snprintf(options, sizeof options,
        "-c search_path= -c statement_timeout=%" PRIu64
        " -c synchronous_commit=local -c default_transaction_read_only=off",
        cluster->probe_timeout_ms);
    struct pgconn_params params = {.endpoint = sampler->nodes[asker->index].node.endpoint,
        .user = cluster->probe_user,
        .password = cluster->probe_password,
        .database = cluster->probe_database,
        .options = options,
        .tls = &cluster->tls,
        .tcp_user_timeout_ms = config->tcp_user_timeout_ms,
        .tcp_keepalive_ms = config->tcp_keepalive_ms,
        .connect_timeout_ms = cluster->probe_timeout_ms,
        .context = asker,
        .opened = on_opened,
        .lost = on_lost};
    asker->conn = pgconn_open(sampler->loop, &params);
}

/* False when the answer cannot be used; a connection that is no good is dropped. */
static bool usable(struct asker *asker, const struct pgconn_answer *answer)
{
    if (answer->outcome != PGCONN_OK && answer->outcome != PGCONN_QUERY)
        broke(asker);
    return answer->outcome == PGCONN_OK && asker->incarnation == asker->sampler->incarnation;
}

static void ask_primary(struct asker *asker);

static void on_forced(void *context, const struct pgconn_answer *answer)
{
    struct asker *asker = context;
    if (usable(asker, answer) && (int)asker->index == asker->sampler->primary)
        ask_primary(asker);
}

/* What is not flushed is not sent to replicas: an empty transaction's commit flushes everything before it. */
static void force_flush(struct asker *asker)
{
    struct sampler *sampler = asker->sampler;
    sampler->force = false;
    sampler->force_not_before_us = clock_now_us() + FORCE_GAP_US;
    pgconn_query(asker->conn, "SELECT pg_logical_emit_message(true, 'rolecall', '')", NULL, 0,
        sampler->settings->cluster->probe_timeout_ms, asker, on_forced);
}

static int64_t number_at(const struct pgconn_answer *answer, int column)
{
    const char *text = pgconn_value(answer, 0, column);
    return text ? strtoll(text, NULL, 10) : 0;
}

static void on_primary(void *context, const struct pgconn_answer *answer)
{
    struct asker *asker = context;
    struct sampler *sampler = asker->sampler;
    uint64_t insert_lsn, flush_lsn;
    if (!usable(asker, answer) || number_at(answer, 2) != sampler->started_us)
        return;
    if (!lsn_parse(pgconn_value(answer, 0, 0), &insert_lsn) ||
        !lsn_parse(pgconn_value(answer, 0, 1), &flush_lsn))
        return;
    insert_lsn = lsn_without_page_header(insert_lsn, sampler->page_bytes, sampler->segment_bytes);
    take_sample(sampler, &asker->mark, insert_lsn, flush_lsn);
    if (sampler->force && clock_now_us() >= sampler->force_not_before_us)
        force_flush(asker);
}

#define STARTED_US "floor(1000000 * extract(epoch FROM pg_postmaster_start_time()))::bigint"

static void ask_primary(struct asker *asker)
{
    struct sampler *sampler = asker->sampler;
    asker->incarnation = sampler->incarnation;
    asker->mark = sampler_begin(sampler);
    pgconn_query(asker->conn, "SELECT pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn(), " STARTED_US,
        NULL, 0, sampler->settings->cluster->probe_timeout_ms, asker, on_primary);
}

static void on_replica(void *context, const struct pgconn_answer *answer)
{
    struct asker *asker = context;
    struct sampled_node *node = &asker->sampler->nodes[asker->index];
    uint64_t replayed_lsn;
    if (!usable(asker, answer) || !node->comparable)
        return;
    const char *in_recovery = pgconn_value(answer, 0, 1);
    if (!in_recovery || in_recovery[0] != 't' || number_at(answer, 2) != node->started_us)
        set_epoch(node, 0);
    else if (lsn_parse(pgconn_value(answer, 0, 0), &replayed_lsn))
        take_replay(asker->sampler, node, replayed_lsn, UINT64_MAX);
}

static void ask_replica(struct asker *asker)
{
    asker->incarnation = asker->sampler->incarnation;
    pgconn_query(asker->conn, "SELECT pg_last_wal_replay_lsn(), pg_is_in_recovery(), " STARTED_US, NULL, 0,
        asker->sampler->settings->cluster->probe_timeout_ms, asker, on_replica);
}

/* --- the rhythm --- */

static void ask_all(struct sampler *sampler)
{
    for (size_t i = 0; i < sampler->n; i++) {
        struct sampled_node *node = &sampler->nodes[i];
        bool is_primary = (int)i == sampler->primary;
        if (!is_primary && !node->comparable)
            continue;
        open_connection(&node->asker);
        if (!pgconn_ready(node->asker.conn))
            continue;
        if (is_primary)
            ask_primary(&node->asker);
        else
            ask_replica(&node->asker);
    }
}

static void let_connections_go(struct sampler *sampler)
{
    for (size_t i = 0; i < sampler->n; i++) {
        pgconn_close(sampler->nodes[i].asker.conn);
        sampler->nodes[i].asker.conn = NULL;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct sampler *sampler = timer->data;
    uint64_t wanted_at_us = atomic_load_explicit(&sampler->live->wanted_at_us, memory_order_relaxed);
    uint64_t now_us = clock_now_us();
    uint64_t since_us = now_us > wanted_at_us ? now_us - wanted_at_us : 0;
    bool wanted = wanted_at_us != 0 && since_us < WANTED_FOR_US;
    uint64_t pause_ms = IDLE_PAUSE_MS;
    if (wanted && sampler->primary >= 0) {
        ask_all(sampler);
        pause_ms = since_us < FRESHLY_WANTED_US ? FASTEST_PAUSE_MS : FAST_PAUSE_MS;
    } else if (wanted_at_us == 0 || since_us > KEEP_CONNECTIONS_US) {
        let_connections_go(sampler);
    }
    uv_timer_start(timer, on_timer, pause_ms, 0);
}

/* --- roles --- */

static void set_primary(struct sampler *sampler, int primary, const struct observation *seen)
{
    bool same = primary == sampler->primary &&
                (!seen || (seen->timeline == sampler->timeline && seen->started_us == sampler->started_us));
    if (same)
        return;
    sample_ring_clear(&sampler->ring);
    sampler->incarnation++;
    sampler->primary = primary;
    sampler->insert_lsn = 0;
    sampler->force = false;
    sampler->timeline = seen ? seen->timeline : 0;
    sampler->started_us = seen ? seen->started_us : 0;
    sampler->page_bytes = seen ? seen->page_bytes : 0;
    sampler->segment_bytes = seen ? seen->segment_bytes : 0;
    for (size_t i = 0; i < sampler->n; i++)
        set_epoch(&sampler->nodes[i], 0);
}

void sampler_roles(struct sampler *sampler, const struct verdict *verdict, const struct evidence *evidence)
{
    int primary = verdict->primary;
    set_primary(sampler, primary, primary >= 0 ? &evidence[primary].seen : NULL);
    for (size_t i = 0; i < sampler->n; i++) {
        struct sampled_node *node = &sampler->nodes[i];
        bool same = node->started_us == evidence[i].seen.started_us;
        node->comparable = verdict->nodes[i].shares_history;
        node->started_us = evidence[i].seen.started_us;
        if (!node->comparable || !same)
            set_epoch(node, 0);
        if (!node->comparable && verdict->nodes[i].role != ROLE_PRIMARY)
            atomic_store_explicit(&node->node.live->lag_bytes, UINT64_MAX, memory_order_relaxed);
    }
}

void sampler_broken(struct sampler *sampler, size_t node)
{
    set_epoch(&sampler->nodes[node], 0);
}

/* --- life --- */

struct sampler *sampler_open(uv_loop_t *loop, const struct settings *settings, struct cluster_live *live,
    const struct sampler_node *nodes, size_t n_nodes)
{
    struct sampler *sampler = memory_new(1, sizeof *sampler);
    sampler->loop = loop;
    sampler->settings = settings;
    sampler->live = cluster_live_ref(live);
    sampler->primary = -1;
    sampler->n = n_nodes;
    for (size_t i = 0; i < n_nodes; i++) {
        sampler->nodes[i].node = nodes[i];
        node_live_ref(nodes[i].live);
        sampler->nodes[i].asker = (struct asker){.sampler = sampler, .index = i};
        set_epoch(&sampler->nodes[i], 0);
    }
    uv_timer_init(loop, &sampler->timer);
    sampler->timer.data = sampler;
    uv_timer_start(&sampler->timer, on_timer, IDLE_PAUSE_MS, 0);
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
    let_connections_go(sampler);
    for (size_t i = 0; i < sampler->n; i++)
        node_live_unref(sampler->nodes[i].node.live);
    cluster_live_unref(sampler->live);
    uv_close((uv_handle_t *)&sampler->timer, on_closed);
}
