"""Hooks: commands of the operator's that are told what happens to a cluster."""

import time

import pytest

from lib.hooks import Hooks
from lib.processes import wait_until

pytestmark = pytest.mark.proxy

TELLING = ("on_primary_down", "on_role_change", "on_node_down", "on_node_up", "on_split", "rejoin")


@pytest.fixture
def hooks(own_cluster):
    made = Hooks(own_cluster.directory)
    yield made
    made.close()


def test_hooks_tell_what_happens_to_a_cluster_in_order(make, own_cluster, hooks):
    r = make(own_cluster, cluster_settings=hooks.settings(*TELLING))
    first, second, third = own_cluster.nodes
    wait_until(lambda: len(hooks.of("on_role_change")) == 3, what="each node's first role is told")
    assert hooks.of("on_role_change", NODE=first.name)[0]["ROLE"] == "primary"
    assert hooks.of("on_role_change", NODE=third.name)[0] == {
        **hooks.of("on_role_change", NODE=third.name)[0],
        "CLUSTER": "main", "ROLE": "replica", "OLD_ROLE": "unknown", "HOST": "127.0.0.1", "PORT": str(third.port),
        "CONDITION": "up", "TIMELINE": "1", "CONFIG": r.config_path,
    }
    hooks.calls.clear()

    first.kill()
    wait_until(lambda: hooks.of("on_role_change", NODE=first.name, ROLE="unknown"), what="the loss of the role")
    assert hooks.names()[:3] == ["on_primary_down", "on_node_down", "on_role_change"]
    down = hooks.calls[0]
    assert (down["NODE"], down["OLD_ROLE"]) == (first.name, "primary") and "PRIMARY" not in down
    second.promote()
    wait_until(lambda: hooks.of("on_role_change", NODE=second.name, ROLE="primary"), what="the new primary")
    assert hooks.of("rejoin") == []

    first.start()
    wait_until(lambda: hooks.of("rejoin"), what="the old primary is back")
    told = hooks.of("rejoin")[0]
    assert (told["NODE"], told["PRIMARY"], told["PRIMARY_PORT"]) == (first.name, second.name, str(second.port))
    assert "old primary" in told["REASON"]
    assert hooks.of("on_node_up", NODE=first.name)
    assert hooks.of("on_split") == []
    shown = {row["hook"]: row for row in r.admin_table("show hooks")}
    assert set(shown) == set(TELLING)
    wait_until(lambda: {row["hook"]: row["runs"] for row in r.admin_table("show hooks")}["rejoin"] == 1, what="it has ended")
    told = {row["hook"]: row for row in r.admin_table("show hooks")}
    assert told["on_primary_down"]["runs"] == 1 and told["on_role_change"]["runs"] >= 5
    assert told["on_split"]["runs"] == 0 and told["on_split"]["last"] is None and told["on_split"]["command"].startswith("/")
    assert told["rejoin"]["failures"] == 0 and told["rejoin"]["last"].startswith("rejoin ended well")


def test_a_split_is_told(make, own_cluster, hooks):
    make(own_cluster, cluster_settings=hooks.settings("on_split"))
    first, second, third = own_cluster.nodes
    first.kill()
    second.promote()
    third.promote()
    wait_until(lambda: hooks.of("on_split"), what="the split")
    assert "split: " in hooks.of("on_split")[0]["REASON"]


def test_a_hook_that_hangs_is_killed_and_the_next_one_runs(make, own_cluster, hooks):
    hooks.actions["on_node_down"] = lambda facts: time.sleep(60)
    r = make(own_cluster, cluster_settings={**hooks.settings("on_node_down", "on_node_up"), "hook_timeout": "500ms"})
    own_cluster.replicas[0].stop()
    wait_until(lambda: hooks.of("on_node_down"), what="the hook runs")
    own_cluster.replicas[0].start()
    wait_until(lambda: hooks.of("on_node_up"), what="the next hook runs")
    log = r.log()
    assert 'event=hook_failed cluster=main hook=on_node_down how="killed after hook_timeout"' in log
    assert log.index("hook=on_node_down how=") < log.index("event=hook_started cluster=main hook=on_node_up")


def test_what_a_hook_prints_is_in_the_log(make, own_cluster, hooks):
    def fail(facts):
        raise RuntimeError(f"no pager for {facts['NODE']}")

    hooks.actions["on_node_down"] = fail
    r = make(own_cluster, cluster_settings=hooks.settings("on_node_down"))
    own_cluster.replicas[1].kill()
    wait_until(lambda: 'event=hook_failed cluster=main hook=on_node_down how="status 1"' in r.log(), what="the failure")
    assert f'event=hook_output cluster=main hook=on_node_down text="no pager for {own_cluster.replicas[1].name}"' in r.log()


def test_a_stop_does_not_wait_for_a_hook(make, own_cluster, hooks):
    hooks.actions["on_node_down"] = lambda facts: time.sleep(60)
    r = make(own_cluster, cluster_settings={**hooks.settings("on_node_down"), "hook_timeout": "60s"})
    own_cluster.replicas[0].kill()
    wait_until(lambda: hooks.of("on_node_down"), what="the hook runs")
    began = time.monotonic()
    r.stop()
    assert time.monotonic() - began < 10
