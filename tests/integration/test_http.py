"""The HTTP door: health checks, statistics, metrics; who may ask, and what bad requests do to it (nothing)."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import socket
import ssl
import struct

import pytest

from lib import processes, prometheus
from lib.certificates import Authority
from lib.processes import wait_until
from lib.rolecall import ROOT
from lib.wire import Wire, query

pytestmark = pytest.mark.proxy

LISTENERS = {
    "primary": dict(route="primary", pool="transaction"),
    "split": dict(route="split", pool="transaction"),
    "replica": dict(route="replica", pool="transaction"),
}
HEALTH = ["/healthz", "/readyz", "/primary", "/replica"]


def with_door(cluster, keys=None, start=True, **options):
    """A rolecall with an HTTP door; r.http is its port."""
    from conftest import Endpoint

    r = Endpoint(cluster, options.pop("listeners", LISTENERS), start=False, **options)
    r.http = processes.free_port()
    r.sections["http"] = {"address": f"127.0.0.1:{r.http}", **(keys or {})}
    r.write_config()
    if start:
        r.start()
    return r


@pytest.fixture(scope="module")
def door(cluster):
    r = with_door(cluster)
    yield r
    r.stop()


@pytest.fixture
def open_door():
    made = []

    def start(*args, **options):
        made.append(with_door(*args, **options))
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.fixture(autouse=True)
def it_lives(request):
    yield
    if "door" in request.fixturenames:
        request.getfixturevalue("door").must_live()


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.text = self.body.decode()


def ask(r, path, method="GET", headers=None, port=None, context=None):
    kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
    options = {"context": context} if context else {}
    connection = kind("127.0.0.1", port or r.http, timeout=20, **options)
    try:
        connection.request(method, path, headers=headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def raw(r, data, timeout=20):
    """Everything that is answered until the door closes the connection."""
    with socket.create_connection(("127.0.0.1", r.http), timeout=timeout) as s:
        heard = b""
        try:
            s.sendall(data)
            while got := s.recv(65536):
                heard += got
        except ConnectionError:
            pass
        return heard


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def status_is(r, path, status):
    return lambda: ask(r, path).status == status


# ---- health ----


def test_a_healthy_cluster_answers_200_everywhere(door):
    for path in HEALTH:
        answer = ask(door, path)
        assert answer.status == 200, (path, answer.text)
    assert ask(door, "/healthz").text == "ok\n"
    assert ask(door, "/primary").text == "main: node1 is primary\n"
    assert "is a fit replica" in ask(door, "/replica").text


def test_the_list_of_what_can_be_asked_names_every_path_and_sends_browsers_to_the_page(door):
    answer = ask(door, "/")
    assert answer.status == 302 and answer.headers["Location"] == "stats"
    for path in [*HEALTH, "/stats", "/stats.json", "/events.json", "/history.json", "/metrics"]:
        assert path in answer.text


def test_the_page_may_run_its_own_script_and_nothing_else(door):
    answer = ask(door, "/stats")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    for part in ("script", "style"):
        inside, = re.findall(f"<{part}>(.*?)</{part}>".encode(), answer.body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside).digest()).decode()
        assert f"{part}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert not re.search(r"\son[a-z]+\s*=|\sstyle\s*=|https?://(?!www\.w3\.org)", answer.text.split("<script>")[0])
    assert "innerHTML" not in answer.text and "insertAdjacentHTML" not in answer.text


def test_the_last_minutes_are_kept(door):
    assert door.value("split", "select 1") == 1

    def told():
        history = json.loads(ask(door, "/history.json").text)
        rows = [dict(zip(history["columns"], row)) for row in history["rows"]]
        return rows if len(rows) > 1 and rows[-1]["requests"] > 0 else None

    rows = wait_until(told, 20, "two rows", 0.2)
    assert all(a["at_ms"] < b["at_ms"] and a["requests"] <= b["requests"] for a, b in zip(rows, rows[1:]))
    assert rows[-1]["connections"] > 0 and rows[-1]["p50_us"] > 0


def test_what_is_not_served_is_told_with_its_reason(own_cluster, open_door):
    r = open_door(own_cluster, cluster_settings={"hold_timeout": "7s"})
    wait_until(lambda: stats(r)["refusals"] == [], 20, "nothing is refused")
    own_cluster.replicas[0].stop("fast")
    told = wait_until(lambda: stats(r)["refusals"], 20, "the replica is missed")
    assert told[0]["node"] == "node2" and told[0]["what"] == "nothing is sent to this node" and told[0]["reason"]
    own_cluster.replicas[1].stop("fast")
    own_cluster.primary.kill()
    told = wait_until(lambda: {each["what"]: each for each in stats(r)["refusals"] if each["listener"] or not each["node"]}
                      if len(stats(r)["refusals"]) > 4 else None, 20, "all is missed")
    assert told["writes wait up to 7 s (hold_timeout), then they fail with 57P03"]["weight"] == "trouble"
    assert told["the primary serves its reads"]["listener"] == "replica"
    assert not any(listener["serves"] for listener in stats(r)["listeners"])


@pytest.mark.parametrize("path", HEALTH)
def test_head_and_options_tell_the_status_as_get_does(door, path):
    for method in ("HEAD", "OPTIONS"):
        answer = ask(door, path, method)
        assert (answer.status, answer.body) == (200, b"")
    assert ask(door, path, "OPTIONS").headers["Allow"] == "GET, HEAD, OPTIONS"


def test_haproxys_check_over_http_1_0_is_answered(door):
    heard = raw(door, b"OPTIONS /primary HTTP/1.0\r\n\r\n")
    assert heard.split(b"\r\n")[0].split(b" ", 1)[1] == b"200 OK", heard


def test_a_cluster_is_named_and_an_unknown_one_is_not_found(door):
    assert ask(door, "/primary?cluster=main").status == 200
    for path in ("/primary?cluster=other", "/replica?cluster=other", "/primary?cluster="):
        answer = ask(door, path)
        assert answer.status == 404 and "main" in answer.text


def test_with_two_clusters_the_question_must_name_one(cluster, open_door):
    r = open_door(cluster, start=False)
    r.sections["cluster spare"] = {"probe_interval": "100ms"}
    r.sections["node lost"] = {"host": "127.0.0.1", "port": processes.free_port(), "cluster": "spare"}
    for name in list(r.sections):
        if name.startswith("node ") and name != "node lost":
            r.sections[name]["cluster"] = "main"
    r.write_config()
    r.start()
    answer = ask(r, "/primary")
    assert answer.status == 400 and "main spare" in answer.text
    assert ask(r, "/primary?cluster=main").status == 200
    answer = ask(r, "/primary?cluster=spare")
    assert answer.status == 503 and "spare: no primary: " in answer.text
    assert ask(r, "/readyz").status == 200


def test_health_follows_the_nodes(own_cluster, open_door):
    r = open_door(own_cluster, cluster_settings={"hold_timeout": "1s"})
    for node in own_cluster.replicas:
        node.stop()
    wait_until(status_is(r, "/replica", 503), 20, "no replica is fit")
    assert "node2 is" in ask(r, "/replica").text
    assert ask(r, "/primary").status == ask(r, "/readyz").status == 200
    own_cluster.replicas[0].start()
    wait_until(status_is(r, "/replica", 200), 30, "a replica is fit again")
    own_cluster.primary.kill()
    wait_until(status_is(r, "/primary", 503), 20, "the primary is gone")
    answer = ask(r, "/primary")
    assert answer.text.startswith("main: no primary: ") and len(answer.text) > 20
    assert ask(r, "/healthz").status == 200
    assert ask(r, "/primary", "HEAD").status == ask(r, "/primary", "OPTIONS").status == 503
    own_cluster.replicas[0].promote()
    wait_until(status_is(r, "/primary", 200), 30, "the promoted one is primary")
    assert "node2 is primary" in ask(r, "/primary").text


def test_without_any_node_it_is_not_ready_and_says_why(own_cluster, open_door):
    r = open_door(own_cluster)
    for node in own_cluster.nodes:
        node.stop("immediate")
    wait_until(status_is(r, "/readyz", 503), 20, "not ready")
    text = ask(r, "/readyz").text
    assert text.startswith("not ready\n")
    for listener in LISTENERS:
        assert f"listener {listener} cannot serve: cluster main: " in text
    assert ask(r, "/healthz").status == 200


def test_while_it_stops_load_balancers_are_sent_away(cluster, open_door):
    r = open_door(cluster, settings={"shutdown_timeout": "30s"})
    with r.connect("primary", autocommit=False) as connection:
        connection.execute("select 1")
        r.process.terminate()
        wait_until(status_is(r, "/readyz", 503), 10, "it says that it stops")
        assert "stopping" in ask(r, "/readyz").text
        assert ask(r, "/primary").status == ask(r, "/replica").status == 503
        assert ask(r, "/healthz").status == 200
        connection.rollback()


# ---- statistics ----


def stats(r):
    answer = ask(r, "/stats.json")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    return json.loads(answer.text)


def units_are_known(value, key=""):
    """Every number with a unit says so in its name; nothing but what JSON's readers expect."""
    if isinstance(value, dict):
        for name, inner in value.items():
            units_are_known(inner, name)
    elif isinstance(value, list):
        for inner in value:
            units_are_known(inner, key)
    elif key.startswith(("p5", "p9", "max_u", "lag", "oldest", "uptime")):
        assert key.endswith(("_us", "_ms", "_bytes")), key


