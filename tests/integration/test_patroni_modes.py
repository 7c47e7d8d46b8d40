"""manager = patroni in Patroni's less common modes: synchronous replication, a standby cluster, switchovers on schedule, a
pause in which nobody fails over, members that come and go."""

import datetime
import threading
import time

import psycopg
import pytest

from lib import patroni
from lib.crowd import Crowd
from lib.processes import wait_until

pytestmark = [pytest.mark.proxy,
              pytest.mark.skipif(not patroni.available(), reason="patroni or etcd is not installed")]

LISTENERS = {
    "split": dict(route="split", pool="transaction"),
    "primary": dict(route="primary", pool="transaction"),
    "replica": dict(route="replica", pool="transaction"),
}


@pytest.fixture(scope="module")
def patronis():
    made = patroni.PatroniCluster()
    made.leader.sql("create table w (n bigserial primary key, who text); grant all on w to app; "
                    "grant all on sequence w_n_seq to app")
    yield made
    made.close()


@pytest.fixture
def r(make, patronis):
    patronis.settle()
    return make(patronis, LISTENERS, cluster_settings={"hold_timeout": "60s"})


def nodes(r):
    return {row["node"]: row for row in r.admin_table("show nodes")}


def roles(r):
    return {name: row["role"] for name, row in nodes(r).items()}


def primary_of(r):
    return next((name for name, role in roles(r).items() if role == "primary"), None)


def cluster_row(r):
    return r.admin_table("show clusters")[0]


# Synchronous replication.


@pytest.fixture
def synchronous(patronis):
    patronis.settle()
    patronis.edit(synchronous_mode=True)
    yield wait_until(lambda: standby_of(patronis), 20, "there is a synchronous standby")
    patronis.edit(synchronous_mode=False)
    wait_until(lambda: not standby_of(patronis), 20, "there is none any more")


def standby_of(patronis):
    return next((node for node in patronis.nodes if (node.rest()[1] or {}).get("sync_standby")), None)


def test_the_synchronous_standby_is_shown_and_the_only_one_that_a_switchover_may_go_to(r, patronis, synchronous):
    wait_until(lambda: "sync standby" in nodes(r)[synchronous.name]["reason"], 10, "it is shown")
    other = next(node for node in patronis.replicas if node is not synchronous)
    worked, text = r.switchover(f"to {other.name}")
    assert not worked and "Patroni refuses: candidate name does not match with sync_standby" in text, text
    with Crowd(r, patronis.leader) as crowd:
        worked, text = r.switchover()
        assert worked and text.startswith(f"{synchronous.name} is the primary"), text
    assert not any(crowd.errors.values()), crowd.errors
    crowd.check(synchronous)


def test_with_a_synchronous_standby_a_crash_loses_no_commit(r, patronis, synchronous):
    old = patronis.leader
    with Crowd(r, old) as crowd:
        old.kill()
        wait_until(lambda: primary_of(r) == synchronous.name, 40, "the synchronous standby is the primary")
    print(crowd.summary())
    crowd.check(synchronous)


# A standby cluster.


def test_a_standby_cluster_is_read_and_takes_writes_when_it_is_promoted(make, patronis):
    patronis.settle()
    standbys = patroni.PatroniCluster(nodes=2, source=patronis.leader)
    try:
        r = make(standbys, LISTENERS, ready=False, cluster_settings={"hold_timeout": "60s"})
        wait_until(lambda: roles(r) == {"db1": "replica", "db2": "replica"}, 20, "both are replicas")
        assert r.value("replica", "select count(*) >= 0 from w") is True
        wanted = "this is a standby cluster: its leader db1 follows another cluster"
        early = r.connect("split")  # greeted by a replica
        assert cluster_row(r)["reason"] == wanted
        assert "Patroni calls it the leader of a standby cluster" in nodes(r)["db1"]["reason"]
        worked, text = r.switchover()
        assert not worked and wanted in text
        done = []
        writer = threading.Thread(target=lambda: done.append(r.value("primary", "insert into w (who) values ('x') returning who")))
        writer.start()
        time.sleep(0.5)
        assert done == []  # held
        standbys.edit(standby_cluster=None)
        writer.join(40)
        assert done == ["x"] and primary_of(r) == "db1"
        early.execute("insert into w (who) values ('early')")
    finally:
        standbys.close()


