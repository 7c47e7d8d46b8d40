"""PAUSE, RESUME, RECONNECT and KILL."""

import signal
import struct
import subprocess
import time

import psycopg
import pytest

from lib import cluster as pg
from lib.admin import PORT, SETTINGS, Plain, ask, ctl, one, psql, table
from lib.admin import wire as admin_wire
from lib.doing import Doing
from lib.processes import wait_until
from lib.wire import CANCEL_REQUEST, Wire, kinds, query

pytestmark = pytest.mark.proxy

LISTENERS = {
    "main": dict(route="primary", pool="transaction"),
    "split-session": dict(route="split", pool="session"),
    "session": dict(route="primary", pool="session"),
    "relay": dict(route="primary", pool="none"),
}


@pytest.fixture
def r(make, cluster):
    return make(cluster, LISTENERS, settings={**SETTINGS, "query_wait_timeout": "20s"}, databases={"nick": dict(dbname="app")})


def servers(r, database="app"):
    return [row for row in table(r, "show servers") if row["database"] == database]


def held(r):
    return [row for row in table(r, "show sessions") if row["state"] == "held"]


def test_pause_waits_for_what_runs_and_holds_what_comes(r):
    with r.connect("main", autocommit=False) as running, r.connect("main") as waiting:
        running.execute("select 1")
        pause = Doing(lambda: ask(r, "pause"))
        wait_until(lambda: one(r, "show databases", name="app")["paused"] == 1, what="the pause is in force")
        late = Doing(lambda: waiting.execute("select 42").fetchone()[0])
        wait_until(lambda: len(held(r)) == 1, what="the late one is held")
        assert [row["waits_for"] for row in table(r, "show waiting")] == ["resume"]
        running.execute("select 2")  # the transaction goes on
        assert pause.is_alive() and late.is_alive()
        running.commit()
        assert pause.end() == "PAUSE\n\n"
        assert servers(r) == []
        late2 = Doing(lambda: r.value("main", "select 43"))  # new sessions log in and wait
        wait_until(lambda: len(held(r)) == 2, what="both are held")
        assert ask(r, "pause") == "PAUSE\n\n"  # twice is once
        assert ask(r, "resume") == "RESUME\n\n"
        assert (late.end(), late2.end()) == (42, 43)
    assert ask(r, "resume").startswith("error: 55000 nothing is paused")


def test_a_database_is_paused_by_any_of_its_names_and_alone(r, cluster):
    def other():
        with r.connect("main", user=pg.SUPERUSER, password=pg.SUPERUSER_PASSWORD, dbname=pg.DATABASE if pg.DATABASE != "app" else "postgres") as c:
            return c.execute("select 1").fetchone()[0]

    assert psql(r, "-c", "pause nick").stdout == "PAUSE\n"
    late = Doing(lambda: r.value("main", "select 1"))
    named = Doing(lambda: r.value("main", "select 2", dbname="nick"))
    wait_until(lambda: len(held(r)) >= 1, what="held")
    assert other() == 1
    assert ask(r, "resume other").startswith("error: 55000 database other is not paused")
    assert ask(r, "resume app") == "RESUME\n\n"
    assert (late.end(), named.end()) == (1, 2)
    answer = ask(r, "pause nobody")
    assert answer.startswith("PAUSE\nwarning: no client has used database nobody so far")
    assert ask(r, "pause; resume nobody").endswith("error: 55000 all databases are paused: RESUME without a name goes on\n\n")
    assert ask(r, "resume") == "RESUME\n\n"


def test_a_pause_that_is_resumed_meanwhile_says_so(r):
    with r.connect("main", autocommit=False) as running:
        running.execute("select 1")
        pause = Doing(lambda: ask(r, "pause app"))
        wait_until(lambda: one(r, "show databases", name="app")["paused"] == 1, what="the pause is in force")
        assert ask(r, "resume app") == "RESUME\n\n"
        assert pause.end() == "error: 57014 it was resumed meanwhile\n\n"
        running.commit()
        assert running.execute("select 1").fetchone()[0] == 1


