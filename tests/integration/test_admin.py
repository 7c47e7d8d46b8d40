"""The admin socket: one table of commands in two languages, for socat, psql, drivers and `rolecall ctl`."""

import asyncio
import csv
import io
import json
import struct
import subprocess
import time

import psycopg
import pytest

from lib.admin import PORT, Plain, ask, connect, ctl, psql, table, wire
from lib.wire import CANCEL_REQUEST, GSSENC_REQUEST, PROTOCOL_3_2, SSL_REQUEST, Wire, bind, close, describe, execute, flush, kinds, parse, query, startup, sync, terminate

pytestmark = pytest.mark.proxy

READ_COMMANDS = [
    "SHOW HELP", "SHOW NODES", "SHOW CLUSTERS", "SHOW POOLS", "SHOW CLIENTS", "SHOW SESSIONS", "SHOW PINS", "SHOW SERVERS",
    "SHOW LISTENERS", "SHOW WORKERS", "SHOW STATS", "SHOW ROUTES", "SHOW CONFIG", "SHOW VERSION", "SHOW LATENCY", "HELP",
    "SHOW DATABASES", "SHOW USERS", "SHOW LISTS", "SHOW STATS_TOTALS", "SHOW TOTALS", "SHOW POOLS BY NODE", "SHOW STATE", "SHOW WAITING",
]


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
    admins = {row["command"] for row in table(admin, "help") if row["permission"] == "admin"}
    assert {"RELOAD", "SHUTDOWN", "LOG LEVEL", "PAUSE", "KILL", "DRAIN", "SET WEIGHT"} <= admins
    assert not admins & set(READ_COMMANDS)


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
        assert p.ask("show version")[0] == "version"
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
