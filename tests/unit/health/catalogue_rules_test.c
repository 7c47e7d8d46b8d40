/* How special and what changes the session spread: through calls, views and cycles, by oid and by name; and
 * what the text of a function says. */
#include "health/catalogue_rules.h"
#include "health/catalogue_sql.h"
#include "router/sql/builtins.h"
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

#define SQL(...) (&(const struct rule_function){.language = RULE_LANGUAGE_TEXT, __VA_ARGS__})
#define C(...) (&(const struct rule_function){.language = RULE_LANGUAGE_OTHER, __VA_ARGS__})

/* Stable, in SQL. */
static void reads(
    struct catalogue_rules *rules, uint32_t oid, const char *schema, const char *name, const char *text)
{
    catalogue_rules_function(
        rules, SQL(.oid = oid, .schema = schema, .name = name, .volatility = RULE_STABLE, .text = text));
}

/* Volatile, in SQL. */
static void writes(
    struct catalogue_rules *rules, uint32_t oid, const char *schema, const char *name, const char *text)
{
    catalogue_rules_function(
        rules, SQL(.oid = oid, .schema = schema, .name = name, .volatility = RULE_VOLATILE, .text = text));
}

static void stable_c(struct catalogue_rules *rules, uint32_t oid, const char *schema, const char *name)
{
    catalogue_rules_function(rules, C(.oid = oid, .schema = schema, .name = name, .volatility = RULE_STABLE));
}

static void depends(struct catalogue_rules *rules, enum rule_class from, uint32_t from_oid,
    enum rule_class to, uint32_t to_oid, const char *to_name)
{
    const struct rule_object one = {from, from_oid, NULL}, other = {to, to_oid, to_name};
    catalogue_rules_depends(rules, &one, &other);
}

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
        reads(rules, (uint32_t)(20000 + (i * 7919) % 200), "public", name, text);
    }
    reads(rules, 30000, "public", "g", "select lower('x')");
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
    reads(rules, 1, "s", "even", "select odd(1)");
    reads(rules, 2, "s", "odd", "select even(1)");
    reads(rules, 3, "s", "ping", "select pong(1)");
    reads(rules, 4, "s", "pong", "select ping(txid_current())");
    reads(rules, 5, "s", "self", "select self(1)");
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
    stable_c(rules, 1, "a", "f");
    reads(rules, 2, "b", "f", "select 1");
    reads(rules, 3, "c", "exact", "select b.f()");
    reads(rules, 4, "c", "vague", "select f()");
    reads(rules, 5, "c", "nowhere", "select d.f()");
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
    writes(rules, 1, "s", "sets", "begin set a = 1; end");
    writes(rules, 2, "s", "calls", "select nextval('x'), s.sets()");
    reads(rules, 3, "s", "stable", "select calls()");
    reads(rules, 4, "s", "locks", "select pg_advisory_lock(1)");
    reads(rules, 6, "s", "dynamic", "begin execute format('x'); end");
    reads(rules, 7, "s", "long", NULL);
    writes(rules, 8, "s", "ping", "select pong()");
    reads(rules, 9, "s", "pong", "select ping(), sets()");
    catalogue_rules_relation(rules, 10, "s", "shows", false);
    reads(rules, 11, "s", "reads", "select * from shows");
    writes(rules, 14, "s", "unlocks", "select pg_advisory_unlock_all()");
    catalogue_rules_function(rules, SQL(.oid = 12, .schema = "s", .name = "aggregate", .aggregate = true));
    catalogue_rules_relation(rules, 13, "s", "lock_view", false);
    depends(rules, RULE_RELATION, 10, RULE_FUNCTION, 1, "sets");
    depends(rules, RULE_FUNCTION, 12, RULE_FUNCTION, 1, "sets");
    depends(rules, RULE_RELATION, 13, RULE_FUNCTION, 2880, "pg_advisory_lock");
    struct catalogue *catalogue = decide(rules);
    static const char *const names[] = {"sets", "calls", "stable", "locks", "dynamic", "long", "ping", "pong",
        "reads", "unlocks", "aggregate"};
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
    writes(rules, 1, "s", "writes", "update t set a = 1");
    stable_c(rules, 2, "s", "c_code");
    reads(rules, 3, "s", "calls", "select c_code(), writes()");
    writes(rules, 4, "s", "after_insert", "select lastval()");
    writes(rules, 5, "s", "local", "select set_config('a', $1, true), pg_advisory_xact_lock(1)");
    reads(rules, 6, "s", "unknown", "select nobody_knows(1)");
    reads(rules, 7, "s", "harmless", "select lower('set')");
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
    writes(rules, 1, "s", "sets", "set a = 1");
    reads(rules, 2, "s", "uses_sets", "select sets()");
    writes(rules, 3, "s", "listens", "listen a");
    reads(rules, 4, "s", "uses_listens", "select listens()");
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
    reads(rules, 1, "s", "reads", "select * from fast");
    reads(rules, 2, "s", "good", "select * from \"table\"");
    depends(rules, RULE_RELATION, 2, RULE_FUNCTION, 1, "reads");
    depends(rules, RULE_RELATION, 5, RULE_FUNCTION, 871, "upper");
    depends(rules, RULE_RELATION, 5, RULE_FUNCTION, 2, "good");
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
    stable_c(rules, 1, "s", "c_code");
    reads(rules, 2, "s", "uses_c", "select c_code()");
    reads(rules, 3, "s", "sly", "select 1");
    reads(rules, 4, "s", "uses_sly", "select sly()");
    reads(rules, 5, "t", "sly", "select 1");
    catalogue_rules_override(rules, "s.c_code", NAME_HARMLESS);
    catalogue_rules_override(rules, "sly", NAME_SPECIAL);
    catalogue_rules_override(rules, "s.nobody", NAME_SPECIAL);
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(function(catalogue, "s", "uses_c"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "s", "uses_sly"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "t", "sly"), NAME_SPECIAL);
    catalogue_unref(catalogue);
}

