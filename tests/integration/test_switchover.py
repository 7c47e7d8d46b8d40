"""SWITCHOVER of a cluster that rolecall itself manages: nobody gets an error, or it is called off."""

import os
import threading
import time

import psycopg
import pytest

from lib import cluster as pg
from lib.hooks import Hooks
from lib.processes import wait_until
from lib.supervisor import Supervisor
from lib.wire import Wire, cancel, kinds, query

pytestmark = pytest.mark.proxy

REPEATS = int(os.environ.get("ROLECALL_SWITCHOVERS", "3"))
LISTENERS = {
    "split": dict(route="split", pool="transaction"),
    "primary": dict(route="primary", pool="transaction"),
    "session": dict(route="primary", pool="session"),
    "relay": dict(route="primary", pool="none"),
}


class Managed:
    """A cluster, its hooks, and rolecall in front of it."""

    def __init__(self, make, cluster, **more):
        self.cluster = cluster
        self.hooks = Hooks(cluster.directory)
        self.supervisor = Supervisor(cluster)
        self.hooks.actions["demote"] = self.supervisor.demote
        cluster.primary.sql("create table w (client int, n int); grant all on w to app")
        cluster.catch_up()
        self.r = make(cluster, LISTENERS, {"pool_size": 40, "admin_database": "on", "admin_users": pg.SUPERUSER}, {
            "failover": "builtin", "failover_after": "5s", "hold_timeout": "30s", "drain_timeout": "3s",
            **self.hooks.settings("demote"), **more})

    def switch(self, words=""):
        return self.r.switchover(words)

    def primary(self):
        return self.cluster.node_at(self.r.value("primary", "select whereami()"))


@pytest.fixture
def managed(make, own_cluster):
    made = []

    def start(**more):
        made.append(Managed(make, own_cluster, **more))
        return made[-1]

    yield start
    for each in made:
        each.hooks.close()


class Busy:
    """Clients that write without pause, alone and in transactions, and note what they saw."""

    def __init__(self, r, n):
        self.r, self.errors, self.written, self.longest = r, [], [0] * n, [0.0] * n
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._work, args=(i,)) for i in range(n)]
        for thread in self.threads:
            thread.start()

    def _work(self, i):
        listener = ("split", "primary", "session")[i % 3]
        try:
            with self.r.connect(listener) as connection:
                while not self.stopping.is_set():
                    began = time.monotonic()
                    self._once(connection, i)
                    self.longest[i] = max(self.longest[i], time.monotonic() - began)
        except psycopg.Error as error:
            self.errors.append((listener, error.sqlstate, str(error)))

    def _once(self, connection, i):
        n = self.written[i]
        if n % 3 == 0:
            with connection.transaction():
                connection.execute("insert into w values (%s, %s)", (i, n))
                connection.execute("select count(*) from w where client = %s and n = %s", (i, n))
        elif n % 3 == 1:
            connection.execute("insert into w values (%s, %s)", (i, n))
        else:
            got = connection.execute("select count(*) from w where client = %s and n = %s", (i, n - 1)).fetchone()[0]
            assert got == 1, "its own write is not there"
            connection.execute("insert into w values (%s, %s)", (i, n))
        self.written[i] = n + 1

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"


def test_64_busy_clients_see_no_error_of_switchovers(managed):
    m = managed()
    busy = Busy(m.r, 64)
    pauses = []
    for _ in range(REPEATS):
        wait_until(lambda: min(busy.written) >= 3, 60, "everybody writes")
        before, busy.longest = m.primary(), [0.0] * 64
        worked, text = m.switch()
        assert worked, text
        seen = list(busy.written)
        wait_until(lambda: busy.errors or all(a > b for a, b in zip(busy.written, seen)), 60, "everybody goes on")
        assert busy.errors == []
        after = m.primary()
        assert after is not before and f"{after.name} is the primary" in text and before.name in text
        pauses.append(max(busy.longest))
        wait_until(lambda: after.value("select count(*) from pg_stat_replication where state = 'streaming'") == 2, 30,
                   "both others follow")
    busy.stop()
    print(f"{REPEATS} switchovers, {sum(busy.written)} writes, longest pauses:", " ".join(f"{p:.2f}" for p in pauses), "s")
    assert busy.errors == []
    after = m.primary()
    for i, n in enumerate(busy.written):
        assert after.value("select count(distinct n) from w where client = %s", [i]) == n


