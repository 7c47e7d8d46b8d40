"""
What goes wrong where a manager decides. Its decisions are waited for, never made here; see faults.py for the shape of a fault.
What a manager does about each is as it was found with the real ones: who is replaced, who is not, and who comes back.
"""

import functools
import re
import signal

from lib import processes

from .faults import Disabled, Fault, OfStandby, Ordered, ProxyRestart, fault, pause

PATRONI, AUTOFAILOVER = [], []
SUCCESSION_S = 40.0


class OfPrimary(Fault):
    """strike() does it, restore() undoes what the manager cannot, and then the cluster is made whole."""

    def strike(self, world):
        raise NotImplementedError

    def restore(self, world):
        pass

    def begin(self, world):
        self.victim = world.cluster.look()
        world.struck()
        self.strike(world)
        self.wait(world)

    def end(self, world):
        self.restore(world)
        world.cluster.restore()


class Replaced(OfPrimary):
    """The manager makes another node primary; Patroni may leave it when a standby has just restarted and lacks what it had."""

    def wait(self, world):
        world.may_succeed(self.victim, SUCCESSION_S)
        pause(0.5)


class Decided(OfPrimary):
    """The manager may make another node primary, or bring the same one back."""

    lasts = (1.0,)

    def draw(self):
        self.seconds = self.random.choice(self.lasts)

    def wait(self, world):
        pause(self.seconds)


class Kept(Decided):
    """The manager has no reason to replace anybody: writes wait, or go on."""

    def wait(self, world):
        world.nobody_succeeds(self.seconds)


@fault(3, PATRONI, AUTOFAILOVER)
class Switchover(Replaced):
    """Behind rolecall's back, by the manager's own command."""

    def strike(self, world):
        world.cluster.hand_over()

    def wait(self, world):
        world.succeeded(self.victim)
        pause(0.5)


@fault(2, PATRONI, AUTOFAILOVER)
class MachineLost(Replaced):
    """The manager's agent and everything of PostgreSQL, at once."""

    def strike(self, world):
        self.victim.kill()


def agent_and_all(node):
    agent = node.process.pid
    return [agent, *processes.children(agent), node.postmaster, *processes.children(node.postmaster)]


@functools.cache
def patroni_version():
    version = re.search(r"[0-9.]+", processes.run(["patroni", "--version"]).stdout)[0]
    return tuple(map(int, version.split(".")))


def takes_the_lock_back(world):
    """Patroni before 3.0.3, with etcd 3: a leader that was frozen for longer than its ttl writes the leader key anew when it goes on,
    without looking whose it is by now. Its successor gives up within a second, and what that one acknowledged is lost."""
    return world.cluster.manager == "patroni" and patroni_version() < (3, 0, 3)


class Frozen:
    """SIGSTOP; once thawed it believes what it believed."""

    def strike(self, world):
        self.frozen = self.pids()
        processes.signal_all(self.frozen, signal.SIGSTOP)

    def restore(self, world):
        processes.signal_all(self.frozen, signal.SIGCONT)
        pause(2.0)


class FrozenAgent(Frozen, Replaced):
    @classmethod
    def possible(cls, world):
        return not takes_the_lock_back(world)


@fault(1, PATRONI, AUTOFAILOVER)
class MachineFrozen(FrozenAgent):
    """The agent and everything of PostgreSQL."""

    def pids(self):
        return agent_and_all(self.victim)


@fault(1, PATRONI)
class AgentFrozen(FrozenAgent):
    """Patroni alone: its REST says nothing, its lock expires, and its PostgreSQL goes on as primary beside the next one."""

    def pids(self):
        return [self.victim.process.pid]


@fault(1, PATRONI, AUTOFAILOVER)
class PostgresFrozen(Frozen, Decided):
    """PostgreSQL alone: the agent lives, and finds out or not."""

    lasts = (1.5, 8.0)

    def pids(self):
        return [self.victim.postmaster, *processes.children(self.victim.postmaster)]


@fault(1, PATRONI)
class AgentKilled(Replaced):
    """Patroni alone: its PostgreSQL goes on as primary beside the next one."""

    def strike(self, world):
        self.victim.kill_patroni()

    def wait(self, world):
        super().wait(world)
        pause(2.0)


@fault(2, PATRONI)
class PostmasterLost(Decided):
    """kill -9 of PostgreSQL alone. Not with pg_auto_failover 2.0: when its agent is slower than the monitor, which then seeks a
    successor, it may choose this very node and have it fetch what it lacks from itself, for ever."""

    def strike(self, world):
        pids = [self.victim.postmaster, *processes.children(self.victim.postmaster)]
        processes.signal_all(pids, signal.SIGKILL)


