"""Settings that are rolecall's own: route, max_lag, consistency, and the token that carries a position to another connection."""

import time

import psycopg
import pytest

from lib.processes import wait_until
from lib.wire import Wire, bind, describe, execute, kinds, parse, rows, sync

pytestmark = pytest.mark.proxy


def where(connection):
    return connection.execute("select whereami()").fetchone()[0]


def shown(connection, name):
    return connection.execute(f"show {name}").fetchone()[0]


def sqlstate_of(connection, sql):
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql)
    return caught.value.sqlstate


@pytest.fixture
def split(rolecall):
    with rolecall.connect("split", prepare_threshold=None) as c:
        yield c


# SET, SHOW, RESET.


@pytest.mark.parametrize("name, value", [
    ("route", "any"), ("route", "primary"), ("max_lag", "16MB"), ("max_lag", "200ms"), ("max_lag", "16MB, 5s"), ("max_lag", "off"),
    ("consistency", "eventual"), ("consistency", "strong"), ("consistency", "session"),
])
@pytest.mark.parametrize("prepare", [False, True])
def test_a_value_is_shown_as_it_was_set(split, name, value, prepare):
    assert split.execute(f"set rolecall.{name} = '{value}'", prepare=prepare).statusmessage == "SET"
    assert split.execute(f"show rolecall.{name}", prepare=prepare).fetchone()[0] == value
    assert split.execute(f"reset rolecall.{name}", prepare=prepare).statusmessage == "RESET"
    assert split.execute(f"show rolecall.{name}", prepare=prepare).fetchone()[0] in ("default", "session")


def test_a_wrong_value_inside_a_transaction_fails_it(split, table):
    split.execute("begin")
    split.execute(f"insert into {table} values (1, '')")
    assert sqlstate_of(split, "set rolecall.consistency = 'maybe'") == "22023"
    assert sqlstate_of(split, "select 1") == "25P02"
    assert sqlstate_of(split, "show rolecall.route") == "25P02"
    assert split.execute("commit").statusmessage == "ROLLBACK"
    assert split.execute(f"select count(*) from {table}").fetchone()[0] == 0


def test_a_transaction_takes_back_what_was_set_in_it(split, table):
    split.execute("begin")
    split.execute(f"insert into {table} values (1, '')")
    split.execute("set rolecall.route = primary")
    split.execute("set local rolecall.max_lag = '1MB'")
    assert shown(split, "rolecall.max_lag") == "1MB"
    split.execute("rollback")
    assert shown(split, "rolecall.route") == "default" and shown(split, "rolecall.max_lag") == "default"
    split.execute("begin")
    split.execute(f"insert into {table} values (1, '')")
    split.execute("set rolecall.route = primary")
    split.execute("set local rolecall.max_lag = '1MB'")
    split.execute("commit")
    assert shown(split, "rolecall.route") == "primary" and shown(split, "rolecall.max_lag") == "default"


@pytest.mark.parametrize("sql", ["reset all", "discard all"])
def test_reset_all_gives_back_what_the_login_asked_for(rolecall, sql):
    with rolecall.connect("split", prepare_threshold=None, options="-c rolecall.route=any -c rolecall.max_lag=2s") as c:
        c.execute("set rolecall.route = primary")
        c.execute("set rolecall.consistency = strong")
        c.execute("set rolecall.max_lag = off")
        c.execute(sql)
        assert [shown(c, f"rolecall.{n}") for n in ("route", "max_lag", "consistency")] == ["any", "2s", "session"]


# What they do.


def test_a_strong_session_reads_from_the_primary(split, cluster):
    split.execute("set rolecall.consistency = strong")
    assert {where(split) for _ in range(5)} == {cluster.primary.port}
    split.execute("reset rolecall.consistency")
    wait_until(lambda: where(split) in cluster.replica_ports, what="reads go to a replica again")


def test_any_lets_the_primary_take_reads_too(rolecall, cluster):
    seen = set()

    def every_node():
        with rolecall.connect("split", options="-c rolecall.route=any") as c:
            seen.add(where(c))
        return seen == cluster.replica_ports | {cluster.primary.port}

    wait_until(every_node, 20, "each node is read at some time")


def test_max_lag_of_a_session_in_bytes_and_in_time(make, own_cluster):
    """The cluster has no bound; the session's own sends it elsewhere, and off takes it away."""
    for replica in own_cluster.replicas:
        replica.pause_replay()
    own_cluster.primary.sql("create table big as select repeat('x', 1000) from generate_series(1, 2000)")
    r = make(own_cluster, cluster_settings={"consistency": "eventual", "max_lag": "0", "max_lag_time": "0"})
    with r.connect("split") as c:
        for lag in ("'64kB'", "'20ms'"):
            c.execute("set rolecall.max_lag = off")
            wait_until(lambda: where(c) in own_cluster.replica_ports, 15, "a replica is read, however far behind")
            c.execute("set rolecall.max_lag = default")
            c.execute(f"set rolecall.max_lag = {lag}")
            wait_until(lambda: where(c) == own_cluster.primary.port, 15, f"{lag} keeps it from the replicas")
    for replica in own_cluster.replicas:
        replica.resume_replay()


# The token.


@pytest.fixture(scope="module")
def slow():
    """Replicas that replay when a test lets them."""
    from lib.cluster import Cluster

    made = Cluster(replicas=1)
    yield made
    made.close()


