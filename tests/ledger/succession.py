"""
Where somebody else decides who is primary: who it is, from moment to moment. Nodes are asked by the way that no cut concerns.

    watch = Watch(nodes, primary)     a thread for each node asks it, over and over
    watch.reigns                      [Reign(node, timeline, at), ...]: each time writes were first taken on a newer timeline
    node = reigning(nodes)            of those that take writes now, the one of the newest timeline; None when there is none
"""

import collections
import threading
import time

import psycopg

from lib.processes import wait_until

SUCCESSION_S = 90.0  # who decides is slow when the machine is
SEEKING_S, RESTING_S = 0.005, 0.05

TIMELINE = """select case when pg_is_in_recovery() then 0
else ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int end"""

Reign = collections.namedtuple("Reign", "node timeline at")


def timeline(node):
    """0 when it takes no writes or cannot be asked."""
    try:
        return node.value(TIMELINE, dbname="postgres", connect_timeout=2) if node.alive and not node.frozen else 0
    except psycopg.Error:
        return 0


def reigning(nodes):
    timelines = {node: timeline(node) for node in nodes}
    node = max(timelines, key=timelines.get)
    return node if timelines[node] else None


class Watch:
    def __init__(self, nodes, primary):
        self.reigns = [Reign(primary, timeline(primary), time.monotonic())]
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.pause_s = RESTING_S
        self.threads = [threading.Thread(target=self._ask, args=(node,), daemon=True) for node in nodes]
        for thread in self.threads:
            thread.start()

    def hasten(self, seeking):
        """To know the moment, while somebody is awaited."""
        self.pause_s = SEEKING_S if seeking else RESTING_S

    def successor(self, victim, timeout=SUCCESSION_S):
        """Waits until another node has taken its place."""
        return wait_until(lambda: self.reigns[-1].node is not victim and self.reigns[-1], timeout,
                          f"{victim.name} has a successor", SEEKING_S)

    def _ask(self, node):
        while not self.stopping.wait(RESTING_S):
            try:
                with node.connect(dbname="postgres", connect_timeout=2) as connection:
                    while not self.stopping.wait(self.pause_s):
                        self._take(node, connection.execute(TIMELINE).fetchone()[0], time.monotonic())
            except (psycopg.Error, OSError):
                continue

    def _take(self, node, number, at):
        with self.lock:
            if number > self.reigns[-1].timeline:
                self.reigns.append(Reign(node, number, at))

    def close(self):
        self.stopping.set()  # whoever asks a node that is frozen ends with the program
