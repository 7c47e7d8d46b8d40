/*
 * What query strings are, by tables: the text, the verdict's class (R, W, T), reason, flags, pins and
 * culprit. What they leave in the session has its own tests, effect_test.c. The catalogue of these tests
 * knows public.safe() harmless; public.risky(), app.risky2(), the sequence public.counter, the type
 * public.odd, the operators @@@ and <= (as in BETWEEN) special.
 */
#include "router/classify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct classify_case {
    const char *text;
    char class;
    enum reason reason;
    uint32_t flags, pins;
    const char *culprit; /* NULL: any */
};

/* of what may change the session in every way that can be asked for */
#define SURVEY (STATEMENT_SURVEY | STATEMENT_SETS_ANY | STATEMENT_SETS_PARSING)

static struct catalogue *catalogue;

static int set_up(void **state)
{
    (void)state;
    catalogue = catalogue_new("main", "shop");
    catalogue_add_function(catalogue, "public", "safe", NAME_HARMLESS);
    catalogue_add_function(catalogue, "public", "risky", NAME_SPECIAL);
    catalogue_add_function(catalogue, "app", "risky2", NAME_SPECIAL);
    catalogue_add_relation(catalogue, "public", "counter", NAME_SPECIAL);
    catalogue_add_relation(catalogue, "public", "Mixed", NAME_SPECIAL);
    catalogue_add_type(catalogue, "public", "odd", NAME_SPECIAL);
    catalogue_add_operator(catalogue, "@@@", NAME_SPECIAL);
    catalogue_add_operator(catalogue, "<=", NAME_SPECIAL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    catalogue_unref(catalogue);
    return 0;
}

static void check_one(const struct classify_case *expected, bool standard_strings)
{
    size_t len = strlen(expected->text);
    uint32_t flags = expected->flags | (expected->reason == REASON_FUNCTION_UNKNOWN ? SURVEY : 0);
    char *copy = malloc(len ? len : 1); /* exactly that long: the sanitizer sees a look past the end */
    memcpy(copy, expected->text, len);
    struct classification is;
    classify(slice_of(copy, len), catalogue, standard_strings, &is);
    if ("RWT"[is.class] != expected->class || is.reason != expected->reason || is.flags != flags ||
        is.pins != expected->pins || (expected->culprit && !slice_is(is.culprit, expected->culprit)))
        fail_msg("%s\n  is %c %s flags %#x pins %#x culprit '%.*s', expected %c %s flags %#x pins %#x '%s'",
            expected->text, "RWT"[is.class], reason_name(is.reason), is.flags, is.pins, (int)is.culprit.len,
            is.culprit.data, expected->class, reason_name(expected->reason), flags, expected->pins,
            expected->culprit ? expected->culprit : "");
    free(copy);
}

static void check(const struct classify_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_one(&cases[i], true);
}

#define CHECK(...)                                                                                           \
    static const struct classify_case cases[] = {__VA_ARGS__};                                               \
    (void)state;                                                                                             \
    check(cases, sizeof cases / sizeof *cases)

#define READ(text)                                                                                           \
    {                                                                                                        \
        text, 'R', REASON_READ, 0, 0, NULL                                                                   \
    }
#define WRITE(text, reason, culprit)                                                                         \
    {                                                                                                        \
        text, 'W', reason, 0, 0, culprit                                                                     \
    }
#define PINS(text, reason, pins)                                                                             \
    {                                                                                                        \
        text, 'W', reason, 0, pins, NULL                                                                     \
    }

static void plain_queries_are_reads(void **state)
{
    CHECK(READ("select 1"), READ("  SELECT * FROM t WHERE a = 'insert into x'"), READ("table t"),
        READ("values (1, 'a'), (2, 'b')"), READ("(select 1)"),
        READ("((select 1) union (select 2)) order by 1"), READ("select 1;"), READ("; ;select 1; ;"),
        READ("select /* update */ 1 -- delete"), READ("select $$update t set a = 1$$"),
        READ("select \"update\" from t"), READ("select t.update from t"),
        READ("select a.delete, insert from t a"), READ("select 1 as for"),
        READ("select substring(a from 1 for 2) from t"), READ("select * from t for read only"),
        READ("select array[1,2], row(1,2), coalesce(a, b), case when a in (1, 2) then not (b) end from t"),
        READ("select exists (select 1), a = any (select 2), greatest(1, 2) from only (t)"),
        READ("select count(*) filter (where a), rank() over (partition by (b) order by (c)), sum(a) over w "
             "from t "
             "window w as (order by b)"),
        READ("select percentile_cont(0.5) within group (order by a) from t"),
        READ("select $1::int, $2 -> 'a' ->> 'b' from t where c @> $3"),
        READ("select \"lower\"('X'), pg_catalog.upper('x')"), READ("select safe(1), public.safe(2)"),
        READ("select current_user, now(), current_timestamp(3), user"),
        READ("select U&\"d!0061ta\" uescape '!' from t"));
}

static void names_before_a_parenthesis_that_are_no_calls(void **state)
{
    CHECK(READ("with x(a, b) as (select 1, 2), y(c) as not materialized (select 3), z as materialized "
               "(select 4) "
               "select * from x, y, z"),
        READ("with recursive t(n) as (values (1) union all select n + 1 from t) select * from t"),
        READ("select * from t as x(a, b), u v(c), s.w y(d), (select 1) z(e)"),
        READ("select * from unnest(array[1]) with ordinality u(a, b)"),
        READ("select * from json_to_recordset('[]') as x(a int, b varchar(3))"),
        READ("select a::numeric(10, 2), cast(b as geometry(point)), c::public.geometry(point, 4326) from t"),
        READ("select a::timestamp(3) with time zone, b::character varying(10), interval '1' second(3), "
             "c::bit varying(2)"),
        READ("select a from t group by rollup (a, b), cube (c), grouping sets ((a), rollup (b))"),
        READ("select a from t group by (a) order by (b)"), READ("select * from t fetch first (1) rows only"),
        READ("select a at time zone (select 'UTC') from t"),
        READ("select 1 operator(pg_catalog.+) 2, 3 operator(-) 4"),
        READ("select * from t join (select 1) u on (true) left join lateral (select 2) v using (a)"),
        READ("select a like ('x'), b ilike ('y'), (c, d) overlaps (e, f) from t"),
        READ("select * from rows from (generate_series(1, 2), unnest(array[1])) as x(a, b)"),
        READ("select * from t tablesample bernoulli (10) repeatable (5)"),
        READ("select extract(year from a), position('a' in b), trim(both from c), overlay(a placing b from "
             "1), "
             "normalize(a), xmlelement(name foo, xmlattributes(a)), treat(a as int) from t"),
        READ("with x as (select 1) (select * from x)"), READ("select left('abc', 2), right('abc', 1)"));
}

static void calls_are_found_wherever_they_hide(void **state)
{
    CHECK(WRITE("select risky()", REASON_FUNCTION_SPECIAL, "risky"),
        WRITE("select public.risky ( 1 )", REASON_FUNCTION_SPECIAL, "risky"),
        WRITE("select \"risky\"(1)", REASON_FUNCTION_SPECIAL, "\"risky\""),
        WRITE("select U&\"r!0069sky\" uescape '!' (1)", REASON_FUNCTION_SPECIAL, "U&\"r!0069sky\""),
        WRITE("select RISKY /* ( */ -- x\n (1)", REASON_FUNCTION_SPECIAL, "RISKY"),
        WRITE("select app.risky2(1)", REASON_FUNCTION_SPECIAL, "risky2"),
        WRITE("select nobody.risky2(1)", REASON_FUNCTION_UNKNOWN, "risky2"),
        WRITE("select unheard_of(1)", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select public.lower('x')", REASON_FUNCTION_UNKNOWN, "lower"),
        WRITE("select public.\"select\"(1)", REASON_FUNCTION_UNKNOWN, "\"select\""),
        WRITE("select public.select(1)", REASON_FUNCTION_UNKNOWN, "select"),
        WRITE("select (t).risky from t", REASON_FUNCTION_SPECIAL, "risky"),
        WRITE("select t.risky from t", REASON_FUNCTION_SPECIAL, "risky"),
        WRITE("select distinct on (a) risky(b) from t", REASON_FUNCTION_SPECIAL, "risky"),
        WRITE("select distinct on (a) unheard_of(b) from t", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select distinct on ((select a)) unheard_of(b) from t", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select * from t group by unheard_of(a)", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select a at time zone unheard_of(b) from t", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select * from t fetch first unheard_of(1) rows only", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select sum(a) over (rows unheard_of(1) preceding) from t", REASON_FUNCTION_UNKNOWN,
            "unheard_of"),
        WRITE("select a like 'x' escape unheard_of(1) from t", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select xmlparse(document unheard_of(1))", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select * from xmltable('/a' passing unheard_of(1) columns b int path 'b')",
            REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select * from xmltable('/a' passing b columns c int path unheard_of(1))",
            REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select * from xmltable('/a' passing b columns c int Path unheard_of(1))",
            REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("with x as (select 1) select unheard_of(1)", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("with x as (select 1) values (unheard_of(1))", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("with recursive x as (select 1) cycle a set b using p (select 1) order by unheard_of(1)",
            REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("with x as (select unheard_of(1)) select 1", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select * from t join unheard_of(1) on true", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select * from t tablesample unheard_of (10)", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select a operator(pg_catalog.+) unheard_of(b) from t", REASON_FUNCTION_UNKNOWN, "unheard_of"),
        WRITE("select a similar to second(1) from t", REASON_FUNCTION_UNKNOWN, "second"),
        WRITE("select distinct on (a) join(1) from t", REASON_FUNCTION_UNKNOWN, "join"),
        WRITE("select distinct cube(1)", REASON_FUNCTION_UNKNOWN, "cube"),
        WRITE("select a, rollup(1) from t group by a", REASON_FUNCTION_UNKNOWN, "rollup"),
        WRITE("select a from t group by grouping sets ((cube(1)))", REASON_FUNCTION_UNKNOWN, "cube"),
        WRITE("select operator(*) from t", REASON_FUNCTION_UNKNOWN, "operator"),
        WRITE("select * from t join u on conflict(1)", REASON_FUNCTION_UNKNOWN, "conflict"),
        WRITE("select operator(1)", REASON_FUNCTION_UNKNOWN, "operator"),
        WRITE("select cube(1)", REASON_FUNCTION_UNKNOWN, "cube"),
        WRITE("values (risky())", REASON_FUNCTION_SPECIAL, "risky"),
        WRITE("table t limit risky()", REASON_FUNCTION_SPECIAL, "risky"),
        WRITE("select nextval('counter')", REASON_FUNCTION_SPECIAL, "nextval"),
        WRITE("select pg_is_in_recovery()", REASON_FUNCTION_SPECIAL, "pg_is_in_recovery"),
        WRITE("select version()", REASON_FUNCTION_SPECIAL, "version"),
        WRITE("select system_user", REASON_FUNCTION_SPECIAL, "system_user"));
    check_one(&(struct classify_case)READ("select version, t.version from t"), true);
}

static void special_operators_and_types_are_found(void **state)
{
    CHECK(WRITE("select a @@@ b from t", REASON_FUNCTION_SPECIAL, "@@@"),
        WRITE("select a operator(public.@@@) b from t", REASON_FUNCTION_SPECIAL, "@@@"),
        WRITE("select @@@a from t", REASON_FUNCTION_SPECIAL, "@@@"),
        WRITE("explain select a @@@ b from t", REASON_FUNCTION_SPECIAL, "@@@"),
        WRITE("copy (select a @@@ b from t) to stdout", REASON_FUNCTION_SPECIAL, "@@@"),
        WRITE("select a between 1 and 2 from t", REASON_FUNCTION_SPECIAL, "between"),
        WRITE("select a not Between 1 and 2 from t", REASON_FUNCTION_SPECIAL, "Between"),
        WRITE("select a<=b from t", REASON_FUNCTION_SPECIAL, "<="),
        READ("select a @@ b, c @@@@ d, '@@@' from t -- @@@"), READ("select a like 'x' from t"),
        WRITE("select 'x'::odd", REASON_FUNCTION_SPECIAL, "odd"),
        WRITE("select cast(a as public.odd) from t", REASON_FUNCTION_SPECIAL, "odd"),
        WRITE("select odd 'x'", REASON_FUNCTION_SPECIAL, "odd"),
        WRITE("select a::odd(3)[] from t", REASON_FUNCTION_SPECIAL, "odd"),
        WRITE("select \"odd\" 'x'", REASON_FUNCTION_SPECIAL, "\"odd\""), READ("select 'x'::other.odd"),
        READ("select 'odd', odder from t"),
        {"/* rolecall: replica */ select a @@@ b::odd from t", 'R', REASON_HINT_REPLICA, 0, 0, NULL});
}

static void special_relations_are_found(void **state)
{
    CHECK(WRITE("select last_value from counter", REASON_RELATION_SPECIAL, "counter"),
        WRITE("select * from public.counter", REASON_RELATION_SPECIAL, "counter"),
        WRITE("select * from shop.public.counter", REASON_RELATION_SPECIAL, "counter"),
        WRITE("select * from t, COUNTER c", REASON_RELATION_SPECIAL, "COUNTER"),
        WRITE("table counter", REASON_RELATION_SPECIAL, "counter"),
        WRITE("select * from \"Mixed\"", REASON_RELATION_SPECIAL, "\"Mixed\""),
        WRITE("select * from pg_stat_activity", REASON_RELATION_SPECIAL, "pg_stat_activity"),
        WRITE("select * from pg_catalog.pg_settings", REASON_RELATION_SPECIAL, "pg_settings"),
        WRITE("select * from pg_temp.t", REASON_RELATION_SPECIAL, "pg_temp"),
        WRITE("select * from pg_temp_3.t", REASON_RELATION_SPECIAL, "pg_temp_3"),
        READ("select * from other.counter"), READ("select * from mixed"), READ("select * from pg_class"),
        READ("select * from information_schema.columns"));
}

static void writes_hidden_in_queries_are_found(void **state)
{
    CHECK(WRITE("with x as (insert into t values (1) returning *) select * from x", REASON_WRITE, "insert"),
        WRITE("with x as materialized (update t set a = 1 returning *) select * from x", REASON_WRITE,
            "update"),
        WRITE("with x as (select 1), y as (delete from t returning *) table y", REASON_WRITE, "delete"),
        WRITE("with x as (select 1) insert into t select * from x", REASON_WRITE, "insert"),
        WRITE("with x as (select 1) merge into t using x on true when matched then delete", REASON_WRITE,
            "merge"),
        WRITE("with recursive x as (select 1) search depth first by a set b update t set a = 1", REASON_WRITE,
            "update"),
        WRITE("select * from (with x as (delete from t returning 1) select * from x) y", REASON_WRITE,
            "delete"),
        WRITE("select * from t for update", REASON_ROW_LOCK, "update"),
        WRITE("select * from t for no key update of t nowait", REASON_ROW_LOCK, "no"),
        WRITE("select * from t for share", REASON_ROW_LOCK, "share"),
        WRITE("select * from (select * from t for key share) x", REASON_ROW_LOCK, "key"),
        WRITE("(select * from t) for update", REASON_ROW_LOCK, "update"),
        WRITE("select 1 into t", REASON_INTO, "into"),
        PINS("select 1 into temp t", REASON_INTO, PIN_TEMPORARY),
        PINS("select 1 into local temporary table t", REASON_INTO, PIN_TEMPORARY),
        {"select 1 into unlogged t", 'W', REASON_INTO, STATEMENT_DDL, 0, NULL});
}

static void explain_runs_only_with_analyze(void **state)
{
    CHECK(READ("explain select 1"), READ("explain verbose select * from t"),
        READ("explain analyze verbose select 1"), READ("explain (analyze, buffers, format json) select 1"),
        READ("explain (select 1)"), READ("explain ((select 1) union (select 2))"),
        READ("explain insert into t(a) values (1)"), READ("explain update t set a = 1"),
        READ("explain insert into t(a) values (1) on conflict (a) do nothing"),
        READ("explain (costs off) delete from t"), READ("explain (analyze off) delete from t"),
        READ("explain (analyze false, verbose) delete from t"), READ("explain select * from t for update"),
        READ("explain with x as (insert into t values (1) returning *) select * from x"),
        WRITE("explain analyze insert into t values (1)", REASON_WRITE, "insert"),
        WRITE("explain (analyze) update t set a = 1", REASON_WRITE, "update"),
        WRITE("explain (verbose, \"analyze\" on) delete from t", REASON_WRITE, "delete"),
        WRITE("explain (analyze off, analyze) delete from t", REASON_WRITE, "delete"),
        WRITE("explain analyse delete from t", REASON_WRITE, "delete"),
        WRITE("explain (analyze 1) merge into t using u on true when matched then delete", REASON_WRITE,
            "merge"),
        WRITE("explain analyze select * from t for update", REASON_ROW_LOCK, "update"),
        WRITE(
            "explain analyze with x as (delete from t returning 1) select * from x", REASON_WRITE, "delete"),
        WRITE("explain select 1 into t", REASON_INTO, "into"),
        {"explain analyze create table t as select 1", 'W', REASON_UTILITY, STATEMENT_DDL, 0, "create"},
        WRITE("explain execute p(1)", REASON_UTILITY, "execute"),
        WRITE("explain select risky()", REASON_FUNCTION_SPECIAL, "risky"),
        WRITE("explain select pg_advisory_lock(1)", REASON_FUNCTION_SPECIAL, NULL), /* planned, not locked */
        PINS("explain analyze select pg_advisory_lock(1)", REASON_FUNCTION_SPECIAL, PIN_ADVISORY_LOCK),
        PINS("explain analyze insert into t select pg_advisory_lock(1)", REASON_WRITE, PIN_ADVISORY_LOCK));
}

static void copy_to_the_client_is_a_read(void **state)
{
    CHECK(READ("copy t to stdout"), READ("copy s.t (a, b) to stdout with (format csv, force_quote (a))"),
        READ("copy (select * from t) to stdout csv header"),
        READ("copy ((select 1) union values (2)) to stdout"),
        READ("copy (with x(a) as (select 1) table x) to stdout"),
        WRITE("copy counter to stdout", REASON_RELATION_SPECIAL, "counter"),
        WRITE("copy public.counter to stdout", REASON_RELATION_SPECIAL, "counter"),
        WRITE("copy (select risky()) to stdout", REASON_FUNCTION_SPECIAL, "risky"),
        WRITE("copy (delete from t returning *) to stdout", REASON_WRITE, "delete"),
        WRITE("copy t to '/tmp/x'", REASON_UTILITY, "'/tmp/x'"),
        WRITE("copy (select 1) to program 'cat'", REASON_UTILITY, "program"),
        WRITE("copy t from '/tmp/x'", REASON_WRITE, "from"),
        WRITE("copy t (a) from program 'cat'", REASON_WRITE, "from"),
        {"copy t from stdin", 'W', REASON_WRITE, STATEMENT_COPY_FROM, 0, "from"},
        {"copy s.t (a, b) from stdin with (format csv) where a > 1", 'W', REASON_WRITE, STATEMENT_COPY_FROM,
            0, "from"},
        WRITE("copy", REASON_UTILITY, ""));
}

static void changes_are_writes(void **state)
{
    CHECK({"insert into t (a) values (unheard_of(1))", 'W', REASON_WRITE, SURVEY, 0, "insert"},
        WRITE("update t set (a, b) = (1, 2)", REASON_WRITE, "update"),
        WRITE("delete from t", REASON_WRITE, "delete"),
        WRITE("merge into t using u on true when matched then delete", REASON_WRITE, "merge"),
        WRITE("truncate t", REASON_WRITE, "truncate"), WRITE("notify a, 'b'", REASON_WRITE, "notify"),
        {"do $$begin end$$", 'W', REASON_WRITE, STATEMENT_CALL, 0, "do"},
        {"call p(1)", 'W', REASON_WRITE, STATEMENT_CALL | SURVEY, 0, "call"},
        WRITE("lock table t", REASON_UTILITY, "lock"), WRITE("vacuum t", REASON_UTILITY, "vacuum"),
        WRITE("checkpoint", REASON_UTILITY, "checkpoint"), WRITE("frobnicate", REASON_UTILITY, "frobnicate"),
        WRITE("1 + 1", REASON_UTILITY, "1"), WRITE("(insert into t values (1))", REASON_WRITE, "insert"),
        WRITE("()", REASON_UTILITY, NULL));
}

static void definitions_change_the_catalogue_when_names_are_at_stake(void **state)
{
#define CHANGES(text) {text, 'W', REASON_DDL, STATEMENT_DDL, 0, NULL}
    CHECK(CHANGES("create table t (a serial)"), CHANGES("create unlogged table t (a int)"),
        CHANGES("create or replace function f() returns int language sql as 'select 1'"),
        CHANGES("alter table t add b int"),
        CHANGES("create trigger t before insert on a execute function f()"),
        CHANGES("import foreign schema a from server b into c"),
        CHANGES("create or replace view v as select pg_advisory_lock(1)"),
        CHANGES("create rule r as on insert to t do (select 1; select 2)"),
        CHANGES(
            "create function f() returns int begin atomic select 1; select case when true then 2 end; end"),
        CHANGES("create procedure p() begin atomic insert into t values (1); end;"),
        WRITE("create index on t (a)", REASON_DDL, "create"),
        WRITE("create unique index i on t (a)", REASON_DDL, "create"),
        WRITE("alter role r set search_path = 'x'", REASON_DDL, "alter"),
        WRITE("alter system set work_mem = '1MB'", REASON_DDL, "alter"),
        WRITE("drop index i", REASON_DDL, "drop"), WRITE("drop view v", REASON_DDL, "drop"),
        WRITE("grant select on t to u", REASON_DDL, "grant"),
        WRITE("comment on table t is 'x'", REASON_DDL, "comment"),
        WRITE("refresh materialized view m", REASON_DDL, "refresh"),
        PINS("create temp table t (a int)", REASON_DDL, PIN_TEMPORARY),
        PINS("create local temporary view v as select 1", REASON_DDL, PIN_TEMPORARY),
        PINS("create or replace temp view v as select 1", REASON_DDL, PIN_TEMPORARY),
        PINS("create temporary sequence s", REASON_DDL, PIN_TEMPORARY),
        PINS("create table pg_temp.t (a int)", REASON_DDL, PIN_TEMPORARY),
        PINS("create function pg_temp.f() returns int language sql as 'select 1'", REASON_DDL, PIN_TEMPORARY),
        {"create table t as select pg_advisory_lock(1)", 'W', REASON_DDL, STATEMENT_DDL, PIN_ADVISORY_LOCK,
            NULL});
#undef CHANGES
}

static void transaction_commands_have_their_flags(void **state)
{
#define BLOCK(text, flags) {text, 'T', REASON_TRANSACTION, flags, 0, NULL}
    CHECK(BLOCK("begin", STATEMENT_BEGIN), BLOCK("begin work", STATEMENT_BEGIN),
        BLOCK("start transaction", STATEMENT_BEGIN),
        BLOCK("begin read only", STATEMENT_BEGIN | STATEMENT_BEGIN_READ_ONLY),
        BLOCK("begin transaction isolation level read committed, read only, not deferrable",
            STATEMENT_BEGIN | STATEMENT_BEGIN_READ_ONLY),
        BLOCK("start transaction read write", STATEMENT_BEGIN),
        BLOCK("begin read only, read write", STATEMENT_BEGIN),
        BLOCK("begin isolation level read uncommitted", STATEMENT_BEGIN),
        BLOCK("begin isolation level repeatable read, read only", STATEMENT_BEGIN | STATEMENT_ISOLATION),
        BLOCK("start transaction isolation level serializable read only deferrable",
            STATEMENT_BEGIN | STATEMENT_ISOLATION),
        BLOCK("commit", STATEMENT_COMMIT), BLOCK("end work", STATEMENT_COMMIT),
        BLOCK("commit and chain", STATEMENT_COMMIT), BLOCK("rollback", STATEMENT_ROLLBACK),
        BLOCK("abort transaction and no chain", STATEMENT_ROLLBACK), BLOCK("rollback to savepoint a", 0),
        BLOCK("rollback work to a", 0), BLOCK("savepoint a", 0), BLOCK("release a", 0),
        BLOCK("set transaction read only", 0),
        BLOCK("set transaction isolation level serializable", STATEMENT_ISOLATION),
        BLOCK("set transaction snapshot '0-1-1'", STATEMENT_ISOLATION),
        {"prepare transaction 'x'", 'W', REASON_TRANSACTION, STATEMENT_COMMIT, 0, NULL},
        {"commit prepared 'x'", 'W', REASON_TRANSACTION, STATEMENT_COMMIT, 0, NULL},
        {"rollback prepared 'x'", 'W', REASON_TRANSACTION, 0, 0, NULL});
#undef BLOCK
}

static void several_statements_are_a_read_only_when_all_are(void **state)
{
    CHECK({"select 1; select 2", 'R', REASON_READ, STATEMENT_MULTIPLE, 0, NULL},
        {"select 1; insert into t values (1)", 'W', REASON_MULTIPLE, STATEMENT_MULTIPLE, 0, "insert"},
        {"delete from t; select 1", 'W', REASON_MULTIPLE, STATEMENT_MULTIPLE, 0, "delete"},
        {"select 1; select risky()", 'W', REASON_MULTIPLE, STATEMENT_MULTIPLE, 0, "risky"},
        {"begin; commit", 'T', REASON_MULTIPLE, STATEMENT_MULTIPLE | STATEMENT_BEGIN | STATEMENT_COMMIT, 0,
            NULL},
        {"begin read only; select 1", 'W', REASON_MULTIPLE, STATEMENT_MULTIPLE | STATEMENT_BEGIN, 0, "begin"},
        {"begin; insert into t values (1); commit", 'W', REASON_MULTIPLE,
            STATEMENT_MULTIPLE | STATEMENT_BEGIN | STATEMENT_COMMIT, 0, NULL},
        {"set a = 1; listen b; copy t from stdin", 'W', REASON_MULTIPLE,
            STATEMENT_MULTIPLE | STATEMENT_COPY_FROM | STATEMENT_SETS | STATEMENT_SETS_PARSING, PIN_LISTEN,
            "set"},
        {"create function f() returns int begin atomic select 1; end; select 2", 'W', REASON_MULTIPLE,
            STATEMENT_MULTIPLE | STATEMENT_DDL, 0, NULL});
    struct classification is;
    classify(slice_from(";select 1;;table t; commit;"), catalogue, true, &is);
    assert_int_equal(is.statements, 3);
}

static void hints_move_only_what_may_be_moved(void **state)
{
#define P "/* rolecall: primary */"
#define Q "/* rolecall: replica */"
    CHECK(WRITE(P " select 1", REASON_HINT_PRIMARY, P),
        WRITE("/*ROLECALL:primary*/select 1", REASON_HINT_PRIMARY, NULL),
        WRITE("-- x\n/* y */ " P " select 1", REASON_HINT_PRIMARY, P), READ("select 1 " P),
        READ("select " P " 1"), READ("/* rolecall: primary node */ select 1"),
        READ("/* rolecall primary */ select 1"),
        WRITE("-- rolecall: primary\nselect 1", REASON_HINT_PRIMARY, "-- rolecall: primary"),
        WRITE("--Rolecall:primary\r\nselect 1", REASON_HINT_PRIMARY, NULL),
        WRITE("-- x\n--  rolecall :  primary  \n /* y */ select 1", REASON_HINT_PRIMARY, NULL),
        {"-- rolecall: replica\nselect unheard_of(1)", 'R', REASON_HINT_REPLICA, SURVEY, 0, NULL},
        READ("--- rolecall: primary\nselect 1"), READ("-- rolecall: primary node\nselect 1"),
        READ("--\nselect 1"), READ("select 1 -- rolecall: primary"),
        READ("/* -- rolecall: primary */ select 1"),
        WRITE(P "insert into t values (1)", REASON_WRITE, "insert"),
        {Q "select unheard_of(1)", 'R', REASON_HINT_REPLICA, SURVEY, 0, Q},
        {Q "select risky()", 'R', REASON_HINT_REPLICA, 0, 0, Q},
        {Q "select * from pg_stat_activity", 'R', REASON_HINT_REPLICA, 0, 0, Q},
        {Q "select pg_is_in_recovery()", 'R', REASON_HINT_REPLICA, 0, 0, Q},
        {Q "select 1", 'R', REASON_HINT_REPLICA, 0, 0, Q},
        {Q "copy (select unheard_of(1)) to stdout", 'R', REASON_HINT_REPLICA, SURVEY, 0, Q},
        WRITE(Q "select nextval('s')", REASON_FUNCTION_SPECIAL, "nextval"),
        {Q "select unheard_of(1), nextval('s')", 'W', REASON_FUNCTION_SPECIAL, SURVEY, 0, "nextval"},
        WRITE(Q "select pg_advisory_xact_lock(1)", REASON_FUNCTION_SPECIAL, NULL),
        PINS(Q "select pg_advisory_lock(1)", REASON_FUNCTION_SPECIAL, PIN_ADVISORY_LOCK),
        WRITE(Q "select * from t for update", REASON_ROW_LOCK, NULL),
        WRITE(Q "select 1 into t", REASON_INTO, NULL),
        WRITE(Q "with x as (delete from t returning 1) table x", REASON_WRITE, NULL),
        WRITE(Q "delete from t", REASON_WRITE, NULL), WRITE(Q "copy t to '/tmp/x'", REASON_UTILITY, NULL),
        WRITE(Q "show server_version", REASON_SHOW, NULL),
        {Q "set a = 1", 'W', REASON_SESSION, STATEMENT_SETS | STATEMENT_SETS_PARSING, 0, NULL});
#undef P
#undef Q
}

static void an_empty_string_is_empty(void **state)
{
    CHECK({"", 'R', REASON_EMPTY, 0, 0, ""}, {" ; -- x\n ; /* y */", 'R', REASON_EMPTY, 0, 0, ""},
        {"/* rolecall: primary */", 'R', REASON_EMPTY, 0, 0, ""});
}

static void what_is_no_sql_is_a_write_that_was_not_understood(void **state)
{
    CHECK(WRITE("select 'abc", REASON_NOT_LEXED, "'abc"), WRITE("select 1 /* x", REASON_NOT_LEXED, "/* x"),
        WRITE("'", REASON_NOT_LEXED, "'"), WRITE("select (1", REASON_NOT_LEXED, ""),
        WRITE("select 1)", REASON_NOT_LEXED, ")"), WRITE("select (1; select 2)", REASON_NOT_LEXED, ";"),
        WRITE("select {", REASON_NOT_LEXED, "{"), WRITE("select \xE4h", REASON_NOT_LEXED, "\xE4h"),
        {"select 1; select $$", 'W', REASON_NOT_LEXED, STATEMENT_MULTIPLE, 0, "$$"},
        {"begin 'x", 'W', REASON_NOT_LEXED, STATEMENT_BEGIN, 0, "'x"});
}

static void backslashes_follow_the_sessions_setting(void **state)
{
    (void)state;
    const char *text = "select '\\'; delete from t --'";
    check_one(&(struct classify_case){text, 'W', REASON_MULTIPLE, STATEMENT_MULTIPLE, 0, "delete"}, true);
    check_one(&(struct classify_case)READ(text), false);
    check_one(&(struct classify_case)READ("select E'\\'; delete from t --'"), true);
}

static void without_a_catalogue_only_what_reads_no_relation_is_sure(void **state)
{
    (void)state;
    struct classification is;
    classify(slice_from("select 1, lower('X')"), NULL, true, &is);
    assert_int_equal(is.reason, REASON_READ);
    static const char *const texts[] = {
        "select * from t", "table t", "copy t to stdout", "explain select * from t"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        classify(slice_from(texts[i]), NULL, true, &is);
        assert_int_equal(is.class, STATEMENT_WRITE);
        assert_int_equal(is.reason, REASON_NO_CATALOGUE);
    }
    classify(slice_from("select safe(1)"), NULL, true, &is);
    assert_int_equal(is.reason, REASON_FUNCTION_UNKNOWN);
}

static void no_prefix_of_a_statement_is_looked_at_past_its_end(void **state)
{
    (void)state;
    static const char text[] =
        "/* rolecall: replica */ with x(a) as (select E'a\\'b', U&\"d!0061\" uescape '!', $t$ x $t$, 1..2, "
        "operator(a.+)) select distinct on (a) set_config('a', 'b', true) from x::numeric(1) for update; "
        "copy (select "
        "'a'\n 'b') to stdout; create function f() begin atomic select 1; end; explain (analyze off) select "
        "b'1'";
    for (size_t len = 0; len < sizeof text; len++) {
        char *copy = malloc(len ? len : 1);
        memcpy(copy, text, len);
        struct classification is;
        classify(slice_of(copy, len), catalogue, true, &is);
        assert_true(is.culprit.data >= copy && is.culprit.data + is.culprit.len <= copy + len);
        free(copy);
    }
}

static void deep_parentheses_keep_the_verdict_safe(void **state)
{
    (void)state;
    char text[4096] = "select ";
    for (int i = 0; i < 100; i++)
        strcat(text, "(select distinct on (a) ");
    strcat(text, "unheard_of(1)");
    for (int i = 0; i < 100; i++)
        strcat(text, ")");
    struct classification is;
    classify(slice_from(text), catalogue, true, &is);
    assert_int_equal(is.class, STATEMENT_WRITE);
    assert_int_equal(is.reason, REASON_FUNCTION_UNKNOWN);
}

static void every_reason_pin_and_flag_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < REASON_COUNT; i++) {
        assert_non_null(reason_name((enum reason)i));
        assert_non_null(reason_text((enum reason)i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(reason_name((enum reason)i), reason_name((enum reason)j));
    }
    assert_string_equal(reason_name(REASON_COUNT), "unknown");
    for (uint32_t pin = PIN_SETTING; pin < PIN_UNKNOWN; pin <<= 1)
        assert_string_not_equal(pin_name((enum pin)pin), "unknown");
    for (uint32_t flag = 1; flag <= STATEMENT_SURVEY; flag <<= 1)
        assert_string_not_equal(statement_flag_name((enum statement_flag)flag), "unknown");
    assert_string_equal(statement_flag_name((enum statement_flag)(STATEMENT_SURVEY << 1)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_queries_are_reads),
        cmocka_unit_test(names_before_a_parenthesis_that_are_no_calls),
        cmocka_unit_test(calls_are_found_wherever_they_hide),
        cmocka_unit_test(special_operators_and_types_are_found),
        cmocka_unit_test(special_relations_are_found),
        cmocka_unit_test(writes_hidden_in_queries_are_found),
        cmocka_unit_test(explain_runs_only_with_analyze),
        cmocka_unit_test(copy_to_the_client_is_a_read),
        cmocka_unit_test(changes_are_writes),
        cmocka_unit_test(definitions_change_the_catalogue_when_names_are_at_stake),
        cmocka_unit_test(transaction_commands_have_their_flags),
        cmocka_unit_test(several_statements_are_a_read_only_when_all_are),
        cmocka_unit_test(hints_move_only_what_may_be_moved),
        cmocka_unit_test(an_empty_string_is_empty),
        cmocka_unit_test(what_is_no_sql_is_a_write_that_was_not_understood),
        cmocka_unit_test(backslashes_follow_the_sessions_setting),
        cmocka_unit_test(without_a_catalogue_only_what_reads_no_relation_is_sure),
        cmocka_unit_test(no_prefix_of_a_statement_is_looked_at_past_its_end),
        cmocka_unit_test(deep_parentheses_keep_the_verdict_safe),
        cmocka_unit_test(every_reason_pin_and_flag_has_a_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