def test_sessions_that_keep_their_connection(r):
    with r.connect("split-session") as tracked, r.connect("relay") as relayed:
        tracked.execute("set application_name = 'kept'")
        relayed.execute("select 1")
        answer = ask(r, "pause")  # split routing tracks what a session has: it does without a connection
        assert answer == "PAUSE\nwarning: 1 relayed connections go on: KILL ends them\n\n"
        assert [row["relay"] for row in servers(r)] == [True]
        relayed.execute("select 1")
        asked = Doing(lambda: tracked.execute("show application_name").fetchone()[0])
        wait_until(lambda: len(held(r)) == 1, what="it is held")
        ask(r, "resume")
        assert asked.end() == "kept"
    with r.connect("session") as kept:
        kept.execute("create temp table mine (a int)")
        pause = Doing(lambda: ask(r, "pause app"))
        wait_until(lambda: one(r, "show databases", name="app")["paused"] == 1, what="the pause is in force")
        kept.execute("insert into mine values (1)")  # as with PgBouncer: until it disconnects
        assert pause.is_alive()
    assert pause.end() == "PAUSE\n\n"
    ask(r, "resume")


def test_a_pause_outlives_the_node_and_whoever_gave_it(make, own_cluster):
    r = make(own_cluster, {"main": dict(route="primary", pool="transaction")}, settings=SETTINGS, cluster_settings={"hold_timeout": "500ms"})
    with Plain(r) as p, r.connect("main") as c:
        assert p.ask("pause") == ["PAUSE"]
        asked = Doing(lambda: c.execute("select 1").fetchone()[0])
        wait_until(lambda: len(held(r)) == 1, what="it is held")
        own_cluster.primary.kill()
        wait_until(lambda: one(r, "show clusters")["primary"] is None, 10, "the primary is gone")
        own_cluster.primary.start()
        wait_until(lambda: one(r, "show clusters")["primary"] == "node1", 20, "the primary is back")
        time.sleep(0.6)  # longer than hold_timeout: the pause is none of its business
        assert asked.is_alive()
        ask(r, "resume")
        assert asked.end() == 1


def test_who_waits_too_long_for_a_pause_is_told(make, cluster):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings={**SETTINGS, "query_wait_timeout": "500ms"})
    with r.connect("main") as c:
        ask(r, "pause")
        with pytest.raises(psycopg.errors.CannotConnectNow, match="query_wait_timeout: the database is paused by the administrator"):
            c.execute("select 1")
        ask(r, "resume")
        assert c.execute("select 1").fetchone()[0] == 1  # the session lives


def test_reconnect_renews_every_connection(r):
    with r.connect("main", autocommit=False) as used, r.connect("main") as idle:
        before = used.execute("select pg_backend_pid()").fetchone()[0]
        others = {row["remote_pid"] for row in servers(r)}
        assert ask(r, "reconnect app") == "RECONNECT\nwarning: 1 connections are in use and will be closed when they are given back\n\n"
        assert {row["remote_pid"] for row in servers(r)} == {before}
        assert used.execute("select pg_backend_pid()").fetchone()[0] == before
        used.commit()
        wait_until(lambda: before not in {row["remote_pid"] for row in servers(r)}, what="it is closed")
        assert idle.execute("select pg_backend_pid()").fetchone()[0] not in others | {before}
    assert ask(r, "reconnect").startswith("RECONNECT\n")


