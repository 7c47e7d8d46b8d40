/* DDL that nobody told of: what looks like a change, what does not, and how soon a real change is read. */
#include "health/catalogue_sql.h"
#include "tests/unit/health/postgres.h"
#include "tests/unit/health/unit.h"
#include "tests/unit/health/watcher.h"

#include <unistd.h>

/* Less than what it takes without looking (30 s), more than any busy machine needs for looking. */
#define SOON_MS 20000

static const char objects[] =
    "CREATE SCHEMA s; CREATE TABLE t (a int DEFAULT 1, b text); CREATE TABLE other (a int PRIMARY KEY);"
    "CREATE TABLE child (a int REFERENCES other); CREATE UNLOGGED TABLE fast (a int);"
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';"
    "CREATE FUNCTION g(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';"
    "CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
    "CREATE VIEW v AS SELECT a FROM t; CREATE MATERIALIZED VIEW m AS SELECT a FROM t;"
    "CREATE DOMAIN d AS text; CREATE TABLE with_domain (a text);"
    "CREATE POLICY p ON t USING (a > 0); CREATE TRIGGER fires BEFORE INSERT ON t FOR EACH ROW EXECUTE "
    "FUNCTION "
    "fired();"
    "CREATE TABLE parent (a int) PARTITION BY LIST (a); CREATE TABLE part (a int)";

static const char *const changes[] = {
    "CREATE FUNCTION h() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS 'SELECT 2'",
    "ALTER FUNCTION f() VOLATILE",
    "ALTER FUNCTION f() SET SCHEMA s",
    "ALTER FUNCTION s.f() RENAME TO e",
    "DROP FUNCTION s.e()",
    "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'",
    "CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0')",
    "CREATE TABLE fresh (a int)",
    "ALTER TABLE fresh RENAME TO old",
    "ALTER TABLE old SET SCHEMA s",
    "ALTER TABLE s.old SET UNLOGGED",
    "DROP TABLE s.old",
    "CREATE SEQUENCE q",
    "ALTER SCHEMA s RENAME TO s2",
    "CREATE OR REPLACE VIEW v AS SELECT a FROM fast",
    "ALTER TABLE t ALTER a SET DEFAULT 2",
    "ALTER TABLE t ALTER a DROP DEFAULT",
    "ALTER TABLE t ADD CHECK (a < 5)",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "ALTER POLICY p ON t USING (a > 1)",
    "DROP POLICY p ON t",
    "ALTER TABLE t DISABLE TRIGGER fires",
    "ALTER TABLE t ENABLE TRIGGER fires",
    "DROP TRIGGER fires ON t",
    "CREATE RULE r AS ON DELETE TO t DO ALSO SELECT 1",
    "ALTER TABLE t DISABLE RULE r",
    "ALTER TABLE child DROP CONSTRAINT child_a_fkey, ADD FOREIGN KEY (a) REFERENCES other ON DELETE CASCADE",
    "CREATE INDEX ON t (abs(a))",
    "ALTER TABLE parent ATTACH PARTITION part DEFAULT",
    "ALTER TABLE parent DETACH PARTITION part",
    "ALTER DOMAIN d ADD CHECK (VALUE <> 'x')",
    "ALTER DOMAIN d SET DEFAULT 'y'",
    "ALTER TABLE with_domain ALTER a TYPE d",
    "ALTER TABLE with_domain ALTER a TYPE text",
    "ALTER TABLE with_domain ADD b d[]",
    "CREATE CAST (oid AS bytea) WITH INOUT",
    "CREATE OPERATOR <%> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)",
    "DROP OPERATOR <%> (int, int)",
    "CREATE OPERATOR CLASS own FOR TYPE int USING hash AS OPERATOR 1 =, FUNCTION 1 g(int)",
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION on_ddl()",
    "ALTER EVENT TRIGGER e DISABLE",
    "CREATE EXTENSION citext",
};

