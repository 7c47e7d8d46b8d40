/* The catalogue of a real database with every kind of object: what is special is found, what is harmless
 * stays so. */
#include "tests/unit/health/postgres.h"
#include "tests/unit/health/unit.h"
#include "tests/unit/health/watcher.h"

static const char objects[] =
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
    "CREATE VIEW over_config_session AS SELECT set_config('view.a', 'c', false);"
    "CREATE VIEW over_config_any AS SELECT set_config(a::text, 'c', false) FROM plain;"
    "CREATE VIEW over_lock AS SELECT pg_try_advisory_lock(1); CREATE VIEW over_seed AS SELECT setseed(0.5) "
    "IS NULL;"
    "CREATE FUNCTION reads_over_sets() RETURNS bigint LANGUAGE sql STABLE"
    " AS 'SELECT count(*) FROM over_sets';"
    "CREATE FUNCTION set_by_list() RETURNS text LANGUAGE sql AS $$SELECT set_config('a.b', 'c', false)$$;"
    "DO $$BEGIN EXECUTE format('CREATE FUNCTION long() RETURNS int LANGUAGE sql AS %L',"
    " 'SELECT 1 --' || repeat('x', 70000)); EXECUTE format('CREATE FUNCTION long_opaque() RETURNS int"
    " LANGUAGE sql AS %L', 'SELECT 1 FROM setseed(1) --' || repeat('x', 70000)); END$$;"
    "CREATE EXTENSION citext; CREATE EXTENSION pgcrypto; CREATE EXTENSION tablefunc; CREATE EXTENSION dblink;"
    "CREATE EXTENSION moddatetime;"
    "CREATE FUNCTION own_c() RETURNS float8 LANGUAGE c AS '$libdir/tablefunc', 'normal_rand';"
    "CREATE FUNCTION alias(bigint) RETURNS void LANGUAGE internal AS 'pg_advisory_lock_int8';"
    "CREATE FUNCTION seeds() RETURNS void LANGUAGE sql AS 'SELECT setseed(0.5)';"
    "CREATE FUNCTION loads() RETURNS void LANGUAGE plpgsql AS $$BEGIN LOAD 'x'; END$$;"
    "CREATE FUNCTION calls_loads() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM loads(); END';"
    "CREATE FUNCTION uses_operator(int) RETURNS bool LANGUAGE sql STABLE AS 'SELECT $1 <%> 1';"
    "CREATE FUNCTION uses_good_operator(int) RETURNS bool LANGUAGE sql STABLE AS 'SELECT $1 <^> 1';"
    "CREATE FUNCTION uses_type(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1::checked';"
    "CREATE FUNCTION returns_heavy(int) RETURNS heavy LANGUAGE sql STABLE AS 'SELECT row($1)::heavy';"
    "CREATE FUNCTION takes_checked(checked) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';"
    "CREATE FUNCTION fills_fired() RETURNS void LANGUAGE sql AS 'INSERT INTO w_trigger (a) VALUES (1)'";

