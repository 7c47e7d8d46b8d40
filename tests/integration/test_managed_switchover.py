"""SWITCHOVER of a cluster that Patroni or pg_auto_failover manages: the manager does it, and nobody gets an error; or it is
called off, and work goes on at the old primary."""

import signal
import subprocess
import threading
import time

import pytest

from lib import patroni, readme
from lib.autofailover import Formation
from lib.crowd import Crowd
from lib.processes import wait_until
from lib.rolecall import BINARY
from lib.wire import Wire

pytestmark = pytest.mark.proxy

LISTENERS = {
    "split": dict(route="split", pool="transaction"),
    "primary": dict(route="primary", pool="transaction"),
    "session": dict(route="split", pool="session"),
    "relay": dict(route="primary", pool="none"),
}


class Patroni:
    def __init__(self):
        if not patroni.available():
            pytest.skip("patroni or etcd is not installed")
        self.cluster = patroni.PatroniCluster()
        self.close = self.cluster.close
        self.settle = self.cluster.settle

    @property
    def primary(self):
        return self.cluster.leader

    @property
    def replicas(self):
        return self.cluster.replicas

    def cut(self):
        """Nobody can order anything any more; PostgreSQL goes on."""
        self.cluster.leader.kill_patroni()

    def mend(self):
        self.cluster.settle()


class Monitor:
    def __init__(self):
        self.cluster = Formation()
        self.close = self.cluster.close
        self.settle = self.cluster.settle

    @property
    def primary(self):
        """Its keeper reports up to two seconds late that it is."""
        wait_until(self.cluster.has_primary, 30, "the monitor has a primary")
        return self.cluster.primary

    @property
    def replicas(self):
        primary = self.primary
        return [node for node in self.cluster.nodes if node is not primary]

    def cut(self):
        self.cluster.monitor.stop()

    def mend(self):
        self.cluster.monitor.start()


@pytest.fixture(scope="module", params=[Patroni, Monitor], ids=["patroni", "monitor"])
def whole(request):
    made = request.param()
    made.primary.sql("create table w (n bigserial primary key, who text); grant all on w to app; "
                     "grant all on sequence w_n_seq to app", dbname="app")
    yield made
    made.close()


@pytest.fixture
def managed(make, whole):
    """Whole at the beginning of each test, with rolecall before it."""
    whole.settle()

    def start(**settings):
        whole.r = make(whole.cluster, LISTENERS, cluster_settings={"manager_grace": "5s", "drain_timeout": "5s", **settings})
        wait_until(lambda: roles(whole.r).get(whole.primary.name) == "primary", 20, "rolecall sees the primary")
        return whole

    yield start
    whole.settle()


def roles(r):
    return {row["node"]: row["role"] for row in r.admin_table("show nodes")}


def write(connection):
    connection.execute("insert into w (who) values ('x')")


