/*
 * Chooses a node; see target.h.
 *
 * When all is well a write gets the primary and a read gets the session's own replica, or at first one of two
 * drawn at random by weight, the less busy. When no replica is fit the fallback decides: the primary, a wait
 * or a refusal. When there is no primary the work waits: it is held until the control thread finds one.
 * Masters of a multi-master share no log positions: there a session stays on its master as long as that
 * lives.
 */
#include "router/target.h"

#include <assert.h>

/* Sums of weights stay far below 2^32, whatever the operator wrote. */
#define WEIGHT_MAX (1u << 20)

static bool excluded(const struct target_request *request, size_t node)
{
    return request->exclude >> node & 1;
}

static uint64_t load64(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static uint64_t bound(uint64_t asked, uint64_t usual)
{
    if (asked == 0)
        asked = usual;
    return asked == 0 ? TARGET_NO_BOUND : asked;
}

static bool lag_within(
    const struct topology *topology, const struct target_request *request, const struct node_live *live)
{
    uint64_t bytes = bound(request->max_lag_bytes, topology->max_lag_bytes);
    uint64_t ms = bound(request->max_lag_ms, topology->max_lag_ms);
    /* A lag that is not known (UINT64_MAX) is within no bound, and within none at all. */
    return (bytes == TARGET_NO_BOUND || load64(&live->lag_bytes) <= bytes) &&
           (ms == TARGET_NO_BOUND || load64(&live->lag_ms) <= ms);
}

static bool replayed(const struct target_request *request, const struct node_live *live)
{
    uint64_t needed = request->write_epoch;
    if (request->sticky != live && request->seen_epoch > needed)
        needed = request->seen_epoch;
    return needed == 0 || load64(&live->replayed_epoch) >= needed;
}

bool target_fresh(const struct topology *topology, const struct target_request *request, int node)
{
    assert(node >= 0 && (size_t)node < topology->n_nodes);
    const struct node_live *live = topology->nodes[node].live;
    return lag_within(topology, request, live) && replayed(request, live);
}

/* The nodes among which a draw is made, as bits. */
struct candidates {
    uint64_t up, suspect;
    bool stale; /* a node was left out only for its epoch */
};

static void add_candidate(struct candidates *candidates, const struct topology_node *node, size_t i)
{
    if (node->condition == CONDITION_UP)
        candidates->up |= UINT64_C(1) << i;
    else if (node->condition == CONDITION_SUSPECT)
        candidates->suspect |= UINT64_C(1) << i;
}

/* Replicas that are fit for the read and, where the route is `any`, the primary, which is always fresh. */
static struct candidates fit_for_read(const struct topology *topology, const struct target_request *request)
{
    struct candidates candidates = {0, 0, false};
    for (size_t i = 0; i < topology->n_nodes; i++) {
        const struct topology_node *node = &topology->nodes[i];
        if (node->weight == 0 || excluded(request, i))
            continue;
        if (request->route == ROUTE_ANY && (int)i == topology->primary) {
            add_candidate(&candidates, node, i);
        } else if (node->role == ROLE_REPLICA && lag_within(topology, request, node->live)) {
            if (replayed(request, node->live))
                add_candidate(&candidates, node, i);
            else if (node->condition != CONDITION_DOWN)
                candidates.stale = true;
        }
    }
    return candidates;
}

static struct candidates masters(const struct topology *topology, const struct target_request *request)
{
    struct candidates candidates = {0, 0, false};
    for (size_t i = 0; i < topology->n_nodes; i++) {
        if (topology->nodes[i].role == ROLE_MASTER && !excluded(request, i))
            add_candidate(&candidates, &topology->nodes[i], i);
    }
    return candidates;
}

static uint64_t weight_of(const struct topology_node *node)
{
    uint32_t weight = node->weight == 0 ? 1 : node->weight; /* a master of weight 0 still takes writes */
    return weight < WEIGHT_MAX ? weight : WEIGHT_MAX;
}

/* Draws one of the set by weight; -1 from an empty set. */
static int draw(const struct topology *topology, uint64_t set, uint32_t random)
{
    uint64_t total = 0;
    for (uint64_t rest = set; rest; rest &= rest - 1)
        total += weight_of(&topology->nodes[__builtin_ctzll(rest)]);
    uint64_t point = (uint64_t)random * total >> 32;
    for (uint64_t rest = set; rest; rest &= rest - 1) {
        int node = __builtin_ctzll(rest);
        uint64_t weight = weight_of(&topology->nodes[node]);
        if (point < weight)
            return node;
        point -= weight;
    }
    return -1;
}

/* Power of two choices. */
static int less_busy_of_two(const struct topology *topology, uint64_t set, uint64_t random)
{
    int first = draw(topology, set, (uint32_t)random);
    if (first < 0)
        return -1;
    int second = draw(topology, set & ~(UINT64_C(1) << first), (uint32_t)(random >> 32));
    if (second < 0)
        return first;
    const struct topology_node *a = &topology->nodes[first], *b = &topology->nodes[second];
    uint64_t busy_a = atomic_load_explicit(&a->live->outstanding, memory_order_relaxed);
    uint64_t busy_b = atomic_load_explicit(&b->live->outstanding, memory_order_relaxed);
    return busy_b * weight_of(a) < busy_a * weight_of(b) ? second : first;
}

static int pick(
    const struct topology *topology, const struct target_request *request, struct candidates candidates)
{
    uint64_t set = candidates.up ? candidates.up : candidates.suspect;
    int sticky = topology_find(topology, request->sticky);
    if (sticky >= 0 && set >> sticky & 1)
        return sticky;
    return less_busy_of_two(topology, set, request->random);
}

static struct target_answer primary_or_wait(
    const struct topology *topology, const struct target_request *request, enum reason reason)
{
    int primary = topology->primary;
    if (primary >= 0 && excluded(request, (size_t)primary))
        primary = -1;
    return (struct target_answer){.node = primary, .reason = reason, .wait = primary < 0};
}

static bool has_masters(const struct topology *topology)
{
    for (size_t i = 0; i < topology->n_nodes; i++) {
        if (topology->nodes[i].role == ROLE_MASTER)
            return true;
    }
    return false;
}

static struct target_answer choose_read(const struct topology *topology, const struct target_request *request)
{
    struct candidates candidates = fit_for_read(topology, request);
    int node = pick(topology, request, candidates);
    if (node >= 0)
        return (struct target_answer){.node = node, .reason = REASON_READ};
    enum reason reason = candidates.stale ? REASON_CONSISTENCY : REASON_NO_REPLICA;
    switch (request->fallback) {
    case FALLBACK_PRIMARY: return primary_or_wait(topology, request, reason);
    case FALLBACK_WAIT: return (struct target_answer){.node = -1, .reason = reason, .wait = true};
    case FALLBACK_ERROR: break;
    }
    return (struct target_answer){.node = -1, .reason = reason, .wait = false};
}

struct target_answer target_choose(const struct topology *topology, const struct target_request *request)
{
    assert(topology->n_nodes <= TOPOLOGY_MAX_NODES);
    if (has_masters(topology)) {
        int node = pick(topology, request, masters(topology, request));
        enum reason reason = request->want_read ? REASON_READ : REASON_WRITE;
        return (struct target_answer){.node = node, .reason = reason, .wait = node < 0};
    }
    switch (request->route) {
    case ROUTE_PRIMARY: return primary_or_wait(topology, request, REASON_LISTENER);
    case ROUTE_REPLICA: return choose_read(topology, request);
    case ROUTE_ANY:
    case ROUTE_SPLIT: break;
    }
    if (request->want_read)
        return choose_read(topology, request);
    return primary_or_wait(topology, request, REASON_WRITE);
}
