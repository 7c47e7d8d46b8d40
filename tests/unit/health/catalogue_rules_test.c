/* How special and what changes the session spread: through calls, views and cycles, by oid and by name; and
 * what the text of a function says. */
#include "health/catalogue_rules.h"
#include "router/sql/function_text.h"
#include "tests/unit/health/unit.h"

/* --- texts --- */

struct heard {
    char words[512];
};

static void on_call(void *context, const char *schema, const char *name, bool may_be_syntax)
{
    struct heard *heard = context;
    sprintf(heard->words + strlen(heard->words), "%s%s%s%s ", schema, schema[0] ? "." : "", name,
        may_be_syntax ? "(?" : "(");
}

static void on_name(void *context, const char *schema, const char *name)
{
    struct heard *heard = context;
    sprintf(heard->words + strlen(heard->words), "%s%s%s ", schema, schema[0] ? "." : "", name);
}

static void on_session(void *context)
{
    struct heard *heard = context;
    strcat(heard->words, "* ");
}

static void on_unreadable(void *context)
{
    struct heard *heard = context;
    strcat(heard->words, "! ");
}

static const char *const texts[][2] = {
    {"", ""},
    {"SELECT nextval('s') -- setval(1)\n", "select nextval( "},
    {"select /* f(1) */ \"My Table\".\"F\" (1)", "select My Table.F( "},
    {"SELECT 'f(1)', $$g(2)$$, $x$h()$x$, E'\\'k('", "select "},
    {"return (a.b + C.d(e))", "return(? a.b c.d( e "},
    {"IF (x) THEN PERFORM f(1); END IF", "if(? x then perform f( end if "},
    {"x := count(*) OVER (PARTITION BY a)", "x count( over(? partition by a "},
    {"SELECT a::numeric(1,2), CAST(b AS varchar(3))", "select a numeric(? cast(? b as varchar(? "},
    {"EXECUTE 'select 1'", "! "},
    {"SELECT t.execute, \"execute\"", "select t.execute execute "},
    {"SELECT f(1) AS x(a, b)", "select f( as x(? a b "},
    {"SELECT 'never ends", "select ! "},
    {"SELECT /* never ends", "select ! "},
    {"SELECT a.b.c(1), d . e ( 2 )", "select b.c( d.e( "},
    {"SELECT * FROM s.t, u.*", "select from s.t "},
    {"SELECT U&\"d\\0061ta\"(1)", "select data( "},
};

static void names_and_calls_are_found_where_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct heard heard = {""};
        const struct function_text_events events = {.context = &heard,
            .call = on_call,
            .name = on_name,
            .session = on_session,
            .unreadable = on_unreadable};
        function_text_read(slice_from(texts[i][0]), &events);
        if (strcmp(heard.words, texts[i][1]) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", texts[i][0], heard.words, texts[i][1]);
    }
}

/* Whether a text changes the session by a statement of its own. */
struct session_case {
    const char *text;
    bool changes;
};

static const struct session_case session_cases[] = {
    {"SET search_path = a", true},
    {"begin set a = 1; end", true},
    {"BEGIN x := 1; set session a to 1; END", true},
    {"IF a THEN SET ROLE x; ELSE NULL; END IF", true},
    {"IF a THEN NULL; ELSE set role x; END IF", true},
    {"LOOP SET a = 1; END LOOP", true},
    {"BEGIN <<here>> /* x */ SET a = 1; END", true},
    {"BEGIN SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; END", true},
    {"BEGIN SET LOCAL a = 1; SET CONSTRAINTS ALL DEFERRED; SET TRANSACTION READ ONLY; END", false},
    {"UPDATE t SET a = 1", false},
    {"WITH x AS (UPDATE t SET a = 1 RETURNING a) SELECT * FROM x", false},
    {"BEGIN UPDATE t AS u\nSET a = 1, b = 2 WHERE c; END", false},
    {"INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2", false},
    {"INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", false},
    {"MERGE INTO t USING u ON a = b WHEN MATCHED THEN UPDATE SET a = 1", false},
    {"ALTER TABLE t ALTER a SET DEFAULT 1", false},
    {"-- SET a = 1\nSELECT 'x; SET a = 1', $$;LISTEN x$$ /* ; RESET ALL */", false},
    {"BEGIN RESET ALL; END", true},
    {"BEGIN reset := true; load = 1; END", false},
    {"SELECT set, reset, t.listen FROM t", false},
    {"LISTEN x", true},
    {"SELECT 1; UNLISTEN *", true},
    {"PREPARE p AS SELECT 1", true},
    {"DEALLOCATE ALL", true},
    {"LOAD 'x'", true},
    {"DISCARD ALL", true},
    {"BEGIN DO 'x'; END", true},
    {"CREATE TEMP TABLE a (b int)", true},
    {"create temporary table a (b int)", true},
    {"CREATE LOCAL TEMP TABLE a (b int)", true},
    {"CREATE OR REPLACE TEMP VIEW a AS SELECT 1", true},
    {"CREATE TABLE pg_temp.a (b int)", true},
    {"CREATE TABLE temp (b int)", false},
    {"SELECT temp, temporary FROM temp", false},
    {"SELECT 1 INTO TEMP a", true},
    {"SELECT 1 INTO TEMPORARY TABLE a", true},
    {"SELECT a INTO temp FROM t", false},
    {"SELECT a INTO temp; RETURN temp", false},
    {"DECLARE c CURSOR WITH HOLD FOR SELECT 1", true},
    {"DECLARE c CURSOR WITHOUT HOLD FOR SELECT hold FROM t", false},
    {"SELECT set_config('a', 'b', false)", true},
    {"SELECT pg_catalog.set_config('a', 'b', $1)", true},
    {"SELECT \"set_config\"('a', 'b', not true)", true},
    {"SELECT set_config('a', 'b', true)", false},
    {"PERFORM set_config('a', f((1), 2), TRUE)", false},
    {"SELECT set_config('a', f(1, true), x)", true},
    {"SELECT set_config('a', set_config('b', 'c', true), true)", true}, /* not told apart */
    {"SELECT set_config('a', 'b', true), set_config('a', 'b', false)", true},
    {"SELECT set_config(", true},
    {"SELECT own.set_config('a', 'b', false)", false},
};