/* Before the functions above: operators, types and what stands behind writes. */
static const char more_objects[] =
    "SET check_function_bodies = off; CREATE UNLOGGED TABLE fast_here (a int); CREATE TABLE base (a int);"
    "CREATE FUNCTION op_special(int, int) RETURNS bool LANGUAGE sql STABLE"
    " AS 'SELECT EXISTS (SELECT FROM fast_here)';"
    "CREATE FUNCTION op_good(int, int) RETURNS bool LANGUAGE sql STABLE AS 'SELECT $1 % $2 = 0';"
    "CREATE FUNCTION op_session(int, int) RETURNS bool LANGUAGE plpgsql AS"
    " $$BEGIN SET app.by_operator = 1; RETURN true; END$$;"
    "CREATE FUNCTION op_opaque(int, int) RETURNS bool LANGUAGE plpgsql AS"
    " $$BEGIN PERFORM setseed(0.5); RETURN true; END$$;"
    "CREATE OPERATOR <%> (LEFTARG = int, RIGHTARG = int, FUNCTION = op_special);"
    "CREATE OPERATOR <^> (LEFTARG = int, RIGHTARG = int, FUNCTION = op_good);"
    "CREATE OPERATOR <!> (LEFTARG = int, RIGHTARG = int, FUNCTION = op_session);"
    "CREATE OPERATOR <@!> (LEFTARG = int, RIGHTARG = int, FUNCTION = op_opaque);"
    "CREATE OPERATOR <&&> (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_catalog.textlike);"
    "CREATE VIEW over_operator AS SELECT a <%> 1 FROM base; CREATE VIEW over_good_operator AS SELECT a <^> 1 "
    "FROM base;"
    "CREATE TABLE guarded_by_lock (a int); ALTER TABLE guarded_by_lock ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON guarded_by_lock USING (pg_try_advisory_lock(a));"
    "CREATE TABLE guarded_by_operator (a int); ALTER TABLE guarded_by_operator ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON guarded_by_operator USING (a <%> 1);"
    /* types */
    "CREATE FUNCTION checks(text) RETURNS bool LANGUAGE sql AS $$SELECT set_config('app.checked', $1, false) "
    "IS "
    "NOT NULL$$;"
    "CREATE DOMAIN checked AS text CHECK (checks(VALUE)); CREATE DOMAIN good_domain AS text CHECK (VALUE <> "
    "'x');"
    "CREATE DOMAIN on_checked AS checked; CREATE DOMAIN told AS text CHECK (set_config('domain.a', VALUE, "
    "false) "
    "IS NOT NULL);"
    "CREATE TYPE heavy AS (a int); CREATE TYPE light AS (a int); CREATE TYPE holds_checked AS (c checked[]);"
    "CREATE FUNCTION heavy_int(heavy) RETURNS int LANGUAGE sql STABLE AS 'SELECT count(*)::int FROM "
    "fast_here';"
    "CREATE FUNCTION light_int(light) RETURNS int LANGUAGE sql STABLE AS 'SELECT ($1).a';"
    "CREATE CAST (heavy AS int) WITH FUNCTION heavy_int(heavy) AS IMPLICIT;"
    "CREATE CAST (light AS int) WITH FUNCTION light_int(light) AS IMPLICIT;"
    "CREATE FUNCTION bool_special(text) RETURNS bool LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM "
    "fast_here)';"
    "CREATE CAST (text AS bool) WITH FUNCTION bool_special(text);"
    "CREATE TABLE heavy_values (a heavy); CREATE TABLE heavy_arrays (a heavy[]); CREATE TABLE good_values (a "
    "light, b "
    "good_domain);"
    "CREATE VIEW over_domain AS SELECT a::text::checked FROM base;"
    /* writes */
    "CREATE FUNCTION locks_trigger() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN PERFORM pg_advisory_lock(1); RETURN NEW; END$$;"
    "CREATE FUNCTION calm_trigger() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN NEW.a := NEW.a + 1; RETURN NEW; END$$;"
    "CREATE FUNCTION opaque_trigger() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN PERFORM setseed(0.5); RETURN NEW; END$$;"
    "CREATE FUNCTION sets_number() RETURNS int LANGUAGE plpgsql AS $$BEGIN SET app.number = 1; RETURN 1; "
    "END$$;"
    "CREATE FUNCTION sets_immutably(int) RETURNS int LANGUAGE sql IMMUTABLE AS"
    " $$SELECT set_config('app.index', 'x', false)::int$$;"
    "CREATE TABLE w_plain (a int DEFAULT 1, b timestamptz DEFAULT now(), c text CHECK (length(c) < 5), d "
    "serial);"
    "CREATE TABLE w_trigger (a int PRIMARY KEY); CREATE TRIGGER t BEFORE INSERT ON w_trigger FOR EACH ROW"
    " EXECUTE FUNCTION locks_trigger();"
    "CREATE TABLE w_calm (a int); CREATE TRIGGER t BEFORE INSERT ON w_calm FOR EACH ROW EXECUTE FUNCTION "
    "calm_trigger();"
    "CREATE TABLE w_disabled (a int); CREATE TRIGGER t BEFORE INSERT ON w_disabled FOR EACH ROW"
    " EXECUTE FUNCTION locks_trigger(); ALTER TABLE w_disabled DISABLE TRIGGER t;"
    "CREATE TABLE w_opaque (a int); CREATE TRIGGER t AFTER DELETE ON w_opaque FOR EACH STATEMENT"
    " EXECUTE FUNCTION opaque_trigger();"
    "CREATE TABLE w_when (a int); CREATE TRIGGER t BEFORE INSERT ON w_when FOR EACH ROW"
    " WHEN (pg_try_advisory_lock(NEW.a)) EXECUTE FUNCTION calm_trigger();"
    "CREATE TABLE w_default (a int DEFAULT sets_number()); CREATE TABLE w_default_lock (a bool DEFAULT"
    " pg_try_advisory_lock(1));"
    "CREATE TABLE w_default_config (a text DEFAULT set_config('app.default', 'x', false));"
    "CREATE TABLE w_default_local (a text DEFAULT set_config('app.default_local', 'x', true));"
    "CREATE TABLE w_generated (a int, b int GENERATED ALWAYS AS (sets_immutably(a)) STORED);"
    "CREATE TABLE w_check (a int CHECK (a <!> 1)); CREATE TABLE w_domain (a checked);"
    "CREATE TABLE w_domain_array (a on_checked[]); CREATE TABLE w_composite (a holds_checked);"
    "CREATE TABLE w_row (a w_domain); CREATE TABLE w_told (a told); CREATE TABLE w_good_domain (a "
    "good_domain);"
    "CREATE TABLE w_rule (a int); CREATE RULE r AS ON UPDATE TO w_rule DO ALSO INSERT INTO w_trigger VALUES "
    "(1);"
    "CREATE TABLE w_rule_calls (a int); CREATE RULE r AS ON INSERT TO w_rule_calls DO ALSO SELECT "
    "sets_number();"
    "CREATE TABLE w_index (a int); CREATE INDEX ON w_index (sets_immutably(a));"
    "CREATE TABLE w_partial (a int); CREATE INDEX ON w_partial (a) WHERE sets_immutably(a) > 1;"
    "CREATE TABLE w_policy (a int); ALTER TABLE w_policy ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON w_policy FOR INSERT WITH CHECK (a <!> 1);"
    "CREATE TABLE w_policy_off (a int); CREATE POLICY p ON w_policy_off FOR INSERT WITH CHECK (a <!> 1);"
    "CREATE TABLE w_referenced (a int PRIMARY KEY);"
    "CREATE TABLE w_cascades (a int REFERENCES w_referenced ON DELETE CASCADE);"
    "CREATE TRIGGER t AFTER DELETE ON w_cascades FOR EACH ROW EXECUTE FUNCTION locks_trigger();"
    "CREATE TABLE w_referenced_only (a int PRIMARY KEY);"
    "CREATE TABLE w_refuses (a int REFERENCES w_referenced_only);"
    "CREATE TRIGGER t AFTER DELETE ON w_refuses FOR EACH ROW EXECUTE FUNCTION locks_trigger();"
    "CREATE TABLE w_parent (a int) PARTITION BY LIST (a); CREATE TABLE w_part PARTITION OF w_parent DEFAULT;"
    "CREATE TRIGGER t BEFORE INSERT ON w_part FOR EACH ROW EXECUTE FUNCTION locks_trigger();"
    "CREATE TABLE w_inherited (a int); CREATE TABLE w_heir () INHERITS (w_inherited);"
    "CREATE TRIGGER t BEFORE UPDATE ON w_heir FOR EACH ROW EXECUTE FUNCTION locks_trigger();"
    "CREATE TABLE w_split (a int) PARTITION BY LIST (sets_immutably(a));"
    "CREATE VIEW w_view AS SELECT a FROM w_trigger; CREATE VIEW w_view_view AS SELECT a FROM w_view;"
    "CREATE VIEW w_view_calm AS SELECT a FROM w_calm; CREATE VIEW w_instead AS SELECT 1 AS a;"
    "CREATE TRIGGER t INSTEAD OF INSERT ON w_instead FOR EACH ROW EXECUTE FUNCTION locks_trigger();"
    "CREATE TABLE s.w_elsewhere (a int); CREATE TRIGGER t BEFORE INSERT ON s.w_elsewhere FOR EACH ROW"
    " EXECUTE FUNCTION locks_trigger(); CREATE TABLE w_elsewhere (a int)";