def test_the_statistics_tell_of_the_whole_house(door, cluster):
    assert door.value("primary", "select 1") == 1
    found = stats(door)
    units_are_known(found)
    main = found["clusters"][0]
    assert (main["name"], main["primary"], main["no_primary_reason"], main["timeline"]) == ("main", "node1", None, 1)
    assert {node["name"]: node["role"] for node in main["nodes"]} == {"node1": "primary", "node2": "replica", "node3": "replica"}
    assert {node["port"] for node in main["nodes"]} == {node.port for node in cluster.nodes}
    for node in main["nodes"]:
        assert node["condition"] == "up" and node["reason"]
        assert (node["lag_bytes"] is None) == (node["role"] == "primary")
    assert {each["name"] for each in found["listeners"]} == set(LISTENERS)
    assert any(pool["database"] == "app" and pool["node"] == "node1" for pool in found["pools"])
    assert found["silent_workers"] == 0 and found["stopping"] is False
    assert sum(worker["requests"] for worker in found["workers"]) == found["totals"]["requests"] > 0
    assert {verdict["reason"] for verdict in found["verdicts"]} >= {"read", "write", "listener", "pinned"}
    assert found["latency"]["all"]["request"]["since_start"]["count"] > 0


def test_what_clients_do_is_counted_and_timed(door):
    before = stats(door)

    def latency(found, phase):
        row = next(row for row in found["latency"]["nodes"] if row["node_name"] == "node1")
        return row[phase]["since_start"]

    with door.connect("primary") as connection:
        for _ in range(20):
            connection.execute("select 1")
        connection.execute("select pg_sleep(0.3)")

    def counted():
        after = stats(door)
        return after if after["totals"]["requests"] >= before["totals"]["requests"] + 21 else None

    after = wait_until(counted, 10, "the requests are counted")
    for phase in ("wait", "node", "request", "client"):
        assert latency(after, phase)["count"] >= latency(before, phase)["count"] + 21, phase
    row = next(row for row in after["latency"]["nodes"] if row["node_name"] == "node1")
    assert row["node"]["max_us"] >= 280_000 and row["request"]["max_us"] >= 280_000
    assert row["node"]["last_minute"]["count"] > 0
    of = row["request"]["since_start"]
    assert of["p50_us"] <= of["p95_us"] <= of["p99_us"] <= of["p999_us"] <= row["request"]["max_us"]
    assert row["login"]["since_start"]["count"] > 0


