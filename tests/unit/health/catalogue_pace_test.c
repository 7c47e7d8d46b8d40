/* How often is looked, and that it costs no more than a thousandth of a core, whatever happens. */
#include "health/catalogue_pace.h"
#include "tests/unit/health/unit.h"

#include <stdbool.h>

#define SECOND 1000000u
#define DAY (86400ull * SECOND)

static void a_small_schema_is_compared_at_every_second_look(void **state)
{
    (void)state;
    struct catalogue_pace pace;
    uint64_t now_us = 5 * SECOND;
    int compared = 0;
    catalogue_pace_init(&pace, now_us);
    for (int i = 0; i < 100; i++) {
        assert_true(now_us >= pace.look_at_us);
        catalogue_pace_looked(&pace, now_us);
        if (catalogue_pace_may_fingerprint(&pace, now_us, false)) {
            catalogue_pace_fingerprinted(&pace, now_us, 600);
            compared++;
        }
        assert_int_equal(catalogue_pace_read_at(&pace, now_us), now_us); /* nothing was spent */
        now_us += SECOND;
    }
    assert_in_range(compared, 50, 51);
}

static void a_large_schema_is_compared_seldom_but_at_once_after_a_sign(void **state)
{
    (void)state;
    struct catalogue_pace pace;
    uint64_t now_us = SECOND;
    catalogue_pace_init(&pace, now_us);
    catalogue_pace_fingerprinted(&pace, now_us, 5000);
    assert_false(catalogue_pace_may_fingerprint(&pace, now_us + 10 * SECOND, false));
    assert_true(catalogue_pace_may_fingerprint(&pace, now_us + 10 * SECOND, true));
    assert_true(catalogue_pace_may_fingerprint(&pace, now_us + 11 * SECOND, false));
    catalogue_pace_fingerprinted(&pace, now_us, 3600ull * SECOND); /* never less often than this: */
    assert_true(catalogue_pace_may_fingerprint(&pace, now_us + CATALOGUE_NOTICE_WITHIN_US, false));
    assert_false(catalogue_pace_may_fingerprint(&pace, now_us + CATALOGUE_NOTICE_WITHIN_US / 2, false));
}

struct spent {
    uint64_t fingerprints_us, readings_us;
};

/* A day with signs of change at every look, and with changes if `ddl`. */
static struct spent spend_a_day(uint64_t fingerprint_us, uint64_t reading_us, bool ddl)
{
    struct catalogue_pace pace;
    struct spent spent = {0, 0};
    uint64_t due_us = UINT64_MAX;
    catalogue_pace_init(&pace, 0);
    for (uint64_t now_us = SECOND; now_us < DAY; now_us += SECOND) {
        catalogue_pace_looked(&pace, now_us);
        if (catalogue_pace_may_fingerprint(&pace, now_us, true)) {
            catalogue_pace_fingerprinted(&pace, now_us, fingerprint_us);
            spent.fingerprints_us += fingerprint_us;
            uint64_t at_us = catalogue_pace_read_at(&pace, now_us);
            due_us = ddl && at_us < due_us ? at_us : due_us;
        }
        if (now_us >= due_us) {
            catalogue_pace_read(&pace, now_us, reading_us, false);
            spent.readings_us += reading_us;
            due_us = UINT64_MAX;
        }
    }
    return spent;
}

static void looking_costs_less_than_a_thousandth_of_a_core(void **state)
{
    (void)state;
    assert_in_range(spend_a_day(300, 8000, false).fingerprints_us, DAY / 5000, DAY / 1000);
    assert_in_range(spend_a_day(2000, 8000, false).fingerprints_us, DAY / 2000, DAY / 1000);
    assert_in_range(spend_a_day(10000, 8000, true).fingerprints_us, DAY / 2000, DAY / 1000);
    assert_int_equal(spend_a_day(300, 8000, false).readings_us, 0);
}

static void schemas_that_always_change_cost_a_hundredth(void **state)
{
    (void)state;
    assert_in_range(spend_a_day(500, 20000, true).readings_us, DAY / 120, DAY / 90);
    /* A large one costs more to notice within half a minute: that has been promised. */
    assert_in_range(spend_a_day(20000, 600000, true).readings_us, DAY / 60, DAY / 45);
}

static void a_burst_of_ddl_is_read_each_time_and_then_seldom(void **state)
{
    (void)state;
    struct catalogue_pace pace;
    uint64_t now_us = SECOND;
    unsigned at_once = 0;
    catalogue_pace_init(&pace, now_us);
    while (catalogue_pace_read_at(&pace, now_us) == now_us && at_once < 1000) {
        catalogue_pace_read(&pace, now_us, 60000, false);
        now_us += SECOND;
        at_once++;
    }
    assert_in_range(at_once, 80, 150);
    uint64_t later_us = catalogue_pace_read_at(&pace, now_us);
    assert_true(later_us > now_us && later_us <= now_us + CATALOGUE_NOTICE_WITHIN_US);
    catalogue_pace_read(&pace, now_us, 3600ull * SECOND, false); /* deep in debt: half a minute, not hours */
    assert_int_equal(catalogue_pace_read_at(&pace, now_us), now_us + CATALOGUE_NOTICE_WITHIN_US);
    assert_int_equal(catalogue_pace_read_at(&pace, now_us + 31 * SECOND), now_us + 31 * SECOND);
}

static void what_somebody_waits_for_is_not_counted(void **state)
{
    (void)state;
    struct catalogue_pace pace;
    catalogue_pace_init(&pace, SECOND);
    for (int i = 0; i < 100; i++)
        catalogue_pace_read(&pace, SECOND, 500000, true);
    assert_int_equal(catalogue_pace_read_at(&pace, SECOND), SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_schema_is_compared_at_every_second_look),
        cmocka_unit_test(a_large_schema_is_compared_seldom_but_at_once_after_a_sign),
        cmocka_unit_test(looking_costs_less_than_a_thousandth_of_a_core),
        cmocka_unit_test(schemas_that_always_change_cost_a_hundredth),
        cmocka_unit_test(a_burst_of_ddl_is_read_each_time_and_then_seldom),
        cmocka_unit_test(what_somebody_waits_for_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
