"""Cancel requests: to the right server, and never to another session's query."""

import threading
import time

import psycopg
import pytest

from lib.wire import PROTOCOL_3_2, Wire, cancel, kinds, query

LISTENERS = ["split", "primary", "primary-session", "primary-none", "replica"]


def cancelled(w):
    """True when the running query ends with 57014; its RowDescription may have come before."""
    got = w.until(timeout=10)
    return kinds(got) in ("EZ", "TEZ") and got[-2].sqlstate == "57014"


def slept_for(function):
    began = time.monotonic()
    function()
    return time.monotonic() - began


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("protocol", [None, PROTOCOL_3_2])
def test_a_running_query_is_cancelled(rolecall, listener, protocol):
    with Wire(rolecall.ports[listener]) as w:
        w.login(**({"protocol": protocol} if protocol else {}))
        w.send(query("select pg_sleep(30)"))
        assert w.nothing_comes(0.3)
        cancel(rolecall.ports[listener], w.pid, w.key)
        assert cancelled(w)
        assert w.value("select 1") == "1"


@pytest.mark.parametrize("listener", LISTENERS)
def test_the_driver_cancels(rolecall, listener):
    with rolecall.connect(listener) as c:
        timer = threading.Timer(0.3, c.cancel)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            c.execute("select pg_sleep(30)")
        timer.join()
        assert c.execute("select 1").fetchone()[0] == 1


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_cancelled_read_is_final(rolecall, listener):
    """57014 that the client asked for is not a reason to run the read again elsewhere."""
    with Wire(rolecall.ports[listener]) as w:
        w.login()
        w.send(query("select count(*) from generate_series(1, 2000000000)"))
        assert w.nothing_comes(0.3)
        cancel(rolecall.ports[listener], w.pid, w.key)
        assert cancelled(w)


@pytest.mark.parametrize("listener", LISTENERS)
def test_cancelling_an_idle_session_does_nothing(rolecall, listener):
    with Wire(rolecall.ports[listener]) as w:
        w.login()
        assert w.value("select 1") == "1"
        for _ in range(3):
            cancel(rolecall.ports[listener], w.pid, w.key)
        assert w.nothing_comes(0.1)
        assert w.value("select 2") == "2"


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_wrong_key_cancels_nothing(rolecall, listener):
    with Wire(rolecall.ports[listener]) as w:
        w.login()
        w.send(query("select 1 from pg_sleep(0.5)"))
        wrong = bytes([w.key[0] ^ 1]) + w.key[1:]
        cancel(rolecall.ports[listener], w.pid, wrong)
        cancel(rolecall.ports[listener], w.pid ^ 0x10000, w.key)
        for length in (0, 1, 3, 5, 31, 33, 200):
            cancel(rolecall.ports[listener], w.pid, b"k" * length)
        assert kinds(w.until()) == "TDCZ"


@pytest.mark.proxy
def test_a_late_cancel_never_hits_another_sessions_query(make, cluster):
    """One server connection; A's query has ended when the cancel with A's key comes, and B's runs there."""
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"pool_size": 1, "workers": 1})
    with Wire(r.ports["primary"]) as a, Wire(r.ports["primary"]) as b:
        a.login()
        b.login()
        assert a.value("select pg_backend_pid()") == b.value("select pg_backend_pid()")
        for _ in range(20):
            a.value("select 1")
            b.send(query("select 7 from pg_sleep(0.1)"))
            cancel(r.ports["primary"], a.pid, a.key)
            assert kinds(b.until()) == "TDCZ"


@pytest.mark.proxy
def test_cancels_racing_with_ends_of_queries_hit_nobody_else(make, cluster):
    """A's cancels are sent while A's short queries end; B shares the only server and must never be cancelled."""
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"pool_size": 1, "workers": 2})
    stop = threading.Event()
    failed = []

    def other():
        with r.connect("primary") as c:
            while not stop.is_set():
                try:
                    c.execute("select 1 from pg_sleep(0.002)")
                except psycopg.Error as error:
                    failed.append(error)
                    return

    thread = threading.Thread(target=other)
    thread.start()
    try:
        with Wire(r.ports["primary"]) as a:
            a.login()
            for i in range(150):
                a.send(query("select 1 from pg_sleep(0.001)"))
                if i % 3:
                    time.sleep(0.001 * (i % 5))
                cancel(r.ports["primary"], a.pid, a.key)
                assert kinds(a.until()) in ("TDCZ", "EZ", "TEZ", "TDEZ")
    finally:
        stop.set()
        thread.join()
    assert failed == []


