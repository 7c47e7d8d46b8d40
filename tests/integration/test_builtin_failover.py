"""Failover of rolecall's own (failover = builtin): when a replica is promoted, which one, and when not."""

import os
import signal
import subprocess
import time

import pytest

from lib.cluster import Cluster
from lib.hooks import Hooks
from lib.processes import free_port, wait_until
from lib.supervisor import Supervisor

pytestmark = pytest.mark.proxy

SETTINGS = {"failover": "builtin", "failover_after": "500ms", "hold_timeout": "60s", "probe_timeout": "500ms"}
SYNCHRONOUS = "synchronous_standby_names = 'ANY 1 (node1, node2, node3)'\nwal_receiver_timeout = 4s\n"


@pytest.fixture
def synchronous():
    made = Cluster(replicas=2)
    for node in made.nodes:
        node.configure(SYNCHRONOUS)
        node.sql("select pg_reload_conf()")
    made.primary.sql("create table w (a int); grant all on w to app")
    made.catch_up()
    yield made
    made.close()


@pytest.fixture
def asynchronous(own_cluster):
    own_cluster.primary.sql("create table w (a int); grant all on w to app")
    own_cluster.catch_up()
    return own_cluster


@pytest.fixture
def hooked(synchronous):
    hooks = Hooks(synchronous.directory)
    yield hooks
    hooks.close()


def insert(r, value):
    return r.value("primary", "insert into w values (%s) returning whereami()", [value])


def follows(replica, primary):
    return primary.value("select count(*) from pg_stat_replication where application_name = %s and state = 'streaming'",
                         [replica.name]) == 1


def wait_event(r, name, **more):
    wait_until(lambda: f"event={name}" in r.log(), 30, f"event {name}", **more)


def test_a_replica_takes_over_from_a_primary_that_was_killed_and_the_other_follows_it(make, synchronous):
    first, second, third = synchronous.nodes
    r = make(synchronous, cluster_settings=SETTINGS)
    with r.connect("primary") as client:
        client.execute("insert into w values (1)")
        began = time.monotonic()
        first.kill()
        port = insert(r, 2)
        print(f"writes were interrupted for {time.monotonic() - began:.2f} s, failover_after included")
        assert port in (second.port, third.port)
        new, other = synchronous.node_at(port), third if port == second.port else second
        assert client.execute("select count(*) from w").fetchone()[0] == 2
        assert new.value("select count(*) from w") == 2
    wait_until(lambda: follows(other, new), 30, "the other replica follows the new primary")
    assert new.value("select count(*) from pg_replication_slots where slot_name = %s and active", [other.name]) == 1
    assert "event=repointed" in r.log()


def test_the_replica_with_the_most_is_promoted(make, synchronous):
    first, second, third = synchronous.nodes
    r = make(synchronous, cluster_settings=SETTINGS)
    second.freeze()
    wait_until(lambda: "node=node2 from=up to=down" in r.log() or "node=node2 from=suspect to=down" in r.log(), 20,
               "node2 is down")
    # more than what the sockets' buffers hold for it, which it finds there when it thaws
    first.sql("create table filler as select repeat(md5(i::text), 40) from generate_series(1, 40000) i")
    insert(r, 1)
    first.kill()
    second.thaw()
    assert insert(r, 100) == third.port
    assert third.value("select count(*) from w") == 2


def test_without_enough_of_the_standbys_nobody_is_promoted_until_they_are_back(make, synchronous):
    """One of two may have acknowledged what the other lacks."""
    first, second, third = synchronous.nodes
    r = make(synchronous, cluster_settings=SETTINGS)
    third.stop("immediate")
    insert(r, 1)
    first.kill()
    wait_event(r, "failover_refused")
    assert "only 1 can be asked" in r.log()
    time.sleep(1.5)
    assert "event=promoting" not in r.log() and second.value("select pg_is_in_recovery()")
    third.start()
    assert insert(r, 2) in (second.port, third.port)


def test_an_asynchronous_primary_is_not_replaced_unless_loss_is_allowed(make, asynchronous):
    first, second, third = asynchronous.nodes
    r = make(asynchronous, cluster_settings=SETTINGS)
    wait_event(r, "failover_not_safe")
    first.kill()
    wait_event(r, "failover_refused")
    assert "its commits waited for no standby" in r.log()
    r.sections["cluster main"]["data_loss"] = "allow"
    r.reload()
    assert insert(r, 1) in (second.port, third.port)
    assert "commits may be lost" in r.log()


