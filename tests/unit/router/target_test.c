/* The choice of a node, by table: nodes a (primary), b, c, d with their numbers, a request, and who is
 * chosen. */
#include "router/target.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { A, B, C, D, NODES };

static struct topology *cluster(void)
{
    struct topology *topology = topology_new("main", NODES);
    static const char *const names[NODES] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < NODES; i++) {
        struct topology_node *node = &topology->nodes[i];
        node->name = strdup(names[i]);
        node->weight = 1;
        node->role = i == A ? ROLE_PRIMARY : ROLE_REPLICA;
        node->live = node_live_new(names[i]);
        atomic_store(&node->live->replayed_epoch, 100);
        atomic_store(&node->live->lag_ms, 0);
    }
    topology->primary = A;
    topology->live = cluster_live_new();
    return topology;
}

static struct target_request read_request(void)
{
    return (struct target_request){.route = ROUTE_SPLIT, .want_read = true};
}

static int chosen(struct topology *topology, const struct target_request *request)
{
    return target_choose(topology, request).node;
}

/* Which nodes answer over many draws, as bits. */
static unsigned all_chosen(struct topology *topology, struct target_request request)
{
    unsigned seen = 0;
    uint64_t random = 0x9E3779B97F4A7C15u;
    for (int i = 0; i < 1000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        request.random = random;
        int node = chosen(topology, &request);
        if (node >= 0)
            seen |= 1u << node;
    }
    return seen;
}

static void a_write_goes_to_the_primary(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = {.route = ROUTE_SPLIT};
    struct target_answer answer = target_choose(topology, &request);
    assert_int_equal(answer.node, A);
    assert_int_equal(answer.reason, REASON_WRITE);
    assert_false(answer.wait);
    topology_unref(topology);
}

static void a_write_waits_when_there_is_no_primary(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = {.route = ROUTE_SPLIT};
    topology->primary = -1;
    struct target_answer answer = target_choose(topology, &request);
    assert_int_equal(answer.node, -1);
    assert_true(answer.wait);
    topology->primary = A;
    request.exclude = 1u << A;
    answer = target_choose(topology, &request);
    assert_int_equal(answer.node, -1);
    assert_true(answer.wait);
    topology_unref(topology);
}

static void a_read_goes_to_any_of_the_replicas_and_never_to_the_primary(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    assert_int_equal(all_chosen(topology, read_request()), 1u << B | 1u << C | 1u << D);
    assert_int_equal(
        target_choose(topology, &(struct target_request){.route = ROUTE_SPLIT, .want_read = true}).reason,
        REASON_READ);
    topology_unref(topology);
}

static void a_session_stays_on_its_replica_while_that_is_fit(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    request.sticky = topology->nodes[C].live;
    atomic_store(&topology->nodes[C].live->outstanding, 1000);
    assert_int_equal(all_chosen(topology, request), 1u << C);
    topology->nodes[C].condition = CONDITION_DOWN;
    assert_int_equal(all_chosen(topology, request), 1u << B | 1u << D);
    topology_unref(topology);
}

static void a_read_waits_until_its_epoch_is_replayed(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    request.write_epoch = 101;
    request.fallback = FALLBACK_WAIT;
    struct target_answer answer = target_choose(topology, &request);
    assert_int_equal(answer.node, -1);
    assert_true(answer.wait);
    assert_int_equal(answer.reason, REASON_CONSISTENCY);
    atomic_store(&topology->nodes[D].live->replayed_epoch, 101);
    assert_int_equal(all_chosen(topology, request), 1u << D);
    atomic_store(
        &topology->nodes[D].live->replayed_epoch, 0); /* its connection broke: it has proved nothing */
    assert_int_equal(chosen(topology, &request), -1);
    topology_unref(topology);
}

static void a_session_moves_only_to_a_node_that_has_replayed_what_it_saw(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    request.sticky = request.last = topology->nodes[B].live;
    request.seen_epoch = 101;
    assert_int_equal(all_chosen(topology, request), 1u << B); /* it need not prove what it showed itself */
    topology->nodes[B].condition = CONDITION_DOWN;
    request.fallback = FALLBACK_PRIMARY;
    struct target_answer answer = target_choose(topology, &request);
    assert_int_equal(answer.node, A);
    assert_int_equal(answer.reason, REASON_CONSISTENCY);
    atomic_store(&topology->nodes[C].live->replayed_epoch, 101);
    assert_int_equal(all_chosen(topology, request), 1u << C);
    topology_unref(topology);
}

