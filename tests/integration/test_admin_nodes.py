"""The operator's word about nodes: DRAIN, DISABLE, ENABLE, SET WEIGHT, ACCEPT, FORGET, PROBE."""

import collections
import itertools
import threading
import time

import psycopg
import pytest

from lib.admin import SETTINGS, ask, ctl, one
from lib.admin import table as shown
from lib.doing import Doing
from lib.processes import wait_until

pytestmark = pytest.mark.proxy

LISTENERS = {
    "split": dict(route="split", pool="transaction"),
    "primary": dict(route="primary", pool="transaction"),
    "replica": dict(route="replica", pool="transaction"),
    "replica-none": dict(route="replica", pool="none"),
}


@pytest.fixture
def r(make, cluster):
    return make(cluster, LISTENERS, settings=SETTINGS, cluster_settings={"hold_timeout": "10s"})


def duty(r, node):
    return one(r, "show nodes", node=node)["duty"]


def answers(connection, n=40):
    return {connection.execute("select whereami()").fetchone()[0] for _ in range(n)}


def test_a_drained_replica_gets_no_new_work_and_ends_what_it_has(r, cluster):
    drained, other = cluster.replicas
    with r.connect("replica", autocommit=False) as begun, r.connect("replica-none") as relayed:
        ports = begun.execute("select whereami()").fetchone()[0], relayed.execute("select whereami()").fetchone()[0]
        names = {node.port: node.name for node in cluster.nodes}
        for port in set(ports):
            assert ask(r, f"drain {names[port]}") == "DRAIN\n\n"
        wait_until(lambda: {duty(r, names[port]) for port in ports} == {"drained"}, what="drained")
        row = one(r, "show nodes", node=names[ports[0]])
        assert (row["role"], row["condition"]) == ("replica", "up") and row["reason"].startswith("drained by the administrator; ")
        assert begun.execute("select whereami()").fetchone()[0] == ports[0]  # the transaction goes on
        assert relayed.execute("select whereami()").fetchone()[0] == ports[1]
        with r.connect("replica") as late:
            assert not answers(late) & set(ports)
        begun.commit()
        assert begun.execute("select whereami()").fetchone()[0] not in ports
        begun.commit()
        gone = lambda: not [s for s in shown(r, "show servers") if s["node"] in {names[p] for p in ports} and not s["relay"]]
        wait_until(gone, what="connections to what is drained are closed")
    for node in (drained, other):
        ask(r, f"enable {node.name}")
    wait_until(lambda: {duty(r, node.name) for node in (drained, other)} == {"enabled"}, what="enabled")
    r.wait_answer("replica", {drained.port})
    r.wait_answer("replica", {other.port})


def test_writes_wait_while_the_primary_is_drained(r, cluster, table):
    with r.connect("primary") as c, r.connect("primary", autocommit=False) as open_one:
        open_one.execute(f"insert into {table} values (1)")
        assert ask(r, "drain node1") == "DRAIN\n\n"
        wait_until(lambda: one(r, "show clusters")["primary"] is None, what="there is no primary for new work")
        assert one(r, "show clusters")["reason"] == "the primary, node node1, is drained by the administrator"
        open_one.execute(f"insert into {table} values (2)")
        open_one.commit()
        writer = Doing(lambda: c.execute(f"insert into {table} values (3)").rowcount)
        wait_until(lambda: [s for s in shown(r, "show sessions") if s["state"] == "held"], what="the write waits")
        assert writer.is_alive()
        assert ctl(r, "enable", "node1").stdout == "ENABLE\n"
        assert writer.end() == 1
        assert c.execute(f"select count(*) from {table}").fetchone()[0] == 3


def test_a_disabled_node_is_cut_off(r, cluster):
    with r.connect("replica-none") as c, r.connect("replica", autocommit=False) as t:
        relayed, pooled = c.execute("select whereami()").fetchone()[0], t.execute("select whereami()").fetchone()[0]
        names = {node.port: node.name for node in cluster.nodes}
        for port in {relayed, pooled}:
            assert ask(r, f"disable {names[port]}") == "DISABLE\n\n"
        wait_until(lambda: one(r, "show nodes", node=names[relayed])["condition"] == "down", what="it is down")
        with pytest.raises(psycopg.OperationalError):
            c.execute("select 1")
        with pytest.raises(psycopg.errors.SerializationFailure):
            t.execute("select 1")
        t.rollback()
        assert t.execute("select whereami()").fetchone()[0] not in (relayed, pooled)
    for name in names.values():
        ask(r, f"enable {name}")
    r.wait_answer("replica", {relayed})


