"""A Patroni cluster with etcd, for tests: Debian's own patroni and etcd as processes on free ports of 127.0.0.1.

Database, roles and whereami() are those of lib/cluster.py. The timeouts are short (ttl 6 s), so that a test can wait for
a failover; without fsync. Everything here talks to Patroni and PostgreSQL directly, never through rolecall.
"""

import json
import os
import shutil
import signal
import ssl
import tempfile
import time
import urllib.error
import urllib.request

import psycopg

from . import cluster as pg
from . import processes
from .processes import wait_until

SCOPE = "demo"
TTL_S = 6
LOOP_S = 1
RETRY_S = 2
REST_USER = "rest"
REST_PASSWORD = "rest-secret"


def available():
    return all(shutil.which(name) for name in ("etcd", "patroni", "patronictl"))


class Etcd:
    """A member of the store."""

    def __init__(self, directory, number, host):
        self.name = f"etcd{number}"
        self.host = host
        self.directory = os.path.join(directory, self.name)
        self.log_path = os.path.join(directory, self.name + ".log")
        self.port, self.peer_port = processes.free_port(), processes.free_port()
        self.process = None

    @property
    def peer(self):
        return f"http://{self.host}:{self.peer_port}"

    def start(self, members):
        url = f"http://{self.host}:{self.port}"
        self.process = processes.start(
            ["etcd", "--name", self.name, "--data-dir", self.directory, "--listen-client-urls", url,
             "--advertise-client-urls", url, "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer,
             "--initial-cluster", ",".join(f"{member.name}={member.peer}" for member in members), "--unsafe-no-fsync"], self.log_path)

    def is_healthy(self):
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.port}/health", timeout=2) as answer:
                return json.load(answer)["health"] == "true"
        except (OSError, ValueError):
            return False

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.alive:
            processes.end(self.process, signal.SIGKILL)


class Store:
    """etcd: one member, which has no fault tolerance and seldom needs it here, or three."""

    def __init__(self, directory, members, host):
        self.members = [Etcd(directory, number, host) for number in range(1, members + 1)]
        self.start()

    @property
    def hosts(self):
        return [f"{member.host}:{member.port}" for member in self.members]

    def start(self):
        """Whatever does not run."""
        for member in self.members:
            if not member.alive:
                member.start(self.members)
        wait_until(lambda: all(member.is_healthy() for member in self.members), 30, "etcd is healthy")

    def kill(self):
        for member in self.members:
            member.kill()