def test_what_was_seen_before_the_order_does_not_decide(managed):
    """A replica follows again, and no probe has seen that yet."""
    m = managed(probe_interval="30s", observation_ttl="60s")
    replica = next(node for node in m.cluster.replicas if node.name == "node3")
    follows = replica.value("show primary_conninfo")

    def seen():
        return {row["node"]: row["state"] for row in m.r.admin_table("show replication")}["node3"]

    replica.set("primary_conninfo", "")
    wait_until(lambda: not replica.value("select count(*) from pg_stat_wal_receiver"), 20, "it follows nobody")
    worked, text = m.switch("to node3")
    assert not worked and "does not follow" in text
    replica.sql("alter system set primary_conninfo = '{}'".format(follows.replace("'", "''")))
    replica.sql("select pg_reload_conf()")
    wait_until(lambda: replica.value("select count(*) from pg_stat_wal_receiver where status = 'streaming'"), 20, "it follows")
    assert seen() != "streaming"
    worked, text = m.switch("to node3")
    assert worked and m.primary() is replica, text


def test_the_node_that_is_named_becomes_the_primary(managed):
    m = managed()
    old = m.primary()
    checkpoints = old.log().count("checkpoint starting: immediate force wait")
    worked, text = m.switch("to node3")
    assert worked, text
    assert old.log().count("checkpoint starting: immediate force wait") > checkpoints
    assert m.primary().name == "node3" and "on timeline 2 instead of node1" in text
    told = m.hooks.of("demote")[0]
    assert (told["NODE"], told["TARGET"]) == ("node1", "node3") and "UNDO" not in told
    wait_until(lambda: m.primary().value("select count(*) from pg_stat_replication where state = 'streaming'") == 2, 30,
               "node1 follows")
    worked, text = m.switch("to node1 cluster main")
    assert worked, text
    assert m.primary().name == "node1"


def test_with_a_transaction_open_past_drain_timeout_it_is_called_off_and_nobody_is_hurt(managed):
    m = managed(drain_timeout="1s")
    with m.r.connect("primary", autocommit=False) as open_one, m.r.connect("split") as other:
        open_one.execute("insert into w values (1, 1)")
        result = []
        switch = threading.Thread(target=lambda: result.append(m.switch()))
        began = time.monotonic()
        switch.start()
        wait_until(lambda: "switchover: open transactions are waited for" in m.r.log(), what="new work is held")
        other.execute("insert into w values (2, 2)")  # held until it is called off
        assert time.monotonic() - began > 0.9
        switch.join(20)
        worked, text = result[0]
        assert not worked and "called off: 1 transactions were still open after drain_timeout" in text
        open_one.execute("insert into w values (1, 2)")
        open_one.commit()
    assert m.primary().name == "node1" and m.hooks.of("demote") == []
    assert m.cluster.primary.value("select count(*) from w") == 3


def test_an_open_transaction_that_ends_in_time_is_waited_for(managed):
    m = managed(drain_timeout="20s")
    with m.r.connect("primary", autocommit=False) as open_one:
        open_one.execute("insert into w values (1, 1)")
        result = []
        switch = threading.Thread(target=lambda: result.append(m.switch()))
        switch.start()
        time.sleep(0.5)
        assert m.hooks.of("demote") == []
        open_one.execute("insert into w values (1, 2)")
        open_one.commit()
        switch.join(30)
        assert result[0][0], result[0][1]
        open_one.execute("insert into w values (1, 3)")
        open_one.commit()
    assert m.primary().name != "node1"
    assert m.primary().value("select count(*) from w") == 3


def test_a_demote_hook_that_fails_leaves_the_old_primary_and_its_clients(managed):
    m = managed()

    def fail(facts):
        if facts.get("UNDO"):
            return m.supervisor.demote(facts)
        m.supervisor.node(facts["NODE"]).stop("fast")
        raise RuntimeError("no standby.signal can be written")

    m.hooks.actions["demote"] = fail
    busy = Busy(m.r, 8)
    wait_until(lambda: min(busy.written) >= 3, 60, "everybody writes")
    worked, text = m.switch()
    assert not worked and "the demote hook failed" in text and "node1 was made the primary again" in text
    assert [call.get("UNDO") for call in m.hooks.of("demote")] == [None, "1"]
    seen = list(busy.written)
    wait_until(lambda: busy.errors or all(a > b for a, b in zip(busy.written, seen)), 60, "everybody goes on")
    busy.stop()
    assert busy.errors == []
    assert m.primary().name == "node1"


def test_a_standby_that_cannot_catch_up_makes_it_come_back(managed):
    """The demote hook says that all is well, but the old primary does not come back as a standby."""
    m = managed(hook_timeout="3s")

    def half(facts):
        if facts.get("UNDO"):
            return m.supervisor.demote(facts)
        m.supervisor.node(facts["NODE"]).stop("fast")
        return "stopped, that is all"

    m.hooks.actions["demote"] = half
    worked, text = m.switch()
    assert not worked and "did not get the end of the old primary's log in time" in text
    assert m.primary().name == "node1" and m.r.value("primary", "insert into w values (1, 1) returning 1") == 1


