/* How often is looked, and that it costs no more than a thousandth of a core, whatever happens. */
#include "health/catalogue_pace.h"
#include "tests/unit/health/unit.h"

#include <stdbool.h>

#define SECOND 1000000u

static void a_small_schema_is_compared_at_every_look(void **state)
{
    (void)state;
    struct catalogue_pace pace;
    uint64_t now_us = 5 * SECOND;
    catalogue_pace_init(&pace, now_us);
    for (int i = 0; i < 100; i++) {
        assert_true(now_us >= pace.look_at_us);
        catalogue_pace_looked(&pace, now_us);
        assert_true(catalogue_pace_may_fingerprint(&pace, now_us, false));
        catalogue_pace_fingerprinted(&pace, now_us + 1000, 400);
        assert_int_equal(catalogue_pace_read_at(&pace, now_us), now_us); /* nothing was spent */
        now_us += SECOND;
    }
}

static void a_large_schema_is_compared_seldom_but_at_once_after_a_sign(void **state)
{
    (void)state;
    struct catalogue_pace pace;
    uint64_t now_us = SECOND;
    catalogue_pace_init(&pace, now_us);
    catalogue_pace_fingerprinted(&pace, now_us, 5000);
    assert_false(catalogue_pace_may_fingerprint(&pace, now_us + 9 * SECOND, false));
    assert_true(catalogue_pace_may_fingerprint(&pace, now_us + 9 * SECOND, true));
    assert_true(catalogue_pace_may_fingerprint(&pace, now_us + 10 * SECOND, false));
    catalogue_pace_fingerprinted(&pace, now_us, 3600 * SECOND); /* never less often than this: */
    assert_true(catalogue_pace_may_fingerprint(&pace, now_us + CATALOGUE_NOTICE_WITHIN_US, false));
    assert_false(catalogue_pace_may_fingerprint(&pace, now_us + CATALOGUE_NOTICE_WITHIN_US / 2, false));
}

/* A day of a schema that changes all the time, looked at every second. */
static uint64_t spend_a_day(uint64_t fingerprint_us, uint64_t reading_us)
{
    struct catalogue_pace pace;
    uint64_t spent_us = 0, due_us = UINT64_MAX;
    catalogue_pace_init(&pace, 0);
    for (uint64_t now_us = SECOND; now_us < 86400ull * SECOND; now_us += SECOND) {
        catalogue_pace_looked(&pace, now_us);
        if (catalogue_pace_may_fingerprint(&pace, now_us, true)) {
            catalogue_pace_fingerprinted(&pace, now_us, fingerprint_us);
            spent_us += fingerprint_us;
            uint64_t at_us = catalogue_pace_read_at(&pace, now_us);
            due_us = at_us < due_us ? at_us : due_us;
        }
        if (now_us >= due_us) {
            catalogue_pace_read(&pace, now_us, reading_us, false);
            spent_us += reading_us;
            due_us = UINT64_MAX;
        }
    }
    return spent_us;
}

static void schemas_that_always_change_cost_a_thousandth(void **state)
{
    (void)state;
    const uint64_t share_us = 86400ull * SECOND / 1000;
    assert_in_range(spend_a_day(300, 8000), share_us / 2, share_us * 11 / 10);
    assert_in_range(spend_a_day(5000, 10000), share_us / 2, share_us * 11 / 10);
    /* A large schema costs more to notice within half a minute: that has been promised. */
    assert_true(spend_a_day(20000, 100000) < 86400ull / 30 * 121000);
}

static void a_burst_of_ddl_is_read_each_time_and_then_seldom(void **state)
{
    (void)state;
    struct catalogue_pace pace;
    uint64_t now_us = SECOND;
    unsigned at_once = 0;
    catalogue_pace_init(&pace, now_us);
    while (catalogue_pace_read_at(&pace, now_us) == now_us && at_once < 1000) {
        catalogue_pace_read(&pace, now_us, 20000, false);
        now_us += SECOND;
        at_once++;
    }
    assert_in_range(at_once, 20, 40);
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
        cmocka_unit_test(a_small_schema_is_compared_at_every_look),
        cmocka_unit_test(a_large_schema_is_compared_seldom_but_at_once_after_a_sign),
        cmocka_unit_test(schemas_that_always_change_cost_a_thousandth),
        cmocka_unit_test(a_burst_of_ddl_is_read_each_time_and_then_seldom),
        cmocka_unit_test(what_somebody_waits_for_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
