"""Prepared statements of both kinds follow their session over few connections, shared with others."""

import psycopg
import pytest

from lib.processes import wait_until
from lib.wire import Wire, bind, close, describe, execute, flush, kinds, parse, query, rows, sync

LISTENERS = {
    "split": dict(route="split", pool="transaction"),
    "primary": dict(route="primary", pool="transaction"),
}
POOLED = ["split", "primary"]


@pytest.fixture(scope="module")
def small(cluster):
    """One or two connections to each node for everybody."""
    from conftest import Endpoint

    made = Endpoint(cluster, LISTENERS, settings={"pool_size": 2, "workers": 1})
    yield made
    made.stop()


@pytest.fixture
def wire(small):
    """wire(listener) opens a client."""
    opened = []

    def open_one(listener="primary"):
        opened.append(Wire(small.ports[listener]).login())
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def error(messages):
    found = [m for m in messages if m.kind == "E"]
    assert len(found) == 1, messages
    return found[0].fields



def ask(w, *messages):
    w.send(*messages, sync())
    return w.until()


def run(w, statement, values=(), described=False):
    return ask(w, bind("", statement, values), *([describe()] if described else []), execute())


# ---- PREPARE, EXECUTE, DEALLOCATE ----


@pytest.mark.parametrize("listener", POOLED)
def test_each_session_has_its_own_sql_statements(wire, listener):
    sessions = [wire(listener) for _ in range(6)]
    for i, w in enumerate(sessions):
        assert kinds(w.query(f"prepare p (int) as select $1 + {i}")) == "CZ"
        assert w.query(f"prepare same as select 'shared'")[0].tag == "PREPARE"
    for n in range(3):
        for i, w in enumerate(sessions):
            assert w.value(f"execute p({n})") == str(n + i)
            assert w.value("execute same") == "shared"
    for w in sessions[::2]:
        assert w.query("deallocate p")[0].tag == "DEALLOCATE"
    for i, w in enumerate(sessions):
        got = w.query("execute p(1)")
        if i % 2:
            assert rows(got) == [[str(1 + i)]]
        else:
            fields = error(got)
            assert (fields["C"], fields["M"]) == ("26000", 'prepared statement "p" does not exist')


@pytest.mark.proxy
def test_a_sql_statement_pins_nobody(small, wire):
    sessions = [wire() for _ in range(6)]
    begun = []
    for w in sessions:
        w.query("prepare p as select pg_backend_pid()")
    for w in sessions[:2]:  # takes both connections, which a pinned session could not
        w.query("begin")
        begun.append(w.value("execute p"))
    assert len(set(begun)) == 2
    for w in sessions[:2]:
        w.query("commit")
    assert {w.value("execute p") for w in sessions} <= set(begun)


def test_both_kinds_share_one_name_space(wire):
    w = wire()
    w.query("prepare p as select 1")
    fields = error(ask(w, parse("p", "select 2")))
    assert (fields["C"], fields["M"]) == ("42P05", 'prepared statement "p" already exists')
    assert rows(run(w, "p")) == [["1"]]
    assert kinds(ask(w, parse("Q", "select 3"))) == "1Z"
    fields = error(w.query('prepare "Q" as select 4'))
    assert (fields["C"], fields["M"]) == ("42P05", 'prepared statement "Q" already exists')
    assert w.value('execute "Q"') == "3"
    assert kinds(ask(w, close("S", "p"))) == "3Z"
    assert error(w.query("execute p"))["C"] == "26000"
    assert w.query('deallocate prepare "Q"')[0].tag == "DEALLOCATE"
    assert error(run(w, "Q"))["M"] == 'prepared statement "Q" does not exist'