static const char last_objects[] = "CREATE TABLE citexts (a citext PRIMARY KEY, b citext);"
                                   "CREATE TABLE w_extension (a int, t timestamptz); CREATE TRIGGER t BEFORE "
                                   "UPDATE ON w_extension FOR EACH ROW"
                                   " EXECUTE FUNCTION moddatetime(t)";

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
    {"set_by_list", NAME_HARMLESS}, {"long", NAME_SESSION}, {"long_opaque", NAME_OPAQUE},
    {"own_c", NAME_SESSION}, {"alias", NAME_SESSION}, {"seeds", NAME_OPAQUE}, {"loads", NAME_OPAQUE},
    {"calls_loads", NAME_OPAQUE}, {"gen_random_bytes", NAME_SPECIAL}, {"crosstab", NAME_SESSION},
    {"dblink_connect", NAME_OPAQUE}, {"dblink_exec", NAME_SPECIAL}, {"uses_operator", NAME_SPECIAL},
    {"uses_good_operator", NAME_HARMLESS}, {"uses_type", NAME_SESSION}, {"returns_heavy", NAME_SPECIAL},
    {"takes_checked", NAME_SESSION}, {"fills_fired", NAME_SESSION}, {"locks_trigger", NAME_UNKNOWN}};

static const struct expected writes[] = {{"w_plain", NAME_UNKNOWN}, {"w_trigger", NAME_SESSION},
    {"w_calm", NAME_UNKNOWN}, {"w_disabled", NAME_UNKNOWN}, {"w_opaque", NAME_OPAQUE},
    {"w_when", NAME_SESSION}, {"w_default", NAME_SESSION}, {"w_default_lock", NAME_SESSION},
    {"w_default_config", NAME_SESSION}, {"w_default_local", NAME_UNKNOWN}, {"w_generated", NAME_SESSION},
    {"w_check", NAME_SESSION}, {"w_domain", NAME_SESSION}, {"w_domain_array", NAME_SESSION},
    {"w_composite", NAME_SESSION}, {"w_row", NAME_SESSION}, {"w_told", NAME_SESSION},
    {"w_good_domain", NAME_UNKNOWN}, {"w_rule", NAME_SESSION}, {"w_rule_calls", NAME_SESSION},
    {"w_index", NAME_SESSION}, {"w_partial", NAME_SESSION}, {"w_policy", NAME_SESSION},
    {"w_policy_off", NAME_UNKNOWN}, {"w_referenced", NAME_SESSION}, {"w_cascades", NAME_SESSION},
    {"w_referenced_only", NAME_UNKNOWN}, {"w_refuses", NAME_SESSION}, {"w_parent", NAME_SESSION},
    {"w_part", NAME_SESSION}, {"w_inherited", NAME_SESSION}, {"w_heir", NAME_SESSION},
    {"w_split", NAME_SESSION}, {"w_view", NAME_SESSION}, {"w_view_view", NAME_SESSION},
    {"w_view_calm", NAME_UNKNOWN}, {"w_instead", NAME_SESSION}, {"w_elsewhere", NAME_SESSION},
    {"w_extension", NAME_UNKNOWN}, {"base", NAME_UNKNOWN}, {"guarded_by_lock", NAME_SESSION}};