class Node(pg.Node):
    """One Patroni with its PostgreSQL."""

    def __init__(self, cluster, name):
        super().__init__(cluster, name)
        self.rest_port = processes.free_port()
        self.config_path = os.path.join(self.directory, "patroni.yml")
        self.patroni_log = os.path.join(self.directory, "patroni.log")
        self.tags = {}
        self.write_config()

    @property
    def url(self):
        return f"{self.cluster.scheme}://{self.host}:{self.rest_port}"

    def write_config(self):
        listen = self.cluster.network.listen
        rest = {"listen": f"{listen.replace('*', '0.0.0.0')}:{self.rest_port}", "connect_address": f"{self.host}:{self.rest_port}"}
        if self.cluster.authority:
            cert, key = self.cluster.authority.issue(self.name)
            rest.update(certfile=cert, keyfile=key, cafile=self.cluster.authority.ca, verify_client="required",
                        authentication={"username": REST_USER, "password": REST_PASSWORD})
        config = {
            "scope": SCOPE,
            "name": self.name,
            "log": {"level": "INFO"},
            "restapi": rest,
            "etcd3": {"hosts": self.cluster.etcd.hosts},
            "bootstrap": {
                "dcs": {
                    **self.cluster.follows(),
                    "ttl": TTL_S, "loop_wait": LOOP_S, "retry_timeout": RETRY_S,
                    "maximum_lag_on_failover": 1048576,
                    "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": {
                        "wal_log_hints": "on", "max_connections": 200, "max_wal_senders": 10,
                        "max_replication_slots": 10, "wal_keep_size": "64MB"}},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "no-sync"],
                "pg_hba": [line for line in pg.HBA.format(host="host", range=self.cluster.network.range).splitlines() if line],
            },
            "postgresql": {
                "listen": f"{listen}:{self.port}",
                "connect_address": f"{self.host}:{self.port}",
                "use_unix_socket": listen == "*",
                "data_dir": self.data,
                "bin_dir": pg.bindir(),
                "basebackup": [{"checkpoint": "fast"}],
                "pgpass": os.path.join(self.directory, "pgpass"),
                "authentication": {role: {"username": pg.SUPERUSER, "password": pg.SUPERUSER_PASSWORD}
                                   for role in ("superuser", "replication", "rewind")},
                "parameters": {"unix_socket_directories": self.cluster.sockets, "fsync": "off",
                               "shared_buffers": "32MB", "max_standby_streaming_delay": "2s",
                               "log_line_prefix": "%m [%p] %u@%d/%a ", "cluster_name": self.name},
            },
            "tags": self.tags,
        }
        with open(self.config_path, "w") as file:
            json.dump(config, file, indent=1)  # JSON is YAML
        processes.own(self.config_path)

    # Patroni.

    def start(self, wait=True):
        self.process = processes.start(["patroni", self.config_path], self.patroni_log, death_signal="TERM", prefix=self.prefix)
        if wait:
            wait_until(self.is_running, 60, f"{self.name} runs")
        return self

    def stop(self, mode=None):
        """Patroni stops its PostgreSQL as well (unless paused)."""
        if self.process:
            self.thaw()
            processes.end(self.process, signal.SIGTERM, timeout=60)
            self.process = None

    def kill_patroni(self):
        """Its PostgreSQL goes on."""
        processes.end(self.process, signal.SIGKILL)
        self.process = None

    def set_tags(self, **tags):
        self.tags = tags
        self.write_config()
        self.process.send_signal(signal.SIGHUP)

    def rest(self, path="/patroni", timeout=3):
        """(status, the JSON of the body or None); (None, None) when nobody answers."""
        context = None
        if self.cluster.authority:
            context = ssl.create_default_context(cafile=self.cluster.authority.ca)
            context.load_cert_chain(*self.cluster.client)
        try:
            with urllib.request.urlopen(self.url + path, timeout=timeout, context=context) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            body = error.read()
            return error.code, json.loads(body) if body[:1] == b"{" else None
        except (OSError, ValueError):
            return None, None

    def is_running(self):
        assert self.process is None or self.process.poll() is None, f"{self.name} ended:\n{self.log()[-3000:]}"
        body = self.rest()[1]
        return body is not None and body.get("state") == "running" and body.get("role") in ("master", "replica", "standby_leader")

    def holds_lock(self):
        return self.rest("/primary")[0] == 200

    # PostgreSQL.

    @property
    def postmaster(self):
        try:
            with open(os.path.join(self.data, "postmaster.pid")) as file:
                return int(file.readline())
        except (OSError, ValueError):
            return None

    def postgres_pids(self):
        pid = self.postmaster
        return [pid] + processes.children(pid) if pid else []

    def kill_postgres(self):
        processes.signal_all(self.postgres_pids(), signal.SIGKILL)

    def kill(self):
        """As a machine that loses power."""
        pids = self.postgres_pids()
        processes.end(self.process, signal.SIGKILL)
        self.process = None
        processes.signal_all(pids, signal.SIGKILL)
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in pids), what="everything is dead")

    def freeze(self):
        self.frozen = self.postgres_pids()
        processes.signal_all(self.frozen, signal.SIGSTOP)

    def takes_writes(self):
        try:
            return self.value("select not pg_is_in_recovery()", dbname="postgres", connect_timeout=2)
        except psycopg.OperationalError:
            return False

    def log(self):
        with open(self.patroni_log, errors="replace") as file:
            return file.read()