static void what_cannot_be_asked_for_spreads_past_what_can(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    writes(rules, 1, "s", "seeds", "select setseed(0)");
    writes(rules, 2, "s", "loads", "begin load 'x'; end");
    writes(rules, 3, "s", "any_setting", "select set_config(name, $1, false)");
    writes(rules, 4, "s", "origin", "select pg_replication_origin_session_setup('x')");
    writes(rules, 5, "s", "both", "begin set a = 1; perform seeds(); end");
    reads(rules, 6, "s", "calls", "select both()");
    writes(rules, 7, "s", "one_setting", "select set_config('a.b', $1, false)");
    catalogue_rules_function(rules, SQL(.oid = 8, .schema = "s", .name = "long_loads", .suspicious = true));
    catalogue_rules_function(
        rules, C(.oid = 9, .schema = "s", .name = "perl", .volatility = RULE_VOLATILE, .suspicious = true));
    struct catalogue *catalogue = decide(rules);
    static const char *const names[] = {
        "seeds", "loads", "any_setting", "origin", "both", "calls", "long_loads", "perl"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (function(catalogue, "s", names[i]) != NAME_OPAQUE)
            fail_msg("%s is %d", names[i], (int)function(catalogue, "s", names[i]));
    }
    assert_int_equal(function(catalogue, "s", "one_setting"), NAME_SESSION);
    catalogue_unref(catalogue);
}