static const struct expected operators[] = {{"<%>", NAME_SPECIAL}, {"<^>", NAME_UNKNOWN},
    {"<!>", NAME_SESSION}, {"<@!>", NAME_OPAQUE}, {"<&&>", NAME_UNKNOWN}, {"=", NAME_UNKNOWN},
    {"~~", NAME_UNKNOWN}};

static const struct expected types[] = {{"checked", NAME_SESSION}, {"on_checked", NAME_SESSION},
    {"good_domain", NAME_UNKNOWN}, {"told", NAME_SESSION}, {"heavy", NAME_SPECIAL}, {"light", NAME_UNKNOWN},
    {"holds_checked", NAME_SESSION}, {"bool", NAME_SPECIAL}, {"boolean", NAME_SPECIAL},
    {"text", NAME_UNKNOWN}, {"int4", NAME_UNKNOWN}, {"citext", NAME_UNKNOWN}};

static const char *const settings[] = {
    "a.b", "app.by_operator", "app.checked", "app.default", "app.index", "app.number", "domain.a", "view.a"};

static const struct expected relations[] = {{"plain", NAME_UNKNOWN}, {"fast", NAME_SPECIAL},
    {"seq", NAME_SPECIAL}, {"away", NAME_SPECIAL}, {"parent", NAME_SPECIAL}, {"child", NAME_UNKNOWN},
    {"child2", NAME_SPECIAL}, {"sound", NAME_UNKNOWN}, {"good", NAME_UNKNOWN}, {"over_fast", NAME_SPECIAL},
    {"over_view", NAME_SPECIAL}, {"over_seq", NAME_SPECIAL}, {"activity", NAME_SPECIAL},
    {"pids", NAME_SPECIAL}, {"classes", NAME_UNKNOWN}, {"stored", NAME_UNKNOWN}, {"guarded", NAME_SPECIAL},
    {"guarded_well", NAME_UNKNOWN}, {"over_lazy", NAME_SPECIAL}, {"over_twice", NAME_UNKNOWN},
    {"over_sets", NAME_SESSION}, {"over_config", NAME_SPECIAL}, {"over_config_session", NAME_SESSION},
    {"over_config_any", NAME_OPAQUE}, {"over_lock", NAME_SESSION}, {"over_seed", NAME_OPAQUE},
    {"over_operator", NAME_SPECIAL}, {"over_good_operator", NAME_UNKNOWN}, {"over_domain", NAME_SESSION},
    {"heavy_values", NAME_SPECIAL}, {"heavy_arrays", NAME_SPECIAL}, {"good_values", NAME_UNKNOWN},
    {"citexts", NAME_UNKNOWN}, {"guarded_by_lock", NAME_SESSION}, {"guarded_by_operator", NAME_SPECIAL}};

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
    postgres_sql(&stage->postgres, 0, "shop", "CREATE SCHEMA s");
    postgres_sql(&stage->postgres, 0, "shop", more_objects);
    postgres_sql(&stage->postgres, 0, "shop", objects);
    postgres_sql(&stage->postgres, 0, "shop", last_objects);
    watcher_start(&stage->watcher, watcher_config(&stage->postgres, config));
}