static void statements_that_change_the_session_are_told_from_those_that_do_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(session_cases); i++) {
        struct heard heard = {""};
        const struct function_text_events events = {.context = &heard,
            .call = on_call,
            .name = on_name,
            .session = on_session,
            .unreadable = on_unreadable};
        function_text_read(slice_from(session_cases[i].text), &events);
        if ((strchr(heard.words, '*') != NULL) != session_cases[i].changes)
            fail_msg("%s: \"%s\"", session_cases[i].text, heard.words);
    }
}

static void any_cut_of_a_text_is_read_to_its_end(void **state)
{
    (void)state;
    static const char text[] =
        "SELECT \"a\".b($1, 'c', $q$ d $q$), U&\"\\0061\" /* e */ FROM f -- g\n WHERE h(i)";
    for (size_t len = 0; len < sizeof text; len++) {
        char *cut = strndup(text, len); /* on the heap: the sanitizer sees a byte too far */
        struct heard heard = {""};
        const struct function_text_events events = {.context = &heard,
            .call = on_call,
            .name = on_name,
            .session = on_session,
            .unreadable = on_unreadable};
        function_text_read(slice_of(cut, len), &events);
        free(cut);
    }
}

/* --- rules --- */

static struct catalogue *decide(struct catalogue_rules *rules)
{
    struct catalogue *catalogue = catalogue_new("c", "d");
    catalogue_rules_decide(rules);
    catalogue_rules_fill(rules, catalogue);
    catalogue_rules_free(rules);
    return catalogue;
}

static enum name_kind function(const struct catalogue *catalogue, const char *schema, const char *name)
{
    return catalogue_function(catalogue, slice_from(schema), slice_from(name));
}

static enum name_kind relation(const struct catalogue *catalogue, const char *name)
{
    return catalogue_relation(catalogue, slice_of("", 0), slice_from(name));
}

static void special_spreads_through_any_number_of_calls(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    char name[16], text[64];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "f%d", i);
        snprintf(text, sizeof text, i == 199 ? "select nextval('s')" : "select public.f%d(1)", i + 1);
        catalogue_rules_function(
            rules, (uint32_t)(20000 + (i * 7919) % 200), "public", name, RULE_BODY_TEXT, text);
    }
    catalogue_rules_function(rules, 30000, "public", "g", RULE_BODY_TEXT, "select lower('x')");
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(function(catalogue, "public", "f0"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "public", "f150"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "public", "g"), NAME_HARMLESS);
    catalogue_unref(catalogue);
}

static void a_cycle_is_harmless_unless_something_special_is_in_it(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    catalogue_rules_function(rules, 1, "s", "even", RULE_BODY_TEXT, "select odd(1)");
    catalogue_rules_function(rules, 2, "s", "odd", RULE_BODY_TEXT, "select even(1)");
    catalogue_rules_function(rules, 3, "s", "ping", RULE_BODY_TEXT, "select pong(1)");
    catalogue_rules_function(rules, 4, "s", "pong", RULE_BODY_TEXT, "select ping(txid_current())");
    catalogue_rules_function(rules, 5, "s", "self", RULE_BODY_TEXT, "select self(1)");
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(function(catalogue, "s", "even"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "s", "odd"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "s", "ping"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "pong"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "self"), NAME_HARMLESS);
    catalogue_unref(catalogue);
}

