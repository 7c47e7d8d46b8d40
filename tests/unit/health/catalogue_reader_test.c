/* The catalogue of a real database with every kind of object: what is special is found, what is harmless
 * stays so. */
#include "tests/unit/health/postgres.h"
#include "tests/unit/health/unit.h"
#include "tests/unit/health/watcher.h"

static const char objects[] =
    "CREATE SCHEMA s;"
    "CREATE TABLE plain (a int); CREATE UNLOGGED TABLE fast (a int); CREATE SEQUENCE seq;"
    "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
    "CREATE FOREIGN TABLE away (a text) SERVER files OPTIONS (filename '/etc/hostname');"
    "CREATE TABLE parent (a int) PARTITION BY LIST (a);"
    "CREATE TABLE child PARTITION OF parent FOR VALUES IN (1);"
    "CREATE UNLOGGED TABLE child2 PARTITION OF parent FOR VALUES IN (2);"
    "CREATE TABLE sound (a int) PARTITION BY LIST (a); CREATE TABLE sound1 PARTITION OF sound FOR VALUES IN "
    "(1);"
    "CREATE VIEW good AS SELECT a, now() FROM plain; CREATE VIEW over_fast AS SELECT * FROM fast;"
    "CREATE VIEW over_view AS SELECT * FROM over_fast; CREATE VIEW over_seq AS SELECT last_value FROM seq;"
    "CREATE VIEW activity AS SELECT pid FROM pg_stat_activity; CREATE VIEW pids AS SELECT pg_backend_pid();"
    "CREATE VIEW classes AS SELECT relname FROM pg_class;"
    "CREATE MATERIALIZED VIEW stored AS SELECT * FROM over_fast;"
    "CREATE TABLE guarded (a int, owner text); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON guarded USING (owner = current_setting('app.user'));"
    "CREATE TABLE guarded_well (a int, owner text); ALTER TABLE guarded_well ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON guarded_well USING (owner = current_user);"
    "CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';"
    "CREATE FUNCTION lazy(int) RETURNS int LANGUAGE sql AS 'SELECT $1';"
    "CREATE FUNCTION counts() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM plain';"
    "CREATE FUNCTION counts_fast() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM fast';"
    "CREATE FUNCTION next() RETURNS bigint LANGUAGE sql STABLE AS $$SELECT nextval('seq')$$;"
    "CREATE FUNCTION through() RETURNS bigint LANGUAGE plpgsql STABLE AS $$BEGIN RETURN 1 + next(); END$$;"
    "CREATE FUNCTION looping(n int) RETURNS int LANGUAGE plpgsql STABLE AS"
    " $$DECLARE r record; t int := 0; BEGIN -- nextval() only in a comment\n"
    "  FOR r IN SELECT a FROM plain WHERE a IN (1, 2) LOOP IF (r.a > n) THEN t := t + coalesce(r.a, 0); END "
    "IF;"
    "  END LOOP; RAISE NOTICE 'setval(%)', t; RETURN (t); END$$;"
    "CREATE FUNCTION dynamic(text) RETURNS int LANGUAGE plpgsql STABLE AS"
    " $$DECLARE r int; BEGIN EXECUTE $1 INTO r; RETURN r; END$$;"
    "CREATE FUNCTION even(n int) RETURNS bool LANGUAGE plpgsql STABLE AS"
    " $$BEGIN IF n = 0 THEN RETURN true; END IF; RETURN odd(n - 1); END$$;"
    "CREATE FUNCTION odd(n int) RETURNS bool LANGUAGE plpgsql STABLE AS"
    " $$BEGIN IF n = 0 THEN RETURN false; END IF; RETURN even(n - 1); END$$;"
    "CREATE FUNCTION standard(n int) RETURNS bigint LANGUAGE sql STABLE RETURN n + nextval('seq');"
    "CREATE FUNCTION standard_good(n int) RETURNS int LANGUAGE sql STABLE RETURN n + twice(1);"
    "CREATE FUNCTION defaulted(n bigint DEFAULT nextval('seq')) RETURNS bigint LANGUAGE sql STABLE AS "
    "'SELECT $1';"
    "CREATE FUNCTION by_symbol() RETURNS int LANGUAGE internal STABLE AS 'pg_backend_pid';"
    "CREATE FUNCTION s.twice(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1';"
    "CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0');"
    "CREATE FUNCTION noisy(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2';"
    "CREATE AGGREGATE noisy_total(int) (sfunc = noisy, stype = int, initcond = '0');"
    "CREATE VIEW over_lazy AS SELECT lazy(a) FROM plain; CREATE VIEW over_twice AS SELECT twice(a) FROM "
    "plain;"
    "CREATE FUNCTION read_by_list(int) RETURNS int LANGUAGE sql AS 'SELECT $1';"
    "CREATE FUNCTION calls_listed(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT read_by_list($1)';"
    "CREATE FUNCTION write_by_list(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1';"
    "CREATE FUNCTION s.write_by_list(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1';"
    "CREATE FUNCTION calls_write(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT s.write_by_list($1)';"
    "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE PROCEDURE does() LANGUAGE sql AS 'SELECT 1';"
    "CREATE FUNCTION sets() RETURNS int LANGUAGE plpgsql AS $$BEGIN SET work_mem = '8MB'; RETURN 1; END$$;"
    "CREATE FUNCTION configures() RETURNS text LANGUAGE sql AS $$SELECT set_config('a.b', 'c', false)$$;"
    "CREATE FUNCTION configures_stably() RETURNS text LANGUAGE sql STABLE"
    " AS $$SELECT set_config('a.b', 'c', false)$$;"
    "CREATE FUNCTION configures_here() RETURNS text LANGUAGE sql AS $$SELECT set_config('a.b', 'c', true)$$;"
    "CREATE FUNCTION configures_standard() RETURNS text LANGUAGE sql"
    " BEGIN ATOMIC SELECT 1; SELECT set_config('a.b', 'c', false); END;"
    "CREATE FUNCTION configures_here_standard() RETURNS text LANGUAGE sql"
    " RETURN set_config('a.b', 'c', true);"
    "CREATE FUNCTION makes() RETURNS void LANGUAGE plpgsql AS $$BEGIN CREATE TEMP TABLE mine (a int); END$$;"
    "CREATE FUNCTION updates() RETURNS void LANGUAGE plpgsql SET search_path = public"
    " AS $$BEGIN UPDATE plain SET a = 1; END$$;"
    "CREATE PROCEDURE listens() LANGUAGE sql AS 'LISTEN x';"
    "CREATE FUNCTION calls_listens() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL listens(); END';"
    "CREATE FUNCTION locks(int DEFAULT 1) RETURNS bool LANGUAGE sql AS 'SELECT pg_try_advisory_lock($1)';"
    "CREATE FUNCTION locks_by_default(bool DEFAULT pg_try_advisory_lock(1)) RETURNS bool LANGUAGE sql"
    " AS 'SELECT $1';"
    "CREATE FUNCTION adds(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM sets(); RETURN $1; END';"
    "CREATE AGGREGATE adds_all(int) (sfunc = adds, stype = int, initcond = '0');"
    "CREATE VIEW over_sets AS SELECT sets(); CREATE VIEW over_config AS SELECT set_config('a.b', 'c', true);"
    "CREATE VIEW over_lock AS SELECT pg_try_advisory_lock(1);"
    "CREATE FUNCTION reads_over_sets() RETURNS bigint LANGUAGE sql STABLE"
    " AS 'SELECT count(*) FROM over_sets';"
    "CREATE FUNCTION set_by_list() RETURNS text LANGUAGE sql AS $$SELECT set_config('a.b', 'c', false)$$;"
    "DO $$BEGIN EXECUTE format('CREATE FUNCTION long() RETURNS int LANGUAGE sql AS %L',"
    " 'SELECT 1 --' || repeat('x', 70000)); END$$";