def in_background(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    return thread, result


def wait_for_event(r, text):
    return wait_until(lambda: any(text in row["text"] for row in r.events("switchover")), 20, f"an event says: {text}")


def test_busy_clients_see_no_error_and_every_step_is_told(managed):
    m = managed()
    before = m.primary
    with Crowd(m.r, before, writers=6, readers=4, transactions=4, idle=3, listeners=("split", "primary", "session")) as crowd:
        worked, text = m.r.switchover()
        assert worked, text
        after = m.primary
        assert after is not before
        assert text.startswith(f"{after.name} is the primary on timeline ") and f" instead of {before.name}, " in text
        crowd.wait_for(5)
    print(crowd.summary())
    assert not any(crowd.errors.values()), crowd.errors
    crowd.check(after)
    told = [(row["text"], row["reason"]) for row in m.r.events("switchover")]
    assert told[0] == (f"another node is to take the place of {before.name}", "SWITCHOVER")
    assert told[1][0].startswith(f"{before.name} is idle, ") and told[1][1] == "new work is held, and open transactions have ended"
    assert told[-1] == ("a switchover is done", text)
    assert any(row["node"] == after.name for row in m.r.events("primary_found"))


def test_the_node_that_is_named_becomes_the_primary(managed):
    m = managed()
    for candidate in reversed(m.replicas):
        worked, text = m.r.switchover(f"to {candidate.name}")
        assert worked, text
        assert m.primary is candidate
        assert m.r.value("primary", "insert into w (who) values ('x') returning whereami()") == candidate.port
        m.settle()


def test_what_cannot_be_done_is_refused_with_the_reason(managed):
    m = managed()
    before = m.primary
    for words, wanted in (
        ("to nobody", "there is no node nobody"),
        (f"to {before.name}", f"{before.name} is the one to be replaced"),
        ("to node2 cluster other", 'there is no cluster "other"'),
    ):
        worked, text = m.r.switchover(words)
        assert not worked and wanted in text, (words, text)
    assert m.primary is before and m.r.events("switchover")[-1]["text"] == "a switchover failed"


def test_a_candidate_that_the_manager_does_not_take_is_refused_and_work_goes_on(managed):
    m = managed()
    before, candidate = m.primary, m.replicas[0]
    forbid(m, candidate)
    try:
        with Crowd(m.r, before) as crowd:
            worked, text = m.r.switchover(f"to {candidate.name}")
            assert not worked
            crowd.wait_for(3)
        assert text.startswith(f"called off: {'Patroni' if isinstance(m, Patroni) else 'the monitor'} refuses: "), text
        assert not any(crowd.errors.values()), crowd.errors
        assert m.primary is before
        assert [row["text"] for row in m.r.events("switchover")][-2:] == ["the manager has not done it", "a switchover failed"]
    finally:
        allow(m, candidate)


def forbid(m, node):
    if isinstance(m, Patroni):
        node.set_tags(nofailover=True)
        wait_until(lambda: (node.rest()[1] or {}).get("tags", {}).get("nofailover"), 20, "the tag is known")
    else:
        node.maintain()


def allow(m, node):
    if isinstance(m, Patroni):
        node.set_tags()
    else:
        node.maintain(False)


def test_a_manager_that_cannot_be_asked_holds_nobody_up(managed):
    m = managed()
    before = m.primary
    with m.r.connect("primary") as connection:
        write(connection)
        m.cut()
        try:
            began = time.monotonic()
            worked, text = m.r.switchover()
            assert not worked and "cannot be asked: " in text, text
            write(connection)
            assert time.monotonic() - began < 3
            assert connection.execute("select whereami()").fetchone()[0] == before.port
        finally:
            m.mend()


def test_a_transaction_open_past_drain_timeout_calls_it_off_before_the_manager_hears_of_it(managed):
    m = managed(drain_timeout="1s")
    before = m.primary
    with m.r.connect("primary", autocommit=False) as open_one, m.r.connect("split") as other:
        open_one.execute("insert into w (who) values ('open')")
        thread, result = in_background(m.r.switchover)
        wait_for_event(m.r, "is to take the place of")
        write(other)  # held until it is called off
        thread.join(20)
        assert not result[0][0] and "1 transactions were still open after drain_timeout" in result[0][1]
        open_one.commit()
    assert m.primary is before


def test_whoever_asked_may_go_away_and_nobody_stays_held(managed):
    """Ctrl-C of `rolecall ctl`: the switchover goes on to its end."""
    m = managed(drain_timeout="20s")
    before = m.primary
    with m.r.connect("primary", autocommit=False) as open_one, m.r.connect("split") as other:
        open_one.execute("insert into w (who) values ('open')")
        ctl = subprocess.Popen([BINARY, "ctl", "-s", m.r.admin, "switchover"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # not where tests run in the background
        wait_for_event(m.r, "is to take the place of")
        ctl.send_signal(signal.SIGINT)
        ctl.communicate(timeout=10)
        thread, result = in_background(lambda: write(other))
        open_one.commit()
        thread.join(30)
        assert not thread.is_alive() and result == [None]
    wait_for_event(m.r, "a switchover is done")
    assert m.primary is not before


def test_pinned_sessions_and_relays_are_closed_and_counted(managed):
    m = managed()
    with Wire(m.r.ports["primary"]) as pinned, Wire(m.r.ports["relay"]) as relay, Wire(m.r.ports["primary"]) as plain:
        for wire in (pinned, relay, plain):
            wire.login()
        pinned.query("create temp table mine (a int)")
        relay.query("select 1")
        plain.query("select 1")
        worked, text = m.r.switchover()
        assert worked and "closed: 1 pinned sessions, 1 relays" in text, text
        assert pinned.is_closed() and relay.is_closed()
        plain.query("insert into w (who) values ('plain')")


def test_a_second_switchover_is_refused_while_one_is_under_way(managed):
    m = managed(drain_timeout="20s")
    with m.r.connect("primary", autocommit=False) as open_one:
        open_one.execute("insert into w (who) values ('open')")
        thread, result = in_background(m.r.switchover)
        wait_for_event(m.r, "is to take the place of")
        worked, text = m.r.switchover()
        assert not worked and "a failover or switchover is under way (draining)" in text
        open_one.commit()
        thread.join(60)
    assert result[0][0], result[0][1]


@pytest.mark.parametrize("whole", [Patroni], indirect=True, ids=["patroni"])
def test_patroni_that_is_paused_wants_a_candidate(managed):
    m = managed()
    candidate = m.replicas[0]
    m.cluster.pause()
    try:
        worked, text = m.r.switchover()
        assert not worked and "Patroni refuses: Switchover is possible only to a specific candidate in a paused state" in text
        worked, text = m.r.switchover(f"to {candidate.name}")
        assert worked, text
        assert m.primary is candidate
    finally:
        m.cluster.resume()


@pytest.mark.parametrize("whole", [Monitor], indirect=True, ids=["monitor"])
def test_a_monitor_user_that_may_only_look_is_told_what_it_lacks(managed, whole):
    monitor = whole.cluster.monitor
    for statement in readme.sql("CREATE VIEW rolecall.node"):
        monitor.sql(statement)
    monitor.admit("host pg_auto_failover rolecall 127.0.0.1/32 scram-sha-256")
    m = managed(monitor_user="rolecall", monitor_password=readme.PASSWORD, monitor_nodes="rolecall.node")
    before = m.primary
    worked, text = m.r.switchover()
    assert not worked and "permission denied for schema pgautofailover (README.md tells" in text, text
    assert m.primary is before
    for statement in readme.sql("GRANT USAGE ON SCHEMA pgautofailover"):
        monitor.sql(statement)
    worked, text = m.r.switchover()
    assert worked, text
