"""Bad input and bad manners: rolecall stays up, stays small, and serves the others."""

import os
import random
import socket
import struct
import threading
import time

import pytest

from lib.processes import wait_until
from lib.wire import PROTOCOL_3_0, Closed, Error, Wire, message, query, startup, sync

pytestmark = pytest.mark.proxy

SANITIZED = "asan" in os.environ.get("ROLECALL_BIN", "")
MEMORY_KIB = (600 if SANITIZED else 120) * 1024


@pytest.fixture(scope="module")
def busy(cluster):
    """A rolecall of its own: what happens here must not be mixed up with the other tests' traffic."""
    from conftest import LISTENERS, Endpoint

    r = Endpoint(cluster, LISTENERS, settings={"login_timeout": "3s", "workers": 2, "max_clients": 3000})
    yield r
    r.stop()


@pytest.fixture(autouse=True)
def others_are_served(busy):
    """A client that works all the while, and never waits for long."""
    stop = threading.Event()
    slowest, failed = [0.0], []

    def work():
        try:
            with busy.connect("split") as c:
                while not stop.is_set():
                    began = time.monotonic()
                    assert c.execute("select 1").fetchone()[0] == 1
                    slowest[0] = max(slowest[0], time.monotonic() - began)
                    time.sleep(0.01)
        except Exception as error:  # noqa: BLE001 - reported below
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()
    busy.must_live()
    assert failed == []
    assert slowest[0] < 5
    assert busy.rss_kib() < MEMORY_KIB


