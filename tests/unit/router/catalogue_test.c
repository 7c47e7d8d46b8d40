/* Look-ups by name and by schema, overrides, and what wins when several say something. */
#include "router/catalogue.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum name_kind function(const struct catalogue *catalogue, const char *schema, const char *name)
{
    return catalogue_function(catalogue, slice_from(schema), slice_from(name));
}

static enum name_kind relation(const struct catalogue *catalogue, const char *schema, const char *name)
{
    return catalogue_relation(catalogue, slice_from(schema), slice_from(name));
}

static void without_a_catalogue_only_built_in_names_are_known(void **state)
{
    (void)state;
    assert_int_equal(function(NULL, "", "lower"), NAME_HARMLESS);
    assert_int_equal(function(NULL, "pg_catalog", "lower"), NAME_HARMLESS);
    assert_int_equal(function(NULL, "", "pg_backend_pid"), NAME_SPECIAL);
    assert_int_equal(function(NULL, "pg_catalog", "nextval"), NAME_SPECIAL);
    assert_int_equal(function(NULL, "public", "lower"), NAME_UNKNOWN);
    assert_int_equal(function(NULL, "", "no_such_function"), NAME_UNKNOWN);
    assert_int_equal(relation(NULL, "", "pg_stat_activity"), NAME_SPECIAL);
    assert_int_equal(relation(NULL, "pg_catalog", "pg_locks"), NAME_SPECIAL);
    assert_int_equal(relation(NULL, "public", "pg_locks"), NAME_UNKNOWN);
    assert_int_equal(relation(NULL, "", "pg_class"), NAME_UNKNOWN);
    assert_int_equal(catalogue_own_function(NULL, slice_from("lower")), NAME_UNKNOWN);
}

static void a_special_namesake_in_any_schema_wins(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_add_function(catalogue, "public", "report", NAME_HARMLESS);
    assert_int_equal(function(catalogue, "", "report"), NAME_HARMLESS);
    catalogue_add_function(catalogue, "audit", "report", NAME_SPECIAL);
    assert_int_equal(function(catalogue, "", "report"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "public", "report"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "audit", "report"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "other", "report"), NAME_UNKNOWN);
    catalogue_add_function(catalogue, "public", "lower", NAME_SPECIAL); /* beside the built-in one */
    assert_int_equal(function(catalogue, "", "lower"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "pg_catalog", "lower"), NAME_HARMLESS);
    assert_int_equal(catalogue_own_function(catalogue, slice_from("lower")), NAME_SPECIAL);
    catalogue_unref(catalogue);
}

static void of_two_overloads_the_special_one_wins_in_either_order(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_add_function(catalogue, "public", "a", NAME_HARMLESS);
    catalogue_add_function(catalogue, "public", "a", NAME_SPECIAL);
    catalogue_add_function(catalogue, "public", "b", NAME_SPECIAL);
    catalogue_add_function(catalogue, "public", "b", NAME_HARMLESS);
    assert_int_equal(function(catalogue, "public", "a"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "public", "b"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "", "b"), NAME_SPECIAL);
    catalogue_unref(catalogue);
}

static void of_overloads_and_namesakes_the_one_that_changes_the_session_wins(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_add_function(catalogue, "public", "a", NAME_SESSION);
    catalogue_add_function(catalogue, "public", "a", NAME_SPECIAL);
    catalogue_add_function(catalogue, "public", "b", NAME_HARMLESS);
    catalogue_add_function(catalogue, "public", "b", NAME_SESSION);
    catalogue_add_function(catalogue, "app", "b", NAME_SPECIAL);
    catalogue_add_function(catalogue, "app", "nextval", NAME_SESSION); /* beside the built-in one */
    assert_int_equal(function(catalogue, "public", "a"), NAME_SESSION);
    assert_int_equal(function(catalogue, "public", "b"), NAME_SESSION);
    assert_int_equal(function(catalogue, "app", "b"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "", "b"), NAME_SESSION);
    assert_int_equal(function(catalogue, "", "nextval"), NAME_SESSION);
    assert_int_equal(function(catalogue, "pg_catalog", "nextval"), NAME_SPECIAL);
    assert_int_equal(catalogue_own_function(catalogue, slice_from("b")), NAME_SESSION);
    catalogue_unref(catalogue);
}

