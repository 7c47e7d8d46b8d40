/* Which settings a text names, and which matter when a statement is parsed. */
#include "router/setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct heard {
    char names[1024];
};

static void on_name(void *context, struct slice name)
{
    struct heard *heard = context;
    size_t len = strlen(heard->names);
    snprintf(
        heard->names + len, sizeof heard->names - len, "%s%.*s", len ? " " : "", (int)name.len, name.data);
}

static void check(const char *text, bool standard_strings, const char *expected)
{
    struct heard heard = {""};
    char *copy = strndup(text, strlen(text));
    setting_names(slice_of(copy, strlen(text)), standard_strings, &heard, on_name);
    if (strcmp(heard.names, expected) != 0)
        fail_msg("%s\n  names \"%s\", not \"%s\"", text, heard.names, expected);
    free(copy);
}

static const char *const rows[][2] = {
    {"", ""},
    {"select 1", ""},
    {"set work_mem = '1MB'", "work_mem"},
    {"SET SESSION Work_Mem TO '1MB'", "work_mem"},
    {"set \"Work_Mem\" to '1MB';", "work_mem"},
    {"set U&\"w\\006frk_mem\" = 1", "work_mem"},
    {"set U&\"w!006frk_mem\" uescape '!' = 1", "work_mem"},
    {"set app.tenant = 7", "app.tenant"},
    {"set App . \"Tenant\" . x to 7", "app.tenant.x"},
    {"set \"app.tenant\" = 7", "app.tenant"},
    {"set session.user_id = 7", "session.user_id"},
    {"set local.user_id = 7", "local.user_id"},
    {"set session local.user_id = 7", "local.user_id"},
    {"set time.zone = 'x'", "time.zone"},
    {"set role.x = 'x'", "role.x"},
    {"set transaction.x = 'x'", "transaction.x"},
    {"set constraints.x = 'x'", "constraints.x"},
    {"set session characteristics.x = 'x'", "characteristics.x"},
    {"set characteristics.x = 1", "characteristics.x"},
    {"set sort_mem = 100", "work_mem"},
    {"set search_path to default", "search_path"},
    {"set max_connections to 7", ""}, /* fails, and what it is remains the server's */
    {"select set_config('Shared_Buffers', '1MB', false), set_config('work_mem', '1MB', false)", "work_mem"},
    {"set search_path from current", "search_path"},
    {"set schema 'x'", "search_path"},
    {"set time zone 'UTC'", "timezone"},
    {"set session time zone local", "timezone"},
    {"set timezone = 'UTC'", "timezone"},
    {"set names 'latin1'", "client_encoding"},
    {"set names", "client_encoding"},
    {"set client_encoding = utf8", "client_encoding"},
    {"set role r", "role"},
    {"set session role none", "role"},
    {"set role = 'r'", "role"},
    {"set session authorization r", "session_authorization role"},
    {"set session session authorization default", "session_authorization role"},
    {"set session_authorization = r", "session_authorization role"},
    {"set xml option document", "xmloption"},
    {"set session characteristics as transaction read only",
        "default_transaction_isolation default_transaction_read_only default_transaction_deferrable"},
    {"set local work_mem = '1MB'", ""},
    {"set local role r", ""},
    {"set local time zone 'UTC'", ""},
    {"set local session authorization r", ""},
    {"set local session characteristics as transaction read only", ""},
    {"set transaction read only", ""},
    {"set session transaction isolation level serializable", ""},
    {"set transaction_read_only = on", ""},
    {"set seed = 0.5", ""},
    {"set constraints all deferred", ""},
    {"reset work_mem", "work_mem"},
    {"reset app.tenant", "app.tenant"},
    {"reset time zone", "timezone"},
    {"reset session authorization", "session_authorization role"},
    {"reset transaction isolation level", ""},
    {"reset all", ""},
    {"discard all", ""},
    {"set a = 1; set b = 2;; reset c", "a b c"},
    {"begin; set local a = 1; set b = 1; commit", "b"},
    {"update t set a = 1; select 'set b = 1', $$; set c = 1$$ /* ; set d = 1; */ -- ; set e = 1", ""},
    {"/* x */ set -- y\n a /* = */ = 1", "a"},
    {"set a = '; set b = 1'; set c = $x$; set d = 1$x$", "a c"},
    {"select set_config('work_mem', '1MB', false)", "work_mem"},
    {"select pg_catalog.SET_CONFIG ( 'App.X' , $1, $2)", "app.x"},
    {"select \"set_config\"($$a$$, E'\\'x', false)", "a"},
    {"select set_config('a', 'b', true)", ""},
    {"select set_config('a', (select f(1, true)), TRUE)", ""},
    {"select set_config('a', 'b', not true)", "a"},
    {"select set_config('a', 'b', true and c)", "a"},
    {"select set_config('a', 'b', is_local => true)", "a"},
    {"select set_config('a', 'b', true), set_config('c', 'd', false)", "c"},
    {"select set_config('a', set_config('b', 'c', true), true)", "b"}, /* not told apart */
    {"select set_config('a', set_config('b', 'c', true), false)", "b a"},
    {"select set_config('session_authorization', 'r', false)", "session_authorization role"},
    {"select set_config('seed', '0.5', false), set_config('transaction_isolation', 'x', false)", ""},
    {"select set_config($1, 'b', false), set_config('a' || 'b', 'c', false)", ""},
    {"select set_config('a", ""},
    {"select set_config('a', 'b'", "a"},
    {"insert into t values (set_config('a', 'b', false)) returning 1", "a"},
    {"with x as (select set_config('a', 'b', false)) table x", "a"},
    {"select set_config, t.set_config from t", ""},
    {"do $$ begin set a = 1; end $$", "a"},
    {"DO language plpgsql 'begin set local a = 1; perform set_config(''b'', ''c'', false); end'", "b"},
    {"do $$ begin if x then set role r; reset c; end if; end $$ language plpgsql; set d = 1", "role c d"},
    {"do $$ begin execute 'set app.a = 1'; execute format('select set_config(''app.b'', %L, false)', 1); end "
     "$$",
        "app.a app.b"},
    {"do 'begin set session authorization r; end'", "session_authorization role"},
    {"do", ""},
};

