"""pg_auto_failover behind rolecall: Debian's 2.0, a monitor and three nodes, and what its clients see of everything that
its monitor does (DESIGN.md sections 6 and 7)."""

import os
import threading
import time

import psycopg
import pytest

from lib import readme
from lib.autofailover import Formation
from lib.certificates import Authority
from lib.crowd import Crowd
from lib.processes import wait_until
from lib.rolecall import Rolecall

pytestmark = pytest.mark.proxy

LISTENERS = {
    "split": dict(route="split", pool="transaction"),
    "primary": dict(route="primary", pool="transaction"),
    "replica": dict(route="replica", pool="transaction"),
}


@pytest.fixture(scope="module")
def whole():
    made = Formation()
    yield made
    made.close()


@pytest.fixture(scope="module")
def r(whole):
    with Rolecall(whole, LISTENERS, cluster_settings={"probe_timeout": "500ms", "observation_ttl": "1500ms"}) as made:
        yield made


@pytest.fixture
def formation(whole, r):
    """Whole at the beginning of each test, and known to rolecall as it is."""
    whole.settle()
    wait_until(lambda: roles(r) == wanted_roles(whole), 20, "rolecall sees the formation as it is")
    return whole


def roles(r):
    return {row["node"]: row["role"] for row in r.admin_table("show nodes")}


def row_of(r, node):
    return next(row for row in r.admin_table("show nodes") if row["node"] == node.name)


def wanted_roles(formation):
    primary = formation.primary
    return {node.name: "primary" if node is primary else "replica" for node in formation.nodes}


def where(connection):
    return connection.execute("select whereami()").fetchone()[0]


def test_the_nodes_are_found_and_called_as_the_monitor_calls_them(formation, r):
    rows = r.admin_table("show nodes")
    assert {(row["node"], row["port"]) for row in rows} == {(node.name, node.port) for node in formation.nodes}
    assert r.value("primary", "select whereami()") == formation.primary.port
    wait_until(lambda: r.value("replica", "select whereami()") in {node.port for node in formation.replicas}, 10,
               "replicas have shown how far behind they are")


