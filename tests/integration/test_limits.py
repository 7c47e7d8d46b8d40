"""Limits and timeouts: in the whole process, whatever worker a client is on."""

import threading
import time

import psycopg
import pytest

from lib.processes import wait_until
from lib.wire import Closed, Error, Wire, kinds, query

pytestmark = pytest.mark.proxy

PRIMARY = {"primary": dict(route="primary", pool="transaction")}


def servers(cluster, where="datname = 'app' and usename = 'app'"):
    return len(cluster.primary.backends(f"backend_type = 'client backend' and {where}"))


def hold(r, n, listener="primary"):
    """n clients inside transactions."""
    clients = [r.connect(listener, autocommit=False) for _ in range(n)]
    for c in clients:
        c.execute("select 1")
    return clients


def done(clients):
    for c in clients:
        c.close()


def ended_with(w, *sqlstates, timeout=5):
    """True when the session is closed after an error with one of the codes."""
    try:
        m = w.receive(timeout)
        return m.kind == "E" and m.sqlstate in sqlstates and w.is_closed()
    except Closed:
        return False


def test_pool_size_bounds_the_whole_process(make, cluster):
    r = make(cluster, PRIMARY, settings={"workers": 2, "pool_size": 3})
    most = [0]
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            most[0] = max(most[0], servers(cluster))

    def work():
        with r.connect("primary") as c:
            for _ in range(15):
                c.execute("select pg_sleep(0.005)")

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=work) for _ in range(24)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    stop.set()
    watcher.join()
    assert 2 <= most[0] <= 3


def test_a_busy_workers_clients_use_the_other_workers_idle_servers(make, cluster):
    """Two workers and two servers: any two clients, wherever they are, get both."""
    r = make(cluster, PRIMARY, settings={"workers": 2, "pool_size": 2})
    clients = [r.connect("primary", autocommit=False) for _ in range(8)]
    for i in range(8):
        a, b = clients[i], clients[(i + 1) % 8]
        a.execute("select 1")
        b.execute("select 1")
        a.rollback()
        b.rollback()
    done(clients)


def test_waiting_clients_are_served_in_turn(make, cluster):
    r = make(cluster, PRIMARY, settings={"pool_size": 1, "workers": 1})
    order = []
    blocker = hold(r, 1)
    threads = []
    for i in range(5):
        w = Wire(r.ports["primary"])
        w.login()
        w.send(query("select 1"))
        assert w.nothing_comes(0.05)
        threads.append((i, w))
    blocker[0].rollback()
    for i, w in threads:
        assert kinds(w.until()) == "TDCZ"
        order.append(i)
        w.close()
    done(blocker)


def test_query_wait_timeout(make, cluster):
    r = make(cluster, PRIMARY, settings={"pool_size": 1, "query_wait_timeout": "500ms"})
    blocker = hold(r, 1)
    with Wire(r.ports["primary"]) as w:
        w.login()
        began = time.monotonic()
        w.send(query("select 1"))
        m = w.receive(timeout=10)
        assert m.kind == "E" and m.sqlstate in ("57P03", "53300", "57014", "53400")
        assert 0.3 < time.monotonic() - began < 5
    done(blocker)


def test_reserve_pool_opens_after_a_wait(make, cluster):
    r = make(cluster, PRIMARY, settings={"pool_size": 1, "reserve_pool_size": 1, "reserve_pool_timeout": "300ms"})
    blocker = hold(r, 1)
    with r.connect("primary") as c:
        assert c.execute("select 1").fetchone()[0] == 1
    assert servers(cluster) <= 2
    done(blocker)


def test_min_pool_size_is_kept_open(make, cluster):
    r = make(cluster, PRIMARY, settings={"min_pool_size": 3, "pool_size": 5})
    r.value("primary", "select 1")
    wait_until(lambda: servers(cluster) >= 3, what="three servers are open")


def test_max_clients_of_the_process(make, cluster):
    r = make(cluster, PRIMARY, settings={"max_clients": 5})
    clients = [Wire(r.ports["primary"]).login() for _ in range(5)]
    with pytest.raises((Error, Closed)) as caught, Wire(r.ports["primary"]) as w:
        w.login()
    if caught.type is Error:
        assert caught.value.sqlstate == "53300"
    clients.pop().close()
    wait_until(lambda: can_log_in(r), what="room again")
    done(clients)


def can_log_in(r, **options):
    try:
        r.connect("primary", **options).close()
        return True
    except psycopg.OperationalError:
        return False


@pytest.mark.parametrize("kind", ["database", "user", "listener"])
def test_max_clients_of_a_part(make, cluster, kind):
    options = {"databases": {"app": {"max_clients": 2}}} if kind == "database" else {}
    options = {"users": {"app": {"max_clients": 2}}} if kind == "user" else options
    listeners = {"primary": dict(route="primary", pool="transaction", max_clients=2 if kind == "listener" else None)}
    r = make(cluster, {**listeners, "other": dict(route="primary", pool="transaction")}, ready=False, **options)
    r.wait_answer("other")
    clients = [Wire(r.ports["primary"]).login() for _ in range(2)]
    with pytest.raises(Error) as caught, Wire(r.ports["primary"]) as w:
        w.login()
    assert caught.value.sqlstate == "53300"
    if kind == "listener":
        assert r.value("other", "select 1") == 1
    if kind == "user":
        assert r.value("other", "select 1", user="postgres", password="super-secret") == 1
    done(clients)


