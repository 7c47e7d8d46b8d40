"""Explicit transactions: BEGIN is answered at once, the first statement says where the transaction runs."""

import os
import subprocess
import threading

import psycopg
import pytest

from lib.cluster import DATABASE, PASSWORD, USER
from lib.processes import wait_until
from lib.wire import Wire, bind, close, describe, execute, flush, kinds, parse, query, rows, sync


def where(connection, sql="select whereami()"):
    return connection.execute(sql).fetchone()[0]


@pytest.fixture
def split(rolecall):
    with rolecall.connect("split", prepare_threshold=None, autocommit=True) as c:
        yield c


def until_replicas_serve(cluster, connection):
    wait_until(lambda: where(connection) in cluster.replica_ports, 15, "reads are on a replica")


# What a client sees is what PostgreSQL shows.


CONVERSATIONS = [
    ["begin", "commit"],
    ["begin", "rollback"],
    ["start transaction read only", "end"],
    ["begin; ", "abort work"],
    ["begin", "begin", "rollback"],
    ["begin", "commit and chain", "select 1", "rollback and chain", "rollback"],
    ["begin", "savepoint a", "select 1/0", "select 1", "rollback to a", "select 1", "commit"],
    ["begin", "select 1/0", "select 1", "commit"],
    ["begin", "set transaction isolation level serializable", "show transaction_isolation", "commit"],
    ["begin", "set transaction read only", "create table never (a int)", "rollback"],
    ["begin read only", "set transaction read write", "create temp table t_here (a int) on commit drop", "rollback"],
    ["begin", "set transaction snapshot 'nonsense'", "rollback"],
    ["begin isolation level nonsense", "select 1"],
    ["begin read only, deferrable", "show transaction_read_only", "show transaction_deferrable", "commit"],
    ["begin transaction isolation level repeatable read", "show transaction_isolation", "commit", "show transaction_isolation"],
    ["begin", "set local work_mem = '3MB'", "show work_mem", "commit", "show work_mem"],
    ["begin", "", "commit"],
    ["begin", "prepare transaction 'x y'", "select 1"],
    ["begin", "vacuum", "rollback"],
    ["commit", "rollback", "set transaction read only", "savepoint a"],
    ["begin", "copy (select 1) to stdout", "commit"],
    ["begin", "select 1; commit; select 2", "select 3"],
    ["begin", "selec", "rollback"],
]


def in_words(messages):
    words = []
    for m in messages:
        if m.kind == "C":
            words.append(m.tag)
        elif m.kind in "EN":
            words.append(m.kind + m.sqlstate)
        elif m.kind == "Z":
            words.append("Z" + m.payload.decode())
        elif m.kind == "D":
            words.append(m.row)
    return words


def everything(wire):
    """Notices included."""
    got = []
    while not got or got[-1].kind != "Z":
        got.append(wire.receive())
    return in_words(m for m in got if m.kind != "S")


def as_simple(sql):
    return query(sql)


def as_batch(sql):
    return parse("", sql) + bind() + describe() + execute() + sync()


@pytest.mark.proxy
@pytest.mark.parametrize("shape", [as_simple, as_batch])
@pytest.mark.parametrize("listener", ["split", "primary", "split-session"])
@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda c: ",".join(c)[:60])
def test_a_conversation_is_as_with_postgresql_itself(rolecall, cluster, listener, conversation, shape):
    with Wire(rolecall.ports[listener]) as here, Wire(cluster.primary.port) as there:
        here.login()
        there.login()
        for sql in conversation:
            if shape is as_batch and sql.rstrip("; ").count(";"):
                continue
            here.send(shape(sql))
            there.send(shape(sql))
            assert everything(here) == everything(there), sql


@pytest.mark.proxy
@pytest.mark.parametrize("listener", ["split", "primary", "split-session"])
def test_pipelined_transactions_are_as_with_postgresql_itself(rolecall, cluster, listener):
    """All in one write: simple and extended, BEGIN alone and together with others."""
    words = [query("begin"), query("select 1"), query("commit"), as_batch("begin"), as_batch("select 2"), as_batch("commit"),
             parse("", "begin") + bind() + execute() + parse("", "select 3") + bind() + execute() + sync(), query("rollback"),
             sync(), query("begin"), sync(), parse("p", "select 4") + describe("S", "p") + sync(), bind("", "p") + execute() + sync(),
             query("select 1/0"), sync(), query("select 1"), query("rollback"), query("begin"), query("commit")]
    with Wire(rolecall.ports[listener]) as here, Wire(cluster.primary.port) as there:
        here.login()
        there.login()
        for wire in (here, there):
            wire.send(*words)
        for i in range(len(words)):
            assert everything(here) == everything(there), i