def test_no_write_is_run_twice_when_the_primary_is_cut_off(r, cluster, table):
    """What a connection that is cut had not been sent is run on the next one, and there alone."""
    stop, said = threading.Event(), {}

    def write(client):
        with r.connect("primary") as connection:
            for n in itertools.count():
                if stop.is_set():
                    return
                try:
                    connection.execute(f"insert into {table} values (%s, %s)", (client, str(n)))
                    said[client, str(n)] = None
                except psycopg.Error as error:
                    said[client, str(n)] = error.sqlstate

    threads = [threading.Thread(target=write, args=(client,)) for client in range(24)]
    for thread in threads:
        thread.start()
    for _ in range(25):
        ask(r, "disable node1")
        ask(r, "enable node1")
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join(30)
    there = collections.Counter(cluster.primary.sql(f"select * from {table}"))
    assert set(said.values()) <= {None, "08007"}
    assert [write for write, count in there.items() if count > 1] == []
    assert [write for write, sqlstate in said.items() if sqlstate is None and write not in there] == []


def test_a_duty_and_a_weight_outlive_a_reload_until_the_weight_is_changed_there(r):
    assert ask(r, "set weight node2 0; drain node3; probe; probe node2") == "SET\n\nDRAIN\n\nPROBE\n\nPROBE\n\n"
    wait_until(lambda: one(r, "show nodes", node="node2")["weight"] == 0 and duty(r, "node3") == "drained", what="both")
    with r.connect("replica") as c:
        assert answers(c) == {r.cluster.primary.port}  # nobody else is left
    r.sections["cluster main"]["max_lag"] = "1GB"
    r.write_config()
    assert ask(r, "reload") == "RELOAD\n\n"
    assert (one(r, "show nodes", node="node2")["weight"], duty(r, "node3")) == (0, "drained")
    r.sections["node node2"]["weight"] = 42
    r.write_config()
    assert ask(r, "reload") == "RELOAD\n\n"
    wait_until(lambda: one(r, "show nodes", node="node2")["weight"] == 42, what="the file's weight is in force")
    assert duty(r, "node3") == "drained"


def test_what_cannot_be_ordered_is_refused_with_words(r):
    for command, words in {
        "drain node9": 'there is no node "node9"; SHOW NODES lists them',
        "drain": "DRAIN wants the name of a node",
        "disable node1 node2": "DISABLE wants the name of a node",
        "set weight node1": "SET WEIGHT wants the name of a node and a number up to 10000",
        "set weight node1 10001": "SET WEIGHT wants",
        "set weight node1 -1": "SET WEIGHT wants",
        "set weight node9 1": 'there is no node "node9"',
        "probe node9": 'there is no node "node9"',
        "accept": "ACCEPT wants the name of a node",
    }.items():
        assert words in ask(r, command), command
        assert ctl(r, *command.split()).returncode == 1
    assert {row["duty"] for row in shown(r, "show nodes")} == {"enabled"}


def test_a_promotion_by_mistake_is_forgotten(make, own_cluster):
    r = make(own_cluster, {"main": dict(route="primary", pool="transaction")}, settings=SETTINGS)
    stray = own_cluster.replicas[1]
    stray.promote()
    wait_until(lambda: one(r, "show clusters")["primary"] == "node3", 10, "the newer timeline is believed")
    stray.kill()
    wait_until(lambda: one(r, "show clusters")["primary"] is None, 10, "nobody is primary")
    assert ask(r, "forget node3") == "FORGET\n\n"
    wait_until(lambda: one(r, "show clusters")["primary"] == "node1", 10, "the old primary is it again")
    assert "event=node_forgotten" in r.log()
    assert ask(r, "accept node1") == "ACCEPT\n\n"
    assert "event=node_accepted" in r.log()
