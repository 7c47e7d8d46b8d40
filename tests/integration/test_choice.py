"""
Which replica a read goes to: shares by weight, the less busy one, none that is too far behind; and what happens when none
is fit (fallback). Sessions stay where their first read went, so most tests look at first reads.
"""

import contextlib
import time

import psycopg
import pytest

from lib.cluster import Cluster
from lib.processes import wait_until
from lib.wire import Wire, kinds, query, rows

pytestmark = pytest.mark.proxy

WHERE = "select whereami()"


@pytest.fixture(scope="module")
def lagging():
    """A cluster whose replicas are paused and resumed; `counter` has one row. Each test leaves them replaying."""
    made = Cluster(replicas=2)
    made.primary.sql("create table counter (v int); insert into counter values (0); create table filler (a text);"
                     "grant all on counter, filler to app")
    made.catch_up()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def all_replay(request):
    yield
    if "lagging" in request.fixturenames:
        nodes = request.getfixturevalue("lagging")
        for node in nodes.replicas:
            node.resume_replay()
        nodes.catch_up()


def first_reads(r, listener, sessions):
    return [r.value(listener, WHERE) for _ in range(sessions)]


@pytest.fixture
def sessions_on(request):
    """sessions_on(r, port, n): so many logged-in sessions whose reads go there. Ended with the test."""
    made = []

    def find(r, port, n):
        found = []
        for _ in range(100):
            w = Wire(r.ports["split"])
            made.append(w)
            w.login()
            if int(w.value(WHERE)) == port:
                found.append(w)
            if len(found) == n:
                return found
        raise AssertionError(f"not {n} of 100 sessions went to {port}")

    yield find
    for w in made:
        w.close()


# Weight.


def test_first_reads_are_shared_by_weight(make, cluster):
    heavy, light = cluster.replicas
    r = make(cluster, nodes={heavy.name: {"weight": 300}, light.name: {"weight": 100}})
    went = first_reads(r, "split", 200)
    assert set(went) == {heavy.port, light.port}
    assert 110 <= went.count(heavy.port) <= 190  # 150 are expected; six deviations are 37


def test_weights_hold_on_a_replica_listener_and_sessions_stay_there_too(make, cluster):
    heavy, light = cluster.replicas
    r = make(cluster, nodes={heavy.name: {"weight": 300}, light.name: {"weight": 100}})
    with r.connect("replica") as c:
        assert len({c.execute(WHERE).fetchone()[0] for _ in range(30)}) == 1
    went = first_reads(r, "replica", 200)
    assert 110 <= went.count(heavy.port) <= 190


def test_a_weight_that_is_changed_to_zero_moves_sessions_away(make, cluster):
    left, stays = cluster.replicas
    r = make(cluster)
    with r.connect("split") as c:
        wait_until(lambda: c.execute(WHERE).fetchone()[0] in cluster.replica_ports, what="a read is on a replica")
        r.sections[f"node {left.name}"]["weight"] = 0
        r.reload()
        wait_until(lambda: c.execute(WHERE).fetchone()[0] == stays.port, what="the session reads from the other")
        assert {c.execute(WHERE).fetchone()[0] for _ in range(10)} == {stays.port}


# Outstanding work.

RUNNING = "datname = 'app' and state = 'active' and query like '%pg_sleep(60)%'"
SLEEPERS = f"from pg_stat_activity where pid <> pg_backend_pid() and {RUNNING}"


@pytest.fixture
def sleep(cluster):
    """sleep(node, sessions): reads that run on the node until the test ends, which they do not do by themselves."""
    asleep = []

    def begin(node, sessions):
        for w in sessions:
            w.send(query("select whereami(), pg_sleep(60)"))
            asleep.append(w)
        wait_until(lambda: len(node.backends(RUNNING)) == len(sessions), what=f"{len(sessions)} reads run on {node.name}")

    yield begin
    for w in asleep:
        w.close()  # or rolecall runs them again elsewhere when they are ended
    for node in cluster.nodes:
        wait_until(lambda: not node.backends(RUNNING) or node.sql(f"select pg_terminate_backend(pid) {SLEEPERS}") is None,
                   what=f"nothing runs on {node.name} any more")


