"""EXPLAIN ROUTE ... FOR session: what it says is what the session then does."""

import itertools

import psycopg
import pytest

from lib.admin import SETTINGS, ask, one, table
from lib.doing import Doing
from lib.processes import wait_until

pytestmark = pytest.mark.proxy

LISTENERS = {
    "split": dict(route="split", pool="transaction"),
    "session": dict(route="split", pool="session"),
    "relay": dict(route="primary", pool="none"),
}


@pytest.fixture(scope="module")
def r(cluster):
    from conftest import Endpoint

    made = Endpoint(cluster, LISTENERS, settings=SETTINGS)
    yield made
    made.stop()


def identity(r, name):
    return one(r, "show sessions", application_name=name)["id"]


def explain(r, session, statement):
    (row,) = table(r, f"explain route $x${statement}$x$ for {session}")
    return row


class Explained:
    """A session of psycopg, and what is said of it."""

    numbers = itertools.count()

    def __init__(self, r):
        name = f"explained {next(self.numbers)}"
        self.r = r
        self.connection = r.connect("split", application_name=name)
        self.connection.prepare_threshold = None  # or the driver sends requests of its own
        self.id = identity(r, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        wait_until(lambda: not [s for s in table(self.r, "show sessions") if s["id"] == self.id], what="it is gone")

    def run(self, statement):
        return self.connection.execute(statement)

    def ask(self, statement):
        return explain(self.r, self.id, statement)

    def counted(self, statement):
        """The verdicts that running it counts."""

        def counts():
            return {row["reason"]: row["count"] for row in table(self.r, "show routes")}

        before = counts()
        try:
            self.connection.execute(statement)
        except psycopg.Error:
            pass
        after = counts()
        return {reason for reason in after if after[reason] > before[reason]}

    def agrees(self, statement, verdict, role=None):
        def verdicts():
            return self.ask(statement)["verdict"] == verdict

        wait_until(verdicts, 10, f"{statement} is told to be {verdict}")  # what it has written is replayed
        told = self.ask(statement)
        assert role is None or told["role"] == role, told
        assert told["answered_by"] == "node" and told["node"], told
        assert self.counted(statement) == {verdict}
        return told


@pytest.fixture
def s(r):
    with Explained(r) as session:
        wait_until(lambda: session.run("select 1") and session.ask("select 1")["verdict"] == "read", what="the catalogue is read")
        yield session


def test_a_read_and_a_write(s):
    told = s.agrees("select 1", "read", "replica")
    assert (told["state"], told["transaction"], told["session_pins"], told["listener"], told["database"]) == ("idle", None, None, "split", "app")
    assert (told["route"], told["consistency"], told["max_lag"], told["search_path"]) == ("default", "session", "default", None)
    s.agrees("create table if not exists explained (a int)", "ddl", "primary")
    assert s.ask("insert into explained values (1)")["culprit"] == "insert"
    s.run("drop table explained")


def test_its_own_settings_count(s):
    s.run("set search_path = app, public")
    s.run("set rolecall.route = primary")
    told = s.agrees("select 1", "hint_primary", "primary")
    assert (told["route"], told["search_path"]) == ("primary", "app, public")
    s.run("set rolecall.route = replica")
    s.agrees("select never_heard_of()", "hint_replica")
    s.run("set rolecall.route = default")
    s.run("set rolecall.consistency = strong")
    assert s.ask("select 1")["consistency"] == "strong"
    assert s.ask("select 1")["role"] == "primary"


def test_what_it_has_written_is_waited_for(s, cluster):
    s.run("create table if not exists explained (a int)")
    wait_until(lambda: s.run("select 1") and s.ask("select 1")["verdict"] == "read", what="the catalogue is read again")
    for node in cluster.replicas:
        node.sql("select pg_wal_replay_pause()")
    try:
        s.run("insert into explained values (1)")
        told = s.agrees("select 1", "consistency", "primary")
        assert told["write_epoch"] > 0
        with Explained(s.r) as other:
            assert other.ask("select 1")["verdict"] == "read"
    finally:
        for node in cluster.replicas:
            node.sql("select pg_wal_replay_resume()")
    wait_until(lambda: s.run("select 1") and s.ask("select 1")["verdict"] == "read", what="it is replayed")
    told = s.ask("select 1")
    assert told["replayed_epoch"] >= told["write_epoch"] > 0
    s.run("drop table explained")


def test_pins_and_transactions_count(s):
    s.run("listen news")
    told = s.agrees("select 1", "pinned", "primary")
    assert told["session_pins"] == "listen"
    s.run("unlisten *")
    s.run("begin")
    told = s.ask("select 1")
    assert (told["verdict"], told["transaction"], told["role"]) == ("transaction", "begun", "primary")
    s.run("select 1")
    told = s.agrees("select 2", "in_transaction", "primary")
    assert told["transaction"] == "open"
    assert s.counted("nonsense") == {"in_transaction"}
    assert s.ask("select 1")["transaction"] == "failed"
    s.run("rollback")
    s.run("begin read only")
    s.agrees("select 1", "read_only_transaction", "replica")
    told = s.ask("select pg_backend_pid()")  # would take it to the primary
    assert (told["role"], told["verdict"], told["transaction"]) == ("primary", "transaction", "open")
    assert s.ask("select 2")["verdict"] == "in_transaction"
    s.run("commit")


def test_what_rolecall_answers_itself_has_no_verdict(s):
    for statement in "begin", "begin read only", "start transaction", "set rolecall.route = any", "show rolecall.node":
        told = s.ask(statement)
        assert (told["answered_by"], told["verdict"], told["node"]) == ("rolecall", None, None), statement
        assert told["text"]
    assert s.ask("show rolecall.token")["role"] == "primary"
    assert s.ask("show server_version")["verdict"] == "show"
    assert s.run("show rolecall.route").fetchone()[0] == "default"  # nothing has been set
    assert s.ask("commit")["answered_by"] == "node"
    s.run("begin")
    for statement in "commit", "rollback", "set transaction read only":
        assert s.ask(statement)["answered_by"] == "rolecall", statement
    assert s.ask("select 1")["transaction"] == "begun"
    s.run("commit")


def test_execute_is_what_it_executes(s):
    s.run("prepare mine as select 1")
    s.agrees("execute mine", "read", "replica")
    s.run("prepare other as select pg_backend_pid()")
    assert s.ask("execute other")["role"] == "primary"
    assert s.ask("execute nobody")["role"] == "primary"
    s.run("deallocate all")


def test_asking_changes_nothing(s):
    """... also in the middle of a request."""
    before = one(s.r, "show sessions", id=s.id)
    routes = table(s.r, "show routes")
    for statement in "begin", "listen x", "create temp table t (a int)", "set search_path = x", "prepare p as select 1", "discard all", "'", "":
        s.ask(statement)
    after = one(s.r, "show sessions", id=s.id)
    changing = ("age_ms", "state_age_ms")
    assert {k: v for k, v in before.items() if k not in changing} == {k: v for k, v in after.items() if k not in changing}
    assert table(s.r, "show routes") == routes
    running = Doing(lambda: s.run("select 'done', pg_sleep(1)").fetchone()[0])
    wait_until(lambda: one(s.r, "show sessions", id=s.id)["state"] == "active", what="it runs")
    for _ in range(20):
        assert s.ask("insert into t values (1)")["state"] == "active"
    assert running.end() == "done"


def test_a_statement_of_any_length(s):
    long = "select " + " + ".join(["1"] * 10_000)
    assert explain(s.r, s.id, long)["verdict"] == "read"


def test_sessions_that_route_nothing(r):
    with r.connect("relay", application_name="a relay") as c:
        c.execute("select 1")
        told = explain(r, identity(r, "a relay"), "select 1")
        assert (told["verdict"], told["role"], told["state"]) == ("listener", "primary", "relay")


def test_mistakes_are_told(s):
    def error(command):
        return ask(s.r, command)

    assert error("explain route 'select 1' for 9.9") == "error: 42704 there is no session 9.9\n\n"
    assert error("explain route 'select 1' for me").startswith("error: 42601 FOR wants the id of a session")
    assert error(f"explain route 'select 1' for {s.id} database app").startswith("error: 42601 a session has its database")
    assert error("explain route 'select 1' for").startswith("error: 42601 behind the statement EXPLAIN ROUTE takes")


def test_who_waits_is_told_why(make, own_cluster):
    r = make(own_cluster, {"split": dict(route="split", pool="transaction")}, settings=SETTINGS)
    with Explained(r) as s:
        wait_until(lambda: s.run("select 1") and s.ask("select 1")["verdict"] == "read", what="the catalogue is read")
        own_cluster.primary.kill()
        wait_until(lambda: one(r, "show clusters")["primary"] is None, 10, "the primary is gone")
        late = Doing(lambda: s.run("create table late (a int)"))
        waiting = wait_until(lambda: table(r, "show waiting"), what="it waits")
        reason = one(r, "show clusters")["reason"]
        assert [(row["waits_for"], row["verdict"], row["why"]) for row in waiting] == [("node", "ddl", reason)]
        told = s.ask("insert into t values (1)")
        assert (told["state"], told["verdict"], told["node"], told["wait"], told["answered_by"]) == ("held", "write", None, reason, None)
        own_cluster.replicas[0].promote()
        late.end()
        assert table(r, "show waiting") == []
