"""manager = patroni before Debian's own Patroni and etcd: discovery, switchovers, crashes, and a manager that is gone.

One cluster for the module; each test begins and ends with it whole. The timeouts of the cluster are in lib/patroni.py.
"""

import os
import threading
import time

import psycopg
import pytest

from lib import patroni
from lib.certificates import Authority
from lib.processes import wait_until

pytestmark = [pytest.mark.proxy,
              pytest.mark.skipif(not patroni.available(), reason="patroni or etcd is not installed")]

LISTENERS = {
    "split": dict(route="split", pool="transaction"),
    "primary": dict(route="primary", pool="transaction"),
    "session": dict(route="primary", pool="session"),
    "replica": dict(route="replica", pool="transaction"),
}


@pytest.fixture(scope="module")
def patronis():
    made = patroni.PatroniCluster()
    made.leader.sql("create table w (n bigserial primary key, who text, at int default current_setting('port')::int, "
                    "ts timestamptz default clock_timestamp())")
    made.leader.sql("grant all on w to app; grant all on sequence w_n_seq to app")
    yield made
    made.close()


@pytest.fixture
def r(make, patronis):
    patronis.settle()
    r = make(patronis, LISTENERS, cluster_settings={"hold_timeout": "60s"})
    yield r
    r.must_live()


def nodes(r):
    return {row["node"]: row for row in r.admin_table("show nodes")}


def roles(r):
    return {name: row["role"] for name, row in nodes(r).items()}


def primary_of(r):
    return next((name for name, role in roles(r).items() if role == "primary"), None)


class Client(threading.Thread):
    """Runs one step over and over on one connection, and keeps what went wrong and how long it took."""

    def __init__(self, connection, step):
        super().__init__(daemon=True)
        self.connection, self.step = connection, step
        self.done, self.errors, self.longest = 0, [], 0.0
        self.stopping = False
        self.start()

    def run(self):
        while not self.stopping:
            began = time.monotonic()
            try:
                self.step(self.connection)
                self.done += 1
            except psycopg.Error as error:
                self.errors.append(error)
                if self.connection.closed:
                    return
                self.connection.rollback()
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.01)

    def sqlstates(self):
        return [error.sqlstate for error in self.errors]

    def end(self):
        self.stopping = True
        self.join(70)
        assert not self.is_alive(), "still waiting"
        return self


def write(connection):
    connection.execute("insert into w (who) values ('auto')")


def read(connection):
    connection.execute("select count(*) from w")


def transaction(connection):
    with connection.transaction():
        connection.execute("insert into w (who) values ('tx')")
        time.sleep(0.05)
        connection.execute("insert into w (who) values ('tx')")


def crowd(r):
    """Writers, readers and transactions on every kind of listener."""
    writers = [Client(r.connect(name), write) for name in ("split", "primary", "session") for _ in range(2)]
    readers = [Client(r.connect(name), read) for name in ("split", "replica") for _ in range(2)]
    transactions = [Client(r.connect("split"), transaction) for _ in range(2)]
    return writers, readers, transactions


def assert_unhurt(writers, readers, transactions):
    """What DESIGN.md section 7 promises when somebody else moves the primary. Returns the longest wait of a write."""
    for client in writers + readers + transactions:
        client.end()
        assert client.done > 0 and not client.connection.closed
    assert [c.sqlstates() for c in readers] == [[]] * len(readers)
    states = [s for c in writers for s in c.sqlstates()]
    assert set(states) <= {"08007"}, states  # the one thing that cannot be known
    states = [s for c in transactions for s in c.sqlstates()]
    assert set(states) <= {"40001", "08007"}, states
    return max(c.longest for c in writers)


def test_members_are_found_without_a_node_section(r, patronis):
    leader = patronis.leader
    assert roles(r) == {n.name: "primary" if n is leader else "replica" for n in patronis.nodes}
    assert r.value("primary", "select whereami()") == leader.port
    assert r.value("replica", "select whereami()") in {n.port for n in patronis.replicas}
    assert "Patroni calls it a replica" in nodes(r)[patronis.replicas[0].name]["reason"]


