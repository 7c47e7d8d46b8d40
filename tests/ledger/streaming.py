"""
A primary and its standbys, and who looks after them: the operator of a plain streaming cluster. He promotes as one must:
first no standby listens to the old primary any more, then the one that has most is chosen. He talks to nodes by their Unix
sockets, through every cut.

    cluster = Streaming(network, synchronous=True)
    cluster.primary                      changes with promote()
    cluster.promote(cluster.best())      returns when it took writes; the other standbys follow it
    cluster.rebuild(node)                whatever it was: a new standby of the primary
"""

import os
import shutil
import signal
import time

import psycopg

from lib import cluster as pg
from lib import processes
from lib.processes import wait_until

from . import store

SETTINGS = """
log_connections = off
log_disconnections = off
max_connections = 60
wal_keep_size = 48MB
min_wal_size = 32MB
max_wal_size = 64MB
checkpoint_timeout = 60s
max_slot_wal_keep_size = 64MB
wal_retrieve_retry_interval = 100ms
wal_receiver_status_interval = 1s
wal_receiver_timeout = 3s
wal_sender_timeout = 4s
tcp_keepalives_idle = 2
tcp_keepalives_interval = 1
tcp_keepalives_count = 3
tcp_user_timeout = 5000
client_connection_check_interval = 1s
idle_in_transaction_session_timeout = 30s
restart_after_crash = on
"""

