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

from . import builtin_faults, check, client, faults, history, managed, managed_faults, store
from .builtin import Builtin
from .crowd import Crowd
from .pauses import Pauses
from .streaming import Streaming
from .succession import Watch

KINDS = {
    "streaming": (Streaming, faults.STREAMING),
    "builtin": (Builtin, builtin_faults.BUILTIN),
    "patroni": (managed.Patroni, managed_faults.PATRONI),
    "autofailover": (managed.AutoFailover, managed_faults.AUTOFAILOVER),
}
POOL_SIZE = 12  # to a node, of max_connections 60, with two proxies
CONVERGES_S = 20.0


class Proxy(Rolecall):
    """It keeps its port, its log and its state through restarts."""

    def __init__(self, cluster, index, binary=None):
        self.state = processes.own(tempfile.mkdtemp(prefix="rolecall-state."))
        super().__init__(
            cluster.cluster, {"split": dict(route="split", pool="transaction")},
            settings={"state_dir": self.state, "workers": 2},
            cluster_settings={"probe_user": store.PROBE_USER, "probe_password": store.PROBE_PASSWORD, "probe_interval": None,
                              **cluster.settings(index)},
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
    """What faults may touch, and what they tell. Where somebody else than they decides who is primary, a watch tells of that."""

    def __init__(self, network, cluster, rolecalls):
        self.network, self.cluster, self.rolecalls = network, cluster, rolecalls
        self.watch = None if cluster.decides else Watch(cluster.nodes, cluster.primary)
        self.told = 1  # reigns of the watch
        self.logs = {rolecall: 0 for rolecall in rolecalls}
        self.events = []
        self.struck()

    def begin(self):
        """A fault is about to begin."""
        self.struck()
        self.logs = {rolecall: len(rolecall.log()) for rolecall in self.rolecalls}
        if self.watch:
            self.watch.hasten(True)

    def end(self):
        """All is well again: whatever was decided meanwhile is told."""
        if self.watch:
            self.watch.hasten(False)
            self._tell_reigns()

    def said(self, rolecall):
        """What it has logged since the fault began."""
        return rolecall.log()[self.logs[rolecall]:]

    def struck(self):
        """The primary is about to be taken away: later than the fault began."""
        self.struck_at = time.monotonic()

    def promote(self, node):
        old = self.cluster.primary
        at = self.cluster.promote(node)
        self._tell(old, node, at)

    def succeeded(self, old):
        """Somebody makes another node primary: waits for it."""
        self.cluster.primary = self.watch.successor(old).node
        self._tell_reigns()

    def may_succeed(self, old, seconds):
        """Waits so long for a manager that may find nobody fit: whether it did is the manager's affair."""
        try:
            self.watch.successor(old, seconds)
        except AssertionError:
            print("; nobody took over", end="", flush=True)
        else:
            self.succeeded(old)

    def nobody_succeeds(self, seconds):
        time.sleep(seconds)
        assert len(self.watch.reigns) == self.told, f"{self.watch.reigns[-1].node.name} was promoted"

    def replaced(self, node, reigned, at):
        """Both standbys had been promoted, each was primary to whoever had not seen the other one yet, and the other has gone."""
        old, self.cluster.primary = self.cluster.primary, node
        for each, since in reigned.items():
            self.events.append(check.Promotion(old.port, each.port, self.struck_at, since, at))
        for each in self.cluster.nodes:
            if each is not node:
                self._tell(each, node, at)

    def _tell_reigns(self):
        """A node that only crashed may be on a newer timeline afterwards."""
        reigns = self.watch.reigns
        while self.told < len(reigns):
            old, new = reigns[self.told - 1], reigns[self.told]
            self.told += 1
            if old.node is not new.node:
                self._tell(old.node, new.node, new.at, wait=self.told == len(reigns))

    def _tell(self, old, new, at, wait=True):
        for rolecall in self.rolecalls if wait else ():
            wait_until(lambda: self.role(rolecall, new) == "primary", CONVERGES_S, f"{new.name} is primary to rolecall")
        self.events.append(check.Promotion(old.port, new.port, self.struck_at, at, time.monotonic() + check.SLACK_S))

    @contextlib.contextmanager
    def quiet(self, proxy):
        began = time.monotonic()
        yield
        self.events.append(check.Quiet(began, time.monotonic(), proxy))

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
        """None: it is no member at the moment."""
        return next((row for row in rolecall.admin_table("show nodes") if row["node"] == node.name), None)

    def role(self, rolecall, node):
        row = self.row(rolecall, node)
        return row and row["role"]

    def is_split(self, rolecall):
        return "split" in (rolecall.admin_table("show clusters")[0]["reason"] or "")

    def converged(self):
        """Every proxy knows every node by its role."""
        for rolecall in self.rolecalls:
            for node in self.cluster.nodes:
                row = self.row(rolecall, node)
                wanted = "primary" if node is self.cluster.primary else "replica"
                if not row or (row["role"], row["condition"]) != (wanted, "up"):
                    return False
        return True

    def seen(self):
        return [[(row["node"], row["role"], row["condition"], row["reason"]) for row in rolecall.admin_table("show nodes")]
                for rolecall in self.rolecalls]


class Campaign:
    def __init__(self, options, network, disks=False):
        self.options = options
        self.random = random.Random(f"{options.seed}.faults")
        self.directory = tempfile.mkdtemp(prefix="rolecall-ledger.")
        self.rolecalls, self.cluster, self.crowd, self.world = [], None, None, None
        try:
            make, self.kinds = KINDS[options.cluster]
            self.cluster = make(network, options.synchronous, disks)
            for index in range(options.proxies):
                self.rolecalls.append(Proxy(self.cluster, index))
            self.pauses = Pauses(self.rolecalls)
            self.crowd = Crowd(self.directory, self.rolecalls, options.seed, options.clients, pause_s=options.pause)
            self.world = World(network, self.cluster, self.rolecalls)
        except BaseException:
            self.close()
            raise

    # Running.

    def run(self):
        left_out = [kind.__name__ for kind, _ in self.kinds if not kind.possible(self.world)]
        if left_out:
            print(f"    cannot be had here: {', '.join(left_out)}", flush=True)
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
        self.world.begin()
        fault.begin(self.world)
        fault.end(self.world)
        ended = time.monotonic()
        self.cluster.wait_settled()
        try:
            wait_until(self.world.converged, CONVERGES_S, "every proxy knows every node by its role", 0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.cluster.primary.name} is primary, seen is {self.world.seen()}") from None
        self.world.end()
        self.world.events.append(check.Trouble(began, time.monotonic()))
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
        for hook, node, error in self.cluster.failed:
            report.must(False, "hook", f"{hook} of {node}: {error}")
        report.must(len(set(digests.values())) == 1, "replicas", f"the nodes differ: {digests}")
        return report

    def keep(self):
        """After a failure: histories, events and logs, for whoever looks for the cause."""
        with open(os.path.join(self.directory, "events"), "w") as file:
            file.write("".join(f"{event}\n" for event in (self.world.events if self.world else [])))
        for index, rolecall in enumerate(self.rolecalls):
            with contextlib.suppress(OSError):
                shutil.copy(rolecall.log_path, os.path.join(self.directory, f"rolecall{index}.log"))
        for node in self.cluster.nodes if self.cluster else []:
            with contextlib.suppress(OSError):
                shutil.copy(node.log_path, os.path.join(self.directory, f"{node.name}.log"))
        return self.directory

    def close(self, keep=False):
        if self.world and self.world.watch:
            self.world.watch.close()
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
