"""Routes, pool modes, and what passes through a session unharmed."""

import threading
import time

import psycopg
import pytest

from lib.processes import wait_until
from lib.wire import Wire, kinds, query, rows

POOLED = ["split", "primary", "replica", "any", "split-session", "primary-session", "primary-statement"]
RELAYED = ["primary-none", "replica-none"]


def pid_of(connection):
    return connection.execute("select pg_backend_pid()").fetchone()[0]


@pytest.mark.parametrize("listener", POOLED + RELAYED)
def test_every_listener_answers(rolecall, listener):
    assert rolecall.value(listener, "select 40 + 2") == 42


@pytest.mark.parametrize("listener", ["primary", "primary-session", "primary-statement", "primary-none"])
def test_route_primary_reaches_the_primary(rolecall, cluster, listener):
    assert {rolecall.value(listener, "select whereami()") for _ in range(5)} == {cluster.primary.port}


@pytest.mark.parametrize("listener", ["replica", "replica-none"])
def test_route_replica_reaches_replicas_only(rolecall, cluster, listener):
    assert {rolecall.value(listener, "select whereami()") for _ in range(10)} <= cluster.replica_ports


@pytest.mark.proxy
@pytest.mark.parametrize("listener", ["replica", "replica-none", "split"])
def test_replicas_share_the_reads(rolecall, cluster, listener):
    connections = [rolecall.connect(listener) for _ in range(40)]
    try:
        seen = {c.execute("select whereami()").fetchone()[0] for c in connections}
    finally:
        for c in connections:
            c.close()
    assert seen == cluster.replica_ports


def test_route_replica_refuses_writes(rolecall, table):
    with rolecall.connect("replica") as c, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        c.execute(f"insert into {table} values (1)")


@pytest.mark.proxy
def test_route_any_reaches_more_than_one_node(rolecall, cluster):
    connections = [rolecall.connect("any") for _ in range(40)]
    seen = {c.execute("select whereami()").fetchone()[0] for c in connections}
    for c in connections:
        c.close()
    assert len(seen) >= 2 and seen <= cluster.replica_ports | {cluster.primary.port}


@pytest.mark.proxy
def test_transaction_pooling_shares_a_server_between_clients(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="transaction", )}, settings={"pool_size": 1})
    with r.connect("primary") as a, r.connect("primary") as b:
        assert len({pid_of(c) for c in (a, b, a, b)}) == 1


@pytest.mark.proxy
def test_session_pooling_keeps_a_server_for_the_session_and_hands_it_on(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="session")}, settings={"workers": 1})
    with r.connect("primary") as a, r.connect("primary") as b:
        first, second = pid_of(a), pid_of(b)
        assert first != second
        assert [pid_of(a), pid_of(b)] == [first, second]
    with r.connect("primary") as c:
        assert pid_of(c) in (first, second)


@pytest.mark.proxy
def test_without_pooling_the_server_ends_with_its_client(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="none")})
    with r.connect("primary", application_name="relay-end") as c:
        pid = pid_of(c)
        assert pid_of(c) == pid
    wait_until(lambda: not cluster.primary.sql("select 1 from pg_stat_activity where pid = %s", [pid]), what="backend ends")


@pytest.mark.parametrize("listener", ["split", "primary", "split-session", "primary-session"])
def test_a_transaction_stays_on_one_server(rolecall, listener):
    with rolecall.connect(listener, autocommit=False) as a, rolecall.connect(listener, autocommit=False) as b:
        mine, theirs = pid_of(a), pid_of(b)
        assert mine != theirs
        for _ in range(5):
            assert (pid_of(a), pid_of(b)) == (mine, theirs)


@pytest.mark.proxy
@pytest.mark.parametrize("listener", ["split", "primary", "primary-session"])
@pytest.mark.parametrize(
    "change, look, clean",
    [
        ("set work_mem = '7MB'", "show work_mem", "4MB"),
        ("select set_config('work_mem', '7MB', false)", "show work_mem", "4MB"),
        ("set search_path = pg_catalog", "show search_path", '"$user", public'),
        ("set timezone = 'Asia/Tokyo'", "show timezone", "Etc/UTC"),
        ("create temp table leak (a int)", "select to_regclass('leak')::text", None),
        ("listen leak", "select count(*) from pg_listening_channels()", 0),
        ("select pg_advisory_lock(4711)", "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()", 0),
        ("declare leak cursor with hold for select 1", "select count(*) from pg_cursors where name = 'leak'", 0),
    ],
)
def test_nothing_leaks_from_one_client_to_another(make_small, listener, change, look, clean):
    r = make_small
    with r.connect(listener) as a:
        a.execute(change)
        with r.connect(listener) as b:
            assert b.execute(look).fetchone()[0] == clean
        changed = a.execute(look).fetchone()[0]
        assert changed != clean and changed is not None
    for _ in range(3):
        with r.connect(listener) as c:
            assert c.execute(look).fetchone()[0] == clean


@pytest.fixture(scope="module")
def make_small(cluster):
    """Few servers, so that one is surely used again."""
    from conftest import Endpoint

    listeners = {
        "split": dict(route="split", pool="transaction"),
        "primary": dict(route="primary", pool="transaction"),
        "primary-session": dict(route="primary", pool="session"),
    }
    r = Endpoint(cluster, listeners, settings={"pool_size": 2, "workers": 1})
    yield r
    r.stop()


