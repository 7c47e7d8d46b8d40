"""
pgbouncer_exporter before the admin socket: its queries word for word, and the columns that it reads, with the types and the
uniqueness of labels that Prometheus insists on.
"""

import psycopg
import pytest

from lib.admin import SETTINGS, connect, one
from lib.processes import wait_until

pytestmark = pytest.mark.proxy

LABELS = {
    "databases": ["name", "host", "port", "database", "force_user", "pool_mode"],
    "stats_totals": ["database"],
    "stats": ["database"],
    "pools": ["database", "user"],
}
NUMBERS = {
    "databases": ["pool_size", "reserve_pool", "max_connections", "current_connections", "paused", "disabled"],
    "stats_totals": ["query_count", "query_time", "bytes_received", "bytes_sent", "wait_time", "xact_count", "xact_time",
                     "client_parse_count", "server_parse_count", "bind_count"],
    "stats": ["total_query_count", "total_query_time", "total_received", "total_sent", "total_wait_time", "total_xact_count",
              "total_xact_time", "total_server_assignment_count", "total_client_parse_count", "total_server_parse_count",
              "total_bind_count", "avg_query_count", "avg_query_time", "avg_recv", "avg_sent", "avg_wait_time", "avg_xact_count",
              "avg_xact_time", "avg_server_assignment_count", "avg_client_parse_count", "avg_server_parse_count", "avg_bind_count"],
    "pools": ["cl_active", "cl_waiting", "sv_active", "sv_idle", "sv_used", "sv_tested", "sv_login", "maxwait", "maxwait_us",
              "cl_active_cancel_req", "cl_waiting_cancel_req", "sv_active_cancel", "sv_being_canceled"],
}
LISTS = ["databases", "users", "pools", "free_clients", "used_clients", "login_clients", "free_servers", "used_servers", "dns_names",
         "dns_zones", "dns_queries"]


@pytest.fixture
def r(make, cluster):
    made = make(
        cluster,
        {"split": dict(route="split", pool="transaction"), "primary": dict(route="primary", pool="transaction"),
         "relay": dict(route="primary", pool="none")},
        settings=SETTINGS, databases={"nick": dict(dbname="app", pool="transaction")},
    )
    for listener in "split", "primary":
        made.value(listener, "select 1")
    return made


def rows(r, query):
    """As the exporter asks: simple queries, any user and database."""
    with connect(r, autocommit=True) as c:
        cursor = psycopg.ClientCursor(c)
        cursor.execute(query)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


@pytest.mark.parametrize("namespace", LABELS)
def test_its_columns_are_there_and_its_series_are_unique(r, namespace):
    got = rows(r, f"SHOW {namespace};")
    assert got
    for row in got:
        for column in NUMBERS[namespace]:
            assert isinstance(row[column], int), (column, row)
        for label in LABELS[namespace]:
            assert row[label] is None or isinstance(row[label], (str, int)), (label, row)
    series = [tuple(row[label] for label in LABELS[namespace]) for row in got]
    assert len(series) == len(set(series))


def test_its_lists_config_and_version_have_the_shape_that_it_wants(r):
    lists = rows(r, "SHOW LISTS;")
    assert {tuple(row) for row in lists} == {("list", "items")}
    assert [row["list"] for row in lists] == LISTS and all(isinstance(row["items"], int) for row in lists)
    config = rows(r, "SHOW CONFIG;")
    assert {tuple(row) for row in config} == {("key", "value", "default", "changeable")}
    assert len({row["key"] for row in config}) == len(config)
    assert {tuple(row) for row in rows(r, "SHOW VERSION;")} == {("version",)}


def test_its_numbers_are_those_of_the_traffic(r):
    before = one(r, "show stats", database="app")
    with r.connect("primary") as c, r.connect("relay") as relayed:
        for _ in range(3):
            c.execute("select repeat('x', 10000)")
        with c.transaction():
            c.execute("select pg_sleep(0.2)")
            c.execute("select 1")
        after = one(r, "show stats", database="app")
        told = {name: after[name] - before[name] for name in NUMBERS["stats"] if name.startswith("total")}
        assert told["total_xact_count"] == 4
        assert told["total_query_count"] == 3 + 3  # BEGIN goes with the first statement
        assert told["total_server_assignment_count"] == 4
        assert 30_000 < told["total_sent"] < 40_000 and 100 < told["total_received"] < 10_000
        assert 200_000 <= told["total_query_time"] < 5_000_000 and told["total_xact_time"] >= 200_000
        assert one(r, "show stats_totals", database="app")["bytes_sent"] >= after["total_sent"]
        relayed.execute("select repeat('x', 1000000)")
        wait_until(lambda: one(r, "show stats", database="app")["total_sent"] - after["total_sent"] > 1_000_000, what="relays count")
        app, nick = one(r, "show databases", name="app"), one(r, "show databases", name="nick")
        assert (app["database"], nick["database"], app["clients"], nick["clients"]) == ("app", "app", 2, 0)
        assert app["port"] == r.cluster.primary.port and nick["pool_mode"] == "transaction"
        assert app["current_connections"] == len([row for row in rows(r, "SHOW SERVERS;") if row["database"] == "app" and not row["relay"]])
        assert one(r, "show users", name="app")["clients"] == 2
        lists = {row["list"]: row["items"] for row in rows(r, "SHOW LISTS;")}
        assert lists["used_clients"] == 2 and lists["users"] == 1 and lists["databases"] == 1
        assert lists["free_servers"] + lists["used_servers"] == app["current_connections"]


def test_averages_are_those_of_the_last_minute(r):
    with r.connect("primary") as c:
        c.execute("select pg_sleep(0.4)")
        for _ in range(200):
            c.execute("select repeat('x', 10000)")
    stats, averages = one(r, "show stats", database="app"), one(r, "show stats_averages", database="app")
    uptime_s = one(r, "show state")["uptime_s"] + 1  # less than a minute
    assert stats["avg_query_count"] > 0
    assert stats["avg_query_count"] >= stats["total_query_count"] // (uptime_s + 1)
    assert stats["avg_sent"] > 2_000_000 // (uptime_s + 1)
    assert stats["avg_query_time"] == pytest.approx(stats["total_query_time"] / stats["total_query_count"], rel=0.1)
    assert stats["avg_xact_time"] == pytest.approx(stats["total_xact_time"] / stats["total_xact_count"], rel=0.1)
    assert averages["query_time"] == stats["avg_query_time"] and averages["bytes_sent"] <= stats["avg_sent"] + 1
    assert list(averages) == list(one(r, "show stats_totals", database="app"))


def test_prepared_statements_are_counted_on_both_sides(r):
    before = one(r, "show stats_totals", database="app")
    with r.connect("primary") as c, r.connect("primary") as d:
        for connection in c, d:
            for _ in range(5):
                connection.execute("select %s::int + 1", [1], prepare=True)
    after = one(r, "show stats_totals", database="app")
    told = {name: after[name] - before[name] for name in ("client_parse_count", "server_parse_count", "bind_count")}
    server = told.pop("server_parse_count")
    assert told == {"client_parse_count": 2, "bind_count": 10} and 1 <= server <= 2  # a worker's connection each, at most
