"""The admin socket: one table of commands in two languages, for socat, psql, drivers and `rolecall ctl`."""

import asyncio
import csv
import io
import json
import os
import random
import resource
import socket
import struct
import subprocess
import threading
import time

import psycopg
import pytest

from lib import processes
from lib.processes import wait_until
from lib.rolecall import BINARY
from lib.wire import (
    CANCEL_REQUEST, GSSENC_REQUEST, PROTOCOL_3_2, SSL_REQUEST, Closed, Error, Wire, bind, close, describe, execute, flush, kinds,
    message, parse, query, rows, startup, sync, terminate, text,
)

pytestmark = pytest.mark.proxy

SANITIZED = "asan" in BINARY or "tsan" in BINARY or "sanitize" in BINARY
PORT = 6433  # libpq finds the socket of this name in its folder
READ_COMMANDS = [
    "SHOW HELP", "SHOW NODES", "SHOW CLUSTERS", "SHOW POOLS", "SHOW CLIENTS", "SHOW SESSIONS", "SHOW PINS", "SHOW SERVERS",
    "SHOW LISTENERS", "SHOW WORKERS", "SHOW STATS", "SHOW ROUTES", "SHOW CONFIG", "SHOW VERSION", "SHOW LATENCY", "HELP",
]


def path_of(r):
    return f"{r.directory}/.s.PGSQL.{PORT}"


@pytest.fixture(scope="module")
def admin(cluster):
    """A rolecall whose admin socket anybody may open. The path is relative: it begins at the configuration's folder."""
    from conftest import LISTENERS, Endpoint

    r = Endpoint(cluster, LISTENERS, settings={"admin_socket": f".s.PGSQL.{PORT}", "admin_socket_mode": "0666"})
    yield r
    r.stop()


@pytest.fixture(autouse=True)
def it_lives(request):
    yield
    if "admin" in request.fixturenames:
        request.getfixturevalue("admin").must_live()


class Plain:
    """A client of the plain language that keeps its connection."""

    def __init__(self, r, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path_of(r))  # without a timeout: one that does not wait fails when the backlog is full
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def answer(self):
        """Lines up to the empty one."""
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise Closed("\n".join(lines))
            if line == b"\n":
                return lines
            lines.append(line.decode().rstrip("\n"))

    def ask(self, line):
        self.send(line + "\n")
        return self.answer()


