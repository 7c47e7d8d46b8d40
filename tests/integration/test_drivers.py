"""
Drivers with their usual options: the same scenario directly and through rolecall, with the same outcome.

Each driver has a program in drivers/ that holds 20 connections and runs its scenarios on all of them at once, before nodes
with 4 server connections each. What a scenario must answer is partly asserted in the program; all of it is compared with
what the program answers on a direct connection to the primary.
"""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from itertools import chain

import pytest

from lib import rolecall as under_test
from lib.cluster import PASSWORD, USER
from lib.processes import wait_until

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drivers")
POOL_SIZE = 4
LISTENERS = {"split": dict(route="split", pool="transaction"), "primary": dict(route="primary", pool="transaction")}
ANSWER_S = 40

# Without jit: it makes asyncpg's query for the parts of a type take half a second.
SETUP = """
alter database app set jit = off;
drop schema if exists dr_a, dr_b cascade;
drop table if exists dr_rows, dr_fixed;
drop type if exists dr_mood, dr_pair;
create schema dr_a;
create table dr_a.dr_where as select 'a' as name;
create schema dr_b;
create table dr_b.dr_where as select 'b' as name;
create type dr_mood as enum ('calm', 'busy');
create type dr_pair as (n int, mood dr_mood);
create table dr_fixed as select n, 'row ' || n as t from generate_series(1, 1000) n;
create table dr_rows (who int, n int, t text, primary key (who, n))
"""
# As superuser: the application may become this role.
SETUP_ROLE = """
create role dr_reader;
grant dr_reader to app;
grant usage on schema dr_a, dr_b to dr_reader;
grant select on dr_a.dr_where, dr_b.dr_where to dr_reader
"""
CLEAN_UP = """
drop owned by dr_reader;
drop role dr_reader;
alter database app reset jit;
drop schema dr_a, dr_b cascade;
drop table dr_rows, dr_fixed;
drop type dr_pair, dr_mood
"""

COMMON = ["usual_options", "types", "transactions", "savepoints", "read_only", "cursors", "copies", "notifications", "temporary_tables",
          "advisory_locks", "errors", "cancels", "batches", "large_results", "its_pool"]
PREPARING = ["prepares_by_itself", "many_statements"]
SCENARIOS = {
    "psycopg3": [*COMMON, *PREPARING, "cursors_with_hold", "settings", "schema_changes", "pipelines"],
    "asyncpg": [*COMMON, *PREPARING, "resets", "settings", "schema_changes"],
    "psycopg2": [*COMMON, "cursors_with_hold", "settings", "schema_changes"],
    "pg": [*COMMON, *PREPARING, "settings", "schema_changes", "pipelines"],
    "postgres": [*COMMON, *PREPARING, "settings", "schema_changes"],
    "jdbc": [*COMMON, *PREPARING, "settings", "schema_changes", "simple_queries", "large_objects"],
    "libpq": ["batches", "errors", "reads_and_writes", "prepared", "transactions", "flushes", "more_than_buffers_hold", "row_by_row", "cancels"],
}
NODE = ("pg", "postgres")
JDBC = "/usr/share/java/postgresql.jar"
UNREACHABLE = re.compile(r"E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|HOSTUNREACH|NETUNREACH|NOTCACHED)|ERR_SOCKET_TIMEOUT|network timeout")


class Program:
    """A driver's program at one endpoint; it is ended when a scenario has failed, and another one started for the next."""

    def __init__(self, argv, environment):
        self.stderr = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr)

    def ask(self, scenario, run):
        """Its answer; an AssertionError with what the program says when there is none."""
        self.process.stdin.write(json.dumps({"scenario": scenario, "run": run}).encode() + b"\n")
        self.process.stdin.flush()
        line = self.line(scenario)
        answer = json.loads(line) if line else {"failed": f"the program ended with {self.process.wait(10)}"}
        if "failed" in answer:
            self.close()
            self.stderr.seek(0)
            raise AssertionError(f"{scenario}: {answer['failed']}\n{self.stderr.read()[-4000:]}")
        return answer

    def line(self, scenario):
        """One line of its output; a program that is silent is made to say where it is, and ended."""
        end, line = time.monotonic() + ANSWER_S, b""
        while not line.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                self.process.send_signal(signal.SIGABRT)
                self.process.wait(10)
                return json.dumps({"failed": f"no answer within {ANSWER_S} s"})
            part = os.read(self.process.stdout.fileno(), 1 << 20)
            if not part:
                break
            line += part
        return line

    @property
    def alive(self):
        return self.process.poll() is None

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Drivers:
    """One program at a time, and what all of them answered directly."""

    def __init__(self, places, modules, compiled, classes):
        self.places = places
        self.modules = modules
        self.compiled = compiled
        self.classes = classes
        self.running = self.current = None
        self.direct = {}
        self.runs = 0

    def start(self, driver, place):
        endpoint, listener = self.places[place]
        environment = endpoint.environment(listener)
        if driver == "libpq":
            return Program([self.compiled()], environment)
        if driver == "jdbc":
            quick = ["-Xshare:auto", "-XX:TieredStopAtLevel=1"]
            return Program(["java", *quick, "-cp", f"{self.classes()}:{JDBC}", "WithJdbc"], environment)
        if driver in NODE:
            return Program(["node", os.path.join(PROGRAMS, f"with_{driver}.js")], {**environment, "NODE_PATH": self.modules()})
        return Program([sys.executable, os.path.join(PROGRAMS, f"with_{driver}.py")], environment)

    def program(self, driver, place):
        if (driver, place) != self.running or not self.current.alive:
            self.close()
            self.current, self.running = self.start(driver, place), (driver, place)
        return self.current

    def answers(self, driver, place, scenario):
        if place == "direct" and (driver, scenario) in self.direct:
            return self.direct[driver, scenario]
        self.runs += 1
        answers = self.program(driver, place).ask(scenario, self.runs)["answers"]
        if place == "direct":
            self.direct[driver, scenario] = answers
        return answers

    def close(self):
        if self.current and self.current.alive:
            self.current.close()
        self.running = self.current = None


