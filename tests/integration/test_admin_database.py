"""The administrator's database: rolecall itself, over a listener, for those who prove who they are."""

import os
import random
import socket
import struct
import subprocess

import psycopg
import pytest

from lib import cluster as pg
from lib.admin import SETTINGS, one, path_of, table
from lib.certificates import Authority
from lib.processes import wait_until
from lib.wire import Error, Wire, kinds, message, query, sync

pytestmark = pytest.mark.proxy

OPERATOR, WATCHER = pg.SUPERUSER, "watcher"
CONSOLE = dict(dbname="rolecall", user=OPERATOR, password=pg.SUPERUSER_PASSWORD)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    directory = tmp_path_factory.mktemp("authority")
    for part in (directory, directory.parent, directory.parent.parent):
        os.chmod(part, 0o755)
    return Authority(directory)


@pytest.fixture(scope="module")
def watcher(cluster):
    cluster.primary.sql(f"create role {WATCHER} login password 'watch'")
    cluster.catch_up()
    yield dict(dbname="rolecall", user=WATCHER, password="watch")
    cluster.primary.sql(f"drop role {WATCHER}")


@pytest.fixture(scope="module")
def r(cluster, authority, watcher):
    from conftest import Endpoint

    cert, key = authority.issue("listener")
    own = dict(tls_cert_file=cert, tls_key_file=key)
    made = Endpoint(
        cluster,
        {
            "main": dict(route="split", pool="transaction"),
            "trusting": dict(route="primary", pool="transaction", auth="trust"),
            "relay": dict(route="primary", auth="passthrough"),
            "tls": dict(route="primary", pool="transaction", tls="require", **own),
            "cert": dict(route="primary", pool="transaction", auth="cert", tls="verify-full", tls_ca_file=authority.ca, **own),
        },
        settings={**SETTINGS, "admin_database": "on", "admin_users": OPERATOR, "stats_users": WATCHER},
    )
    yield made
    made.stop()