def test_waiting_for_a_connection_is_seen_and_timed(cluster, open_door):
    r = open_door(cluster, settings={"pool_size": 1}, listeners={"primary": LISTENERS["primary"]})
    with r.connect("primary", autocommit=False) as first, Wire(r.ports["primary"]) as second:
        first.execute("select 1")
        second.login()
        second.send(query("select 2"))
        wait_until(lambda: stats(r)["totals"]["waiting"] == 1, 10, "a client waits")
        found = stats(r)
        assert next(pool for pool in found["pools"] if pool["clients_waiting"])["node"] == "node1"
        wait_until(lambda: any(p["oldest_wait_us"] > 200_000 for p in stats(r)["pools"]), 10, "its wait is told")
        first.rollback()
        assert second.types_until_ready(timeout=10) == "TDCZ"
    waited = next(row for row in stats(r)["latency"]["nodes"] if row["node_name"] == "node1")["wait"]
    assert waited["max_us"] > 200_000


def test_show_latency_tells_the_same(door):
    assert door.value("primary", "select 1") == 1
    rows = door.admin_table("show latency")
    by_node = [row for row in rows if row["node"] == "node1"]
    assert [row["phase"] for row in by_node] == ["wait", "login", "node", "client", "request"]
    assert all(row["user"] is None for row in by_node)
    assert by_node[4]["count"] > 0 and by_node[4]["minute_count"] > 0
    assert by_node[4]["p50_us"] <= by_node[4]["p999_us"] <= by_node[4]["max_us"]
    by_pool = [row for row in rows if row["user"] == "app"]
    assert len(by_pool) == 5 and all(row["node"] is None for row in by_pool)