def test_a_busy_replica_is_avoided(make, cluster, sessions_on, sleep):
    busy, free = cluster.replicas
    r = make(cluster, cluster_settings={"read_functions": "whereami, pg_sleep"})
    sleep(busy, sessions_on(r, busy.port, 4))
    assert set(first_reads(r, "split", 20)) == {free.port}
    assert set(first_reads(r, "replica", 10)) == {free.port}


def test_a_session_stays_on_its_replica_when_that_is_busy(make, cluster, sessions_on, sleep):
    busy, _ = cluster.replicas
    r = make(cluster, cluster_settings={"read_functions": "whereami, pg_sleep"})
    *sleepers, stays = sessions_on(r, busy.port, 4)
    sleep(busy, sleepers)
    assert {int(stays.value(WHERE)) for _ in range(10)} == {busy.port}


# Lag.


@pytest.mark.parametrize("bound", [{"max_lag": "64kB", "max_lag_time": "0"}, {"max_lag": "0", "max_lag_time": "1s"}])
def test_a_replica_that_lags_too_much_is_left_and_taken_up_again(make, lagging, sessions_on, bound):
    """By bytes alone and by time alone; also by the sessions that were there, although consistency asks for nothing."""
    behind, fresh = lagging.replicas
    r = make(lagging, cluster_settings={"consistency": "eventual", **bound})
    (stays,) = sessions_on(r, behind.port, 1)
    behind.pause_replay()
    lagging.primary.sql("insert into filler select repeat('x', 1000) from generate_series(1, 500)")
    wait_until(lambda: int(stays.value(WHERE)) == fresh.port, 20, "the session has left the replica that is behind")
    assert set(first_reads(r, "split", 8) + first_reads(r, "replica", 8)) == {fresh.port}
    behind.resume_replay()
    wait_until(lambda: behind.port in first_reads(r, "split", 8), 20, "the replica is used again")


def test_a_small_lag_is_within_the_bounds(make, lagging):
    """Paused, but not by more than the bounds: eventual reads go on there."""
    behind, _ = lagging.replicas
    r = make(lagging, cluster_settings={"consistency": "eventual", "max_lag": "64kB", "max_lag_time": "1h"})
    behind.pause_replay()
    lagging.primary.sql("update counter set v = v + 1")
    time.sleep(0.5)  # some probes
    assert set(first_reads(r, "split", 40)) == lagging.replica_ports


def paused(lagging):
    for node in lagging.replicas:
        node.pause_replay()


def count(w):
    """Adds one to the counter and returns what it must be read as."""
    return w.value("update counter set v = v + 1 returning v")


# What was seen is not taken back.

SEEN = "select v, whereami() from counter"


def read(w, sql=SEEN):
    value, port = rows(w.query(sql))[0]
    return int(value), int(port)


@pytest.mark.parametrize("before, sql, after", [
    ("", f"/* rolecall: primary */ {SEEN}", ""),
    ("", f"{SEEN} for share", ""),
    ("begin", SEEN, "commit"),
    ("set rolecall.route = primary", SEEN, "set rolecall.route = default"),
])
def test_what_the_primary_has_shown_is_asked_of_the_sessions_own_replica_too(make, lagging, before, sql, after):
    r = make(lagging)
    with Wire(r.ports["split"]) as w:
        w.login()
        wait_until(lambda: read(w)[1] in lagging.replica_ports, what="the session reads from a replica")
        old, _ = read(w)
        paused(lagging)
        lagging.primary.sql("update counter set v = v + 1")
        w.query(before)
        assert read(w, sql) == (old + 1, lagging.primary.port)
        w.query(after)
        for _ in range(20):
            assert read(w) == (old + 1, lagging.primary.port)
        for node in lagging.replicas:
            node.resume_replay()
        wait_until(lambda: read(w)[1] in lagging.replica_ports, what="the session reads from a replica again")
        assert read(w)[0] == old + 1


