/* Statements about rolecall's own settings: which strings are one, and which only look like it. */
#include "router/own_statement.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text;
    bool is;
    enum own_verb verb;
    const char *name, *value;
} rows[] = {
    {"select 1", false, OWN_SHOW, "", ""},
    {"execute s", false, OWN_SHOW, "", ""},
    {"reset work_mem", false, OWN_SHOW, "", ""},
    {"reset all", false, OWN_SHOW, "", ""},
    {"reset session authorization", false, OWN_SHOW, "", ""},
    {"reset rolecall.route", true, OWN_RESET, "route", ""},
    {"set work_mem = '1MB'", false, OWN_SHOW, "", ""},
    {"set rolecall.route = replica", true, OWN_SET, "route", "replica"},
    {"set session Rolecall.Max_Lag to '16MB' ;", true, OWN_SET, "max_lag", "16MB"},
    {"set rolecall.route to default", true, OWN_RESET, "route", "default"},
    {"set local rolecall.route = replica", true, OWN_SET, "route", "replica"},
    {"set local rolecall.route to default", true, OWN_RESET, "route", "default"},
    {"set session local rolecall.route = replica", false, OWN_SHOW, "", ""},
    {"set local session rolecall.route = replica", false, OWN_SHOW, "", ""},
    {"set local work_mem = '1MB'", false, OWN_SHOW, "", ""},
    {"set rolecall.route = 'it''s'", true, OWN_SET, "route", "it's"},
    {"set rolecall.route = $$x$$", true, OWN_SET, "route", "x"},
    {"set rolecall.max_lag = 100", true, OWN_SET, "max_lag", "100"},
    {"set rolecall.route = replica; delete from t", false, OWN_SHOW, "", ""},
    {"show rolecall.node", true, OWN_SHOW, "node", ""},
    {"show rolecall", false, OWN_SHOW, "", ""},
    {"show rolecallx.node", false, OWN_SHOW, "", ""},
    {"show \"rolecall\".\"Node\"", true, OWN_SHOW, "Node", ""},
    {"reset rolecall.route; reset all", false, OWN_SHOW, "", ""},
    {"reset rolecall.", false, OWN_SHOW, "", ""},
    {"set rolecall.route", false, OWN_SHOW, "", ""},
    {"show", false, OWN_SHOW, "", ""},
    {"", false, OWN_SHOW, "", ""},
};

static void each_string_is_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct own_statement own;
        bool is = own_statement(slice_from(rows[i].text), true, &own);
        if (is != rows[i].is || (is && own.verb != rows[i].verb))
            fail_msg("\"%s\" is taken for verb %d", rows[i].text, is ? (int)own.verb : -1);
        if (!is)
            continue;
        if (!slice_is(slice_of(own.name, own.name_len), rows[i].name) ||
            !slice_is(slice_of(own.value, own.value_len), rows[i].value) ||
            own.local != (strncmp(rows[i].text, "set local ", 10) == 0))
            fail_msg("\"%s\": name, value or scope is wrong", rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_string_is_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