static void a_namesake_in_another_schema_counts_only_when_no_schema_is_written(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    catalogue_rules_function(rules, 1, "a", "f", RULE_BODY_SPECIAL, NULL);
    catalogue_rules_function(rules, 2, "b", "f", RULE_BODY_TEXT, "select 1");
    catalogue_rules_function(rules, 3, "c", "exact", RULE_BODY_TEXT, "select b.f()");
    catalogue_rules_function(rules, 4, "c", "vague", RULE_BODY_TEXT, "select f()");
    catalogue_rules_function(rules, 5, "c", "nowhere", RULE_BODY_TEXT, "select d.f()");
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(function(catalogue, "c", "exact"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "c", "vague"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "c", "nowhere"), NAME_SPECIAL);
    catalogue_unref(catalogue);
}

static void what_changes_the_session_spreads_to_callers_of_any_volatility(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    catalogue_rules_function(rules, 1, "s", "sets", RULE_BODY_SPECIAL, "begin set a = 1; end");
    catalogue_rules_function(rules, 2, "s", "calls", RULE_BODY_SPECIAL, "select nextval('x'), s.sets()");
    catalogue_rules_function(rules, 3, "s", "stable", RULE_BODY_TEXT, "select calls()");
    catalogue_rules_function(rules, 4, "s", "locks", RULE_BODY_TEXT, "select pg_advisory_lock(1)");
    catalogue_rules_function(rules, 5, "s", "seeds", RULE_BODY_SPECIAL, "select setseed(0)");
    catalogue_rules_function(rules, 6, "s", "dynamic", RULE_BODY_TEXT, "begin execute format('x'); end");
    catalogue_rules_function(rules, 7, "s", "long", RULE_BODY_SESSION, NULL);
    catalogue_rules_function(rules, 8, "s", "ping", RULE_BODY_SPECIAL, "select pong()");
    catalogue_rules_function(rules, 9, "s", "pong", RULE_BODY_TEXT, "select ping(), sets()");
    catalogue_rules_relation(rules, 10, "s", "shows", false);
    catalogue_rules_function(rules, 11, "s", "reads", RULE_BODY_TEXT, "select * from shows");
    catalogue_rules_function(rules, 12, "s", "aggregate", RULE_BODY_DEPENDENT, NULL);
    catalogue_rules_relation(rules, 13, "s", "lock_view", false);
    const struct rule_object shows = {false, 10, "shows"}, sets = {true, 1, "sets"};
    const struct rule_object aggregate = {true, 12, "aggregate"}, lock_view = {false, 13, "lock_view"};
    const struct rule_object shipped = {true, 2880, "pg_advisory_lock"};
    catalogue_rules_depends(rules, &shows, &sets);
    catalogue_rules_depends(rules, &aggregate, &sets);
    catalogue_rules_depends(rules, &lock_view, &shipped);
    struct catalogue *catalogue = decide(rules);
    static const char *const names[] = {
        "sets", "calls", "stable", "locks", "seeds", "dynamic", "long", "ping", "pong", "reads", "aggregate"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (function(catalogue, "s", names[i]) != NAME_SESSION)
            fail_msg("%s is %d", names[i], (int)function(catalogue, "s", names[i]));
    }
    assert_int_equal(relation(catalogue, "shows"), NAME_SESSION);
    assert_int_equal(relation(catalogue, "lock_view"), NAME_SESSION);
    catalogue_unref(catalogue);
}

static void what_leaves_the_session_alone_is_only_as_special_as_before(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    catalogue_rules_function(rules, 1, "s", "writes", RULE_BODY_SPECIAL, "update t set a = 1");
    catalogue_rules_function(rules, 2, "s", "c_code", RULE_BODY_SPECIAL, NULL);
    catalogue_rules_function(rules, 3, "s", "calls", RULE_BODY_TEXT, "select c_code(), writes()");
    catalogue_rules_function(rules, 4, "s", "after_insert", RULE_BODY_SPECIAL, "select lastval()");
    catalogue_rules_function(rules, 5, "s", "local", RULE_BODY_SPECIAL,
        "select set_config('a', $1, true), pg_advisory_xact_lock(1)");
    catalogue_rules_function(rules, 6, "s", "unknown", RULE_BODY_TEXT, "select nobody_knows(1)");
    catalogue_rules_function(rules, 7, "s", "harmless", RULE_BODY_TEXT, "select lower('set')");
    struct catalogue *catalogue = decide(rules);
    static const char *const names[] = {"writes", "c_code", "calls", "after_insert", "local", "unknown"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (function(catalogue, "s", names[i]) != NAME_SPECIAL)
            fail_msg("%s is %d", names[i], (int)function(catalogue, "s", names[i]));
    }
    assert_int_equal(function(catalogue, "s", "harmless"), NAME_HARMLESS);
    catalogue_unref(catalogue);
}

