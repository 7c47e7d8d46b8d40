"""
What rolecall reads from a database's catalogue: which names lead to something that only the primary knows, and which
change the session, whatever they hide behind; and that changes of it are noticed, whoever makes them.

A pool of one connection shows whether what a statement has changed follows its session, and reaches nobody else. What
belongs to the primary here is pg_backend_pid(): a replica would answer it, and nobody would ask the primary instead.
"""

import os

import psycopg
import pytest

from conftest import Endpoint
from lib.cluster import PASSWORD, USER
from lib.processes import wait_until

pytestmark = pytest.mark.proxy

DATABASE = "catalogued"
# Less than it takes when nobody looks (30 s).
SOON = 20

SETUP = """
create function whereami() returns int stable language plpgsql as $$ begin return current_setting('port')::int; end $$;
grant all on schema public to public;
create schema w; create schema a; create schema b;
grant all on schema w, a, b to public;
"""

MARKS = """
create table slow (a int); insert into slow values (1), (2);
create function w.mark(v text) returns text language plpgsql as
  $$ begin perform set_config('app.mark', v, false); return v; end $$;
create function w.mark_immutable(v text) returns text language plpgsql immutable as
  $$ begin perform set_config('app.mark', v, false); return v; end $$;
create function w.trig() returns trigger language plpgsql as
  $$ begin perform w.mark(tg_argv[0]); return coalesce(new, old); end $$;
create function w.seeds() returns trigger language plpgsql as
  $$ begin perform setseed(0.5); return new; end $$;
create function w.locks() returns trigger language plpgsql as
  $$ begin perform pg_advisory_lock(new.a); return new; end $$;
create table w.plain (a int default 1, b text default lower('X') check (length(b) < 5), c timestamptz default now());
create table w.seeded (a int); create trigger t before insert on w.seeded for each row execute function w.seeds();
create table w.locked (a int); create trigger t before insert on w.locked for each row execute function w.locks();
"""

