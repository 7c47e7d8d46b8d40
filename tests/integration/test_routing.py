"""
Where a statement goes, and that a replica's error is never the client's problem.

whereami() (in read_functions) gives the port of the node that ran it, so a statement carries its own evidence.
"""

import psycopg
import pytest

from lib.processes import wait_until
from lib.wire import Wire, bind, describe, execute, kinds, parse, query, rows, sync

pytestmark = pytest.mark.proxy


@pytest.fixture
def split(rolecall, cluster):
    with rolecall.connect("split") as connection:
        yield connection


def where(connection, sql="select whereami()", parameters=None, **options):
    return connection.execute(sql, parameters, **options).fetchone()[0]


def reaches_a_replica(cluster, connection, *args, **options):
    """Soon: while rolecall reads a changed catalogue anew, reads are on the primary."""
    wait_until(lambda: where(connection, *args, **options) in cluster.replica_ports, 5, f"{args} is on a replica")
    return True


READS = [
    "select whereami()",
    "SELECT whereami();",
    "  -- a comment\n /* /* nested */ */ select whereami()",
    "values (whereami())",
    "with a as (select whereami() as w) select w from a",
    "(select whereami())",
    "select whereami() from generate_series(1, 1) where now() is not null and length('insert into x') > 0",
    "select whereami(), 'for update', \"a\".\"update\" from (select 1 as \"update\") as \"a\"",
    "select whereami(), $$ delete from x $$, E'\\' for update'",
]

WRITES = [
    "select whereami() from {t} limit 1 for share",
    "select whereami() from (select 1) a for update",
    "with a as (insert into {t} values (1) returning 1) select whereami() from a",
    "select whereami(), nextval('{t}_seq')",
    "select whereami(), pg_backend_pid()",
    "select whereami(), txid_current()",
    "select whereami(), inet_server_port()",
    "select whereami(), current_setting('port')",
    "select whereami(), pg_advisory_xact_lock(1)",
    "select whereami() from pg_stat_activity limit 1",
    "select whereami() from {t}_seq",
    "select whereami() from {t}_unlogged",
    "select whereami(), {t}_writes()",
    "insert into {t} values (1) returning whereami()",
    "update {t} set a = a returning whereami()",
    "with d as (delete from {t} where a = -1 returning 1) select whereami()",
]


@pytest.fixture(scope="module")
def objects(rolecall, cluster):
    """A table with one row, a sequence, an unlogged table and a function that writes; made where rolecall sees it."""
    with rolecall.connect("primary") as c:
        c.execute("create table r (a int)")
        c.execute("insert into r values (0)")
        c.execute("create sequence r_seq")
        c.execute("create unlogged table r_unlogged (a int)")
        c.execute("insert into r_unlogged values (0)")
        c.execute("create function r_writes() returns int language plpgsql as $$ begin insert into r values (2); return 1; end $$")
        c.execute("create function r_stable(int) returns int stable language sql as $$ select whereami() + 0 * $1 $$")
    cluster.catch_up()
    # What is new is known to every session of rolecall a moment later.
    wait_until(lambda: rolecall.value("split", "select whereami() from r_seq") == cluster.primary.port, 5, "the sequence is known")
    rolecall.wait_answer("split", cluster.replica_ports)
    yield "r"
    with cluster.primary.connect(user="app", password="app-secret") as c:
        c.execute("drop table r, r_unlogged")
        c.execute("drop sequence r_seq")
        c.execute("drop function r_writes, r_stable(int)")


@pytest.mark.parametrize("sql", READS)
def test_a_read_goes_to_a_replica(rolecall, cluster, sql):
    with rolecall.connect("split", prepare_threshold=None) as c:
        assert reaches_a_replica(cluster, c, sql)
        assert reaches_a_replica(cluster, c, sql, prepare=True)
        assert reaches_a_replica(cluster, c, sql)


@pytest.mark.parametrize("sql", WRITES)
def test_what_is_no_proven_read_goes_to_the_primary(rolecall, cluster, objects, sql):
    sql = sql.format(t=objects)
    with rolecall.connect("split") as c:
        assert where(c, sql) == cluster.primary.port
        assert where(c, sql, prepare=True) == cluster.primary.port


