"""
What goes wrong where a manager decides. Its decisions are waited for, never made here; see faults.py for the shape of a fault.
"""

import signal

from lib import processes

from .faults import Fault, OfStandby, ProxyRestart, fault, pause

PATRONI, AUTOFAILOVER = [], []


class Replaced(Fault):
    """strike() takes the primary away; the manager makes another one; the cluster is made whole."""

    def strike(self, world):
        raise NotImplementedError

    def begin(self, world):
        self.victim = world.cluster.look()
        world.struck()
        self.strike(world)
        world.succeeded(self.victim)
        pause(0.5)

    def end(self, world):
        world.cluster.restore()


@fault(3, PATRONI, AUTOFAILOVER)
class Switchover(Replaced):
    """Behind rolecall's back, by the manager's own command."""

    def strike(self, world):
        world.cluster.hand_over()


@fault(2, PATRONI, AUTOFAILOVER)
class MachineLost(Replaced):
    """The manager's agent and everything of PostgreSQL, at once."""

    def strike(self, world):
        self.victim.kill()


@fault(1, PATRONI, AUTOFAILOVER)
class MachineFrozen(Replaced):
    """The same, stopped; once thawed it believes that it is primary still."""

    def pids(self):
        agent = self.victim.process.pid
        return [agent, *processes.children(agent), self.victim.postmaster, *processes.children(self.victim.postmaster)]

    def strike(self, world):
        self.frozen = self.pids()
        processes.signal_all(self.frozen, signal.SIGSTOP)

    def __str__(self):
        return "MachineFrozen"

    def end(self, world):
        processes.signal_all(self.frozen, signal.SIGCONT)
        pause(2.0)
        super().end(world)


@fault(1, PATRONI)
class AgentKilled(Replaced):
    """Patroni alone: its PostgreSQL goes on as primary beside the next one."""

    def strike(self, world):
        self.victim.kill_patroni()

    def begin(self, world):
        super().begin(world)
        pause(2.0)


class Decided(Fault):
    """The manager may make another node primary, or bring the same one back."""

    def begin(self, world):
        self.victim = world.cluster.look()
        world.struck()
        self.strike(world)
        pause(1.0)

    def end(self, world):
        world.cluster.restore()
        world.decided(self.victim)


@fault(2, PATRONI, AUTOFAILOVER)
class PostmasterLost(Decided):
    """kill -9 of PostgreSQL alone."""

    def strike(self, world):
        pids = [self.victim.postmaster, *processes.children(self.victim.postmaster)]
        processes.signal_all(pids, signal.SIGKILL)


@fault(1, PATRONI)
class StoreLost(Decided):
    """etcd is away for a while: the primary may demote itself."""

    def draw(self):
        self.seconds = self.random.choice((1.0, 5.0))

    def strike(self, world):
        world.cluster.cluster.etcd.kill()
        pause(self.seconds)


@fault(1, AUTOFAILOVER)
class MonitorLost(Decided):
    """The monitor is away for a while: nobody decides anything, and the primary goes on."""

    def draw(self):
        self.seconds = self.random.choice((1.0, 4.0))

    def strike(self, world):
        world.cluster.cluster.monitor.stop()
        pause(self.seconds)
        world.cluster.cluster.monitor.start()


@fault(2, PATRONI, AUTOFAILOVER)
class StandbyMachineLost(OfStandby):
    def strike(self, world):
        self.victim.kill()

    def restore(self, world):
        world.cluster.restore()


@fault(1, PATRONI, AUTOFAILOVER)
class Terminated(Decided):
    """Everything that clients run on the primary is terminated."""

    def strike(self, world):
        self.victim.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'", dbname="postgres")


fault(1, PATRONI, AUTOFAILOVER)(ProxyRestart)
