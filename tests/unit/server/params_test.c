/* Name/value pairs: names without regard to case, bounds, comparison in any order. */
#include "proxy/server/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool set(struct params *params, const char *name, const char *value)
{
    return params_set(params, slice_from(name), slice_from(value));
}

static void a_name_is_found_in_any_case_and_replaced(void **state)
{
    (void)state;
    struct params params;
    params_init(&params);
    assert_null(params_get(&params, "a"));
    assert_true(set(&params, "DateStyle", "ISO"));
    assert_true(set(&params, "TimeZone", "UTC"));
    assert_true(set(&params, "datestyle", "German, DMY"));
    assert_string_equal(params_get(&params, "DATESTYLE"), "German, DMY");
    assert_string_equal(params_get(&params, "timezone"), "UTC");
    assert_null(params_get(&params, "date"));
    params_remove(&params, slice_from("TIMEZONE"));
    assert_null(params_get(&params, "TimeZone"));
    params_remove(&params, slice_from("none"));
    assert_true(set(&params, "empty", ""));
    assert_string_equal(params_get(&params, "empty"), "");
    params_clear(&params);
    assert_null(params_get(&params, "DateStyle"));
    params_fini(&params);
}

static void pairs_are_visited_in_order(void **state)
{
    (void)state;
    struct params params;
    const char *name, *value;
    uint32_t at = 0;
    params_init(&params);
    assert_false(params_next(&params, &at, &name, &value));
    set(&params, "a", "1");
    set(&params, "b", "");
    set(&params, "c", "3");
    assert_true(params_next(&params, &at, &name, &value));
    assert_string_equal(name, "a");
    assert_true(params_next(&params, &at, &name, &value));
    assert_string_equal(name, "b");
    assert_string_equal(value, "");
    assert_true(params_next(&params, &at, &name, &value));
    assert_string_equal(value, "3");
    assert_false(params_next(&params, &at, &name, &value));
    params_fini(&params);
}

static void equality_and_hash_know_no_order(void **state)
{
    (void)state;
    struct params a, b;
    params_init(&a);
    params_init(&b);
    assert_true(params_equal(&a, &b));
    assert_int_equal(params_hash(&a), 0);
    set(&a, "x", "1");
    set(&a, "y", "2");
    set(&b, "Y", "2");
    set(&b, "X", "1");
    assert_true(params_equal(&a, &b));
    assert_int_equal(params_hash(&a), params_hash(&b));
    assert_int_not_equal(params_hash(&a), 0);
    set(&b, "x", "2");
    assert_false(params_equal(&a, &b));
    assert_int_not_equal(params_hash(&a), params_hash(&b));
    params_clear(&b);
    set(&b, "y", "1"); /* the same words, otherwise paired */
    set(&b, "x", "2");
    assert_false(params_equal(&a, &b));
    assert_int_not_equal(params_hash(&a), params_hash(&b));
    assert_true(params_copy(&b, &a));
    assert_true(params_equal(&a, &b));
    params_fini(&a);
    params_fini(&b);
}

static void a_nul_or_too_much_is_refused(void **state)
{
    (void)state;
    struct params params;
    static char big[PARAMS_BYTES_MAX];
    memset(big, 'x', sizeof big);
    params_init(&params);
    assert_false(params_set(&params, slice_of("a\0b", 3), slice_from("v")));
    assert_false(params_set(&params, slice_from("a"), slice_of("v\0w", 3)));
    assert_false(params_set(&params, slice_from("a"), slice_of(big, sizeof big - 2)));
    assert_true(params_set(&params, slice_from("a"), slice_of(big, sizeof big - 3)));
    assert_int_equal(params.len, PARAMS_BYTES_MAX);
    assert_false(params_set(&params, slice_from("b"), slice_from("")));
    assert_int_equal(strlen(params_get(&params, "a")), sizeof big - 3);
    params_fini(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_found_in_any_case_and_replaced),
        cmocka_unit_test(pairs_are_visited_in_order),
        cmocka_unit_test(equality_and_hash_know_no_order),
        cmocka_unit_test(a_nul_or_too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