# name: (how it is made, the statement that leaves app.mark = name)
CHANGES = {
    "trigger": ("create table w.{n} (a int); create trigger t before insert on w.{n} for each row execute function w.trig('{n}')",
                "insert into w.{n} values (1)"),
    "statement_trigger": ("create table w.{n} (a int); create trigger t after delete on w.{n} execute function w.trig('{n}')",
                          "delete from w.{n}"),
    "truncate_trigger": ("create table w.{n} (a int); create trigger t after truncate on w.{n} execute function w.trig('{n}')",
                         "truncate w.{n}"),
    "column_default": ("create table w.{n} (a int, b text default w.mark('{n}'))", "insert into w.{n} values (1)"),
    "set_config_default": ("create table w.{n} (a int, b text default set_config('app.mark', '{n}', false))",
                           "insert into w.{n} values (1)"),
    "generated": ("create table w.{n} (a text, b text generated always as (w.mark_immutable(a)) stored)",
                  "insert into w.{n} values ('{n}')"),
    "check_constraint": ("create table w.{n} (a text check (w.mark(a) is not null))", "insert into w.{n} values ('{n}')"),
    "domain": ("create domain w.d_{n} as text check (w.mark(value) is not null); create table w.{n} (a w.d_{n})",
               "insert into w.{n} values ('{n}')"),
    "domain_array": ("create domain w.d_{n} as text check (w.mark(value) is not null); create table w.{n} (a w.d_{n}[])",
                     "insert into w.{n} values (array['{n}'])"),
    "domain_cast": ("create domain w.d_{n} as text check (w.mark(value) is not null)", "select '{n}'::w.d_{n}"),
    "rule": ("create table w.{n} (a int); create rule r as on update to w.{n} do also select w.mark('{n}')",
             "update w.{n} set a = 1"),
    "index_expression": ("create table w.{n} (a text); create index on w.{n} (w.mark_immutable(a))",
                         "insert into w.{n} values ('{n}')"),
    "policy": ("create table w.{n} (a text); alter table w.{n} enable row level security; alter table w.{n} force row level "
               "security; create policy p on w.{n} with check (w.mark(a) is not null)",
               "insert into w.{n} values ('{n}')"),
    "cascade": ("create table w.{n} (a int primary key); insert into w.{n} values (1); create table w.{n}2 (a int references "
                "w.{n} on delete cascade); insert into w.{n}2 values (1); create trigger t after delete on w.{n}2 for each "
                "row execute function w.trig('{n}')", "delete from w.{n}"),
    "partition": ("create table w.{n} (a int) partition by list (a); create table w.{n}2 partition of w.{n} default; "
                  "create trigger t before insert on w.{n}2 for each row execute function w.trig('{n}')",
                  "insert into w.{n} values (1)"),
    "child": ("create table w.{n} (a int); create table w.{n}2 () inherits (w.{n}); insert into w.{n}2 values (1); "
              "create trigger t before update on w.{n}2 for each row execute function w.trig('{n}')", "update w.{n} set a = 2"),
    "view": ("create table w.{n}2 (a int); create trigger t before insert on w.{n}2 for each row execute function "
             "w.trig('{n}'); create view w.{n} as select a from w.{n}2", "insert into w.{n} values (1)"),
    "instead": ("create view w.{n} as select 1 as a; create trigger t instead of insert on w.{n} for each row execute "
                "function w.trig('{n}')", "insert into w.{n} values (1)"),
    "read_view": ("create view w.{n} as select w.mark('{n}')", "select * from w.{n}"),
    "operator": ("create function w.f_{n}(text, text) returns text language sql as 'select w.mark($1)'; create operator w.<!> "
                 "(leftarg = text, rightarg = text, function = w.f_{n})", "select '{n}'::text operator(w.<!>) ''::text"),
    "cast_function": ("create type w.t_{n} as (a int); create function w.f_{n}(w.t_{n}) returns text language sql as "
                      "$$select w.mark('{n}')$$; create cast (w.t_{n} as text) with function w.f_{n}(w.t_{n}) as implicit; "
                      "create table w.{n} (a w.t_{n}); insert into w.{n} values (row(1))",
                      "select length(a) from w.{n}"),
    "function_that_writes": ("create table w.{n}2 (a int); create trigger t before insert on w.{n}2 for each row execute "
                             "function w.trig('{n}'); create function w.{n}() returns void language sql as "
                             "'insert into w.{n}2 values (1)'", "select w.{n}()"),
    "data_modifying_with": ("create table w.{n} (a int default length(w.mark('{n}')), b int)",
                            "with x as (insert into w.{n} (b) values (1) returning a) select * from x"),
    "dynamic_sql": ("create function w.{n}() returns void language plpgsql as $$ begin execute "
                    "'set app.mark = ' || quote_literal('{n}'); end $$", "select w.{n}()"),
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogued(cluster):
    """The shared cluster with a database that has all of this."""
    cluster.primary.sql(f"create database {DATABASE} owner {USER}", dbname="postgres")
    with cluster.primary.connect(dbname=DATABASE) as connection:
        connection.execute(SETUP)
    as_owner(cluster, MARKS, *(made.format(n=name) for name, (made, _) in CHANGES.items()))
    cluster.catch_up()
    yield cluster
    cluster.primary.sql(f"drop database {DATABASE} with (force)", dbname="postgres")


def as_owner(cluster, *statements):
    """Past rolecall, in one transaction: who notices one of them knows all."""
    with cluster.primary.connect(dbname=DATABASE, user=USER, password=PASSWORD) as connection, connection.transaction():
        for statement in statements:
            connection.execute(statement)


@pytest.fixture(scope="module")
def rolecall(catalogued):
    """Nothing but the statement decides: a session need not wait for what it has done before."""
    made = Endpoint(catalogued, {"split": dict(route="split", pool="transaction")}, cluster_settings={"consistency": "eventual"})
    yield made
    made.stop()


@pytest.fixture
def split(rolecall):
    with connect(rolecall, "split") as connection:
        wait_known(connection, rolecall)
        yield connection


@pytest.fixture
def narrow(catalogued, make):
    """One connection to the primary for all."""
    made = make(catalogued, {"split": dict(route="split", pool="transaction")},
                settings={"pool_size": 1, "query_wait_timeout": "500ms"})  # fmt: skip
    with connect(made, "split") as connection:
        wait_known(connection, made)
    return made


def connect(rolecall, listener, **options):
    return rolecall.connect(listener, dbname=DATABASE, prepare_threshold=None, **options)


def wait_known(connection, rolecall):
    wait_until(lambda: on_replica(connection, rolecall, "select whereami()"), SOON, "the catalogue is known", 0.05)


def on_replica(connection, rolecall, sql):
    return connection.execute(sql).fetchone()[0] in rolecall.cluster.replica_ports


def mark(connection):
    return connection.execute("select current_setting('app.mark', true)").fetchone()[0] or ""


# What a statement changes.


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_statement_changes_behind_the_scenes_follows_its_session_alone(narrow, name):
    _, statement = CHANGES[name]
    with connect(narrow, "split") as one, connect(narrow, "split") as other:
        assert mark(one) == mark(other) == ""
        one.execute(statement.format(n=name))
        assert mark(other) == ""
        other.execute("set app.mark = 'other'")
        assert mark(one) == name
        assert mark(other) == "other"


def test_an_ordinary_write_pins_nobody_and_leaves_the_next_read_to_a_replica(narrow):
    with connect(narrow, "split") as one, connect(narrow, "split") as other:
        one.execute("insert into w.plain (a) values (2)")
        other.execute("insert into w.plain (a) values (3)")
        wait_until(lambda: on_replica(one, narrow, "select whereami() from w.plain"), what="reads go to a replica")


def test_a_trigger_that_seeds_pins_until_discard(narrow):
    with connect(narrow, "split") as one, connect(narrow, "split") as other:
        one.execute("insert into w.seeded values (1)")
        drawn = one.execute("select random()").fetchone()[0]
        with pytest.raises(psycopg.Error) as caught:
            other.execute("insert into w.plain (a) values (2)")
        assert "query_wait_timeout" in str(caught.value)
        one.execute("select setseed(0.5)")
        assert one.execute("select random()").fetchone()[0] == drawn
        one.execute("discard all")
        other.execute("insert into w.plain (a) values (2)")


def test_a_lock_that_a_trigger_takes_pins_until_it_is_given_back(narrow):
    with connect(narrow, "split") as one, connect(narrow, "split") as other:
        one.execute("insert into w.locked values (7)")
        with pytest.raises(psycopg.Error):
            other.execute("insert into w.plain (a) values (2)")
        assert one.execute("select pg_advisory_unlock(7)").fetchone()[0]
        other.execute("insert into w.plain (a) values (2)")


def test_a_sequence_that_a_default_asks_for_is_the_sessions_own(cluster, make):
    """In a database of its own: such a default changes how all sessions there are treated."""
    cluster.primary.sql(f"create database numbered owner {USER}", dbname="postgres")
    with cluster.primary.connect(dbname="numbered", user=USER, password=PASSWORD) as direct:
        direct.execute("create table numbered (id serial)")
        direct.execute("create table asked (id bigint default currval('numbered_id_seq'))")
    made = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"pool_size": 4})
    with made.connect("primary", dbname="numbered") as one, made.connect("primary", dbname="numbered") as other:
        for i in range(1, 6):
            for session in (one, other):
                session.execute("insert into numbered default values")
            for session, number in ((one, 2 * i - 1), (other, 2 * i)):
                assert session.execute("insert into asked default values returning id").fetchone()[0] == number
    cluster.primary.sql("drop database numbered with (force)", dbname="postgres")