@pytest.mark.parametrize("listener", ["split", "split-session", "primary", "primary-session", "primary-none"])
def test_a_client_that_vanishes_in_a_transaction_leaves_nothing(rolecall, cluster, table, listener):
    with Wire(rolecall.ports[listener]) as w:
        w.login()
        w.query("begin")
        w.query(f"insert into {table} values (1, 'x')")
    wait_until(
        lambda: not cluster.primary.backends("state like 'idle in transaction%' and datname = 'app'"), what="rolled back"
    )
    assert cluster.primary.value(f"select count(*) from {table}") == 0
    assert rolecall.value(listener, "select 1") == 1


def test_answers_never_reach_another_client(rolecall):
    """Fifty clients at once, each checks that it gets its own answers."""
    wrong = []

    def work(number):
        try:
            with rolecall.connect("split") as c:
                for i in range(20):
                    got = c.execute("select %s::int, %s::text", (number, f"{number}-{i}")).fetchone()
                    if got != (number, f"{number}-{i}"):
                        wrong.append((number, i, got))
        except Exception as error:  # noqa: BLE001 - reported below
            wrong.append((number, error))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


@pytest.mark.parametrize("listener", ["split", "primary", "primary-session", "primary-none"])
def test_notices_reach_the_client(rolecall, listener):
    seen = []
    with rolecall.connect(listener) as c:
        c.add_notice_handler(lambda d: seen.append((d.severity, d.message_primary)))
        c.execute("do $$ begin raise notice 'hello'; end $$")
    assert seen == [("NOTICE", "hello")]


@pytest.mark.parametrize("listener", ["split", "primary", "primary-session", "primary-none"])
def test_notifications_reach_a_client_that_sends_nothing(rolecall, listener):
    with Wire(rolecall.ports[listener]) as w:
        w.login()
        w.query("listen news")
        rolecall.connect("primary").execute("notify news, 'flash'")
        m = w.until("A", timeout=10)[-1]
        assert m.payload[4:] == b"news\0flash\0"


@pytest.mark.parametrize("listener", ["split", "primary", "primary-none"])
def test_parameter_changes_are_reported(rolecall, listener):
    with rolecall.connect(listener) as c:
        c.execute("set timezone = 'Asia/Tokyo'")
        assert c.info.parameter_status("TimeZone") == "Asia/Tokyo"
        c.execute("set application_name = 'other'")
        assert c.info.parameter_status("application_name") == "other"
        c.execute("set client_encoding = 'LATIN1'")
        assert c.info.parameter_status("client_encoding") == "LATIN1"


@pytest.mark.proxy
def test_a_split_client_never_sees_hot_standby(rolecall):
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        assert w.parameters["in_hot_standby"] == "off"
        for _ in range(3):
            assert w.value("select 1") == "1"
            assert w.parameters["in_hot_standby"] == "off"


@pytest.mark.parametrize("listener", ["split", "primary", "primary-none"])
def test_login_reports_what_postgresql_reports(rolecall, cluster, listener):
    with Wire(cluster.primary.port) as direct, Wire(rolecall.ports[listener]) as through:
        direct.login(application_name="x")
        through.login(application_name="x")
        assert through.parameters == direct.parameters
        assert len(through.key) >= 4


@pytest.mark.parametrize("listener", ["split", "primary", "primary-none"])
def test_large_results_are_streamed(rolecall, listener):
    """Rows of 40 MB in all pass; what rolecall keeps of them is bounded."""
    with rolecall.connect(listener) as c:
        got = c.execute("select repeat('x', 20000000) from generate_series(1, 2)").fetchall()
        assert [len(r[0]) for r in got] == [20_000_000] * 2
    if rolecall.process:
        assert rolecall.rss_kib() < 150 * 1024


@pytest.mark.parametrize("listener", ["split", "primary", "primary-none"])
def test_large_requests_are_streamed(rolecall, listener):
    with rolecall.connect(listener) as c:
        assert c.execute("select length(%s)", ("y" * 10_000_000,)).fetchone()[0] == 10_000_000
        assert c.execute("select 1").fetchone()[0] == 1


@pytest.mark.parametrize("listener", ["split", "primary", "primary-none"])
def test_a_slow_reader_gets_everything(rolecall, listener):
    with Wire(rolecall.ports[listener], timeout=60) as w:
        w.login()
        w.send(query("select repeat('x', 1000) from generate_series(1, 20000)"))
        time.sleep(0.3)  # the point: buffers fill while nobody reads
        got = w.until()
        assert len(rows(got)) == 20000 and kinds(got[-2:]) == "CZ"


@pytest.mark.proxy
def test_a_unix_socket_listener_answers(make, cluster):
    r = make(cluster, {"tcp": dict(route="primary", pool="transaction")})
    path = f"{r.directory}/.s.PGSQL.7000"
    r2 = make(cluster, {"unix": dict(address=f"unix:{path}", route="primary", pool="transaction", unix_socket_mode="0777")})
    wait_until(lambda: __import__("os").path.exists(path), what="the socket is there")
    with psycopg.connect(f"host={r.directory} port=7000 user=app password=app-secret dbname=app") as c:
        assert c.execute("select 1").fetchone()[0] == 1
    r2.stop()


@pytest.mark.proxy
def test_clients_over_all_workers_are_served(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"workers": 3, "pool_size": 2})
    connections = [r.connect("primary") for _ in range(12)]
    for _ in range(3):
        for c in connections:
            assert c.execute("select 1").fetchone()[0] == 1
    for c in connections:
        c.close()


def test_statement_pooling_serves_single_statements(rolecall):
    with rolecall.connect("primary-statement") as c:
        assert [c.execute("select %s::int", (i,)).fetchone()[0] for i in range(5)] == list(range(5))


@pytest.mark.proxy
def test_statement_pooling_refuses_a_transaction_block(rolecall):
    with rolecall.connect("primary-statement") as c, pytest.raises(psycopg.Error):
        c.execute("begin")
        c.execute("select 1")
