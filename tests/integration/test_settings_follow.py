"""What a session is left with after RESET, roles, DISCARD and what functions do: as on a connection of its own."""

import psycopg
import pytest

from lib.wire import Wire, bind, describe, execute, flush, parse, sync

LISTENERS = {"primary": dict(route="primary", pool="transaction")}


@pytest.fixture(scope="module")
def shared(cluster):
    """One connection for everybody."""
    from conftest import Endpoint

    made = Endpoint(cluster, LISTENERS, settings={"pool_size": 1, "workers": 1})
    yield made
    made.stop()


@pytest.fixture
def session(shared):
    """session(startup) is a client; before each of its statements another one has the connection, with settings of its own."""
    with shared.connect("primary", prepare_threshold=None) as other:
        opened = []

        def open_one(**startup):
            c = shared.connect("primary", prepare_threshold=None, **startup)
            opened.append(c)

            def say(sql):
                if c.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                    other.execute("set app.tenant = 'another'")
                    other.execute("set timezone = 'Asia/Kolkata'")
                cursor = c.execute(sql)
                return cursor.fetchone()[0] if cursor.description else None

            say.parameter = lambda name: c.info.parameter_status(name)
            return say

        yield open_one
        for c in opened:
            c.close()


def test_discard_all_gives_back_what_came_with_the_startup_packet_in_another_encoding(session):
    say = session(client_encoding="LATIN1", application_name="two words", options="-c TimeZone=Europe/Berlin")
    say("set timezone = 'Asia/Tokyo'")
    say("discard all")
    assert (say.parameter("TimeZone"), say.parameter("application_name")) == ("Europe/Berlin", "two words")
    assert say("show timezone") == "Europe/Berlin" and say("show client_encoding") == "LATIN1"


@pytest.mark.parametrize("sql, left", [
    ("reset app.tenant", "startup"), ("set app.tenant to default", "startup"), ("reset all", "startup"), ("discard all", "startup"),
    ("set app.tenant = ''", ""), ("select set_config('app.tenant', '', false)", ""),
    ("begin; reset app.tenant; commit", "startup"), ("begin; set app.tenant = ''; commit", ""),
])
def test_a_made_up_setting_of_the_startup_packet_is_given_back_by_reset_alone(session, sql, left):
    say = session(options="-c app.tenant=startup")
    say("set app.tenant = 'other'")
    for statement in sql.split("; "):
        say(statement)
    assert say("select current_setting('app.tenant')") == left


@pytest.mark.parametrize("sql", [
    "begin| savepoint a| reset app.tenant| rollback to a| set local app.other = 1| commit",
    "begin| savepoint a| select 1/0| reset all| rollback to a| set local app.other = 1| commit",
])
def test_what_was_emptied_is_not_given_back_by_a_reset_that_was_undone(session, sql):
    say = session(options="-c app.tenant=startup")
    say("set app.tenant = ''")
    for statement in sql.split("| "):
        try:
            say(statement)
        except (psycopg.errors.DivisionByZero, psycopg.errors.InFailedSqlTransaction):
            pass
    assert say("select current_setting('app.tenant')") == ""


def test_what_a_session_may_not_set_and_has_not_set_is_no_setting_of_its(shared):
    with shared.connect("primary", autocommit=True) as one, shared.connect("primary", autocommit=True) as two:
        one.execute("begin")
        one.execute("savepoint a")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            one.execute("set deadlock_timeout = '2s'")
        one.execute("rollback to a")
        one.execute("set app.last = 'x'")
        one.execute("commit")
        two.execute("set work_mem = '5MB'")
        for c in (one, two, one):
            assert c.execute("show deadlock_timeout").fetchone() == ("1s",)


def test_inside_a_transaction_a_reset_gives_back_nothing_else(session):
    say = session(options="-c TimeZone=Europe/Berlin -c work_mem=6MB -c app.tenant=startup")
    say("begin")
    say("set timezone = 'Asia/Tokyo'")
    say("set app.tenant = 'mine'")
    say("set work_mem = '9MB'")
    say("reset work_mem")
    assert say("select concat_ws(' ', current_setting('timezone'), current_setting('work_mem'), current_setting('app.tenant'))") == "Asia/Tokyo 6MB mine"
    say("reset all")
    assert say("select concat_ws(' ', current_setting('timezone'), current_setting('work_mem'), current_setting('app.tenant'))") == "Europe/Berlin 6MB startup"
    say("rollback")
    assert say("show work_mem") == "6MB"


def test_behind_a_reset_a_transactions_modes_may_still_be_set(session):
    say = session(options="-c TimeZone=Europe/Berlin")
    say("set timezone = 'Asia/Tokyo'")
    say("begin isolation level serializable read only")
    say("reset timezone")
    say("set transaction isolation level repeatable read, read write")
    assert say("select current_setting('timezone') || current_setting('transaction_isolation')") == "Europe/Berlinrepeatable read"
    say("rollback")