def test_pinned_sessions_and_relays_are_closed_and_counted(managed):
    m = managed()
    with Wire(m.r.ports["primary"]) as pinned, Wire(m.r.ports["relay"]) as relay, Wire(m.r.ports["primary"]) as plain:
        for wire in (pinned, relay, plain):
            wire.login()
        pinned.query("create temp table mine (a int)")
        relay.query("select 1")
        plain.query("select 1")
        worked, text = m.switch()
        assert worked and "closed: 1 pinned sessions, 1 relays" in text
        assert pinned.is_closed() and relay.is_closed()
        assert kinds(plain.query("insert into w values (1, 1)")) == "CZ"


def test_what_cannot_be_done_is_refused_with_the_reason(managed):
    m = managed()
    m.cluster.nodes[2].stop("immediate")
    wait_until(lambda: "node=node3 from=up to=down" in m.r.log(), what="node3 is down")
    for words, wanted in (
        ("to node9", "there is no node node9"),
        ("to node1", "node1 is the one to be replaced"),
        ("to node3", "node3 cannot be asked"),
        ("to node2 cluster other", 'there is no cluster "other"'),
        ("node2", "SWITCHOVER takes [TO node] [CLUSTER name]"),
    ):
        worked, text = m.switch(words)
        assert not worked and wanted in text, (words, text)
    assert m.primary().name == "node1" and m.hooks.calls == []


def test_a_second_switchover_is_refused_while_one_is_under_way(managed):
    m = managed(drain_timeout="20s")
    with m.r.connect("primary", autocommit=False) as open_one:
        open_one.execute("insert into w values (1, 1)")
        result = []
        switch = threading.Thread(target=lambda: result.append(m.switch()))
        switch.start()
        wait_until(lambda: "event=switchover_begins" in m.r.log(), what="it has begun")
        worked, text = m.switch()
        assert not worked and "a failover or switchover is under way (draining)" in text
        open_one.commit()
        switch.join(30)
    assert result[0][0], result[0][1]


def test_without_its_own_failover_or_a_demote_hook_it_says_so(make, own_cluster):
    r = make(own_cluster, cluster_settings={"failover": "external"})
    assert "failover = external" in r.admin_table("switchover")["error"]["message"]
    r.sections["cluster main"]["failover"] = "builtin"
    r.reload()
    wait_until(lambda: "needs the demote hook" in r.admin_table("switchover")["error"]["message"], what="the reload is in force")


class Asked:
    """A SWITCHOVER by a client that can cancel it, as psql does on Ctrl-C."""

    def __init__(self, r):
        self.r = r
        self.wire = Wire(r.ports["primary"], timeout=60)
        self.wire.login(user=pg.SUPERUSER, password=pg.SUPERUSER_PASSWORD, database="rolecall")
        self.wire.send(query("switchover"))

    def cancel(self):
        """What it says then."""
        cancel(self.r.ports["primary"], self.wire.pid, self.wire.key)
        told = self.wire.until()
        assert kinds(told) == "EZ"
        return told[0].sqlstate, told[0].fields["M"]


def test_one_that_waits_for_transactions_is_called_off_by_ctrl_c(managed):
    m = managed(drain_timeout="60s")
    with m.r.connect("primary", autocommit=False) as open_one, m.r.connect("primary") as other:
        open_one.execute("insert into w values (1, 1)")
        asked = Asked(m.r)
        wait_until(lambda: "event=switchover_begins" in m.r.log(), what="it has begun")
        assert asked.cancel() == ("55000", "called off: whoever asked for it has canceled it")
        other.execute("insert into w values (2, 2)")  # is not held any more
        open_one.commit()
        assert asked.wire.query("show version")[-1].kind == "Z"
    assert m.primary().name == "node1" and m.hooks.of("demote") == []


def test_one_that_has_stopped_the_primary_goes_on_after_ctrl_c(managed):
    m = managed()
    may_go_on = threading.Event()

    def demote(facts):
        may_go_on.wait(30)
        return m.supervisor.demote(facts)

    m.hooks.actions["demote"] = demote
    asked = Asked(m.r)
    wait_until(lambda: m.hooks.of("demote"), what="the hook runs")
    sqlstate, text = asked.cancel()
    assert sqlstate == "57014" and "the switchover goes on" in text
    may_go_on.set()
    wait_until(lambda: m.primary().name != "node1", 30, "the other one is primary")
