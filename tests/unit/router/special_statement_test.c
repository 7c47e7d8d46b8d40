/* Statements that rolecall must look at itself: which strings are one, and which only look like it. */
#include "router/special_statement.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text;
    enum special_kind kind;
    const char *name, *value; /* SPECIAL_PREPARE: the statement */
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
    {"set local rolecall.route = replica", SPECIAL_OWN_SET, "route", "replica"},
    {"set local rolecall.route to default", SPECIAL_OWN_RESET, "route", "default"},
    {"set session local rolecall.route = replica", SPECIAL_NONE, "", ""},
    {"set local session rolecall.route = replica", SPECIAL_NONE, "", ""},
    {"set local work_mem = '1MB'", SPECIAL_NONE, "", ""},
    {"set rolecall.route = 'it''s'", SPECIAL_OWN_SET, "route", "it's"},
    {"set rolecall.route = $$x$$", SPECIAL_OWN_SET, "route", "x"},
    {"set rolecall.max_lag = 100", SPECIAL_OWN_SET, "max_lag", "100"},
    {"prepare s as select 1", SPECIAL_PREPARE, "s", "select 1"},
    {"/* a */ PREPARE \"S 1\" (int, numeric(10, 2), s.t[]) AS -- b\n insert into t values ($1) ;",
        SPECIAL_PREPARE, "S 1", "insert into t values ($1) "},
    {"prepare s() as values (1); ; /* c */", SPECIAL_PREPARE, "s", "values (1)"},
    {"prepare transaction as select 1", SPECIAL_PREPARE, "transaction", "select 1"},
    {"prepare transaction 'x'", SPECIAL_NONE, "", ""},
    {"prepare s as select 1; select 2", SPECIAL_NONE, "", ""},
    {"select 1; prepare s as select 1", SPECIAL_NONE, "", ""},
    {"prepare s as", SPECIAL_NONE, "", ""},
    {"prepare s as;", SPECIAL_NONE, "", ""},
    {"prepare s (int as select 1", SPECIAL_NONE, "", ""},
    {"prepare s as select 'x", SPECIAL_NONE, "", ""},
    {"prepare", SPECIAL_NONE, "", ""},
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
        struct slice value =
            special.kind == SPECIAL_PREPARE ? special.statement : slice_of(special.value, special.value_len);
        if (!slice_is(slice_of(special.name, special.name_len), rows[i].name) ||
            !slice_is(value, rows[i].value) ||
            special.local != (strncmp(rows[i].text, "set local ", 10) == 0))
            fail_msg("\"%s\": name, value or scope is wrong", rows[i].text);
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
    text = slice_from("prepare U&\"d!0061ta\" uescape '!' (int) as select $1");
    assert_true(special_statement(text, true, &special));
    assert_true(slice_is(special.token, "U&\"d!0061ta\" uescape '!'"));
    assert_true(slice_is(slice_of(special.name, special.name_len), "data"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_string_is_what_it_says),
        cmocka_unit_test(the_token_of_the_name_lies_in_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