def ask(r, line):
    """As socat does it: everything said, the half closed, everything heard."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path_of(r))
        s.settimeout(20)
        s.sendall(line if isinstance(line, bytes) else (line + "\n").encode())
        s.shutdown(socket.SHUT_WR)
        heard = b""
        while got := s.recv(65536):
            heard += got
        return heard.decode()


def table(r, command):
    """Rows as dictionaries."""
    answer = ask(r, command + "; json")
    assert answer.endswith("\n\n"), answer
    return json.loads(answer)


def one(r, command, **where):
    """The only row with these values."""
    found = [row for row in table(r, command) if all(row[key] == value for key, value in where.items())]
    assert len(found) == 1, found
    return found[0]


def wire(r, **options):
    w = Wire(PORT, host=r.directory)
    w.login(user="anybody", database="anything", **options)
    return w


def connect(r, **options):
    return psycopg.connect(f"host={r.directory} port={PORT} user=me dbname=x", **options)


def psql(r, *args, **options):
    return subprocess.run(
        ["psql", "-X", f"host={r.directory} port={PORT} dbname=x user=me", *args],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, **options,
    )


def ctl(r, *args, env=None, socket_given=True):
    where = ["-s", path_of(r)] if socket_given else []
    return subprocess.run(
        [BINARY, "ctl", *where, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30,
        env=dict(os.environ, **(env or {})),
    )


# One table, many ways to it.


@pytest.mark.parametrize("command", READ_COMMANDS)
def test_every_way_gives_the_same_columns(admin, command):
    plain = ask(admin, command).splitlines()[0].split()
    as_csv = next(csv.reader(io.StringIO(ask(admin, command + "; csv"))))
    as_json = list(table(admin, command)[0]) if table(admin, command) else plain
    through_ctl = ctl(admin, "--csv", *command.split()).stdout.splitlines()[0].split(",")
    with connect(admin) as c:
        driver = [column.name for column in c.execute(command).description]
    through_psql = psql(admin, "--csv", "-c", command).stdout.splitlines()[0].split(",")
    assert plain == as_csv == as_json == through_ctl == driver == through_psql


@pytest.mark.parametrize("command", ["SHOW HELP", "SHOW CONFIG", "SHOW LISTENERS"])
def test_every_way_gives_the_same_rows(admin, command):
    def strings(rows):
        return [["" if value is None else str(value) for value in row] for row in rows]

    as_csv = list(csv.reader(io.StringIO(ask(admin, command + "; csv").rstrip("\n"))))[1:]
    with connect(admin) as c:
        driver = strings(c.execute(command).fetchall())
    through_psql = list(csv.reader(io.StringIO(psql(admin, "--csv", "-t", "-c", command).stdout)))
    through_ctl = list(csv.reader(io.StringIO(ctl(admin, "--csv", *command.split()).stdout)))[1:]
    with_words = [[{"True": "t", "False": "f"}.get(value, value) for value in row] for row in driver]
    assert as_csv == through_ctl == through_psql == with_words
    assert len(as_csv) == len(table(admin, command)) == len(ask(admin, command).splitlines()) - 2


def test_help_names_every_command_once(admin):
    names = [row["command"] for row in table(admin, "help")]
    assert len(names) == len(set(names))
    assert set(READ_COMMANDS) < set(names)
    assert {row["command"] for row in table(admin, "help") if row["permission"] == "admin"} == {"RELOAD", "SHUTDOWN", "LOG LEVEL"}


# The plain language.


def test_an_empty_line_ends_each_answer(admin):
    with Plain(admin) as p:
        for _ in range(3):
            assert p.ask("show version")[0].startswith("version")
        p.send("show clusters; show version\nshow listeners\n")
        assert [p.answer()[0].split()[0] for _ in range(3)] == ["cluster", "version", "listener"]


def test_a_line_may_come_in_pieces_and_with_carriage_returns(admin):
    with Plain(admin) as p:
        for piece in "show ver", "sion", "\r", "\nshow":
            p.send(piece)
            time.sleep(0.05)  # the point: pieces arrive one by one
        assert p.answer()[0].startswith("version")
        p.send(" version\n")
        assert p.answer()[0].startswith("version")


def test_blank_lines_and_comments_are_passed_over(admin):
    with Plain(admin) as p:
        p.send("\n  \n-- a comment\n/* another */;\n")
        assert p.ask("show version")[0].startswith("version")


def test_a_last_line_needs_no_newline(admin):
    assert ask(admin, b"show version").startswith("version")


def test_an_error_drops_the_rest_of_its_line_and_nothing_else(admin):
    with Plain(admin) as p:
        p.send("show version; show nothing; show clusters\nshow listeners\n")
        assert p.answer()[0].startswith("version")
        assert p.answer() == ['error: 42601 unknown command "SHOW NOTHING"; HELP lists all']
        assert p.answer()[0].startswith("listener")


def test_a_format_is_for_its_line_alone(admin):
    with Plain(admin) as p:
        assert json.loads("".join(p.ask("json; show version")))
        assert p.ask("show version")[0].startswith("version ")
        p.send("show nothing; json\n")
        assert json.loads("".join(p.answer()))["error"]["sqlstate"] == "42601"


def test_a_line_that_is_too_long_is_refused_and_skipped(admin):
    with Plain(admin) as p:
        p.send(b"show " + b"x" * 200_000)
        assert p.answer() == ["error: 54000 the line is longer than 65535 bytes"]
        p.send(b"y" * 100_000 + b"\n")
        assert p.ask("show version")[0].startswith("version")


def test_a_long_statement_is_explained(admin):
    statement = "select " + "1+" * 25_000 + "1"
    assert table(admin, f"explain route '{statement}' database app")[0]["verdict"] == "read"


# PostgreSQL's language.


def test_psql_shows_tables(admin):
    done = psql(admin, "-c", "show nodes", "-c", "\\x", "-c", "show clusters; show version", "-c", "explain route 'select 1'")
    assert done.returncode == 0, done.stdout
    assert "(3 rows)" in done.stdout and "-[ RECORD 1 ]" in done.stdout and "WARNING" not in done.stdout
    failed = psql(admin, "-c", "show nothing")
    assert failed.returncode == 1 and failed.stdout == 'ERROR:  unknown command "SHOW NOTHING"; HELP lists all\n'


def test_psql_watches(admin):
    # psql divides its input at semicolons and ends with it.
    process = subprocess.Popen(
        ["psql", "-X", "-A", "-t", f"host={admin.directory} port={PORT} dbname=x"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    process.stdin.write("show version \\watch 0.1\n")
    process.stdin.flush()
    seen = 0
    for line in process.stdout:
        seen += line.startswith("rolecall ")
        if seen == 3:
            break
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert seen == 3


def test_a_script_of_several_commands_stops_at_an_error(admin):
    with wire(admin) as w:
        got = w.query("show version; show nothing; show version")
        assert kinds(got) == "TDCEZ"
        assert kinds(w.query("show version; show version")) == "TDCTDCZ"
        assert kinds(w.query(" ; ")) == "IZ"
        assert [m.tag for m in w.query("show version") if m.kind == "C"] == ["SHOW"]


def test_a_driver_with_its_defaults_is_served(admin):
    with connect(admin) as c:
        assert c.info.server_version == 140000
        for _ in range(8):  # from the sixth on as a prepared statement
            assert c.execute("show clusters").fetchone()[:4] == ("main", "node1", 3, 3)
        assert c.execute("show clusters", binary=True).fetchone()[:4] == ("main", "node1", 3, 3)
        assert c.execute("show listeners", binary=True, prepare=True).fetchone()[7] is False
        c.commit()
        with pytest.raises(psycopg.errors.SyntaxError):
            c.execute("show nothing")
        c.rollback()
        with pytest.raises(psycopg.errors.ProtocolViolation):
            c.execute("explain route %s", ["select 1"])


def test_asyncpg_is_served(admin):
    import asyncpg

    async def run():
        c = await asyncpg.connect(host=admin.directory, port=PORT, user="me", database="x")
        nodes = await c.fetch("show nodes")
        assert {(n["node"], n["role"]) for n in nodes} == {("node1", "primary"), ("node2", "replica"), ("node3", "replica")}
        assert all(isinstance(n["port"], int) for n in nodes)
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await c.fetch("show nothing")
        assert (await c.fetchrow("show version"))["version"].startswith("rolecall ")
        await c.close()

    asyncio.run(run())


def test_the_extended_protocol_is_followed(admin):
    with wire(admin) as w:
        w.send(parse("s", "show nodes"), describe("S", "s"), sync())
        assert w.types_until_ready() == "1tTZ"
        w.send(bind("", "s"), describe("P"), execute(rows=2), execute(), sync())
        assert w.types_until_ready() == "2TDDsDCZ"
        w.send(parse("", ""), bind(), describe(), execute(), sync())
        assert w.types_until_ready() == "12nIZ"
        w.send(parse("", "begin"), bind(), describe(), execute(), sync())
        assert w.types_until_ready() == "12nCZ"
        w.send(close("S", "s"), close("S", "s"), flush(), bind("", "s"), execute(), sync())
        got = w.until()
        assert kinds(got) == "33EZ" and got[2].sqlstate == "26000"
        assert kinds(w.query("show version")) == "TDCZ"


@pytest.mark.parametrize(
    "sqlstate, messages",
    [
        ("42601", [parse("", "show nothing")]),
        ("42601", [parse("", "show version; show version")]),
        ("42601", [parse("", "show 'version")]),
        ("42P05", [parse("s", "show version"), parse("s", "show version")]),
        ("26000", [bind("", "nobody\x01")]),
        ("26000", [describe("S", "nobody")]),
        ("34000", [describe("P", "nobody")]),
        ("34000", [execute("nobody")]),
        ("08P01", [parse("", "show version"), bind("", "", ["1"])]),
        ("08P01", [parse("", "show version"), bind("", "", [], [0, 1])]),
        ("42P03", [parse("", "show version"), bind("p"), bind("p")]),
        ("53400", [parse("", "show version"), *(bind(f"p{i}") for i in range(17))]),
        ("53400", [parse(f"s{i}", "show version --" + "x" * 50_000) for i in range(6)]),
        ("53400", [parse("x" * 50_000 + str(i), "show version") for i in range(6)]),
        ("22023", [parse("", "log level loud"), bind(), execute()]),
    ],
)
def test_an_error_in_a_batch_skips_to_its_sync(admin, sqlstate, messages):
    with wire(admin) as w:
        w.send(*messages, parse("", "show version"), bind(), execute(), query("show version"), sync())
        got = w.until()
        assert kinds(got).endswith("EZ") and kinds(got).count("E") == 1
        assert got[-2].sqlstate == sqlstate
        assert kinds(w.query("show version")) == "TDCZ"


def test_pipelined_requests_are_answered_in_order(admin):
    with wire(admin) as w:
        w.send(*[query("show sessions") for _ in range(50)], query("show version"), terminate())
        for _ in range(50):
            assert kinds(w.until())[0] == "T"
        assert w.until()[0].columns[0] == "version"
        assert w.is_closed()


def test_encryption_is_declined_and_cancel_requests_are_nothing(admin):
    w = Wire(PORT, host=admin.directory)
    for code in SSL_REQUEST, GSSENC_REQUEST, SSL_REQUEST:
        w.send(struct.pack("!II", 8, code))
        assert w.take(1) == b"N"
    w.login(user="me", database="x", protocol=PROTOCOL_3_2)
    assert kinds(w.query("show version")) == "TDCZ"
    w.close()
    w = Wire(PORT, host=admin.directory)
    w.send(struct.pack("!IIII", 16, CANCEL_REQUEST, 1, 2))
    assert w.is_closed()


def test_a_protocol_of_the_future_is_negotiated(admin):
    with Wire(PORT, host=admin.directory) as w:
        w.send(startup(0x0003FFFF, user="me", **{"_pq_.new": "1"}))
        w.authenticate("me", "")
        assert w.negotiated == PROTOCOL_3_2
        assert kinds(w.query("show version")) == "TDCZ"


# What is shown.


def test_nodes_and_clusters_are_shown(admin, cluster):
    nodes = {row["node"]: row for row in table(admin, "show nodes")}
    assert {name: row["role"] for name, row in nodes.items()} == {"node1": "primary", "node2": "replica", "node3": "replica"}
    assert {row["condition"] for row in nodes.values()} == {"up"}
    assert {name: row["port"] for name, row in nodes.items()} == {node.name: node.port for node in cluster.nodes}
    assert nodes["node1"]["lag_bytes"] is None and nodes["node2"]["lag_bytes"] >= 0
    assert all(row["reason"] for row in nodes.values())
    main = one(admin, "show clusters")
    assert (main["primary"], main["up"], main["replicas"], main["reason"]) == ("node1", 3, 2, None)


def test_a_node_that_dies_is_shown_with_the_reason(make, own_cluster):
    r = make(own_cluster, {"main": dict(route="primary", pool="transaction")}, settings={"admin_socket": f".s.PGSQL.{PORT}"})
    own_cluster.replicas[0].kill()
    wait_until(lambda: one(r, "show nodes", node="node2")["condition"] == "down", 10, "node2 is shown as down")
    assert one(r, "show nodes", node="node2")["reason"]
    assert one(r, "show clusters")["up"] == 2
    own_cluster.primary.kill()
    wait_until(lambda: one(r, "show clusters")["primary"] is None, 10, "the cluster is shown without a primary")
    assert one(r, "show clusters")["reason"]
    explained = table(r, "explain route 'insert into t values (1)'")[0]
    assert explained["node"] is None and explained["wait"] == one(r, "show clusters")["reason"]
    own_cluster.replicas[1].promote()
    wait_until(lambda: one(r, "show clusters")["primary"] == "node3", 10, "the new primary is shown")


def test_sessions_are_shown_as_they_are(admin):
    name = "shown-session"
    assert not [row for row in table(admin, "show sessions") if row["application_name"] == name]
    with admin.connect("split", application_name=name) as c:
        row = one(admin, "show sessions", application_name=name)
        assert (row["user"], row["database"], row["listener"], row["state"]) == ("app", "app", "split", "idle")
        assert (row["addr"], row["transaction"], row["pins"], row["tls"]) == ("127.0.0.1", None, None, False)
        assert row["port"] == int(c.info.parameter_status("client_port") or row["port"])
        c.execute("begin")
        c.execute("select 1")
        row = one(admin, "show clients", application_name=name)
        assert (row["transaction"], row["node"]) == ("open", "node1")
        assert row["remote_pid"] == c.execute("select pg_backend_pid()").fetchone()[0]
        link = one(admin, "show servers", remote_pid=row["remote_pid"])
        assert (link["link"], link["state"], link["role"], link["transaction"]) == (row["id"], "active", "primary", "open")
        c.execute("rollback")
        c.execute("listen news")
        assert one(admin, "show pins", id=row["id"])["pins"] == "listen"
    wait_until(lambda: not [x for x in table(admin, "show sessions") if x["application_name"] == name], what="it is gone")


def test_a_session_that_waits_shows_for_how_long(make, cluster):
    r = make(
        cluster, {"main": dict(route="primary", pool="transaction")},
        settings={"admin_socket": f".s.PGSQL.{PORT}", "pool_size": 1, "workers": 2},
    )
    with r.connect("main", autocommit=False) as holder:
        holder.execute("select 1")
        with Wire(r.ports["main"]) as w:
            w.login()
            w.send(query("select 2"))
            waiting = wait_until(
                lambda: [row for row in table(r, "show sessions") if row["state"] == "waiting" and row["wait_us"] + row["wait"]],
                what="one waits",
            )
            assert len(waiting) == 1
            wait_until(lambda: one(r, "show pools", node="node1")["maxwait"] >= 1, 5, "a second of waiting is shown")
            pool = one(r, "show pools", node="node1")
            assert (pool["cl_active"], pool["cl_waiting"], pool["sv_active"], pool["sv_idle"]) == (1, 1, 1, 0)
            assert (pool["database"], pool["user"], pool["pool_mode"], pool["pool_size"]) == ("app", "app", "transaction", 1)
            holder.rollback()
            assert w.types_until_ready() == "TDCZ"
    wait_until(lambda: one(r, "show pools", node="node1")["sv_idle"] == 1, what="the connection is idle")
    assert one(r, "show pools", node="node1")["cl_waiting"] == 0


def test_relays_are_shown(admin):
    with admin.connect("replica-none", application_name="shown-relay") as c:
        pid = c.execute("select pg_backend_pid()").fetchone()[0]
        row = one(admin, "show sessions", application_name="shown-relay")
        assert (row["state"], row["remote_pid"]) == ("relay", pid)
        server = one(admin, "show servers", remote_pid=pid)
        assert (server["relay"], server["link"], server["user"], server["role"]) == (True, row["id"], "app", "replica")


def test_counters_grow_with_the_work(admin):
    def counts():
        return {row["reason"]: row["count"] for row in table(admin, "show routes")}

    with admin.connect("split") as c:
        c.prepare_threshold = None  # or the driver sends requests of its own
        wait_until(lambda: c.execute("select 1") and counts()["read"] > 0, what="the catalogue is known")
        before, stats = counts(), one(admin, "show stats")
        for _ in range(7):
            c.execute("select 1")
        c.execute("create temp table counted (a int)")
        c.execute("insert into counted values (1)")
        after, later = counts(), one(admin, "show stats")
    assert after["read"] - before["read"] == 7
    assert after["ddl"] - before["ddl"] == 1 and after["pinned"] - before["pinned"] == 1
    assert later["total_query_count"] - stats["total_query_count"] == 9
    assert later["pinned"] == stats["pinned"] + 1
    workers = table(admin, "show workers")
    assert len(workers) == 2
    assert sum(row["total_query_count"] for row in workers) == one(admin, "show stats")["total_query_count"]


def test_listeners_count_their_clients(admin):
    before = one(admin, "show listeners", listener="any")["clients"]
    with admin.connect("any"), admin.connect("any"):
        assert one(admin, "show listeners", listener="any")["clients"] == before + 2


def test_no_secret_is_shown(admin):
    answer = ask(admin, "show config")
    assert "secret" not in answer.replace("auth_query", "") and "********" in answer
    assert one(admin, "show config", section="cluster main", key="probe_password")["value"] == "********"


# EXPLAIN ROUTE against what sessions really do.


@pytest.mark.parametrize(
    "statement, verdict, role",
    [
        ("select 1", "read", "replica"),
        ("select whereami()", "read", "replica"),
        ("select pg_backend_pid()", "function_special", "primary"),
        ("select never_heard_of()", "function_unknown", "primary"),
        ("insert into t values ('it''s')", "write", "primary"),
        ("select * from pg_class for update", "row_lock", "primary"),
        ("begin read only", "read", "replica"),
        ("show server_version", "show", "primary"),
        ("/* rolecall: primary */ select 1", "hint_primary", "primary"),
        ("select 1; select 2", "read", "replica"),
    ],
)
def test_a_route_is_explained(admin, statement, verdict, role):
    with admin.connect("split") as c:  # so that the catalogue is read
        c.execute("select 1")
    quoted = statement.replace("'", "''")
    wait_until(lambda: table(admin, "explain route 'select 1' database app")[0]["catalogue"] == "known", what="catalogue")
    row = table(admin, f"explain route '{quoted}' database app")[0]
    assert (row["verdict"], row["role"], row["listener"]) == (verdict, role, "split")
    assert row["text"] and row["wait"] is None
    assert ctl(admin, "--json", "explain", "route", statement, "database", "app").returncode == 0
    through_ctl = json.loads(ctl(admin, "--json", "explain", "route", statement, "database", "app").stdout)[0]
    assert through_ctl["verdict"] == verdict


def test_a_database_that_was_never_used_is_looked_up_for_the_next_time(make, cluster):
    r = make(cluster, {"main": dict(route="split", pool="transaction")}, ready=False, settings={"admin_socket": f".s.PGSQL.{PORT}"})
    wait_until(lambda: one(r, "show clusters")["primary"], what="the primary is known")
    first = table(r, "explain route 'select 1' database app")[0]
    assert first["verdict"] == "no_catalogue" and "asked for" in first["catalogue"]
    wait_until(lambda: table(r, "explain route 'select 1' database app")[0]["verdict"] == "read", what="the catalogue is read")


# Doing something.


def test_reload_changes_what_the_file_says(make, cluster):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings={"admin_socket": f".s.PGSQL.{PORT}"})
    r.sections["rolecall"]["pool_size"] = 7
    r.sections["node node2"]["weight"] = 33
    r.write_config()
    assert ask(r, "reload") == "RELOAD\n\n"
    assert one(r, "show config", section="rolecall", key="pool_size")["value"] == "7"
    wait_until(lambda: one(r, "show nodes", node="node2")["weight"] == 33, what="the weight is in force")
    r.sections["rolecall"]["pool_size"] = "many"
    r.write_config()
    with wire(r) as w:
        (error,) = [m for m in w.query("reload") if m.kind == "E"]
        assert error.sqlstate == "F0000" and "pool_size" in error.fields["M"]
    refused = ctl(r, "reload")
    assert refused.returncode == 1 and "pool_size" in refused.stderr and refused.stdout == ""
    assert one(r, "show config", section="rolecall", key="pool_size")["value"] == "7"
    assert r.value("main", "select 1") == 1


def test_log_level_changes_what_is_logged(admin):
    def closed():
        return admin.log().count("event=client_closed")

    before = closed()
    admin.value("primary", "select 1")
    assert ask(admin, "log level debug") == "LOG\n\n"
    wait_until(lambda: admin.value("primary", "select 1") and closed() > before, what="debug events are logged")
    assert ask(admin, "log level info") == "LOG\n\n"
    assert 'event=admin_command command="LOG LEVEL" argument=debug' in admin.log()


@pytest.mark.parametrize("way", ["plain", "psql", "ctl"])
def test_shutdown_drains_and_ends(make, cluster, way):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings={"admin_socket": f".s.PGSQL.{PORT}"})
    path = path_of(r)
    with r.connect("main", autocommit=False) as c:
        c.execute("select 1")
        if way == "plain":
            assert ask(r, "shutdown") == "SHUTDOWN\n\n"
        elif way == "psql":
            assert psql(r, "-c", "shutdown").returncode == 0
        else:
            assert ctl(r, "shutdown").returncode == 0
        c.execute("select 1")  # a transaction may end
        assert one(r, "show stats")["clients"] == 1  # and can be watched meanwhile
        c.commit()
    r.process.wait(20)
    assert r.process.returncode == 0
    assert not os.path.exists(path)


def test_a_second_shutdown_does_not_wait(make, cluster):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings={"admin_socket": f".s.PGSQL.{PORT}"})
    with r.connect("main", autocommit=False) as c:
        c.execute("select 1")
        with Plain(r) as p:
            assert p.ask("shutdown") == ["SHUTDOWN"]
            assert p.ask("shutdown") == ["SHUTDOWN"]
            r.process.wait(10)
        with pytest.raises(psycopg.OperationalError):
            c.execute("select 1")
    assert r.process.returncode == 0


def test_shutdown_while_workers_are_being_asked(make, cluster):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings={"admin_socket": f".s.PGSQL.{PORT}"})
    c = r.connect("main", autocommit=False)
    c.execute("select 1")
    clients = [Plain(r) for _ in range(20)]
    for p in clients:
        p.send("show sessions; show servers; show pools\n" * 100)
    with Plain(r) as p:
        p.send("shutdown; shutdown\n")
        r.process.wait(10)
    assert r.process.returncode == 0
    for p in clients:
        p.__exit__()
    c.close()


# Who may do what.


def as_nobody(*argv, input=None):
    return subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, input=input, text=True, timeout=30,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_others_may_look_and_not_touch(admin):
    done = as_nobody("socat", "-", f"UNIX:{path_of(admin)}", input="show version\nreload\nshutdown\nlog level debug\nshow version\n")
    answers = done.stdout.split("\n\n")
    assert answers[0].startswith("version") and answers[4].startswith("version")
    for answer, command in zip(answers[1:4], ("RELOAD", "SHUTDOWN", "LOG LEVEL")):
        assert answer == f"error: 42501 permission denied: {command} is for root and the account that rolecall runs as"
    refused = as_nobody(BINARY, "ctl", "-s", path_of(admin), "reload")
    assert refused.returncode == 1 and "permission denied" in refused.stderr
    denied = as_nobody("psql", "-X", f"host={admin.directory} port={PORT} dbname=x", "-c", "reload")
    assert "permission denied" in denied.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_the_file_mode_keeps_others_out(rolecall):
    assert os.stat(rolecall.admin).st_mode & 0o777 == 0o600
    refused = as_nobody(BINARY, "ctl", "-s", rolecall.admin, "show", "nodes")
    assert refused.returncode == 2 and "Permission denied" in refused.stderr
    own = processes.run([BINARY, "ctl", "-s", rolecall.admin, "log", "level", "info"])  # the account that it runs as
    assert own.stdout == "LOG\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_that_becomes_another_account_hands_the_socket_over(cluster):
    from conftest import Endpoint

    r = Endpoint(cluster, {"main": dict(route="primary", pool="transaction")}, settings={"user": "postgres"}, account=None)
    try:
        assert processes.run([BINARY, "ctl", "-s", r.admin, "log", "level", "info"]).stdout == "LOG\n"
    finally:
        r.stop()


# rolecall ctl.


def test_ctl_tells_by_its_status_how_it_went(admin):
    done = ctl(admin, "show", "version")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("version")
    refused = ctl(admin, "show", "nothing")
    assert (refused.returncode, refused.stdout) == (1, "") and "unknown command" in refused.stderr
    refused = ctl(admin, "--json", "show", "nothing")
    assert (refused.returncode, refused.stdout) == (1, "") and json.loads(refused.stderr)["error"]
    for wrong in [], ["--what"], ["-s"], ["-s", "/nowhere/x", "show", "nodes"], ["-c", "/nowhere/x", "show", "nodes"], ["-s", "x" * 200, "help"]:
        got = ctl(admin, *wrong, socket_given=False)
        assert got.returncode == 2 and got.stderr and not got.stdout, wrong
    assert ctl(admin, "show", "nodes", socket_given=False, env={"ROLECALL_ADMIN": ""}).returncode == 2


def test_ctl_finds_the_socket(admin):
    assert ctl(admin, "show", "version", socket_given=False, env={"ROLECALL_ADMIN": path_of(admin)}).returncode == 0
    assert ctl(admin, "-c", admin.config_path, "show", "version", socket_given=False).returncode == 0
    assert "ctl" in ctl(admin, "--help", socket_given=False).stdout


def test_ctl_hands_words_on_as_the_shell_gave_them(admin):
    statement = "select 'it''s', E'\\\\', $$;$$ -- a comment\n from pg_class\nfor update"
    row = json.loads(ctl(admin, "--json", "explain", "route", statement, "database", "app").stdout)[0]
    assert (row["verdict"], row["statements"]) == ("row_lock", 1)
    assert json.loads(ctl(admin, "--json", "explain", "route", "commit").stdout)[0]["verdict"] == "transaction"
    done = ctl(admin, "show version; show clusters")
    assert done.returncode == 0 and "version" in done.stdout and "node1" in done.stdout
    half = ctl(admin, "show version; show nothing; show clusters")
    assert half.returncode == 1 and "version" in half.stdout and "node1" not in half.stdout


def test_socat_is_served(admin):
    done = subprocess.run(
        ["socat", "-", f"UNIX:{path_of(admin)}"], input="show nodes\nshow version", stdout=subprocess.PIPE, text=True, timeout=20
    )
    assert done.stdout.count("\n\n") == 2 and "node3" in done.stdout


# Bad input.


def test_a_thousand_garbage_lines_get_a_thousand_errors(admin):
    rng = random.Random(1)
    with Plain(admin) as p:
        for number in range(1000):
            line = b"\x01" + rng.randbytes(rng.randrange(200)).replace(b"\n", b"").replace(b";", b"")
            p.send((line if number else line[1:].lstrip(b"\0") or b"x") + b"\n")
            answer = p.answer()
            assert len(answer) == 1 and answer[0].startswith("error: 42601 "), (line, answer)
        assert p.ask("show version")[0].startswith("version")


def test_a_thousand_almost_commands_get_an_answer_each(admin):
    rng = random.Random(2)
    words = ["show", "nodes", "explain", "route", "'", "''", "$$", "'select 1'", "database", "listener", "app", "--", "/*", "*/", ";",
             "csv", "json", "log", "level", "\"", "E'\\", "sessions", "pools", "\x00", "\xff", "help", "set", "begin"]
    with Plain(admin) as p:
        for _ in range(1000):
            p.send(" ".join(rng.choice(words) for _ in range(rng.randrange(1, 8))).lstrip("\0") + "\nshow version; csv\n")
            while p.answer()[0] != "version,pid,uptime_s":
                pass


def garbage_packets(rng):
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 300))
    if kind == 1:
        return message(chr(rng.randrange(1, 127)), rng.randbytes(rng.randrange(100)))
    if kind == 2:
        return bytes([rng.choice(b"QPBEDCSHXFdcfp")]) + struct.pack("!I", rng.choice([0, 3, 4, 5, 70_000, 2**31, 2**32 - 1]))
    if kind == 3:
        return message(rng.choice("QPBEDCF"), rng.randbytes(rng.randrange(60)))
    if kind == 4:
        return query(rng.randbytes(rng.randrange(60)).replace(b"\0", b"x"))
    return parse("", "show version") + bind() + execute() + rng.choice([sync(), b""])


def test_a_thousand_garbage_packets_do_no_harm(admin):
    rng = random.Random(3)
    with wire(admin) as good:
        for _ in range(1000):
            w = Wire(PORT, host=admin.directory)
            try:
                if rng.randrange(3):
                    w.login(user="me", database="x")
                else:
                    w.send(b"\0" + rng.randbytes(rng.randrange(60)))
                w.send(garbage_packets(rng))
                w.send(sync(), query("show version"))
                w.socket.shutdown(socket.SHUT_WR)
                heard = b""
                w.socket.settimeout(20)
                while got := w.socket.recv(65536):
                    heard += got
            except (BrokenPipeError, ConnectionResetError, Error):
                pass
            finally:
                w.close()
        assert kinds(good.query("show version")) == "TDCZ"
    assert ask(admin, "show version").startswith("version")


@pytest.mark.parametrize(
    "sent, sqlstate",
    [
        (b"Q" + struct.pack("!I", 3), "08P01"),
        (b"Q" + struct.pack("!I", 70_000), "54000"),
        (b"?" + struct.pack("!I", 4), "08P01"),
        (message("Q", b"no end"), "08P01"),
        (message("B", b"\0"), "08P01"),
        (message("P", b""), "08P01"),
        (message("E", b"x"), "08P01"),
        (message("D", b"X\0"), "08P01"),
    ],
)
def test_a_malformed_message_is_fatal(admin, sent, sqlstate):
    with wire(admin) as w:
        w.send(sent)
        m = w.receive()
        assert m.kind == "E" and m.fields["S"] == "FATAL" and m.sqlstate == sqlstate
        assert w.is_closed()


@pytest.mark.parametrize(
    "sent, sqlstate",
    [
        (struct.pack("!I", 7), "08P01"),
        (struct.pack("!I", 20_000), "08P01"),
        (struct.pack("!II", 8, 0x00020000), "0A000"),
        (startup(database="x"), "28000"),
        (startup(user="x", replication="true"), "0A000"),
    ],
)
def test_a_bad_startup_packet_is_fatal(admin, sent, sqlstate):
    with Wire(PORT, host=admin.directory) as w:
        w.send(sent)
        assert w.receive().sqlstate == sqlstate
        assert w.is_closed()


def test_function_calls_are_refused_and_stray_copy_data_is_ignored(admin):
    with wire(admin) as w:
        w.send(message("F", b"\0\0\0\1"))
        got = w.until()
        assert kinds(got) == "EZ" and got[0].sqlstate == "0A000"
        w.send(message("d", b"rows"), message("c"), message("f", text("no")), query("show version"))
        assert w.types_until_ready() == "TDCZ"


# Bad manners.


@pytest.fixture
def strict(make, cluster):
    return make(
        cluster, {"main": dict(route="primary", pool="transaction")},
        settings={"admin_socket": f".s.PGSQL.{PORT}", "login_timeout": "1s"},
    )


@pytest.mark.parametrize("begun", [b"show ver", struct.pack("!I", 40) + b"\0\3\0\0user", b""])
def test_what_is_begun_must_be_finished(strict, begun):
    with Plain(strict) as p:
        p.send(begun)
        began = time.monotonic()
        heard = p.file.read()
        assert 0.5 < time.monotonic() - began < 6
        assert b"57P05" in heard if begun else heard == b""


def test_an_idle_console_is_left_alone(strict):
    with Plain(strict) as p, wire(strict) as w:
        p.ask("show version")
        time.sleep(2.5)  # longer than login_timeout: the point
        assert p.ask("show version")[0].startswith("version")
        assert kinds(w.query("show version")) == "TDCZ"
        p.send("show ver")
        time.sleep(0.2)
        p.send("sion\n")
        assert p.answer()[0].startswith("version")


def test_the_console_idle_for_longest_gives_way(admin):
    clients = [wire(admin)]
    time.sleep(0.1)
    clients += [wire(admin) for _ in range(63)]
    try:
        assert ask(admin, "show version").startswith("version")
        m = clients[0].receive()
        assert m.fields["S"] == "FATAL" and m.sqlstate == "53300"
        assert kinds(clients[-1].query("show version")) == "TDCZ"
    finally:
        for c in clients:
            c.close()


def test_busy_clients_make_new_ones_wait_and_not_fail(admin):
    held = [Plain(admin) for _ in range(64)]
    for p in held:
        p.send("show ver")  # in the middle of a line: none is idle
    late = Plain(admin)
    late.send("show version\n")
    late.socket.settimeout(0.7)
    with pytest.raises(TimeoutError):
        late.socket.recv(1)
    late.socket.settimeout(20)
    held.pop().__exit__()
    assert late.socket.recv(100).startswith(b"version")
    for p in held + [late]:
        p.__exit__()


def test_a_client_that_does_not_read_costs_little(admin):
    before = admin.rss_kib()
    with Plain(admin) as p, wire(admin) as w:
        p.socket.setblocking(False)
        w.socket.setblocking(False)
        for s, ask_for in ((p.socket, b"show config\n"), (w.socket, query("show config"))):
            try:
                for _ in range(100_000):
                    s.send(ask_for)
            except BlockingIOError:
                pass
        for _ in range(20):
            assert ask(admin, "show version").startswith("version")
        assert admin.rss_kib() - before < (100_000 if SANITIZED else 8_000)


def test_a_client_that_leaves_in_the_middle_is_forgotten(admin):
    for _ in range(200):
        p = Plain(admin)
        p.send("show sessions; show servers; show pools; show config\n" * 5)
        p.__exit__()
    assert ask(admin, "show version").startswith("version")


# Ten thousand sessions.


def raise_descriptors(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted and hard >= wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def open_sessions(port, n):
    """Logged in and idle, with as little work as possible."""
    packet = startup(user="app", database="app", application_name="crowd")
    sockets = []
    for start in range(0, n, 100):
        batch = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(min(100, n - start))]
        for s in batch:
            s.sendall(packet)
        sockets += batch
    for s in sockets:
        heard = b""
        while not heard.endswith(b"Z\0\0\0\5I"):
            got = s.recv(4096)
            assert got, heard
            heard += got
    return sockets


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


class Traffic:
    """Queries one after the other, each timed."""

    def __init__(self, r, listener):
        self.times, self.stop = [], threading.Event()
        self.connection = r.connect(listener)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.stop.is_set():
            began = time.perf_counter()
            self.connection.execute("select 1")
            self.times.append(time.perf_counter() - began)

    def take(self):
        taken, self.times = self.times, []
        return taken

    def end(self):
        self.stop.set()
        self.thread.join()
        self.connection.close()


def test_ten_thousand_sessions_are_shown(make, cluster, capsys):
    n = 1000 if SANITIZED else min(10_000, raise_descriptors(12_000) - 500)
    # Without a password on the listener the node's must be known; the crowd never sends a query.
    r = make(
        cluster,
        {"main": dict(route="primary", pool="transaction"), "crowd": dict(route="primary", pool="transaction", auth="trust")},
        settings={"admin_socket": f".s.PGSQL.{PORT}", "max_clients": 12_000, "client_idle_timeout": 0},
        databases={"*": dict(user="app", password="app-secret")},
    )
    traffic = Traffic(r, "main")  # first: psycopg waits with select(), which knows no large descriptors
    crowd = []
    try:
        crowd = open_sessions(r.ports["crowd"], n)
        traffic.take()
        time.sleep(2)  # what is measured, first without
        quiet = traffic.take()
        began, rounds = time.monotonic(), 0
        while time.monotonic() - began < 2:
            answer = ask(r, "show sessions; csv")
            rounds += 1
        busy = traffic.take()
        took = (time.monotonic() - began) / rounds
    finally:
        traffic.end()
        for s in crowd:
            s.close()
    shown = list(csv.DictReader(io.StringIO(answer.rstrip("\n"))))
    assert sum(row["application_name"] == "crowd" for row in shown) == n
    assert len({row["id"] for row in shown}) == len(shown) == n + 1
    with capsys.disabled():
        print(
            f"\n{n} sessions: SHOW SESSIONS took {took * 1000:.0f} ms; a query's p99 beside it {quantile(busy, .99) * 1000:.2f} ms,"
            f" without {quantile(quiet, .99) * 1000:.2f} ms"
        )
    assert quantile(busy, 0.99) < quantile(quiet, 0.99) + 0.1
    wait_until(lambda: one(r, "show stats")["clients"] <= 1, what="the crowd has gone")
