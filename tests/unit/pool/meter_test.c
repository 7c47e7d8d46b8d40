/* Meters: one writer for each share, sums over workers, a bound on how many there are. */
#include "proxy/pool/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct meter *named(const char *database, const char *node)
{
    for (const struct meter *meter = meters_first(); meter; meter = meter->next)
        if (strcmp(meter->database, database) == 0 && strcmp(meter->node, node) == 0)
            return meter;
    return NULL;
}

static void the_shares_of_all_workers_are_added(void **context)
{
    (void)context;
    struct histogram sum = {0};
    struct meter_share *one = meter_share("c", "d", "u", "n", 0), *other = meter_share("c", "d", "u", "n", 7);
    assert_ptr_not_equal(one, other);
    histogram_add(&one->phases[METER_NODE], 5);
    histogram_add(&other->phases[METER_NODE], 9);
    histogram_add(&other->phases[METER_WAIT], 1);
    meter_merge(named("d", "n"), METER_NODE, &sum);
    assert_int_equal(histogram_count(&sum), 2);
    assert_int_equal(histogram_sum_us(&sum), 14);
    assert_int_equal(histogram_max_us(&sum), 9);
}

static void the_same_pool_is_met_again(void **context)
{
    (void)context;
    assert_ptr_equal(meter_share("c", "d2", "u", "n", 3), meter_share("c", "d2", "u", "n", 3));
    assert_ptr_not_equal(meter_share("c", "d2", "u", "n", 3), meter_share("c", "d2", "u", "m", 3));
    assert_ptr_not_equal(meter_share("c", "d2", "u", "n", 3), meter_share("b", "d2", "u", "n", 3));
}

static void pools_beyond_the_bound_are_counted_together(void **context)
{
    (void)context;
    char database[16];
    for (int i = 0; i < METERS_MAX + 50; i++) {
        snprintf(database, sizeof database, "many%d", i);
        histogram_add(&meter_share("c", database, "u", "n", 0)->phases[METER_REQUEST], 1);
    }
    struct histogram sum = {0};
    uint32_t n = 0;
    for (const struct meter *meter = meters_first(); meter; meter = meter->next) {
        n++;
        meter_merge(meter, METER_REQUEST, &sum);
    }
    assert_int_equal(n, METERS_MAX + 1);
    assert_int_equal(histogram_count(&sum), METERS_MAX + 50);
    assert_string_equal(named("*", "n")->user, "*");
    assert_non_null(named("many0", "n"));
    assert_null(named("many300", "n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shares_of_all_workers_are_added),
        cmocka_unit_test(the_same_pool_is_met_again),
        cmocka_unit_test(pools_beyond_the_bound_are_counted_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