def test_a_new_primary_that_dies_before_it_was_looked_at_again_is_replaced_too(make, asynchronous):
    first, second, third = asynchronous.nodes
    r = make(asynchronous, cluster_settings={**SETTINGS, "data_loss": "allow", "probe_interval": "5s", "observation_ttl": "8s"})
    insert(r, 1)
    first.kill()
    new = asynchronous.node_at(insert(r, 2))
    last = third if new is second else second
    wait_until(lambda: follows(last, new), 30, "the other replica follows the new primary")
    wait_until(lambda: last.value("select count(*) from w") == new.value("select count(*) from w"), 30, "and has it all")
    new.kill()
    assert insert(r, 3) == last.port


def test_a_primary_that_comes_back_in_time_keeps_its_role(make, synchronous):
    first, _, _ = synchronous.nodes
    r = make(synchronous, cluster_settings={**SETTINGS, "failover_after": "20s"})
    insert(r, 1)
    first.stop("fast")
    wait_until(lambda: "event=no_primary" in r.log().split("event=primary_found")[-1], what="the loss is noticed")
    first.start()
    assert insert(r, 2) == first.port
    assert "event=failover_ends" in r.log() and "event=promoting" not in r.log()


def test_hooks_run_in_order_and_are_told_whom_it_is_about(make, synchronous, hooked):
    first, second, third = synchronous.nodes
    supervisor = Supervisor(synchronous)
    hooked.actions["before_promote"] = supervisor.fence
    r = make(synchronous, cluster_settings={
        **SETTINGS, **hooked.settings("on_primary_down", "before_promote", "after_promote", "rejoin")})
    first.kill()
    port = insert(r, 1)
    wait_until(lambda: hooked.of("after_promote"), 20, "after_promote")
    assert hooked.names() == ["on_primary_down", "before_promote", "after_promote"]
    fence, after = hooked.calls[1:]
    assert (fence["NODE"], fence["OLD_PRIMARY"], fence["OLD_PRIMARY_PORT"]) == ("node1", "node1", str(first.port))
    assert fence["TARGET"] in ("node2", "node3") and "PRIMARY" not in fence
    assert (after["PRIMARY_PORT"], after["OLD_PRIMARY"], after["ROLE"]) == (str(port), "node1", "primary")


def test_a_fence_that_fails_stops_the_promotion_until_a_reload(make, synchronous, hooked):
    first, second, third = synchronous.nodes

    def fail(facts):
        raise RuntimeError("no answer from the power switch")

    hooked.actions["before_promote"] = fail
    r = make(synchronous, cluster_settings={**SETTINGS, **hooked.settings("before_promote")})
    first.kill()
    wait_event(r, "failover_stopped")
    assert "no answer from the power switch" in r.log()
    time.sleep(1.5)
    assert len(hooked.of("before_promote")) == 1
    assert second.value("select pg_is_in_recovery()") and third.value("select pg_is_in_recovery()")
    hooked.actions["before_promote"] = lambda facts: "fenced"
    r.reload()
    assert insert(r, 1) in (second.port, third.port)


def lose_slot(node, name, primary):
    """A slot of an earlier reign of this node, whose log is gone."""
    for setting, value in (("wal_keep_size", "0"), ("max_slot_wal_keep_size", "1MB"), ("min_wal_size", "32MB"), ("max_wal_size", "32MB")):
        node.set(setting, value)
    node.sql("select pg_create_physical_replication_slot(%s, true)", [name])

    def lost():
        for _ in range(3):
            primary.sql("select pg_logical_emit_message(true, 'test', '')")
            primary.sql("select pg_switch_wal()")
        primary.sql("checkpoint")
        node.sql("checkpoint")
        return node.value("select wal_status from pg_replication_slots where slot_name = %s", [name]) == "lost"

    wait_until(lost, 60, f"the slot {name} of {node.name} is lost", 0.2)


def test_a_slot_of_an_earlier_reign_that_has_lost_its_log_is_made_anew(make, synchronous):
    first, second, third = synchronous.nodes
    lose_slot(second, "node3", first)
    lose_slot(third, "node2", first)
    synchronous.catch_up()
    r = make(synchronous, cluster_settings=SETTINGS)
    insert(r, 1)
    first.kill()
    new = synchronous.node_at(insert(r, 2))
    other = third if new is second else second
    wait_until(lambda: follows(other, new), 30, "the other replica follows the new primary")
    assert new.value("select active from pg_replication_slots where slot_name = %s", [other.name])