def test_deallocate_all_takes_the_sessions_own_only(wire):
    a, b = wire(), wire()
    for w in (a, b):
        w.query("prepare p as select 1")
        ask(w, parse("q", "select 2"))
    assert a.query("deallocate all")[0].tag == "DEALLOCATE ALL"
    assert error(a.query("execute p"))["C"] == "26000"
    assert error(run(a, "q"))["C"] == "26000"
    for _ in range(3):
        assert b.value("execute p") == "1"
        assert rows(run(b, "q")) == [["2"]]
        assert a.query("prepare p as select 5")[0].tag == "PREPARE"
        assert a.value("execute p") == "5"
        a.query("discard all")
        assert error(a.query("execute p"))["C"] == "26000"


def test_prepare_is_not_undone_by_a_rollback_but_by_its_own_failure(wire):
    w = wire()
    w.query("begin")
    w.query("prepare p as select 1")
    w.query("rollback")
    assert w.value("execute p") == "1"
    w.query("begin")
    w.query("deallocate p")
    w.query("rollback")
    assert error(w.query("execute p"))["C"] == "26000"
    w.query("begin")
    assert error(w.query("select 1/0"))["C"] == "22012"
    assert error(w.query("prepare p as select 1"))["C"] == "25P02"
    w.query("rollback")
    assert error(w.query("execute p"))["C"] == "26000"
    assert w.query("prepare p as select 2")[0].tag == "PREPARE"
    assert w.value("execute p") == "2"


def test_errors_speak_of_the_clients_text(wire):
    w = wire()
    for name in ("p", "a_rather_long_name_of_a_statement", '"\u00fcber"'):
        for what, sqlstate in (("selec", "42601"), ("nothing", "42703")):
            text = f"prepare {name} as {'' if what == 'selec' else 'select '}{what}"
            got = error(w.query(text))
            assert (got["C"], int(got["P"])) == (sqlstate, text.index(what) + 1)
            got = error(ask(w, parse("", text), bind(), execute(), parse("", "execute p"), bind(), execute()))
            assert (got["C"], int(got["P"])) == (sqlstate, text.index(what) + 1)
    w.query("prepare p (int) as select $1")
    got = error(w.query("execute p(1, 2)"))
    assert (got["C"], got["M"]) == ("42601", 'wrong number of parameters for prepared statement "p"')
    got = error(w.query("execute p(nothing)"))
    assert (got["C"], got["P"]) == ("42703", "11")
    ask(w, parse("q", "select $1::int"))
    got = error(ask(w, bind("", "q", ["1", "2"]), execute()))
    assert got["M"] == 'bind message supplies 2 parameters, but prepared statement "q" requires 1'


def test_prepare_and_execute_by_the_extended_protocol(wire):
    w = wire()
    got = ask(w, parse("", "prepare p (int) as select $1 * 2"), bind(), describe(), execute())
    assert kinds(got) == "12nCZ"
    others = [wire() for _ in range(3)]
    for other in others:
        other.query("select 1")
    got = ask(w, parse("", "execute p(21)"), bind(), describe(), execute())
    assert kinds(got) == "12TDCZ" and rows(got) == [["42"]]
    assert rows(ask(w, bind("", "p", ["4"]), execute())) == [["8"]]
    assert kinds(ask(w, describe("S", "p"))) == "tTZ"
    # A named statement whose text names another one means what that name means when it is run.
    ask(w, parse("run", "execute p(5)"))
    assert rows(run(w, "run")) == [["10"]]
    w.query("deallocate p")
    w.query("prepare p (int) as select $1 * 3")
    assert rows(run(w, "run")) == [["15"]]
    got = ask(w, parse("", "deallocate p"), bind(), execute())
    assert got[2].tag == "DEALLOCATE"
    assert error(run(w, "run"))["M"] == 'prepared statement "p" does not exist'


