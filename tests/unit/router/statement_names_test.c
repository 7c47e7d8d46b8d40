/* Where prepared statements are named in a text, and where it only looks so. */
#include "router/statement_names.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Each as verb, ordinal, + when it is alone, ! when it is plain, and the token. */
static const struct {
    const char *text, *found;
} rows[] = {
    {"execute s", "e0+! s"},
    {"EXECUTE \"S 1\" (1, 'x', -2.5, null, $1);", "e0+! \"S 1\""},
    {"execute s(now())", "e0+ s"},
    {"execute s('x'::text)", "e0+ s"},
    {"/* c */ deallocate prepare S ; ; -- c", "d0+ S"},
    {"deallocate all", "a0+ all"},
    {"deallocate prepare all", "a0+ all"},
    {"discard all", "a0+ all"},
    {"discard plans; DISCARD /* c */ ALL", "a1 ALL"},
    {"prepare s (int, numeric(10, 2)) as select $1", "p0+ s"},
    {"prepare transaction 'x'", ""},
    {"prepare transaction as select 1", "p0+ transaction"},
    {"prepare s", ""},
    {"prepare s as", ""},
    {"select 1; execute a; deallocate b; prepare c as select 2", "e1 a d2 b p3 c"},
    {";; execute a;; deallocate b", "e0 a d1 b"},
    {"explain execute s(1)", "e0+ s"},
    {"explain analyze verbose execute s", "e0+ s"},
    {"EXPLAIN (analyze, costs off) EXECUTE s", "e0+ s"},
    {"explain select execute s from t", ""},
    {"create table t as execute s", "e0+ s"},
    {"create temp table if not exists x.t (a, b) with (fillfactor = 70) on commit drop as execute s(1)",
        "e0+ s"},
    {"explain create table t as execute s", "e0+ s"},
    {"create view v as select a as execute from s", ""},
    {"create table t as select a as execute from s", ""},
    {"select execute s from t", ""},
    {"update t set execute = 1", ""},
    {"select 'execute s'; select $$execute t$$ /* execute u */", ""},
    {"execute U&\"d!0061ta\" uescape '!'", "e0+! U&\"d!0061ta\" uescape '!'"},
    {"execute", ""},
    {"execute s; select 'unterminated", "unreadable"},
    {"", ""},
};

static void describe(const char *text, char *out, size_t cap)
{
    struct statement_name uses[STATEMENT_NAMES_MAX];
    size_t n = statement_names(slice_from(text), true, uses);
    out[0] = 0;
    if (n == SIZE_MAX)
        snprintf(out, cap, "unreadable");
    for (size_t i = 0; n != SIZE_MAX && i < n; i++) {
        size_t at = strlen(out);
        snprintf(out + at, cap - at, "%s%c%u%s%s %.*s", i ? " " : "", "peda"[uses[i].verb], uses[i].ordinal,
            uses[i].alone ? "+" : "", uses[i].plain ? "!" : "", (int)uses[i].token.len, uses[i].token.data);
    }
}

static void each_name_is_found_where_it_stands(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char found[512];
        describe(rows[i].text, found, sizeof found);
        if (strcmp(found, rows[i].found) != 0)
            fail_msg("\"%s\": found \"%s\", not \"%s\"", rows[i].text, found, rows[i].found);
    }
}

static void names_are_folded_and_unquoted(void **state)
{
    (void)state;
    struct statement_name uses[STATEMENT_NAMES_MAX];
    assert_int_equal(statement_names(slice_from("execute A; execute \"A\"\"b\""), true, uses), 2);
    assert_true(slice_is(slice_of(uses[0].name, uses[0].name_len), "a"));
    assert_true(slice_is(slice_of(uses[1].name, uses[1].name_len), "A\"b"));
    assert_int_equal(statement_names(slice_from("prepare p as values (1) ;"), true, uses), 1);
    assert_true(slice_is(uses[0].statement, "values (1) "));
}

static void more_than_can_be_told_is_not_told(void **state)
{
    (void)state;
    struct statement_name uses[STATEMENT_NAMES_MAX];
    char text[(STATEMENT_NAMES_MAX + 1) * 10 + 1] = "";
    for (int i = 0; i < STATEMENT_NAMES_MAX; i++)
        strcat(text, "execute a;");
    assert_int_equal(statement_names(slice_from(text), true, uses), STATEMENT_NAMES_MAX);
    strcat(text, "execute a;");
    assert_true(statement_names(slice_from(text), true, uses) == SIZE_MAX);
}

static void a_string_is_taken_apart_statement_by_statement(void **state)
{
    (void)state;
    static const char *const parts[] = {"select ';', \"a;b\" ", " ", " do $$ x; y $$", "-- z;\n end"};
    struct slice rest = slice_from("select ';', \"a;b\" ; ; do $$ x; y $$;-- z;\n end");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_true(slice_is(statement_take(&rest, true), parts[i]));
    assert_int_equal(rest.len, 0);
    rest = slice_from("select 'open; reset all");
    assert_int_equal(statement_take(&rest, true).len, strlen("select 'open; reset all"));
    assert_int_equal(rest.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_is_found_where_it_stands),
        cmocka_unit_test(names_are_folded_and_unquoted),
        cmocka_unit_test(more_than_can_be_told_is_not_told),
        cmocka_unit_test(a_string_is_taken_apart_statement_by_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
