"""
What goes wrong where rolecall itself decides. Its promotions are waited for, never made here; see faults.py for the shape of a fault.
"""

import signal

from lib.processes import wait_until

from . import faults
from .faults import Fault, fault, pause

BUILTIN = []
NOBODY_S = 3.0  # so long nobody may be promoted, where nobody may


def managing(world):
    """The proxy that decides."""
    return world.rolecalls[0]


class Replaced(faults.Lost):
    """strike() takes the primary away; rolecall fences and promotes; then the node is there again, as it was, and is made to rejoin."""

    def draw(self):
        self.reach = self.random.choice(("kill", "kill", "none"))  # of the fence
        self.stays = self.random.choice((0.0, 1.5))

    def begin(self, world):
        self.victim = world.cluster.primary
        world.cluster.reach = self.reach
        world.struck()
        self.strike(world)
        world.succeeded(self.victim)
        pause(self.stays)

    def end(self, world):
        world.cluster.power_on(self.victim)


@fault(3, BUILTIN)
class Crash(Replaced, faults.Crash):
    pass


@fault(1, BUILTIN)
class PostmasterKilled(Replaced, faults.PostmasterKilled):
    def end(self, world):
        world.cluster.end(self.victim)
        super().end(world)


@fault(1, BUILTIN)
class ImmediateStop(Replaced, faults.ImmediateStop):
    pass


@fault(1, BUILTIN)
class FastStop(Replaced, faults.FastStop):
    """It is started as a primary, though it could follow."""

    end = Replaced.end


@fault(2, BUILTIN)
class Freeze(Replaced, faults.Freeze):
    pass


@fault(2, BUILTIN)
class Cut(Replaced, faults.Cut):
    """The fence may not reach it either: then it is a primary still when the network is healed."""

    def end(self, world):
        world.network.heal(self.victim.name)
        super().end(world)


@fault(2, BUILTIN)
class CrashWithOneStandby(Replaced):
    """The other may have what this one lacks: with synchronous replication nobody is promoted until it is back."""

    def draw(self):
        super().draw()
        self.how = self.random.choice(("stop", "freeze"))

    def begin(self, world):
        cluster = world.cluster
        self.victim, self.away = cluster.primary, cluster.standbys[0]
        cluster.reach = self.reach
        self.away.stop("immediate") if self.how == "stop" else self.away.freeze()
        pause(2.0)
        world.struck()
        self.victim.kill()
        if cluster.synchronous:
            world.nobody_succeeds(NOBODY_S)
        else:
            world.succeeded(self.victim)
        cluster.power_on(self.away)
        world.succeeded(self.victim)
        pause(self.stays)


@fault(2, BUILTIN)
class TailLost(Replaced):
    """The standbys hear nothing of the primary's last second: what it acknowledged goes with it."""

    @classmethod
    def possible(cls, world):
        return world.network and not world.cluster.synchronous

    def strike(self, world):
        world.network.cut(self.victim.name, *(node.name for node in world.cluster.standbys))
        pause(0.7)
        world.struck()
        self.victim.kill()

    def end(self, world):
        world.network.heal(self.victim.name)
        super().end(world)


@fault(1, BUILTIN)
class FenceFails(Fault):
    """Nobody is promoted; the operator starts the old primary again."""

    def begin(self, world):
        self.victim = world.cluster.primary
        world.cluster.reach = "fail"
        world.struck()
        self.victim.kill()
        wait_until(lambda: "event=failover_stopped" in world.said(managing(world)), 30, "the failover is stopped")
        world.nobody_succeeds(NOBODY_S)

    def end(self, world):
        world.cluster.power_on(self.victim)


@fault(2, BUILTIN)
class ManagerLost(Fault):
    """The primary crashes, and rolecall that watches it does too, before or while it promotes: then the operator starts the primary again."""

    def draw(self):
        self.after = self.random.choice((0.0, 0.6, 0.8, 1.2))
        self.how = self.random.choice((signal.SIGTERM, signal.SIGKILL)).name

    def begin(self, world):
        self.victim = world.cluster.primary
        world.struck()
        self.victim.kill()
        pause(self.after)
        with world.proxy_away(0):
            managing(world).end(getattr(signal, self.how))
            managing(world).start(ready=False)
        pause(2.0)

    def end(self, world):
        world.cluster.power_on(self.victim)


@fault(3, BUILTIN)
class Switchover(Fault):
    """SWITCHOVER: who is connected to the proxy that does it sees no error at all."""

    def begin(self, world):
        self.victim = world.cluster.primary
        with world.quiet(0):
            world.struck()
            answer = managing(world).admin_table("switchover")
            assert isinstance(answer, list), answer
            world.succeeded(self.victim)
            pause(1.0)

    def end(self, world):
        pass


# The primary is away for a while: it may be replaced, or come back in time.


class Away(faults.Away):
    def end(self, world):
        self.restore(world)
        world.cluster.power_on(self.victim)


for weight, its in ((2, faults.CrashAndRestart), (1, faults.StopAndStart), (2, faults.FrozenForAWhile)):
    fault(weight, BUILTIN)(type(its.__name__, (Away, its), {"__doc__": its.__doc__}))


class Kept(faults.Away):
    """Somebody hears from the primary: nobody takes its place."""

    def begin(self, world):
        super().begin(world)
        world.nobody_succeeds(0.0)


for weight, its in ((2, faults.CutFromProxies), (1, faults.Terminated), (1, faults.SlowDisk),
                    (1, faults.DiskHangs), (1, faults.WrongProbePassword), (1, faults.TooManyConnections)):
    fault(weight, BUILTIN)(type(its.__name__, (Kept, its), {"__doc__": its.__doc__}))


@fault(2, BUILTIN)
class CutFromStandbys(Kept):
    """rolecall sees it, the standbys do not: nobody is promoted, and with synchronous replication commits hang."""

    @classmethod
    def possible(cls, world):
        return world.network

    def strike(self, world):
        world.network.cut(self.victim.name, *(node.name for node in world.cluster.standbys))

    def restore(self, world):
        world.network.heal(self.victim.name)


for weight, its in ((2, faults.StandbyCrash), (1, faults.StandbyStop), (1, faults.StandbyFrozen), (1, faults.StandbyCut),
                    (2, faults.ReplayPaused), (2, faults.StandbysLost), (1, faults.ProxyRestart)):
    fault(weight, BUILTIN)(its)