@pytest.mark.proxy
def test_a_flush_behind_a_begin(rolecall, cluster):
    """As asyncpg does it."""
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        assert w.query("begin read only")[-1].payload == b"T"
        w.send(parse("s", "select 1"), describe("S", "s"), flush())
        assert kinds(w.until("T")) == "1tT"
        w.send(bind("", "s"), execute(), sync())
        got = w.until()
        assert kinds(got) == "2DCZ" and got[-1].payload == b"T"
        assert w.query("commit")[-1].payload == b"I"


@pytest.mark.proxy
@pytest.mark.parametrize("listener", ["split", "primary", "split-session"])
def test_a_first_statement_that_is_not_collected(rolecall, listener):
    """Flushed after its Execute, or larger than request_buffer."""
    with Wire(rolecall.ports[listener]) as w:
        w.login()
        w.query("begin")
        w.send(parse("", "select 1"), bind(), execute(), flush())
        assert kinds(w.until("C")) == "12DC"
        w.send(sync())
        assert w.until()[-1].payload == b"T"
        assert w.query("commit")[-1].payload == b"I"
        w.query("begin")
        got = w.query("select length('" + "x" * 3_000_000 + "')")
        assert rows(got) == [["3000000"]] and got[-1].payload == b"T"
        assert w.query("savepoint a")[-1].payload == b"T"
        assert w.query("rollback")[0].tag == "ROLLBACK"


# No server is held.


@pytest.mark.proxy
def test_a_session_that_has_only_begun_holds_no_connection(make, cluster):
    r = make(cluster, {"split": dict(route="split", pool="transaction")}, settings={"pool_size": 1, "query_wait_timeout": "5s"})
    with r.connect("split", autocommit=True) as a, r.connect("split", autocommit=True) as b:
        a.execute("begin")
        b.execute("begin")
        for c in (a, b, a, b):
            if c.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                c.execute("begin")
            assert c.execute("select 1").fetchone()[0] == 1
            c.execute("commit")


@pytest.mark.proxy
def test_it_counts_as_idle_in_a_transaction(make, cluster):
    r = make(cluster, {"split": dict(route="split", pool="transaction")}, settings={"idle_transaction_timeout": "300ms"})
    with r.connect("split", autocommit=True) as c:
        c.execute("begin")
        wait_until(lambda: dead(c), 20, "idle_transaction_timeout ends it")


def dead(connection):
    try:
        connection.pgconn.consume_input()
    except psycopg.Error:
        return True
    return connection.pgconn.status != psycopg.pq.ConnStatus.OK


@pytest.mark.proxy
def test_a_begin_outlives_the_primary(make, own_cluster):
    r = make(own_cluster, cluster_settings={"hold_timeout": "60s"})
    with r.connect("split", autocommit=True) as c:
        c.execute("begin")
        old = own_cluster.primary
        old.stop("fast")
        own_cluster.replicas[0].promote()
        assert where(c) != old.port
        c.execute("commit")


# READ ONLY transactions.


@pytest.mark.proxy
@pytest.mark.parametrize("begin", [["begin read only"], ["start transaction read only"], ["begin", "set transaction read only"],
                                   ["begin isolation level read committed, read only"]])
def test_a_read_only_transaction_is_on_a_replica(split, cluster, begin):
    until_replicas_serve(cluster, split)
    for sql in begin:
        split.execute(sql)
    first = where(split)
    assert first in cluster.replica_ports and {where(split) for _ in range(5)} == {first}
    assert split.execute("commit").statusmessage == "COMMIT"


@pytest.mark.proxy
def test_it_is_so_after_a_login_through_another_route(make, cluster):
    """What a login through `primary` has learnt of the role is not all that `split` must know."""
    r = make(cluster, settings={"workers": 1})
    fresh = {"options": "-c work_mem=1234kB"}
    r.value("primary", "select 1", **fresh)
    with r.connect("split", **fresh) as c:
        until_replicas_serve(cluster, c)
        c.execute("begin read only")
        assert where(c) in cluster.replica_ports
        c.execute("commit")