@pytest.mark.proxy
def test_a_query_that_waits_for_a_server_is_cancelled_by_rolecall(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"pool_size": 1})
    with r.connect("primary", autocommit=False) as blocker, Wire(r.ports["primary"]) as w:
        blocker.execute("select 1")
        w.login()
        w.send(query("select 1"))
        assert w.nothing_comes(0.2)
        cancel(r.ports["primary"], w.pid, w.key)
        assert cancelled(w)
        blocker.rollback()
        assert w.value("select 2") == "2"


@pytest.mark.proxy
def test_a_cancel_finds_a_session_of_any_worker(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"workers": 4})
    sessions = []
    for _ in range(8):
        w = Wire(r.ports["primary"])
        w.login()
        w.send(query("select pg_sleep(30)"))
        sessions.append(w)
    time.sleep(0.3)
    for w in sessions:
        cancel(r.ports["primary"], w.pid, w.key)
    for w in sessions:
        assert cancelled(w)
        w.close()


@pytest.mark.proxy
def test_a_cancel_works_through_another_listener(rolecall):
    """A cancel request names the process, not the door."""
    with Wire(rolecall.ports["primary"]) as w:
        w.login()
        w.send(query("select pg_sleep(30)"))
        assert w.nothing_comes(0.2)
        cancel(rolecall.ports["split"], w.pid, w.key)
        assert cancelled(w)


def test_statement_timeout_is_passed_on(rolecall):
    with rolecall.connect("split", options="-c statement_timeout=200") as c:
        assert slept_for(lambda: pytest.raises(psycopg.errors.QueryCanceled, c.execute, "select pg_sleep(20)")) < 10
        with pytest.raises(psycopg.errors.QueryCanceled):
            c.execute("select count(*) from generate_series(1, 2000000000)")


def cancelled_by_the_node(cluster, pid, after):
    """Begins to wait; pg_cancel_backend(pid) is called then."""
    admin = cluster.primary.connect()

    def work():
        with admin:
            admin.execute("select pg_cancel_backend(%s)", (pid,))

    timer = threading.Timer(after, work)
    timer.start()
    return timer


@pytest.mark.proxy
@pytest.mark.parametrize("prepared", [False, True])
def test_what_comes_at_once_was_meant_for_the_statement_before(make, cluster, table, prepared):
    """As pg_autoctl does it: it cancels all that waits for synchronous replication when it switches that off, and some of it has
    ended by then; the connection may have another session's statement to run."""
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"pool_size": 1, "workers": 1})
    sql = f"insert into {table} select 1 from pg_sleep(0.4)"
    with r.connect("primary") as c:
        pid = c.execute("select pg_backend_pid()").fetchone()[0]
        for after in (0, 0.01, 0.03):
            timer = cancelled_by_the_node(cluster, pid, after)
            assert c.execute(sql, prepare=prepared).rowcount == 1
            timer.join()
        assert c.execute(f"select count(*) from {table}").fetchone()[0] == 3


@pytest.mark.proxy
def test_a_cancel_by_the_administrator_is_told(make, cluster, table):
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"pool_size": 1, "workers": 1})
    with r.connect("primary") as c:
        pid = c.execute("select pg_backend_pid()").fetchone()[0]
        timer = cancelled_by_the_node(cluster, pid, 0.3)
        with pytest.raises(psycopg.errors.QueryCanceled):
            c.execute(f"insert into {table} select 1 from pg_sleep(5)")
        timer.join()
        c.execute("set statement_timeout = '50ms'")
        began = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
            c.execute(f"insert into {table} select 1 from pg_sleep(5)")
        assert time.monotonic() - began < 2
        assert c.execute(f"select count(*) from {table}").fetchone()[0] == 0
