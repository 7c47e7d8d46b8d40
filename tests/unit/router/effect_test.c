/*
 * What statements leave in their session, by tables: the text, and the flags, pins and frees of its
 * classification. Other flags are left out here, see classify_test.c. The catalogue of these tests knows the
 * function public.safe() harmless, public.risky() special, public.asking() and the view public.asked to
 * change the session, public.hiding() and the view public.hidden to change it opaquely; writes to
 * public.audited and public.sealed run such functions, the operators === and ### are such functions, and so
 * are the casts of the types public.odd and public.odder.
 */
#include "router/classify.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SURVEY (STATEMENT_SURVEY | STATEMENT_SETS_ANY | STATEMENT_SETS_PARSING)
#define PARSING STATEMENT_SETS_PARSING
#define EFFECTS (SURVEY | STATEMENT_SETS | STATEMENT_RESETS | STATEMENT_RESET_ALL | STATEMENT_ISOLATION)

struct effect_case {
    const char *text;
    uint32_t flags, pins, frees;
};

static struct catalogue *catalogue;

static int set_up(void **state)
{
    (void)state;
    catalogue = catalogue_new("main", "shop");
    catalogue_add_function(catalogue, "public", "safe", NAME_HARMLESS);
    catalogue_add_function(catalogue, "public", "risky", NAME_SPECIAL);
    catalogue_add_function(catalogue, "public", "asking", NAME_SESSION);
    catalogue_add_function(catalogue, "public", "hiding", NAME_OPAQUE);
    catalogue_add_relation(catalogue, "public", "asked", NAME_SESSION);
    catalogue_add_relation(catalogue, "public", "hidden", NAME_OPAQUE);
    catalogue_add_write(catalogue, "public", "audited", NAME_SESSION);
    catalogue_add_write(catalogue, "public", "sealed", NAME_OPAQUE);
    catalogue_add_operator(catalogue, "===", NAME_SESSION);
    catalogue_add_operator(catalogue, "###", NAME_OPAQUE);
    catalogue_add_operator(catalogue, "<>", NAME_SESSION);
    catalogue_add_type(catalogue, "public", "odd", NAME_SESSION);
    catalogue_add_type(catalogue, "public", "odder", NAME_OPAQUE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    catalogue_unref(catalogue);
    return 0;
}

static void check_with(const struct effect_case *cases, size_t count, const struct catalogue *with)
{
    for (size_t i = 0; i < count; i++) {
        const struct effect_case *expected = &cases[i];
        size_t len = strlen(expected->text);
        char *copy = malloc(len ? len : 1); /* exactly that long: the sanitizer sees a look past the end */
        struct classification is;
        memcpy(copy, expected->text, len);
        classify(slice_of(copy, len), with, true, &is);
        if ((is.flags & EFFECTS) != expected->flags || is.pins != expected->pins ||
            is.frees != expected->frees)
            fail_msg("%s\n  has flags %#x pins %#x frees %#x, expected %#x %#x %#x", expected->text,
                is.flags & EFFECTS, is.pins, is.frees, expected->flags, expected->pins, expected->frees);
        free(copy);
    }
}

#define CHECK_WITH(catalogue, ...)                                                                           \
    static const struct effect_case cases[] = {__VA_ARGS__};                                                 \
    (void)state;                                                                                             \
    check_with(cases, sizeof cases / sizeof *cases, catalogue)
#define CHECK(...) CHECK_WITH(catalogue, __VA_ARGS__)

#define NOTHING(text)                                                                                        \
    {                                                                                                        \
        text, 0, 0, 0                                                                                        \
    }
#define FLAGS(text, flags)                                                                                   \
    {                                                                                                        \
        text, flags, 0, 0                                                                                    \
    }
#define PINS(text, pins)                                                                                     \
    {                                                                                                        \
        text, 0, pins, 0                                                                                     \
    }
#define FREES(text, frees)                                                                                   \
    {                                                                                                        \
        text, 0, 0, frees                                                                                    \
    }
/* May change the session: what is found out by asking, and what is not. */
#define ASKED(text) FLAGS(text, SURVEY)
#define OPAQUE(text)                                                                                         \
    {                                                                                                        \
        text, SURVEY, PIN_FUNCTION, 0                                                                        \
    }

static void the_view_of_settings_is_written_to_set_them(void **state)
{
    CHECK(ASKED("update pg_settings set setting = '3MB' where name = 'work_mem'"),
        ASKED("update pg_catalog.pg_settings set setting = 1"), NOTHING("select * from pg_settings"));
}

static void set_tells_whether_the_setting_matters(void **state)
{
    CHECK(FLAGS("set work_mem = '1MB'", STATEMENT_SETS), FLAGS("set session Work_Mem to 1", STATEMENT_SETS),
        FLAGS("set \"Work_Mem\" = 1", STATEMENT_SETS), FLAGS("set statement_timeout to '1s'", STATEMENT_SETS),
        FLAGS("set app.tenant = 7", STATEMENT_SETS), FLAGS("set local.tenant = 7", STATEMENT_SETS),
        FLAGS("set a = 1", STATEMENT_SETS | PARSING), FLAGS("set search_path = a", STATEMENT_SETS | PARSING),
        FLAGS("set time zone 'UTC'", STATEMENT_SETS | PARSING),
        FLAGS("set names 'utf8'", STATEMENT_SETS | PARSING),
        FLAGS("set xml option content", STATEMENT_SETS | PARSING),
        FLAGS("set schema 'a'", STATEMENT_SETS | PARSING), FLAGS("set role r", STATEMENT_SETS | PARSING),
        FLAGS("set session authorization r", STATEMENT_SETS | PARSING),
        FLAGS("set session characteristics as transaction read only", STATEMENT_SETS),
        FLAGS("set session characteristics as transaction isolation level serializable",
            STATEMENT_SETS | STATEMENT_ISOLATION),
        FLAGS("set default_transaction_isolation = 'repeatable read'", STATEMENT_SETS | STATEMENT_ISOLATION),
        FLAGS("set default_transaction_isolation = 'Read Committed'", STATEMENT_SETS),
        {"set search_path = pg_temp, public", STATEMENT_SETS | PARSING, PIN_TEMPORARY, 0},
        {"set \"search_path\" to 'pg_temp'", STATEMENT_SETS | PARSING, PIN_TEMPORARY, 0},
        FLAGS("set search_path = public, pg_temp", STATEMENT_SETS | PARSING),
        FLAGS("set work_mem = 1; set a = 2", STATEMENT_SETS | PARSING));
}

static void set_local_is_over_with_the_transaction(void **state)
{
    CHECK(NOTHING("set local work_mem = '1MB'"), NOTHING("set local app.tenant = 7"),
        FLAGS("set local search_path = pg_temp", PARSING), FLAGS("set local role r", PARSING),
        FLAGS("set local time zone 'UTC'", PARSING), FLAGS("set local a to default", PARSING),
        NOTHING("set local session characteristics as transaction read only"),
        NOTHING("set constraints all deferred"), NOTHING("set transaction read only"),
        NOTHING("set session transaction read only"), NOTHING("set transaction_read_only = on"),
        FLAGS("set transaction isolation level serializable", STATEMENT_ISOLATION),
        FLAGS("set transaction_isolation = serializable", STATEMENT_ISOLATION),
        NOTHING("set transaction_isolation to 'read committed'"),
        FLAGS("set transaction read write", STATEMENT_ISOLATION),
        FLAGS("set local transaction_read_only = off", STATEMENT_ISOLATION),
        FLAGS("reset transaction_read_only", STATEMENT_ISOLATION),
        NOTHING("reset transaction isolation level"));
}

static void what_is_reset_is_told_from_what_is_set(void **state)
{
    CHECK(FLAGS("reset work_mem", STATEMENT_SETS_ANY), FLAGS("reset app.tenant", STATEMENT_SETS_ANY),
        FLAGS("set work_mem to default", STATEMENT_SETS_ANY),
        FLAGS("reset search_path", STATEMENT_SETS_ANY | PARSING),
        FLAGS("set a = default", STATEMENT_SETS_ANY | PARSING),
        FLAGS("set session authorization default", STATEMENT_SETS_ANY | PARSING),
        FLAGS("set time zone local", STATEMENT_SETS_ANY | PARSING),
        FLAGS("reset all", STATEMENT_RESETS | PARSING),
        {"discard all", STATEMENT_RESET_ALL | STATEMENT_RESETS | PARSING, 0,
            PIN_ASKABLE | PIN_SEQUENCE | PIN_SETTING},
        FREES("discard temp", PIN_TEMPORARY), FREES("discard temporary", PIN_TEMPORARY),
        FREES("discard sequences", PIN_SEQUENCE), NOTHING("discard plans"));
}

static void settings_that_cannot_be_asked_for_pin(void **state)
{
    CHECK(PINS("set seed = 0.5", PIN_FUNCTION), PINS("set local seed = 0.5", PIN_FUNCTION),
        NOTHING("reset seed"), PINS("select set_config('seed', '0.5', true)", PIN_FUNCTION),
        {"set a\xFF = 1", STATEMENT_SETS_ANY | PARSING, PIN_SETTING, 0},
        {"select set_config($1, 'b', false)", STATEMENT_SETS_ANY | PARSING, PIN_SETTING, 0},
        {"select set_config('a' || b, 'c', d)", STATEMENT_SETS_ANY | PARSING, PIN_SETTING, 0},
        FLAGS("select set_config($1, 'b', true)", PARSING),
        FLAGS("select set_config(name, value, TRUE) from t", PARSING));
}

static void set_config_is_the_sessions_unless_its_third_argument_is_true(void **state)
{
    CHECK(FLAGS("select set_config('work_mem', $1, false)", STATEMENT_SETS),
        FLAGS("select pg_catalog.Set_Config ( 'App.X', $1, $2)", STATEMENT_SETS),
        FLAGS("select set_config('Search_Path', 'b', false)", STATEMENT_SETS | PARSING),
        FLAGS("select set_config('a', 'b', not true)", STATEMENT_SETS | PARSING),
        FLAGS("select set_config('a', 'b', true and x)", STATEMENT_SETS | PARSING),
        FLAGS("select set_config('a', true)", STATEMENT_SETS | PARSING),
        FLAGS("select set_config('a', 'b', true)", PARSING),
        NOTHING("select set_config('app.x', f.g, true) from f"),
        NOTHING("select set_config('work_mem', safe(1, 2), true)"),
        FLAGS("select set_config('a', 'b', TRUE), set_config('work_mem', 'd', false)",
            STATEMENT_SETS | PARSING),
        FLAGS("select set_config('app.a', set_config('app.b', 'c', true), true)", STATEMENT_SETS),
        FLAGS("insert into t values (set_config('app.a', 'b', false))", STATEMENT_SETS),
        FLAGS("explain analyze select set_config('app.a', 'b', false)", STATEMENT_SETS),
        NOTHING("explain select set_config('app.a', 'b', false), set_config($1, $2, false)"),
        NOTHING("select set_config('transaction_read_only', 'on', false)"),
        ASKED("select public.set_config('a', 'b', false)"));
}

static void what_the_session_keeps_is_asked_for(void **state)
{
    CHECK(PINS("listen a", PIN_LISTEN), FREES("unlisten a", PIN_LISTEN), FREES("unlisten *", PIN_LISTEN),
        PINS("load 'x'", PIN_LOAD), PINS("prepare p (int) as select pg_advisory_lock($1)", PIN_PREPARE),
        PINS("prepare transaction as select 1", PIN_PREPARE), NOTHING("execute p(1)"),
        ASKED("execute p(asking())"), FREES("deallocate p", PIN_PREPARE),
        FREES("deallocate all", PIN_PREPARE), NOTHING("declare c cursor for select risky()"),
        NOTHING("declare c cursor without hold for select 1"),
        PINS("declare c scroll cursor with hold for select * from t", PIN_CURSOR), NOTHING("fetch 10 from c"),
        FREES("close c", PIN_CURSOR), FREES("close all", PIN_CURSOR),
        PINS("create temp table t (a int)", PIN_TEMPORARY),
        PINS("explain analyze create temp table t as select 1", PIN_TEMPORARY),
        NOTHING("explain create temp table t as select 1"), FREES("drop table t", PIN_TEMPORARY),
        FREES("drop view if exists v", PIN_TEMPORARY), NOTHING("commit"), NOTHING("rollback"),
        {"listen a; unlisten b; close c", 0, PIN_LISTEN, PIN_LISTEN | PIN_CURSOR});
}

static void builtin_functions_pin_and_free(void **state)
{
    CHECK(PINS("select pg_advisory_lock(1)", PIN_ADVISORY_LOCK),
        PINS("select PG_TRY_ADVISORY_LOCK(1)", PIN_ADVISORY_LOCK),
        PINS("select pg_catalog.pg_advisory_lock_shared(1)", PIN_ADVISORY_LOCK),
        FREES("select pg_advisory_unlock(1)", PIN_ADVISORY_LOCK),
        FREES("select pg_catalog.pg_advisory_unlock_shared(1, 2)", PIN_ADVISORY_LOCK),
        FREES("select pg_advisory_unlock_all()", PIN_ADVISORY_LOCK),
        NOTHING("explain select pg_advisory_unlock_all(), pg_advisory_lock(1)"),
        FREES("explain analyze select pg_advisory_unlock_all()", PIN_ADVISORY_LOCK),
        NOTHING("select pg_advisory_xact_lock(1)"), PINS("select setseed(0.5)", PIN_FUNCTION),
        PINS("select currval('s')", PIN_SEQUENCE), PINS("select lastval()", PIN_SEQUENCE),
        NOTHING("select setval('s', 1), nextval('s')"), ASKED("select public.pg_advisory_lock(1)"),
        PINS("insert into t values (currval('s'))", PIN_SEQUENCE),
        PINS("update t set a = 1 where pg_try_advisory_lock(b)", PIN_ADVISORY_LOCK),
        PINS("execute p(currval('s'))", PIN_SEQUENCE),
        PINS("declare c cursor for select pg_advisory_lock(a) from t", PIN_ADVISORY_LOCK));
}

static void functions_and_views_that_change_the_session_are_asked_about(void **state)
{
    CHECK(ASKED("select asking()"), ASKED("select public.\"asking\" ( 1 )"), ASKED("select t.asking from t"),
        ASKED("select (t).asking from t"), ASKED("select * from safe(1), asking()"),
        ASKED("copy (select asking()) to stdout"), ASKED("explain analyze select asking()"),
        ASKED("explain select asking()"), ASKED("/* rolecall: replica */ select asking()"),
        ASKED("select * from asked"), ASKED("table public.asked"), ASKED("insert into t values (asking())"),
        ASKED("update t set a = 1 where asking()"), ASKED("create table t as select asking()"),
        ASKED("copy t from stdin where asking()"), NOTHING("select asking"),
        NOTHING("select 'asking()' -- asking()"), NOTHING("create view v as select asking()"),
        OPAQUE("select hiding()"), OPAQUE("select t.hiding from t"), OPAQUE("select * from hidden"),
        OPAQUE("insert into t select hiding()"), NOTHING("select risky(), safe(1)"));
}

static void functions_that_nothing_is_known_of_are_asked_about(void **state)
{
    CHECK(ASKED("select unheard_of(1)"), ASKED("select app.asking()"),
        ASKED("insert into t values (unheard_of(1))"), ASKED("delete from t where unheard_of(a)"),
        ASKED("explain select unheard_of(1)"), ASKED("create table t as select unheard_of(1)"),
        ASKED("/* rolecall: replica */ select unheard_of(1)"),
        NOTHING(
            "create table t (a int primary key, b int references u (c), foreign key (b) references u (c))"),
        NOTHING("create table t (a numeric(3, 2)) partition by range (a)"),
        NOTHING("create view v as select unheard_of(1)"), NOTHING("execute unheard_of(1)"),
        NOTHING("insert into t (a, b) values (1, 2) on conflict (a) do update set (a, b) = (1, 2)"),
        NOTHING("insert into public.t as x (a) select 1 on conflict on constraint c do nothing"),
        NOTHING("update t set (a, b) = (select 1, 2)"), NOTHING("update only (t) set (a) = row(1)"),
        NOTHING("update t as x set (a, b) = (1, 2) from u v (c) where true returning (a)"),
        NOTHING("merge into t using (select 1) u (a) on (true) when not matched then insert (a) values (1) "
                "when matched then update set (a) = row(2)"),
        NOTHING("with x as (select 1) insert into t values (1) on conflict (a) do update set (a) = row(2)"),
        NOTHING("with x as (insert into t values (1) on conflict (a) do nothing returning 1) table x"),
        NOTHING(
            "with x as (select 1) merge into t using x on true when not matched then insert (a) values (1)"),
        NOTHING("create table t as execute p(1)"), NOTHING("explain analyze execute p(1)"),
        ASKED("explain analyze execute p(unheard_of(1))"),
        NOTHING("delete from t using u where (a) = (select 1)"));
}

static void without_a_catalogue_no_function_is_known_to_be_unknown(void **state)
{
    CHECK_WITH(NULL, NOTHING("select unheard_of(1)"), NOTHING("insert into audited values ('x'::odd === 1)"),
        FLAGS("set a = 1", STATEMENT_SETS | PARSING), PINS("select setseed(1)", PIN_FUNCTION),
        ASKED("call unheard_of(1)"), NOTHING("do $$ begin perform unheard_of(1); end $$"),
        ASKED("do $$ begin set a = 1; end $$"));
}

static void writes_run_what_hangs_on_the_relation(void **state)
{
    CHECK(ASKED("insert into audited values (1)"), ASKED("insert into public.audited (a) values (1)"),
        ASKED("insert into \"audited\" as x default values"), ASKED("update only audited set a = 1"),
        ASKED("delete from audited"), ASKED("truncate t, audited"),
        ASKED("merge into audited using t on true when matched then delete"),
        ASKED("copy audited from stdin"), ASKED("copy public.audited (a) from '/x'"),
        ASKED("with x as (insert into audited values (1) returning 1) select 1"),
        ASKED("select * from (with x as (delete from audited returning 1) table x) y"),
        ASKED("with x as (select 1) update audited set a = 1"),
        ASKED("explain analyze insert into audited values (1)"),
        ASKED("copy (delete from audited returning 1) to stdout"), OPAQUE("insert into sealed values (1)"),
        OPAQUE("copy sealed from stdin"), NOTHING("insert into app.audited values (1)"),
        NOTHING("explain insert into audited values (1)"),
        NOTHING("explain with x as (delete from audited returning 1) table x"),
        NOTHING("select * from audited"), NOTHING("copy audited to stdout"),
        NOTHING("insert into t values ('audited')"), NOTHING("lock table audited"));
}

static void operators_and_types_lead_to_functions(void **state)
{
    CHECK(ASKED("select a === b from t"), ASKED("select a operator(public.===) b from t"),
        OPAQUE("select a ### b from t"), ASKED("delete from t where a != b"),
        ASKED("select a not in (1, 2) from t"), ASKED("select 'x'::odd"),
        OPAQUE("select cast(a as public.odder) from t"), ASKED("select a::odd(3) from t"),
        ASKED("update t set a = b::odd"), ASKED("explain select a === b from t"),
        NOTHING("select a @ b from t"), NOTHING("select '===', 'odd'"), NOTHING("select 'x'::app.odd"),
        NOTHING("create view v as select a === b from t"));
}

static void ddl_runs_event_triggers(void **state)
{
    struct catalogue *triggers = catalogue_new("main", "shop");
    static const struct effect_case cases[] = {ASKED("create table t (a int)"),
        ASKED("alter table t add b int"), {"drop table t", SURVEY, 0, PIN_TEMPORARY},
        ASKED("grant select on t to u"), ASKED("comment on table t is 'x'"),
        ASKED("refresh materialized view m"), ASKED("select 1 into t"),
        ASKED("do $$ begin create table t (a int); end $$"), ASKED("do $$ begin DROP TABLE t; end $$"),
        NOTHING("do $$ begin update t set a = 1; end $$"), NOTHING("explain select 1 into t"),
        NOTHING("insert into t values (1)"), NOTHING("select 1")};
    (void)state;
    catalogue_set_ddl(triggers, NAME_SESSION);
    check_with(cases, sizeof cases / sizeof *cases, triggers);
    catalogue_unref(triggers);
}

static void the_program_of_a_do_tells_what_it_leaves(void **state)
{
    CHECK(NOTHING("do $$ begin update t set a = 1; perform safe(1); raise notice 'x'; end $$"),
        NOTHING("do 'begin insert into t values (''x''); end' language plpgsql"),
        NOTHING("do language \"plpgsql\" $x$ begin null; end $x$"), NOTHING("do language 'sql' 'select 1'"),
        NOTHING("do $$ begin set local work_mem = 1; set local app.x = 1; end $$"),
        NOTHING("do $$ begin perform risky(), pg_advisory_xact_lock(1); end $$"),
        FLAGS("do $$ begin set local search_path = a; end $$", PARSING),
        FLAGS("do $$ begin perform set_config('a', 'b', true); end $$", PARSING),
        FLAGS("do $$ begin perform set_config(name, 'b', true) from t; end $$", PARSING),
        ASKED("do $$ begin set work_mem = 1; end $$"), ASKED("do $$ begin create temp table t (); end $$"),
        ASKED("do $$ begin execute 'select 1'; end $$"),
        ASKED("do $$ begin perform set_config('app.a', 'b', false); end $$"),
        ASKED("do $$ begin perform asking(); end $$"), ASKED("do $$ begin perform unheard_of(1); end $$"),
        ASKED("do $$ begin if exists (select from asked) then null; end if; end $$"),
        ASKED("do 'begin insert into audited values (1); end'"), ASKED("do $$ begin x := a === b; end $$"),
        ASKED("do $$ declare x odd; begin null; end $$"), ASKED("do $$ begin x := r.asking; end $$"),
        ASKED("do language plpython3u $$ pass $$"), ASKED("do $$ begin $$ language plperl"),
        ASKED("do E'begin \\x6eull; end'"), ASKED("do 'begin null;'\n' end'"), ASKED("do U&'begin end'"),
        ASKED("do"), ASKED("do 'a' 'b'"), OPAQUE("do $$ begin perform hiding(); end $$"),
        OPAQUE("do $$ begin load 'x'; end $$"), OPAQUE("do $$ begin delete from sealed; end $$"),
        OPAQUE("do $$ begin perform set_config(name, 'b', false) from t; end $$"),
        OPAQUE("do $$ begin execute 'load ''x'''; end $$"),
        PINS("do $$ begin perform setseed(0.5); end $$", PIN_FUNCTION),
        PINS("do $$ begin perform pg_advisory_lock(1); end $$", PIN_ADVISORY_LOCK),
        FREES("do $$ begin perform pg_advisory_unlock(1); end $$", PIN_ADVISORY_LOCK),
        PINS("do $$ begin x := lastval(); end $$", PIN_SEQUENCE),
        {"do $$ begin execute 'select CurrVal(''s'')'; end $$", SURVEY, PIN_SEQUENCE, 0});
}

static void backslashes_in_a_program_are_not_understood_without_standard_strings(void **state)
{
    (void)state;
    struct classification is;
    classify(
        slice_from("do $$ begin raise notice 'a\\''; set work_mem = 1; --'; end $$"), catalogue, false, &is);
    assert_int_equal(is.flags & EFFECTS, SURVEY);
    classify(slice_from("do $$ begin raise notice 'a'; end $$"), catalogue, false, &is);
    assert_int_equal(is.flags & EFFECTS, 0);
}

static void a_program_too_long_to_be_decoded_may_do_anything(void **state)
{
    (void)state;
    static char text[20000];
    struct classification is;
    strcpy(text, "do 'begin raise notice ''");
    memset(text + strlen(text), 'x', 9000);
    strcat(text, "''; end'");
    classify(slice_from(text), catalogue, true, &is);
    assert_int_equal(is.flags & EFFECTS, SURVEY);
    strcpy(text, "do $$ begin raise notice '");
    memset(text + strlen(text), 'x', 9000);
    memset(text + strlen("do $$ begin raise notice '") + 9000, 0, 10);
    strcat(text, "'; end $$");
    classify(slice_from(text), catalogue, true, &is);
    assert_int_equal(is.flags & EFFECTS, 0);
}

static void a_procedure_is_looked_up_like_a_function(void **state)
{
    CHECK(NOTHING("call safe(1)"), NOTHING("call public.risky()"), ASKED("call asking()"),
        ASKED("call public.asking(1)"), ASKED("call unheard_of()"), ASKED("call app.asking()"),
        OPAQUE("call hiding()"), ASKED("call safe(asking())"), ASKED("call safe(unheard_of())"),
        PINS("call safe(currval('s'))", PIN_SEQUENCE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_view_of_settings_is_written_to_set_them),
        cmocka_unit_test(set_tells_whether_the_setting_matters),
        cmocka_unit_test(set_local_is_over_with_the_transaction),
        cmocka_unit_test(what_is_reset_is_told_from_what_is_set),
        cmocka_unit_test(settings_that_cannot_be_asked_for_pin),
        cmocka_unit_test(set_config_is_the_sessions_unless_its_third_argument_is_true),
        cmocka_unit_test(what_the_session_keeps_is_asked_for),
        cmocka_unit_test(builtin_functions_pin_and_free),
        cmocka_unit_test(functions_and_views_that_change_the_session_are_asked_about),
        cmocka_unit_test(functions_that_nothing_is_known_of_are_asked_about),
        cmocka_unit_test(without_a_catalogue_no_function_is_known_to_be_unknown),
        cmocka_unit_test(writes_run_what_hangs_on_the_relation),
        cmocka_unit_test(operators_and_types_lead_to_functions),
        cmocka_unit_test(ddl_runs_event_triggers),
        cmocka_unit_test(the_program_of_a_do_tells_what_it_leaves),
        cmocka_unit_test(backslashes_in_a_program_are_not_understood_without_standard_strings),
        cmocka_unit_test(a_program_too_long_to_be_decoded_may_do_anything),
        cmocka_unit_test(a_procedure_is_looked_up_like_a_function),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