static void after_an_answer_of_the_primary_the_sessions_own_replica_must_prove_what_was_seen_there(
    void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    request.sticky = topology->nodes[B].live;
    request.last = topology->nodes[A].live;
    request.write_epoch = 90; /* replayed long ago */
    request.seen_epoch = 101;
    struct target_answer answer = target_choose(topology, &request);
    assert_int_equal(answer.node, A);
    assert_int_equal(answer.reason, REASON_CONSISTENCY);
    assert_false(target_fresh(topology, &request, B));
    atomic_store(&topology->nodes[B].live->replayed_epoch, 101);
    atomic_store(&topology->nodes[C].live->replayed_epoch, 101);
    assert_int_equal(all_chosen(topology, request), 1u << B); /* and then it is preferred again */
    assert_true(target_fresh(topology, &request, B));
    topology_unref(topology);
}

static void a_replica_that_was_started_anew_must_prove_what_it_has_shown_itself(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    struct node_live *live = topology->nodes[B].live;
    atomic_store(&live->incarnation, 7);
    request.exclude = 1u << C | 1u << D;
    struct target_answer answer = target_choose(topology, &request);
    assert_int_equal(answer.node, B);
    assert_int_equal(answer.incarnation, 7);
    request.sticky = request.last = live;
    request.last_incarnation = answer.incarnation;
    request.seen_epoch = 101;
    assert_int_equal(all_chosen(topology, request), 1u << B);
    atomic_store(&live->incarnation, 8);
    atomic_store(&live->replayed_epoch, 60); /* it has gone back behind what the session saw */
    answer = target_choose(topology, &request);
    assert_int_equal(answer.node, A);
    assert_int_equal(answer.reason, REASON_CONSISTENCY);
    assert_false(target_fresh(topology, &request, B));
    atomic_store(&live->replayed_epoch, 101);
    answer = target_choose(topology, &request);
    assert_int_equal(answer.node, B);
    assert_int_equal(answer.incarnation, 8);
    topology_unref(topology);
}

static void what_was_seen_nobody_knows_where_is_asked_of_every_node(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    request.sticky = topology->nodes[B].live;
    request.seen_epoch = 101;
    atomic_store(&topology->nodes[C].live->replayed_epoch, 101);
    assert_int_equal(all_chosen(topology, request), 1u << C);
    topology_unref(topology);
}

static void suspect_replicas_come_after_those_that_are_up(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    topology->nodes[B].condition = CONDITION_SUSPECT;
    request.sticky = topology->nodes[B].live;
    assert_int_equal(all_chosen(topology, request), 1u << C | 1u << D);
    topology->nodes[C].condition = CONDITION_SUSPECT;
    topology->nodes[D].condition = CONDITION_DOWN;
    assert_int_equal(all_chosen(topology, request), 1u << B);
    request.sticky = NULL;
    assert_int_equal(all_chosen(topology, request), 1u << B | 1u << C);
    topology_unref(topology);
}

static void weight_zero_and_excluded_nodes_get_no_reads(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    topology->nodes[B].weight = 0;
    request.exclude = 1u << C;
    assert_int_equal(all_chosen(topology, request), 1u << D);
    request.exclude |= 1u << D;
    struct target_answer answer = target_choose(topology, &request);
    assert_int_equal(answer.node, A);
    assert_int_equal(answer.reason, REASON_NO_REPLICA);
    topology_unref(topology);
}

static void unknown_roles_get_nothing(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    topology->nodes[B].role = ROLE_UNKNOWN;
    topology->nodes[C].role = ROLE_UNKNOWN;
    assert_int_equal(all_chosen(topology, read_request()), 1u << D);
    topology_unref(topology);
}

static void lag_bounds_are_the_clusters_unless_the_session_has_its_own(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    topology->max_lag_bytes = 1000;
    topology->max_lag_ms = 500;
    atomic_store(&topology->nodes[B].live->lag_bytes, 1001);
    atomic_store(&topology->nodes[C].live->lag_ms, 501);
    assert_int_equal(all_chosen(topology, request), 1u << D);
    request.max_lag_bytes = TARGET_NO_BOUND;
    assert_int_equal(all_chosen(topology, request), 1u << B | 1u << D);
    request.max_lag_ms = 501;
    assert_int_equal(all_chosen(topology, request), 1u << B | 1u << C | 1u << D);
    request.max_lag_bytes = 0;
    request.max_lag_ms = 0;
    atomic_store(&topology->nodes[D].live->lag_ms, UINT64_MAX); /* not known: within no bound */
    request.fallback = FALLBACK_ERROR;
    struct target_answer answer = target_choose(topology, &request);
    assert_int_equal(answer.node, -1);
    assert_false(answer.wait);
    assert_int_equal(answer.reason, REASON_NO_REPLICA);
    request.max_lag_ms = TARGET_NO_BOUND;
    request.max_lag_bytes = TARGET_NO_BOUND;
    assert_int_equal(all_chosen(topology, request), 1u << B | 1u << C | 1u << D);
    topology_unref(topology);
}

