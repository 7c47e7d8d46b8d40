"""`rolecall demo`: what its command sees, and that nothing is left of it, however it ends."""

import os
import re
import signal
import socket
import subprocess

import pytest

from lib.processes import wait_until
from lib.rolecall import BINARY

pytestmark = pytest.mark.proxy


def demo(*args, **options):
    return subprocess.Popen([BINARY, "demo", *args], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def directory_of(process):
    """From the first line that it prints."""
    line = process.stderr.readline()
    found = re.search(r"in (/\S+/rolecall-demo\.\w+)", line)
    assert found, line + process.stderr.read()
    return found[1]


def left(directory):
    """What is still there: the directory, processes that live in it or name it."""
    found = [directory] if os.path.exists(directory) else []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read()
            with open(f"/proc/{pid}/environ", "rb") as file:
                words += file.read()
            if directory.encode() in words or os.readlink(f"/proc/{pid}/cwd").startswith(directory):
                found.append(f"{pid}: {words[:100]}")
        except OSError:
            pass
    return found


def nothing_left(directory):
    wait_until(lambda: not left(directory), 15, f"nothing of {directory} is left: {left(directory)}")


def finished(process, timeout=60):
    out, errors = process.communicate(timeout=timeout)
    return process.returncode, out, errors


def test_the_command_finds_its_environment_and_its_status_is_ours():
    script = """
set -e
test "$(psql -AtXc 'select current_user, current_database()')" = "demo|demo"
test "$(psql -AtX -p $ROLECALL_PRIMARY_PORT -c 'show transaction_read_only')" = off
test "$(psql -AtX -p $ROLECALL_REPLICA_PORT -c "select count(*) from pg_class where relname = 'pg_class'")" = 1
psql -qX -c 'create table t (a int)'
test "$(psql -AtX service=split -c 'select count(*) from t')" = 0
test "$(psql -AtX service=node2 -c 'select pg_is_in_recovery()')" = t
test -d "$ROLECALL_DEMO_DIR/node3/data"
test "${ROLECALL_STATS-unset}" != unset
test -n "$ROLECALL_ADMIN"
echo "$ROLECALL_DEMO_NODES"
exit 7
"""
    process = demo("--", "sh", "-c", script)
    directory = directory_of(process)
    status, out, errors = finished(process)
    assert status == 7, out + errors
    assert re.fullmatch(r"node1:\d+ node2:\d+ node3:\d+\n", out)
    nothing_left(directory)


def test_reads_are_on_both_replicas_and_writes_on_the_primary():
    """The main job: by the nodes' own statistics, after a load."""
    statistics = "select xact_commit from pg_stat_database where datname = 'demo'"
    script = f"""
set -e
pgbench -q -i -s 1 2>/dev/null
pgbench -n -c 8 -j 2 -t 100 >out 2>&1 || {{ cat out; exit 1; }}
grep -q 'number of failed transactions: 0' out
pgbench -n -S -M prepared -c 8 -j 2 -t 300 >out 2>&1 || {{ cat out; exit 1; }}
grep -q 'number of failed transactions: 0' out
test "$(psql -AtX service=node1 -c 'select count(*) from pgbench_history')" = 800
of() {{ psql -AtX service=$1 -c "{statistics}"; }}
for i in $(seq 1 150); do # an idle server tells its statistics after ten seconds
    test $(of node1) -ge 800 -a $(of node2) -ge 300 -a $(of node3) -ge 300 && break
    sleep 0.1
done
for node in node1 node2 node3; do of $node; done
"""
    process = demo("--", "sh", "-c", f"cd $(mktemp -d) && {{ {script} }}; status=$?; rm -rf $PWD; exit $status")
    directory = directory_of(process)
    status, out, errors = finished(process)
    assert status == 0, out + errors
    primary, *replicas = map(int, out.split())
    assert primary >= 800
    assert all(commits >= 300 for commits in replicas), out
    nothing_left(directory)


@pytest.mark.parametrize(
    "number, moment",
    [(signal.SIGINT, "early"), (signal.SIGKILL, "early"), (signal.SIGINT, "late"), (signal.SIGTERM, "late"), (signal.SIGHUP, "late"), (signal.SIGKILL, "late")],
)
def test_nothing_is_left_when_it_is_ended(number, moment):
    process = demo("--nodes", "1", "--", "sh", "-c", "echo ready; setsid sleep 4711 & exec sleep 4712")
    directory = directory_of(process)
    if moment == "late":
        assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.stdout.close()
    assert process.wait(20) != 0
    nothing_left(directory)


def test_without_a_command_it_greets_and_waits_for_ctrl_c():
    process = demo("--nodes", "1")
    directory = directory_of(process)
    while "Ctrl-C" not in (line := process.stdout.readline()):
        assert line != "", process.stderr.read()
    process.send_signal(signal.SIGINT)
    assert finished(process)[0] == 0
    nothing_left(directory)


def test_two_run_side_by_side():
    first = demo("--nodes", "1", "--", "sh", "-c", "echo $PGPORT; read x")
    directories = [directory_of(first)]
    port = first.stdout.readline()
    second = demo("--nodes", "1", "--", "sh", "-c", "psql -AtXc 'select 1'; echo $PGPORT")
    directories.append(directory_of(second))
    status, out, errors = finished(second)
    assert (status, out.split()[0]) == (0, "1"), errors
    assert out.split()[1] != port.strip()
    first.kill()
    first.wait()
    for directory in directories:
        nothing_left(directory)


def test_keep_keeps_the_directory_but_not_the_servers():
    import shutil

    process = demo("--nodes", "1", "--keep", "--", "true")
    directory = directory_of(process)
    assert finished(process)[0] == 0
    try:
        assert os.path.exists(f"{directory}/node1/data/PG_VERSION")
        assert not os.path.exists(f"{directory}/node1/data/postmaster.pid")
        wait_until(lambda: left(directory) == [directory], 10, "the servers have ended")
    finally:
        shutil.rmtree(directory)


def row_of_free_ports(n):
    """Below the ports that the kernel gives to connections, and beside those that the tests and other demos use."""
    for base in range(7000, 10000 - n, n):
        try:
            for port in range(base, base + n):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
            return base
        except OSError:
            pass
    raise AssertionError("no free ports")


def test_given_ports_are_used_and_taken_ones_refused():
    base = row_of_free_ports(4)
    process = demo("--nodes", "1", "--port", str(base), "--", "sh", "-c", "echo $PGPORT $ROLECALL_PRIMARY_PORT; read x", stdin=subprocess.PIPE)
    directory = directory_of(process)
    assert process.stdout.readline().split() == [str(base), str(base + 1)]
    status, _, errors = finished(demo("--nodes", "1", "--port", str(base), "--", "true"))
    assert status == 1 and "not all free" in errors
    process.stdin.write("\n")
    process.stdin.flush()
    assert finished(process)[0] == 0
    nothing_left(directory)


def test_the_end_of_a_node_is_told_and_of_rolecall_is_the_end():
    process = demo("--nodes", "2", "--", "sh", "-c",
                   "kill -9 $(head -1 $ROLECALL_DEMO_DIR/node2/data/postmaster.pid); sleep 0.5; "
                   "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' <$p/cmdline 2>/dev/null) in *\" run -c $ROLECALL_DEMO_DIR\"*) kill -9 ${p#/proc/};; esac; done; sleep 4713")
    directory = directory_of(process)
    status, _, errors = finished(process)
    assert status == 1
    assert "node2 has ended with signal 9" in errors and "rolecall ended with signal 9" in errors
    nothing_left(directory)


@pytest.mark.parametrize("args", [["--nodes"], ["--nodes", "0"], ["--nodes", "17"], ["--nodes", "x"], ["--port", "80"], ["--nope"], ["--"]])
def test_wrong_arguments_are_refused_with_the_usage(args):
    status, _, errors = finished(demo(*args))
    assert status == 2 and "usage: rolecall demo" in errors


def test_missing_programs_are_named():
    status, _, errors = finished(demo(env=dict(os.environ, PG_BINDIR="/nonexistent")))
    assert status == 1 and "PG_BINDIR=/nonexistent" in errors
