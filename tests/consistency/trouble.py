"""
What makes replicas differ: replay that is late, paused, and goes back; a log whose tail is not flushed.

    with Trouble(cluster, seed) as trouble: ...       threads pause replay and leave transactions open
        trouble.kill_when_due()                       often, by the thread that started the nodes

Nodes are started by the main thread alone: the kernel ends them when the thread that started them ends.
"""

import random
import threading
import time

import psycopg

from lib.processes import wait_until

APPLY_DELAY = "200ms"


def asked(node, sql):
    """False when the replica broke it off: for its replay (40001), or because it is just starting."""
    try:
        node.sql(sql)
        return True
    except psycopg.OperationalError:
        return False


class Trouble:
    def __init__(self, cluster, seed, kill_every_s=10.0):
        self.cluster = cluster
        self.random = random.Random(f"{seed}.trouble")
        self.kill_every_s = kill_every_s
        self.late, self.paused = cluster.replicas[:2]
        self.stopping = threading.Event()
        self.killing = threading.Lock()  # a node that is being killed and started is not asked
        self.counts = dict(pauses=0, kills=0, idle_writers=0)
        self.failure = None
        self._plan_kill()
        self.threads = [threading.Thread(target=self._run, args=(what,)) for what in (self._pause, self._idle_writer)]

    def __enter__(self):
        self._delay(APPLY_DELAY)
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(90)
        self._delay("0")
        if kind is None and self.failure:
            raise self.failure

    def _delay(self, value):
        for sql in (f"alter system set recovery_min_apply_delay = '{value}'", "select pg_reload_conf()"):
            wait_until(lambda: asked(self.late, sql), 30, "the replica is told its delay")

    def _run(self, what):
        try:
            what()
        except Exception as error:  # told when the campaign ends
            self.failure = error

    def _wait(self, least_s, most_s):
        return self.stopping.wait(self.random.uniform(least_s, most_s))

    def _pause(self):
        while not self._wait(0.1, 1.5):
            with self.killing:
                self.counts["pauses"] += asked(self.paused, "select pg_wal_replay_pause()")
            self._wait(0.1, 1.5)
            with self.killing:
                asked(self.paused, "select pg_wal_replay_resume()")

    def _idle_writer(self):
        """A transaction that has written and then does nothing: what it wrote stays in the buffers of the log."""
        with self.cluster.primary.connect() as connection:
            while not self.stopping.is_set():
                connection.execute("begin")
                connection.execute("insert into note values (-1, 0)")
                self.counts["idle_writers"] += 1
                self._wait(0.2, 1.5)
                connection.execute(self.random.choice(("commit", "rollback")))
                self._wait(0.0, 0.1)

    def _plan_kill(self):
        self.kill_at = time.monotonic() + self.kill_every_s * self.random.uniform(0.5, 1.5)

    def kill_when_due(self):
        """The postmaster and all its processes at once; the node starts again from its last restart point."""
        if time.monotonic() < self.kill_at:
            return
        node = self.random.choice((self.late, self.paused))
        with self.killing:
            node.kill()
            self.counts["kills"] += 1
            time.sleep(self.random.choice((0.0, 0.0, 0.5)))
            node.start()
        self._plan_kill()