static void end(struct stage *stage)
{
    watcher_stop(&stage->watcher);
    postgres_end(&stage->postgres);
}

static void check_each(const struct catalogue *catalogue, const char *what, const struct expected *expected,
    size_t n,
    enum name_kind (*kind_of)(const struct catalogue *catalogue, struct slice schema, struct slice name))
{
    for (size_t i = 0; i < n; i++) {
        enum name_kind kind = kind_of(catalogue, slice_of("", 0), slice_from(expected[i].name));
        if (kind != expected[i].kind)
            fail_msg("%s %s is %d, not %d", what, expected[i].name, (int)kind, (int)expected[i].kind);
    }
}

static enum name_kind operator_in_any_schema(
    const struct catalogue *catalogue, struct slice schema, struct slice symbol)
{
    (void)schema;
    return catalogue_operator(catalogue, symbol);
}

static void check_settings(const struct catalogue *catalogue)
{
    const char *const *names;
    size_t n = catalogue_settings(catalogue, &names);
    for (size_t i = 0; i < COUNT(settings); i++) {
        bool found = false;
        for (size_t j = 0; j < n; j++)
            found |= strcmp(names[j], settings[i]) == 0;
        if (!found)
            fail_msg("the setting %s is not known", settings[i]);
    }
    assert_int_equal(n, COUNT(settings));
}

