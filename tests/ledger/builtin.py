"""
The same nodes without an operator: rolecall itself promotes (failover = builtin), fences by before_promote, hands over by demote,
and has old primaries rewound by `rolecall clone --rejoin`, in hooks as the README shows them. The hooks ask this process, whose
children the nodes are. The first proxy decides; the other one follows what it sees, as failover = external does.

    cluster.power_on(node)        starts what has ended as it was: an old primary as primary, until rolecall has it rejoin
    cluster.reach                 what a fence can do: "kill" ends the node; "none" says that it did and does nothing; "fail"
"""

import threading

import psycopg

from lib.hooks import Hooks
from lib.processes import wait_until
from lib.supervisor import Supervisor

from . import succession
from .streaming import Streaming

FAILOVER_AFTER_S = 0.5
HOOKS = ("before_promote", "demote", "rejoin")


class Builtin(Streaming):
    decides = False
    slots = True

    def __init__(self, network, synchronous, disks=False):
        super().__init__(network, synchronous, disks)
        self.lock = threading.RLock()
        self.reach = "kill"
        self.failed = []  # hooks: (name, node, what they raised), but for those that shall
        try:
            self.hooks = Hooks(self.cluster.directory)
        except BaseException:
            super().close()
            raise
        self.supervisor = Supervisor(self.cluster)
        for name in HOOKS:
            self.hooks.actions[name] = self._guarded(getattr(self, f"_{name}"))

    def settings(self, index):
        """Of [cluster], for the proxy of this number."""
        if index > 0:
            return {}
        return {"failover": "builtin", "failover_after": f"{FAILOVER_AFTER_S * 1000:.0f}ms", "hook_timeout": "60s",
                "data_loss": "refuse" if self.synchronous else "allow", **self.hooks.settings(*HOOKS)}

    # Hooks.

    def _guarded(self, action):
        def act(facts):
            try:
                with self.lock:
                    return action(facts)
            except BaseException as error:
                if self.reach != "fail":
                    self.failed.append((facts["HOOK"], facts["NODE"], str(error)))
                raise

        return act

    def _before_promote(self, facts):
        if self.reach == "fail":
            raise RuntimeError("the power switch does not answer")
        if self.reach == "kill":
            self.end(self.supervisor.node(facts["OLD_PRIMARY"]), thaw=False)
        return "fenced"

    def _demote(self, facts):
        return self.supervisor.demote(facts)

    def _rejoin(self, facts):
        node = self.supervisor.node(facts["NODE"])
        if succession.timeline(node) == 0 and node.alive and not node.frozen and self._follows(node):
            return "it follows already"  # it was rejoined since the hook was put in the queue
        return self.supervisor.rejoin(facts)

    def _follows(self, node):
        return node.value("select exists (select from pg_stat_wal_receiver where status = 'streaming')", dbname="postgres")

    # What the campaign asks.

    def look(self):
        self.primary = wait_until(lambda: succession.reigning(self.nodes), succession.SUCCESSION_S, "somebody takes writes")
        return self.primary

    def power_on(self, node):
        with self.lock:
            node.thaw()
            if not node.alive:
                self.end(node)
                node.start()

    def restore(self):
        """Whatever has ended runs again; the rest is rolecall's."""
        for node in self.nodes:
            self.power_on(node)

    def settled(self):
        """A fence may have ended what had come back in time."""
        self.restore()
        self.look()
        return super().settled()

    def wait_settled(self, timeout=90):
        self.reach = "kill"
        try:
            super().wait_settled(timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self._states()}; hooks that failed: {self.failed}") from None

    def _states(self):
        def state(node):
            try:
                return node.sql("select pg_is_in_recovery(), pg_last_wal_replay_lsn()::text, current_setting('primary_conninfo')", dbname="postgres")
            except psycopg.Error as error:
                return str(error).strip()

        return {node.name: (node.alive, state(node)) for node in self.nodes}

    def close(self):
        self.hooks.close()
        with self.lock:
            super().close()