def test_what_a_standby_cluster_cannot_do_is_refused_with_the_reason(make, patronis):
    patronis.settle()
    standbys = patroni.PatroniCluster(nodes=1, source=patronis.leader)
    try:
        r = make(standbys, LISTENERS, ready=False, cluster_settings={"hold_timeout": "300ms"})
        wait_until(lambda: roles(r) == {"db1": "replica"}, 20, "it is a replica")
        with r.connect("split") as connection:
            wait_until(lambda: reads(connection), 10, "it is read as soon as it is known what its functions do", 0.1)
            with pytest.raises(psycopg.OperationalError, match="standby cluster: its leader db1 follows another cluster") as refused:
                connection.execute("insert into w (who) values ('x')")
            assert refused.value.sqlstate == "57P03" and not connection.closed
    finally:
        standbys.close()


def reads(connection):
    try:
        return connection.execute("select count(*) >= 0 from w").fetchone()[0]
    except psycopg.errors.CannotConnectNow:
        return False


# Switchovers on schedule.


def schedule(patronis, seconds):
    old = patronis.leader
    candidate = patronis.replicas[0]
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    patronis.ctl("switchover", patroni.SCOPE, "--master", old.name, "--candidate", candidate.name, "--force",
                 "--scheduled", at.isoformat())
    return old, candidate


def texts(r, kind):
    return [row["text"] for row in r.events(kind)]


def test_a_scheduled_switchover_is_shown_and_followed(r, patronis):
    with Crowd(r, patronis.leader) as crowd:
        old, candidate = schedule(patronis, 4)
        wait_until(lambda: any(f"a switchover from {old.name} to {candidate.name} is scheduled for 20" in text
                               for text in texts(r, "switchover")), 10, "it is shown")
        wait_until(lambda: primary_of(r) == candidate.name, 30, "it is followed")
        wait_until(lambda: "no switchover is scheduled any more" in texts(r, "switchover"), 10, "that it is over is shown")
    print(crowd.summary())
    crowd.check(candidate)


def test_a_scheduled_switchover_that_is_taken_back_is_shown_and_nothing_happens(r, patronis):
    old, _ = schedule(patronis, 600)
    wait_until(lambda: any("is scheduled for" in text for text in texts(r, "switchover")), 10, "it is shown")
    patronis.ctl("flush", patroni.SCOPE, "switchover", "--force")
    wait_until(lambda: "no switchover is scheduled any more" in texts(r, "switchover"), 10, "that it is over is shown")
    assert primary_of(r) == old.name


# A pause.


def test_in_a_pause_nobody_takes_the_place_of_a_primary_that_is_gone(r, patronis):
    leader = patronis.leader
    patronis.pause()
    try:
        wait_until(lambda: "Patroni is paused: nobody will be promoted by it" in texts(r, "failover"), 10, "the pause is shown")
        leader.kill_postgres()
        wait_until(lambda: primary_of(r) is None, 10, "nobody is primary")
        assert r.value("replica", "select count(*) >= 0 from w") is True
        time.sleep(2 * patroni.TTL_S)  # when it would have been replaced
        assert primary_of(r) is None
    finally:
        patronis.resume()
    wait_until(lambda: primary_of(r) is not None, 30, "after the pause somebody is")
    assert "Patroni is at work again" in texts(r, "failover")


# Members that come and go.


def test_a_new_member_is_found_and_read_and_one_that_left_is_forgotten(make, patronis):
    patronis.settle()
    r = make(patronis, LISTENERS, cluster_settings={"manager_grace": "1s"})
    added = patronis.add_node()
    wait_until(lambda: roles(r).get(added.name) == "replica", 20, "it is found")
    wait_until(lambda: r.value("replica", "select whereami()") == added.port, 20, "it is read", 0.01)
    others = {node.port for node in patronis.replicas} - {added.port}
    with r.connect("replica") as connection:
        patronis.drop_node(added)
        wait_until(lambda: roles(r)[added.name] == "unknown", 10, "it is gone")
        assert {connection.execute("select whereami()").fetchone()[0] for _ in range(12)} <= others
    wait_until(lambda: added.name not in roles(r), 2 * patroni.TTL_S + 20, "it is forgotten")
    assert [row["text"] for row in r.events("node_removed")] == [f"{added.name} was taken out of the cluster"]