static const char *const no_changes[] = {
    "INSERT INTO t (a) SELECT generate_series(2, 4)",
    "TRUNCATE fast, t",
    "REFRESH MATERIALIZED VIEW m",
    "VACUUM FULL t",
    "VACUUM ANALYZE",
    "CREATE INDEX ON t (b)",
    "REINDEX TABLE t",
    "CREATE TEMP TABLE gone (a serial PRIMARY KEY, b int DEFAULT 1 CHECK (b > 0)); CREATE TEMP VIEW w AS "
    "SELECT "
    "a FROM gone; SELECT 1",
    "COMMENT ON TABLE t IS 'x'",
    "GRANT SELECT ON t TO PUBLIC",
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "LISTEN x; NOTIFY x",
};

/* The text of the fingerprint, without what it has cost. */
static void fingerprint(struct postgres *postgres, char *out, size_t size)
{
    static const char name[] = "rolecall_fingerprint AS ";
    char sql[16384];
    const char *query = strstr(catalogue_sql_prepare, name);
    assert_non_null(query);
    assert_true(snprintf(sql, sizeof sql, "SELECT text FROM (%s) x (version, text, cost)",
                    query + strlen(name)) < (int)sizeof sql);
    snprintf(out, size, "%s", postgres_sql(postgres, 0, "postgres", sql));
    assert_true(strlen(out) > 100 && strlen(out) < size - 1);
}

static void ddl_changes_the_fingerprint_and_nothing_else_does(void **state)
{
    (void)state;
    struct postgres postgres;
    char before[4096], after[4096];
    if (!postgres_available())
        skip();
    postgres_start(&postgres, 1);
    postgres_sql(&postgres, 0, "postgres", objects);
    fingerprint(&postgres, before, sizeof before);
    for (size_t i = 0; i < COUNT(no_changes); i++) {
        postgres_sql(&postgres, 0, "postgres", no_changes[i]);
        fingerprint(&postgres, after, sizeof after);
        if (strcmp(before, after) != 0)
            fail_msg("looks like DDL: %s\n%s\n%s", no_changes[i], before, after);
    }
    for (size_t i = 0; i < COUNT(changes); i++) {
        postgres_sql(&postgres, 0, "postgres", changes[i]);
        fingerprint(&postgres, after, sizeof after);
        if (strcmp(before, after) == 0)
            fail_msg("looks like nothing: %s", changes[i]);
        memcpy(before, after, sizeof before);
    }
    postgres_end(&postgres);
}

static bool function_is(struct watcher *watcher, const char *name, enum name_kind kind)
{
    return watcher->catalogue &&
           catalogue_function(watcher->catalogue, slice_of("", 0), slice_from(name)) == kind;
}

static bool f_is_known(struct watcher *watcher, int number)
{
    (void)number;
    return function_is(watcher, "f", NAME_HARMLESS);
}

static bool f_is_special(struct watcher *watcher, int number)
{
    (void)number;
    return function_is(watcher, "f", NAME_SPECIAL);
}

static bool f_is_gone(struct watcher *watcher, int number)
{
    (void)number;
    return function_is(watcher, "f", NAME_UNKNOWN);
}

static void a_change_that_nobody_tells_of_is_noticed_soon(void **state)
{
    (void)state;
    struct postgres postgres;
    struct watcher watcher;
    if (!postgres_available())
        skip();
    postgres_start(&postgres, 1);
    postgres_sql(&postgres, 0, "postgres", objects);
    watcher_start(&watcher, watcher_config(&postgres, ""));
    watcher_ask_catalogue(&watcher, "postgres", false);
    watcher_until(&watcher, SOON_MS, "the catalogue", f_is_known, 0);
    for (int i = 0; i < 3; i++) {
        postgres_sql(&postgres, 0, "postgres", "ALTER FUNCTION f() VOLATILE");
        watcher_until(&watcher, SOON_MS, "volatile", f_is_special, 0);
        postgres_sql(&postgres, 0, "postgres", "ALTER FUNCTION f() STABLE");
        watcher_until(&watcher, SOON_MS, "stable", f_is_known, 0);
    }
    unsigned published = watcher.catalogues;
    postgres_sql(&postgres, 0, "postgres", "TRUNCATE fast");
    watcher_run(&watcher, 3000);
    assert_int_equal(watcher.catalogues, published); /* nobody need hear of it */
    watcher_stop(&watcher);
    postgres_end(&postgres);
}