@pytest.mark.proxy
def test_default_transaction_read_only_makes_one_too(split, cluster):
    split.execute("set default_transaction_read_only = on")
    until_replicas_serve(cluster, split)
    split.execute("begin")
    assert where(split) in cluster.replica_ports
    split.execute("commit")
    split.execute("begin read write")
    assert where(split) == cluster.primary.port
    split.execute("commit")


@pytest.mark.proxy
@pytest.mark.parametrize("begin", ["begin", "begin isolation level repeatable read read only", "begin isolation level serializable read only"])
def test_every_other_transaction_is_on_the_primary(split, cluster, begin):
    until_replicas_serve(cluster, split)
    split.execute(begin)
    assert where(split) == cluster.primary.port
    split.execute("commit")


@pytest.mark.proxy
@pytest.mark.parametrize("first", ["select pg_export_snapshot()", "select pg_backend_pid()", "select txid_current_if_assigned()",
                                   "show port", "select pg_advisory_xact_lock_shared(1)"])
def test_a_first_statement_that_belongs_to_the_primary_takes_it_there(split, cluster, first):
    until_replicas_serve(cluster, split)
    split.execute("begin read only")
    split.execute(first)
    assert where(split) == cluster.primary.port
    split.execute("commit")


@pytest.mark.proxy
def test_a_default_isolation_above_read_committed_keeps_it_on_the_primary(rolecall, cluster, split):
    until_replicas_serve(cluster, split)
    with rolecall.connect("split", autocommit=True, options="-c default_transaction_isolation=repeatable\\ read") as c:
        until_replicas_serve(cluster, c)
        c.execute("begin read only")
        assert where(c) == cluster.primary.port
        c.execute("commit")


@pytest.mark.proxy
def test_one_that_the_role_has_is_known_as_well(make, cluster):
    with cluster.primary.connect() as c:
        c.execute("create role careful login password 'careful'")
        c.execute("alter role careful set default_transaction_isolation = 'repeatable read'")
    cluster.catch_up()
    r = make(cluster)
    try:
        with r.connect("split", autocommit=True, user="careful", password="careful") as c:
            until_replicas_serve(cluster, c)
            c.execute("begin read only")
            assert where(c) == cluster.primary.port
            c.execute("commit")
    finally:
        r.stop()
        cluster.primary.sql("drop role careful")


@pytest.mark.proxy
def test_a_strong_session_has_its_read_only_transactions_on_the_primary(split, cluster):
    until_replicas_serve(cluster, split)
    split.execute("set rolecall.consistency = strong")
    split.execute("begin read only")
    assert where(split) == cluster.primary.port
    split.execute("commit")


@pytest.mark.proxy
def test_it_sees_what_the_session_wrote(split, table):
    for i in range(50):
        split.execute(f"insert into {table} values (%s, '')", (i,))
        split.execute("begin read only")
        assert split.execute(f"select count(*) from {table}").fetchone()[0] == i + 1
        split.execute("commit")


# A statement that belongs to the primary takes a READ ONLY transaction there. First statements have a name of their own, since
# transactions that begin with what has moved before begin on the primary.


def begin_on_replica(c, cluster, name, begin=("begin read only",)):
    def tried():
        for sql in begin:
            c.execute(sql)
        if where(c, f"select whereami() as {name}") in cluster.replica_ports:
            return True
        c.execute("rollback")

    wait_until(tried, 15, "the transaction is on a replica")