# Where a statement goes.


def test_operators_lead_to_their_functions(catalogued, rolecall, split):
    as_owner(catalogued,
             "create or replace function a.special(int, int) returns bool stable language sql as 'select pg_backend_pid() > 0'",
             "create or replace function a.harmless(int, int) returns bool stable language sql as 'select $1 % $2 = 0'",
             "create operator a.<%> (leftarg = int, rightarg = int, function = a.special)",
             "create operator a.<^> (leftarg = int, rightarg = int, function = a.harmless)",
             "create view a.by_special as select a from slow where a operator(a.<%>) 1",
             "create view a.by_harmless as select a from slow where a operator(a.<^>) 1",
             "create function a.uses_special() returns int stable language sql as 'select 1 where 1 operator(a.<%>) 2'")  # fmt: skip
    catalogued.catch_up()
    on = lambda sql: on_replica(split, rolecall, sql)  # noqa: E731
    wait_until(lambda: not on("select whereami(), 4 operator(a.<%>) 2"), SOON, "the operator is known")
    assert on("select whereami(), 4 operator(a.<^>) 2")
    assert on("select whereami() from a.by_harmless")
    assert not on("select whereami() from a.by_special")
    assert not on("select whereami(), a.uses_special()")
    split.execute("set search_path = a, public")
    assert not on("select whereami(), 4 <%> 2")
    assert on("select whereami(), 4 <^> 2")