static void code_that_cannot_be_read_changes_the_session_when_volatile_unless_its_extension_is_known(
    void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    const enum rule_volatility always = RULE_VOLATILE;
    catalogue_rules_function(rules, C(.oid = 1, .schema = "s", .name = "own", .volatility = always));
    catalogue_rules_function(
        rules, C(.oid = 2, .schema = "s", .name = "of_unknown", .volatility = always, .extension = "mine"));
    catalogue_rules_function(rules, C(.oid = 3, .schema = "s", .name = "uuid_generate_v4",
                                        .volatility = always, .extension = "uuid-ossp"));
    catalogue_rules_function(
        rules, C(.oid = 4, .schema = "s", .name = "set_limit", .volatility = always, .extension = "pg_trgm"));
    catalogue_rules_function(rules,
        C(.oid = 5, .schema = "s", .name = "show_limit", .volatility = RULE_STABLE, .extension = "pg_trgm"));
    catalogue_rules_function(rules,
        C(.oid = 6, .schema = "s", .name = "dblink_connect_u", .volatility = always, .extension = "dblink"));
    catalogue_rules_function(rules,
        C(.oid = 7, .schema = "s", .name = "dblink_exec", .volatility = always, .extension = "dblink"));
    catalogue_rules_function(rules,
        C(.oid = 8, .schema = "s", .name = "isn_weak", .volatility = RULE_IMMUTABLE, .extension = "isn"));
    stable_c(rules, 9, "s", "stable");
    catalogue_rules_function(rules, &(const struct rule_function){.oid = 10,
                                        .schema = "s",
                                        .name = "alias",
                                        .language = RULE_LANGUAGE_INTERNAL,
                                        .volatility = always,
                                        .text = "pg_advisory_lock"});
    catalogue_rules_function(rules, &(const struct rule_function){.oid = 11,
                                        .schema = "s",
                                        .name = "symbol",
                                        .language = RULE_LANGUAGE_INTERNAL,
                                        .volatility = always,
                                        .text = "no_such_function"});
    catalogue_rules_function(rules, &(const struct rule_function){.oid = 12,
                                        .schema = "s",
                                        .name = "lower2",
                                        .language = RULE_LANGUAGE_INTERNAL,
                                        .volatility = RULE_IMMUTABLE,
                                        .text = "lower"});
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(function(catalogue, "s", "own"), NAME_SESSION);
    assert_int_equal(function(catalogue, "s", "of_unknown"), NAME_SESSION);
    assert_int_equal(function(catalogue, "s", "uuid_generate_v4"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "set_limit"), NAME_SESSION);
    assert_int_equal(function(catalogue, "s", "show_limit"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "dblink_connect_u"), NAME_OPAQUE);
    assert_int_equal(function(catalogue, "s", "dblink_exec"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "isn_weak"), NAME_OPAQUE);
    assert_int_equal(function(catalogue, "s", "stable"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "alias"), NAME_SESSION);
    assert_int_equal(function(catalogue, "s", "symbol"), NAME_SESSION);
    assert_int_equal(function(catalogue, "s", "lower2"), NAME_HARMLESS);
    catalogue_unref(catalogue);
}

static enum name_kind write_of(const struct catalogue *catalogue, const char *schema, const char *name)
{
    return catalogue_write(catalogue, slice_from(schema), slice_from(name));
}