def test_one_seed_is_enough_and_a_section_keeps_its_name_and_weight(make, patronis):
    patronis.settle()
    seed, other = patronis.nodes[0], patronis.nodes[1]
    r = make(patronis, LISTENERS, start=False, cluster_settings={"patroni_urls": f"http://127.0.0.1:1, {seed.url}"})
    r.sections["node mine"] = {"host": "127.0.0.1", "port": other.port, "weight": 7}
    r.write_config()
    r.start()
    wait_until(lambda: set(nodes(r)) == {"db1", "mine", "db3"}, 10, "the members are listed")
    assert str(nodes(r)["mine"]["weight"]) == "7"


def test_a_switchover_by_patronictl_hurts_no_idle_session_no_read_and_no_autocommit_write(r, patronis):
    idle = [r.connect(name) for name in LISTENERS]
    for c in idle:
        c.execute("select 1")
    clients = crowd(r)
    time.sleep(0.5)
    new = patronis.switchover()
    wait_until(lambda: primary_of(r) == new.name, 10, "rolecall follows")
    time.sleep(1)
    longest = assert_unhurt(*clients)
    assert longest < 10, longest
    for c in idle:
        assert c.execute("select 1").fetchone() == (1,)
    assert r.value("primary", "insert into w (who) values ('x') returning at") == new.port


def test_a_leader_that_crashes_is_followed_to_its_successor(r, patronis):
    old = patronis.leader
    idle = r.connect("split")
    idle.execute("select 1")
    clients = crowd(r)
    time.sleep(0.5)
    old.kill()
    new = patronis.leader
    assert new is not old
    wait_until(lambda: primary_of(r) == new.name, 10, "rolecall follows")
    time.sleep(0.5)
    assert_unhurt(*clients)
    assert idle.execute("insert into w (who) values ('x') returning at").fetchone() == (new.port,)


def test_a_primary_whose_patroni_was_killed_gets_no_write_once_it_may_have_a_successor(r, patronis):
    """Two nodes take writes for a while: SQL cannot tell, only the manager's silence can."""
    old = patronis.leader
    clients = [Client(r.connect("primary"), write) for _ in range(3)]
    time.sleep(0.3)
    old.kill_patroni()
    wait_until(lambda: primary_of(r) != old.name, 10, "manager_grace is over")
    cut = time.time()
    new = wait_until(lambda: next((n for n in patronis.nodes if n is not old and n.holds_lock() and n.takes_writes()), None),
                     30, "a successor")
    assert old.takes_writes(), "the old primary must still take writes, or this test shows nothing"
    wait_until(lambda: primary_of(r) == new.name, 10, "rolecall follows")
    time.sleep(0.5)
    for client in clients:
        client.end()
        assert set(client.sqlstates()) <= {"08007"} and not client.connection.closed
    newest = old.value("select max(extract(epoch from ts))::float from w where at = %s", [old.port])
    first = new.value("select min(extract(epoch from ts))::float from w where at = %s and ts > to_timestamp(%s)",
                      [new.port, newest])
    assert newest <= cut + 0.25  # what was on its way when the verdict came
    assert first >= cut


def test_a_frozen_leader_is_given_up_and_returns_as_a_replica(r, patronis):
    old = patronis.leader
    clients = crowd(r)
    time.sleep(0.3)
    old.freeze()
    try:
        wait_until(lambda: primary_of(r) != old.name, 20, "the frozen node is given up")
    finally:
        old.thaw()
    wait_until(lambda: primary_of(r) is not None, 40, "somebody is primary")
    time.sleep(0.5)
    writers, readers, transactions = clients
    for client in writers + readers + transactions:
        client.end()
        assert not client.connection.closed
        assert set(client.sqlstates()) <= {"08007", "40001"}, client.sqlstates()


def test_a_postmaster_that_is_restarted_in_place_is_the_primary_again(r, patronis):
    """The lock is held all the time: SQL alone says that nobody takes writes."""
    leader = patronis.leader
    clients = crowd(r)
    time.sleep(0.3)
    leader.kill_postgres()
    wait_until(lambda: primary_of(r) is None, 10, "nobody is primary")
    new = wait_until(lambda: primary_of(r), 40, "somebody is primary again")
    time.sleep(0.5)
    writers, readers, transactions = clients
    for client in writers + readers + transactions:
        client.end()
        assert not client.connection.closed
        assert set(client.sqlstates()) <= {"08007", "40001"}, client.sqlstates()
    assert r.value("primary", "insert into w (who) values ('x') returning at") == patronis.node_named(new).port