class Streaming:
    decides = True  # the operator; else somebody does whom succession.Watch watches
    slots = False
    failed = ()  # hooks

    def __init__(self, network, synchronous, disks=False, replicas=2):
        self.network = network
        self.synchronous = synchronous
        self.cluster = pg.Cluster(replicas=replicas, settings=SETTINGS, network=network, disks=disks)
        self.nodes = self.cluster.nodes
        self.primary = self.cluster.primary
        self.orphans = []
        store.set_up(self.primary)
        if not self.slots:
            self._drop_slots()
        if self.synchronous:
            self._wait_for_any()

    def settings(self, _):
        """Of [cluster], for the proxy of this number."""
        return {}

    def _drop_slots(self):
        for node in self.nodes[1:]:
            node.sql("alter system set primary_slot_name = ''")
            node.sql("select pg_reload_conf()")
        for node in self.nodes[1:]:
            wait_until(lambda: node.value("select not exists (select from pg_stat_wal_receiver where slot_name <> '')"), 10,
                       "slots are not used")
        self.primary.sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active")

    def _wait_for_any(self):
        names = ", ".join(node.name for node in self.nodes)
        for node in self.nodes:
            node.configure(f"synchronous_standby_names = 'ANY 1 ({names})'")
            node.sql("select pg_reload_conf()")
        wait_until(lambda: self.primary.value("select count(*) from pg_stat_replication where sync_state = 'quorum'") == len(self.standbys),
                   10, "commits wait for any one standby")

    def wait_for_nobody(self):
        """From now on replication is asynchronous."""
        for node in self.nodes:
            node.set("synchronous_standby_names", "")

    @property
    def standbys(self):
        return [node for node in self.nodes if node is not self.primary]

    def close(self):
        self.cluster.close()

    # Promotion.

    def detach(self, node):
        """From now on it receives nothing; what had arrived it has."""
        node.sql("alter system set primary_conninfo = ''", dbname="postgres")
        node.sql("select pg_reload_conf()", dbname="postgres")
        wait_until(lambda: not node.value("select count(*) from pg_stat_wal_receiver", dbname="postgres"), 10,
                   "the receiver has ended", 0.005)

    def position(self, node):
        return node.value("select (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0')::bigint", dbname="postgres")

    def best(self):
        """Of the standbys, all of which must be there when commits wait for any one of them; nobody may listen to a primary."""
        for node in self.standbys:
            self.detach(node)
        return max(self.standbys, key=self.position)

    def start_promotion(self, node):
        """Returns when it takes writes, with the moment at which it did."""
        node.sql("select pg_promote(false)", dbname="postgres")
        with node.connect(dbname="postgres") as connection:
            wait_until(lambda: not connection.execute("select pg_is_in_recovery()").fetchone()[0], 30, "it is promoted", 0.002)
        return time.monotonic()

    def promote(self, node, followers=None):
        """`followers`: who of the standbys follows at once; the others, and the old primary, must be rebuilt."""
        followers = [other for other in self.standbys if other is not node] if followers is None else followers
        at = self.start_promotion(node)
        self.primary = node
        for other in followers:
            self.follow(other)
        return at

    def conninfo(self, node):
        return psycopg.conninfo.make_conninfo(host=self.primary.host, port=self.primary.port, user=pg.SUPERUSER,
                                              password=pg.SUPERUSER_PASSWORD, application_name=node.name, connect_timeout=2)

    def follow(self, node):
        conninfo = self.conninfo(node).replace("'", "''")
        node.sql(f"alter system set primary_conninfo = '{conninfo}'", dbname="postgres")
        node.sql("select pg_reload_conf()", dbname="postgres")

    # The end of a node, and its return.

    def kill_postmaster(self, node):
        """The postmaster alone; its backends find out by themselves, and may go on for a moment."""
        self.orphans = processes.children(node.process.pid)
        processes.signal_all([node.process.pid], signal.SIGKILL)
        node.process.wait()
        node.process = None

    def end(self, node, thaw=True):
        """Whatever is left of it: processes that outlive their postmaster too."""
        if thaw:
            node.thaw()
        if node.alive:
            node.kill()
        node.frozen = []
        processes.signal_all(self.orphans, signal.SIGKILL)
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in self.orphans), 10, "the orphans have ended")
        self.orphans = []

    def rebuild(self, node):
        """Whatever it was, it becomes a standby: rewound, which is quicker than a new copy."""
        self.end(node)
        self.primary.sql("checkpoint", dbname="postgres")  # or pg_rewind takes it for its old timeline
        target, source = ["--target-pgdata", node.data], ["--source-server", self.primary.dsn(dbname="postgres")]
        kept = os.path.join(node.directory, "postgresql.conf")
        shutil.copy(os.path.join(node.data, "postgresql.conf"), kept)  # the other's is copied as well
        processes.run([pg.program("pg_rewind"), "--no-sync", *target, *source])
        shutil.copy(kept, os.path.join(node.data, "postgresql.conf"))
        self.start_as_standby(node)

    def copy(self, node):
        """A new copy, for one that was promoted apart: pg_rewind takes two timelines of the same number for one."""
        self.end(node)
        conf = os.path.join(node.data, "postgresql.conf")
        kept = shutil.copy(conf, node.directory)
        shutil.rmtree(node.data)
        processes.run([pg.program("pg_basebackup"), "--no-sync", "--no-manifest", "-D", node.data,
                       "-d", self.primary.dsn(dbname="postgres"), "-c", "fast", "-X", "stream"])
        shutil.copy(kept, conf)
        self.start_as_standby(node)

    def start_as_standby(self, node):
        """After it was stopped in order, crashed as a standby, or was rewound."""
        for name, text in (("standby.signal", ""), ("postgresql.auto.conf", f"primary_conninfo = '{self.conninfo(node)}'\n")):
            path = os.path.join(node.data, name)
            with open(path, "w") as file:
                file.write(text)
            processes.own(path)
        node.start()

    def settled(self):
        """Every standby streams from the primary, and has replayed what it has written."""
        here = self.primary.value("select pg_current_wal_flush_lsn()::text", dbname="postgres")
        for node in self.standbys:
            row = node.sql("select pg_last_wal_replay_lsn() >= %s::pg_lsn, exists (select from pg_stat_wal_receiver where status = 'streaming')",
                           [here], dbname="postgres")[0]
            if not all(row):
                return False
        return True

    def wait_settled(self, timeout=40):
        def settled():
            try:
                return self.settled()
            except psycopg.OperationalError:
                return False

        wait_until(settled, timeout, "every standby streams and has caught up", 0.05)