struct expected {
    const char *name;
    enum name_kind kind;
};

static const struct expected functions[] = {{"twice", NAME_HARMLESS}, {"lazy", NAME_SPECIAL},
    {"counts", NAME_HARMLESS}, {"counts_fast", NAME_SPECIAL}, {"next", NAME_SPECIAL},
    {"through", NAME_SPECIAL}, {"looping", NAME_HARMLESS}, {"dynamic", NAME_SESSION}, {"even", NAME_HARMLESS},
    {"odd", NAME_HARMLESS}, {"standard", NAME_SPECIAL}, {"standard_good", NAME_HARMLESS},
    {"defaulted", NAME_SPECIAL}, {"by_symbol", NAME_SPECIAL}, {"total", NAME_HARMLESS},
    {"noisy", NAME_SPECIAL}, {"noisy_total", NAME_SPECIAL}, {"does", NAME_SPECIAL},
    {"read_by_list", NAME_HARMLESS}, {"calls_listed", NAME_HARMLESS}, {"write_by_list", NAME_SPECIAL},
    {"calls_write", NAME_SPECIAL}, {"fires", NAME_UNKNOWN}, {"nobody", NAME_UNKNOWN}, {"sets", NAME_SESSION},
    {"configures", NAME_SESSION}, {"configures_stably", NAME_SESSION}, {"configures_here", NAME_SPECIAL},
    {"configures_standard", NAME_SESSION}, {"configures_here_standard", NAME_SPECIAL},
    {"makes", NAME_SESSION}, {"updates", NAME_SPECIAL}, {"listens", NAME_SESSION},
    {"calls_listens", NAME_SESSION}, {"locks", NAME_SESSION}, {"locks_by_default", NAME_SESSION},
    {"adds", NAME_SESSION}, {"adds_all", NAME_SESSION}, {"reads_over_sets", NAME_SESSION},
    {"set_by_list", NAME_HARMLESS}, {"long", NAME_SESSION}};