def test_a_connection_that_ends_while_it_is_served_harms_nobody(door):
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", door.http), timeout=20) as s:
            s.sendall(b"GET /stats.json HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert stats(door)["silent_workers"] == 0


def test_many_who_ask_at_the_same_time_are_all_answered(door):
    sockets = [socket.create_connection(("127.0.0.1", door.http), timeout=20) for _ in range(40)]
    for i, s in enumerate(sockets):
        path = b"/metrics" if i % 2 else b"/stats.json"
        s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    for s in sockets:
        heard = b""
        while got := s.recv(65536):
            heard += got
        s.close()
        assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
        head, _, body = heard.partition(b"\r\n\r\n")
        assert int(re.search(rb"Content-Length: (\d+)", head)[1]) == len(body)


# ---- metrics ----


def metrics(r, **options):
    answer = ask(r, "/metrics", **options)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return prometheus.parse(answer.text)


def test_the_metrics_are_what_prometheus_reads(door):
    assert door.value("primary", "select 1") == door.value("split", "select 1") == 1
    families = metrics(door)
    assert all(name.startswith("rolecall_") for name in families)
    kinds = {family.kind for family in families.values()}
    assert kinds == {"gauge", "counter", "histogram"}
    for name, family in families.items():
        assert (family.kind == "counter") == name.endswith("_total"), name
    assert families["rolecall_cluster_has_primary"].value(cluster="main") == 1
    assert families["rolecall_node_role"].value(cluster="main", node="node1", role="primary") == 1
    assert families["rolecall_node_up"].value(cluster="main", node="node2") == 1
    assert families["rolecall_logins_total"].value() > 0
    counts = [value for name, labels, value in families["rolecall_request_seconds"].samples
              if name.endswith("_count") and labels["node"] == "node1"]
    assert sum(counts) > 0


def test_the_dashboard_for_grafana_names_metrics_that_exist(door):
    assert door.value("split", "select 1") == door.value("primary", "select 1") == 1
    with open(os.path.join(ROOT, "docker", "grafana", "rolecall.json")) as file:
        dashboard = json.load(file)
    there = {name for family in metrics(door).values() for name, _, _ in family.samples} | set(metrics(door))
    labels = {label for family in metrics(door).values() for _, given, _ in family.samples for label in given} | {"instance"}
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [variable["definition"] for variable in dashboard["templating"]["list"] if "definition" in variable]
    assert len(asked) > 30
    for expression in asked:
        names = re.findall(r"rolecall_\w+", expression)
        assert names and set(names) <= there, expression
        assert set(re.findall(r"(\w+)=~?\"", expression)) <= labels, expression
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


if shutil.which("promtool"):  # of Debian's prometheus, where it is installed

    def test_promtool_finds_no_fault(door):
        assert door.value("split", "select 1") == 1
        done = processes.run(["promtool", "check", "metrics"], account=None, input=ask(door, "/metrics").text, check=False)
        assert done.returncode == 0, done.stdout


def test_no_counter_falls_over_a_reload(cluster, open_door):
    r = open_door(cluster)
    assert r.value("split", "select 1") == r.value("primary", "select 1") == 1
    before = metrics(r)
    r.sections["rolecall"]["pool_size"] = 3
    r.reload()
    wait_until(lambda: "event=reloaded" in r.log(), 10, "reloaded")
    assert r.value("primary", "select 1") == 1
    after = metrics(r)
    for name, family in before.items():
        if family.kind == "gauge":
            continue
        later = {(sample, tuple(sorted(labels.items()))): value for sample, labels, value in after[name].samples}
        for sample, labels, value in family.samples:
            assert later[sample, tuple(sorted(labels.items()))] >= value, (sample, labels)


# ---- headers, methods, bodies ----


def test_every_answer_has_the_headers_that_keep_browsers_careful(door):
    for path in ["/", "/nothing", *HEALTH]:
        headers = ask(door, path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Content-Type"] == "text/plain; charset=utf-8"


def test_connections_are_kept_for_the_next_request(door):
    connection = http.client.HTTPConnection("127.0.0.1", door.http, timeout=20)
    local = None
    for path in HEALTH * 3:
        connection.request("GET", path)
        assert Answer(connection.getresponse()).status == 200
        local = local or connection.sock.getsockname()
        assert connection.sock.getsockname() == local
    connection.close()


def test_pipelined_requests_are_answered_in_order(door):
    heard = raw(door, b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"/healthz", b"/nothing", b"/primary"))
                + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
    assert heard.count(b"HTTP/1.1 404 ") == 1  # which ends the connection
    assert heard.count(b"HTTP/1.1 ") == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_refused(door, method):
    answer = ask(door, "/primary", method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 44\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2c\r\n",
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n2c\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 44\r\n\r\n2c\r\n",
        b"Content-Length: 44\r\nContent-Length: 0\r\n\r\n",
        b"Transfer-Encoding: identity\r\n\r\n",
        b"Content-Length: +44\r\n\r\n",
    ],
)
def test_what_follows_a_request_with_a_body_is_never_taken_for_a_request(door, body):
    inner = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n" + b" " * 9
    heard = raw(door, b"GET /primary HTTP/1.1\r\nHost: x\r\n" + body + inner + b"0\r\n\r\n")
    statuses = re.findall(rb"HTTP/1.1 (\d+)", heard)  # libmicrohttpd 0.9.75 says the head of its own 400 twice
    assert statuses and set(statuses) <= {b"400", b"413"}, heard