static void the_less_busy_of_two_is_taken(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    request.exclude = 1u << D;
    atomic_store(&topology->nodes[B].live->outstanding, 3);
    atomic_store(&topology->nodes[C].live->outstanding, 2);
    assert_int_equal(all_chosen(topology, request), 1u << C); /* two are left, and both are always drawn */
    topology->nodes[B].weight = 2;                            /* 3 of 2 is less than 2 of 1 */
    assert_int_equal(all_chosen(topology, request), 1u << B);
    topology_unref(topology);
}

/* Each node's share of so many draws. */
static void count_chosen(
    struct topology *topology, struct target_request request, int draws, int count[NODES])
{
    uint64_t random = 88172645463325252u;
    memset(count, 0, NODES * sizeof *count);
    for (int i = 0; i < draws; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        request.random = random;
        int node = chosen(topology, &request);
        assert_true(node >= 0);
        count[node]++;
    }
}

static void the_busiest_of_three_gets_nothing_and_the_least_busy_most(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    int count[NODES];
    atomic_store(&topology->nodes[B].live->outstanding, 9);
    atomic_store(&topology->nodes[C].live->outstanding, 5);
    count_chosen(topology, read_request(), 3000, count);
    assert_int_equal(count[A], 0);
    assert_int_equal(count[B], 0); /* whoever is drawn with it is less busy */
    assert_in_range(count[C], 900, 1100);
    assert_in_range(count[D], 1900, 2100); /* two of three pairs have it */
    topology_unref(topology);
}

static void work_that_is_handed_out_is_shared_by_weight(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    topology->nodes[B].weight = 300;
    topology->nodes[C].weight = 100;
    topology->nodes[D].weight = 100;
    uint64_t random = 2463534242u;
    for (int i = 0; i < 500; i++) { /* nothing ends meanwhile */
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        request.random = random;
        atomic_fetch_add(&topology->nodes[chosen(topology, &request)].live->outstanding, 1);
    }
    assert_in_range(atomic_load(&topology->nodes[B].live->outstanding), 280, 320);
    assert_in_range(atomic_load(&topology->nodes[C].live->outstanding), 85, 115);
    assert_in_range(atomic_load(&topology->nodes[D].live->outstanding), 85, 115);
    topology_unref(topology);
}

static void reads_are_shared_by_weight_when_nobody_is_busy(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    int count[NODES];
    topology->nodes[B].weight = 3;
    topology->nodes[D].weight = 0;
    count_chosen(topology, request, 40000, count);
    assert_in_range(count[B], 29000, 31000);
    assert_in_range(count[C], 9000, 11000);
    topology->nodes[B].weight = UINT32_MAX; /* no sum overflows */
    topology->nodes[C].weight = UINT32_MAX;
    assert_int_equal(all_chosen(topology, request), 1u << B | 1u << C);
    topology_unref(topology);
}

static void a_replica_listener_uses_the_primary_only_when_told_to(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = {.route = ROUTE_REPLICA, .fallback = FALLBACK_WAIT};
    assert_int_equal(all_chosen(topology, request), 1u << B | 1u << C | 1u << D);
    request.exclude = 1u << B | 1u << C | 1u << D;
    assert_int_equal(chosen(topology, &request), -1);
    request.fallback = FALLBACK_PRIMARY;
    assert_int_equal(chosen(topology, &request), A);
    topology_unref(topology);
}

static void a_primary_listener_uses_the_primary_for_reads_too(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = {.route = ROUTE_PRIMARY, .want_read = true};
    struct target_answer answer = target_choose(topology, &request);
    assert_int_equal(answer.node, A);
    assert_int_equal(answer.reason, REASON_LISTENER);
    topology_unref(topology);
}

static void any_shares_reads_with_the_primary_which_is_always_fresh(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = {.route = ROUTE_ANY, .want_read = true};
    assert_int_equal(all_chosen(topology, request), 15);
    request.write_epoch = 101;
    assert_int_equal(all_chosen(topology, request), 1u << A);
    request.want_read = false;
    request.write_epoch = 0;
    assert_int_equal(all_chosen(topology, request), 1u << A);
    topology_unref(topology);
}

