"""Ten thousand sessions are shown while others work."""

import csv
import io
import re
import resource
import socket
import subprocess
import threading
import time

import pytest

from lib.admin import SANITIZED, SETTINGS, ask, one, path_of
from lib.processes import wait_until
from lib.wire import startup

pytestmark = pytest.mark.proxy


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


def side_by_side(traffic, asks, rounds=4, seconds=0.5):
    """By turns without and with somebody who asks all the time: (the traffic's times without, with, seconds per question)."""
    quiet, busy, asked, spent = [], [], 0, 0.0
    for _ in range(rounds):
        traffic.take()
        time.sleep(seconds)  # what is measured, first without
        quiet += traffic.take()
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            asks()
            asked += 1
        spent += time.monotonic() - began
        busy += traffic.take()
    return quiet, busy, spent / asked


def as_they_arrive(times, every=0.0001):
    """What queries would have waited that come every so often, not only when the one before is answered: a single pause is then
    as many slow queries as it is long."""
    waits = []
    for took in times:
        waits.append(took)
        while (took := took - every) > 0:
            waits.append(took)
    return waits


def watched(traffic, asks, rounds=3, questions=2):
    """By turns without and with somebody who looks once a second: (a query's p99 without, with), of the best turn of each: whatever
    else the machine does only adds, and what the looking costs is in every turn."""
    quiet, busy = [], []
    for _ in range(rounds):
        traffic.take()
        time.sleep(questions)
        quiet.append(quantile(as_they_arrive(traffic.take()), 0.99))
        for _ in range(questions):
            began = time.monotonic()
            asks()
            time.sleep(max(0, began + 1 - time.monotonic()))
        busy.append(quantile(as_they_arrive(traffic.take()), 0.99))
    return min(quiet), min(busy)


def ask_apart(r, command):
    """By a program of its own: in this one it would take turns with the traffic for the interpreter, 5 ms each."""
    subprocess.run(["socat", "-t", "30", "-", f"UNIX-CONNECT:{path_of(r)}"], input=command.encode() + b"\n", stdout=subprocess.DEVNULL,
                   timeout=60, check=True)


def told_of(quiet, busy):
    return f"a query's p99 beside it {quantile(busy, .99) * 1000:.2f} ms, without {quantile(quiet, .99) * 1000:.2f} ms"


def is_dented(quiet, busy):
    """Who asks has a thread of his own beside the traffic's, and no more: what the machine is short of, both share."""
    return quantile(busy, 0.99) > 4 * quantile(quiet, 0.99) + 0.02


def turns_of_workers(r):
    """Of the surveys since the log level is debug: (the longest single turn of a worker in ms, how many turns)."""
    told = re.findall(r"event=survey kind=\d+ reports=\d+ turns=(\d+) longest_us=(\d+)", r.log())
    return max(int(longest) for _, longest in told) / 1000, sum(int(turns) for turns, _ in told)


def test_ten_thousand_sessions_are_shown(make, cluster, capsys):
    n = 1000 if SANITIZED else min(10_000, raise_descriptors(12_000) - 500)
    # Without a password on the listener the node's must be known; the crowd never sends a query.
    r = make(
        cluster,
        {"main": dict(route="primary", pool="transaction"), "crowd": dict(route="primary", pool="transaction", auth="trust")},
        settings={**SETTINGS, "max_clients": 12_000, "client_idle_timeout": 0},
        databases={"*": dict(user="app", password="app-secret")},
    )
    traffic = Traffic(r, "main")  # first: psycopg waits with select(), which knows no large descriptors
    crowd = []
    try:
        crowd = open_sessions(r.ports["crowd"], n)
        ask(r, "log level debug")
        quiet, busy, took = side_by_side(traffic, lambda: ask_apart(r, "show sessions; csv"))
        alone, seen = watched(traffic, lambda: ask_apart(r, "show sessions; csv"))
        answer = ask(r, "show sessions; csv")
        ask(r, "log level info")
        longest, turns = turns_of_workers(r)
    finally:
        traffic.end()
        for s in crowd:
            s.close()
    shown = list(csv.DictReader(io.StringIO(answer.rstrip("\n"))))
    assert sum(row["application_name"] == "crowd" for row in shown) == n
    assert len({row["id"] for row in shown}) == len(shown) == n + 1
    with capsys.disabled():
        print(f"\n{n} sessions: SHOW SESSIONS took {took * 1000:.0f} ms; once a second: a query's p99 beside it {seen * 1000:.2f} ms, without {alone * 1000:.2f} ms; without a pause: {told_of(quiet, busy)};"
              f" a worker's longest turn for it took {longest:.2f} ms of its time, of {turns} turns in all")
    assert longest < (50 if SANITIZED else 1)
    assert not is_dented(quiet, busy)
    assert seen < 2 * alone + 0.005
    wait_until(lambda: one(r, "show totals")["clients"] <= 1, what="the crowd has gone")