@pytest.mark.proxy
@pytest.mark.parametrize("listener", ["split", "split-session"])
@pytest.mark.parametrize("prepare", [None, 0])
@pytest.mark.parametrize("number, sql, answer", [
    (1, "select count(*) from pg_stat_activity where pid = pg_backend_pid() and usename = current_user", 1),
    (2, "show in_hot_standby", "off"),
    (3, "select pg_is_in_recovery()", False),
    (4, "select pg_try_advisory_lock(77)", True),
    (5, "select current_setting('transaction_read_only')", "on"),
    (6, "select pg_current_wal_lsn() is not null", True),
])
def test_what_belongs_to_the_primary_takes_the_transaction_there(rolecall, cluster, listener, prepare, number, sql, answer):
    with rolecall.connect(listener) as c:
        c.prepare_threshold = prepare
        begin_on_replica(c, cluster, f"belongs_{number}_{prepare}_{listener[5:] or 't'}".replace("-", "_"))
        assert c.execute(sql).fetchone()[0] == answer
        assert where(c) == cluster.primary.port
        locks = "select count(*) from pg_locks where locktype = 'advisory'"
        assert c.execute(locks).fetchone()[0] == (number == 4)
        assert c.execute("commit").statusmessage == "COMMIT"
        assert cluster.primary.sql(locks)[0][0] == (number == 4)
        c.execute("select pg_advisory_unlock_all()")


@pytest.mark.proxy
@pytest.mark.parametrize("listener", ["split", "split-session"])
def test_a_transaction_that_moves_keeps_what_it_is_made_of(rolecall, cluster, listener):
    with rolecall.connect(listener) as c:
        begin_on_replica(c, cluster, "made_of_" + listener[5:].replace("-", "_"), ["begin read only", "set local work_mem = '3MB'", "savepoint a"])
        c.execute("set local statement_timeout = '7s'")
        c.execute("savepoint b")
        with pytest.raises(psycopg.errors.DivisionByZero):
            c.execute("select 1/0")
        c.execute("rollback to b")
        assert where(c) in cluster.replica_ports
        assert c.execute("show work_mem").fetchone()[0] == "3MB"
        assert where(c) == cluster.primary.port
        assert c.execute("show statement_timeout").fetchone()[0] == "7s"
        c.execute("rollback to savepoint a")
        assert [c.execute(f"show {name}").fetchone()[0] for name in ("work_mem", "statement_timeout")] == ["3MB", "0"]
        c.execute("release savepoint a")
        assert c.execute("commit").statusmessage == "COMMIT"
        assert c.execute("show work_mem").fetchone()[0] != "3MB"


@pytest.mark.proxy
@pytest.mark.parametrize("end", ["select 1/0, pg_backend_pid()", "select count(pg_backend_pid())", "show rolecall.token"])
def test_what_the_client_was_told_of_a_parameter_is_kept_up_to_date_when_a_transaction_moves(rolecall, cluster, end):
    """A SET LOCAL that was told on the replica; on the primary its value may come and go before anybody hears of it."""
    name = "told_" + "".join(filter(str.isalpha, end))[:20]
    with Wire(rolecall.ports["split"]) as w:
        w.login()

        def on_replica():
            w.query("begin read only")
            if w.value(f"select whereami() as {name}") in map(str, cluster.replica_ports):
                return True
            w.query("rollback")

        wait_until(on_replica, 15, "the transaction is on a replica")
        w.query("set local standard_conforming_strings = off")
        assert w.parameters["standard_conforming_strings"] == "off"
        told = []
        w.send(query(end))
        while not told or told[-1].kind != "Z":
            told.append(w.receive())
        failed = "1/0" in end
        assert w.parameters["standard_conforming_strings"] == ("on" if failed else "off")
        assert ("S" in kinds(told)) == failed
        if not failed:
            assert w.value("show standard_conforming_strings") == "off"
            assert w.value("select whereami()") == str(cluster.primary.port)
        w.query("rollback")
        assert w.parameters["standard_conforming_strings"] == "on"
        assert w.value("show standard_conforming_strings") == "on"


@pytest.mark.proxy
def test_what_a_transaction_that_moves_has_prepared_is_its_sessions_alone(make, cluster):
    r = make(cluster, settings={"pool_size": 1, "workers": 1})
    with r.connect("split", autocommit=True) as c, r.connect("split", autocommit=True) as other:
        begin_on_replica(c, cluster, "prepares")
        c.execute("prepare secret as select 42")
        assert c.execute("select inet_server_port(), pg_backend_pid()").fetchone()[0] == cluster.primary.port
        c.execute("commit")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            other.execute("/* rolecall: primary */ create temp table leaked on commit drop as execute secret")
        assert c.execute("execute secret").fetchone() == (42,)


