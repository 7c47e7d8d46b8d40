"""rolecall under test: a configuration written from Python, the process, and what it must not do when it ends."""

import json
import os
import re
import shutil
import signal
import socket
import tempfile

import psycopg

from . import cluster as pg
from . import processes
from .processes import wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("ROLECALL_BIN", os.path.join(ROOT, "build", "proxy", "rolecall"))

SANITIZER = re.compile(r"(ERROR|WARNING): (Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:|Assertion .* failed")

RUNNING = []  # for the report of a test that fails

# What most tests use; a test names the listeners that it wants.
LISTENERS = {
    "split": dict(route="split", pool="transaction"),
    "primary": dict(route="primary", pool="transaction"),
    "replica": dict(route="replica", pool="transaction"),
}


def render(sections):
    """{"rolecall": {...}, "node a": {...}} as the text of a configuration file."""
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in keys.items() if value is not None]
        lines.append("")
    return "\n".join(lines)


class Rolecall:
    """
    Starts at once; use as a context manager, or call stop().

    listeners  {name: {key: value}}; `address` is a free port of 127.0.0.1 unless given
    settings   keys of [rolecall];  cluster_settings  keys of [cluster main]
    databases, users  {name: {key: value}}
    """

    def __init__(self, cluster, listeners=None, settings=None, cluster_settings=None, databases=None, users=None,
                 nodes=None, start=True, ready=True, account=processes.ACCOUNT, binary=None):
        self.cluster = cluster
        self.binary = binary or BINARY
        self.account = account
        self.directory = processes.own(tempfile.mkdtemp(prefix="rolecall-test."))
        os.chmod(self.directory, 0o755)
        self.config_path = os.path.join(self.directory, "rolecall.conf")
        self.log_path = os.path.join(self.directory, "log")
        self.admin = os.path.join(self.directory, "admin.sock")
        self.ports = {}
        self.process = None
        self.sections = self._sections(listeners or LISTENERS, settings, cluster_settings, databases, users, nodes)
        self.write_config()
        if start:
            try:
                self.start(ready)
            except BaseException:
                self.abandon()
                raise

    def _sections(self, listeners, settings, cluster_settings, databases, users, nodes):
        sections = {"rolecall": {"workers": 2, "admin_socket": self.admin, **(settings or {})}}
        managed = getattr(self.cluster, "manager", {})  # what lists the nodes instead of [node] sections
        sections["cluster main"] = {
            "probe_user": pg.SUPERUSER,
            "probe_password": pg.SUPERUSER_PASSWORD,
            "probe_database": pg.DATABASE,
            "probe_interval": "100ms",
            "read_functions": "whereami",
            **managed,
            **(cluster_settings or {}),
        }
        for node in [] if managed else self.cluster.nodes:
            sections[f"node {node.name}"] = {"host": node.host, "port": node.port, **(nodes or {}).get(node.name, {})}
        for name, keys in listeners.items():
            keys = dict(keys)
            if "address" not in keys:
                self.ports[name] = processes.free_port()
                keys["address"] = f"127.0.0.1:{self.ports[name]}"
            sections[f"listener {name}"] = {"cluster": "main", **keys}
        for name, keys in (databases or {}).items():
            sections[f"database {name}"] = keys
        for name, keys in (users or {}).items():
            sections[f"user {name}"] = keys
        return sections

    def write_config(self):
        with open(self.config_path, "w") as file:
            file.write(render(self.sections))
        os.chmod(self.config_path, 0o600)
        processes.own(self.config_path)

    # The process.

    def start(self, ready=True):
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=99")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=0")
        self.process = processes.start([self.binary, "run", "-c", self.config_path], self.log_path, "KILL", self.account, env)
        RUNNING.append(self)
        self.wait_listening()
        if ready:
            self.wait_ready()
        return self

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def must_live(self):
        assert self.alive(), f"rolecall ended with {self.process.returncode}:\n{self.log()[-4000:]}"

    def wait_listening(self):
        def listening():
            self.must_live()
            for port in self.ports.values():
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                except OSError:
                    return False
            return self._admin_listens()

        wait_until(listening, 20, "every listener accepts, and the admin socket")

    def _admin_listens(self):
        """Listeners accept before it does."""
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(os.path.join(self.directory, self.sections["rolecall"]["admin_socket"]))
            except OSError:
                return False
        return True

    def wait_ready(self):
        """Until a query is answered wherever the application user may log in, by a node of the listener's kind."""
        replicas = {node.port for node in self.cluster.replicas if node.alive}
        for name, keys in self.sections.items():
            kind, _, name = name.partition(" ")
            simple = keys.get("auth", "scram-sha-256") == "scram-sha-256" and keys.get("tls", "disable") == "disable"
            if kind == "listener" and name in self.ports and simple:
                on_replica = keys.get("route") in ("split", "replica") and replicas
                self.wait_answer(name, replicas if on_replica else None)

    def wait_answer(self, listener, ports=None, timeout=15):
        """Until `select whereami()` through the listener is answered, by one of the ports when some are given."""
        last = [None]

        def answered():
            self.must_live()
            try:
                with self.connect(listener, connect_timeout=3) as connection:
                    last[0] = connection.execute("select whereami()").fetchone()[0]
                    return last[0] if ports is None or last[0] in ports else None
            except psycopg.Error as error:
                last[0] = error
                return None

        try:
            return wait_until(answered, timeout, f"listener {listener} answers from {ports or 'any node'}", 0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}; last: {last[0]}\n{self.log()[-3000:]}") from None

    def reload(self):
        """Writes the sections again, as the test has changed them, and signals."""
        self.write_config()
        self.process.send_signal(signal.SIGHUP)

    def stop(self, number=signal.SIGTERM):
        """Ends it, checks how it ended, and returns its log. Idempotent."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        RUNNING.remove(self)
        try:
            status = processes.end(process, number, timeout=45)
            log = self.log()
            report = SANITIZER.search(log)
            assert report is None, f"sanitizer report:\n{log[max(0, report.start() - 200):][:6000]}"
            assert status == 0, f"rolecall ended with {status}:\n{log[-4000:]}"
            return log
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def abandon(self):
        """After a start that failed: nothing is checked any more."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None
        if self in RUNNING:
            RUNNING.remove(self)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # Clients.

    def dsn(self, listener, **options):
        given = dict(host="127.0.0.1", port=self.ports.get(listener), user=pg.USER, password=pg.PASSWORD,
                     dbname=pg.DATABASE, connect_timeout=20)
        given.update(options)
        return psycopg.conninfo.make_conninfo(**{key: value for key, value in given.items() if value is not None})

    def connect(self, listener, autocommit=True, **options):
        return psycopg.connect(self.dsn(listener, **options), autocommit=autocommit)

    def value(self, listener, query, parameters=None, **options):
        with self.connect(listener, **options) as connection:
            return connection.execute(query, parameters).fetchone()[0]

    def environment(self, listener, **more):
        """For psql, pgbench, pg_dump and their like."""
        env = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(self.ports[listener]), PGUSER=pg.USER, PGPASSWORD=pg.PASSWORD,
                   PGDATABASE=pg.DATABASE, PGCONNECT_TIMEOUT="20")
        env.update(more)
        return env

    # Evidence.

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def rss_kib(self):
        return processes.rss_kib(self.pid)

    def admin_table(self, command, timeout=20):
        """Rows of a command of the admin socket, as dictionaries."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.admin)
            s.settimeout(timeout)
            s.sendall(f"{command}; json\n".encode())
            s.shutdown(socket.SHUT_WR)
            heard = b""
            while got := s.recv(65536):
                heard += got
        return json.loads(heard)

    def switchover(self, words="", timeout=90):
        """SWITCHOVER on the admin socket: (worked, what it says)."""
        answer = self.admin_table(f"switchover {words}", timeout)
        if isinstance(answer, dict):
            return False, answer["error"]["message"]
        return True, answer[0]["switchover"]

    def events(self, kind):
        """What SHOW EVENTS tells of this kind, the oldest first."""
        rows = [row for row in self.admin_table("show events") if row["kind"] == kind]
        return sorted(rows, key=lambda row: int(row["id"]))


class Direct(Rolecall):
    """
    The cluster itself behind rolecall's face: what a test expects of both can be tried on PostgreSQL alone, with
    ROLECALL_DIRECT=1, so that no test asks rolecall for something that PostgreSQL does not do.
    """

    def __init__(self, cluster, listeners=None, **_):
        self.cluster = cluster
        self.process = None
        self.ports = {}
        for name, keys in (listeners or LISTENERS).items():
            node = cluster.replicas[0] if keys.get("route") == "replica" else cluster.primary
            self.ports[name] = node.port

    def must_live(self):
        pass