def test_a_pipeline_may_prepare_and_execute(wire):
    w = wire()
    one = [parse("", "prepare p as select 1"), bind(), execute()]
    two = [parse("", "execute p"), bind(), execute()]
    three = [parse("", "deallocate all"), bind(), execute()]
    got = ask(w, *one, *two, bind("", "p"), execute(), *three, *one, *two)
    assert kinds(got) == "12C12DC2DC12C12C12DCZ"
    assert w.value("execute p") == "1"
    got = ask(w, parse("", "select 7"), bind(), execute(), *two)
    assert rows(got) == [["7"], ["1"]]
    # What was done before the error stays, what comes behind it is not done.
    got = ask(w, parse("", "prepare q as select 2"), bind(), execute(), parse("", "selec"),
              parse("", "prepare r as select 3"), bind(), execute())
    assert error(got)["C"] == "42601"
    assert w.value("execute q") == "2"
    assert error(w.query("execute r"))["C"] == "26000"
    assert w.query("prepare r as select 3")[0].tag == "PREPARE"
    assert w.value("execute r") == "3"


def test_execute_inside_other_statements(wire, table):
    w = wire()
    w.query("prepare p (int) as select $1 as a")
    assert "Result" in rows(w.query("explain (costs off) execute p(1)"))[0][0]
    assert "Result" in rows(w.query("explain analyze execute p(1)"))[0][0]
    assert rows(w.query("execute p(1); execute p(2); select 3")) == [["1"], ["2"], ["3"]]
    w.query("begin")
    assert kinds(w.query("create temp table made on commit drop as execute p(7)")) == "CZ"
    assert w.value("select a from made") == "7"
    w.query("commit")
    assert kinds(w.query("deallocate p; select 1")) == "CTDCZ"
    assert error(w.query("execute p(1)"))["C"] == "26000"


def test_prepare_in_a_longer_string_stays_with_the_node(wire):
    a, b = wire(), wire()
    assert kinds(a.query("prepare p as select 1; select 2")) == "CTDCZ"
    b.query("select 1")
    assert a.value("execute p") == "1"
    assert error(b.query("execute p"))["C"] == "26000"
    a.query("deallocate p")
    assert error(a.query("execute p"))["C"] == "26000"


@pytest.mark.proxy
def test_the_names_of_rolecall_are_nobodys(small, wire):
    a, b = wire(), wire()
    ask(a, parse("secret", "select 'secret'"))
    a.query("prepare secret2 as select 'secret2'")
    for i in range(64):
        name = f"rc_{i:x}"
        assert error(b.query(f"execute {name}"))["M"] == f'prepared statement "{name}" does not exist'
        assert error(run(b, name))["M"] == f'prepared statement "{name}" does not exist'
        assert error(b.query(f"deallocate {name}"))["M"] == f'prepared statement "{name}" does not exist'
    assert rows(run(a, "secret")) == [["secret"]]
    b.query("prepare rc_1 as select 'mine'")
    assert b.value("execute rc_1") == "mine"


def test_what_is_executed_changes_the_session_as_its_text_does(wire):
    a, b = wire(), wire()
    a.query("prepare s as select set_config('work_mem', $1, false)")
    a.query("execute s('7MB')")
    assert b.value("show work_mem") == "4MB"
    assert a.value("show work_mem") == "7MB"
    a.query("begin")
    a.query("execute s('8MB')")
    a.query("rollback")
    assert b.value("show work_mem") == "4MB"
    assert a.value("show work_mem") == "7MB"
    a.query("prepare l as select pg_advisory_lock(815)")
    a.query("execute l")
    assert a.value("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()") == "1"
    a.query("select pg_advisory_unlock_all()")


@pytest.mark.proxy
def test_executing_a_read_goes_to_a_replica(small, wire, cluster):
    w = wire("split")
    w.query("prepare p (int) as select whereami(), $1")
    wait_until(lambda: int(rows(w.query("execute p(1)"))[0][0]) in cluster.replica_ports, what="the read is on a replica")
    w.query("prepare q as select whereami(), nextval('nothing')")
    assert error(w.query("execute q"))["C"] in ("42P01", "26000")


# ---- settings that a statement was parsed under ----