@pytest.mark.parametrize("sql, left", [("set role none", "app"), ("reset role", "pg_monitor"), ("set session authorization default", "pg_monitor"), ("set role to default", "pg_monitor"), ("reset all", "pg_monitor"), ("discard all", "pg_monitor")])
def test_a_role_of_the_startup_packet_comes_back_with_reset_role_alone(cluster, session, sql, left):
    cluster.primary.sql("grant pg_monitor to app")
    say = session(options="-c role=pg_monitor")
    assert say("select current_user") == "pg_monitor"
    say(sql)
    assert say("select current_user") == left


def test_reset_all_in_a_function_leaves_the_role_that_was_given_up(cluster, session):
    cluster.primary.sql("grant pg_monitor to app")
    say = session(options="-c role=pg_monitor -c app.tenant=startup")
    say("set role none")
    say("do $$ begin execute 'reset all'; end $$")
    assert say("select current_user") == "app" and say("select current_setting('app.tenant')") == "startup"


def test_settings_of_the_login_user_are_put_in_place_though_both_sessions_have_taken_up_a_role_that_may_not(cluster, shared):
    cluster.primary.sql("grant pg_monitor to app")
    cluster.primary.sql("grant set on parameter session_replication_role to app")
    with shared.connect("primary", autocommit=True) as one, shared.connect("primary", autocommit=True) as two:
        one.execute("set session_replication_role = replica")
        for c in (one, two):
            c.execute("set role pg_monitor")
        for _ in range(2):
            assert one.execute("select current_user, current_setting('session_replication_role')").fetchone() == ("pg_monitor", "replica")
            assert two.execute("select current_user, current_setting('session_replication_role')").fetchone() == ("pg_monitor", "origin")


@pytest.fixture
def roomy(cluster):
    """A session that may keep a connection, and what it says."""
    from conftest import Endpoint

    made = Endpoint(cluster, LISTENERS, settings={"pool_size": 2, "workers": 1})
    with made.connect("primary", prepare_threshold=None, autocommit=True) as c:

        def say(sql):
            cursor = c.execute(sql)
            return cursor.fetchone()[0] if cursor.description else None

        yield say
    made.stop()


def test_what_a_function_sets_follows_also_when_it_was_made_or_changed_just_now(roomy):
    say = roomy
    for name in ("first", "second", "third"):
        say(f"create or replace function just_made() returns text language plpgsql as $$ begin return set_config('made.{name}', 'set', false); end $$")
        assert say("select just_made()") == "set"
        assert say(f"select current_setting('made.{name}', true)") == "set"
    say("drop function just_made()")


def test_what_a_trigger_sets_follows_also_when_it_was_made_just_now(roomy):
    say = roomy
    say("create table with_trigger (a int)")
    say("create function set_by_trigger() returns trigger language plpgsql as $$ begin perform set_config('made.by_trigger', new.a::text, false); return new; end $$")
    say("insert into with_trigger values (1)")
    say("create trigger t before insert on with_trigger for each row execute function set_by_trigger()")
    say("insert into with_trigger values (2)")
    assert say("select current_setting('made.by_trigger', true)") == "2"
    say("drop table with_trigger")
    say("drop function set_by_trigger()")


def test_a_begin_with_parameters_that_it_does_not_have_is_refused(shared):
    with Wire(shared.ports["primary"]) as w:
        w.login()
        w.send(parse("", "begin"), bind("", "", ["1"]), execute(), sync())
        answer = w.until()
        assert [m.fields["C"] for m in answer if m.kind == "E"] == ["08P01"] and answer[-1].payload == b"I"


def test_a_statement_that_is_bound_in_a_stream_is_the_one_that_was_parsed_under_other_settings(cluster, shared):
    """search_path has changed since, and the connection that it was parsed on is another's by now."""
    cluster.primary.sql("create schema if not exists streamed; create table if not exists streamed.only_here (id int); grant usage on schema streamed to app; grant select on streamed.only_here to app")
    with Wire(shared.ports["primary"]) as w, shared.connect("primary", autocommit=True) as other:
        w.login(options="-c search_path=streamed")
        w.send(parse("s", "select id from only_here where id < $1", (23,)), describe("S", "s"), sync())
        w.until()
        w.query("set search_path to ''")
        other.execute("discard all")
        w.send(parse("", "select 1"), bind("", ""), execute(), flush())
        w.until("C")
        w.send(bind("", "s", ["none"]), execute(), sync())
        assert [m.fields["C"] for m in w.until() if m.kind == "E"] == ["22P02"]


