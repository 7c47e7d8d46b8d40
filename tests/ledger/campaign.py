"""
Faults, one after the other, while the crowd goes on; then what is in the database and in the histories is checked.

    campaign = Campaign(options, network); campaign.run(); report = campaign.check()

After each fault the cluster must be whole within a bound: every standby streams, both proxies know the roles and write.
"""

import contextlib
import os
import random
import shutil
import signal
import tempfile
import time

from lib import processes
from lib.processes import wait_until
from lib.rolecall import Rolecall

from . import check, client, faults, history, managed, managed_faults, store
from .crowd import Crowd
from .pauses import Pauses
from .streaming import Streaming

KINDS = {
    "streaming": (Streaming, faults.STREAMING),
    "patroni": (managed.Patroni, managed_faults.PATRONI),
    "autofailover": (managed.AutoFailover, managed_faults.AUTOFAILOVER),
}
POOL_SIZE = 12  # to a node, of max_connections 60, with two proxies
CONVERGES_S = 20.0


class Proxy(Rolecall):
    """It keeps its port, its log and its state through restarts."""

    def __init__(self, cluster, binary=None):
        self.state = processes.own(tempfile.mkdtemp(prefix="rolecall-state."))
        super().__init__(
            cluster, {"split": dict(route="split", pool="transaction")},
            settings={"state_dir": self.state, "workers": 2},
            cluster_settings={"probe_user": store.PROBE_USER, "probe_password": store.PROBE_PASSWORD, "probe_interval": None},
            users={"app": dict(pool_size=POOL_SIZE)}, binary=binary)

    def end(self, number):
        process, self.process = self.process, None
        status = processes.end(process, number, timeout=45)
        assert status == (0 if number == signal.SIGTERM else -number), f"rolecall ended with {status}:\n{self.log()[-3000:]}"

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.state, ignore_errors=True)


class World:
    """What faults may touch, and what they tell."""

    def __init__(self, network, cluster, rolecalls):
        self.network, self.cluster, self.rolecalls = network, cluster, rolecalls
        self.events = []
        self.struck_at = None

    def struck(self):
        """The primary is about to be taken away."""
        self.struck_at = time.monotonic()

    def promote(self, node):
        old = self.cluster.primary
        at = self.cluster.promote(node)
        self._tell(old, node, at)

    def succeeded(self, old):
        """The manager makes another node primary: waits for it."""
        new, at = self.cluster.successor(old)
        self.cluster.primary = new
        self._tell(old, new, at)

    def decided(self, old):
        """The manager has made a node primary, perhaps the same one."""
        new = self.cluster.look()
        if new is not old:
            self._tell(old, new, self.struck_at)

    def replaced(self, node, at):
        """Both standbys had been promoted, and one has gone."""
        olds = [other for other in self.cluster.nodes if other is not node]
        self.cluster.primary = node
        for old in olds:
            self._tell(old, node, at)

    def _tell(self, old, new, at):
        for rolecall in self.rolecalls:
            wait_until(lambda: self.row(rolecall, new)["role"] == "primary", CONVERGES_S, f"{new.name} is primary to rolecall")
        self.events.append(check.Promotion(old.port, new.port, self.struck_at, at, time.monotonic() + check.SLACK_S))

    @contextlib.contextmanager
    def proxy_away(self, index):
        began = time.monotonic()
        yield
        self.events.append(check.Outage(index, began, time.monotonic()))

    @contextlib.contextmanager
    def commits_wait_for_all(self):
        names = ", ".join(node.name for node in self.cluster.nodes)
        self.cluster.primary.set("synchronous_standby_names", f"ANY {len(self.cluster.nodes) - 1} ({names})")
        time.sleep(0.5)  # and what was acknowledged until then has arrived everywhere
        yield

    def row(self, rolecall, node):
        return next(row for row in rolecall.admin_table("show nodes") if row["node"] == node.name)

    def is_split(self, rolecall):
        return "split" in (rolecall.admin_table("show clusters")[0]["reason"] or "")

    def converged(self):
        """Every proxy knows every node by its role."""
        for rolecall in self.rolecalls:
            for node in self.cluster.nodes:
                row = self.row(rolecall, node)
                if (row["role"], row["condition"]) != ("primary" if node is self.cluster.primary else "replica", "up"):
                    return False
        return True