static const struct expected relations[] = {{"plain", NAME_UNKNOWN}, {"fast", NAME_SPECIAL},
    {"seq", NAME_SPECIAL}, {"away", NAME_SPECIAL}, {"parent", NAME_SPECIAL}, {"child", NAME_UNKNOWN},
    {"child2", NAME_SPECIAL}, {"sound", NAME_UNKNOWN}, {"good", NAME_UNKNOWN}, {"over_fast", NAME_SPECIAL},
    {"over_view", NAME_SPECIAL}, {"over_seq", NAME_SPECIAL}, {"activity", NAME_SPECIAL},
    {"pids", NAME_SPECIAL}, {"classes", NAME_UNKNOWN}, {"stored", NAME_UNKNOWN}, {"guarded", NAME_SPECIAL},
    {"guarded_well", NAME_UNKNOWN}, {"over_lazy", NAME_SPECIAL}, {"over_twice", NAME_UNKNOWN},
    {"over_sets", NAME_SESSION}, {"over_config", NAME_SESSION}, {"over_lock", NAME_SESSION}};

struct stage {
    struct postgres postgres;
    struct watcher watcher;
};

static void begin(struct stage *stage, const char *config)
{
    if (!postgres_available())
        skip();
    postgres_start(&stage->postgres, 1);
    postgres_sql(&stage->postgres, 0, "postgres", "CREATE DATABASE shop");
    postgres_sql(&stage->postgres, 0, "shop", objects);
    watcher_start(&stage->watcher, watcher_config(&stage->postgres, config));
}

static void end(struct stage *stage)
{
    watcher_stop(&stage->watcher);
    postgres_end(&stage->postgres);
}

static void check(const struct catalogue *catalogue)
{
    for (size_t i = 0; i < COUNT(functions); i++) {
        enum name_kind kind = catalogue_function(catalogue, slice_of("", 0), slice_from(functions[i].name));
        if (kind != functions[i].kind)
            fail_msg("function %s is %d, not %d", functions[i].name, (int)kind, (int)functions[i].kind);
    }
    for (size_t i = 0; i < COUNT(relations); i++) {
        enum name_kind kind = catalogue_relation(catalogue, slice_of("", 0), slice_from(relations[i].name));
        if (kind != relations[i].kind)
            fail_msg("relation %s is %d, not %d", relations[i].name, (int)kind, (int)relations[i].kind);
    }
    assert_int_equal(catalogue_function(catalogue, slice_from("s"), slice_from("twice")), NAME_HARMLESS);
    assert_int_equal(catalogue_function(catalogue, slice_from("s"), slice_from("lazy")), NAME_UNKNOWN);
}