def test_a_request_that_is_too_large_is_refused_and_costs_little(door):
    for data in (b"GET /" + b"x" * 100_000, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"y" * 100_000,
                 b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(10_000))):
        heard = raw(door, data + b" HTTP/1.1\r\n\r\n")
        assert not heard or heard.split(b" ")[1] in (b"414", b"431", b"413", b"400"), heard[:200]
    assert ask(door, "/healthz").status == 200


# ---- bad clients ----


def garbage(rng):
    """One thing that no client should send."""
    kinds = [
        lambda: rng.randbytes(rng.randrange(1, 400)),
        lambda: b"\0" * rng.randrange(1, 300),
        lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(100),
        lambda: struct.pack("!II", 8, 80877103),
        lambda: rng.choice([b"GET", b"FOO", b"get", b"G\0T"]) + b" " + rng.randbytes(30).replace(b"\n", b"") + b" HTTP/1.1\r\n\r\n",
        lambda: b"GET /%" + rng.randbytes(2).hex().encode() + b"%zz%00?a=%&cluster=%00%ff&&&= HTTP/1.1\r\nHost: x\r\n\r\n",
        lambda: b"GET / HTTP/%d.%d\r\nHost: x\r\n\r\n" % (rng.randrange(20), rng.randrange(20)),
        lambda: b"GET / HTTP/1.1\r\n" + rng.randbytes(60) + b"\r\n\r\n",
        lambda: b"GET / HTTP/1.1\r\nHost : x\r\n folded: y\r\n\r\n",
        lambda: b"GET / HTTP/1.1\nHost: x\n\n",
        lambda: b"GET /primary HTTP/1.1\r\nContent-Length: " + rng.choice([b"-1", b"99999999999999999999", b"x", b"0x10"]) + b"\r\n\r\n",
        lambda: b"\r\n" * rng.randrange(1, 50),
        lambda: b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        lambda: b"GET http://evil/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        lambda: b"GET /primary HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + rng.randbytes(40) + b"\r\n\r\n",
    ]
    return rng.choice(kinds)()