def test_casts_lead_to_their_functions(catalogued, rolecall, split):
    as_owner(catalogued,
             "create type a.heavy as (v int)", "create type a.light as (v int)",
             "create function a.heavy_int(a.heavy) returns int stable language sql as 'select pg_backend_pid()'",
             "create function a.light_int(a.light) returns int stable language sql as 'select ($1).v'",
             "create cast (a.heavy as int) with function a.heavy_int(a.heavy) as implicit",
             "create cast (a.light as int) with function a.light_int(a.light) as implicit",
             "create table a.heavies (v a.heavy)", "create table a.lights (v a.light)",
             "insert into a.heavies values (row(1))", "insert into a.lights values (row(1))",
             "create view a.over_heavies as select v from a.heavies")  # fmt: skip
    catalogued.catch_up()
    on = lambda sql: on_replica(split, rolecall, sql)  # noqa: E731
    wait_until(lambda: not on("select whereami(), '(1)'::a.heavy::int"), SOON, "the cast is known")
    assert not on("select whereami(), cast(row(1) as a.heavy)::int")
    assert not on("select whereami(), abs(v) from a.heavies")
    assert not on("select whereami(), abs(v) from a.over_heavies")
    assert on("select whereami(), '(1)'::a.light::int")
    assert on("select whereami(), abs(v) from a.lights")


def test_a_schema_that_is_written_tells_namesakes_apart(catalogued, rolecall, split):
    as_owner(catalogued,
             "create function a.twin() returns int stable language sql as 'select count(*)::int from slow'",
             "create function b.twin() returns int stable language sql as 'select pg_backend_pid()'",
             "create table a.same (v int)", "create view b.same as select pg_backend_pid() as v", "insert into a.same values (1)")  # fmt: skip
    catalogued.catch_up()
    on = lambda sql: on_replica(split, rolecall, sql)  # noqa: E731
    wait_until(lambda: not on("select whereami(), b.twin()"), SOON, "the functions are known")
    wait_until(lambda: on("select whereami(), a.twin()"), SOON, "the functions are known")
    assert on("select whereami() from a.same")
    assert not on("select whereami() from b.same")
    for path in ("a", "b"):
        split.execute(f"set search_path = {path}, public")
        count = split.execute("select whereami(), twin()").fetchone()
        assert count[0] == catalogued.primary.port, "one of the two is the primary's, whatever the path is"
        assert (count[1] == 2) == (path == "a")


@pytest.mark.parametrize("extension, sql", [
    ("citext", "select whereami(), 'A'::citext = 'a' order by 'b'::citext"),
    ("pg_trgm", "select whereami(), 'word' % 'words'"),
    ("hstore", "select whereami(), 'a=>1'::hstore -> 'a'"),
    ("ltree", "select whereami(), 'a.b'::ltree <@ 'a'::ltree"),
    ("cube", "select whereami(), '(1,2)'::cube <-> '(3,4)'::cube"),
])  # fmt: skip
def test_the_types_and_operators_of_extensions_are_read_on_replicas(catalogued, rolecall, split, extension, sql):
    if not os.path.exists(f"/usr/share/postgresql/{catalogued.primary.value('show server_version_num')[:2]}/extension/{extension}.control"):
        pytest.skip(f"{extension} is not installed")
    catalogued.primary.sql(f"create extension {extension}", dbname=DATABASE)
    catalogued.catch_up()
    wait_until(lambda: on_replica(split, rolecall, sql), SOON, "a replica answers")
    assert on_replica(split, rolecall, "select whereami(), 1 = 1 from slow")
    catalogued.primary.sql(f"drop extension {extension}", dbname=DATABASE)


