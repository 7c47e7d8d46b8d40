"""A PostgreSQL cluster of one primary and its replicas, for tests: on free ports of 127.0.0.1, without fsync, unless a
network (lib/network.py) gives each node a place of its own.

The database "app" belongs to the role "app"; "postgres" is the superuser. whereami() tells the port of the node that
runs it: rolecall is told (read_functions) that it may run anywhere, so it shows where a statement went.
"""

import glob
import os
import shutil
import signal
import tempfile

import psycopg

from . import disk, processes
from .processes import wait_until

SUPERUSER = "postgres"
SUPERUSER_PASSWORD = "super-secret"
USER = "app"
PASSWORD = "app-secret"
DATABASE = "app"

SETUP = f"""
create role {USER} login password '{PASSWORD}';
set password_encryption = md5;
create role legacy login password 'legacy-secret';
reset password_encryption;
create database {DATABASE} owner {USER};
grant connect, create on database {DATABASE} to legacy;
"""

SETUP_APP = """
create function whereami() returns int stable language plpgsql as $$ begin return current_setting('port')::int; end $$;
grant all on schema public to public;
"""

HBA = """
local all legacy md5
local all all scram-sha-256
{host} all legacy {range} md5
{host} all all {range} scram-sha-256
local replication all scram-sha-256
{host} replication all {range} scram-sha-256
"""

SETTINGS = """
listen_addresses = '{listen}'
max_connections = 100
shared_buffers = 32MB
fsync = off
wal_level = replica
wal_keep_size = 64MB
max_wal_senders = 10
max_replication_slots = 10
hot_standby = on
wal_log_hints = on
max_standby_streaming_delay = 2s
log_connections = on
log_disconnections = on
log_line_prefix = '%m [%p] %u@%d/%a '
"""


def bindir():
    given = os.environ.get("PG_BINDIR")
    if given:
        return given
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
    assert found, "no PostgreSQL server programs; set PG_BINDIR"
    return os.path.dirname(found[-1])


def program(name):
    return os.path.join(bindir(), name)


class Loopback:
    """Where nodes are by default; lib/network.py has the other kind. `sql_host` is how the tests themselves reach a node."""

    range = "127.0.0.1/32"
    listen = "127.0.0.1"

    def host(self, _):
        return "127.0.0.1"

    def sql_host(self, _):
        return "127.0.0.1"

    def prefix(self, _):
        """What a command must begin with to run where the node is."""
        return []


class Server:
    """What can be asked, wherever it is: dsn(**options) says where. Never through rolecall."""

    def connect(self, **options):
        return psycopg.connect(self.dsn(**options), autocommit=True)

    def sql(self, query, parameters=None, **options):
        """Runs one statement as superuser; the rows, or None when it gives none."""
        with self.connect(**options) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else None

    def value(self, query, parameters=None, **options):
        return self.sql(query, parameters, **options)[0][0]

    def tell(self, query, attempts=5):
        """Again when its replay has broken it off: what is replayed first may do that to the very query that asks for it."""
        for attempt in range(attempts):
            try:
                return self.sql(query, dbname="postgres")
            except psycopg.errors.SerializationFailure:
                if attempt == attempts - 1:
                    raise