@pytest.fixture
def pair(make, slow):
    """Two rolecalls before the same cluster, that ask for no consistency by themselves."""
    options = dict(cluster_settings={"consistency": "eventual", "max_lag": "0", "max_lag_time": "0"})
    yield make(slow, **options), make(slow, **options)
    slow.replicas[0].resume_replay()


def make_table(cluster, name):
    cluster.primary.sql(f"drop table if exists {name}; create table {name} (a int); grant all on {name} to app")
    cluster.catch_up()


@pytest.mark.parametrize("endpoint", ["split", "replica"])
def test_a_token_carries_the_position_to_another_rolecall(pair, slow, endpoint):
    one, other = pair
    make_table(slow, "carried")
    with one.connect("split") as writer, other.connect(endpoint) as stale, other.connect(endpoint) as reader:
        wait_until(lambda: where(reader) == slow.replicas[0].port, 15, "reads go to the replica")
        wait_until(lambda: stale.execute("select count(*) from carried").fetchone()[0] == 0, 15, "the table is known")
        wait_until(lambda: where(stale) == slow.replicas[0].port, 15, "reads go to the replica")
        slow.replicas[0].pause_replay()
        writer.execute("insert into carried values (1)")
        token = shown(writer, "rolecall.token")
        assert len(token) <= 64
        # Without it, the test does find the old state.
        assert stale.execute("select count(*) from carried").fetchone()[0] == 0
        reader.execute(f"set rolecall.token = '{token}'")
        assert reader.execute("select count(*) from carried").fetchone()[0] == 1
        assert where(reader) == slow.primary.port
        slow.replicas[0].resume_replay()
        wait_until(lambda: where(reader) == slow.replicas[0].port, 15, "the replica has it by now")
        assert reader.execute("select count(*) from carried").fetchone()[0] == 1


def test_a_token_may_be_given_at_login(pair, slow):
    one, other = pair
    make_table(slow, "carried")
    with one.connect("split") as writer, other.connect("split") as waiting:
        wait_until(lambda: where(waiting) == slow.replicas[0].port, 15, "reads go to the replica")
        slow.replicas[0].pause_replay()
        writer.execute("insert into carried values (1)")
        token = shown(writer, "rolecall.token")
        with other.connect("split", options=f"-c rolecall.token={token}") as reader:
            assert reader.execute("select count(*) from carried").fetchone()[0] == 1


def test_a_token_is_told_by_every_protocol_and_inside_transactions(split, table):
    split.execute("begin")
    split.execute(f"insert into {table} values (1, '')")
    token = shown(split, "rolecall.token")
    assert split.execute("show rolecall.token", prepare=True).fetchone()[0] >= token
    split.execute("commit")
    split.execute(f"set rolecall.token = '{token}'")


def test_a_token_in_one_batch(rolecall):
    with Wire(rolecall.ports["split"]) as w:
        w.login()
        w.send(parse("", "show rolecall.token"), bind(), describe(), execute(), sync())
        got = w.until()
        assert kinds(got) == "12TDCZ" and got[2].columns == ["rolecall.token"] and got[4].tag == "SHOW"
        (token,), = rows(got)
        assert w.query(f"set rolecall.token to '{token}'")[0].tag == "SET"


@pytest.mark.parametrize("token", ["", "x", "rc1", "rc1" + "0" * 32])
def test_what_is_no_token_is_refused(split, token):
    if token == "":
        split.execute("set rolecall.token = ''")  # as if it had never been given
    else:
        assert sqlstate_of(split, f"set rolecall.token = '{token}'") == "22023"
    assert split.execute("select 1").fetchone()[0] == 1


def test_a_token_of_a_later_timeline_holds_until_that_is_seen(make, own_cluster):
    """Its rolecall still believes in the old primary, which does not have what the token stands for."""
    old = own_cluster.primary
    r = make(own_cluster, cluster_settings={"hold_timeout": "60s"})
    with r.connect("split") as before, r.connect("split") as c, r.connect("split") as refuses:
        token = shown(before, "rolecall.token")
        later = next_timeline(token)
        c.execute(f"set rolecall.token = '{later}'")
        assert shown(c, "rolecall.route") == "default"  # answered without a node
        pending = Held(c, "select whereami()")
        time.sleep(0.5)
        assert not pending.done()
        old.stop("fast")
        own_cluster.replicas[0].promote()
        assert pending.result(60)[0] != old.port
        assert refuses.execute("select 1").fetchone()[0] == 1


def next_timeline(token):
    """The same position, one timeline later."""
    body = token[:3] + f"{int(token[3:11], 16) + 1:08X}" + token[11:27]
    value = 0x811C9DC5
    for c in body.encode():
        value = (value ^ c) * 0x01000193 & 0xFFFFFFFF
    return body + f"{value:08X}"


class Held:
    """A statement in a thread of its own."""

    def __init__(self, connection, sql):
        from concurrent.futures import ThreadPoolExecutor

        self.pool = ThreadPoolExecutor(1)
        self.future = self.pool.submit(lambda: connection.execute(sql).fetchone())

    def done(self):
        return self.future.done()

    def result(self, timeout):
        try:
            return self.future.result(timeout)
        finally:
            self.pool.shutdown()
