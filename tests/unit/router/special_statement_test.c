/* Statements that rolecall must look at itself: which strings are one, and which only look like it. */
#include "router/special_statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text;
    enum special_kind kind;
    const char *name, *value;
} rows[] = {
    {"select 1", SPECIAL_NONE, "", ""},
    {"execute s", SPECIAL_EXECUTE, "s", ""},
    {"EXECUTE \"S 1\" (1, 'x');", SPECIAL_EXECUTE, "S 1", ""},
    {"explain execute s", SPECIAL_NONE, "", ""},
    {"execute s; select 1", SPECIAL_NONE, "", ""},
    {"/* a */ deallocate -- b\n s", SPECIAL_DEALLOCATE, "s", ""},
    {"deallocate prepare S", SPECIAL_DEALLOCATE, "s", ""},
    {"deallocate all;", SPECIAL_DEALLOCATE_ALL, "", ""},
    {"deallocate \"all\"", SPECIAL_DEALLOCATE, "all", ""},
    {"reset work_mem", SPECIAL_RESET, "work_mem", ""},
    {"reset all", SPECIAL_RESET_ALL, "", ""},
    {"reset session authorization", SPECIAL_NONE, "", ""},
    {"reset rolecall.route", SPECIAL_OWN_RESET, "route", ""},
    {"set work_mem = '1MB'", SPECIAL_NONE, "", ""},
    {"set rolecall.route = replica", SPECIAL_OWN_SET, "route", "replica"},
    {"set session Rolecall.Max_Lag to '16MB' ;", SPECIAL_OWN_SET, "max_lag", "16MB"},
    {"set rolecall.route to default", SPECIAL_OWN_RESET, "route", "default"},
    {"set local rolecall.route = replica", SPECIAL_NONE, "", ""},
    {"set rolecall.route = replica; delete from t", SPECIAL_NONE, "", ""},
    {"show rolecall.node", SPECIAL_OWN_SHOW, "node", ""},
    {"show rolecall", SPECIAL_NONE, "", ""},
    {"show rolecallx.node", SPECIAL_NONE, "", ""},
    {"execute", SPECIAL_NONE, "", ""},
    {"execute 'unterminated", SPECIAL_NONE, "", ""},
    {"", SPECIAL_NONE, "", ""},
};

static void each_string_is_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct special_statement special;
        bool is = special_statement(slice_from(rows[i].text), true, &special);
        if (is != (rows[i].kind != SPECIAL_NONE) || special.kind != rows[i].kind)
            fail_msg("\"%s\" is taken for kind %d", rows[i].text, (int)special.kind);
        if (!is)
            continue;
        if (!slice_is(slice_of(special.name, special.name_len), rows[i].name) ||
            !slice_is(slice_of(special.value, special.value_len), rows[i].value))
            fail_msg("\"%s\": name or value is wrong", rows[i].text);
    }
}

static void the_token_of_the_name_lies_in_the_text(void **state)
{
    (void)state;
    struct special_statement special;
    struct slice text = slice_from("execute \"a\"\"b\" (1)");
    assert_true(special_statement(text, true, &special));
    assert_true(slice_is(special.token, "\"a\"\"b\""));
    assert_true(slice_is(slice_of(special.name, special.name_len), "a\"b"));
}

static void only_what_gives_back_is_a_reset(void **state)
{
    (void)state;
    assert_true(special_only_resets(slice_from("reset all"), true));
    assert_true(
        special_only_resets(slice_from("select pg_advisory_unlock_all(); close all; RESET ALL;"), true));
    assert_true(special_only_resets(slice_from("update t set a = 1; reset work_mem"), true));
    assert_false(special_only_resets(slice_from("reset all; set work_mem = '1MB'"), true));
    assert_false(special_only_resets(slice_from("reset all; select set_config('a', 'b', false)"), true));
    assert_false(special_only_resets(slice_from("select 1"), true));
    assert_false(special_only_resets(slice_from("reset all; select 'x"), true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_string_is_what_it_says),
        cmocka_unit_test(the_token_of_the_name_lies_in_the_text),
        cmocka_unit_test(only_what_gives_back_is_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