@pytest.mark.parametrize("sql", [False, True])
def test_a_statement_keeps_the_settings_it_was_parsed_under(small, wire, sql):
    """Its literals were folded under them, on every connection."""
    w = wire()
    w.query("set datestyle = 'ISO, MDY'")
    text = "select '01/02/2020'::date"
    if sql:
        w.query(f"prepare p as {text}")
    else:
        ask(w, parse("p", text))
    w.query("set datestyle = 'ISO, DMY'")
    look = (lambda: w.value("execute p")) if sql else (lambda: rows(run(w, "p"))[0][0])
    assert look() == "2020-01-02"
    other = small.connect("primary", autocommit=False)
    pid = other.execute("select pg_backend_pid()").fetchone()[0]
    assert look() == "2020-01-02"  # on the other connection, which lacks it
    other.rollback()
    w.query("begin")
    assert look() == "2020-01-02"
    assert w.value("show datestyle") == "ISO, DMY"
    w.query("commit")
    assert w.value("select '01/02/2020'::date") == "2020-02-01"
    other.close()
    assert pid


def test_discard_plans_of_another_session_lets_nothing_be_folded_anew(wire):
    """PostgreSQL parses what it holds again then, under the settings of the moment."""
    w, others = wire(), [wire(), wire()]
    w.query("set datestyle = 'ISO, MDY'")
    ask(w, parse("p", "select '01/02/2020'::date"))
    w.query("set datestyle = 'ISO, DMY'")
    assert rows(run(w, "p"))[0][0] == "2020-01-02"
    for other in others:  # both connections
        other.query("begin")
    for other in others:
        other.query("discard plans")
        other.query("commit")
    assert rows(run(w, "p"))[0][0] == "2020-01-02"


@pytest.fixture
def two_on_one(make, cluster):
    """Two clients on one connection, who may set session_replication_role."""
    cluster.primary.sql("grant set on parameter session_replication_role to app")
    r = make(cluster, {"primary": LISTENERS["primary"]}, settings={"pool_size": 1, "workers": 1})
    with Wire(r.ports["primary"]) as w, Wire(r.ports["primary"]) as other:
        yield w.login(), other.login()


@pytest.mark.proxy
def test_the_replication_role_of_another_session_lets_nothing_be_folded_anew(two_on_one):
    """PostgreSQL drops all plans when session_replication_role changes."""
    w, other = two_on_one
    w.query("set intervalstyle = sql_standard")
    w.query("prepare p as select extract(epoch from '-1 2:00'::interval)::int")
    w.query("reset intervalstyle")
    assert w.value("execute p") == "-93600"
    other.query("set session_replication_role = replica")
    for _ in range(3):
        assert w.value("execute p") == "-93600"
        assert other.value("show session_replication_role") == "replica"


@pytest.mark.proxy
def test_statements_of_before_and_after_a_change_of_the_replication_role_are_both_there(two_on_one):
    w, other = two_on_one
    for role in ("origin", "replica", "local"):
        w.query(f"set session_replication_role = {role}")
        ask(w, parse(role, f"select $1::timestamptz, '{role}'"), describe("S", role))
    for _ in range(2):
        other.value("select 1")
        w.send(parse("", "select 1"), bind(), execute(), flush())  # a stream: all that it may use is looked at
        assert kinds(w.until("C")) == "12DC"
        w.send(*[m for role in ("origin", "replica", "local") for m in (bind("", role, ("2020-02-03 04:05:06+00",)), execute())], sync())
        assert [row[1] for row in rows(w.until())] == ["origin", "replica", "local"]