def test_what_other_statements_of_a_string_say_gives_nothing_back(session):
    say = session(options="-c app.tenant=startup")
    say("set app.tenant = ''")
    say("select set_config('app.last', 'x', false); values (null); select current_setting('app.tenant')")
    say("set app.other = 'y'; reset app.other; select ';', current_setting('app.tenant')")
    assert say("select current_setting('app.tenant')") == ""
    say("select 1; reset app.tenant; select 2")
    assert say("select current_setting('app.tenant')") == "startup"


def test_a_reset_that_execute_runs_in_a_transaction_gives_back_what_came_with_the_startup_packet(shared):
    """Only the protocol prepares a RESET."""
    with Wire(shared.ports["primary"]) as w:
        w.login(options="-c app.tenant=startup")
        w.send(parse("giver", "reset app.tenant"), sync())
        w.until()
        w.query("set app.tenant = 'other'")
        w.query("begin")
        assert w.query("execute giver")[0].tag == "RESET"
        assert w.value("show app.tenant") == "startup"
        w.query("commit")
        assert w.value("show app.tenant") == "startup"


@pytest.mark.parametrize("left_by", [
    "set session characteristics as transaction read only",
    "begin; savepoint a; set default_transaction_isolation = serializable; rollback to a; commit",
])
def test_what_another_session_has_named_and_not_set_is_put_in_place(shared, left_by):
    """Its value is what this session has set, but by the server's default: which reads as a RESET later."""
    with shared.connect("primary", prepare_threshold=None) as other:
        with shared.connect("primary", prepare_threshold=None, options="-c default_transaction_isolation=repeatable\\ read") as c:
            c.execute("set session characteristics as transaction isolation level read committed")
            for statement in left_by.split("; "):
                other.execute(statement)
            c.execute("do $$ begin execute 'set app.last = 1'; end $$")
            assert c.execute("show default_transaction_isolation").fetchone()[0] == "read committed"


@pytest.mark.parametrize("sql", ["reset all", "discard all"])
@pytest.mark.parametrize("more", [[], [bind("", "p"), describe("P", "")]])
def test_a_reset_that_is_not_run_resets_nothing(shared, sql, more):
    with Wire(shared.ports["primary"]) as w, Wire(shared.ports["primary"]) as other:
        w.login(options="-c TimeZone=Europe/Berlin")
        other.login()
        w.query("set timezone = 'Asia/Tokyo'")
        w.query("set rolecall.max_lag = '7s'")
        w.send(parse("p", sql), *more, sync())
        w.until()
        assert other.value("show timezone") not in ("Asia/Tokyo", "Europe/Berlin")
        assert w.value("show timezone") == "Asia/Tokyo"
        assert w.value("show rolecall.max_lag") == "7s"
        w.send(bind("", "p"), execute(), sync())
        w.until()
        assert w.value("show timezone") == "Europe/Berlin"


@pytest.mark.parametrize("sql", ["reset timezone", "reset all"])
def test_a_reset_that_is_not_run_resets_nothing_in_a_transaction(shared, sql):
    with Wire(shared.ports["primary"]) as w:
        w.login(options="-c TimeZone=Europe/Berlin")
        w.query("set timezone = 'Asia/Tokyo'")
        w.query("begin")
        w.send(parse("", sql), bind("", ""), describe("P", ""), sync())
        w.until()
        assert w.value("show timezone") == "Asia/Tokyo"
        w.query("commit")
        assert w.value("show timezone") == "Asia/Tokyo"


@pytest.mark.parametrize("sql", ["select 1; reset all", "reset all; select 1", "set local app.x = 1; reset all; select 1"])
def test_a_reset_all_in_a_longer_string_is_one(session, sql):
    say = session(options="-c TimeZone=Europe/Berlin")
    say("set timezone = 'Asia/Tokyo'")
    say("set app.last = 'x'")
    say(sql)
    assert say("show timezone") == "Europe/Berlin" and say("show app.last") == ""


@pytest.mark.proxy
def test_nothing_is_run_for_a_session_whose_role_is_gone(cluster, shared):
    """Nor under the role of whoever had the connection before, though it is behind the role in one write."""
    cluster.primary.sql("create role fleeting; grant fleeting to app; create table seen (who name); grant insert on seen to public")
    try:
        with shared.connect("primary", autocommit=True) as other:
            with pytest.raises(psycopg.OperationalError) as told, shared.connect("primary", autocommit=True) as one:
                one.execute("set role fleeting")
                other.execute("set app.tenant = 'another'")
                cluster.primary.sql("drop role fleeting")
                one.execute("insert into seen values (current_user)")
            assert 'role "fleeting" does not exist' in str(told.value)
            other.execute("select 1")
        assert cluster.primary.sql("select * from seen") == []
    finally:
        cluster.primary.sql("drop role if exists fleeting; drop table seen")