def test_kill_ends_a_session_and_what_it_runs(r):
    with Wire(r.ports["main"]) as w:
        w.login(application_name="victim")
        w.send(query("select pg_sleep(60)"))
        row = wait_until(lambda: next((s for s in table(r, "show sessions") if s["application_name"] == "victim" and s["remote_pid"]), None), what="it runs")
        assert ctl(r, "kill", row["id"]).stdout == "KILL\n"
        got = w.receive()
        assert (got.kind, got.sqlstate, got.fields["M"]) == ("E", "57P01", "terminating connection due to administrator command")
        assert w.is_closed()
    with r.cluster.primary.connect() as c:
        running = "select count(*) from pg_stat_activity where pid = %s and query like '%%pg_sleep%%' and state = 'active'"
        wait_until(lambda: c.execute(running, [row["remote_pid"]]).fetchone()[0] == 0, what="the statement was cancelled")
    assert ask(r, f"kill {row['id']}") == f"error: 42704 there is no session {row['id']}\n\n"
    for wrong in "", "17", "0.", ".1", "a.b", "0.1x", "-1.1", "0.1 0.2", "99999999999.1":
        assert ask(r, f"kill {wrong}").startswith("error: 42601 KILL wants the id of a session"), wrong


def test_the_id_of_a_session_is_never_given_again(r):
    seen = set()
    for _ in range(5):
        with r.connect("main", application_name="once"):
            row = one(r, "show sessions", application_name="once")
            assert row["id"] not in seen
            seen.add(row["id"])
        wait_until(lambda: not [s for s in table(r, "show sessions") if s["application_name"] == "once"], what="it has gone")


def interrupted(process):
    """A psql that is told Ctrl-C: what it says."""
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    return out


def begin_psql(*command, env=None):
    return subprocess.Popen(["psql", "-X", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


@pytest.mark.parametrize("over", ["socket", "listener"])
def test_ctrl_c_in_psql_ends_a_pause_that_waits_and_undoes_it(make, cluster, over):
    r = make(cluster, LISTENERS, settings={**SETTINGS, "admin_database": "on", "admin_users": pg.SUPERUSER})
    where = {
        "socket": (f"host={r.directory} port={PORT} dbname=x user=me", None),
        "listener": ("dbname=rolecall", r.environment("main", PGUSER=pg.SUPERUSER, PGPASSWORD=pg.SUPERUSER_PASSWORD)),
    }
    dsn, env = where[over]
    with r.connect("main", autocommit=False) as running:
        running.execute("select 1")
        for command in "pause", "pause app":
            waiting = begin_psql(dsn, "-c", command, "-c", "show version", env=env)
            wait_until(lambda: one(r, "show databases", name="app")["paused"] == 1, what="the pause is in force")
            assert "canceling statement due to user request; nothing is paused by it any more" in interrupted(waiting)
            assert one(r, "show databases", name="app")["paused"] == 0
            assert r.value("main", "select 7") == 7
        first = Doing(lambda: ask(r, "pause app"))
        wait_until(lambda: one(r, "show databases", name="app")["paused"] == 1, what="the pause is in force")
        second = begin_psql(dsn, "-c", "pause app", env=env)
        wait_until(lambda: r.log().count("command=PAUSE") == 4, what="the second is asked for")
        assert "it was paused before, and stays so" in interrupted(second)
        assert first.is_alive() and one(r, "show databases", name="app")["paused"] == 1
        running.commit()
        assert first.end() == "PAUSE\n\n"
        ask(r, "resume")


def test_a_wrong_key_interrupts_nothing(r):
    with r.connect("main", autocommit=False) as running, admin_wire(r) as w:
        running.execute("select 1")
        w.send(query("pause app"))
        wait_until(lambda: one(r, "show databases", name="app")["paused"] == 1, what="the pause is in force")
        assert w.pid > 0 and len(w.key) == 4
        for pid, key in ((w.pid, b"\0\0\0\0"), (w.pid ^ 2, w.key), (w.pid, w.key + b"\0"), (0, b"")):
            with Wire(PORT, host=r.directory) as stranger:
                stranger.send(struct.pack("!III", 12 + len(key), CANCEL_REQUEST, pid) + key)
                assert stranger.is_closed()
        assert w.nothing_comes()
        running.commit()
        assert kinds(w.until()) == "CZ"
        ask(r, "resume")
