/* The generated tables: sorted, complete, and the decisions that were measured on a primary and a replica. */
#include "router/classify.h"
#include "router/sql/builtins.h"
#include "router/sql/keywords.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_functions_are_sorted_and_each_is_found(void **state)
{
    (void)state;
    assert_true(builtin_functions_count > 2500);
    for (size_t i = 0; i < builtin_functions_count; i++) {
        const struct builtin *entry = &builtin_functions[i];
        if (i > 0)
            assert_true(strcmp(builtin_functions[i - 1].name, entry->name) < 0);
        assert_ptr_equal(builtin_find(slice_from(entry->name)), entry);
        assert_int_not_equal(entry->kind, BUILTIN_UNKNOWN);
        if (entry->pins)
            assert_int_equal(entry->kind, BUILTIN_SPECIAL);
    }
}

static void the_views_are_sorted_and_each_is_found(void **state)
{
    (void)state;
    assert_true(builtin_relations_count > 50);
    for (size_t i = 0; i < builtin_relations_count; i++) {
        if (i > 0)
            assert_true(strcmp(builtin_relations[i - 1], builtin_relations[i]) < 0);
        assert_int_equal(builtin_relation(slice_from(builtin_relations[i])), NAME_SPECIAL);
    }
    assert_int_equal(builtin_relation(slice_from("pg_class")), NAME_UNKNOWN);
    assert_int_equal(builtin_relation(slice_from("pg_tables")), NAME_UNKNOWN);
    assert_int_equal(builtin_relation(slice_from("tables")), NAME_UNKNOWN);
    assert_int_equal(builtin_relation(slice_from("")), NAME_UNKNOWN);
}

static void what_silently_succeeds_on_the_wrong_node_is_special(void **state)
{
    (void)state;
    static const char *const names[] = {"pg_advisory_lock", "pg_stat_reset", "pg_reload_conf",
        "pg_create_physical_replication_slot", "pg_drop_replication_slot", "setseed", "set_config",
        "pg_export_snapshot", "pg_backend_pid", "pg_stat_get_activity", "current_setting",
        "pg_get_replication_slots", "pg_stat_get_wal_senders", "pg_cursor", "pg_prepared_statement",
        "pg_listening_channels", "inet_server_addr", "pg_postmaster_start_time", "txid_current", "version",
        "pg_is_in_recovery", "nextval", "currval", "lastval", "query_to_xml", "pg_sequence_last_value",
        "lo_create", "pg_notify", "pg_walfile_name"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(builtin_function(slice_from(names[i])), NAME_SPECIAL);
}

static void ordinary_functions_are_harmless(void **state)
{
    (void)state;
    static const char *const names[] = {"lower", "count", "sum", "now", "random", "clock_timestamp",
        "to_char", "generate_series", "jsonb_build_object", "current_database", "current_schema",
        "format_type", "pg_get_expr", "has_table_privilege", "array_agg", "left", "right", "uuid", "int4",
        "row_number", "pg_sleep", "bernoulli"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(builtin_function(slice_from(names[i])), NAME_HARMLESS);
}

static void functions_that_change_the_session_pin(void **state)
{
    (void)state;
    assert_int_equal(builtin_find(slice_from("set_config"))->pins, PIN_SETTING);
    assert_int_equal(builtin_find(slice_from("setseed"))->pins, PIN_FUNCTION);
    assert_int_equal(builtin_find(slice_from("currval"))->pins, PIN_SEQUENCE);
    assert_int_equal(builtin_find(slice_from("lastval"))->pins, PIN_SEQUENCE);
    assert_int_equal(builtin_find(slice_from("nextval"))->pins, 0);
    assert_int_equal(builtin_find(slice_from("pg_try_advisory_lock_shared"))->pins, PIN_ADVISORY_LOCK);
    assert_int_equal(builtin_find(slice_from("pg_advisory_xact_lock"))->pins, 0);
    assert_null(builtin_find(slice_from("no_such_function")));
    assert_null(builtin_find(slice_from("")));
}

static void every_key_word_is_found_and_nothing_else(void **state)
{
    (void)state;
    for (int i = NO_KEYWORD + 1; i < KEYWORD_COUNT; i++) {
        const char *word = keyword_entries[i].word;
        assert_int_equal(strlen(word), keyword_entries[i].len);
        assert_int_equal(keyword_find(slice_from(word)), i);
        assert_int_equal(keyword_find(slice_of(word, strlen(word) - 1)) == (enum keyword)i, 0);
    }
    assert_int_equal(keyword_find(slice_from("")), NO_KEYWORD);
    assert_int_equal(keyword_find(slice_from("SELECT")), NO_KEYWORD);
    assert_int_equal(keyword_find(slice_from("selectx")), NO_KEYWORD);
    assert_int_equal(keyword_find(slice_from("_")), NO_KEYWORD);
    assert_int_equal(keyword_find(slice_from("zzzzzzzzzzzzzzzzzzzzzzzzzzz")), NO_KEYWORD);
    assert_int_equal(keyword_category(KEYWORD_SELECT), CATEGORY_RESERVED);
    assert_int_equal(keyword_category(KEYWORD_LEFT), CATEGORY_TYPE_OR_FUNCTION);
    assert_int_equal(keyword_category(KEYWORD_COALESCE), CATEGORY_COLUMN_NAME);
    assert_int_equal(keyword_category(KEYWORD_UPDATE), CATEGORY_UNRESERVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_functions_are_sorted_and_each_is_found),
        cmocka_unit_test(the_views_are_sorted_and_each_is_found),
        cmocka_unit_test(what_silently_succeeds_on_the_wrong_node_is_special),
        cmocka_unit_test(ordinary_functions_are_harmless),
        cmocka_unit_test(functions_that_change_the_session_pin),
        cmocka_unit_test(every_key_word_is_found_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