def raw(busy, listener="split", timeout=5):
    s = socket.create_connection(("127.0.0.1", busy.ports[listener]), timeout=timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def pour(s, data):
    """Sends and closes, whether the other side likes it or not."""
    try:
        s.sendall(data)
        s.settimeout(0.01)
        s.recv(100)
    except OSError:
        pass
    s.close()


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_before_login(busy, seed):
    """A thousand streams in all."""
    dice = random.Random(seed)
    for i in range(250):
        pour(raw(busy, dice.choice(list(busy.ports))), dice.randbytes(dice.choice([1, 7, 8, 9, 100, 5000, 70000])))


@pytest.mark.parametrize("seed", range(2))
def test_random_bytes_behind_a_good_startup_packet(busy, seed):
    dice = random.Random(100 + seed)
    for i in range(100):
        pour(raw(busy), startup(user="app", database="app") + dice.randbytes(dice.choice([1, 5, 50, 5000])))


@pytest.mark.parametrize("listener", ["split", "primary", "primary-session", "primary-none", "primary-statement"])
def test_random_bytes_after_login(busy, listener):
    dice = random.Random(listener)
    for i in range(25):
        w = Wire(busy.ports[listener])
        w.login()
        pour(w.socket, dice.randbytes(dice.choice([1, 5, 6, 50, 5000])))


@pytest.mark.parametrize("listener", ["split", "primary", "primary-session"])
def test_random_messages_after_login(busy, listener):
    """Well framed, with kinds that exist, and nonsense inside."""
    dice = random.Random(listener)
    for i in range(40):
        w = Wire(busy.ports[listener])
        w.login()
        w.send(*[message(dice.choice("QPBDECSHdcfFp"), dice.randbytes(dice.choice([0, 1, 4, 20, 300]))) for _ in range(10)], sync())
        pour(w.socket, b"")


@pytest.mark.parametrize("kind", list("QPBDECSHdcfFpX") + ["\0", "\x7f", "\xff"])
@pytest.mark.parametrize("size", [0, 3, 0x40000001, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_impossible_lengths(busy, kind, size):
    with Wire(busy.ports["split"]) as w:
        w.login()
        w.send(kind.encode("latin-1") + struct.pack("!I", size) + b"x" * 100)
        if size < 4 or size >= 0x40000000 or kind in "\0\x7f\xff":
            try:
                while w.receive(timeout=5).kind != "E":
                    pass
            except (Closed, AssertionError):
                pass
            assert w.is_closed()


@pytest.mark.parametrize("kind", list("PBDECFd"))
def test_truncated_messages_are_refused(busy, kind):
    for length in range(0, 12):
        with Wire(busy.ports["split"]) as w:
            w.login()
            w.send(message(kind, b"\0\0\0\1\0\0\0\1abcd"[:length]), sync())
            try:
                while w.receive(timeout=5).kind not in "EZ":
                    pass
            except Closed:
                pass


def test_half_open_logins_are_dropped_in_time(busy):
    sockets = []
    for i in range(300):
        s = raw(busy, timeout=15)
        s.sendall([b"", b"\0", startup(user="app", database="app")[:9], startup(user="app", database="app")][i % 4])
        sockets.append(s)
    began = time.monotonic()
    for s in sockets:
        try:
            while s.recv(4096):
                pass
        except ConnectionResetError:
            pass
        s.close()
    assert time.monotonic() - began < 12


def test_unsaid_passwords_of_great_length(busy):
    for size in (1000, 60_000, 0x7FFFFFFF):
        with Wire(busy.ports["split"]) as w:
            w.send(startup(user="app", database="app"))
            w.receive()
            w.send(b"p" + struct.pack("!I", size) + b"x" * min(size, 100_000))
            try:
                assert w.receive().sqlstate in ("08P01", "28P01", "28000")
            except Closed:
                pass
            assert w.is_closed(8)


def test_scram_nonsense(busy):
    for payload in (b"", b"SCRAM-SHA-256", b"SCRAM-SHA-256\0\xff\xff\xff\xff", b"SCRAM-SHA-256\0\0\0\0\4n,,n", b"PLAIN\0\0\0\0\1x",
                    b"SCRAM-SHA-256\0\0\0\0\x0dn,,n=,r=" + b"\0" * 4, b"SCRAM-SHA-256-PLUS\0\0\0\0\x10p=tls-unique,,n=,r=x"):
        with Wire(busy.ports["split"]) as w:
            w.send(startup(user="app", database="app"))
            w.receive()
            w.send(message("p", payload))
            try:
                m = w.receive()
                if payload.endswith(b"\xff"):  # no initial response: the server asks for it
                    assert m.kind == "R"
                    w.send(message("p", b"nonsense"))
                    m = w.receive()
                assert m.kind == "E" and m.sqlstate in ("08P01", "28P01", "28000", "0A000"), payload
            except Closed:
                pass
            assert w.is_closed(8)


@pytest.mark.parametrize("listener", ["split", "primary-session", "primary-none"])
def test_a_client_that_never_reads_costs_little(busy, listener):
    before = busy.rss_kib()
    silent = []
    for _ in range(10):
        w = Wire(busy.ports[listener])
        w.login()
        w.send(query("select repeat('x', 100000) from generate_series(1, 100000)"))
        silent.append(w)
    time.sleep(1.0)  # the point: the answers have all the time to pile up
    assert busy.rss_kib() - before < (300 if SANITIZED else 40) * 1024
    for w in silent:
        w.close()


def test_a_client_that_sends_without_ever_reading(busy):
    """Requests whose answers pile up: it is no longer read, and memory stays."""
    before = busy.rss_kib()
    with Wire(busy.ports["primary"]) as w:
        w.login()
        w.socket.settimeout(2)
        piece = query("select repeat('x', 10000)") * 1000
        try:
            for _ in range(200):
                w.socket.sendall(piece)
        except TimeoutError:
            pass
        assert busy.rss_kib() - before < (300 if SANITIZED else 40) * 1024


@pytest.mark.parametrize("never_reads", [True, False])
def test_a_client_that_vanishes_while_it_is_throttled_leaves_nothing(make, cluster, never_reads):
    """A session that waits for its client's buffers must notice that there is no client any more: else it stays for ever,
    and rolecall's end has to wait for shutdown_timeout."""
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"shutdown_timeout": "30s"})
    w = Wire(r.ports["primary"])
    w.login()
    w.socket.settimeout(1)
    try:
        for _ in range(200 if never_reads else 1):
            w.socket.sendall(query("select repeat('x', 10000) from generate_series(1, 1000)") * 1000)
    except TimeoutError:
        pass
    w.close()
    wait_until(lambda: not cluster.primary.backends("state = 'active' and usename = 'app' and query like '%generate_series(1, 1000)%'"),
               20, "its query ends")
    began = time.monotonic()
    r.stop()
    assert time.monotonic() - began < 10


def test_a_batch_without_end_is_bounded(busy):
    """Parse after Parse and never a Sync."""
    before = busy.rss_kib()
    with Wire(busy.ports["split"]) as w:
        w.login()
        w.socket.settimeout(3)
        piece = b"".join(message("P", b"\0select 1\0\0\0") for _ in range(1000))
        try:
            for _ in range(500):
                w.socket.sendall(piece)
        except (TimeoutError, OSError):
            pass
        assert busy.rss_kib() - before < (300 if SANITIZED else 40) * 1024


def test_statements_without_end_are_bounded(busy):
    """New names for ever."""
    before = busy.rss_kib()
    with Wire(busy.ports["split"], timeout=10) as w:
        w.login()
        try:
            for i in range(3000):
                w.send(message("P", b"s%d\0select %d\0\0\0" % (i, i)), sync())
                if i % 100 == 99:
                    for _ in range(100):
                        w.until()
        except (Closed, BrokenPipeError, ConnectionResetError):
            pass
        assert busy.rss_kib() - before < (300 if SANITIZED else 40) * 1024


def test_a_client_that_sends_a_byte_at_a_time(busy):
    with Wire(busy.ports["split"]) as w:
        for byte in startup(user="app", database="app"):
            w.send(bytes([byte]))
            time.sleep(0.005)
        w.authenticate("app", "app-secret")
        for byte in query("select 'slow'") + query("select 2"):
            w.send(bytes([byte]))
            time.sleep(0.005)
        assert w.types_until_ready() == "TDCZ"
        assert w.types_until_ready() == "TDCZ"


def test_a_login_of_a_byte_a_second_ends_with_login_timeout(busy):
    with raw(busy, timeout=1) as s:
        began = time.monotonic()
        try:
            for byte in startup(user="app", database="app"):
                s.sendall(bytes([byte]))
                try:
                    if s.recv(1) == b"":
                        break
                except TimeoutError:
                    pass
        except OSError:
            pass
        assert time.monotonic() - began < 10


def test_bytes_of_one_query_a_second_apart_do_not_hold_a_server(busy, cluster):
    """A half-sent query has no server yet: others get it."""
    with Wire(busy.ports["primary"]) as w:
        w.login()
        w.send(query("select 1")[:6])
        for _ in range(3):
            assert busy.value("primary", "select 1") == 1
        w.send(query("select 1")[6:])
        assert w.types_until_ready() == "TDCZ"


def test_a_thousand_connections_that_come_and_go(busy):
    for _ in range(1000):
        raw(busy).close()
    wait_until(lambda: busy.value("split", "select 1") == 1, what="it answers")


def test_cancel_requests_in_masses(busy):
    dice = random.Random(5)
    for i in range(300):
        pour(raw(busy), struct.pack("!III", 16, 80877102, dice.getrandbits(32)) + dice.randbytes(4))


def test_many_wrong_passwords(busy):
    for i in range(30):
        with pytest.raises(Error) as caught, Wire(busy.ports["split"]) as w:
            w.login(user=f"u{i}" if i % 2 else "app", password="wrong")
        assert caught.value.sqlstate == "28P01"


def test_old_protocols_and_http(busy):
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500, b"\0" * 1000,
                 struct.pack("!II", 8, PROTOCOL_3_0), b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"):
        pour(raw(busy), data)
