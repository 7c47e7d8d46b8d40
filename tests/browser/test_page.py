"""/stats as people see it: while a primary dies, with names that want to be markup, with many nodes, without an answer."""

import http.server
import json
import random
import threading
import time
import urllib.request

import psycopg
import pytest

from lib import processes
from lib.processes import wait_until


class Load:
    """Clients that write and read until the end, whatever happens to them."""

    def __init__(self, r, listeners):
        self.r = r
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(listener,)) for listener in listeners]
        for thread in self.threads:
            thread.start()

    def work(self, listener):
        rng = random.Random(listener)
        while not self.over.is_set():
            try:
                with self.r.connect(listener) as connection:
                    while not self.over.is_set():
                        connection.execute("select count(*) from generate_series(1, %s)", (rng.randrange(1, 1000),))
                        if rng.random() < 0.2 and listener != "replica":
                            connection.execute("insert into w values (1)")
                        self.over.wait(rng.random() * 0.02)
            except psycopg.Error:
                self.over.wait(0.2)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def fresh(browser, more=1):
    """Waits for that many more answers to be drawn."""
    before = browser.answers()
    wait_until(lambda: browser.answers() >= before + more, 30, "the page draws what is new", 0.1)


def shown(browser, selector):
    return browser.text(selector)


def role_of(browser, node):
    """As the drawing and as the table say it."""
    drawn = browser.js("""
        return [...document.querySelectorAll('.node')].filter((g) => g.querySelector('.name').textContent === arguments[0])
            .map((g) => [g.getAttribute('class'), g.querySelector('.role').textContent])[0]""", node)
    in_table = browser.js("""
        return [...document.querySelectorAll('#nodes tbody tr')].filter((r) => r.cells[0].textContent === arguments[0])
            .map((r) => r.cells[2].textContent)[0]""", node)
    return (drawn[0].split()[1:], drawn[1], in_table) if drawn else None


def line(browser, chart):
    """The way that the first line of a chart takes."""
    return browser.js("return [...document.querySelectorAll('.chart')].filter((c) => c.querySelector('h2').textContent === arguments[0])"
                      ".map((c) => c.querySelector('.line').getAttribute('d'))[0]", chart)


EVERYWHERE = [("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark")]