static void names_are_found_wherever_a_text_sets_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check(rows[i][0], true, rows[i][1]);
    check("set a = '\\'; set b = 1 --'", true, "a b");
    check("set a = '\\'; set b = 1 --'", false, "a");
}

static void a_name_longer_than_the_bound_is_not_told(void **state)
{
    (void)state;
    char text[1000] = "set a", expected[1000];
    for (int i = 0; i < 4; i++)
        strcat(strcat(text, "."), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    strcat(text, " = 1");
    strcpy(expected, text + 4);
    *strchr(expected, ' ') = '\0';
    check(text, true, expected);
    strcpy(strchr(text, '='), ".yyyyy = 1");
    check(text, true, "");
}

static void every_cut_of_a_text_is_read_to_its_end(void **state)
{
    (void)state;
    static const char text[] = "set local a . \"b\" = 1; select set_config(E'a\\'', set_config('c', d, "
                               "true), $x$ y $x$); do language "
                               "'plpgsql' 'begin set session characteristics as transaction read only; "
                               "execute ''set a.b = 1''; end'; "
                               "reset session authorization; set U&\"d!0061\" uescape '!' to default";
    for (size_t len = 0; len < sizeof text; len++) {
        char *copy = malloc(len ? len : 1); /* on the heap: the sanitizer sees a byte too far */
        struct heard heard = {""};
        memcpy(copy, text, len);
        setting_names(slice_of(copy, len), true, &heard, on_name);
        free(copy);
    }
}

static void only_what_is_known_to_be_harmless_does_not_matter(void **state)
{
    (void)state;
    static const char *const matter[] = {"search_path", "role", "session_authorization", "DateStyle",
        "datestyle", "IntervalStyle", "TimeZone", "timezone_abbreviations", "client_encoding",
        "standard_conforming_strings", "backslash_quote", "escape_string_warning", "extra_float_digits",
        "bytea_output", "lc_messages", "lc_monetary", "lc_numeric", "lc_time", "xmloption", "xmlbinary",
        "default_text_search_config", "transform_null_equals", "array_nulls", "quote_all_identifiers",
        "row_security", "check_function_bodies", "session_replication_role", "allow_system_table_mods",
        "no_such_setting", "", "costs", "work_memory", "xjit"};
    static const char *const harmless[] = {"application_name", "statement_timeout", "LOCK_TIMEOUT",
        "idle_in_transaction_session_timeout", "transaction_timeout", "seq_page_cost", "enable_seqscan",
        "work_mem", "Maintenance_Work_Mem", "log_statement", "client_min_messages", "synchronous_commit",
        "jit", "jit_above_cost", "debug_print_plan", "track_io_timing", "vacuum_cost_delay",
        "default_transaction_isolation", "default_transaction_read_only", "default_tablespace",
        "default_toast_compression", "temp_tablespaces", "geqo", "plan_cache_mode", "app.tenant",
        "plpgsql.variable_conflict", "tcp_keepalives_idle"};
    for (size_t i = 0; i < COUNT(matter); i++)
        if (!setting_matters_when_parsing(slice_from(matter[i])))
            fail_msg("%s is taken to be harmless", matter[i]);
    for (size_t i = 0; i < COUNT(harmless); i++)
        if (setting_matters_when_parsing(slice_from(harmless[i])))
            fail_msg("%s is taken to matter", harmless[i]);
    char name[400];
    memset(name, 'x', sizeof name);
    assert_true(setting_matters_when_parsing(slice_of(name, sizeof name)));
}

static void a_setting_with_a_dot_is_custom(void **state)
{
    (void)state;
    assert_true(setting_is_custom(slice_from("app.tenant")));
    assert_false(setting_is_custom(slice_from("work_mem")));
    assert_false(setting_is_custom(slice_of(NULL, 0)));
}

static void the_running_transactions_settings_are_told_by_name(void **state)
{
    (void)state;
    assert_true(setting_ends_with_transaction(slice_from("transaction_isolation")));
    assert_true(setting_ends_with_transaction(slice_from("Transaction_Read_Only")));
    assert_true(setting_ends_with_transaction(slice_from("transaction_deferrable")));
    assert_false(setting_ends_with_transaction(slice_from("transaction_timeout")));
    assert_false(setting_ends_with_transaction(slice_from("default_transaction_isolation")));
}

static void what_a_string_may_tell_a_function_to_set(void **state)
{
    static const char *const texts[][2] = {
        {"select f('set App.Tenant = 1')", "app.tenant"},
        {"select f('app.a', $$app.b$$), g(E'reset app.c')", "app.a app.b app.c"},
        {"select s.f(s.t.a), 'a', '1.5', '.x', 'x.', \"q.q\"", ""},
        {"select 'a.b.c' -- 'd.e'", "a.b.c"},
        {"select 'unterminated.x", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct heard heard = {""};
        setting_names_in_strings(slice_from(texts[i][0]), true, &heard, on_name);
        assert_string_equal(heard.names, texts[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_string_may_tell_a_function_to_set),
        cmocka_unit_test(names_are_found_wherever_a_text_sets_them),
        cmocka_unit_test(a_name_longer_than_the_bound_is_not_told),
        cmocka_unit_test(every_cut_of_a_text_is_read_to_its_end),
        cmocka_unit_test(only_what_is_known_to_be_harmless_does_not_matter),
        cmocka_unit_test(a_setting_with_a_dot_is_custom),
        cmocka_unit_test(the_running_transactions_settings_are_told_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
