"""What the admin socket shows, and EXPLAIN ROUTE against what sessions really do."""

import json

import pytest

from lib.admin import SETTINGS, ask, ctl, one, table
from lib.processes import wait_until
from lib.wire import Wire, query

pytestmark = pytest.mark.proxy


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


def test_replication_is_shown(admin, cluster):
    def rows():
        return {row["node"]: row for row in table(admin, "show replication")}

    cluster.primary.sql("select pg_switch_wal()")
    cluster.catch_up()
    end = "select pg_current_wal_insert_lsn()::text"
    wait_until(lambda: {row["lsn"] for row in rows().values()} == {cluster.primary.value(end)}, what="all are looked at again")
    shown = rows()
    primary = shown.pop("node1")
    assert (primary["role"], primary["state"], primary["timeline"], primary["receive_lag_bytes"]) == ("primary", "none", 1, None)
    for row in shown.values():
        assert (row["role"], row["state"], row["timeline"], row["replay_lag_ms"]) == ("replica", "streaming", 1, 0), row
        assert row["received_lsn"] >= row["lsn"] and row["replay_lag_bytes"] == 0
    cluster.replicas[0].sql("select pg_wal_replay_pause()")
    try:
        cluster.primary.sql("select pg_logical_emit_message(false, '', repeat('x', 100000))")
        wait_until(lambda: rows()["node2"]["replay_lag_bytes"] > 50_000 and rows()["node2"]["receive_lag_bytes"] == 0, what="it lags")
    finally:
        cluster.replicas[0].sql("select pg_wal_replay_resume()")
    wait_until(lambda: rows()["node2"]["replay_lag_bytes"] == 0, what="it has replayed")


def test_what_a_replica_has_without_a_receiver_counts_as_received(make, own_cluster):
    replica = own_cluster.replicas[0]
    replica.set("primary_conninfo", "")
    replica.stop()
    replica.start()
    replayed = replica.value("select pg_last_wal_replay_lsn()::text where pg_last_wal_receive_lsn() is null")
    r = make(own_cluster, {"main": dict(route="primary", pool="transaction")}, settings=SETTINGS)
    wait_until(lambda: one(r, "show replication", node=replica.name)["received_lsn"] == replayed, what="it is shown")


def test_a_node_that_dies_is_shown_with_the_reason(make, own_cluster):
    r = make(own_cluster, {"main": dict(route="primary", pool="transaction")}, settings=SETTINGS)
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
        settings={**SETTINGS, "pool_size": 1, "workers": 2},
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
            wait_until(lambda: one(r, "show pools by node", node="node1")["maxwait"] >= 1, 5, "a second of waiting is shown")
            pool = one(r, "show pools by node", node="node1")
            assert (pool["cl_active"], pool["cl_waiting"], pool["sv_active"], pool["sv_idle"]) == (1, 1, 1, 0)
            assert (pool["database"], pool["user"], pool["pool_mode"], pool["pool_size"]) == ("app", "app", "transaction", 1)
            (waiting,) = table(r, "show waiting")
            assert (waiting["user"], waiting["waits_for"], waiting["node"]) == ("app", "connection", "node1") and waiting["wait_us"] > 0
            holder.rollback()
            assert w.types_until_ready() == "TDCZ"
    wait_until(lambda: one(r, "show pools by node", node="node1")["sv_idle"] == 1, what="the connection is idle")
    assert one(r, "show pools by node", node="node1")["cl_waiting"] == 0


def test_prepared_statements_are_shown_as_the_nodes_know_them(make, cluster):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings=SETTINGS)
    with r.connect("main") as one_session, r.connect("main") as other:
        for c in one_session, other:
            c.execute("select 4711 + %s::int", [1], prepare=True)
        one_session.execute("prepare mine (int) as select $1 + 1")
        shown = table(r, "show prepared")
        protocol = [row for row in shown if "4711" in row["statement"]]
        assert sum(row["users"] for row in protocol) == 2 and {row["kind"] for row in protocol} == {"protocol"}
        assert [row["statement"] for row in shown if row["kind"] == "sql"] == ["select $1 + 1"]
        on_node = {row[0] for row in one_session.execute("select name from pg_prepared_statements").fetchall()}
        assert on_node & {row["name"] for row in shown}
    wait_until(lambda: table(r, "show prepared") == [], what="they go with their sessions")


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
        before, stats = counts(), one(admin, "show totals")
        for _ in range(7):
            c.execute("select 1")
        c.execute("create temp table counted (a int)")
        c.execute("insert into counted values (1)")
        after, later = counts(), one(admin, "show totals")
    assert after["read"] - before["read"] == 7
    assert after["ddl"] - before["ddl"] == 1 and after["pinned"] - before["pinned"] == 1
    assert later["total_query_count"] - stats["total_query_count"] == 9
    assert later["pinned"] == stats["pinned"] + 1
    workers = table(admin, "show workers")
    assert len(workers) == 2
    assert sum(row["total_query_count"] for row in workers) == one(admin, "show totals")["total_query_count"]


def test_listeners_count_their_clients(admin):
    before = one(admin, "show listeners", listener="any")["clients"]
    with admin.connect("any"), admin.connect("any"):
        assert one(admin, "show listeners", listener="any")["clients"] == before + 2


def test_no_secret_is_shown(admin):
    answer = ask(admin, "show config")
    assert "secret" not in answer.replace("auth_query", "") and "********" in answer
    assert one(admin, "show config", key="[cluster main] probe_password")["value"] == "********"


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
    r = make(cluster, {"main": dict(route="split", pool="transaction")}, ready=False, settings=SETTINGS)
    wait_until(lambda: one(r, "show clusters")["primary"], what="the primary is known")
    first = table(r, "explain route 'select 1' database app")[0]
    assert first["verdict"] == "no_catalogue" and "asked for" in first["catalogue"]
    wait_until(lambda: table(r, "explain route 'select 1' database app")[0]["verdict"] == "read", what="the catalogue is read")