# Changes.


def test_ddl_through_rolecall_counts_at_once(catalogued, rolecall, split):
    on = lambda sql: on_replica(split, rolecall, sql)  # noqa: E731
    split.execute("create or replace function a.changing() returns int stable language sql as 'select 1'")
    wait_until(lambda: on("select whereami(), a.changing()"), SOON, "a replica answers")
    for _ in range(3):
        split.execute("create or replace function a.changing() returns int stable language sql as 'select pg_backend_pid()'")
        assert not on("select whereami(), a.changing()")
        split.execute("create or replace function a.changing() returns int stable language sql as 'select 1'")
        wait_until(lambda: on("select whereami(), a.changing()"), SOON, "a replica answers")


CHANGED_LATER = {
    "a function": ("create or replace function a.later() returns int stable language sql as 'select {}'", "1",
                   "pg_backend_pid()", "select whereami(), a.later()"),
    "its volatility": ("create or replace function a.later2() returns int {} language sql as 'select 1'", "stable", "volatile",
                       "select whereami(), a.later2()"),
    "a view": ("create or replace view a.later3 as select {} as a", "1", "pg_backend_pid()", "select whereami() from a.later3"),
    "what a view calls": ("create or replace function a.later4() returns int stable language sql as 'select {}'; create or "
                          "replace view a.over4 as select a.later4()", "1", "pg_backend_pid()", "select whereami() from a.over4"),
    "a policy": ("create table if not exists a.later6 as select 1 as a; alter table a.later6 enable row level security; drop "
                 "policy if exists p on a.later6; create policy p on a.later6 using ({})", "true",
                 "pg_backend_pid() > 0", "select whereami() from (select count(*) from a.later6) x"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGED_LATER)
def test_ddl_behind_rolecalls_back_is_noticed_soon(catalogued, rolecall, split, what):
    made, harmless, special, sql = CHANGED_LATER[what]
    as_owner(catalogued, made.format(harmless))
    wait_until(lambda: on_replica(split, rolecall, sql), SOON, f"{what} is harmless", 0.05)
    as_owner(catalogued, made.format(special))
    wait_until(lambda: not on_replica(split, rolecall, sql), SOON, f"{what} is special", 0.05)


def test_a_trigger_made_behind_rolecalls_back_is_noticed_soon(catalogued, narrow):
    as_owner(catalogued, "drop table if exists w.late", "create table w.late (a int)")

    def followed():
        with connect(narrow, "split") as one:
            one.execute("insert into w.late values (1)")
            return mark(one) == "late"

    with connect(narrow, "split") as one:
        one.execute("insert into w.late values (1)")
        assert mark(one) == ""
    as_owner(catalogued, "create trigger t before insert on w.late for each row execute function w.trig('late')")
    wait_until(followed, SOON, "the trigger's setting follows", 0.1)


def test_no_connection_is_kept_for_a_database_that_nobody_uses(cluster, make):
    cluster.primary.sql("create database left_alone", dbname="postgres")
    made = make(cluster, {"split": dict(route="split", pool="transaction")})

    def watched():
        return len(cluster.primary.backends("application_name = 'rolecall' and datname = 'left_alone'"))

    with made.connect("split", dbname="left_alone") as one:
        one.execute("select 1")
        wait_until(lambda: watched() == 1, SOON, "its catalogue is watched", 0.2)
    wait_until(lambda: watched() == 0, 75, "the connection is closed", 0.5)
    made.stop()
    cluster.primary.sql("drop database left_alone with (force)", dbname="postgres")
