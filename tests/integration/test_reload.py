"""SIGHUP: what can change does, what cannot is named, and a bad file changes nothing."""

import pytest

from lib import processes
from lib.processes import wait_until
from lib.rolecall import BINARY
from lib.wire import Error, Wire, query

pytestmark = pytest.mark.proxy


@pytest.fixture
def r(make, cluster):
    return make(cluster, {"main": dict(route="primary", pool="transaction")}, settings={"pool_size": 1})


def check(r):
    return processes.run([BINARY, "check", "-c", r.config_path], check=False)


def test_a_limit_changes_while_sessions_go_on(r):
    with r.connect("main", autocommit=False) as a:
        a.execute("select 1")
        with Wire(r.ports["main"]) as w:
            w.login()
            w.send(query("select 2"))
            assert w.nothing_comes(0.2)
            r.sections["rolecall"]["pool_size"] = 3
            r.reload()
            assert w.types_until_ready(timeout=10) == "TDCZ"
        a.rollback()


def test_a_new_node_is_used(make, cluster):
    r = make(cluster, {"main": dict(route="replica", pool="transaction")}, ready=False)
    gone = cluster.replicas[0]
    section = r.sections.pop(f"node {gone.name}")
    r.reload()
    other = cluster.replicas[1].port
    wait_until(lambda: {r.value("main", "select whereami()") for _ in range(6)} == {other}, 10, "one replica is left")
    r.sections[f"node {gone.name}"] = section
    r.reload()
    wait_until(lambda: r.value("main", "select whereami()") == gone.port, 10, "the node is back", 0.01)


def test_a_route_changes_for_new_sessions(make, cluster):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")})
    with r.connect("main") as old:
        assert old.execute("select whereami()").fetchone()[0] == cluster.primary.port
        r.sections["listener main"]["route"] = "replica"
        r.reload()
        wait_until(lambda: r.value("main", "select whereami()") in cluster.replica_ports, 10, "the new route is in force")


@pytest.mark.parametrize(
    "section, key, value, named",
    [
        ("rolecall", "pool_size", "many", "pool_size"),
        ("rolecall", "pool_sise", "3", "pool_size"),
        ("listener main", "route", "sideways", "route"),
        ("nonsense x", "a", "b", "nonsense"),
        ("cluster main", "hold_timeout", "5 parsecs", "hold_timeout"),
        ("node node1", "port", "99999", "port"),
    ],
)
def test_a_bad_file_changes_nothing_and_is_explained(r, section, key, value, named):
    before = len(r.log())
    r.sections.setdefault(section, {})[key] = value
    r.sections["rolecall"]["log_level"] = "debug"
    r.reload()
    wait_until(lambda: named in r.log()[before:], 10, "the log says what is wrong")
    assert r.value("main", "select 1") == 1
    done = check(r)
    assert done.returncode == 1
    assert r.config_path in done.stdout and named in done.stdout
    assert len(done.stdout.strip().splitlines()) == 1


def test_a_missing_file_changes_nothing(r):
    import os

    os.rename(r.config_path, r.config_path + ".away")
    before = len(r.log())
    import signal

    r.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "rolecall.conf" in r.log()[before:], 10, "the log names the file")
    assert r.value("main", "select 1") == 1


def test_what_needs_a_restart_is_named(r):
    before = len(r.log())
    r.sections["rolecall"]["workers"] = 5
    r.reload()
    wait_until(lambda: "workers" in r.log()[before:], 10, "the log names the key")
    assert r.value("main", "select 1") == 1


def test_the_log_level_and_format_change(r):
    r.sections["rolecall"]["log_format"] = "json"
    r.sections["rolecall"]["log_level"] = "debug"
    r.reload()
    wait_until(lambda: any(line.startswith("{") for line in r.log().splitlines()), 10, "lines are JSON")


def test_many_reloads_under_load(r, cluster):
    with r.connect("main") as c:
        for i in range(30):
            r.sections["rolecall"]["pool_size"] = 1 + i % 3
            r.reload()
            assert c.execute("select %s::int", (i,)).fetchone()[0] == i


def test_users_removed_from_the_auth_file_cannot_log_in_again(make, cluster, tmp_path):
    import os

    for part in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(part, 0o755)
    path = tmp_path / "users"
    path.write_text('"app" "app-secret"\n"legacy" "legacy-secret"\n')
    os.chmod(path, 0o600)
    processes.own(path)
    r = make(cluster, {"main": dict(route="primary", pool="transaction", auth_file=str(path))}, ready=False,
             cluster_settings={"auth_query": ""})
    assert r.value("main", "select current_user::text", user="legacy", password="legacy-secret") == "legacy"
    path.write_text('"app" "app-secret"\n')
    r.reload()

    def refused():
        try:
            Wire(r.ports["main"]).login(user="legacy", password="legacy-secret").close()
            return False
        except Error as error:
            return error.sqlstate == "28P01"

    wait_until(refused, 10, "the removed user is refused")
    assert r.value("main", "select 1") == 1


def test_sigint_and_sigterm_both_end_it_well(make, cluster):
    import signal

    for number in (signal.SIGTERM, signal.SIGINT):
        r = make(cluster, {"main": dict(route="primary", pool="transaction")})
        r.stop(number)
