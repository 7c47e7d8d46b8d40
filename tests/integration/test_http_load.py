"""The HTTP door beside ten thousand sessions: asking it must not be felt by the traffic."""

import pytest

from lib import processes
from lib.admin import SANITIZED
from lib.processes import wait_until
from test_admin_crowd import Traffic, is_dented, open_sessions, raise_descriptors, side_by_side, told_of
from test_http import ask, metrics, stats

pytestmark = pytest.mark.proxy


@pytest.fixture
def r(make, cluster):
    # Without a password on the listener the node's must be known; the crowd never sends a query.
    made = make(
        cluster,
        {"main": dict(route="primary", pool="transaction"), "crowd": dict(route="primary", pool="transaction", auth="trust")},
        settings={"max_clients": 12_000, "client_idle_timeout": 0},
        databases={"*": dict(user="app", password="app-secret")},
    )
    made.http = processes.free_port()
    made.sections["http"] = {"address": f"127.0.0.1:{made.http}"}
    made.reload()
    wait_until(lambda: "http_listening" in made.log(), what="the door is open")
    return made


def test_ten_thousand_sessions_do_not_slow_the_door_nor_it_the_traffic(r, capsys):
    n = 1000 if SANITIZED else min(10_000, raise_descriptors(12_000) - 500)
    traffic = Traffic(r, "main")  # first: psycopg waits with select(), which knows no large descriptors
    crowd, told, statuses = [], [], set()
    try:
        crowd = open_sessions(r.ports["crowd"], n)
        for path in ("/stats.json", "/metrics"):
            quiet, busy, took = side_by_side(traffic, lambda path=path: statuses.add(ask(r, path).status))
            told.append(f"{path} took {took * 1000:.1f} ms, {told_of(quiet, busy)}")
            assert statuses == {200} and not is_dented(quiet, busy), told
        assert stats(r)["totals"]["clients"] == n + 1
        assert metrics(r)["rolecall_listener_clients"].value(listener="crowd", cluster="main") == n
    finally:
        traffic.end()
        for s in crowd:
            s.close()
    with capsys.disabled():
        print(f"\n{n} sessions: {'; '.join(told)}")
    wait_until(lambda: stats(r)["totals"]["clients"] <= 1, 30, "the crowd has gone")
