"""Prepared statements, pipelines and row limits, beyond what test_conversations compares byte by byte."""

import psycopg
import pytest

from lib.wire import Wire, bind, close, describe, execute, kinds, parse, rows, sync

TRANSACTION_POOLS = ["split", "primary"]


@pytest.mark.parametrize("listener", ["split", "primary", "primary-session", "primary-none"])
def test_a_named_statement_lives_as_long_as_its_session(rolecall, listener):
    """With other sessions using the same servers in between."""
    with Wire(rolecall.ports[listener]) as a, Wire(rolecall.ports[listener]) as b:
        for w, sql in ((a, "select 'a' || $1"), (b, "select 'b' || $1")):
            w.login()
            w.send(parse("s", sql), sync())
            assert w.types_until_ready() == "1Z"
        for i in range(20):
            for w, letter in ((a, "a"), (b, "b")):
                w.send(bind("", "s", [str(i)]), execute(), sync())
                assert rows(w.until()) == [[f"{letter}{i}"]]


@pytest.mark.proxy
def test_a_named_statement_is_prepared_on_every_server_that_runs_it(make, cluster):
    """Two clients in transactions force a third server; the statement goes along."""
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"pool_size": 5, "workers": 1})
    with Wire(r.ports["primary"]) as w:
        w.login()
        w.send(parse("s", "select pg_backend_pid()"), sync())
        w.types_until_ready()
        pids, blockers = set(), []
        for _ in range(3):
            w.send(bind("", "s"), execute(), sync())
            pids.add(rows(w.until())[0][0])
            blocker = r.connect("primary", autocommit=False)
            blocker.execute("select 1")
            blockers.append(blocker)
        for blocker in blockers:
            blocker.close()
        assert len(pids) >= 2


@pytest.mark.parametrize("listener", TRANSACTION_POOLS)
def test_the_driver_prepares_and_everything_keeps_working(rolecall, listener):
    connections = [rolecall.connect(listener, autocommit=True) for _ in range(5)]
    for c in connections:
        c.prepare_threshold = 0
    for i in range(10):
        for j, c in enumerate(connections):
            assert c.execute("select %s::int + %s::int", (i, j)).fetchone()[0] == i + j
            assert c.execute("select %s::text", (f"{i}.{j}",)).fetchone()[0] == f"{i}.{j}"
    for c in connections:
        c.close()


@pytest.mark.parametrize("listener", ["split", "primary", "primary-none"])
def test_a_driver_pipeline(rolecall, listener, table):
    with rolecall.connect(listener) as c, c.pipeline() as p:
        cursors = [c.execute("select %s::int", (i,)) for i in range(100)]
        p.sync()
        assert [cur.fetchone()[0] for cur in cursors] == list(range(100))
        c.execute(f"insert into {table} values (1, 'x')")
        read = c.execute(f"select count(*) from {table}")
        p.sync()
        assert read.fetchone()[0] == 1


@pytest.mark.parametrize("listener", ["split", "primary", "primary-none"])
def test_an_error_in_a_pipeline_spares_the_next_one(rolecall, listener):
    with rolecall.connect(listener) as c:
        with pytest.raises(psycopg.errors.DivisionByZero), c.pipeline() as p:
            c.execute("select 1")
            c.execute("select 1/0")
            c.execute("select 2")
            p.sync()
        assert c.execute("select 3").fetchone()[0] == 3


@pytest.mark.parametrize("listener", ["split", "primary", "primary-none"])
def test_a_row_limited_portal_is_resumed_in_its_transaction(rolecall, listener):
    with rolecall.connect(listener, autocommit=False) as c:
        with c.cursor(name="c") as cursor:
            cursor.execute("select generate_series(1, 1000)")
            cursor.itersize = 10
            assert sum(r[0] for r in cursor) == 500500


@pytest.mark.parametrize("listener", ["split", "primary"])
def test_a_write_by_portal_in_pieces_is_done_once(rolecall, cluster, listener, table):
    with Wire(rolecall.ports[listener]) as w:
        w.login()
        w.send(parse("", f"insert into {table} select g, '' from generate_series(1, 5) g returning a"), bind(), describe(),
               execute("", 2), execute("", 2), execute("", 2), sync())
        got = w.until()
        assert kinds(got) == "12TDDsDDsDCZ"
    assert cluster.primary.value(f"select count(*) from {table}") == 5


@pytest.mark.proxy
def test_more_statements_than_the_limit_all_work(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"max_prepared_statements": 10})
    with Wire(r.ports["primary"]) as w:
        w.login()
        for i in range(10):
            w.send(parse(f"s{i}", f"select {i}"), sync())
            assert w.types_until_ready() == "1Z"
        with Wire(r.ports["primary"]) as other:
            other.login()
            for i in range(10):
                other.send(parse(f"o{i}", f"select {100 + i}"), bind("", f"o{i}"), execute(), sync())
                assert rows(other.until()) == [[str(100 + i)]]
        for i in range(10):
            w.send(bind("", f"s{i}"), execute(), sync())
            assert rows(w.until()) == [[str(i)]]
        # Closed names make room again.
        for i in range(10):
            w.send(close("S", f"s{i}"), parse(f"t{i}", f"select {200 + i}"), bind("", f"t{i}"), execute(), sync())
            assert rows(w.until()) == [[str(200 + i)]]


@pytest.mark.parametrize("listener", ["split", "primary"])
def test_a_statement_survives_a_change_of_its_table(rolecall, cluster, listener, table):
    with rolecall.connect(listener) as c:
        c.prepare_threshold = 0
        assert c.execute(f"select a from {table}").fetchall() == []
        cluster.primary.sql(f"alter table {table} add column c int")
        cluster.catch_up()
        assert c.execute(f"select a from {table}").fetchall() == []
