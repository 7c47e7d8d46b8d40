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

/* A node that has shown something and was started anew may have gone back behind it: that is another node. */
static bool replayed(const struct target_request *request, const struct node_live *live, uint32_t incarnation)
{
    uint64_t needed = request->write_epoch;
    bool stays = request->last == live && request->last_incarnation == incarnation;
    if (!stays && request->seen_epoch > needed)
        needed = request->seen_epoch;
    return needed == 0 || load64(&live->replayed_epoch) >= needed;
}

/* To be asked for before the epoch: an epoch that is read then belongs to this incarnation or to a later one,
 * which the session will find to be another. */
static uint32_t incarnation_of(const struct topology_node *node)
{
    return atomic_load_explicit(&node->live->incarnation, memory_order_acquire);
}

bool target_fresh(const struct topology *topology, const struct target_request *request, int node)
{
    assert(node >= 0 && (size_t)node < topology->n_nodes);
    const struct node_live *live = topology->nodes[node].live;
    uint32_t incarnation = incarnation_of(&topology->nodes[node]);
    return lag_within(topology, request, live) && replayed(request, live, incarnation);
}

/* The nodes among which a draw is made, as bits. */
struct candidates {
    uint64_t up, suspect;
    bool stale;                                /* a node was left out only for its epoch */
    uint32_t incarnations[TOPOLOGY_MAX_NODES]; /* of the candidates alone */
};

static void add_candidate(
    struct candidates *candidates, const struct topology_node *node, size_t i, uint32_t incarnation)
{
    candidates->incarnations[i] = incarnation;
    if (node->condition == CONDITION_UP)
        candidates->up |= UINT64_C(1) << i;
    else if (node->condition == CONDITION_SUSPECT)
        candidates->suspect |= UINT64_C(1) << i;
}

static void add_stale(struct candidates *candidates, const struct topology_node *node)
{
    candidates->stale |= node->condition != CONDITION_DOWN;
}

/* Replicas that are fit for the read and, where the route is `any`, the primary, which is always fresh. */
static void fit_for_read(
    const struct topology *topology, const struct target_request *request, struct candidates *candidates)
{
    for (size_t i = 0; i < topology->n_nodes; i++) {
        const struct topology_node *node = &topology->nodes[i];
        uint32_t incarnation = incarnation_of(node);
        if (node->weight == 0 || node->duty != DUTY_ENABLED || excluded(request, i))
            continue;
        if (request->route == ROUTE_ANY && (int)i == topology->primary) {
            add_candidate(candidates, node, i, incarnation);
        } else if (node->role == ROLE_REPLICA && lag_within(topology, request, node->live)) {
            if (replayed(request, node->live, incarnation))
                add_candidate(candidates, node, i, incarnation);
            else
                add_stale(candidates, node);
        }
    }
}

static void masters(
    const struct topology *topology, const struct target_request *request, struct candidates *candidates)
{
    for (size_t i = 0; i < topology->n_nodes; i++) {
        const struct topology_node *node = &topology->nodes[i];
        if (node->role == ROLE_MASTER && node->duty == DUTY_ENABLED && !excluded(request, i))
            add_candidate(candidates, node, i, incarnation_of(node));
    }
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

static struct target_answer pick(const struct topology *topology, const struct target_request *request,
    const struct candidates *candidates, enum reason reason)
{
    uint64_t set = candidates->up ? candidates->up : candidates->suspect;
    int node = topology_find(topology, request->sticky);
    if (node < 0 || !(set >> node & 1))
        node = less_busy_of_two(topology, set, request->random);
    return (struct target_answer){
        .node = node, .incarnation = node < 0 ? 0 : candidates->incarnations[node], .reason = reason};
}

static struct target_answer primary_or_wait(
    const struct topology *topology, const struct target_request *request, enum reason reason)
{
    int primary = topology->primary;
    if (primary >= 0 && excluded(request, (size_t)primary))
        primary = -1;
    uint32_t incarnation = primary < 0 ? 0 : incarnation_of(&topology->nodes[primary]);
    return (struct target_answer){
        .node = primary, .incarnation = incarnation, .reason = reason, .wait = primary < 0};
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
    struct candidates candidates;
    candidates.up = candidates.suspect = 0;
    candidates.stale = false;
    fit_for_read(topology, request, &candidates);
    struct target_answer answer = pick(topology, request, &candidates, REASON_READ);
    if (answer.node >= 0)
        return answer;
    enum reason reason = candidates.stale ? REASON_CONSISTENCY : REASON_NO_REPLICA;
    if (request->fallback == FALLBACK_PRIMARY)
        return primary_or_wait(topology, request, reason);
    return (struct target_answer){.node = -1, .reason = reason, .wait = request->fallback == FALLBACK_WAIT};
}

static struct target_answer choose_master(
    const struct topology *topology, const struct target_request *request)
{
    struct candidates candidates;
    candidates.up = candidates.suspect = 0;
    masters(topology, request, &candidates);
    struct target_answer answer =
        pick(topology, request, &candidates, request->want_read ? REASON_READ : REASON_WRITE);
    answer.wait = answer.node < 0;
    return answer;
}

struct target_answer target_choose(const struct topology *topology, const struct target_request *request)
{
    assert(topology->n_nodes <= TOPOLOGY_MAX_NODES);
    if (has_masters(topology))
        return choose_master(topology, request);
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