GRANTS = """
create role rolecall login replication password 'rolecall-secret' in role pg_monitor;
grant execute on function pg_promote(boolean, integer), pg_reload_conf() to rolecall;
grant alter system on parameter primary_conninfo to rolecall;
"""


def test_the_rights_that_the_readme_names_are_enough(make, synchronous):
    first, second, third = synchronous.nodes
    for statement in filter(str.strip, GRANTS.split(";")):
        first.sql(statement)
    synchronous.catch_up()
    r = make(synchronous, cluster_settings={**SETTINGS, "probe_user": "rolecall", "probe_password": "rolecall-secret",
                                            "auth_user": "postgres", "auth_password": "super-secret"})
    insert(r, 1)
    first.kill()
    new = synchronous.node_at(insert(r, 2))
    other = third if new is second else second
    wait_until(lambda: follows(other, new), 30, "the other replica follows the new primary")
    assert "event=repoint_failed" not in r.log() and "event=probe_lacks_rights" not in r.log()


def test_an_old_primary_is_rewound_by_a_hook_and_follows_the_new_one(make, synchronous, hooked):
    """It has written what nobody else has: that is gone afterwards, and all the rest is there. The hook fails at first."""
    first, second, third = synchronous.nodes
    rejoin = Supervisor(synchronous).rejoin

    def fail_once(facts):
        assert facts["ATTEMPT"] != "1", "not yet"
        return rejoin(facts)

    hooked.actions["rejoin"] = fail_once
    r = make(synchronous, cluster_settings={**SETTINGS, **hooked.settings("rejoin")})
    insert(r, 1)
    first.kill()
    port = insert(r, 2)
    new = synchronous.node_at(port)
    first.configure("synchronous_standby_names = ''")
    first.start()
    wait_until(lambda: hooked.of("rejoin"), 20, "the hook")
    wait_until(lambda: follows(first, new), 60, "the old primary follows the new one")
    assert [(facts["NODE"], facts["ATTEMPT"]) for facts in hooked.of("rejoin")] == [("node1", "1"), ("node1", "2")]
    wait_until(lambda: "rejoined: start PostgreSQL" in r.log(), 20, "the hook has ended, and its output is in the log")
    insert(r, 3)
    wait_until(lambda: first.value("select array_agg(a order by a) from w") == [1, 2, 3], what="it has everything")
    assert first.value("show port") == str(first.port), "its own configuration was kept"
    wait_until(lambda: {row["node"]: row["role"] for row in r.admin_table("show nodes")}["node1"] == "replica", 20,
               "it is a replica again")


class Wire:
    """A way to a node that can be cut, for rolecall alone."""

    def __init__(self, port):
        self.port = free_port()
        self.process = subprocess.Popen(["socat", f"TCP-LISTEN:{self.port},bind=127.0.0.1,fork,reuseaddr",
                                         f"TCP:127.0.0.1:{port}"], start_new_session=True)

    def cut(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def wire(synchronous):
    made = Wire(synchronous.primary.port)
    yield made
    made.cut()


def test_a_primary_that_only_rolecall_cannot_reach_is_not_replaced(make, synchronous, wire):
    first, second, third = synchronous.nodes
    r = make(synchronous, cluster_settings=SETTINGS, nodes={first.name: {"port": wire.port}})
    insert(r, 1)
    wire.cut()
    wait_event(r, "failover_waits")
    assert "hears from its primary" in r.log()
    time.sleep(3)
    assert "event=failover_begins" not in r.log()
    assert not first.value("select pg_is_in_recovery()") and second.value("select pg_is_in_recovery()")


def test_a_frozen_primary_is_replaced_when_nobody_hears_from_it_and_never_written_again(make, synchronous):
    first, second, third = synchronous.nodes
    r = make(synchronous, cluster_settings={**SETTINGS, "observation_ttl": "2s", "down_after": "2"})
    insert(r, 1)
    first.freeze()
    port = None

    def written():
        nonlocal port
        try:
            port = insert(r, 2)
        except Exception as error:  # noqa: BLE001 - sent before anybody could know: 08007
            assert getattr(error, "sqlstate", None) == "08007", error
        return port

    wait_until(written, 60, "a write goes through")
    assert port in (second.port, third.port)
    first.thaw()
    wait_until(lambda: "an old primary" in r.log(), 20, "the old primary is seen")
    for i in range(20):
        assert insert(r, i) == port