class PatroniCluster:
    """db1, db2 ... behind etcd; removed with close(). `authority`: REST with TLS, client certificates and a login.
    `network`: of lib/network.py; etcd, rolecall and the test are outside of it. `source`: a node that the whole cluster
    follows, as a standby cluster."""

    disks = False

    def __init__(self, nodes=3, authority=None, network=None, etcds=1, source=None):
        self.source = source
        self.directory = processes.own(tempfile.mkdtemp(prefix="rolecall-patroni."))
        self.sockets = os.path.join(self.directory, "s")
        os.mkdir(self.sockets, 0o700)
        processes.own(self.sockets)
        self.network = network or pg.Loopback()
        self.authority = authority
        self.client = authority.issue("client") if authority else None  # certificate and key
        self.scheme = "https" if authority else "http"
        self.nodes = []
        self.etcd = None
        try:
            self.etcd = Store(self.directory, etcds, network.outside if network else "127.0.0.1")
            self.nodes = [Node(self, f"db{i + 1}") for i in range(nodes)]
            self._bootstrap()
        except BaseException:
            self.close()
            raise

    def follows(self):
        """Of the dynamic configuration."""
        return {"standby_cluster": {"host": self.source.host, "port": self.source.port}} if self.source else {}

    def _follow(self):
        self.nodes[0].start(wait=False)
        wait_until(lambda: self.nodes[0].rest("/standby-leader")[0] == 200, 60, "db1 leads the standby cluster")
        for node in self.nodes[1:]:
            node.start()

    def _bootstrap(self):
        if self.source:
            self._follow()
            return
        first = self.nodes[0]
        first.start(wait=False)
        wait_until(first.holds_lock, 60, "db1 is bootstrapped")
        wait_until(first.takes_writes, 30, "db1 takes writes")
        with first.connect(dbname="postgres") as connection:
            for statement in filter(str.strip, pg.SETUP.split(";")):
                connection.execute(statement)
        with first.connect() as connection:
            connection.execute(pg.SETUP_APP)
        for node in self.nodes[1:]:
            node.start(wait=False)
        self.settle()

    # For lib/rolecall.py.

    @property
    def manager(self):
        """Keys of [cluster main] that make rolecall follow this Patroni; no [node] section is needed."""
        keys = {"manager": "patroni", "manager_grace": "2s",
                "patroni_urls": ", ".join(node.url for node in self.nodes)}
        if self.authority:
            cert, key = self.client
            keys.update(patroni_ca_file=self.authority.ca, patroni_cert_file=cert, patroni_key_file=key,
                        patroni_user=REST_USER, patroni_password=REST_PASSWORD)
        return keys

    # Who is what.

    @property
    def leader(self):
        """By REST and SQL both; waits for one."""
        return wait_until(
            lambda: next((n for n in self.nodes if n.process and n.holds_lock() and n.takes_writes()), None),
            60, "there is a leader")

    @property
    def primary(self):
        """The same, but does not wait: StopIteration when there is none."""
        return next(node for node in self.nodes if node.process and node.holds_lock() and node.takes_writes())

    @property
    def replicas(self):
        leader = self.leader
        return [node for node in self.nodes if node is not leader]

    def node_at(self, port):
        return next(node for node in self.nodes if node.port == port)

    def node_named(self, name):
        return next(node for node in self.nodes if node.name == name)

    def settle(self, patience=25):
        """Starts and thaws what a test has left behind, and waits until one leader has all others as its replicas. After many
        switchovers within one segment PostgreSQL may ask for no more WAL by itself, and a failed promotion may leave a member
        on a timeline of its own: who does not follow in that time is made anew, and returned."""
        self.etcd.start()
        for node in self.nodes:
            node.thaw()
            if node.process is None or node.process.poll() is not None:
                node.start(wait=False)
        end = time.monotonic() + patience
        while not (settled := self.is_settled()) and time.monotonic() < end:
            time.sleep(0.1)
        strayed = [] if settled else self.strayed()
        for node in strayed:
            self.reinit(node)
        wait_until(self.is_settled, 50, "all members run and stream from the leader", interval=0.1)
        return strayed

    def is_settled(self):
        body = self.nodes[0].rest("/cluster")[1] or {"members": []}
        roles = [member["role"] for member in body["members"] if member["state"] in ("running", "streaming")]
        if len(roles) != len(self.nodes) or roles.count("leader") != 1:
            return False
        try:
            return self.leader.value(
                "select count(*) from pg_stat_replication where state = 'streaming'") == len(self.nodes) - 1
        except psycopg.OperationalError:
            return False

    def strayed(self):
        """Who does not follow the leader."""
        leader = self.leader
        following = {name for name, in leader.sql("select application_name from pg_stat_replication where state = 'streaming'")}
        return [node for node in self.nodes if node is not leader and node.name not in following]

    # What an operator does.

    def reinit(self, node):
        """One that Patroni does not list, since its agent has just been started again, is not known to it yet."""
        wait_until(lambda: node.name in self.members(), 30, f"{node.name} is a member")
        self.ctl("reinit", SCOPE, node.name, "--force")

    def members(self):
        return {member["name"] for member in (self.leader.rest("/cluster")[1] or {"members": []})["members"]}

    def ctl(self, *args, check=True):
        path = os.path.join(self.directory, "ctl.yml")
        config = {"scope": SCOPE, "etcd3": {"hosts": self.etcd.hosts}}
        if self.authority:
            cert, key = self.client
            config["ctl"] = {"cacert": self.authority.ca, "certfile": cert, "keyfile": key,
                             "authentication": {"username": REST_USER, "password": REST_PASSWORD}}
        with open(path, "w") as file:
            json.dump(config, file)
        processes.own(path)
        return processes.run(["patronictl", "-c", path, *args], timeout=60, check=check).stdout

    def add_node(self):
        node = Node(self, f"db{len(self.nodes) + 1}")
        self.nodes.append(node)
        self.settle()
        return node

    def drop_node(self, node):
        node.stop()
        self.nodes.remove(node)

    def switchover(self, candidate=None):
        """Returns the new leader when it takes writes."""
        old = self.leader
        candidate = candidate or next(node for node in self.nodes if node is not old)
        self.ctl("switchover", SCOPE, "--master", old.name, "--candidate", candidate.name, "--force")
        wait_until(lambda: candidate.holds_lock() and candidate.takes_writes(), 60, f"{candidate.name} leads")
        return candidate

    def pause(self):
        self.ctl("pause", "--wait", SCOPE)

    def resume(self):
        self.ctl("resume", "--wait", SCOPE)

    def edit(self, **keys):
        args = [part for key, value in keys.items() for part in ("-s", f"{key}={json.dumps(value)}")]
        self.ctl("edit-config", SCOPE, "--force", *args)

    def close(self):
        for node in self.nodes:
            node.thaw()
            pids = node.postgres_pids()
            if node.process:
                processes.end(node.process, signal.SIGKILL)
            processes.signal_all(pids, signal.SIGKILL)
        if self.etcd:
            self.etcd.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
