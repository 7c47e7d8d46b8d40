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

static void what_cannot_be_asked_for_wins_over_what_can(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_add_function(catalogue, "app", "f", NAME_OPAQUE);
    catalogue_add_function(catalogue, "app", "f", NAME_SESSION);
    catalogue_add_function(catalogue, "b", "f", NAME_SESSION);
    catalogue_add_relation(catalogue, "app", "v", NAME_SESSION);
    catalogue_add_relation(catalogue, "b", "v", NAME_OPAQUE);
    assert_int_equal(function(catalogue, "app", "f"), NAME_OPAQUE);
    assert_int_equal(function(catalogue, "b", "f"), NAME_SESSION);
    assert_int_equal(function(catalogue, "", "f"), NAME_OPAQUE);
    assert_int_equal(catalogue_own_function(catalogue, slice_from("f")), NAME_OPAQUE);
    assert_int_equal(relation(catalogue, "app", "v"), NAME_SESSION);
    assert_int_equal(relation(catalogue, "", "v"), NAME_OPAQUE);
    catalogue_unref(catalogue);
}

static void writes_and_types_are_found_by_schema_or_in_any(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    struct slice app = slice_from("app"), any = slice_of("", 0), name = slice_from("account");
    catalogue_add_write(catalogue, "app", "account", NAME_SESSION);
    catalogue_add_type(catalogue, "app", "money2", NAME_OPAQUE);
    assert_int_equal(catalogue_write(catalogue, app, name), NAME_SESSION);
    assert_int_equal(catalogue_write(catalogue, any, name), NAME_SESSION);
    assert_int_equal(catalogue_write(catalogue, slice_from("public"), name), NAME_UNKNOWN);
    assert_int_equal(catalogue_write(NULL, any, name), NAME_UNKNOWN);
    catalogue_add_write(catalogue, "b", "account", NAME_OPAQUE);
    assert_int_equal(catalogue_write(catalogue, any, name), NAME_OPAQUE);
    assert_int_equal(catalogue_write(catalogue, app, name), NAME_SESSION);
    assert_int_equal(relation(catalogue, "", "account"), NAME_UNKNOWN); /* to read it is another matter */
    assert_int_equal(catalogue_type(catalogue, app, slice_from("money2")), NAME_OPAQUE);
    assert_int_equal(catalogue_type(catalogue, any, slice_from("money2")), NAME_OPAQUE);
    assert_int_equal(catalogue_type(catalogue, slice_from("b"), slice_from("money2")), NAME_UNKNOWN);
    assert_int_equal(catalogue_type(catalogue, any, name), NAME_UNKNOWN);
    assert_int_equal(catalogue_type(NULL, any, name), NAME_UNKNOWN);
    assert_int_equal(catalogue_write(catalogue, any, slice_from("pg_locks")), NAME_UNKNOWN);
    catalogue_unref(catalogue);
}

static void of_operators_with_one_symbol_the_worst_counts(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_add_operator(catalogue, "<->", NAME_SESSION);
    catalogue_add_operator(catalogue, "<->", NAME_SPECIAL);
    assert_int_equal(catalogue_operator(catalogue, slice_from("<->")), NAME_SESSION);
    assert_int_equal(catalogue_operator(catalogue, slice_from("<-")), NAME_UNKNOWN);
    assert_int_equal(catalogue_operator(NULL, slice_from("<->")), NAME_UNKNOWN);
    assert_int_equal(function(catalogue, "", "<->"), NAME_UNKNOWN);
    catalogue_unref(catalogue);
}

static void settings_are_kept_once_and_bounded(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    const char *const *names;
    assert_int_equal(catalogue_settings(catalogue, &names), 0);
    assert_true(catalogue_add_setting(catalogue, "app.tenant"));
    assert_true(catalogue_add_setting(catalogue, "app.user"));
    assert_true(catalogue_add_setting(catalogue, "app.tenant"));
    assert_int_equal(catalogue_settings(catalogue, &names), 2);
    assert_string_equal(names[0], "app.tenant");
    assert_string_equal(names[1], "app.user");
    char name[CATALOGUE_SETTING_MAX_BYTES + 2] = "";
    memset(name, 'x', CATALOGUE_SETTING_MAX_BYTES + 1);
    assert_false(catalogue_add_setting(catalogue, name));
    name[CATALOGUE_SETTING_MAX_BYTES] = '\0';
    assert_true(catalogue_add_setting(catalogue, name));
    for (int i = 3; i < CATALOGUE_MAX_SETTINGS; i++) {
        snprintf(name, sizeof name, "app.s%d", i);
        assert_true(catalogue_add_setting(catalogue, name));
    }
    assert_false(catalogue_add_setting(catalogue, "app.one_more"));
    assert_true(catalogue_add_setting(catalogue, "app.user"));
    assert_int_equal(catalogue_settings(catalogue, &names), CATALOGUE_MAX_SETTINGS);
    assert_int_equal(catalogue_settings(NULL, &names), 0);
    catalogue_unref(catalogue);
}

static void what_ddl_runs_is_said_once_for_the_database(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    assert_int_equal(catalogue_ddl(catalogue), NAME_UNKNOWN);
    assert_int_equal(catalogue_ddl(NULL), NAME_UNKNOWN);
    catalogue_set_ddl(catalogue, NAME_OPAQUE);
    catalogue_set_ddl(catalogue, NAME_SESSION);
    assert_int_equal(catalogue_ddl(catalogue), NAME_OPAQUE);
    catalogue_unref(catalogue);
}

static void reading_sequences_is_said_once_for_the_database(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_new("main", "shop");
    assert_false(catalogue_reads_sequences(catalogue));
    catalogue_set_reads_sequences(catalogue);
    assert_true(catalogue_reads_sequences(catalogue));
    assert_false(catalogue_reads_sequences(NULL));
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
        cmocka_unit_test(what_cannot_be_asked_for_wins_over_what_can),
        cmocka_unit_test(writes_and_types_are_found_by_schema_or_in_any),
        cmocka_unit_test(of_operators_with_one_symbol_the_worst_counts),
        cmocka_unit_test(settings_are_kept_once_and_bounded),
        cmocka_unit_test(what_ddl_runs_is_said_once_for_the_database),
        cmocka_unit_test(reading_sequences_is_said_once_for_the_database),
        cmocka_unit_test(many_names_are_all_found_again),
        cmocka_unit_test(it_lives_until_the_last_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