@pytest.mark.proxy
def test_closing_a_statement_is_no_query_in_one_that_moves(rolecall):
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        w.query("begin read only")
        w.query("set local app.x = '1'")
        w.send(close("S", "nothing"), sync())
        w.until()
        assert w.query("set transaction isolation level repeatable read")[0].tag == "SET"
        assert w.value("show app.x") == "1"
        w.query("commit")


@pytest.mark.proxy
def test_prepare_transaction_moves_one_too(rolecall, cluster):
    with rolecall.connect("split", autocommit=True) as c:
        begin_on_replica(c, cluster, "two_phase")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="prepared transactions are disabled"):
            c.execute("prepare transaction 'x'")
        assert c.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.proxy
def test_a_transaction_that_moves_takes_long_settings_along(rolecall, cluster):
    with rolecall.connect("split") as c:
        begin_on_replica(c, cluster, "long_settings")
        for name in ("app.long", "app.longer"):
            c.execute(f"set local {name} = '{'x' * 450}'")
        assert c.execute("select length(current_setting('app.longer')), pg_is_in_recovery()").fetchone() == (450, False)
        assert where(c) == cluster.primary.port


@pytest.mark.proxy
@pytest.mark.parametrize("number, sql", enumerate([
    "set transaction read write", "set transaction isolation level serializable", "create table never (a int)", "select nextval('never')",
    "insert into never values (1)", "savepoint a; select 1/0", "release savepoint nothing", "prepare transaction 'x'; select 1/0",
    "declare c cursor with hold for select 1 as a; select 1/0", "lock table pg_class in exclusive mode",
]))
def test_errors_in_a_read_only_transaction_are_postgresqls_own(rolecall, cluster, number, sql):
    """Also behind a statement that has moved it: SET TRANSACTION must not find a transaction that has not read yet."""
    told = []
    for port in (cluster.primary.port, rolecall.ports["split"]):
        for before in ("select 1", "show port"):
            with Wire(port) as w:
                w.login()
                w.query("begin read only")
                w.query(f"select 1 as errors_{number}_{before[:4]}")
                w.query(before)
                got = w.query(sql)
                found = [m.fields for m in got if m.kind == "E"]
                told.append((before, got[-1].payload, kinds(got), [(f["C"], f["M"]) for f in found], w.query("rollback")[0].tag))
    assert told[2:] == told[:2]


@pytest.mark.proxy
def test_transactions_that_begin_like_one_that_moved_begin_on_the_primary(split, cluster):
    split.prepare_threshold = None  # a prepared statement is remembered for itself
    begin_on_replica(split, cluster, "likely")
    split.execute("show port")
    split.execute("commit")
    ports = []
    for _ in range(20):
        split.execute("begin read only")
        ports.append(where(split, "select whereami() as likely"))
        split.execute("commit")
    assert ports.count(cluster.primary.port) >= 15  # one in 64 tries again
    wait_until(lambda: where(split, "select whereami() as likely") in cluster.replica_ports, 15, "alone it is a read like others")


@pytest.mark.proxy
def test_a_portal_that_is_open_keeps_the_transaction_on_its_replica(rolecall, cluster):
    """What would leave something there is refused."""
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        wait_until(lambda: w.value("select whereami()") in map(str, cluster.replica_ports), 15, "reads are on a replica")
        w.query("begin read only")
        w.send(parse("", "select whereami() as portal from generate_series(1, 3)"), bind("p", ""), execute("p", 1), sync())
        first = rows(w.until())
        assert int(first[0][0]) in cluster.replica_ports
        assert w.value("show port") == first[0][0]
        w.send(execute("p", 1), sync())
        assert rows(w.until()) == first
        fields = next(m.fields for m in w.query("select pg_advisory_lock(77)") if m.kind == "E")
        assert fields["C"] == "25006"
        assert w.query("rollback")[0].tag == "ROLLBACK"


@pytest.mark.proxy
@pytest.mark.parametrize("extended", [False, True])
def test_a_read_of_some_rows_keeps_the_transaction_nowhere(rolecall, cluster, extended):
    """As JDBC's setMaxRows() has it: what is left of it is gone with the next statement."""
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        wait_until(lambda: w.value("select whereami()") in map(str, cluster.replica_ports), 15, "reads are on a replica")
        w.query("begin read only")
        w.send(parse("", "select whereami() as some_rows from generate_series(1, 3)"), bind("", ""), execute("", 1), sync())
        assert int(rows(w.until())[0][0]) in cluster.replica_ports
        w.send(execute("", 1), sync())
        assert int(rows(w.until())[0][0]) in cluster.replica_ports
        if extended:
            w.send(parse("", "show port"), bind("", ""), execute("", 0), sync())
            assert rows(w.until()) == [[str(cluster.primary.port)]]
        else:
            assert w.value("show port") == str(cluster.primary.port)
        assert w.query("prepare transaction 'x'")[0].fields["C"] == "55000"


