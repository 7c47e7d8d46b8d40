"""As a service manager sees it: systemd's notifications, the reload, the drain."""

import os
import signal
import socket
import time

import psycopg
import pytest

from lib.admin import SETTINGS, ask
from lib.processes import wait_until

pytestmark = pytest.mark.proxy

MAIN = {"main": dict(route="primary", pool="transaction")}


class Manager:
    """The socket that systemd would listen on."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(("\0" + name[1:]) if name.startswith("@") else name)
        if not name.startswith("@"):
            os.chmod(name, 0o666)
        self.socket.settimeout(20)

    def hear(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def until(self, key):
        while key not in (heard := self.hear()):
            pass
        return heard


@pytest.fixture(params=["path", "@abstract"])
def manager(request, tmp_path, monkeypatch):
    os.chmod(tmp_path, 0o755)
    name = f"@rolecall-test-{os.getpid()}" if request.param == "@abstract" else f"/tmp/rolecall-notify-{os.getpid()}"
    made = Manager(name)
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    yield made
    made.socket.close()
    if name.startswith("/"):
        os.unlink(name)


def test_the_manager_hears_of_everything_in_time(make, cluster, manager):
    r = make(cluster, MAIN, settings={**SETTINGS, "shutdown_timeout": "30s"}, ready=False)
    assert manager.hear() == {"READY": "1", "STATUS": "Serving"}
    began = time.monotonic()
    for _ in range(4):
        assert manager.hear() == {"WATCHDOG": "1"}
    assert 0.5 < time.monotonic() - began < 4
    r.wait_ready()
    r.reload()
    reloading = manager.until("RELOADING")
    assert 0 < int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    assert manager.until("READY")["STATUS"] == "Serving"
    r.sections["rolecall"]["pool_size"] = "many"
    r.reload()
    manager.until("RELOADING")
    assert "the last reload failed" in manager.until("READY")["STATUS"]  # it serves on
    with r.connect("main", autocommit=False) as c:
        c.execute("select 1")
        r.process.send_signal(signal.SIGTERM)
        stopping = manager.until("STOPPING")
        assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 30_000_000
        manager.until("WATCHDOG")  # while it drains
        c.execute("select 1")
        c.commit()
    r.process.wait(20)
    assert r.process.returncode == 0


def test_without_a_manager_nobody_is_told(make, cluster, monkeypatch):
    for name in "", "relative/path", "@", "/" + "x" * 200, "/nowhere/at/all":
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        r = make(cluster, MAIN)
        assert r.value("main", "select 1") == 1
        r.stop()


def test_shutdown_wait_waits_beyond_shutdown_timeout(make, cluster):
    r = make(cluster, MAIN, settings={**SETTINGS, "shutdown_timeout": "500ms"})
    with r.connect("main", autocommit=False) as c:
        c.execute("select 1")
        assert ask(r, "shutdown wait") == "SHUTDOWN\n\n"
        time.sleep(1.2)  # longer than shutdown_timeout: the point
        assert r.alive()
        c.execute("select 1")
        c.commit()
    r.process.wait(20)
    assert r.process.returncode == 0


def test_shutdown_immediate_waits_for_nobody(make, cluster):
    r = make(cluster, MAIN, settings={**SETTINGS, "shutdown_timeout": "30s"})
    c = r.connect("main", autocommit=False)
    c.execute("select 1")
    ask(r, "shutdown immediate")
    wait_until(lambda: not r.alive(), 5, "it ends at once")
    assert r.process.returncode == 0
    with pytest.raises(psycopg.OperationalError, match="shutting down"):
        c.execute("select 1")
    c.close()