def everywhere(browser, name, looks=EVERYWHERE):
    """Screenshots in both sizes and both schemes; and nothing is wider than the window, in none of them."""
    for size, scheme in looks:
        browser.look(size, scheme)
        time.sleep(0.5)  # what moves into its place has arrived
        browser.picture(f"{name}-{size}-{scheme}")
        assert browser.js("return document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (size, scheme)
        ground = browser.js("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")
        assert (sum(ground) < 200) == (scheme == "dark"), ground
    browser.look()


def test_a_rolecall_that_goes_away_is_said_and_found_again(browser, cluster, start):
    r = start(cluster)
    browser.look()
    browser.open(r.page)
    fresh(browser)
    r.process.kill()
    r.process.wait()
    wait_until(lambda: "no answer since" in shown(browser, "#contact-text"), 30, "the page says so", 0.1)
    assert browser.js("return document.body.classList.contains('stale') && !document.getElementById('retry').hidden")
    browser.picture("no-answer", whole=False)
    r.start()
    wait_until(lambda: shown(browser, "#contact-text") == "live", 40, "it is found again", 0.1)
    wait_until(lambda: role_of(browser, "node1") == (["primary", "up"], "PRIMARY", "primary"), 30, "and drawn", 0.1)
    kinds = browser.js("return [...document.querySelectorAll('.event')].map((e) => e.dataset.kind)")
    assert kinds.count("started") == 1, "the events of the process before are gone"
    assert browser.console() == []


HOSTILE = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>'


def test_names_that_want_to_be_markup_are_shown_as_they_are(browser, cluster, start):
    names = [HOSTILE[:63], '"><b>x', "'; alert(1); //", "${window.harmed=1}", "&lt;i&gt;", "\u202eabc \U0001f418"]
    for name in names:
        cluster.primary.sql('create database "{}"'.format(name.replace('"', '""')))
    cluster.catch_up()
    r = start(cluster, {"user": "ops", "password": "hush"})
    for name in names:
        assert r.value("primary", "select 1", dbname=name) == 1
    for name in names * 2:
        with pytest.raises(psycopg.OperationalError):
            r.connect("primary", dbname=name, user=HOSTILE[:63])
    browser.look()
    browser.open(f"http://ops:hush@127.0.0.1:{r.http}/stats")
    fresh(browser, 2)
    for name in names:
        assert name in browser.texts("#pools tbody td:first-child"), name
    wait_until(lambda: HOSTILE[:63] in shown(browser, ".event[data-kind=login_failures]"), 20, "the event", 0.1)
    assert browser.js("return window.harmed") is None
    assert browser.js("return document.querySelectorAll('main img, main script, main b, main i:not(.swatch)').length") == 0
    browser.js("document.querySelector('#latency-group button:last-child').click()")
    fresh(browser)
    everywhere(browser, "hostile-names", EVERYWHERE[::3])
    browser.js("const s = document.querySelector('#pools input'); s.value = 'window.harmed=1}'; s.dispatchEvent(new Event('input'))")
    assert browser.texts("#pools tbody td:first-child") == ["${window.harmed=1}"]
    assert browser.js("return window.harmed") is None
    browser.js("const s = document.createElement('script'); s.textContent = 'window.harmed = 1'; document.body.append(s)")
    assert browser.js("return window.harmed") is None, "the policy forbids what is not the page's own"
    assert all("Content Security Policy" in entry["message"] or "content security policy" in entry["message"].lower() for entry in browser.console())


# ---- a crowd: what a door of ours tells, multiplied ----


def multiplied(stats, nodes=64, pools=256, clusters=2):
    """Several clusters of 64 nodes and hundreds of pools, as if they were there."""
    model = stats["clusters"][0]
    stats["clusters"] = []
    for c in range(clusters):
        made = dict(model, name=f"cluster {c}", nodes=[])
        for n in range(nodes if c == 0 else 5):
            like = model["nodes"][min(n, 2)]
            made["nodes"].append(dict(like, name=f"node-with-a-long-name-{n}", requests=like["requests"] * (n + 1),
                                      condition="down" if n % 13 == 12 else "up", role="unknown" if n % 13 == 12 else like["role"]))
        stats["clusters"].append(made)
    stats["pools"] = [dict(stats["pools"][0], database=f"database {i}", node=f"node {i % 7}", servers_idle=i % 20) for i in range(pools)]
    stats["latency"]["pools"] = [dict(stats["latency"]["pools"][0], database=f"database {i}") for i in range(pools)]
    stats["listeners"] = [dict(each, name=f"{each['name']} {i}", cluster="cluster 1") for each in stats["listeners"] for i in range(4)]
    return stats


def test_a_crowd_of_nodes_and_pools_does_not_choke_it(browser, cluster, start):
    r = start(cluster)
    for _ in range(10):
        assert r.value("split", "select 1") == r.value("primary", "select 1") == 1
    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with urllib.request.urlopen(r.page + self.path.lstrip("/")) as answer:
                body, headers = answer.read(), answer.headers
            if self.path.startswith("/stats.json"):
                body = json.dumps(multiplied(json.loads(body))).encode()
            self.send_response(200)
            for name in ("Content-Type", "Content-Security-Policy"):
                self.send_header(name, headers[name])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    port = processes.free_port()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        browser.look()
        browser.open(f"http://127.0.0.1:{port}/stats")
        fresh(browser, 2)
        assert len(browser.texts(".node")) == 64 + 5
        assert len(browser.texts("#pools tbody tr")) == 40
        assert shown(browser, "#pools .more") == "Show all 256"
        browser.js("document.querySelector('#pools .more').click()")
        assert len(browser.texts("#pools tbody tr")) == 256
        cost = browser.js("""
            const before = performance.now();
            return new Promise((done) => {
                const seen = Number(document.body.dataset.answers);
                const longest = [];
                new PerformanceObserver((list) => longest.push(...list.getEntries().map((e) => e.duration))).observe({type: 'longtask'});
                const wait = setInterval(() => {
                    if (Number(document.body.dataset.answers) > seen + 1) { clearInterval(wait); done(Math.max(0, ...longest)); }
                }, 50);
            });""")
        assert cost < 1500, f"an answer took {cost} ms to draw"
        everywhere(browser, "crowd", EVERYWHERE[::3])
        assert browser.console() == []
    finally:
        server.shutdown()
        server.server_close()


# ---- last, since the cluster is not the same afterwards ----


def test_a_failover_as_the_page_shows_it(browser, cluster, start):
    first, second, third = cluster.nodes
    r = start(cluster, cluster_settings={"hold_timeout": "30s"})
    load = Load(r, ["split", "split", "primary", "replica"])
    try:
        browser.look()
        browser.open(r.page)
        assert browser.js("return location.pathname") == "/stats"
        fresh(browser, 3)
        assert role_of(browser, "node1") == (["primary", "up"], "PRIMARY", "primary")
        assert role_of(browser, "node2") == (["replica", "up"], "REPLICA", "replica")
        assert shown(browser, "#contact-text") == "live"
        assert shown(browser, "#refusals").startswith("\u2713Nothing")
        assert shown(browser, "#figure-tps strong").endswith("/s")
        before = line(browser, "Throughput")
        assert before.startswith("M") and before.count("L") >= 1
        fresh(browser)
        assert line(browser, "Throughput") != before, "the chart moves"
        assert line(browser, "Latency").startswith("M")
        assert browser.js("return document.querySelectorAll('.edge.flows').length") >= 2, "traffic is drawn"
        everywhere(browser, "well")

        first.kill()
        wait_until(lambda: role_of(browser, "node1") == (["unknown", "down"], "NO ROLE", "no role"), 20, "the loss is drawn", 0.1)
        wait_until(lambda: "no node takes writes" in shown(browser, "#refusals"), 20, "what is refused, and why", 0.1)
        wait_until(lambda: "primary_lost" in browser.js("return [...document.querySelectorAll('.event')].map((e) => e.dataset.kind)"), 20, "the event", 0.1)
        lost = shown(browser, ".event[data-kind=primary_lost]")
        assert "node1 is the primary no longer" in lost and "no node takes writes: 2 of 3 are in recovery" in lost
        assert "node1: nobody is there" in lost, "the evidence"
        assert "no primary: no node takes writes" in shown(browser, ".cluster-state")
        wait_until(lambda: shown(browser, "#figure-waiting strong") not in ("", "0"), 20, "who waits is counted", 0.1)
        assert browser.js("return document.title") == "\u26a0 rolecall"
        everywhere(browser, "without-a-primary")

        second.promote()
        wait_until(lambda: role_of(browser, "node2") == (["primary", "up"], "PRIMARY", "primary"), 20, "the roles swap", 0.1)
        wait_until(lambda: "node2 is the primary, it was node1" in shown(browser, ".event[data-kind=primary_found]"), 20, "the event", 0.1)
        assert "takes writes on timeline 2" in shown(browser, ".event[data-kind=primary_found] .event-reason")
        assert shown(browser, ".cluster-state").startswith("node2 is primary, timeline 2")
        wait_until(lambda: shown(browser, "#figure-waiting strong") == "0", 20, "nobody waits", 0.1)
        wait_until(lambda: shown(browser, ".event[data-kind=hold_ended]"), 20, "the end of the hold", 0.1)
        assert browser.js("return document.querySelectorAll('.plot .marks line.trouble').length") >= 1, "the charts mark it"
        everywhere(browser, "after-the-failover")

        # What the pointer and the buttons do.
        browser.js("""
            const plot = document.querySelector('.plot'), box = plot.getBoundingClientRect();
            plot.dispatchEvent(new PointerEvent('pointermove', {clientX: box.right - 30, clientY: box.top + 50, bubbles: true}));""")
        assert "transactions" in shown(browser, ".tip") and browser.js("return !document.querySelector('.tip').hidden")
        browser.js("document.querySelector('#timeline-switch button:last-child').click()")
        assert "node_up" in browser.js("return [...document.querySelectorAll('.event')].map((e) => e.dataset.kind)")
        assert "started" not in browser.js("return [...document.querySelectorAll('.event')].map((e) => e.dataset.kind)")
        browser.js("document.querySelector('#latency-group button:last-child').click()")
        assert any("app \u00b7 app" in text for text in browser.texts("#latency-table tbody tr"))
        browser.js("document.querySelector('#nodes th button').click(); document.querySelector('#nodes th button').click()")
        assert [text[:5] for text in browser.texts("#nodes tbody td:first-child")] == ["node3", "node2", "node1"]
        assert browser.console() == []
    finally:
        load.end()