def test_parameters_make_no_difference(split, cluster):
    assert reaches_a_replica(cluster, split, "select whereami() + 0 * %s::int", (5,))
    assert reaches_a_replica(cluster, split, "select whereami() + 0 * %s::int", (5,), binary=True, prepare=True)


@pytest.mark.parametrize("begin", ["begin", "begin isolation level repeatable read", "start transaction", "begin read write",
                                   "begin isolation level serializable read only", "begin; set transaction snapshot 'x'"])
def test_a_transaction_that_might_write_is_on_the_primary(rolecall, cluster, begin):
    with rolecall.connect("split") as c:
        try:
            c.execute(begin)
        except psycopg.Error:
            c.execute("rollback")
            return
        assert where(c) == cluster.primary.port
        assert where(c) == cluster.primary.port
        c.execute("commit")
        wait_until(lambda: where(c) in cluster.replica_ports, what="reads are on a replica again")


def test_a_read_only_transaction_may_be_on_a_replica_and_stays_there(rolecall, cluster):
    with rolecall.connect("split") as c:
        c.execute("begin read only")
        first = where(c)
        assert [where(c) for _ in range(5)] == [first] * 5
        c.execute("commit")


@pytest.mark.parametrize("sql, expected", [("/* rolecall: primary */ select whereami()", "primary"), ("/* rolecall: replica */ select whereami()", "replica")])
def test_a_hint_decides(split, cluster, sql, expected):
    if expected == "primary":
        assert {where(split, sql) for _ in range(5)} == {cluster.primary.port}
    else:
        assert reaches_a_replica(cluster, split, sql)


def test_every_show_is_the_primarys(split):
    assert split.execute("show transaction_read_only").fetchone()[0] == "off"
    assert split.execute("show in_hot_standby").fetchone()[0] == "off"


def test_several_statements_in_one_string_with_a_write(rolecall, cluster, objects):
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        got = w.query("select whereami(); insert into r values (3); select whereami()")
        assert rows(got) == [[str(cluster.primary.port)]] * 2


def test_a_batch_with_a_write_is_on_the_primary_as_a_whole(rolecall, cluster, objects):
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        w.send(parse("", "select whereami()"), bind(), execute(), parse("", "insert into r values (4)"), bind(), execute(), sync())
        assert rows(w.until()) == [[str(cluster.primary.port)]]


def test_batches_in_one_write_are_routed_each_for_itself(rolecall, cluster, objects):
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        read = parse("", "select whereami()") + bind() + execute() + sync()
        write = parse("", "insert into r values (5) returning whereami()") + bind() + execute() + sync()
        w.send(read, write, read, write)
        first, second, third, fourth = (int(rows(w.until())[0][0]) for _ in range(4))
        assert second == fourth == cluster.primary.port
        assert first in cluster.replica_ports | {cluster.primary.port}
        assert third in cluster.replica_ports | {cluster.primary.port}


def test_writes_land_on_the_primary_and_reads_on_replicas(make, own_cluster):
    """By the nodes' own statistics."""
    r = make(own_cluster)
    own_cluster.primary.sql("create table seen (a int); grant all on seen to app")
    own_cluster.catch_up()
    before = [node.transactions() for node in own_cluster.nodes]
    with r.connect("split") as c:
        for i in range(100):
            c.execute("insert into seen values (%s)", (i,))
    clients = [r.connect("split") for _ in range(20)]
    for c in clients:
        for _ in range(20):
            c.execute("select count(*) from generate_series(1, 3)")
        c.close()
    r.stop()  # servers report their statistics when they end
    after = [node.transactions() for node in own_cluster.nodes]
    done = [b - a for a, b in zip(before, after)]
    assert own_cluster.primary.value("select count(*) from seen") == 100
    assert done[0] >= 100 and done[1] >= 20 and done[2] >= 20 and done[1] + done[2] >= 400