static void an_override_wins_over_what_changes_the_session(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_override_function(catalogue, "app.before", NAME_HARMLESS);
    catalogue_add_function(catalogue, "app", "before", NAME_SESSION);
    catalogue_add_function(catalogue, "app", "after", NAME_SESSION);
    catalogue_override_function(catalogue, "after", NAME_SPECIAL);
    catalogue_add_function(catalogue, "app", "one", NAME_SESSION);
    catalogue_add_function(catalogue, "other", "one", NAME_HARMLESS);
    assert_int_equal(function(catalogue, "", "one"), NAME_SESSION);
    catalogue_override_function(catalogue, "app.one", NAME_SPECIAL);
    assert_int_equal(function(catalogue, "", "before"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "app", "after"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "", "after"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "", "one"), NAME_SPECIAL);
    catalogue_unref(catalogue);
}

static void an_override_holds_whether_it_comes_before_or_after(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_override_function(catalogue, "app.before", NAME_HARMLESS);
    catalogue_add_function(catalogue, "app", "before", NAME_SPECIAL);
    catalogue_add_function(catalogue, "app", "after", NAME_HARMLESS);
    catalogue_override_function(catalogue, "app.after", NAME_SPECIAL);
    assert_int_equal(function(catalogue, "app", "before"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "", "before"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "app", "after"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "", "after"), NAME_SPECIAL);
    catalogue_unref(catalogue);
}

static void an_override_without_schema_covers_every_schema(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_add_function(catalogue, "a", "f", NAME_SPECIAL);
    catalogue_add_function(catalogue, "b", "f", NAME_SPECIAL);
    catalogue_override_function(catalogue, "f", NAME_HARMLESS);
    catalogue_override_function(catalogue, "b.f", NAME_SPECIAL); /* the closer word wins */
    catalogue_override_function(catalogue, "pg_is_in_recovery", NAME_HARMLESS);
    catalogue_override_function(catalogue, "lower", NAME_SPECIAL);
    assert_int_equal(function(catalogue, "", "f"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "a", "f"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "b", "f"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "", "pg_is_in_recovery"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "pg_catalog", "pg_is_in_recovery"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "", "lower"), NAME_SPECIAL);
    catalogue_unref(catalogue);
}

static void functions_and_relations_do_not_mix(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_add_relation(catalogue, "public", "counter", NAME_SPECIAL);
    assert_int_equal(relation(catalogue, "", "counter"), NAME_SPECIAL);
    assert_int_equal(relation(catalogue, "public", "counter"), NAME_SPECIAL);
    assert_int_equal(relation(catalogue, "other", "counter"), NAME_UNKNOWN);
    assert_int_equal(function(catalogue, "", "counter"), NAME_UNKNOWN);
    catalogue_unref(catalogue);
}

static void many_names_are_all_found_again(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    char name[32], schema[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "f%d", i);
        snprintf(schema, sizeof schema, "s%d", i % 7);
        catalogue_add_function(catalogue, schema, name, i % 3 ? NAME_HARMLESS : NAME_SPECIAL);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "f%d", i);
        snprintf(schema, sizeof schema, "s%d", i % 7);
        enum name_kind kind = i % 3 ? NAME_HARMLESS : NAME_SPECIAL;
        assert_int_equal(function(catalogue, schema, name), kind);
        assert_int_equal(function(catalogue, "", name), kind);
        assert_int_equal(function(catalogue, "s7", name), NAME_UNKNOWN);
    }
    catalogue_unref(catalogue);
}

static void it_lives_until_the_last_reference(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    struct catalogue *again = catalogue_ref(catalogue);
    catalogue_unref(catalogue);
    assert_string_equal(catalogue_cluster(again), "main");
    assert_string_equal(catalogue_database(again), "shop");
    catalogue_unref(again);
    catalogue_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_catalogue_only_built_in_names_are_known),
        cmocka_unit_test(a_special_namesake_in_any_schema_wins),
        cmocka_unit_test(of_two_overloads_the_special_one_wins_in_either_order),
        cmocka_unit_test(of_overloads_and_namesakes_the_one_that_changes_the_session_wins),
        cmocka_unit_test(an_override_wins_over_what_changes_the_session),
        cmocka_unit_test(an_override_holds_whether_it_comes_before_or_after),
        cmocka_unit_test(an_override_without_schema_covers_every_schema),
        cmocka_unit_test(functions_and_relations_do_not_mix),
        cmocka_unit_test(many_names_are_all_found_again),
        cmocka_unit_test(it_lives_until_the_last_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