@pytest.mark.proxy
@pytest.mark.parametrize("before, begin", [("", "begin read only"), ("set default_transaction_read_only = on", "begin"), ("", "start transaction read only")])
def test_a_batch_that_begins_a_read_only_transaction_goes_to_a_replica(rolecall, cluster, before, begin):
    """As JDBC sends it, in the end with a BEGIN that has a name; and what belongs to the primary is answered there."""
    primary_port = str(cluster.primary.port)
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        w.query(before)
        wait_until(lambda: w.value("select whereami()") in map(str, cluster.replica_ports), 15, "reads are on a replica")
        for turn, named in enumerate((False, True, True)):
            first = f"select whereami() as batch_{turn} -- {before}{begin}"  # where one with this first statement has moved, the next one begins
            if named:
                w.send(parse("S_1", begin), sync())
                w.until()
                w.query("select 1")
            ahead = [bind("", "S_1")] if named else [parse("", begin), bind("", "")]
            wait_until(lambda: w.value("select whereami()") in map(str, cluster.replica_ports), 15, "and again")
            w.send(*ahead, execute("", 0), parse("", first), bind("", ""), describe("P", ""), execute("", 1), sync())
            got = w.until()
            assert kinds(got) == ("2C" if named else "12C") + "12TDsZ"
            assert int(rows(got)[0][0]) in cluster.replica_ports
            assert got[-1].payload == b"T"
            assert w.value("select whereami() as string") == rows(got)[0][0]
            assert w.value("show port") == primary_port
            assert w.value("select whereami() as string") == primary_port
            w.send(parse("", "commit"), bind("", ""), execute("", 0), close("S", "S_1"), sync())
            assert kinds(w.until()) == "12C3Z"


@pytest.mark.proxy
@pytest.mark.parametrize("behind", ["select 1/0", "insert into pg_class select", "", "set transaction read write", "begin", "commit", "select nextval('nothing')"])
def test_what_is_behind_begin_in_its_batch_is_postgresqls(rolecall, cluster, behind):
    told = []
    for port in (cluster.primary.port, rolecall.ports["split"]):
        with Wire(port) as w:
            w.login()
            w.send(parse("", "begin read only"), bind("", ""), execute("", 0), parse("", "select 1"), bind("", ""), execute("", 0), parse("", behind), bind("", ""),
                   execute("", 0), sync())
            got = w.until()
            after = w.query("select 2")
            told.append((kinds(got), [m.payload for m in got if m.kind in "CZ"], kinds(after), [m.fields["C"] for m in [*got, *after] if m.kind == "E"],
                         w.query("rollback")[-1].payload))
    assert told[0] == told[1]


@pytest.mark.proxy
def test_a_first_statement_that_a_replica_cannot_answer_moves_the_transaction(make, own_cluster):
    """The table is on the primary alone: a lagging replica's 42P01 is nobody's problem."""
    r = make(own_cluster, cluster_settings={"consistency": "eventual", "max_lag": "0", "max_lag_time": "0"})
    with r.connect("split", prepare_threshold=None, autocommit=True) as c:
        until_replicas_serve(own_cluster, c)
        for replica in own_cluster.replicas:
            replica.pause_replay()
        own_cluster.primary.sql("create table fresh as select 7 as a; grant all on fresh to app")
        until_replicas_serve(own_cluster, c)
        c.execute("begin read only")
        assert c.execute("select a from fresh").fetchone()[0] == 7
        assert where(c) == own_cluster.primary.port
        assert c.execute("commit").statusmessage == "COMMIT"
        begin_on_replica(c, own_cluster, "lagging")  # not at once: the catalogue is read anew, for the new table
        with pytest.raises(psycopg.errors.UndefinedTable):
            c.execute("select a from fresh")
        c.execute("rollback")
        for replica in own_cluster.replicas:
            replica.resume_replay()