def test_a_session_reads_what_it_wrote(rolecall, cluster, table):
    """By the primary or by a replica that has replayed it: never an older answer."""
    with rolecall.connect("split") as c:
        for i in range(50):
            c.execute(f"insert into {table} values (%s, '')", (i,))
            assert c.execute(f"select count(*) from {table}").fetchone()[0] == i + 1


# Errors of replicas.


@pytest.fixture(scope="module")
def lagging():
    """Replicas that never replay anything new: what is made now exists on the primary alone."""
    from conftest import Endpoint
    from lib.cluster import Cluster

    made = Cluster(replicas=1, settings="max_standby_streaming_delay = -1\n")
    r = Endpoint(made, cluster_settings={"consistency": "eventual", "max_lag_time": "0", "max_lag": "0"})
    made.replicas[0].pause_replay()
    made.primary.sql("create table fresh (a int); insert into fresh values (7); grant all on fresh to app;"
                     "create function fresh() returns int stable language sql as 'select 8'")
    yield r
    r.stop()
    made.replicas[0].resume_replay()
    made.close()


FRESH = "select a from fresh"


def test_a_simple_read_that_a_replica_refuses_is_answered_by_the_primary(lagging):
    with pytest.raises(psycopg.errors.UndefinedTable):
        lagging.value("replica", FRESH)
    with Wire(lagging.ports["split"]) as w:
        w.login()
        for _ in range(3):
            got = w.query(FRESH)
            assert kinds(got) == "TDCZ" and rows(got) == [["7"]]


def test_an_unnamed_one_too(lagging):
    with Wire(lagging.ports["split"]) as w:
        w.login()
        for _ in range(3):
            w.send(parse("", FRESH), bind(), describe(), execute(), sync())
            got = w.until()
            assert kinds(got) == "12TDCZ" and rows(got) == [["7"]]


def test_a_named_one_too(lagging):
    with Wire(lagging.ports["split"]) as w:
        w.login()
        w.send(parse("s", FRESH), describe("S", "s"), sync())
        assert w.types_until_ready() == "1tTZ"
        for _ in range(3):
            w.send(bind("", "s"), execute(), sync())
            got = w.until()
            assert kinds(got) == "2DCZ" and rows(got) == [["7"]]


def test_pipelined_ones_too(lagging):
    with Wire(lagging.ports["split"]) as w:
        w.login()
        good = parse("", "select 1") + bind() + execute() + sync()
        bad = parse("", FRESH) + bind() + execute() + sync()
        w.send(good, bad, good, bad, query(FRESH), good)
        answers = [w.until() for _ in range(6)]
        assert [rows(a) for a in answers] == [[["1"]], [["7"]], [["1"]], [["7"]], [["7"]], [["1"]]]
        assert [kinds(a) for a in answers] == ["12DCZ"] * 4 + ["TDCZ", "12DCZ"]


def test_row_limited_ones_too(lagging):
    with Wire(lagging.ports["split"]) as w:
        w.login()
        w.send(parse("", "select a from fresh, generate_series(1, 5)"), bind(), execute("", 2), execute("", 2), execute("", 2), sync())
        assert kinds(w.until()) == "12DDsDDsDCZ"


def test_one_whose_error_comes_late_too(lagging):
    """Division by zero only on the replica's older data would be wrong to show; here an error after Bind."""
    with Wire(lagging.ports["split"]) as w:
        w.login()
        w.send(parse("", "select 1"), bind(), execute(), parse("", FRESH), bind(), execute(), sync())
        got = w.until()
        assert "E" not in kinds(got) or kinds(got).index("E") > 2
        w.send(sync())
        assert w.types_until_ready() == "Z"


def test_an_error_that_is_right_is_told_by_the_primary(lagging):
    with Wire(lagging.ports["split"]) as w:
        w.login()
        got = w.query("select 1/0")
        assert kinds(got) == "EZ" and got[0].sqlstate == "22012"
        got = w.query("select * from exists_nowhere")
        assert kinds(got) == "EZ" and got[0].sqlstate == "42P01"
        assert w.value("select 1") == "1"


