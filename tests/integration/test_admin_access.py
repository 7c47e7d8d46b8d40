"""Who may do what on the admin socket."""

import os
import subprocess

import pytest

from lib import processes
from lib.admin import PORT, SETTINGS, ask, path_of
from lib.rolecall import BINARY

pytestmark = pytest.mark.proxy


def as_nobody(*argv, input=None):
    return subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, input=input, text=True, timeout=30,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_others_may_look_and_not_touch(admin):
    done = as_nobody("socat", "-", f"UNIX:{path_of(admin)}", input="show version\nreload\nshutdown\nlog level debug\nshow version\n")
    answers = done.stdout.split("\n\n")
    assert answers[0].startswith("version") and answers[4].startswith("version")
    for answer, command in zip(answers[1:4], ("RELOAD", "SHUTDOWN", "LOG LEVEL")):
        assert answer == f"error: 42501 permission denied: {command} is for root, the account that rolecall runs as, and admin_users"
    refused = as_nobody(BINARY, "ctl", "-s", path_of(admin), "reload")
    assert refused.returncode == 1 and "permission denied" in refused.stderr
    denied = as_nobody("psql", "-X", f"host={admin.directory} port={PORT} dbname=x", "-c", "reload")
    assert "permission denied" in denied.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_the_file_mode_keeps_others_out(rolecall):
    assert os.stat(rolecall.admin).st_mode & 0o777 == 0o600
    refused = as_nobody(BINARY, "ctl", "-s", rolecall.admin, "show", "nodes")
    assert refused.returncode == 3 and "Permission denied" in refused.stderr
    own = processes.run([BINARY, "ctl", "-s", rolecall.admin, "log", "level", "info"])  # the account that it runs as
    assert own.stdout == "LOG\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_that_becomes_another_account_hands_the_socket_over(cluster):
    from conftest import Endpoint

    r = Endpoint(cluster, {"main": dict(route="primary", pool="transaction")}, settings={"user": "postgres"}, account=None)
    try:
        assert processes.run([BINARY, "ctl", "-s", r.admin, "log", "level", "info"]).stdout == "LOG\n"
    finally:
        r.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_accounts_are_admitted_by_name(make, cluster):
    settings = {**SETTINGS, "admin_socket_mode": "0666"}
    r = make(cluster, {"main": dict(route="primary", pool="transaction")}, settings={**settings, "admin_users": "nobody, somebody"})
    assert as_nobody(BINARY, "ctl", "-s", path_of(r), "log", "level", "info").stdout == "LOG\n"
    r.sections["rolecall"].update({"admin_users": "", "stats_users": "nobody"})
    r.write_config()
    assert ask(r, "reload") == "RELOAD\n\n"
    assert as_nobody(BINARY, "ctl", "-s", path_of(r), "show", "version").returncode == 0
    assert as_nobody(BINARY, "ctl", "-s", path_of(r), "log", "level", "info").returncode == 1
    r.sections["rolecall"]["stats_users"] = "daemon"
    r.write_config()
    assert ask(r, "reload") == "RELOAD\n\n"  # root always may
    words = "permission denied: your account is neither among admin_users nor among stats_users"
    assert words in as_nobody(BINARY, "ctl", "-s", path_of(r), "show", "version").stderr
    assert words in as_nobody("psql", "-X", f"host={r.directory} port={PORT} dbname=x", "-c", "show version").stderr