@pytest.mark.parametrize("sql", [False, True])
def test_a_temporary_table_of_another_session_lets_nothing_be_folded_anew(request, make, cluster, sql):
    """The first one of a connection changes its search_path: PostgreSQL parses what it holds again then."""
    r = make(cluster, {"primary": LISTENERS["primary"]}, settings={"pool_size": 2, "workers": 1})
    w, *others = [Wire(r.ports["primary"]).login() for _ in range(3)]
    for each in (w, *others):
        request.addfinalizer(each.close)
    w.query("set datestyle = 'ISO, MDY'")
    if sql:
        w.query("prepare p as select '01/02/2020'::date")
    else:
        ask(w, parse("p", "select '01/02/2020'::date"))
    w.query("set datestyle = 'ISO, DMY'")
    look = (lambda: w.value("execute p")) if sql else (lambda: rows(run(w, "p"))[0][0])

    def take(other, statement="select 1"):
        other.query("begin")
        assert kinds(other.query(statement)) in ("CZ", "TDCZ")

    def look_on_both():
        take(others[0])
        assert look() == "2020-01-02"
        take(others[1])
        others[0].query("commit")
        assert look() == "2020-01-02"
        others[1].query("commit")

    look_on_both()
    take(others[0], "create temp table t (a int) on commit drop")
    take(others[1], "do $$ begin create temp table t (a int) on commit drop; end $$")
    for other in others:
        other.query("commit")
    look_on_both()


def test_inside_a_transaction_the_settings_are_put_back_as_they_were(make, cluster):
    """A savepoint gives back even what only the transaction has."""
    r = make(cluster, {"primary": LISTENERS["primary"]}, settings={"pool_size": 2, "workers": 1})
    with Wire(r.ports["primary"]) as w:
        w.login()
        w.query("set datestyle = 'ISO, MDY'")
        ask(w, parse("p", "select '01/02/2020'::date, current_setting('work_mem')"))
        w.query("prepare q as select '01/02/2020'::date")
        w.query("set datestyle = 'ISO, DMY'")
        other = r.connect("primary", autocommit=False)
        other.execute("select 1")  # takes the connection that has them
        w.query("begin")
        w.query("set local work_mem = '9MB'")
        w.query("set local datestyle = 'ISO, YMD'")
        assert rows(run(w, "p")) == [["2020-01-02", "9MB"]]
        assert w.value("execute q") == "2020-01-02"
        assert w.value("show datestyle") == "ISO, YMD"
        assert w.value("show work_mem") == "9MB"
        w.query("commit")
        assert w.value("show datestyle") == "ISO, DMY"
        assert w.value("show work_mem") == "4MB"
        other.close()


def test_parsed_inside_a_transaction_that_set_something(small, wire):
    w = wire()
    w.query("begin")
    w.query("set datestyle = 'ISO, DMY'")
    ask(w, parse("p", "select '01/02/2020'::date"))
    w.query("commit")
    w.query("set datestyle = 'ISO, MDY'")
    pair = small.connect("primary", autocommit=False)
    pair.execute("select 1")
    for _ in range(2):
        assert rows(run(w, "p")) == [["2020-02-01"]]
        pair.rollback()
    pair.close()


def test_the_unnamed_statement_keeps_them_too(small, wire):
    w = wire()
    ask(w, parse("set", "select set_config('datestyle', 'ISO, DMY', false)"))
    w.query("set datestyle = 'ISO, MDY'")
    ask(w, parse("", "select '01/02/2020'::date"))
    run(w, "set")
    with small.connect("primary", autocommit=False) as other:
        other.execute("select 1")
        assert rows(run(w, "")) == [["2020-01-02"]]
        other.rollback()
    assert rows(run(w, "")) == [["2020-01-02"]]
    assert kinds(ask(w, describe("S", ""))) == "tTZ"


# ---- a schema that changes ----


@pytest.fixture
def shared(small, cluster, table):
    """Both connections to the primary hold `select * from table`, parsed when it had two columns."""
    holders = [Wire(small.ports["primary"]).login() for _ in range(2)]
    for w in holders:
        w.query("begin")
        assert kinds(ask(w, parse("all", f"select * from {table}"))) == "1Z"
        run(w, "all")
    for w in holders:
        w.query("commit")
    yield table
    for w in holders:
        w.close()


def alter(cluster, table):
    cluster.primary.sql(f"alter table {table} add column c int")
    cluster.catch_up()


