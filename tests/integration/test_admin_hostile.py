"""Bad input and bad manners on the admin socket."""

import random
import socket
import struct
import time

import pytest

from lib.admin import PORT, SANITIZED, SETTINGS, Plain, ask, wire
from lib.wire import Error, Wire, bind, execute, kinds, message, parse, query, startup, sync, text

pytestmark = pytest.mark.proxy


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
            while p.answer()[0] != "version":
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
        settings={**SETTINGS, "login_timeout": "1s"},
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