def test_a_write_inside_a_function_that_looks_like_a_read_is_run_again(make, cluster):
    """Listed as a read by mistake: the replica says 25006 and the primary does it, once."""
    cluster.primary.sql("create table once (a int); grant all on once to app;"
                        "create function sneaky() returns int stable language plpgsql as "
                        "$$ begin execute 'insert into once values (1)'; return current_setting('port')::int; end $$")
    cluster.primary.sql("alter function sneaky() volatile")
    cluster.catch_up()
    r = make(cluster, cluster_settings={"read_functions": "whereami, sneaky"})
    for i in range(3):
        assert r.value("split", "select sneaky()") == cluster.primary.port
        assert cluster.primary.value("select count(*) from once") == i + 1
    cluster.primary.sql("drop function sneaky(); drop table once")


def test_a_part_already_forwarded_is_not_run_again(rolecall, cluster):
    """An error after rows: the client gets it once, and the rows once."""
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        got = w.query("select 1/(30000 - x) from generate_series(1, 40000) x")
        assert kinds(got).count("T") == 1 and kinds(got)[-2:] == "EZ"
        assert len(rows(got)) <= 29999
        assert got[-2].sqlstate == "22012"


def test_a_recovery_conflict_is_not_the_clients(make, own_cluster):
    """A read that the replica cancels for its replay (40001) before any row is answered by the primary."""
    own_cluster.primary.sql("create table busy as select g as a from generate_series(1, 1000) g; grant all on busy to app")
    for replica in own_cluster.replicas:
        replica.set("max_standby_streaming_delay", "0")
    own_cluster.catch_up()
    r = make(own_cluster, cluster_settings={"consistency": "eventual", "read_functions": "whereami, pg_sleep"})
    with Wire(r.ports["split"]) as w:
        w.login()
        w.send(query("select count(*) from busy, pg_sleep(2)"))
        assert w.nothing_comes(0.3)
        own_cluster.primary.sql("drop table busy cascade")
        own_cluster.primary.sql("select pg_logical_emit_message(true, 'test', '')")
        got = w.until(timeout=20)
        # The primary has dropped the table meanwhile: its own answer is 42P01, never the replica's 40001.
        assert kinds(got) == "EZ" and got[0].sqlstate == "42P01"
        assert w.value("select 1") == "1"


def test_fallback_to_the_primary_when_no_replica_is_fit(make, own_cluster):
    r = make(own_cluster)
    for replica in own_cluster.replicas:
        replica.stop("fast")
    with r.connect("split") as c:
        wait_until(lambda: where(c) == own_cluster.primary.port, what="reads fall back")
    with r.connect("replica") as c:
        assert where(c) == own_cluster.primary.port


def test_fallback_error(make, own_cluster):
    r = make(own_cluster, cluster_settings={"fallback": "error"})
    for replica in own_cluster.replicas:
        replica.stop("fast")

    def refused():
        try:
            return r.value("replica", "select whereami()") and False
        except psycopg.Error as error:
            return error.sqlstate == "57P03" or "57P03" in str(error) or "replica" in str(error)

    wait_until(refused, 10, "reads get an error")
    assert r.value("primary", "select whereami()") == own_cluster.primary.port


def test_a_lagging_replica_gets_no_reads(make, own_cluster):
    first, second = own_cluster.replicas
    r = make(own_cluster, cluster_settings={"max_lag": "64kB", "consistency": "eventual"})
    first.pause_replay()
    own_cluster.primary.sql("create table big as select repeat('x', 1000) from generate_series(1, 2000)")

    def only_second():
        return {r.value("split", "select whereami()") for _ in range(8)} == {second.port}

    wait_until(only_second, 15, "only the fresh replica is read")
    first.resume_replay()
    wait_until(lambda: r.value("split", "select whereami()") == first.port, 15, "the first is back", 0.01)


def test_weight_zero_is_never_chosen(make, cluster):
    skipped = cluster.replicas[0]
    r = make(cluster, nodes={skipped.name: {"weight": 0}})
    assert {r.value("split", "select whereami()") for _ in range(20)} == {cluster.replicas[1].port}