static void masters_keep_their_sessions(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    for (size_t i = 0; i < NODES; i++)
        topology->nodes[i].role = i == D ? ROLE_UNKNOWN : ROLE_MASTER;
    topology->primary = -1;
    struct target_request request = {.route = ROUTE_SPLIT};
    assert_int_equal(all_chosen(topology, request), 1u << A | 1u << B | 1u << C);
    request.sticky = topology->nodes[B].live;
    assert_int_equal(all_chosen(topology, request), 1u << B);
    request.want_read = true;
    request.write_epoch = 1000; /* masters share no epochs */
    assert_int_equal(all_chosen(topology, request), 1u << B);
    topology->nodes[B].condition = CONDITION_DOWN;
    assert_int_equal(all_chosen(topology, request), 1u << A | 1u << C);
    request.exclude = 1u << A | 1u << C;
    struct target_answer answer = target_choose(topology, &request);
    assert_int_equal(answer.node, -1);
    assert_true(answer.wait);
    topology_unref(topology);
}

static void each_fallback_does_its_own_when_no_replica_is_fit(void **state)
{
    (void)state;
    static const enum route routes[] = {ROUTE_SPLIT, ROUTE_REPLICA};
    for (size_t i = 0; i < 2; i++) {
        for (int stale = 0; stale < 2; stale++) {
            struct topology *topology = cluster();
            struct target_request request = read_request();
            enum reason reason = stale ? REASON_CONSISTENCY : REASON_NO_REPLICA;
            request.route = routes[i];
            request.write_epoch = stale ? 101 : 0;
            request.exclude = stale ? 0 : 1u << B | 1u << C | 1u << D;
            struct target_answer answer = target_choose(topology, &request);
            assert_true(answer.node == A && answer.reason == reason && !answer.wait);
            request.fallback = FALLBACK_WAIT;
            answer = target_choose(topology, &request);
            assert_true(answer.node == -1 && answer.reason == reason && answer.wait);
            request.fallback = FALLBACK_ERROR;
            answer = target_choose(topology, &request);
            assert_true(answer.node == -1 && answer.reason == reason && !answer.wait);
            request.fallback = FALLBACK_PRIMARY; /* which waits for a primary when there is none */
            topology->primary = -1;
            answer = target_choose(topology, &request);
            assert_true(answer.node == -1 && answer.reason == reason && answer.wait);
            topology_unref(topology);
        }
    }
}

static void freshness_can_be_asked_of_one_node(void **state)
{
    (void)state;
    struct topology *topology = cluster();
    struct target_request request = read_request();
    request.write_epoch = 100;
    assert_true(target_fresh(topology, &request, B));
    request.write_epoch = 101;
    assert_false(target_fresh(topology, &request, B));
    topology_unref(topology);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_goes_to_the_primary),
        cmocka_unit_test(a_write_waits_when_there_is_no_primary),
        cmocka_unit_test(a_read_goes_to_any_of_the_replicas_and_never_to_the_primary),
        cmocka_unit_test(a_session_stays_on_its_replica_while_that_is_fit),
        cmocka_unit_test(a_read_waits_until_its_epoch_is_replayed),
        cmocka_unit_test(a_session_moves_only_to_a_node_that_has_replayed_what_it_saw),
        cmocka_unit_test(
            after_an_answer_of_the_primary_the_sessions_own_replica_must_prove_what_was_seen_there),
        cmocka_unit_test(a_replica_that_was_started_anew_must_prove_what_it_has_shown_itself),
        cmocka_unit_test(what_was_seen_nobody_knows_where_is_asked_of_every_node),
        cmocka_unit_test(suspect_replicas_come_after_those_that_are_up),
        cmocka_unit_test(weight_zero_and_excluded_nodes_get_no_reads),
        cmocka_unit_test(unknown_roles_get_nothing),
        cmocka_unit_test(lag_bounds_are_the_clusters_unless_the_session_has_its_own),
        cmocka_unit_test(the_less_busy_of_two_is_taken),
        cmocka_unit_test(the_busiest_of_three_gets_nothing_and_the_least_busy_most),
        cmocka_unit_test(work_that_is_handed_out_is_shared_by_weight),
        cmocka_unit_test(reads_are_shared_by_weight_when_nobody_is_busy),
        cmocka_unit_test(a_replica_listener_uses_the_primary_only_when_told_to),
        cmocka_unit_test(a_primary_listener_uses_the_primary_for_reads_too),
        cmocka_unit_test(any_shares_reads_with_the_primary_which_is_always_fresh),
        cmocka_unit_test(masters_keep_their_sessions),
        cmocka_unit_test(each_fallback_does_its_own_when_no_replica_is_fit),
        cmocka_unit_test(freshness_can_be_asked_of_one_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