class Campaign:
    def __init__(self, options, network):
        self.options = options
        self.random = random.Random(f"{options.seed}.faults")
        self.directory = tempfile.mkdtemp(prefix="rolecall-ledger.")
        self.rolecalls, self.cluster, self.crowd = [], None, None
        try:
            make, self.kinds = KINDS[options.cluster]
            self.cluster = make(network, options.synchronous)
            for _ in range(options.proxies):
                self.rolecalls.append(Proxy(self.cluster.cluster))
            self.world = World(network, self.cluster, self.rolecalls)
            self.pauses = Pauses(self.rolecalls)
            self.crowd = Crowd(self.directory, self.rolecalls, options.seed, options.clients, pause_s=options.pause)
        except BaseException:
            self.close()
            raise

    # Running.

    def run(self):
        time.sleep(2)
        began = time.monotonic()
        done = 0
        while done < self.options.faults and time.monotonic() - began < self.options.duration:
            done += 1
            self.one(done, self.choose())
        time.sleep(1)
        self.seconds = time.monotonic() - began
        self.crowd.end()
        self.cluster.wait_settled()
        self.done = done

    def choose(self):
        if self.options.only:
            named = [(kind, 1) for kind, _ in self.kinds if kind.__name__ in self.options.only]
            return faults.draw(self.random, self.world, named)
        return faults.draw(self.random, self.world, self.kinds)

    def one(self, number, fault):
        began = time.monotonic()
        print(f"    {number:3d} {began:10.3f} {time.strftime('%T')} {fault}", end="", flush=True)
        promoted = len(self.world.events)
        fault.begin(self.world)
        fault.end(self.world)
        ended = time.monotonic()
        self.cluster.wait_settled()
        wait_until(self.world.converged, CONVERGES_S, "every proxy knows every node by its role", 0.05)
        new = [event for event in self.world.events[promoted:] if isinstance(event, check.Promotion)]
        self.pauses.add(str(fault).split(" ")[0], began, ended, new[-1] if new else None)
        print(f"; {self.cluster.primary.name} is primary, whole after {time.monotonic() - began:.1f} s", flush=True)
        time.sleep(self.random.uniform(0.2, 1.0))

    # Checking.

    def check(self, synchronous):
        sessions = history.read(self.directory)
        final = check.Final(*store.content(self.cluster.primary))
        self.pauses.measure(sessions)
        report = check.check(sessions, final, self.world.events, synchronous, accounts=client.ACCOUNTS)
        digests = store.digests(self.cluster.nodes)
        for rolecall in self.rolecalls:
            report.must(rolecall.alive(), "crash", f"rolecall has ended: {rolecall.log()[-2000:]}")
        report.must(len(set(digests.values())) == 1, "replicas", f"the nodes differ: {digests}")
        return report

    def keep(self):
        """After a failure: histories and logs, for whoever looks for the cause."""
        for index, rolecall in enumerate(self.rolecalls):
            with contextlib.suppress(OSError):
                shutil.copy(rolecall.log_path, os.path.join(self.directory, f"rolecall{index}.log"))
        for node in self.cluster.nodes if self.cluster else []:
            with contextlib.suppress(OSError):
                shutil.copy(node.log_path, os.path.join(self.directory, f"{node.name}.log"))
        return self.directory

    def close(self, keep=False):
        if self.crowd:
            for process in self.crowd.processes:
                process.kill()
        try:
            for rolecall in self.rolecalls:
                rolecall.close()
        finally:
            if self.cluster:
                self.cluster.close()
            if not keep:
                shutil.rmtree(self.directory, ignore_errors=True)