def test_a_statement_of_others_from_before_is_parsed_anew(wire, cluster, shared):
    """The change came by another way than through rolecall."""
    alter(cluster, shared)
    w = wire()
    got = ask(w, parse("s", f"select * from {shared}"), describe("S", "s"))
    assert kinds(got) == "1tTZ" and got[2].columns == ["a", "b", "c"]
    for _ in range(4):
        got = run(w, "s", described=True)
        assert kinds(got) == "2TCZ" and got[1].columns == ["a", "b", "c"]


@pytest.mark.proxy  # PostgreSQL itself gives the error
def test_it_is_parsed_anew_for_sql_as_well(small, wire, cluster, table):
    w = wire()
    w.query(f"prepare s as select * from {table}")
    assert kinds(w.query("execute s")) == "TCZ"
    alter(cluster, table)
    assert w.query("execute s")[0].columns == ["a", "b", "c"]


def test_who_was_told_of_other_columns_gets_the_error(wire, cluster, table):
    w = wire()
    got = ask(w, parse("s", f"select * from {table}"), describe("S", "s"))
    assert got[2].columns == ["a", "b"]
    alter(cluster, table)
    for _ in range(3):
        fields = error(run(w, "s"))
        assert (fields["C"], fields["M"]) == ("0A000", "cached plan must not change result type")
    ask(w, close("S", "s"))
    got = ask(w, parse("s", f"select * from {table}"), describe("S", "s"))
    assert got[2].columns == ["a", "b", "c"]
    assert kinds(run(w, "s")) == "2CZ"


def test_a_change_through_rolecall_is_noticed_where_no_server_would(make, cluster, table):
    """Another connection would parse it anew and give other columns than the client was told."""
    r = make(cluster, {"primary": LISTENERS["primary"]}, settings={"pool_size": 2, "workers": 1})
    with Wire(r.ports["primary"]) as w, Wire(r.ports["primary"]) as ddl, Wire(r.ports["primary"]) as other:
        for each in (w, ddl, other):
            each.login()
        got = ask(w, parse("s", f"select * from {table}"), describe("S", "s"))
        assert got[2].columns == ["a", "b"]
        ask(w, parse("same", f"select a from {table}"), describe("S", "same"))
        ddl.query("begin")  # takes the connection that holds them
        ddl.query(f"alter table {table} add column c int")
        ddl.query("commit")
        ddl.query("begin")
        ddl.query("select 1")
        fields = error(run(w, "s"))
        assert (fields["C"], fields["M"]) == ("0A000", "cached plan must not change result type")
        assert kinds(run(w, "same")) == "2CZ"
        assert kinds(run(w, "s", described=True)) == "2TCZ"
        ddl.query("commit")
        # Whoever parses it now gets a new one, and the first client's description is compared with that.
        got = ask(other, parse("s", f"select * from {table}"), describe("S", "s"))
        assert got[2].columns == ["a", "b", "c"]
        assert kinds(run(w, "s")) == "2CZ"  # it was told meanwhile


@pytest.mark.parametrize("how", ["a read", "a write", "in a transaction", "unnamed"])
def test_other_columns_than_those_told_are_an_error_on_any_server(make, cluster, table, how):
    """One that has not parsed the statement would give what the table has now; who changed it nobody knows."""
    sql = f"insert into {table} (a) values (1) returning *" if how == "a write" else f"select * from {table}"
    name = "" if how == "unnamed" else "s"
    r = make(cluster, {"primary": LISTENERS["primary"]}, settings={"pool_size": 2, "workers": 1})
    with Wire(r.ports["primary"]) as w, Wire(r.ports["primary"]) as other:
        w.login(), other.login()
        got = ask(w, parse(name, sql), describe("S", name))
        assert got[2].columns == ["a", "b"]
        other.query("begin")
        other.query("select 1")  # has the connection that holds it
        alter(cluster, table)
        for _ in range(3):
            if how == "in a transaction":
                w.query("begin")
            fields = error(run(w, name))
            assert (fields["C"], fields["M"], fields["R"]) == \
                ("0A000", "cached plan must not change result type", "RevalidateCachedQuery")
            if how == "in a transaction":
                w.query("rollback")
        assert cluster.primary.sql(f"select count(*) from {table}")[0][0] == 0
        assert kinds(run(w, name, described=True)).startswith("2T")
        assert kinds(run(w, name)).startswith("2")  # it has been told meanwhile
        other.query("commit")