static void check(const struct catalogue *catalogue)
{
    check_each(catalogue, "function", functions, COUNT(functions), catalogue_function);
    check_each(catalogue, "relation", relations, COUNT(relations), catalogue_relation);
    check_each(catalogue, "write to", writes, COUNT(writes), catalogue_write);
    check_each(catalogue, "operator", operators, COUNT(operators), operator_in_any_schema);
    check_each(catalogue, "type", types, COUNT(types), catalogue_type);
    check_settings(catalogue);
    struct slice s = slice_from("s"), public = slice_from("public");
    assert_int_equal(catalogue_function(catalogue, s, slice_from("twice")), NAME_HARMLESS);
    assert_int_equal(catalogue_function(catalogue, s, slice_from("lazy")), NAME_UNKNOWN);
    assert_int_equal(catalogue_write(catalogue, s, slice_from("w_elsewhere")), NAME_SESSION);
    assert_int_equal(catalogue_write(catalogue, public, slice_from("w_elsewhere")), NAME_UNKNOWN);
    assert_false(catalogue_reads_sequences(catalogue));
    assert_int_equal(catalogue_ddl(catalogue), NAME_UNKNOWN);
}

static const char lists[] =
    "read_functions = read_by_list, set_by_list\nwrite_functions = s.write_by_list, write_by_list\n";

static void each_kind_of_object_is_classed(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, lists);
    watcher_ask_catalogue(&stage.watcher, "shop", false); /* before a primary is known: it waits */
    watcher_until(&stage.watcher, 10000, "catalogue", catalogues_at_least, 1);
    assert_string_equal(catalogue_cluster(stage.watcher.catalogue), "main");
    assert_string_equal(catalogue_database(stage.watcher.catalogue), "shop");
    check(stage.watcher.catalogue);
    watcher_ask_catalogue(&stage.watcher, "shop", false); /* a second asker gets what is there, at once */
    watcher_until(&stage.watcher, 10000, "again", catalogues_at_least, 2);
    check(stage.watcher.catalogue);
    end(&stage);
}

static void a_change_is_read_at_once_and_what_did_not_change_is_sent_again(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "");
    watcher_ask_catalogue(&stage.watcher, "shop", false);
    watcher_until(&stage.watcher, 10000, "catalogue", catalogues_at_least, 1);
    postgres_sql(&stage.postgres, 0, "shop",
        "CREATE FUNCTION fresh() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; DROP VIEW over_view;"
        "CREATE OR REPLACE VIEW good AS SELECT a, now() FROM fast");
    watcher_ask_catalogue(&stage.watcher, "shop", true);
    watcher_until(&stage.watcher, 10000, "changed", catalogues_at_least, 2);
    const struct catalogue *catalogue = stage.watcher.catalogue;
    assert_int_equal(catalogue_function(catalogue, slice_of("", 0), slice_from("fresh")), NAME_HARMLESS);
    assert_int_equal(catalogue_relation(catalogue, slice_of("", 0), slice_from("over_view")), NAME_UNKNOWN);
    assert_int_equal(catalogue_relation(catalogue, slice_of("", 0), slice_from("good")), NAME_SPECIAL);
    watcher_ask_catalogue(
        &stage.watcher, "shop", true); /* DDL that changed nothing: whoever waits must hear of it */
    watcher_until(&stage.watcher, 10000, "the same again", catalogues_at_least, 3);
    end(&stage);
}

/* Reads anew and waits for it. */
static const struct catalogue *after(struct stage *stage, const char *sql)
{
    postgres_sql(&stage->postgres, 0, "shop", sql);
    watcher_ask_catalogue(&stage->watcher, "shop", true);
    watcher_until(&stage->watcher, 10000, "changed", catalogues_at_least, (int)stage->watcher.catalogues + 1);
    return stage->watcher.catalogue;
}