@pytest.fixture(scope="module")
def prepared(cluster):
    with cluster.primary.connect(user=USER, password=PASSWORD) as connection:
        connection.execute(SETUP)
    cluster.primary.sql(SETUP_ROLE)
    cluster.catch_up()
    yield cluster
    cluster.primary.sql(CLEAN_UP)


@pytest.fixture(scope="module")
def rolecall(prepared):
    """With few server connections, shared by the many of a driver's program."""
    made = under_test.Rolecall(prepared, LISTENERS, settings={"pool_size": POOL_SIZE})
    yield made
    made.stop()


def once(make):
    """A function that makes something when first asked for it: a path, or the reason to skip, or what went wrong."""
    made = []

    def get():
        if not made:
            try:
                made.append(make())
            except Exception as error:
                made.append(error)
        if isinstance(made[0], Exception):
            raise made[0]
        if not made[0].startswith("/"):
            pytest.skip(made[0])
        return made[0]

    return get


def fetch_modules(directory):
    """The folder of node's modules, with the versions and checksums of package-lock.json, or why there is none: a registry out
    of reach is a reason to do without them, a wrong checksum is not."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(PROGRAMS, name), directory)
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--prefer-offline", "--fetch-retries=1",
           "--fetch-retry-mintimeout=1000", "--fetch-timeout=15000"]
    done = subprocess.run(npm, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=80)
    if done.returncode == 0:
        return str(directory / "node_modules")
    reason = UNREACHABLE.search(done.stdout)
    assert reason, done.stdout
    return f"npm cannot reach its registry: {reason.group()}"


def compile_pipeline(directory):
    if not shutil.which("cc") or not shutil.which("pkg-config"):
        return "cc and pkg-config are not installed"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libpq"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    program = str(directory / "pipeline")
    warnings = ["-Wall", "-Wextra", "-Wswitch-enum", "-Wshadow", "-Wmissing-prototypes", "-Wvla", "-Werror"]
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-g", *warnings, os.path.join(PROGRAMS, "pipeline.c"), "-o", program, "-pthread",
                    *flags], check=True, timeout=80)
    return program


def compile_jdbc(directory):
    if not shutil.which("java") or not shutil.which("javac"):
        return "java and javac are not installed"
    if not os.path.exists(JDBC):
        return f"{JDBC} is not installed"
    subprocess.run(["javac", "-encoding", "UTF-8", "-proc:none", "-Xlint:all", "-Werror", "-cp", JDBC, "-d", str(directory),
                    os.path.join(PROGRAMS, "WithJdbc.java")], check=True, timeout=80)
    return str(directory)


@pytest.fixture(scope="module")
def drivers(prepared, tmp_path_factory, request):
    places = {"direct": (under_test.Direct(prepared, LISTENERS), "primary")}
    if os.environ.get("ROLECALL_DIRECT") != "1":
        r = request.getfixturevalue("rolecall")
        places.update({name: (r, name) for name in LISTENERS})
    directory = tmp_path_factory.mktemp("drivers")
    made = Drivers(places, *[once(lambda make=make: make(directory)) for make in (fetch_modules, compile_pipeline, compile_jdbc)])
    yield made
    made.close()


def pins(r):
    """The rows of SHOW PINS."""
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(20)
        admin.connect(r.admin)
        admin.sendall(b"show pins; json\n")
        admin.shutdown(socket.SHUT_WR)
        return json.loads(b"".join(iter(lambda: admin.recv(65536), b"")))


def cases():
    """Driver by driver and place by place, so that each program is started once."""
    for driver, scenarios in SCENARIOS.items():
        for place in ("direct", "split", "primary"):
            for scenario in scenarios:
                marks = () if place == "direct" else pytest.mark.proxy
                yield pytest.param(driver, place, scenario, id=f"{driver}-{place}-{scenario}", marks=marks)


@pytest.mark.parametrize("driver, place, scenario", cases())
def test_a_driver_sees_what_it_sees_directly(drivers, driver, place, scenario):
    wanted = drivers.answers(driver, "direct", scenario)
    for number, (got, want) in enumerate(zip(drivers.answers(driver, place, scenario), wanted, strict=True)):
        assert got == want, f"connection {number}"
    if place != "direct":
        wait_until(lambda: pins(drivers.places[place][0]) == [], what="no session is pinned any more")


@pytest.mark.parametrize("driver", [name for name in SCENARIOS if name != "libpq"])
@pytest.mark.proxy
def test_reads_of_a_driver_go_to_replicas(drivers, prepared, driver):
    wait_until(lambda: prepared.replica_ports & set(chain.from_iterable(drivers.answers(driver, "split", "where"))), 30, "replicas answer")


@pytest.mark.proxy
def test_transactions_of_jdbc_that_only_read_go_to_replicas(drivers, prepared):
    """Those of setReadOnly(true)."""
    wait_until(lambda: prepared.replica_ports & set(chain.from_iterable(drivers.answers("jdbc", "split", "where_read_only"))), 30, "replicas answer")
