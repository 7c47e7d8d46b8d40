"""A formation of pg_auto_failover for tests: a monitor and nodes, each under its own pg_autoctl, on free ports of 127.0.0.1.

Debian's pg-auto-failover 2.0. Everything lies in one folder: data, sockets, pg_autoctl's own configuration and pid files,
logs. close() leaves nothing behind, whatever the test has killed. All logins on loopback are trusted (pg_autoctl's initdb
makes it so); the roles and the database are those of lib.cluster.
"""

import os
import pwd
import shutil
import signal
import tempfile

import psycopg

from . import cluster as pg
from . import processes
from .processes import wait_until

WRITABLE = {"single", "wait_primary", "primary", "join_primary", "apply_settings"}

# Without these a crash takes the monitor 50 s, most of them by its own timeouts.
TUNED = {
    "health_check_period": 500,
    "health_check_timeout": 500,
    "health_check_retry_delay": 250,
    "node_considered_unhealthy_timeout": 2000,
    "primary_demote_timeout": 1000,
    "startup_grace_period": 1000,
}

# pg_autoctl puts an include with its own settings (wal_keep_size = 8GB) first: what stands below it wins.
SETTINGS = """
fsync = off
shared_buffers = 32MB
max_connections = 200
wal_keep_size = 64MB
max_standby_streaming_delay = 2s
dynamic_shared_memory_type = mmap
log_connections = on
log_disconnections = on
log_line_prefix = '%m [%p] %u@%d/%a '
"""


def own_account():
    return pwd.getpwuid(os.geteuid()).pw_name


def tree(pid):
    """The process and everything that descends from it."""
    found = [pid]
    for child in processes.children(pid):
        found += tree(child)
    return found


class Keeper(pg.Server):
    """A pg_autoctl and the PostgreSQL server below it."""

    host = "127.0.0.1"

    def __init__(self, formation, name):
        self.formation = formation
        self.name = name
        self.port = processes.free_port()
        self.data = os.path.join(formation.directory, name)
        self.log_path = os.path.join(formation.directory, name + ".log")
        self.process = None
        self.frozen = []
        self.made = False

    def initdb(self):
        processes.run(
            [pg.program("initdb"), "--no-sync", "-D", self.data, "-U", pg.SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8",
             "-A", "trust"]
        )
        with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
            file.write(SETTINGS)

    def autoctl(self, *arguments, check=True, timeout=60):
        """Runs pg_autoctl with this node's --pgdata to its end."""
        command = ["pg_autoctl", *arguments, "--pgdata", self.data]
        return processes.run(command, env=self.formation.environment, timeout=timeout, check=check)

    def start(self):
        """Makes the node, or runs it again."""
        arguments = self.creation() + ["--run"] if not self.made else ["run", "--pgdata", self.data]
        self.process = processes.start(
            ["pg_autoctl", *arguments], self.log_path, "TERM", env=self.formation.environment
        )
        self.made = True
        return self

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    @property
    def postmaster(self):
        """Its pid, or None."""
        try:
            with open(os.path.join(self.data, "postmaster.pid")) as file:
                pid = int(file.readline())
            os.kill(pid, 0)
            return pid
        except (OSError, ValueError):
            return None

    def stop(self):
        """In order: pg_autoctl stops PostgreSQL and ends."""
        if self.alive:
            self.thaw()
            processes.end(self.process, signal.SIGTERM, timeout=60)
        self.process = None

    def kill(self):
        """As a machine that loses power: pg_autoctl, the postmaster and every backend at once."""
        processes.signal_all(tree(self.process.pid), signal.SIGKILL)
        self.process.wait()
        self.process = None

    def kill_postmaster(self):
        os.kill(self.postmaster, signal.SIGKILL)

    def freeze(self):
        self.frozen = tree(self.process.pid)
        processes.signal_all(self.frozen, signal.SIGSTOP)

    def thaw(self):
        processes.signal_all(self.frozen, signal.SIGCONT)
        self.frozen = []

    def dsn(self, **options):
        given = dict(host="127.0.0.1", port=self.port, user=pg.SUPERUSER, dbname="postgres", connect_timeout=5)
        given.update(options)
        return psycopg.conninfo.make_conninfo(**given)

    def answers(self):
        try:
            return self.value("select 1") == 1
        except psycopg.Error:
            return False

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()


