"""Commands about the process: RELOAD, LOG LEVEL, SHUTDOWN."""

import os

import psycopg
import pytest

from lib.admin import SETTINGS, Plain, ask, ctl, one, path_of, psql, wire
from lib.processes import wait_until

pytestmark = pytest.mark.proxy


def test_reload_changes_what_the_file_says(make, cluster):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings=SETTINGS)
    r.sections["rolecall"]["pool_size"] = 7
    r.sections["node node2"]["weight"] = 33
    r.write_config()
    assert ask(r, "reload") == "RELOAD\n\n"
    assert one(r, "show config", key="pool_size")["value"] == "7"
    wait_until(lambda: one(r, "show nodes", node="node2")["weight"] == 33, what="the weight is in force")
    r.sections["rolecall"]["pool_size"] = "many"
    r.write_config()
    with wire(r) as w:
        (error,) = [m for m in w.query("reload") if m.kind == "E"]
        assert error.sqlstate == "F0000" and "pool_size" in error.fields["M"]
    refused = ctl(r, "reload")
    assert refused.returncode == 1 and "pool_size" in refused.stderr and refused.stdout == ""
    assert one(r, "show config", key="pool_size")["value"] == "7"
    assert r.value("main", "select 1") == 1


def test_log_level_changes_what_is_logged(admin):
    def closed():
        return admin.log().count("event=client_closed")

    before = closed()
    admin.value("primary", "select 1")
    assert ask(admin, "log level debug") == "LOG\n\n"
    wait_until(lambda: admin.value("primary", "select 1") and closed() > before, what="debug events are logged")
    assert ask(admin, "log level info") == "LOG\n\n"
    assert 'event=admin_command command="LOG LEVEL" argument=debug' in admin.log()


@pytest.mark.parametrize("way", ["plain", "psql", "ctl"])
def test_shutdown_drains_and_ends(make, cluster, way):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings=SETTINGS)
    path = path_of(r)
    with r.connect("main", autocommit=False) as c:
        c.execute("select 1")
        if way == "plain":
            assert ask(r, "shutdown") == "SHUTDOWN\n\n"
        elif way == "psql":
            assert psql(r, "-c", "shutdown").returncode == 0
        else:
            assert ctl(r, "shutdown").returncode == 0
        c.execute("select 1")  # a transaction may end
        assert one(r, "show totals")["clients"] == 1  # and can be watched meanwhile
        c.commit()
    r.process.wait(20)
    assert r.process.returncode == 0
    assert not os.path.exists(path)


def test_a_second_shutdown_does_not_wait(make, cluster):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings=SETTINGS)
    with r.connect("main", autocommit=False) as c:
        c.execute("select 1")
        with Plain(r) as p:
            assert p.ask("shutdown") == ["SHUTDOWN"]
            assert p.ask("shutdown") == ["SHUTDOWN"]
            r.process.wait(10)
        with pytest.raises(psycopg.OperationalError):
            c.execute("select 1")
    assert r.process.returncode == 0


def test_shutdown_while_workers_are_being_asked(make, cluster):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings=SETTINGS)
    c = r.connect("main", autocommit=False)
    c.execute("select 1")
    clients = [Plain(r) for _ in range(20)]
    for p in clients:
        p.send("show sessions; show servers; show pools\n" * 100)
    with Plain(r) as p:
        p.send("shutdown; shutdown\n")
        r.process.wait(10)
    assert r.process.returncode == 0
    for p in clients:
        p.__exit__()
    c.close()
