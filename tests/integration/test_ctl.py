"""`rolecall ctl`: a command from the shell."""

import json
import os
import socket
import subprocess

import pytest

from lib.admin import ctl, one, path_of
from lib.rolecall import BINARY, ROOT

pytestmark = pytest.mark.proxy


def test_ctl_tells_by_its_status_how_it_went(admin):
    done = ctl(admin, "show", "version")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("version")
    refused = ctl(admin, "show", "nothing")
    assert (refused.returncode, refused.stdout) == (1, "") and "unknown command" in refused.stderr
    refused = ctl(admin, "--json", "show", "nothing")
    assert (refused.returncode, refused.stdout) == (1, "") and json.loads(refused.stderr)["error"]
    for wrong in [], ["--what"], ["-s"], ["-t", "x", "help"], ["-c", "/nowhere/x", "show", "nodes"]:
        got = ctl(admin, *wrong, socket_given=False)
        assert got.returncode == 2 and got.stderr and not got.stdout, wrong
    for nobody in ["-s", "/nowhere/x", "show", "nodes"], ["-s", "x" * 200, "help"]:
        got = ctl(admin, *nobody, socket_given=False)
        assert got.returncode == 3 and got.stderr and not got.stdout, nobody


def test_ctl_does_not_wait_for_ever(tmp_path):
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "silent"))
    listening.listen()
    got = subprocess.run([BINARY, "ctl", "-s", str(tmp_path / "silent"), "-t", "1", "help"], capture_output=True, text=True, timeout=20)
    assert got.returncode == 3 and "no answer in time" in got.stderr
    listening.close()


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


def completed(admin, *words):
    return ctl(admin, "--complete", *words).stdout.split()


def test_ctl_completes_commands_and_names(admin):
    assert {"show", "pause", "resume", "kill", "drain", "help", "set", "shutdown"} <= set(completed(admin, ""))
    assert "begin" not in completed(admin, "")  # accepted for the sake of drivers
    assert set(completed(admin, "show", "s")) == {"sessions", "servers", "stats", "stats_totals", "stats_averages", "state"}
    assert completed(admin, "explain", "route", "") == []
    assert completed(admin, "SHOW", "POOLS", "") == ["by"]
    assert completed(admin, "drain", "node") == ["node1", "node2", "node3"]
    assert completed(admin, "set", "weight", "") == ["node1", "node2", "node3"]
    assert completed(admin, "set", "weight", "node1", "") == []
    assert completed(admin, "log", "level", "") == ["error", "warning", "info", "debug"]
    assert completed(admin, "shutdown", "") == ["wait", "immediate"]
    with admin.connect("primary", application_name="completed"):
        assert "app" in completed(admin, "pause", "")
        row = one(admin, "show sessions", application_name="completed")
        assert row["id"] in completed(admin, "kill", "")
    away = ctl(admin, "-s", "/nowhere", "--complete", "drain", "", socket_given=False)
    assert (away.returncode, away.stdout, away.stderr) == (0, "", "")


def test_bash_completes(admin, tmp_path):
    """With the script that is installed, as bash calls it."""
    script = f"""
        PATH={os.path.dirname(BINARY)}:$PATH
        source {ROOT}/conf/system/rolecall.bash
        complete_line() {{
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _rolecall
            echo "${{COMPREPLY[*]}}"
        }}
        complete_line rolecall c
        complete_line rolecall ctl show cl
        complete_line rolecall ctl -s {path_of(admin)} drain node
        complete_line rolecall run --
        complete_line rolecall check -c {ROOT}/conf/system/rolecall.b
    """
    got = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert got.stderr == ""
    assert got.stdout.splitlines() == ["check ctl", "clusters clients", "node1 node2 node3", "--config", f"{ROOT}/conf/system/rolecall.bash"]