class Monitor(Keeper):
    def creation(self):
        return ["create", "monitor", "--pgdata", self.data, "--pgport", str(self.port), "--hostname", "127.0.0.1",
                "--auth", "trust", *self.formation.tls(self.name)]

    @property
    def uri(self):
        authority = self.formation.authority
        tls = f"?sslmode=verify-full&sslrootcert={authority.ca}" if authority else ""
        return f"postgres://autoctl_node@127.0.0.1:{self.port}/pg_auto_failover{tls}"

    def dsn(self, **options):
        return super().dsn(**{"dbname": "pg_auto_failover", **options})

    def start(self):
        super().start()
        wait_until(self.is_ready, 60, "the monitor is ready")
        return self

    def is_ready(self):
        try:
            return bool(self.sql("select 1 from pgautofailover.formation", user="autoctl_node"))
        except psycopg.Error:
            return False

    def admit(self, line):
        """A line at the top of pg_hba.conf."""
        path = os.path.join(self.data, "pg_hba.conf")
        with open(path) as file:
            rest = file.read()
        with open(path, "w") as file:
            file.write(line + "\n" + rest)
        self.sql("select pg_reload_conf()")
        wait_until(lambda: self.value("select auth_method from pg_hba_file_rules limit 1") == line.split()[-1],
                   what="the line is in force")

    def rows(self):
        """{name: (goal state, reported state)}"""
        return {name: (goal, reported) for name, goal, reported in self.sql(
            "select nodename, goalstate::text, reportedstate::text from pgautofailover.node order by nodeid")}


class Node(Keeper):
    def creation(self):
        return ["create", "postgres", "--pgdata", self.data, "--pgport", str(self.port), "--name", self.name,
                "--hostname", "127.0.0.1", "--listen", "127.0.0.1", "--auth", "trust", *self.formation.tls(self.name),
                "--monitor", self.formation.monitor.uri]

    @property
    def state(self):
        return self.formation.monitor.rows().get(self.name)

    def maintain(self, maintained=True):
        """
        Takes it into maintenance, or back, as pg_autoctl does it; a primary is replaced first. pg_autoctl itself may wait for
        ever for a notification that it has missed on a busy machine.
        """
        what = "start" if maintained else "stop"
        monitor = self.formation.monitor
        monitor.sql(f"select pgautofailover.{what}_maintenance(nodeid) from pgautofailover.node where nodename = %s", [self.name])
        wait_until(lambda: (monitor.rows()[self.name] == ("maintenance", "maintenance")) == maintained, 60, f"maintenance: {what}")

    def is_replica(self):
        try:
            return self.value("select pg_is_in_recovery()")
        except psycopg.Error:
            return False


