/* When the next look comes: pauses, hints, and their limits. */
#include "health/scheduler.h"
#include "tests/unit/health/unit.h"

#include <unistd.h>

static void with_a_primary_the_pause_is_the_interval_give_or_take_a_tenth(void **state)
{
    (void)state;
    const struct pace pace = {.interval_ms = 1000, .answering = true};
    uint64_t least = UINT64_MAX, most = 0;
    for (uint32_t random = 0; random < 5000; random++) {
        uint64_t delay_ms = schedule_delay_ms(&pace, random);
        least = delay_ms < least ? delay_ms : least;
        most = delay_ms > most ? delay_ms : most;
    }
    assert_int_equal(least, 900);
    assert_int_equal(most, 1099);
}

static void without_a_primary_every_moment_counts(void **state)
{
    (void)state;
    struct pace pace = {.interval_ms = 1000, .seeking = true, .answering = true};
    assert_int_equal(schedule_delay_ms(&pace, 77), 20);
    pace.answering = false;
    assert_int_equal(schedule_delay_ms(&pace, 77), 50);
    pace.seeking_ms = 3600000;
    assert_int_equal(schedule_delay_ms(&pace, 77), 200);
    pace.interval_ms = 10;
    assert_int_equal(schedule_delay_ms(&pace, 77), 10);
    pace = (struct pace){0};
    assert_int_equal(schedule_delay_ms(&pace, 77), 1);
}

struct stage {
    uv_loop_t loop;
    struct schedule schedule;
    int looks;
    bool closed;
};

static const struct pace hourly = {.interval_ms = 3600000};

static void on_due(void *context)
{
    struct stage *stage = context;
    stage->looks++;
}

static void on_closed(void *context)
{
    struct stage *stage = context;
    stage->closed = true;
}

static void run_for(struct stage *stage, uint64_t ms)
{
    uint64_t end = uv_hrtime() + ms * 1000000;
    do {
        uv_run(&stage->loop, UV_RUN_NOWAIT);
        usleep(200);
    } while (uv_hrtime() < end);
}

static void begin(struct stage *stage)
{
    memset(stage, 0, sizeof *stage);
    uv_loop_init(&stage->loop);
    schedule_open(&stage->schedule, &stage->loop, stage, on_due);
    assert_int_equal(stage->looks, 0);
    run_for(stage, 5);
    assert_int_equal(stage->looks, 1); /* the first is due at once */
}

static void end(struct stage *stage)
{
    schedule_close(&stage->schedule, on_closed);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_true(stage->closed);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
}

static void a_hint_between_two_looks_brings_the_next_forward_but_not_within_its_gap(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    schedule_next(&stage.schedule, &hourly);
    schedule_hint(&stage.schedule, 60);
    run_for(&stage, 20);
    assert_int_equal(stage.looks, 1);
    run_for(&stage, 80);
    assert_int_equal(stage.looks, 2);
    schedule_next(&stage.schedule, &hourly);
    run_for(&stage, 70);
    schedule_hint(&stage.schedule, 60);
    run_for(&stage, 10);
    assert_int_equal(stage.looks, 3);
    schedule_next(&stage.schedule, &hourly);
    end(&stage);
}

static void a_storm_of_hints_brings_one_look_per_gap(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    schedule_next(&stage.schedule, &hourly);
    uint64_t stop = uv_hrtime() + UINT64_C(300000000);
    while (uv_hrtime() < stop) {
        for (int i = 0; i < 100; i++)
            schedule_hint(&stage.schedule, schedule_hint_gap_ms(HINT_READ_ONLY));
        int before = stage.looks;
        run_for(&stage, 0);
        if (stage.looks > before)
            schedule_next(&stage.schedule, &hourly);
    }
    assert_true(stage.looks >= 4 && stage.looks <= 8);
    end(&stage);
}

static void a_hint_while_a_look_is_under_way_brings_another_after_it(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    schedule_hint(&stage.schedule, 10); /* what is under way may have been asked before the event */
    run_for(&stage, 30);
    assert_int_equal(stage.looks, 1);
    schedule_next(&stage.schedule, &hourly);
    run_for(&stage, 10);
    assert_int_equal(stage.looks, 2);
    schedule_next(&stage.schedule, &hourly);
    run_for(&stage, 50);
    assert_int_equal(stage.looks, 2);
    end(&stage);
}

static void a_lost_primary_hurries_the_next_look(void **state)
{
    (void)state;
    struct stage stage;
    const struct pace seeking = {.interval_ms = 1000, .seeking = true, .answering = true};
    begin(&stage);
    schedule_next(&stage.schedule, &hourly);
    schedule_hurry(&stage.schedule, &seeking);
    run_for(&stage, 40);
    assert_int_equal(stage.looks, 2);
    schedule_hurry(&stage.schedule, &seeking); /* under way: nothing to hurry */
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_a_primary_the_pause_is_the_interval_give_or_take_a_tenth),
        cmocka_unit_test(without_a_primary_every_moment_counts),
        cmocka_unit_test(a_hint_between_two_looks_brings_the_next_forward_but_not_within_its_gap),
        cmocka_unit_test(a_storm_of_hints_brings_one_look_per_gap),
        cmocka_unit_test(a_hint_while_a_look_is_under_way_brings_another_after_it),
        cmocka_unit_test(a_lost_primary_hurries_the_next_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
