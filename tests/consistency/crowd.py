"""
Many sessions at once, each in its own process, and what they found put together.

    crowd = Crowd(cluster, rolecall, first_id, sessions, seed)
    crowd.run(seconds=60, reads=100_000, trouble)       ends with whichever comes first
    crowd.stale, crowd.backward, ...
"""

import collections
import contextlib
import multiprocessing
import os
import time

from . import client

FORK = multiprocessing.get_context("fork")
WRITERS = ({}, {"options": "-c synchronous_commit=off"})


class Crowd:
    """`hints`: some reads say themselves where they want to go."""

    def __init__(self, cluster, rolecall, first_id, sessions, seed, hints=True):
        paces = tuple(client.PACES)
        self.cluster, self.rolecall, self.seed, self.hints = cluster, rolecall, seed, hints
        self.writers = list(range(first_id, first_id + len(WRITERS)))
        self.sessions = list(range(first_id + len(WRITERS), first_id + len(WRITERS) + sessions))
        self.pace = {id: paces[i % len(paces)] for i, id in enumerate(self.sessions)}
        self.acknowledged = {}
        self.told = []
        self.deaths = []
        everyone = self.writers + self.sessions
        cluster.primary.sql("insert into counter select unnest(%s::int[]), 0", [everyone])
        cluster.catch_up()

    # Running.

    def run(self, seconds, reads, trouble=None):
        """The sessions are made first: trouble has threads, and a process with threads is no good to fork."""
        stopped, stop = os.pipe()
        progress = [FORK.RawValue("Q") for _ in self.sessions]
        children = [self._start(stop, stopped, client.write_fast, self.rolecall.ports["split"], id, options, stopped)
                    for id, options in zip(self.writers, WRITERS)]
        nodes = {node.name: node.port for node in self.cluster.nodes}
        for id, count in zip(self.sessions, progress):
            # Writers are read along always, a few of the other sessions as well.
            others = self.writers + [other for other in self.sessions[:10] if other != id]
            children.append(self._start(stop, stopped, client.play, self.rolecall.ports["split"], id, others, nodes,
                                        self.cluster.primary.port, f"{self.seed}.{id}", self.pace[id], self.hints, stopped, count))
        began = time.monotonic()
        try:
            with trouble or contextlib.nullcontext():
                while time.monotonic() < began + seconds and sum(count.value for count in progress) < reads:
                    if trouble:
                        trouble.kill_when_due()
                    time.sleep(0.1)
                self.seconds = time.monotonic() - began
        finally:
            os.close(stop)
            for process, results in children:
                self._collect(process, results)
            os.close(stopped)
        self.log = self.rolecall.log()
        self.routes = {row["reason"]: int(row["count"]) for row in self.rolecall.admin_table("show routes")}
        self._judge()
        return self

    def _start(self, stop, stopped, what, *arguments):
        mine, theirs = FORK.Pipe(duplex=False)

        def body():
            os.close(stop)  # the end of the campaign is that nobody holds it any more
            what(theirs, *arguments)

        process = FORK.Process(target=body)
        process.start()
        theirs.close()
        return process, mine

    def _collect(self, process, results):
        try:
            if not results.poll(90):
                raise EOFError
            me, died, told, acknowledged = results.recv()
        except EOFError:
            self.deaths.append(f"a session did not end (pid {process.pid})")
            process.kill()
            return
        finally:
            process.join(5)
            results.close()
        self.acknowledged[me] = acknowledged
        if died:
            self.deaths.append(f"session {me}: {died}")
        if told:
            self.told.append(told)

    # What they found.

    def _judge(self):
        self.stale = [found for told in self.told for found in told["stale"]]
        backward = [found for told in self.told for found in told["backward"]]
        # PostgreSQL sends a commit to its replicas before it shows it itself: a session that has seen it there may find
        # that the primary does not show it yet. Until the commit is acknowledged to its writer, that is no mistake.
        early = [found for found in backward if self._seen_too_early(found)]
        self.early_count = len(early)
        self.backward = [found for found in backward if found not in early]
        self.stale_count = self.sum("stale_count")
        self.backward_count = self.sum("backward_count") - len(early)
        self.errors = collections.Counter()
        self.kinds = collections.Counter()
        for told in self.told:
            self.errors.update(told["errors"])
            self.kinds.update(told["kinds"])

    def _seen_too_early(self, found):
        at = self.acknowledged.get(found["counter"], {}).get(found["expected"])
        return found["node"] == self.cluster.primary.port and (at is None or at > found["sent_at"])

    def sum(self, key, pace=None):
        return sum(told[key] for told in self.told if pace in (None, told["pace"]))

    def share_late(self, pace=None):
        """Of the reads later than LATE_S after the session's last write, how many replicas answered."""
        late = self.sum("late", pace)
        return self.sum("late_on_replicas", pace) / late if late else None

    def name_of(self, port):
        return next((node.name for node in self.cluster.nodes if node.port == port), "none")

    def tell(self, found):
        return ("session {session} read {value} instead of {expected} from counter {counter}, {after_ms} ms after, by {how}; "
                .format(**found) + f"answered by {self.name_of(found['node'])}, {found['expected']} was seen on "
                f"{self.name_of(found['before_node'])}, its answer before came from {self.name_of(found['last_node'])}")