def test_a_user_with_a_password_and_a_view_alone_follows_a_promotion(formation, r):
    """As README.md makes it."""
    monitor = formation.monitor
    for statement in readme.sql("CREATE VIEW rolecall.node"):
        monitor.sql(statement)
    monitor.admit("host pg_auto_failover rolecall 127.0.0.1/32 scram-sha-256")
    keys = {"monitor_user": "rolecall", "monitor_password": readme.PASSWORD, "monitor_nodes": "rolecall.node"}
    with Rolecall(formation, LISTENERS, cluster_settings=keys) as other:
        with psycopg.connect(monitor.dsn(user="rolecall", password=readme.PASSWORD), autocommit=True) as connection:
            for forbidden in ("select * from pgautofailover.node", "select pgautofailover.perform_failover()"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(forbidden)
        wait_until(lambda: roles(other) == wanted_roles(formation), 10, "it sees the formation")
        successor = formation.replicas[-1]
        held = other.connect("primary")
        assert where(held) == formation.primary.port
        formation.switchover(successor)
        wait_until(lambda: where(held) == successor.port, 30, "the promotion is followed")
        held.close()


def test_a_switchover_is_seen_by_open_transactions_alone(formation, r):
    before = formation.primary
    with Crowd(r, before) as crowd:
        formation.switchover()
        wait_until(lambda: formation.monitor.rows()[before.name][0] == "secondary", 60, "it is done")
    print(crowd.summary())
    formation.settle()
    assert formation.primary is not before
    crowd.check(formation.primary)


def test_work_may_go_on_until_the_old_primary_stops(formation, r):
    """monitor_draining = serve: beside one that holds it answers longer, and what it acknowledged is there."""
    before, last = formation.primary, {}
    with Rolecall(formation, LISTENERS, cluster_settings={"monitor_draining": "serve"}) as serving, Crowd(serving, before) as crowd:
        wait_until(lambda: roles(serving) == wanted_roles(formation), 20, "it sees the formation")

        def write(name, endpoint):
            with endpoint.connect("primary") as c:
                while where(c) == before.port:
                    last[name] = time.monotonic()

        writers = [threading.Thread(target=write, args=each, daemon=True) for each in {"held": r, "served": serving}.items()]
        for writer in writers:
            writer.start()
        wait_until(lambda: len(last) == 2, 10, "both answer")
        formation.switchover()
        for writer in writers:
            writer.join(60)
            assert not writer.is_alive(), "the new primary is reached"
        crowd.wait_for(10)
    print(crowd.summary())
    formation.settle()
    assert last["served"] - last["held"] > 0.02, last
    crowd.check(formation.primary)


def test_a_crash_of_the_primarys_machine(formation, r):
    """pg_autoctl and PostgreSQL killed at once: another takes over, what was acknowledged is there."""
    victim = formation.primary
    with Crowd(r, victim) as crowd:
        victim.kill()
        wait_until(lambda: roles(r).get(victim.name) == "unknown", 5, "its end is noticed")
        wait_until(lambda: "primary" in roles(r).values(), 60, "another is found")
        crowd.wait_for(10)
        victim.start()  # the old one comes back in the middle of it
        formation.settle()
    print(crowd.summary())
    assert formation.primary is not victim
    crowd.check(formation.primary)


def test_a_postmaster_that_is_killed_is_started_again_by_its_keeper(formation, r):
    victim = formation.primary
    with Crowd(r, victim) as crowd:
        victim.kill_postmaster()
    print(crowd.summary())
    formation.settle()
    crowd.check(formation.primary)


def test_a_weight_is_told_of_a_node_that_the_monitor_lists(formation, r):
    """No [node] section has one."""
    standby = formation.replicas[0]
    before = row_of(r, standby)["weight"]
    for weight in (0, 7, before):
        assert "error" not in r.admin_table(f"set weight {standby.name} {weight}")
        wait_until(lambda: row_of(r, standby)["weight"] == weight, 5, "it is known")


def test_a_standby_in_maintenance_is_not_read(formation, r):
    standby = formation.replicas[0]
    others = {node.port for node in formation.nodes if node is not standby}
    standby.maintain()
    try:
        wait_until(lambda: row_of(r, standby)["weight"] == 0, 10, "rolecall knows")
        assert standby.answers()
        with r.connect("replica") as connection, r.connect("split") as split:
            assert {where(connection) for _ in range(30)} | {where(split) for _ in range(30)} <= others
    finally:
        standby.maintain(False)
    formation.settle()
    wait_until(lambda: r.value("replica", "select whereami()") == standby.port, 20, "it is read again", 0.01)


def test_maintenance_of_the_primary_moves_the_writes(formation, r):
    before = formation.primary
    with Crowd(r, before) as crowd:
        before.maintain()
        wait_until(lambda: "primary" in [role for name, role in roles(r).items() if name != before.name], 30,
                   "another is found")
        crowd.wait_for(10)
        before.maintain(False)
        formation.settle()
    print(crowd.summary())
    crowd.check(formation.primary)


def test_nothing_happens_while_the_monitor_is_down(formation, r):
    """Longer than manager_grace: the primary stays, since without the monitor there can be no other."""
    before = formation.primary
    r.sections["cluster main"]["manager_grace"] = "2s"
    r.reload()
    with Crowd(r, before) as crowd:
        formation.monitor.stop()
        wait_until(lambda: "event=monitor_silent" in r.log(), 20, "its silence is noticed")
        crowd.wait_for(10)
        assert r.value("primary", "select whereami()") == before.port
        formation.monitor.start()
        wait_until(lambda: "event=monitor_found" in r.log(), 20, "it is found again")
        crowd.wait_for(10)
    formation.settle()
    assert formation.primary is before
    assert crowd.states("write") == crowd.states("transaction") == []
    crowd.check(before)
    r.sections["cluster main"]["manager_grace"] = None
    r.reload()
    formation.switchover()  # and the monitor is followed again
    wait_until(lambda: roles(r).get(before.name) == "replica", 30, "the switchover is followed")


def test_rolecall_started_while_the_monitor_is_down_believes_postgresql(formation, r):
    """From [node] sections, since nobody lists the nodes."""
    formation.monitor.stop()
    try:
        sections = {f"node {node.name}": {"host": "127.0.0.1", "port": node.port} for node in formation.nodes}
        other = Rolecall(formation, LISTENERS, cluster_settings={"manager_grace": "2s"}, start=False)
        other.sections.update(sections)
        other.write_config()
        other.start(ready=False)
        with other:
            other.wait_answer("primary", timeout=20)
            where_to = other.value("primary", "select whereami()")
    finally:
        formation.monitor.start()
    assert where_to == formation.primary.port


def test_nodes_come_and_go_while_it_runs(formation, r):
    added = formation.add_node()
    wait_until(lambda: roles(r).get(added.name) == "replica", 20, "the new node is a replica")
    with session_at(r, added.port) as connection:
        formation.drop_node(added)  # under a session that reads there
        wait_until(lambda: added.name not in roles(r), 20, "it is gone")
        assert where(connection) in {node.port for node in formation.nodes}
    assert r.value("primary", "select whereami()") == formation.primary.port


def session_at(r, port):
    """A session that reads on the replica with this port."""
    def reads_there():
        connection = r.connect("replica")
        if where(connection) == port:
            return connection
        return connection.close()

    return wait_until(reads_there, 20, f"a session reads on port {port}", 0.01)


def test_a_frozen_primary_is_replaced_and_gets_no_write_when_it_thaws(formation, r):
    victim = formation.primary
    with Crowd(r, victim) as crowd:
        victim.freeze()
        try:
            wait_until(lambda: "primary" in [role for name, role in roles(r).items() if name != victim.name], 60,
                       "another is found")
            crowd.wait_for(10)
        finally:
            victim.thaw()
        formation.settle()
    print(crowd.summary())
    assert formation.primary is not victim
    crowd.check(formation.primary)


def test_the_monitor_is_followed_and_told_over_tls_that_verifies_it(directory):
    authority = Authority(os.path.join(directory, "ours"))
    other = Authority(os.path.join(directory, "theirs"))
    secure = Formation(nodes=2, authority=authority)
    try:
        tls = {"tls": "verify-full", "tls_ca_file": authority.ca}
        with Rolecall(secure, LISTENERS, cluster_settings=tls) as r:
            wait_until(lambda: roles(r) == wanted_roles(secure), 20, "it sees the formation")
            listening = ("select s.ssl from pg_stat_activity a join pg_stat_ssl s using (pid) "
                         "where a.application_name = 'rolecall' and a.datname = 'pg_auto_failover'")
            assert secure.monitor.sql(listening) == [(True,)]
            successor = secure.replicas[0]
            worked, text = r.switchover(f"to {successor.name}")
            assert worked and text.startswith(f"{successor.name} is the primary"), text
            assert r.value("primary", "select whereami()") == successor.port
        with Rolecall(secure, LISTENERS, cluster_settings={**tls, "tls_ca_file": other.ca}, ready=False) as distrusting:
            wait_until(lambda: "event=monitor_lost" in distrusting.log(), 10, "its certificate is refused")
            assert "certificate verify failed" in distrusting.log() and roles(distrusting) == {}
        with Rolecall(secure, LISTENERS, cluster_settings={**tls, "monitor_host": "127.0.0.2"}, ready=False) as mistaken:
            wait_until(lambda: "event=monitor_lost" in mistaken.log(), 10, "it is not whom the certificate names")
            assert "does not match host name" in mistaken.log() and roles(mistaken) == {}
    finally:
        secure.close()