def test_a_replica_that_was_killed_and_goes_back_shows_no_session_less_than_before(make):
    """It starts from its last restart point and, told to be an hour late, stays there."""
    with contextlib.closing(Cluster(replicas=1, settings="bgwriter_lru_maxpages = 0\n")) as nodes:
        (replica,) = nodes.replicas
        nodes.primary.sql("create table counter (v int); insert into counter values (0); grant all on counter to app; checkpoint")
        nodes.catch_up()
        replica.sql("checkpoint")
        r = make(nodes, cluster_settings={"max_lag_time": "0"})
        for _ in range(5):
            nodes.primary.sql("update counter set v = v + 1")
        nodes.catch_up()
        with Wire(r.ports["split"]) as w:  # never writes
            w.login()
            wait_until(lambda: read(w) == (5, replica.port), what="the session has seen 5 on the replica")
            replica.sql("alter system set recovery_min_apply_delay = '1h'")
            replica.kill()
            replica.start()
            assert replica.value("select v from counter") < 5

            def first_read():
                with Wire(r.ports["split"]) as other:
                    value, port = read(other.login())
                return port == replica.port and f"{value}"

            # Whoever has seen nothing gets what there is.
            assert int(wait_until(first_read, 20, "the replica is read again")) < 5
            for _ in range(20):
                assert read(w) == (5, nodes.primary.port)


# When no replica is fit.


def test_fallback_primary_serves_what_replicas_have_not_replayed(make, lagging):
    r = make(lagging)
    paused(lagging)
    with Wire(r.ports["split"]) as w:
        w.login()
        expected = count(w)
        for _ in range(20):
            assert w.query("select v, whereami() from counter")[1].row == [expected, str(lagging.primary.port)]


def test_fallback_wait_answers_from_a_replica_as_soon_as_one_has_replayed(make, lagging):
    r = make(lagging, cluster_settings={"fallback": "wait"})
    paused(lagging)
    with Wire(r.ports["split"]) as w:
        w.login()
        expected = count(w)
        w.send(query("select v, whereami() from counter"))
        assert w.nothing_comes(0.5)
        lagging.replicas[1].resume_replay()
        assert rows(w.until(timeout=20)) == [[expected, str(lagging.replicas[1].port)]]


def test_fallback_wait_ends_with_the_reason_when_it_takes_too_long(make, lagging):
    r = make(lagging, cluster_settings={"fallback": "wait", "hold_timeout": "1s"})
    paused(lagging)
    with Wire(r.ports["split"]) as w:
        w.login()
        expected = count(w)
        got = w.query("select v from counter")
        assert kinds(got) == "EZ" and got[0].sqlstate == "57P03"
        assert w.value("/* rolecall: primary */ select v from counter") == expected  # the session lives


def test_fallback_error_refuses_at_once_and_the_session_lives(make, lagging):
    r = make(lagging, cluster_settings={"fallback": "error"})
    paused(lagging)
    with Wire(r.ports["split"]) as w:
        w.login()
        expected = count(w)
        got = w.query("select v from counter")
        assert kinds(got) == "EZ" and got[0].sqlstate == "57P03"
        assert w.value("/* rolecall: primary */ select v from counter") == expected
        for node in lagging.replicas:
            node.resume_replay()

        def answered():
            messages = w.query("select v, whereami() from counter")
            return kinds(messages) == "TDCZ" and messages[1].row

        value, port = wait_until(answered, 20, "a replica answers again")
        assert value == expected and int(port) in lagging.replica_ports


@pytest.mark.parametrize("fallback, served", [("primary", True), ("error", False)])
def test_a_lag_of_all_replicas_is_for_the_fallback_to_answer(make, lagging, fallback, served):
    r = make(lagging, cluster_settings={"consistency": "eventual", "max_lag": "64kB", "max_lag_time": "0", "fallback": fallback})
    paused(lagging)
    lagging.primary.sql("insert into filler select repeat('x', 1000) from generate_series(1, 500)")

    def outcome():
        try:
            return r.value("split", WHERE)
        except psycopg.Error as error:
            return error.sqlstate or str(error)

    if served:
        wait_until(lambda: outcome() == lagging.primary.port, 20, "the primary answers")
    else:
        wait_until(lambda: outcome() not in lagging.replica_ports, 20, "reads are refused")
        assert outcome() == "57P03"