def test_inside_a_transaction_the_client_gets_the_error(wire, cluster, shared):
    w = wire()
    ask(w, parse("s", f"select * from {shared}"), describe("S", "s"))
    alter(cluster, shared)
    w.query("begin")
    w.query("select 1")
    fields = error(run(w, "s"))
    assert (fields["C"], fields["M"]) == ("0A000", "cached plan must not change result type")
    assert error(w.query("select 1"))["C"] == "25P02"
    w.query("rollback")


@pytest.mark.proxy  # PostgreSQL itself gives the error
@pytest.mark.parametrize("listener", POOLED)
def test_a_driver_survives_changes_of_the_schema(small, cluster, listener, table):
    connections = [small.connect(listener) for _ in range(4)]
    for c in connections:
        c.prepare_threshold = 0
    for i in range(3):
        for c in connections:
            assert c.execute(f"select * from {table}").fetchall() == []
        cluster.primary.sql(f"alter table {table} add column x{i} int")
        cluster.catch_up()
    for c in connections:
        cursor = c.execute(f"select * from {table}")
        assert [d.name for d in cursor.description] == ["a", "b", "x0", "x1", "x2"]
        c.close()


def test_a_statement_that_somebody_took_away_is_parsed_again(wire):
    """DEALLOCATE ALL out of rolecall's sight."""
    a, b = wire(), wire()
    ask(a, parse("s", "select 1"))
    a.query("prepare p as select 2")
    for _ in range(2):
        b.query("do $$ begin execute 'deal' || 'locate all'; end $$")
        assert rows(run(a, "s")) == [["1"]]
        assert a.value("execute p") == "2"


# ---- bounds, flushes, portals ----


@pytest.mark.proxy
def test_a_batch_may_use_more_statements_than_a_server_keeps(make, cluster):
    r = make(cluster, {"primary": LISTENERS["primary"]}, settings={"pool_size": 1, "workers": 1, "max_prepared_statements": 10})
    with Wire(r.ports["primary"]) as a, Wire(r.ports["primary"]) as b:
        for w, base in ((a, 0), (b, 100)):
            w.login()
            for i in range(10):
                ask(w, parse(f"s{i}", f"select {base + i}"))
        for w, base in ((a, 0), (b, 100), (a, 0)):
            batch = [m for i in range(10) for m in (bind("", f"s{i}"), execute())]
            assert rows(ask(w, *batch, *batch)) == [[str(base + i)] for i in range(10)] * 2
        held = int(b.value("select count(*) from pg_prepared_statements"))
        assert held <= 20
        a.query("deallocate all")
        for i in range(10):
            assert a.query(f"prepare q{i} as select {i}")[0].tag == "PREPARE"
        assert kinds(a.query("prepare q10 as select 10")) == "CZ"  # one too many is the node's, and pins
        assert a.value("execute q10") == "10"
        a.query("discard all")
        assert rows(run(b, "s9")) == [["109"]]


@pytest.mark.proxy
def test_a_read_that_is_parsed_and_described_first_is_so_on_its_replica(small, cluster, wire):
    w = wire("split")
    wait_until(lambda: int(w.value("select whereami()")) in cluster.replica_ports, what="reads go to a replica")
    before = {row["node"]: row for row in small.admin_table("show servers")}
    w.send(parse("s", "select whereami()"), describe("S", "s"), flush())
    assert kinds([w.receive(), w.receive(), w.receive()]) == "1tT"
    got = ask(w, bind("", "s"), execute())
    assert int(rows(got)[0][0]) in cluster.replica_ports
    assert before
    w.send(parse("e", "select * from nothing_of_the_kind"), describe("S", "e"), flush())
    assert w.receive().sqlstate == "42P01"
    assert kinds(ask(w)) == "Z"
    assert rows(run(w, "s"))


