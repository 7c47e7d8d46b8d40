"""
All sessions, in a few processes, from before the first fault to after the last one.

    crowd = Crowd(directory, rolecalls, seed, clients=32)     before any thread is started: processes are forked
    crowd.end()                                               every session has ended, or is known to hang
"""

import multiprocessing
import os

from . import client

FORK = multiprocessing.get_context("fork")
PROCESSES = 4


class Crowd:
    def __init__(self, directory, rolecalls, seed, clients, idle=8, pinned=2, pause_s=0.1, prepared=True):
        self.directory, self.rolecalls, self.seed = directory, rolecalls, seed
        self.stopped, self.stop = os.pipe()
        self.prepared = prepared
        self.number = 0
        sessions = []
        for kind, count, options in (("client", clients, {"pause_s": pause_s}), ("idle", idle, {}), ("pinned", pinned, {})):
            sessions += [self._session(kind, i % len(rolecalls), options) for i in range(count)]
        groups = [sessions[i::PROCESSES] for i in range(PROCESSES)]
        groups.append([self._session("meter", proxy, {}) for proxy in range(len(rolecalls))])
        self.processes = [self._start(group) for group in groups if group]

    def _session(self, kind, proxy, options):
        self.number += 1
        dsn = self.rolecalls[proxy].dsn("split", connect_timeout=60)
        return kind, (self.directory, self.number, proxy, kind, dsn, self.seed, self.prepared), options

    def _start(self, sessions):
        def body():
            os.close(self.stop)
            client.play(self.stopped, sessions)

        process = FORK.Process(target=body, daemon=True)
        process.start()
        return process

    def end(self):
        os.close(self.stop)
        for process in self.processes:
            process.join(client.LEAVE_S + 20)
            if process.is_alive():
                process.kill()
                process.join()
        os.close(self.stopped)