static void what_the_operator_says_stops_the_spread_from_what_changes_the_session(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    catalogue_rules_function(rules, 1, "s", "sets", RULE_BODY_SPECIAL, "set a = 1");
    catalogue_rules_function(rules, 2, "s", "uses_sets", RULE_BODY_TEXT, "select sets()");
    catalogue_rules_function(rules, 3, "s", "listens", RULE_BODY_SPECIAL, "listen a");
    catalogue_rules_function(rules, 4, "s", "uses_listens", RULE_BODY_TEXT, "select listens()");
    catalogue_rules_override(rules, "sets", NAME_HARMLESS);
    catalogue_rules_override(rules, "s.listens", NAME_SPECIAL);
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(function(catalogue, "s", "sets"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "s", "uses_sets"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "s", "listens"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "uses_listens"), NAME_SPECIAL);
    catalogue_unref(catalogue);
}

static void views_and_functions_make_each_other_special(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    catalogue_rules_relation(rules, 1, "s", "fast", true);
    catalogue_rules_relation(rules, 2, "s", "view", false);
    catalogue_rules_relation(rules, 3, "s", "table", false);
    catalogue_rules_relation(rules, 5, "s", "upper", false);
    catalogue_rules_function(rules, 1, "s", "reads", RULE_BODY_TEXT, "select * from fast");
    catalogue_rules_function(rules, 2, "s", "good", RULE_BODY_TEXT, "select * from \"table\"");
    const struct rule_object view = {false, 2, "view"}, upper = {false, 5, "upper"},
                             reads = {true, 1, "reads"};
    const struct rule_object shipped = {true, 871, "upper"}, good = {true, 2, "good"};
    catalogue_rules_depends(rules, &view, &reads);
    catalogue_rules_depends(rules, &upper, &shipped);
    catalogue_rules_depends(rules, &upper, &good);
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(relation(catalogue, "view"), NAME_SPECIAL);
    assert_int_equal(relation(catalogue, "upper"), NAME_UNKNOWN);
    assert_int_equal(function(catalogue, "s", "reads"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "good"), NAME_HARMLESS);
    catalogue_unref(catalogue);
}

static void what_the_operator_says_wins_for_callers_too(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    catalogue_rules_function(rules, 1, "s", "c_code", RULE_BODY_SPECIAL, NULL);
    catalogue_rules_function(rules, 2, "s", "uses_c", RULE_BODY_TEXT, "select c_code()");
    catalogue_rules_function(rules, 3, "s", "sly", RULE_BODY_TEXT, "select 1");
    catalogue_rules_function(rules, 4, "s", "uses_sly", RULE_BODY_TEXT, "select sly()");
    catalogue_rules_function(rules, 5, "t", "sly", RULE_BODY_TEXT, "select 1");
    catalogue_rules_override(rules, "s.c_code", NAME_HARMLESS);
    catalogue_rules_override(rules, "sly", NAME_SPECIAL);
    catalogue_rules_override(rules, "s.nobody", NAME_SPECIAL);
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(function(catalogue, "s", "uses_c"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "s", "uses_sly"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "t", "sly"), NAME_SPECIAL);
    catalogue_unref(catalogue);
}

static void an_empty_database_has_an_empty_catalogue(void **state)
{
    (void)state;
    struct catalogue *catalogue = decide(catalogue_rules_new());
    assert_int_equal(function(catalogue, "s", "f"), NAME_UNKNOWN);
    catalogue_unref(catalogue);
    catalogue_rules_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_calls_are_found_where_they_are),
        cmocka_unit_test(statements_that_change_the_session_are_told_from_those_that_do_not),
        cmocka_unit_test(any_cut_of_a_text_is_read_to_its_end),
        cmocka_unit_test(special_spreads_through_any_number_of_calls),
        cmocka_unit_test(a_cycle_is_harmless_unless_something_special_is_in_it),
        cmocka_unit_test(a_namesake_in_another_schema_counts_only_when_no_schema_is_written),
        cmocka_unit_test(what_changes_the_session_spreads_to_callers_of_any_volatility),
        cmocka_unit_test(what_leaves_the_session_alone_is_only_as_special_as_before),
        cmocka_unit_test(what_the_operator_says_stops_the_spread_from_what_changes_the_session),
        cmocka_unit_test(views_and_functions_make_each_other_special),
        cmocka_unit_test(what_the_operator_says_wins_for_callers_too),
        cmocka_unit_test(an_empty_database_has_an_empty_catalogue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