class Node(Server):
    """One PostgreSQL server. Everything here talks to it directly, never through rolecall."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self.host = cluster.network.host(name)
        self.prefix = cluster.network.prefix(name)
        self.port = processes.free_port()
        self.directory = os.path.join(cluster.directory, name)
        self.log_path = os.path.join(self.directory, "log")
        self.process = None
        self.frozen = []
        os.mkdir(self.directory, 0o700)
        processes.own(self.directory)
        self.disk = disk.Disk(self.directory) if cluster.disks else None
        self.data = os.path.join(processes.own(self.disk.path) if self.disk else self.directory, "data")

    def configure(self, text):
        with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
            file.write(text + "\n")

    def dsn(self, **options):
        given = dict(host=self.cluster.network.sql_host(self), port=self.port, user=SUPERUSER, password=SUPERUSER_PASSWORD, dbname=DATABASE)
        given.update(options)
        return psycopg.conninfo.make_conninfo(**given)

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def start(self, wait=True):
        self.process = processes.start(
            [program("postgres"), "-D", self.data], self.log_path, death_signal="QUIT", prefix=self.prefix
        )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=30):
        def ready():
            assert self.alive, f"{self.name} has ended:\n{self.log()[-3000:]}"
            return self.is_ready()

        wait_until(ready, timeout, f"{self.name} takes connections")

    def is_ready(self):
        try:
            self.sql("select 1", dbname="postgres", connect_timeout=2)
            return True
        except psycopg.OperationalError:
            return False

    def stop(self, mode="fast"):
        """mode is pg_ctl's: smart, fast or immediate."""
        if self.process is None:
            return
        self.thaw()
        number = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
        process, self.process = self.process, None
        processes.end(process, number, timeout=30)

    def kill(self):
        """As a machine that loses power: the postmaster and every backend at once."""
        everyone = [self.process.pid] + processes.children(self.process.pid)
        processes.signal_all(everyone, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def freeze(self):
        """Connections stay, nothing answers: every process of the node is stopped."""
        self.frozen = [self.process.pid] + processes.children(self.process.pid)
        processes.signal_all(self.frozen, signal.SIGSTOP)

    def thaw(self):
        processes.signal_all(self.frozen, signal.SIGCONT)
        self.frozen = []

    def promote(self):
        processes.run([program("pg_ctl"), "promote", "-D", self.data, "-w", "-t", "60"])

    def pause_replay(self):
        self.sql("select pg_wal_replay_pause()")
        wait_until(lambda: self.value("select pg_get_wal_replay_pause_state()") == "paused", what="replay pauses")

    def resume_replay(self):
        self.tell("select pg_wal_replay_resume()")

    def set(self, name, value):
        """A reloadable setting, in force when this returns."""
        self.sql(f"alter system set {name} = '{value}'")
        self.sql("select pg_reload_conf()")
        wait_until(
            lambda: self.value("select setting from pg_file_settings where name = %s and applied", [name]) == str(value),
            what=f"{name} = {value} is in force",
        )

    def transactions(self, database=DATABASE):
        """Commits and rollbacks so far, as the statistics know them. Backends report once a second at most."""
        return self.value(
            "select coalesce(sum(xact_commit + xact_rollback), 0)::bigint from pg_stat_database where datname = %s",
            [database],
            dbname="postgres",
        )

    def backends(self, where="backend_type = 'client backend' and datname = 'app'"):
        """Rows of pg_stat_activity other than our own."""
        return self.sql(
            "select pid, usename, application_name, state, query from pg_stat_activity "
            f"where pid <> pg_backend_pid() and {where}",
            dbname="postgres",
        )

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()


class Cluster:
    """Nodes node1 (the first primary), node2 ...; removed with close()."""

    def __init__(self, replicas=2, settings="", authority=None, network=None, disks=False):
        """`disks`: each node's data is on a disk of its own (lib/disk.py)."""
        self.network = network or Loopback()
        self.disks = disks
        self.nodes = []
        self.directory = processes.own(tempfile.mkdtemp(prefix="rolecall-cluster."))
        self.sockets = os.path.join(self.directory, "s")
        os.mkdir(self.sockets, 0o700)
        processes.own(self.sockets)
        self.authority = authority
        try:
            for number in range(replicas + 1):
                self.nodes.append(Node(self, f"node{number + 1}"))
            self._make_primary(settings)
            for node in self.replicas:
                self._make_replica(node)
            for node in self.replicas:
                node.wait_ready()
            self.catch_up()
        except BaseException:
            self.close()
            raise

    @property
    def primary(self):
        return self.nodes[0]

    @property
    def replicas(self):
        return self.nodes[1:]

    @property
    def replica_ports(self):
        return {node.port for node in self.replicas}

    def node_at(self, port):
        return next(node for node in self.nodes if node.port == port)

    def _write(self, path, text):
        with open(path, "w") as file:
            file.write(text)
        processes.own(path)
        return path

    def _own_settings(self, node):
        text = f"\ncluster_name = '{node.name}'\nport = {node.port}\nunix_socket_directories = '{self.sockets}'\n"
        if self.authority:
            cert, key = self.authority.issue(f"{node.name}-{node.port}")
            text += f"ssl = on\nssl_cert_file = '{cert}'\nssl_key_file = '{key}'\nssl_ca_file = '{self.authority.ca}'\n"
        return text

    def _make_primary(self, settings):
        node = self.primary
        secret = self._write(os.path.join(self.directory, "secret"), SUPERUSER_PASSWORD)
        processes.run(
            [program("initdb"), "--no-sync", "-D", node.data, "-U", SUPERUSER, "--pwfile", secret, "-E", "UTF8",
             "--locale=C.UTF-8", "-A", "scram-sha-256"]
        )
        host = "hostssl" if self.authority else "host"
        self._write(os.path.join(node.data, "pg_hba.conf"), HBA.format(host=host, range=self.network.range))
        node.configure(SETTINGS.format(listen=self.network.listen) + settings + self._own_settings(node))
        node.start()
        with node.connect(dbname="postgres") as connection:
            for statement in filter(str.strip, SETUP.split(";")):
                connection.execute(statement)
        with node.connect() as connection:
            connection.execute(SETUP_APP)

    def _make_replica(self, node):
        source = self.primary.dsn(host=self.primary.host, application_name=node.name, dbname="")
        processes.run(
            [program("pg_basebackup"), "--no-sync", "-D", node.data, "-d", source, "-R", "-C", "-S", node.name,
             "-c", "fast", "-X", "stream"], prefix=node.prefix
        )
        node.configure(self._own_settings(node))
        node.start(wait=False)

    def catch_up(self, timeout=20):
        """Waits until every running replica has replayed what the primary has written by now."""
        position = self.primary.value("select pg_current_wal_insert_lsn()::text")
        # An idle primary leaves the tail of its log unflushed: make it flush.
        self.primary.sql("select pg_logical_emit_message(true, 'test', '')")
        for node in self.replicas:
            if node.alive:
                wait_until(
                    lambda: node.value(
                        "select not pg_is_in_recovery() or pg_last_wal_replay_lsn() >= %s::pg_lsn", [position]
                    ),
                    timeout,
                    f"{node.name} has caught up",
                )

    def close(self):
        for node in reversed(self.nodes):
            if node.disk:
                node.disk.go_on()
            if node.alive:
                node.stop("immediate")
            if node.disk:
                node.disk.close()
        shutil.rmtree(self.directory, ignore_errors=True)
