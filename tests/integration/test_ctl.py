"""`rolecall ctl`: a command from the shell."""

import json
import subprocess

import pytest

from lib.admin import ctl, path_of

pytestmark = pytest.mark.proxy


def test_ctl_tells_by_its_status_how_it_went(admin):
    done = ctl(admin, "show", "version")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("version")
    refused = ctl(admin, "show", "nothing")
    assert (refused.returncode, refused.stdout) == (1, "") and "unknown command" in refused.stderr
    refused = ctl(admin, "--json", "show", "nothing")
    assert (refused.returncode, refused.stdout) == (1, "") and json.loads(refused.stderr)["error"]
    for wrong in [], ["--what"], ["-s"], ["-s", "/nowhere/x", "show", "nodes"], ["-c", "/nowhere/x", "show", "nodes"], ["-s", "x" * 200, "help"]:
        got = ctl(admin, *wrong, socket_given=False)
        assert got.returncode == 2 and got.stderr and not got.stdout, wrong
    assert ctl(admin, "show", "nodes", socket_given=False, env={"ROLECALL_ADMIN": ""}).returncode == 2


def test_ctl_finds_the_socket(admin):
    assert ctl(admin, "show", "version", socket_given=False, env={"ROLECALL_ADMIN": path_of(admin)}).returncode == 0
    assert ctl(admin, "-c", admin.config_path, "show", "version", socket_given=False).returncode == 0
    assert "ctl" in ctl(admin, "--help", socket_given=False).stdout


def test_ctl_hands_words_on_as_the_shell_gave_them(admin):
    statement = "select 'it''s', E'\\\\', $$;$$ -- a comment\n from pg_class\nfor update"
    row = json.loads(ctl(admin, "--json", "explain", "route", statement, "database", "app").stdout)[0]
    assert (row["verdict"], row["statements"]) == ("row_lock", 1)
    assert json.loads(ctl(admin, "--json", "explain", "route", "commit").stdout)[0]["verdict"] == "transaction"
    done = ctl(admin, "show version; show clusters")
    assert done.returncode == 0 and "version" in done.stdout and "node1" in done.stdout
    half = ctl(admin, "show version; show nothing; show clusters")
    assert half.returncode == 1 and "version" in half.stdout and "node1" not in half.stdout


def test_socat_is_served(admin):
    done = subprocess.run(
        ["socat", "-", f"UNIX:{path_of(admin)}"], input="show nodes\nshow version", stdout=subprocess.PIPE, text=True, timeout=20
    )
    assert done.stdout.count("\n\n") == 2 and "node3" in done.stdout
