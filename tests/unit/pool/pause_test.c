/* The set of paused databases. */
#include "proxy/pool/pause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_database_is_paused_once_and_alone(void **state)
{
    struct pauses pauses = {0};
    (void)state;
    assert_true(pauses_add(&pauses, "a"));
    assert_true(pauses_add(&pauses, "a"));
    assert_true(pauses_add(&pauses, "b"));
    assert_int_equal(pauses.n, 2);
    assert_true(pauses_cover(&pauses, "a") && pauses_cover(&pauses, "b") && !pauses_cover(&pauses, "c"));
    assert_true(pauses_remove(&pauses, "a"));
    assert_false(pauses_remove(&pauses, "a"));
    assert_true(!pauses_cover(&pauses, "a") && pauses_cover(&pauses, "b"));
}

static void a_pause_of_all_covers_every_name_and_ends_with_all(void **state)
{
    struct pauses pauses = {0};
    (void)state;
    assert_false(pauses_remove(&pauses, ""));
    assert_true(pauses_add(&pauses, "a") && pauses_add(&pauses, ""));
    assert_true(pauses_cover(&pauses, "c"));
    assert_true(pauses_remove(&pauses, "a"));
    assert_true(pauses_cover(&pauses, "a")); /* by the pause of all */
    assert_true(pauses_add(&pauses, "b"));
    assert_true(pauses_remove(&pauses, ""));
    assert_true(!pauses_cover(&pauses, "a") && !pauses_cover(&pauses, "b"));
}

static void there_is_an_end_of_names(void **state)
{
    struct pauses pauses = {0};
    char name[16];
    (void)state;
    for (int i = 0; i < PAUSES_MAX; i++) {
        snprintf(name, sizeof name, "db%d", i);
        assert_true(pauses_add(&pauses, name));
    }
    assert_false(pauses_add(&pauses, "one more"));
    assert_true(pauses_add(&pauses, "db0") && pauses_add(&pauses, ""));
    assert_true(pauses_remove(&pauses, "db0"));
    assert_true(pauses_add(&pauses, "one more"));
    assert_int_equal(pauses.n, PAUSES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_is_paused_once_and_alone),
        cmocka_unit_test(a_pause_of_all_covers_every_name_and_ends_with_all),
        cmocka_unit_test(there_is_an_end_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