static void after_a_failover_the_new_primary_is_watched(void **state)
{
    (void)state;
    struct postgres postgres;
    struct watcher watcher;
    if (!postgres_available())
        skip();
    postgres_start(&postgres, 2);
    postgres_sql(&postgres, 0, "postgres", objects);
    watcher_start(&watcher, watcher_config(&postgres, ""));
    watcher_ask_catalogue(&watcher, "postgres", false);
    watcher_until(&watcher, SOON_MS, "the catalogue", f_is_known, 0);
    watcher_until(&watcher, SOON_MS, "both nodes", all_settled, 0);
    postgres_stop(&postgres, 0);
    postgres_sql(&postgres, 1, "postgres", "SELECT pg_promote()");
    postgres_sql(&postgres, 1, "postgres", "DROP FUNCTION f()");
    watcher_until(&watcher, SOON_MS, "the other primary", primary_is, 1);
    watcher_until(&watcher, SOON_MS, "the drop", f_is_gone, 0);
    watcher_stop(&watcher);
    postgres_end(&postgres);
}

static void a_server_that_restarts_is_watched_again(void **state)
{
    (void)state;
    struct postgres postgres;
    struct watcher watcher;
    if (!postgres_available())
        skip();
    postgres_start(&postgres, 1);
    postgres_sql(&postgres, 0, "postgres", objects);
    watcher_start(&watcher, watcher_config(&postgres, ""));
    watcher_ask_catalogue(&watcher, "postgres", false);
    watcher_until(&watcher, SOON_MS, "the catalogue", f_is_known, 0);
    postgres_stop(&postgres, 0);
    postgres_run(&postgres, 0);
    postgres_sql(&postgres, 0, "postgres", "ALTER FUNCTION f() VOLATILE");
    watcher_until(&watcher, SOON_MS, "volatile", f_is_special, 0);
    watcher_stop(&watcher);
    postgres_end(&postgres);
}

/* Connections of catalogue readers: probes have the database postgres for themselves. */
static int connections(struct postgres *postgres)
{
    return atoi(postgres_sql(postgres, 0, "postgres",
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rolecall' AND datname LIKE 'd%'"));
}

static void wait_for_connections(struct postgres *postgres, struct watcher *watcher, int number)
{
    for (int waited_ms = 0; connections(postgres) != number; waited_ms += 100) {
        assert_true(waited_ms < SOON_MS);
        if (watcher)
            watcher_run(watcher, 100);
        else
            usleep(100000);
    }
}

static bool all_came(struct watcher *watcher, int number)
{
    return watcher->catalogues >= (unsigned)number;
}

static void only_so_many_connections_are_kept(void **state)
{
    (void)state;
    enum { DATABASES = 18, KEPT = 16 };
    struct postgres postgres;
    struct watcher watcher;
    char sql[64], name[16];
    if (!postgres_available())
        skip();
    postgres_start(&postgres, 1);
    for (int i = 0; i < DATABASES; i++) {
        snprintf(sql, sizeof sql, "CREATE DATABASE d%d", i);
        postgres_sql(&postgres, 0, "postgres", sql);
    }
    watcher_start(&watcher, watcher_config(&postgres, ""));
    for (int i = 0; i < DATABASES; i++) {
        snprintf(name, sizeof name, "d%d", i);
        watcher_ask_catalogue(&watcher, name, false);
    }
    watcher_until(&watcher, 2 * SOON_MS, "all catalogues", all_came, DATABASES);
    wait_for_connections(&postgres, &watcher, KEPT);
    watcher_stop(&watcher);
    wait_for_connections(&postgres, NULL, 0);
    postgres_end(&postgres);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ddl_changes_the_fingerprint_and_nothing_else_does),
        cmocka_unit_test(a_change_that_nobody_tells_of_is_noticed_soon),
        cmocka_unit_test(after_a_failover_the_new_primary_is_watched),
        cmocka_unit_test(a_server_that_restarts_is_watched_again),
        cmocka_unit_test(only_so_many_connections_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