def test_max_connections_of_a_node_closes_idle_servers_of_other_pools(make, cluster):
    r = make(cluster, PRIMARY, nodes={"node1": {"max_connections": 2}}, databases={"again": {"dbname": "postgres"}})
    assert r.value("primary", "select 1") == 1
    assert r.value("primary", "select 1", user="postgres", password="super-secret") == 1
    assert r.value("primary", "select 1", dbname="again") == 1
    assert r.value("primary", "select 1") == 1
    assert servers(cluster, "usename in ('app', 'postgres') and application_name not like '%probe%'") <= 2 + 4


def test_login_timeout(make, cluster):
    r = make(cluster, PRIMARY, settings={"login_timeout": "1s"})
    with Wire(r.ports["primary"]) as silent, Wire(r.ports["primary"]) as half:
        half.send(b"\0\0\0")
        began = time.monotonic()
        assert silent.is_closed(10) and half.is_closed(10)
        assert 0.5 < time.monotonic() - began < 6


def test_client_idle_timeout(make, cluster):
    r = make(cluster, PRIMARY, settings={"client_idle_timeout": "500ms"})
    with Wire(r.ports["primary"]) as w:
        w.login()
        w.value("select 1")
        assert ended_with(w, "57P05")


def test_idle_transaction_timeout(make, cluster):
    r = make(cluster, PRIMARY, settings={"idle_transaction_timeout": "500ms"})
    with Wire(r.ports["primary"]) as w:
        w.login()
        w.query("begin")
        assert ended_with(w, "25P03")
    wait_until(lambda: not cluster.primary.backends("state = 'idle in transaction' and usename = 'app'"), what="rolled back")


def test_query_timeout(make, cluster):
    r = make(cluster, PRIMARY, settings={"query_timeout": "500ms"})
    with Wire(r.ports["primary"]) as w:
        w.login()
        began = time.monotonic()
        w.send(query("select pg_sleep(20)"))
        sqlstate = next(m for m in iter(w.receive, None) if m.kind == "E").sqlstate
        assert sqlstate == "57014" and time.monotonic() - began < 8
    wait_until(lambda: not cluster.primary.backends("query like '%pg_sleep(20)%' and state = 'active'"), what="it was cancelled")


def test_server_idle_timeout(make, cluster):
    r = make(cluster, PRIMARY, settings={"server_idle_timeout": "1s"})
    pid = r.value("primary", "select pg_backend_pid()")
    wait_until(lambda: not cluster.primary.sql("select 1 from pg_stat_activity where pid = %s", [pid]), 10, "the idle server is closed")
    assert r.value("primary", "select 1") == 1


def test_server_lifetime(make, cluster):
    r = make(cluster, PRIMARY, settings={"server_lifetime": "1s"})
    with r.connect("primary") as c:
        pid = c.execute("select pg_backend_pid()").fetchone()[0]
        wait_until(lambda: c.execute("select pg_backend_pid()").fetchone()[0] != pid, 10, "the old server is replaced")


def test_users_and_databases_override_the_pool_mode(make, cluster):
    r = make(cluster, PRIMARY, users={"app": {"pool": "session"}}, settings={"pool_size": 2})
    with r.connect("primary") as a, r.connect("primary") as b:
        mine, theirs = (c.execute("select pg_backend_pid()").fetchone()[0] for c in (a, b))
        assert mine != theirs
        for _ in range(3):
            assert a.execute("select pg_backend_pid()").fetchone()[0] == mine


def test_sigterm_lets_a_transaction_end(make, cluster, table):
    r = make(cluster, PRIMARY, settings={"shutdown_timeout": "10s"})
    c = r.connect("primary", autocommit=False)
    c.execute(f"insert into {table} values (1, '')")
    stopping = threading.Thread(target=r.stop)
    stopping.start()
    time.sleep(0.3)
    c.execute(f"insert into {table} values (2, '')")
    c.commit()
    stopping.join(10)
    assert not stopping.is_alive()
    assert cluster.primary.value(f"select count(*) from {table}") == 2


def test_sigterm_with_idle_clients_ends_at_once(make, cluster):
    r = make(cluster, PRIMARY, settings={"shutdown_timeout": "30s"})
    with Wire(r.ports["primary"]) as w:
        w.login()
        began = time.monotonic()
        r.stop()
        assert time.monotonic() - began < 5
        assert w.is_closed()


def test_shutdown_timeout_ends_what_does_not_end(make, cluster):
    r = make(cluster, PRIMARY, settings={"shutdown_timeout": "1s"})
    with Wire(r.ports["primary"]) as w:
        w.login()
        w.query("begin")
        began = time.monotonic()
        r.stop()
        assert time.monotonic() - began < 6
