/* Single events of what comes in crowds. */
#include "proxy/front/crowds.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)

struct scene {
    struct events *events;
    struct crowds *crowds;
    struct topology *topology;
    uint64_t now_us;
};

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    scene->events = events_new();
    scene->crowds = crowds_new(scene->events);
    scene->topology = topology_new("main", 0);
    scene->topology->live = cluster_live_new();
    scene->topology->no_primary_reason = strdup("nobody came");
    scene->now_us = 1000 * SECOND;
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    topology_unref(scene->topology);
    crowds_free(scene->crowds);
    events_free(scene->events);
    free(scene);
    return 0;
}

static const struct event *last(const struct scene *scene)
{
    return events_after(scene->events, events_newest(scene->events) - 1);
}

static void pass(struct scene *scene, uint64_t us)
{
    for (uint64_t end_us = scene->now_us + us; scene->now_us < end_us; scene->now_us += SECOND / 4) {
        crowds_hold(scene->crowds, scene->topology, scene->now_us);
        crowds_tick(scene->crowds, scene->now_us);
    }
}

static void fail_logins(struct scene *scene, uint32_t n)
{
    const struct event event = {
        .kind = EVENT_LOGIN_FAILURES, .count = n, .reason = "wrong", .evidence = "user \"x\""};
    crowds_logins(scene->crowds, &event, scene->now_us);
}

static void a_few_failed_logins_are_no_event(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 20; i++) {
        fail_logins(scene, CROWD_LOGINS - 1);
        pass(scene, CROWD_LOGINS_WINDOW_US + SECOND);
    }
    assert_int_equal(events_newest(scene->events), 0);
}

static void many_failed_logins_are_one_event_at_once_and_one_now_and_then(void **state)
{
    struct scene *scene = *state;
    fail_logins(scene, 2);
    pass(scene, SECOND);
    fail_logins(scene, 3);
    assert_int_equal(events_newest(scene->events), 1);
    assert_int_equal(last(scene)->kind, EVENT_LOGIN_FAILURES);
    assert_int_equal(last(scene)->count, 5);
    assert_string_equal(last(scene)->text, "5 logins failed within 2 s");
    assert_string_equal(last(scene)->reason, "wrong");
    assert_string_equal(last(scene)->evidence, "user \"x\"");
    for (int i = 0; i < 30; i++) {
        fail_logins(scene, 1000);
        pass(scene, SECOND);
    }
    assert_in_range(events_newest(scene->events), 3, 4);
    assert_true(last(scene)->count >= 9000);
    pass(scene, 30 * SECOND); /* quiet again: what comes then is a crowd only when it is one */
    uint64_t told = events_newest(scene->events);
    fail_logins(scene, CROWD_LOGINS - 1);
    pass(scene, 30 * SECOND);
    assert_int_equal(events_newest(scene->events), told);
}

static void a_hold_begins_and_ends_once(void **state)
{
    struct scene *scene = *state;
    struct cluster_live *live = scene->topology->live;
    pass(scene, SECOND);
    assert_int_equal(events_newest(scene->events), 0);
    atomic_store(&live->holding, 3);
    atomic_store(&live->held, 3);
    pass(scene, SECOND / 4);
    assert_int_equal(events_newest(scene->events), 1);
    assert_int_equal(last(scene)->kind, EVENT_HOLD_BEGUN);
    assert_string_equal(last(scene)->cluster, "main");
    assert_string_equal(last(scene)->reason, "nobody came");
    pass(scene, 3 * SECOND);
    atomic_store(&live->holding, 0); /* a gap */
    pass(scene, SECOND);
    atomic_store(&live->holding, 1);
    atomic_store(&live->held, 10);
    atomic_store(&live->hold_failed, 2);
    pass(scene, SECOND);
    assert_int_equal(events_newest(scene->events), 1);
    atomic_store(&live->holding, 0);
    pass(scene, CROWD_HOLD_GAP_US + SECOND);
    assert_int_equal(events_newest(scene->events), 2);
    assert_int_equal(last(scene)->kind, EVENT_HOLD_ENDED);
    assert_string_equal(
        last(scene)->text, "no request waits any more, after 5.0 s: 10 had to, 2 were refused");
    pass(scene, 10 * SECOND);
    assert_int_equal(events_newest(scene->events), 2);
}

static void a_hold_between_two_looks_is_seen(void **state)
{
    struct scene *scene = *state;
    pass(scene, SECOND);
    atomic_store(&scene->topology->live->held, 4); /* and none is held any more */
    pass(scene, SECOND);
    assert_int_equal(events_newest(scene->events), 1);
    pass(scene, 5 * SECOND);
    assert_int_equal(events_newest(scene->events), 2);
    assert_int_equal(last(scene)->count, 4);
}

static void a_cluster_that_was_made_anew_counts_from_its_own_beginning(void **state)
{
    struct scene *scene = *state;
    atomic_store(&scene->topology->live->held, 4);
    pass(scene, 5 * SECOND);
    assert_int_equal(events_newest(scene->events), 2);
    cluster_live_unref(scene->topology->live);
    scene->topology->live = cluster_live_new();
    pass(scene, 5 * SECOND);
    assert_int_equal(events_newest(scene->events), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_few_failed_logins_are_no_event, begin, end),
        cmocka_unit_test_setup_teardown(
            many_failed_logins_are_one_event_at_once_and_one_now_and_then, begin, end),
        cmocka_unit_test_setup_teardown(a_hold_begins_and_ends_once, begin, end),
        cmocka_unit_test_setup_teardown(a_hold_between_two_looks_is_seen, begin, end),
        cmocka_unit_test_setup_teardown(
            a_cluster_that_was_made_anew_counts_from_its_own_beginning, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