# The store and the monitor.


@fault(1, PATRONI)
class StoreMemberLost(Kept):
    """One etcd of three: the two others go on, perhaps after an election."""

    lasts = (1.0, 4.0)

    def draw(self):
        super().draw()
        self.member = self.random.randrange(3)

    def strike(self, world):
        world.cluster.cluster.etcd.members[self.member].kill()


@fault(1, PATRONI)
class StoreLost(Decided):
    """No etcd at all: the primary demotes itself after a while, and is primary again when etcd is back."""

    lasts = (1.0, 5.0, 10.0)

    def strike(self, world):
        world.cluster.cluster.etcd.kill()


@fault(1, AUTOFAILOVER)
class MonitorLost(Kept):
    """Nobody decides anything, and the primary goes on."""

    lasts = (1.0, 8.0)

    def strike(self, world):
        world.cluster.cluster.monitor.stop()

    def restore(self, world):
        world.cluster.cluster.monitor.start()


@fault(1, AUTOFAILOVER)
class MonitorAndPostmasterLost(MonitorLost):
    """Nobody can decide anything: pg_autoctl starts the primary's PostgreSQL again."""

    lasts = (4.0, 8.0)

    def strike(self, world):
        super().strike(world)
        self.victim.kill_postmaster()


# Networks.


class Severed:
    @classmethod
    def possible(cls, world):
        return world.network

    def restore(self, world):
        world.network.heal(self.victim.name)
        pause(1.0)


@fault(1, PATRONI)
class Cut(Severed, Replaced):
    """From everything: it cannot renew its lock, demotes itself, and the lock expires."""

    def strike(self, world):
        world.network.cut(self.victim.name)


@fault(1, PATRONI)
class CutFromStore(Severed, Replaced):
    """From etcd alone: it demotes itself, or finds its lock taken."""

    def strike(self, world):
        world.network.bar(self.victim.name, *(member.port for member in world.cluster.cluster.etcd.members))


@fault(1, PATRONI)
class CutFromStandbys(Severed, Kept):
    """Patroni and rolecall see it: it stays, and the synchronous commits hang until it has another standby or they are back."""

    lasts = (2.0,)

    def strike(self, world):
        world.network.cut(self.victim.name, *(node.name for node in world.cluster.standbys))


@fault(2, PATRONI)
class RestUnreachable(Severed, Kept):
    """Of the leader, for rolecall: a successor might exist, so it gets no writes after manager_grace, and is primary again when it speaks."""

    lasts = (1.0, 4.0)

    def strike(self, world):
        world.network.shut(self.victim.name, *world.cluster.rest_ports(self.victim))


@fault(1, PATRONI)
class PostgresUnreachable(Severed, Kept):
    """The leader's PostgreSQL, for rolecall and the standbys; its Patroni speaks, and has no reason to give up."""

    lasts = (1.0, 3.0)

    def strike(self, world):
        world.network.shut(self.victim.name, self.victim.port)


# Standbys, and what is planned.


@fault(2, PATRONI, AUTOFAILOVER)
class StandbyMachineLost(OfStandby):
    def strike(self, world):
        self.victim.kill()

    def restore(self, world):
        world.cluster.restore()


@fault(1, AUTOFAILOVER)
class StandbyMaintenance(OfStandby):
    """It is not read, and stopped; then it is back."""

    lasts = (1.0, 3.0)

    def strike(self, world):
        self.victim.maintain()

    def restore(self, world):
        self.victim.maintain(False)


@fault(1, AUTOFAILOVER)
class PrimaryMaintenance(Replaced):
    """Which is a switchover first."""

    def strike(self, world):
        self.victim.maintain()

    def restore(self, world):
        self.victim.maintain(False)


@fault(1, PATRONI)
class Paused(Kept):
    """Patroni is told to decide nothing, and the leader's Patroni is restarted meanwhile: PostgreSQL goes on."""

    def strike(self, world):
        world.cluster.cluster.pause()
        self.victim.kill_patroni()

    def restore(self, world):
        self.victim.start()
        world.cluster.cluster.resume()


@fault(1, PATRONI, AUTOFAILOVER)
class Terminated(Decided):
    """Everything that clients run on the primary is terminated."""

    def strike(self, world):
        self.victim.tell("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'")


fault(1, PATRONI, AUTOFAILOVER)(ProxyRestart)
fault(1, PATRONI, AUTOFAILOVER)(Disabled)
fault(1, PATRONI, AUTOFAILOVER)(Ordered)