static const char *const asking[][2] = {
    {"ALTER TABLE plain ALTER a SET DEFAULT currval('seq')", "ALTER TABLE plain ALTER a DROP DEFAULT"},
    {"CREATE VIEW asks AS SELECT lastval()", "DROP VIEW asks"},
    {"CREATE RULE asks AS ON DELETE TO plain DO ALSO SELECT currval('seq')", "DROP RULE asks ON plain"},
    {"CREATE FUNCTION asks() RETURNS bigint LANGUAGE plpgsql AS"
     " $$BEGIN EXECUTE 'select LASTVAL()'; RETURN 1; END$$",
        "DROP FUNCTION asks()"},
    {"CREATE FUNCTION asks() RETURNS bigint LANGUAGE sql RETURN currval('seq')", "DROP FUNCTION asks()"},
    {"CREATE FUNCTION asks() RETURNS trigger LANGUAGE plpgsql AS"
     " $$BEGIN NEW.a := currval('seq'); RETURN NEW; END$$",
        "DROP FUNCTION asks()"},
    {"ALTER TABLE plain ADD CHECK (a <> lastval())", "ALTER TABLE plain DROP CONSTRAINT plain_a_check"},
    {"DO $$BEGIN EXECUTE format('CREATE FUNCTION asks() RETURNS bigint LANGUAGE sql AS %L',"
     " 'SELECT lastval() --' || repeat('x', 70000)); END$$",
        "DROP FUNCTION asks()"},
};

static void whoever_asks_for_a_sequence_of_the_session_is_found(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "");
    watcher_ask_catalogue(&stage.watcher, "shop", false);
    watcher_until(&stage.watcher, 10000, "catalogue", catalogues_at_least, 1);
    for (size_t i = 0; i < COUNT(asking); i++) {
        if (!catalogue_reads_sequences(after(&stage, asking[i][0])))
            fail_msg("not found: %s", asking[i][0]);
        if (catalogue_reads_sequences(after(&stage, asking[i][1])))
            fail_msg("still there after %s", asking[i][1]);
    }
    end(&stage);
}

static void an_event_trigger_counts_while_it_is_enabled(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "");
    watcher_ask_catalogue(&stage.watcher, "shop", false);
    watcher_until(&stage.watcher, 10000, "catalogue", catalogues_at_least, 1);
    assert_int_equal(
        catalogue_ddl(after(&stage, "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS"
                                    " $$BEGIN PERFORM pg_advisory_lock(1); END$$")),
        NAME_UNKNOWN);
    assert_int_equal(
        catalogue_ddl(after(&stage, "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION on_ddl()")),
        NAME_SESSION);
    assert_int_equal(catalogue_ddl(after(&stage, "ALTER EVENT TRIGGER e DISABLE")), NAME_UNKNOWN);
    end(&stage);
}

static void many_changes_at_once_are_read_few_times(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "");
    watcher_ask_catalogue(&stage.watcher, "shop", false);
    watcher_until(&stage.watcher, 10000, "catalogue", catalogues_at_least, 1);
    for (int i = 0; i < 200; i++)
        watcher_ask_catalogue(&stage.watcher, "shop", true);
    watcher_until(&stage.watcher, 10000, "changed", catalogues_at_least, 2);
    watcher_run(&stage.watcher, 1000);
    assert_true(stage.watcher.catalogues <= 5);
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
    watcher_until(&stage.watcher, 10000, "catalogue", catalogues_at_least, 1);
    end(&stage);
}

static void a_list_that_changes_on_reload_is_applied(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "");
    watcher_ask_catalogue(&stage.watcher, "shop", false);
    watcher_until(&stage.watcher, 10000, "catalogue", catalogues_at_least, 1);
    assert_int_equal(catalogue_function(stage.watcher.catalogue, slice_of("", 0), slice_from("calls_listed")),
        NAME_SPECIAL);
    watcher_reload(&stage.watcher, watcher_config(&stage.postgres, lists));
    watcher_until(&stage.watcher, 10000, "catalogue", catalogues_at_least, 2);
    check(stage.watcher.catalogue);
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_object_is_classed),
        cmocka_unit_test(a_change_is_read_at_once_and_what_did_not_change_is_sent_again),
        cmocka_unit_test(whoever_asks_for_a_sequence_of_the_session_is_found),
        cmocka_unit_test(an_event_trigger_counts_while_it_is_enabled),
        cmocka_unit_test(many_changes_at_once_are_read_few_times),
        cmocka_unit_test(a_database_that_is_not_there_gives_nothing_and_harms_nothing),
        cmocka_unit_test(a_list_that_changes_on_reload_is_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