class Formation:
    """A monitor and nodes node1 (the first primary), node2 ...; removed with close(). `authority`: all of them have its
    certificates, and pg_autoctl verifies the monitor's."""

    def __init__(self, nodes=3, tuned=True, authority=None):
        self.authority = authority
        self.directory = processes.own(tempfile.mkdtemp(prefix="rolecall-af."))
        self.environment = self._environment()
        self.monitor = Monitor(self, "monitor")
        self.nodes = []
        self.gone = []
        try:
            self._make_monitor(tuned)
            self._make_first()
            for _ in range(nodes - 1):
                self.add_node(wait=False)
            self.settle(90)
        except BaseException:
            self.close()
            raise

    def _environment(self):
        sockets = os.path.join(self.directory, "s")
        for folder in ("config", "data", "run", "s"):
            path = os.path.join(self.directory, folder)
            os.mkdir(path, 0o700)
            processes.own(path)
        return {
            # not HOME: a server's is that of its account
            "XDG_CONFIG_HOME": os.path.join(self.directory, "config"),
            "XDG_DATA_HOME": os.path.join(self.directory, "data"),
            "XDG_RUNTIME_DIR": os.path.join(self.directory, "run"),
            # where pg_autoctl lets servers put their sockets, and where it looks for them
            "PG_REGRESS_SOCK_DIR": sockets,
            "PGHOST": sockets,
            "PGUSER": pg.SUPERUSER,
            "LANG": "C.UTF-8",
            "PATH": f"{pg.bindir()}:/usr/bin:/bin",
        }

    def tls(self, name):
        """pg_autoctl's options of a node or the monitor."""
        if not self.authority:
            return ["--no-ssl"]
        cert, key = self.authority.issue(name)
        return ["--ssl-mode", "verify-full", "--ssl-ca-file", self.authority.ca, "--server-cert", cert, "--server-key", key]

    def _make_monitor(self, tuned):
        self.monitor.initdb()
        self.monitor.start()
        with self.monitor.connect() as connection:
            for name, value in TUNED.items() if tuned else ():
                connection.execute(f"alter system set pgautofailover.{name} = {value}")
            connection.execute("select pg_reload_conf()")

    def _make_first(self):
        node = Node(self, "node1")
        self.nodes.append(node)
        node.initdb()
        node.start()
        wait_until(lambda: node.state == ("single", "single"), 60, "node1 is single")
        with node.connect() as connection:
            for statement in filter(str.strip, pg.SETUP.split(";")):
                connection.execute(statement)
        node.sql(pg.SETUP_APP, dbname=pg.DATABASE)

    def add_node(self, wait=True):
        node = Node(self, f"node{len(self.nodes) + len(self.gone) + 1}")
        self.nodes.append(node)
        node.start()
        if wait:
            self.settle()
        return node

    def drop_node(self, node):
        """Leaves the formation for good."""
        self.monitor.sql("select pgautofailover.remove_node('127.0.0.1', %s)", [node.port])
        wait_until(lambda: node.state is None, 30, f"{node.name} is forgotten")
        node.stop()
        self.nodes.remove(node)
        self.gone.append(node)

    @property
    def manager(self):
        """What rolecall's [cluster] says of it."""
        return {"manager": "monitor", "monitor_host": "127.0.0.1", "monitor_port": self.monitor.port}

    def _writable(self):
        names = [name for name, states in self.monitor.rows().items() if set(states) <= WRITABLE]
        return [node for node in self.nodes if node.name in names]

    def has_primary(self):
        return len(self._writable()) == 1

    @property
    def primary(self):
        """As the monitor has it, in goal and in report."""
        return next(iter(self._writable()))

    @property
    def replicas(self):
        primary = self.primary
        return [node for node in self.nodes if node is not primary]

    def node_at(self, port):
        return next(node for node in self.nodes if node.port == port)

    def node(self, name):
        return next(node for node in self.nodes if node.name == name)

    def is_settled(self):
        rows = self.monitor.rows()
        running = [node for node in self.nodes if node.alive]
        if sorted(rows) != sorted(node.name for node in running):
            return False
        whole = ["primary" if len(running) > 1 else "single"] + ["secondary"] * (len(running) - 1)
        if sorted(rows.values()) != [(state, state) for state in whole]:
            return False
        return all(node.answers() for node in running)

    def settle(self, timeout=60):
        """One primary, all others secondary, in goal and in report, and everybody answers."""
        def settled():
            if self.is_settled():
                return True
            self.hasten()
            return False

        try:
            wait_until(settled, timeout, "the formation settles", 0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.monitor.rows()}") from None

    def hasten(self):
        """pg_basebackup of a joining node waits for a checkpoint, which takes its time unless somebody asks for one."""
        for node in self.nodes:
            try:
                if not node.value("select pg_is_in_recovery()"):
                    node.sql("checkpoint")
            except psycopg.Error:
                pass

    def switchover(self, target=None):
        """Starts it and returns at once."""
        if target:
            self.monitor.sql("select pgautofailover.perform_promotion('default', %s)", [target.name])
        else:
            self.monitor.sql("select pgautofailover.perform_failover('default', 0)")

    def close(self):
        keepers = [self.monitor] + self.nodes + self.gone
        for keeper in keepers:
            keeper.thaw()
        running = [keeper for keeper in keepers if keeper.alive]
        for keeper in running:
            keeper.process.send_signal(signal.SIGQUIT)
        for keeper in running:
            try:
                keeper.process.wait(20)
            except Exception:  # noqa: BLE001 - the sweep below ends it
                pass
        self._sweep()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _sweep(self):
        """Whatever else runs in this folder: orphans of a pg_autoctl that was killed."""
        def leftovers():
            found = []
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    named = any(self.directory.encode() in open(f"/proc/{pid}/{name}", "rb").read()
                                for name in ("cmdline", "environ"))
                    inside = os.readlink(f"/proc/{pid}/cwd").startswith(self.directory)
                except OSError:
                    continue
                if named or inside:
                    found.append(int(pid))
            return found

        for number, patience in ((signal.SIGQUIT, 3), (signal.SIGKILL, 5)):
            processes.signal_all(leftovers(), number)
            try:
                wait_until(lambda: not leftovers(), patience, "everything has ended")
                return
            except AssertionError:
                continue