def all_heard(r, pieces):
    """Says them at the same time, each on a connection of its own, and hears what each is answered."""
    sockets = [socket.create_connection(("127.0.0.1", r.http), timeout=20) for _ in pieces]
    for s, piece in zip(sockets, pieces):
        with contextlib.suppress(ConnectionError):
            s.sendall(piece)
            s.shutdown(socket.SHUT_WR)
    for s in sockets:
        heard = b""
        with s, contextlib.suppress(ConnectionError):
            while got := s.recv(65536):
                heard += got
        yield heard


def test_a_thousand_pieces_of_garbage_harm_nobody(door):
    rng = random.Random(8404)
    before = len(os.listdir(f"/proc/{door.pid}/fd"))
    answered = 0
    for _ in range(25):
        for heard in all_heard(door, [garbage(rng) for _ in range(40)]):
            if heard:
                assert heard.startswith(b"HTTP/1."), heard[:100]
                status = int(heard.split(b" ")[1])
                assert 200 <= status < 303 or 400 <= status < 506, heard[:200]
                answered += 1
        assert ask(door, "/readyz").status == 200
        assert door.value("primary", "select 1") == 1
    assert answered > 300
    wait_until(lambda: len(os.listdir(f"/proc/{door.pid}/fd")) <= before + 2, 20, "no descriptor is left behind")
    assert ask(door, "/primary").status == 200


def test_slow_clients_are_closed(cluster, open_door):
    r = open_door(cluster, {"timeout": "500ms"})
    silent = socket.create_connection(("127.0.0.1", r.http), timeout=20)
    half = socket.create_connection(("127.0.0.1", r.http), timeout=20)
    half.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
    dripping = socket.create_connection(("127.0.0.1", r.http), timeout=20)

    def dripped():
        try:
            dripping.sendall(b"X")
            return False
        except OSError:
            return True

    wait_until(dripped, 20, "one that sends a byte now and then is closed", 0.1)
    for each in (silent, half):
        assert each.recv(1000).split(b" ")[:1] in ([b""], [b"HTTP/1.1"])
        each.close()
    dripping.close()
    assert ask(r, "/healthz").status == 200


def test_at_the_limit_idle_connections_give_way(cluster, open_door):
    r = open_door(cluster, {"max_connections": 4, "timeout": "60s"})
    idle = []
    for _ in range(12):
        s = socket.create_connection(("127.0.0.1", r.http), timeout=20)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        idle.append(s)
        assert s.recv(1000).startswith(b"HTTP/1.1 200")
    assert ask(r, "/primary").status == 200
    for s in idle:
        s.close()


