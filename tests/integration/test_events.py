"""What operators hear of: role changes, outages, holds, reloads, failed logins, each with its reason and evidence."""

import json
import threading

import psycopg
import pytest

from lib.processes import wait_until
from test_http import ask, with_door

pytestmark = pytest.mark.proxy


@pytest.fixture(scope="module")
def r(cluster):
    made = with_door(cluster)
    yield made
    made.stop()


@pytest.fixture
def r_of_its_own(own_cluster):
    own_cluster.primary.sql("create table w (a int); grant all on w to app")
    own_cluster.catch_up()
    made = with_door(own_cluster, cluster_settings={"hold_timeout": "20s"})
    yield made
    made.stop()


def told(r, path):
    answer = ask(r, path)
    assert answer.status == 200
    return json.loads(answer.text)


def events(r, since=0):
    return told(r, f"/events.json?since={since}")["events"]


def kinds(r, since=0):
    return [event["kind"] for event in events(r, since)]


def newest(r):
    return told(r, "/events.json")["newest"]


def one(r, kind, since=0, **fields):
    """The one event of this kind, when it has come."""
    def there():
        found = [e for e in events(r, since) if e["kind"] == kind and all(e[key] == value for key, value in fields.items())]
        return found[0] if found else None

    return wait_until(there, 20, f"an event {kind} {fields}", 0.05)


def test_a_failover_is_told_with_its_reasons_and_evidence(r_of_its_own, own_cluster):
    r = r_of_its_own
    first, second, third = own_cluster.nodes
    one(r, "primary_found", node=first.name)
    before = newest(r)
    writer = r.connect("primary")
    writer.execute("select 1")
    first.kill()
    lost = one(r, "primary_lost", before, node=first.name)
    assert lost["weight"] == "trouble" and lost["cluster"] == "main"
    assert f"{first.name}: nobody is there:" in lost["evidence"] and f"{second.name}: answered" in lost["evidence"]
    assert "nobody is there" in one(r, "node_down", before, node=first.name)["reason"]
    task = threading.Thread(target=lambda: writer.execute("insert into w values (1)"))
    task.start()
    begun = one(r, "hold_begun", before)
    assert "no node takes writes" in begun["reason"]
    second.promote()
    found = one(r, "primary_found", before, node=second.name)
    assert found["text"].startswith(f"{second.name} is the primary, it was {first.name}; there was none for ")
    assert "takes writes on timeline 2" in found["reason"] and "takes writes on timeline 2, at 0/" in found["evidence"]
    role = one(r, "role_changed", before, node=second.name)
    assert role["text"] == f"{second.name} is primary, it was replica"
    task.join(20)
    ended = one(r, "hold_ended", before)
    assert ended["count"] >= 1 and ended["text"].endswith("had to, 0 were refused")
    order = kinds(r, before)
    assert order.index("primary_lost") < order.index("hold_begun") < order.index("primary_found") < order.index("hold_ended")
    ids = [event["id"] for event in events(r)]
    assert ids == list(range(1, len(ids) + 1))
    assert all(a["at_ms"] <= b["at_ms"] + 50 for a, b in zip(events(r), events(r)[1:]))
    shown = r.admin_table(f"show events since {before}")
    assert [row["kind"] for row in shown] == kinds(r, before)
    assert shown[0]["time"].endswith("Z")
    log = r.log()
    for line in ("event=primary_found", "event=no_primary", "event=hold_begun", "event=hold_ended", "event=role_changed"):
        assert line in log
    third.stop("fast")
    assert one(r, "node_down", newest(r) - 1, node=third.name)["weight"] == "trouble"


def test_a_reload_keeps_what_was_and_tells_what_it_changes(r):
    before = newest(r)
    first = events(r)[0]
    r.sections["rolecall"]["pool_size"] = 7
    r.sections["node node2"]["weight"] = 50
    r.reload()
    told = one(r, "reloaded", before)
    assert "pool_size" in told["reason"] and "weight" in told["reason"]
    assert events(r)[0] == first
    r.sections["rolecall"]["pool_size"] = "many"
    r.reload()
    failed = one(r, "reload_failed", before)
    assert failed["weight"] == "trouble" and "pool_size" in failed["reason"]
    r.sections["rolecall"]["pool_size"] = 7
    del r.sections["node node3"]
    r.reload()
    assert one(r, "node_removed", before)["node"] == "node3"
    r.sections["node node3"] = {"host": "127.0.0.1", "port": r.cluster.nodes[2].port}
    r.reload()
    assert one(r, "node_added", before)["node"] == "node3"


def test_many_failed_logins_are_one_event(r):
    before = newest(r)
    for _ in range(30):
        with pytest.raises(psycopg.OperationalError):
            r.connect("split", password="wrong")
    told = one(r, "login_failures", before)
    assert told["count"] >= 5 and "password authentication failed" in told["reason"]
    assert told["evidence"] == 'user "app", database "app", listener split'
    assert kinds(r, before).count("login_failures") <= 3


def test_what_an_operator_says_is_an_event(r):
    before = newest(r)
    r.admin_table("log level debug")
    told = one(r, "command", before)
    assert told["text"] == "LOG LEVEL debug" and told["reason"] == "said on the admin socket by uid 0"
    r.admin_table("log level loud")
    assert "refused" in one(r, "command", before, text="LOG LEVEL loud")["reason"]


def test_the_page_of_statistics_has_the_newest_events(r):
    assert told(r, "/stats.json")["events"][-1]["id"] == newest(r)
    assert ask(r, "/events.json?since=x").status == 400
    assert told(r, "/events.json?since=999999999")["events"][0]["id"] == 1