static const char lists[] =
    "read_functions = read_by_list, set_by_list\nwrite_functions = s.write_by_list, write_by_list\n";

static void each_kind_of_object_is_classed(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, lists);
    watcher_ask_catalogue(&stage.watcher, "shop", false); /* before a primary is known: it waits */
    watcher_until(&stage.watcher, 3000, "catalogue", catalogues_at_least, 1);
    assert_string_equal(catalogue_cluster(stage.watcher.catalogue), "main");
    assert_string_equal(catalogue_database(stage.watcher.catalogue), "shop");
    check(stage.watcher.catalogue);
    watcher_ask_catalogue(&stage.watcher, "shop", false); /* a second asker gets what is there, at once */
    watcher_until(&stage.watcher, 300, "again", catalogues_at_least, 2);
    check(stage.watcher.catalogue);
    end(&stage);
}

static void a_change_is_read_at_once_and_what_did_not_change_is_sent_again(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "");
    watcher_ask_catalogue(&stage.watcher, "shop", false);
    watcher_until(&stage.watcher, 3000, "catalogue", catalogues_at_least, 1);
    postgres_sql(&stage.postgres, 0, "shop",
        "CREATE FUNCTION fresh() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; DROP VIEW over_view;"
        "CREATE OR REPLACE VIEW good AS SELECT a, now() FROM fast");
    watcher_ask_catalogue(&stage.watcher, "shop", true);
    watcher_until(&stage.watcher, 1500, "changed", catalogues_at_least, 2);
    const struct catalogue *catalogue = stage.watcher.catalogue;
    assert_int_equal(catalogue_function(catalogue, slice_of("", 0), slice_from("fresh")), NAME_HARMLESS);
    assert_int_equal(catalogue_relation(catalogue, slice_of("", 0), slice_from("over_view")), NAME_UNKNOWN);
    assert_int_equal(catalogue_relation(catalogue, slice_of("", 0), slice_from("good")), NAME_SPECIAL);
    watcher_ask_catalogue(
        &stage.watcher, "shop", true); /* DDL that changed nothing: whoever waits must hear of it */
    watcher_until(&stage.watcher, 1500, "the same again", catalogues_at_least, 3);
    end(&stage);
}

static void many_changes_at_once_are_read_few_times(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "");
    watcher_ask_catalogue(&stage.watcher, "shop", false);
    watcher_until(&stage.watcher, 3000, "catalogue", catalogues_at_least, 1);
    for (int i = 0; i < 200; i++)
        watcher_ask_catalogue(&stage.watcher, "shop", true);
    watcher_run(&stage.watcher, 1500);
    assert_true(stage.watcher.catalogues >= 2 && stage.watcher.catalogues <= 4);
    end(&stage);
}

static void a_database_that_is_not_there_gives_nothing_and_harms_nothing(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "");
    watcher_ask_catalogue(&stage.watcher, "nowhere", false);
    watcher_run(&stage.watcher, 500);
    assert_int_equal(stage.watcher.catalogues, 0);
    watcher_ask_catalogue(&stage.watcher, "shop", false);
    watcher_until(&stage.watcher, 3000, "catalogue", catalogues_at_least, 1);
    end(&stage);
}

static void a_list_that_changes_on_reload_is_applied(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "");
    watcher_ask_catalogue(&stage.watcher, "shop", false);
    watcher_until(&stage.watcher, 3000, "catalogue", catalogues_at_least, 1);
    assert_int_equal(catalogue_function(stage.watcher.catalogue, slice_of("", 0), slice_from("calls_listed")),
        NAME_SPECIAL);
    watcher_reload(&stage.watcher, watcher_config(&stage.postgres, lists));
    watcher_until(&stage.watcher, 3000, "catalogue", catalogues_at_least, 2);
    check(stage.watcher.catalogue);
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_object_is_classed),
        cmocka_unit_test(a_change_is_read_at_once_and_what_did_not_change_is_sent_again),
        cmocka_unit_test(many_changes_at_once_are_read_few_times),
        cmocka_unit_test(a_database_that_is_not_there_gives_nothing_and_harms_nothing),
        cmocka_unit_test(a_list_that_changes_on_reload_is_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