static void a_write_runs_what_stands_behind_its_relation(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    static const char *const names[] = {
        "", "fired", "referenced", "parent", "view", "calm", "stamped", "texted", "read_only", "viewing"};
    for (uint32_t i = 1; i < COUNT(names); i++)
        catalogue_rules_relation(rules, i, "s", names[i], false);
    catalogue_rules_function(
        rules, SQL(.oid = 1, .schema = "s", .name = "on_fired", .volatility = RULE_VOLATILE, .hidden = true,
                   .text = "begin set a = 1; return new; end"));
    writes(rules, 2, "s", "stamps", "begin return now(); end");
    writes(rules, 3, "s", "fills", "insert into fired (a) values (1)");
    writes(rules, 4, "s", "fills_other", "insert into t.fired values (1)");
    reads(rules, 5, "s", "only_reads", "select * from fired");
    depends(rules, RULE_WRITE, 1, RULE_FUNCTION, 1, "on_fired");
    depends(rules, RULE_WRITE, 2, RULE_WRITE, 1, "");
    depends(rules, RULE_WRITE, 3, RULE_WRITE, 2, "");
    depends(rules, RULE_WRITE, 4, RULE_WRITE, 3, "");
    depends(rules, RULE_WRITE, 6, RULE_FUNCTION, 2, "stamps");
    depends(rules, RULE_WRITE, 6, RULE_FUNCTION, 1299, "now");
    depends(rules, RULE_WRITE, 99, RULE_FUNCTION, 1, "on_fired"); /* of nobody */
    catalogue_rules_text(rules, RULE_WRITE, 7, "set_config('a.b', 'c', false)");
    depends(rules, RULE_WRITE, 9, RULE_WRITE, 8, "");
    depends(rules, RULE_RELATION, 9, RULE_FUNCTION, 2880, "pg_advisory_lock");
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(write_of(catalogue, "s", "fired"), NAME_SESSION);
    assert_int_equal(write_of(catalogue, "", "referenced"), NAME_SESSION);
    assert_int_equal(write_of(catalogue, "s", "parent"), NAME_SESSION);
    assert_int_equal(write_of(catalogue, "s", "view"), NAME_SESSION);
    assert_int_equal(write_of(catalogue, "s", "calm"), NAME_UNKNOWN);
    assert_int_equal(write_of(catalogue, "s", "stamped"), NAME_UNKNOWN);
    assert_int_equal(write_of(catalogue, "s", "texted"), NAME_SESSION);
    assert_int_equal(write_of(catalogue, "s", "read_only"), NAME_UNKNOWN);
    assert_int_equal(write_of(catalogue, "s", "viewing"), NAME_SESSION); /* it reads, too */
    assert_int_equal(relation(catalogue, "fired"), NAME_UNKNOWN);
    assert_int_equal(function(catalogue, "s", "on_fired"), NAME_UNKNOWN); /* nobody can call it */
    assert_int_equal(function(catalogue, "s", "fills"), NAME_SESSION);
    assert_int_equal(function(catalogue, "s", "fills_other"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "only_reads"), NAME_HARMLESS);
    const char *const *settings;
    assert_int_equal(catalogue_settings(catalogue, &settings), 1);
    assert_string_equal(settings[0], "a.b");
    catalogue_unref(catalogue);
}