@pytest.mark.parametrize("listener", POOLED)
def test_a_flush_behind_a_bind_keeps_the_portal(wire, listener):
    w = wire(listener)
    w.send(parse("", "select generate_series(1, 3)"), bind(), describe(), flush())
    assert kinds([w.receive(), w.receive(), w.receive()]) == "12T"
    assert kinds(ask(w, execute("", 2), execute())) == "DDsDCZ"


@pytest.mark.parametrize("listener", POOLED)
def test_portals_live_in_their_transaction(wire, listener):
    w = wire(listener)
    ask(w, parse("s", "select generate_series(1, 5)"))
    w.query("begin")
    assert kinds(ask(w, bind("one", "s"), bind("two", "s"), describe("P", "one"), execute("one", 2))) == "22TDDsZ"
    assert rows(ask(w, execute("two", 1))) == [["1"]]
    assert rows(ask(w, execute("one", 2))) == [["3"], ["4"]]
    assert kinds(ask(w, close("P", "two"), execute("one"))) == "3DCZ"
    assert error(ask(w, execute("two")))["C"] == "34000"
    w.query("rollback")
    assert error(ask(w, execute("one")))["C"] == "34000"


def test_a_large_batch_finds_its_statements(make, cluster):
    """It is passed on message by message."""
    r = make(cluster, {"primary": LISTENERS["primary"]}, settings={"pool_size": 2, "workers": 1, "request_buffer": "4kB"})
    with Wire(r.ports["primary"]) as w, Wire(r.ports["primary"]) as other:
        w.login()
        other.login()
        ask(w, parse("s", "select length($1)"))
        w.query("prepare p as select 5")
        other.query("begin")
        other.query("select 1")
        got = ask(w, bind("", "s", ["x" * 3000]), execute(), bind("", "s", ["y" * 9000]), execute(), bind("", "p"), execute())
        assert rows(got) == [["3000"], ["9000"], ["5"]]
        other.query("commit")


def test_however_many_statements_a_large_batch_binds_their_columns_are_compared(make, cluster):
    """Each is parsed on a server that lacks it, and described before it is bound: the client knows the columns from before."""
    r = make(cluster, {"primary": LISTENERS["primary"]}, settings={"pool_size": 2, "workers": 1})
    with Wire(r.ports["primary"]) as w, Wire(r.ports["primary"]) as other:
        w.login()
        other.login()
        other.query("drop table if exists widened; create table widened as select 1 as a")
        names = [f"s{n}" for n in range(40)]
        for n, name in enumerate(names):
            ask(w, parse(name, f"select a, {n} from widened"), describe("S", name))
        other.query("begin")
        other.value("select 1")
        w.send(parse("", "select 1"), bind(), execute(), flush())
        assert kinds(w.until("C")) == "12DC"
        got = ask(w, *[m for name in names for m in (bind("", name), execute())])
        assert rows(got) == [["1", str(n)] for n in range(40)]
        other.query("commit; alter table widened alter a type bigint")
        other.query("begin")
        other.value("select 1")
        w.send(parse("", "select 1"), bind(), execute(), flush())
        assert kinds(w.until("C")) == "12DC"
        assert error(ask(w, bind("", "s39"), execute()))["C"] == "0A000"


def test_psycopg_uses_what_sql_prepared(small):
    with small.connect("primary") as c:
        c.execute("prepare p (int) as select $1 + 1")
        for i in range(20):
            with small.connect("primary") as other:
                other.execute("select 1")
            assert c.execute(f"execute p({i})").fetchone()[0] == i + 1
        with pytest.raises(psycopg.errors.DuplicatePreparedStatement, match='"p" already exists'):
            c.execute("prepare p as select 2")
        c.execute("deallocate p")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName, match='"p" does not exist'):
            c.execute("execute p(1)")
