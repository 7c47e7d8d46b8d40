/* What is read back is near what was recorded, over the whole range. */
#include "conf/base/histogram.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_empty_histogram_has_no_quantiles(void **context)
{
    (void)context;
    static struct histogram histogram;
    assert_int_equal(histogram_count(&histogram), 0);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(histogram_max_us(&histogram), 0);
}

static void any_single_value_comes_back_within_three_percent(void **context)
{
    (void)context;
    for (uint64_t us = 0; us < UINT64_C(1) << 36; us += 1 + us / 7) {
        struct histogram histogram = {0};
        histogram_add(&histogram, us);
        histogram_add(&histogram, us * 4); /* so that the maximum does not clip the first one */
        uint64_t got = histogram_quantile(&histogram, 0.5);
        uint64_t error = got > us ? got - us : us - got;
        assert_true(error * 32 <= us);
    }
}

static void values_below_sixteen_are_exact(void **context)
{
    (void)context;
    struct histogram histogram = {0};
    for (uint64_t us = 0; us < 16; us++)
        histogram_add(&histogram, us);
    for (uint64_t us = 0; us < 16; us++) {
        assert_int_equal(histogram_quantile(&histogram, (double)(us + 1) / 16), us);
        assert_int_equal(histogram_at_most(&histogram, us), us + 1);
    }
}

static void quantiles_of_an_even_spread_lie_where_they_should(void **context)
{
    (void)context;
    struct histogram histogram = {0};
    for (uint64_t us = 1; us <= 100000; us++)
        histogram_add(&histogram, us);
    const double shares[] = {0.01, 0.25, 0.5, 0.9, 0.99, 0.999};
    uint64_t before = 0;
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        double want = shares[i] * 100000, got = (double)histogram_quantile(&histogram, shares[i]);
        assert_true(got > want * 0.96 && got < want * 1.04);
        assert_true(got >= (double)before);
        before = (uint64_t)got;
    }
    assert_true(histogram_quantile(&histogram, 1) <= 100000);
    assert_int_equal(histogram_count(&histogram), 100000);
    assert_int_equal(histogram_sum_us(&histogram), UINT64_C(100000) * 100001 / 2);
    assert_int_equal(histogram_max_us(&histogram), 100000);
}

static void quantiles_outside_of_zero_to_one_are_the_ends(void **context)
{
    (void)context;
    struct histogram histogram = {0};
    histogram_add(&histogram, 3);
    histogram_add(&histogram, 9);
    assert_int_equal(histogram_quantile(&histogram, -1), 3);
    assert_int_equal(histogram_quantile(&histogram, 0), 3);
    assert_int_equal(histogram_quantile(&histogram, 2), 9);
}

static void a_value_beyond_the_range_is_kept_as_the_maximum(void **context)
{
    (void)context;
    struct histogram histogram = {0};
    histogram_add(&histogram, UINT64_MAX / 2);
    assert_int_equal(histogram_quantile(&histogram, 0.5), UINT64_MAX / 2);
    assert_int_equal(histogram_count(&histogram), 1);
    assert_int_equal(histogram_at_most(&histogram, UINT64_MAX), 1);
}

static void merging_adds_counts_and_keeps_the_greater_maximum(void **context)
{
    (void)context;
    struct histogram a = {0}, b = {0}, all = {0};
    for (uint64_t us = 0; us < 1000; us++)
        histogram_add(&a, us);
    for (uint64_t us = 5000; us < 6000; us++)
        histogram_add(&b, us);
    histogram_merge(&all, &b);
    histogram_merge(&all, &a);
    assert_int_equal(histogram_count(&all), 2000);
    assert_int_equal(histogram_max_us(&all), 5999);
    assert_int_equal(histogram_sum_us(&all), histogram_sum_us(&a) + histogram_sum_us(&b));
    assert_int_equal(histogram_at_most(&all, 2000), 1000);
    assert_true(histogram_quantile(&all, 0.75) > 5000);
}

static void *write_many(void *argument)
{
    for (uint64_t i = 0; i < 200000; i++)
        histogram_add(argument, i % 5000);
    return NULL;
}

static void a_reader_never_sees_the_count_fall_while_another_thread_writes(void **context)
{
    (void)context;
    static struct histogram histogram;
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_many, &histogram), 0);
    uint64_t before = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t now = histogram_count(&histogram);
        assert_true(now >= before && now <= 200000);
        before = now;
    }
    pthread_join(writer, NULL);
    assert_int_equal(histogram_count(&histogram), 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_has_no_quantiles),
        cmocka_unit_test(any_single_value_comes_back_within_three_percent),
        cmocka_unit_test(values_below_sixteen_are_exact),
        cmocka_unit_test(quantiles_of_an_even_spread_lie_where_they_should),
        cmocka_unit_test(quantiles_outside_of_zero_to_one_are_the_ends),
        cmocka_unit_test(a_value_beyond_the_range_is_kept_as_the_maximum),
        cmocka_unit_test(merging_adds_counts_and_keeps_the_greater_maximum),
        cmocka_unit_test(a_reader_never_sees_the_count_fall_while_another_thread_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