static void operators_and_casts_lead_to_their_functions(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    writes(rules, 1, "s", "sets", "begin set a = 1; end");
    reads(rules, 2, "s", "reads_seq", "select last_value from seq");
    catalogue_rules_relation(rules, 1, "s", "seq", true);
    catalogue_rules_function(
        rules, C(.oid = 3, .schema = "s", .name = "c_same", .volatility = RULE_IMMUTABLE));
    stable_c(rules, 4, "s", "c_stable");
    reads(rules, 5, "s", "by_operator", "select 1 <-> 2");
    reads(rules, 6, "s", "by_type", "select $1::s.odd");
    reads(rules, 7, "s", "by_alias", "select cast($1 as integer)");
    reads(rules, 8, "s", "by_value", "select 1");
    catalogue_rules_operator(rules, 1, "<->");
    catalogue_rules_operator(rules, 2, "=");
    catalogue_rules_operator(rules, 3, "@@@");
    depends(rules, RULE_OPERATOR, 1, RULE_FUNCTION, 1, "sets");
    depends(rules, RULE_OPERATOR, 2, RULE_FUNCTION, 3, "c_same");
    depends(rules, RULE_OPERATOR, 2, RULE_FUNCTION, 871, "upper");
    depends(rules, RULE_OPERATOR, 3, RULE_FUNCTION, 4, "c_stable");
    catalogue_rules_type(rules, 1, "s", "odd");
    catalogue_rules_type(rules, 2, "s", "even");
    catalogue_rules_type(rules, 23, "pg_catalog", "int4");
    depends(rules, RULE_VALUE, 1, RULE_FUNCTION, 2, "reads_seq");
    depends(rules, RULE_TYPE, 2, RULE_FUNCTION, 3, "c_same");
    depends(rules, RULE_TYPE, 23, RULE_FUNCTION, 1, "sets");
    catalogue_rules_relation(rules, 2, "s", "with_odd", false);
    depends(rules, RULE_RELATION, 2, RULE_VALUE, 1, "");
    depends(rules, RULE_FUNCTION, 8, RULE_VALUE, 1, "");
    struct catalogue *catalogue = decide(rules);
    struct slice any = slice_of("", 0);
    assert_int_equal(catalogue_operator(catalogue, slice_from("<->")), NAME_SESSION);
    assert_int_equal(catalogue_operator(catalogue, slice_from("=")), NAME_UNKNOWN);
    assert_int_equal(catalogue_operator(catalogue, slice_from("@@@")), NAME_SPECIAL);
    assert_int_equal(catalogue_type(catalogue, slice_from("s"), slice_from("odd")), NAME_SPECIAL);
    assert_int_equal(catalogue_type(catalogue, any, slice_from("even")), NAME_UNKNOWN);
    assert_int_equal(catalogue_type(catalogue, any, slice_from("int4")), NAME_SESSION);
    assert_int_equal(catalogue_type(catalogue, any, slice_from("integer")), NAME_SESSION);
    assert_int_equal(relation(catalogue, "with_odd"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "by_operator"), NAME_SESSION);
    assert_int_equal(function(catalogue, "s", "by_type"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "by_alias"), NAME_SESSION);
    assert_int_equal(function(catalogue, "s", "by_value"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s", "c_same"), NAME_SPECIAL); /* by its name */
    catalogue_unref(catalogue);
}

static void what_the_operator_says_reaches_operators_and_triggers(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    catalogue_rules_function(
        rules, C(.oid = 1, .schema = "s", .name = "c_same", .volatility = RULE_IMMUTABLE));
    writes(rules, 2, "s", "sets", "begin set a = 1; end");
    catalogue_rules_relation(rules, 1, "s", "t", false);
    catalogue_rules_operator(rules, 1, "=");
    depends(rules, RULE_OPERATOR, 1, RULE_FUNCTION, 1, "c_same");
    depends(rules, RULE_WRITE, 1, RULE_FUNCTION, 2, "sets");
    catalogue_rules_override(rules, "c_same", NAME_SPECIAL);
    catalogue_rules_override(rules, "s.sets", NAME_HARMLESS);
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(catalogue_operator(catalogue, slice_from("=")), NAME_SPECIAL);
    assert_int_equal(write_of(catalogue, "s", "t"), NAME_UNKNOWN);
    catalogue_unref(catalogue);
}

static void ddl_runs_event_triggers(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    writes(rules, 1, "s", "on_ddl", "begin perform pg_advisory_lock(1); end");
    depends(rules, RULE_DDL, 0, RULE_FUNCTION, 1, "");
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(catalogue_ddl(catalogue), NAME_SESSION);
    catalogue_unref(catalogue);
    catalogue = decide(catalogue_rules_new());
    assert_int_equal(catalogue_ddl(catalogue), NAME_UNKNOWN);
    catalogue_unref(catalogue);
}

static void functions_that_set_more_than_can_be_kept_are_opaque(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    char text[256], name[32], long_name[CATALOGUE_SETTING_MAX_BYTES + 1] = "";
    for (uint32_t i = 0; i < CATALOGUE_MAX_SETTINGS + 2; i++) {
        snprintf(text, sizeof text, "begin set app.s%u = 1; set app.s0 = 2; end", i);
        snprintf(name, sizeof name, "f%u", i);
        writes(rules, 10 + i, "s", name, text);
    }
    memset(long_name, 'x', sizeof long_name - 1);
    snprintf(text, sizeof text, "begin set app.%s = 1; end", long_name);
    writes(rules, 1, "s", "long", text);
    struct catalogue *catalogue = decide(rules);
    const char *const *settings;
    assert_int_equal(catalogue_settings(catalogue, &settings), CATALOGUE_MAX_SETTINGS);
    assert_string_equal(settings[0], "app.s0");
    assert_int_equal(function(catalogue, "s", "long"), NAME_OPAQUE);
    assert_int_equal(function(catalogue, "s", "f0"), NAME_SESSION);
    assert_int_equal(function(catalogue, "s", "f255"), NAME_SESSION);
    assert_int_equal(function(catalogue, "s", "f256"), NAME_OPAQUE);
    assert_int_equal(function(catalogue, "s", "f257"), NAME_OPAQUE);
    catalogue_unref(catalogue);
}

static void any_asking_for_a_sequence_of_the_session_is_found(void **state)
{
    (void)state;
    for (int way = 0; way < 5; way++) {
        struct catalogue_rules *rules = catalogue_rules_new();
        catalogue_rules_relation(rules, 1, "s", "t", false);
        if (way == 1)
            writes(rules, 1, "s", "asks", "begin execute 'select LastVal()'; end");
        if (way == 2)
            depends(rules, RULE_WRITE, 1, RULE_FUNCTION, 1575, "currval");
        if (way == 3)
            catalogue_rules_function(
                rules, C(.oid = 1, .schema = "s", .name = "perl", .asks_sequences = true));
        if (way == 4)
            catalogue_rules_text(rules, RULE_RELATION, 1, "select set_config('a', currval('b')::text, true)");
        if (way == 0)
            depends(rules, RULE_RELATION, 1, RULE_FUNCTION, 20000, "currval"); /* a namesake */
        struct catalogue *catalogue = decide(rules);
        assert_int_equal(catalogue_reads_sequences(catalogue), way > 0);
        catalogue_unref(catalogue);
    }
}

/* A thousand schemas with the same names: every mention counts for all, and costs little. */
static void many_namesakes_count_as_one(void **state)
{
    (void)state;
    struct catalogue_rules *rules = catalogue_rules_new();
    char schema[16];
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(schema, sizeof schema, "s%u", i);
        catalogue_rules_relation(rules, 1 + i, schema, "t", i == 500);
        reads(rules, 1 + 2 * i, schema, "f", "select g(), g(), g(), g() from t, t, t, t");
        reads(rules, 2 + 2 * i, schema, "g", "select 1");
    }
    reads(rules, 5000, "x", "exact", "select s1.g() from s1.t");
    reads(rules, 5001, "x", "exact_special", "select s1.g() from s500.t");
    struct catalogue *catalogue = decide(rules);
    assert_int_equal(function(catalogue, "s0", "f"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "s999", "f"), NAME_SPECIAL);
    assert_int_equal(function(catalogue, "", "g"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "x", "exact"), NAME_HARMLESS);
    assert_int_equal(function(catalogue, "x", "exact_special"), NAME_SPECIAL);
    catalogue_unref(catalogue);
}

/* What the SQL asks for by name is what the generated list says. */
static void every_built_in_function_that_pins_is_looked_for(void **state)
{
    (void)state;
    size_t n = 0;
    for (size_t i = 0; i < builtin_functions_count; i++) {
        char quoted[80];
        if (builtin_functions[i].pins == 0 && builtin_functions[i].frees == 0)
            continue;
        snprintf(quoted, sizeof quoted, "'%s'", builtin_functions[i].name);
        if (!strstr(CATALOGUE_PINNING_FUNCTIONS, quoted))
            fail_msg("%s is not looked for", quoted);
        n++;
    }
    assert_true(n > 0);
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
        cmocka_unit_test(what_cannot_be_asked_for_spreads_past_what_can),
        cmocka_unit_test(
            code_that_cannot_be_read_changes_the_session_when_volatile_unless_its_extension_is_known),
        cmocka_unit_test(a_write_runs_what_stands_behind_its_relation),
        cmocka_unit_test(operators_and_casts_lead_to_their_functions),
        cmocka_unit_test(what_the_operator_says_reaches_operators_and_triggers),
        cmocka_unit_test(ddl_runs_event_triggers),
        cmocka_unit_test(functions_that_set_more_than_can_be_kept_are_opaque),
        cmocka_unit_test(any_asking_for_a_sequence_of_the_session_is_found),
        cmocka_unit_test(many_namesakes_count_as_one),
        cmocka_unit_test(every_built_in_function_that_pins_is_looked_for),
        cmocka_unit_test(an_empty_database_has_an_empty_catalogue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