@pytest.mark.proxy
def test_a_recovery_conflict_under_the_first_statement_is_not_the_clients(make, own_cluster):
    own_cluster.primary.sql("create table busy as select g as a from generate_series(1, 1000) g; grant all on busy to app")
    for replica in own_cluster.replicas:
        replica.set("max_standby_streaming_delay", "0")
    own_cluster.catch_up()
    r = make(own_cluster, cluster_settings={"consistency": "eventual", "read_functions": "whereami, pg_sleep"})
    with Wire(r.ports["split"]) as w:
        w.login()
        wait_until(lambda: int(w.value("select whereami()")) in own_cluster.replica_ports, 15, "reads are on a replica")
        w.query("begin read only")
        w.send(query("select count(*) from busy, pg_sleep(2)"))
        assert w.nothing_comes(0.3)
        own_cluster.primary.sql("drop table busy cascade")
        own_cluster.primary.sql("select pg_logical_emit_message(true, 'test', '')")
        got = w.until(timeout=30)
        # The primary's own answer; never the replica's 40001.
        assert kinds(got) == "EZ" and got[0].sqlstate == "42P01"
        assert w.query("rollback")[-1].payload == b"I"


@pytest.mark.proxy
def test_a_replica_that_dies_under_the_first_statement_is_not_the_clients(make, own_cluster):
    r = make(own_cluster, cluster_settings={"consistency": "eventual", "read_functions": "whereami, pg_sleep"})
    with r.connect("split", prepare_threshold=None, autocommit=True) as c:
        until_replicas_serve(own_cluster, c)
        c.execute("begin read only")
        got = []
        thread = threading.Thread(target=lambda: got.append(where(c, "select whereami() from pg_sleep(1)")))
        thread.start()
        busy = []

        def find():
            busy[:] = [n for n in own_cluster.replicas
                       if n.value("select count(*) from pg_stat_activity where query like '%pg_sleep(1)%' and pid <> pg_backend_pid()")]
            return busy

        wait_until(find, 10, "it runs on a replica", 0.01)
        busy[0].stop("immediate")
        thread.join(60)
        assert got and got[0] != busy[0].port
        assert c.execute("commit").statusmessage == "COMMIT"


# pg_dump.


@pytest.mark.proxy
@pytest.mark.parametrize("listener", ["split", "split-session"])
def test_pg_dump_with_several_jobs(rolecall, cluster, tmp_path, listener):
    """It exports a snapshot on one connection and imports it on others."""
    from lib.cluster import program

    with cluster.primary.connect(user="app", password="app-secret") as c:
        c.execute("drop schema if exists dumped cascade; create schema dumped")
        for i in range(6):
            c.execute(f"create table dumped.t{i} as select g as a, repeat('x', 100) as b from generate_series(1, 2000) g")
    cluster.catch_up()
    out = tmp_path / "dump"
    done = subprocess.run(
        [program("pg_dump"), "-Fd", "-j", "2", "-n", "dumped", "-f", str(out),
         f"host=127.0.0.1 port={rolecall.ports[listener]} user={USER} dbname={DATABASE}"],
        env={**os.environ, "PGPASSWORD": PASSWORD}, capture_output=True, text=True, timeout=80)
    assert done.returncode == 0, done.stderr
    assert len([name for name in os.listdir(out) if name.endswith(".gz")]) == 6
    cluster.primary.sql("drop schema dumped cascade")


# What rolecall relies on.


def test_postgresql_skips_a_query_behind_a_failed_batch_up_to_the_sync(cluster):
    """BEGIN goes ahead of a Query as Parse, Bind, Execute without a Sync; one is sent only if it fails."""
    with Wire(cluster.primary.port) as w:
        w.login()
        w.send(parse("", "begin nonsense"), bind(), execute(), query("create table must_not_be (a int)"))
        assert kinds(w.until("E")) == "E"
        assert w.nothing_comes(0.3)
        w.send(sync())
        got = w.until()
        assert kinds(got) == "Z" and got[0].payload == b"I"
        assert w.value("select to_regclass('must_not_be') is null") == "t"
        w.send(parse("", "begin read only"), bind(), execute(), query("select 1"))
        got = w.until()
        assert kinds(got) == "12CTDCZ" and got[-1].payload == b"T"