def test_without_etcd_patroni_demotes_and_writes_wait(r, patronis):
    leader = patronis.leader
    writer = Client(r.connect("primary"), write)
    reader = Client(r.connect("replica"), read)
    time.sleep(0.3)
    patronis.etcd.kill()
    wait_until(lambda: primary_of(r) is None, 30, "nobody is primary")
    assert r.value("replica", "select count(*) >= 0 from w") is True
    patronis.etcd.start()
    wait_until(lambda: primary_of(r) is not None, 40, "somebody is primary again")
    time.sleep(0.3)
    writer.end()
    reader.end()
    assert set(writer.sqlstates()) <= {"08007"} and reader.sqlstates() == []
    assert leader.name in roles(r)


def test_in_failsafe_mode_the_loss_of_etcd_stops_no_write(r, patronis):
    patronis.edit(failsafe_mode=True)
    try:
        wait_until(lambda: all(node.rest("/failsafe")[0] == 200 for node in patronis.nodes), 20, "failsafe mode is on, as all know")
        leader = patronis.leader
        writer = Client(r.connect("primary"), write)
        patronis.etcd.kill()
        wait_until(lambda: (leader.rest()[1] or {}).get("failsafe_mode_is_active"), 30, "failsafe mode is active")
        time.sleep(1)
        assert primary_of(r) == leader.name
        writer.end()
        assert writer.sqlstates() == [] and writer.longest < 5, (writer.sqlstates(), writer.longest)
    finally:
        patronis.etcd.start()
        wait_until(lambda: not (patronis.nodes[0].rest()[1] or {}).get("cluster_unlocked"), 30, "etcd is back")
        patronis.edit(failsafe_mode=False)


def test_a_paused_cluster_goes_on_as_it_is(r, patronis):
    leader = patronis.leader
    patronis.pause()
    try:
        wait_until(lambda: "paused" in nodes(r)[patronis.replicas[0].name]["reason"], 10, "the pause is seen")
        assert primary_of(r) == leader.name
        write(r.connect("primary"))
    finally:
        patronis.resume()


def test_a_replica_with_the_tag_noloadbalance_gets_no_reads(r, patronis):
    one, other = patronis.replicas
    one.set_tags(noloadbalance=True)
    try:
        wait_until(lambda: "noloadbalance" in nodes(r)[one.name]["reason"], 10, "the tag is seen")
        ports = {r.value("replica", "select whereami()") for _ in range(12)}
        assert ports == {other.port}
        assert roles(r)[one.name] == "replica"
    finally:
        one.set_tags()
    wait_until(lambda: r.value("replica", "select whereami()") == one.port, 20, "reads there again")


def test_the_rest_api_may_ask_for_tls_a_client_certificate_and_a_login(make, directory):
    authority = Authority(os.path.join(directory, "ours"))
    secure = patroni.PatroniCluster(nodes=1, authority=authority)
    try:
        r = make(secure, {"primary": dict(route="primary")})
        assert r.value("primary", "select whereami()") == secure.nodes[0].port
        assert roles(r) == {"db1": "primary"}
        worked, text = r.switchover()
        assert not worked and "Patroni refuses: switchover is not possible: cluster does not have members except leader" in text
        r.sections["cluster main"]["patroni_password"] = "guessed"
        r.reload()
        wait_until(lambda: "Patroni does not let rolecall in" in r.switchover()[1], 10, "what it orders wants the right password", 0.5)
        assert roles(r) == {"db1": "primary"}  # to look takes none
        wrong = make(secure, {"primary": dict(route="primary")}, ready=False,
                     cluster_settings={"patroni_cert_file": None, "patroni_key_file": None})
        wait_until(lambda: "patroni_lists_nobody" in wrong.log(), 10, "Patroni refuses without a certificate")
        assert roles(wrong) == {}
        other = Authority(os.path.join(directory, "theirs"))
        distrusting = make(secure, {"primary": dict(route="primary")}, ready=False,
                           cluster_settings={"patroni_ca_file": other.ca})
        wait_until(lambda: "patroni_lists_nobody" in distrusting.log(), 10, "its certificate is refused")
    finally:
        secure.close()