# ---- login, TLS, reload ----


def test_with_a_user_only_health_is_open(cluster, open_door):
    r = open_door(cluster, {"user": "ops", "password": "hush hush"})
    for path in HEALTH:
        assert ask(r, path).status == 200
    good = basic("ops", "hush hush")
    for path in ("/stats", "/stats.json", "/events.json", "/history.json", "/metrics"):
        answer = ask(r, path)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith('Basic realm="rolecall"')
        assert b"version" not in answer.body
        for user, password in [("ops", "hush"), ("ops", ""), ("", "hush hush"), ("Ops", "hush hush"), ("ops", "hush hush "),
                               ("ops:hush hush", ""), ("x" * 3000, "y" * 3000)]:
            assert ask(r, path, headers=basic(user, password)).status == 401, (user, password)
        for header in ("Basic", "Basic ====", "Bearer x", "basic " + "A" * 100, "Basic b3Bz"):
            assert ask(r, path, headers={"Authorization": header}).status == 401, header
        assert ask(r, path, headers=good).status == 200
    assert "http_login_failed" in r.log()
    assert "hush" not in r.log()
    r.sections["http"]["password"] = "other"
    r.reload()
    wait_until(lambda: ask(r, "/metrics", headers=good).status == 401, 10, "the new password is in force")
    assert ask(r, "/metrics", headers=basic("ops", "other")).status == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_door_speaks_tls(cluster, open_door):
    authority = Authority(cluster.directory)
    cert, key = authority.issue("localhost")
    r = open_door(cluster, {"tls_cert_file": cert, "tls_key_file": key})
    context = ssl.create_default_context(cafile=authority.ca)
    context.check_hostname = False
    for path in HEALTH:
        assert ask(r, path, context=context).status == 200
    heard = raw(r, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not heard.startswith(b"HTTP/1.1 200")
    old = ssl.create_default_context(cafile=authority.ca)
    old.check_hostname = False
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(r, "/healthz", context=old)
    assert ask(r, "/healthz", context=context).status == 200


def test_a_reload_opens_moves_and_shuts_the_door(cluster, make):
    r = make(cluster, LISTENERS)
    r.http, other = processes.free_port(), processes.free_port()

    def answers(port):
        try:
            return ask(r, "/healthz", port=port).status == 200
        except OSError:
            return False

    assert not answers(r.http)
    r.sections["http"] = {"address": f"127.0.0.1:{r.http}"}
    r.reload()
    wait_until(lambda: answers(r.http), 10, "the door is open")
    r.sections["http"]["address"] = f"127.0.0.1:{other}"
    r.reload()
    wait_until(lambda: answers(other), 10, "the door has moved")
    assert not answers(r.http)
    r.sections["http"]["max_connections"] = 3
    r.reload()
    wait_until(lambda: "key=max_connections" in r.log() and answers(other), 10, "the same address, another limit")
    taken = socket.create_server(("127.0.0.1", 0))
    r.sections["http"]["address"] = "127.0.0.1:%d" % taken.getsockname()[1]
    r.reload()
    wait_until(lambda: "http_reload_failed" in r.log(), 10, "the log says that the address is taken")
    assert answers(other)
    taken.close()
    del r.sections["http"]
    r.reload()
    wait_until(lambda: not answers(other), 10, "the door is shut")


def test_an_address_that_is_taken_ends_the_start_with_a_reason(cluster):
    from conftest import Endpoint

    with socket.create_server(("127.0.0.1", 0)) as taken:
        r = Endpoint(cluster, LISTENERS, start=False)
        r.sections["http"] = {"address": "127.0.0.1:%d" % taken.getsockname()[1]}
        r.write_config()
        try:
            done = processes.run([r.binary, "run", "-c", r.config_path], account=r.account, check=False, timeout=30)
            assert done.returncode == 1
            assert "Address already in use" in done.stdout and str(taken.getsockname()[1]) in done.stdout
        finally:
            r.abandon()