def psql(r, listener, *args, **more):
    env = r.environment(listener, PGDATABASE="rolecall", PGUSER=OPERATOR, PGPASSWORD=pg.SUPERUSER_PASSWORD, **more)
    return subprocess.run(["psql", "-X", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, env=env)


def refused(r, listener="main", **options):
    with pytest.raises(psycopg.OperationalError) as caught:
        r.connect(listener, **{**CONSOLE, **options}).close()
    return str(caught.value)


def consoles(r):
    return [row for row in table(r, "show sessions") if row["state"] == "console"]


@pytest.mark.parametrize("listener", ["main", "trusting", "relay"])
def test_psql_asks_over_a_listener(r, listener):
    shown = psql(r, listener, "--csv", "-c", "SHOW NODES").stdout.splitlines()
    assert shown[0].startswith("cluster,node,") and len(shown) == 4
    assert "node1" in psql(r, listener, "-c", r"\x", "-c", "show clusters").stdout


def test_psql_watches_over_tls(r, authority):
    more = dict(PGSSLMODE="verify-full", PGSSLROOTCERT=authority.ca, PGHOST="localhost")
    done = psql(r, "tls", "-c", "show version", "-c", "log level info", **more)
    assert done.stdout.splitlines()[2].strip().startswith("rolecall ") and done.stdout.endswith("LOG\n")
    watching = subprocess.Popen(["psql", "-X", "-t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                env=r.environment("tls", PGDATABASE="rolecall", PGUSER=OPERATOR, PGPASSWORD=pg.SUPERUSER_PASSWORD, **more))
    try:
        watching.stdin.write("show version \\watch 0.1\n")
        watching.stdin.flush()
        seen = 0
        while seen < 3:
            seen += "rolecall 0" in watching.stdout.readline()
    finally:
        watching.kill()
        watching.wait()
    wait_until(lambda: consoles(r) == [], what="it is gone")


def test_a_driver_asks_too(r):
    with r.connect("main", **CONSOLE) as c:
        assert [row[1] for row in c.execute("show nodes").fetchall()] == ["node1", "node2", "node3"]
        (shown,) = consoles(r)
        assert (shown["user"], shown["database"]) == (OPERATOR, "rolecall")
        told = one(r, "show events", text="LOG LEVEL info", reason=c.execute("log level info").statusmessage and
                   f"said from 127.0.0.1:{shown['port']} by user {OPERATOR}")
        assert told["kind"] == "command"
    wait_until(lambda: consoles(r) == [], what="it is gone")


def test_ten_thousand_rows_pass_through_tls(r):
    """More than the buffers between worker and main hold."""
    with r.connect("tls", **CONSOLE) as c:
        for _ in range(300):
            assert len(c.execute("show config").fetchall()) > 50
        script = "; ".join(["show config"] * 200)
        c.execute(script)


def test_whoever_only_looks_may_not_touch(r, watcher):
    with r.connect("main", **watcher) as c:
        assert len(c.execute("show nodes").fetchall()) == 3
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="RELOAD is for root"):
            c.execute("reload")
        assert c.execute("show version").fetchone()


@pytest.mark.parametrize("listener", ["main", "trusting", "relay"])
def test_a_wrong_password_is_refused_everywhere(r, listener):
    assert f'password authentication failed for user "{OPERATOR}"' in refused(r, listener, password="wrong")
    assert 'password authentication failed for user "nobody"' in refused(r, listener, user="nobody")


def test_a_certificate_is_a_proof(r, authority):
    def issued(name):
        cert, key = authority.issue(name, hosts=())
        os.chown(key, os.geteuid(), -1)
        return dict(sslmode="require", sslcert=cert, sslkey=key)

    with r.connect("cert", **{**CONSOLE, "password": None}, **issued(OPERATOR)) as c:
        assert c.execute("log level info").statusmessage == "LOG"
    assert f'certificate authentication failed for user "{OPERATOR}"' in refused(r, "cert", password=None, **issued(pg.USER))
    assert "permission denied" in refused(r, "cert", user=pg.USER, password=None, **issued(pg.USER))


def test_others_are_not_let_in(r):
    text = refused(r, user=pg.USER, password=pg.PASSWORD)
    assert f'permission denied for database "rolecall": user "{pg.USER}" is neither among admin_users nor among stats_users' in text
    with Wire(r.ports["main"]) as w, pytest.raises(Error) as caught:
        w.login(database="rolecall")
    assert caught.value.sqlstate == "42501"
    assert f'event=login_failed user={pg.USER} database=rolecall listener=main reason="permission denied' in r.log()


def test_it_does_not_replicate(r):
    with Wire(r.ports["main"]) as w, pytest.raises(Error) as caught:
        w.login(user=OPERATOR, password=pg.SUPERUSER_PASSWORD, database="rolecall", replication="true")
    assert caught.value.sqlstate == "0A000"


def test_it_comes_and_goes_with_a_reload(r):
    r.sections["rolecall"]["admin_database"] = "off"
    r.write_config()
    with r.connect("main", **CONSOLE) as c:
        assert c.execute("reload").statusmessage == "RELOAD"
        assert 'database "rolecall" does not exist' in refused(r)
        r.sections["rolecall"]["admin_database"] = "on"
        r.write_config()
        assert c.execute("reload").statusmessage == "RELOAD"  # who is in stays
    assert r.value("main", "show version", **CONSOLE).startswith("rolecall ")


def test_garbage_does_no_harm(r):
    rng = random.Random(5)
    for _ in range(50):
        with Wire(r.ports["main"]) as w:
            w.login(user=OPERATOR, password=pg.SUPERUSER_PASSWORD, database="rolecall")
            w.send(rng.choice([
                rng.randbytes(rng.randrange(1, 300)),
                message(chr(rng.randrange(1, 127)), rng.randbytes(rng.randrange(100))),
                bytes([rng.choice(b"QPBEDCSHXFdcfp")]) + struct.pack("!I", rng.choice([0, 3, 70_000, 2**32 - 1])),
                query(rng.randbytes(rng.randrange(60)).replace(b"\0", b"x")),
            ]))
            try:
                w.send(sync(), query("show version"))
                w.socket.shutdown(socket.SHUT_WR)
                while w.socket.recv(65536):
                    pass
            except OSError:  # it was shown the door
                pass
    with Wire(r.ports["main"]) as w:
        w.login(user=OPERATOR, password=pg.SUPERUSER_PASSWORD, database="rolecall")
        assert kinds(w.query("show version")) == "TDCZ"
    wait_until(lambda: consoles(r) == [], what="all are gone")


def test_the_one_idle_for_longest_gives_way(r):
    opened = [r.connect("main", **CONSOLE) for _ in range(33)]
    try:
        with pytest.raises(psycopg.OperationalError, match="idle longest"):
            opened[0].execute("show version")
        assert opened[32].execute("show version").fetchone() and opened[1].execute("show version").fetchone()
    finally:
        for c in opened:
            c.close()


def test_a_stop_waits_for_nobody_who_only_looks_on(make, cluster):
    r = make(cluster, {"main": dict(route="primary", pool="transaction")},
             settings={**SETTINGS, "admin_database": "on", "admin_users": OPERATOR, "shutdown_timeout": "30s"})
    with r.connect("main", **CONSOLE) as c, r.connect("main", autocommit=False) as running:
        running.execute("select 1")
        assert c.execute("shutdown").statusmessage == "SHUTDOWN"
        assert c.execute("show state").fetchone()[1] == "stopping"
        running.commit()
        wait_until(lambda: r.process.poll() is not None, 10, "it has ended")
        with pytest.raises(psycopg.OperationalError):
            c.execute("show state")
    assert not os.path.exists(path_of(r))
