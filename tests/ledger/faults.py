"""
What goes wrong: one object each, drawn with what it needs of chance.

    fault = draw(random, world, STREAMING)      world: campaign.World
    fault.begin(world); fault.end(world)

begin() breaks something and, for those that lose the primary, has the operator promote. end() puts everything right again: the
cluster is whole when it returns, but for catching up. What a fault promises beside what the checker asks is asserted here.
world.promoted(...) tells the campaign of a promotion, world.proxy_away(...) of a proxy that is down on purpose.
"""

import contextlib
import signal
import time

import psycopg

from lib import processes
from lib.processes import wait_until

from .store import PROBE_PASSWORD, PROBE_USER

STREAMING = []  # (class, weight)


def fault(weight, *lists):
    """Of which kinds of clusters it is a fault; of plain streaming ones unless told otherwise."""
    def register(kind):
        for kinds in lists or (STREAMING,):
            kinds.append((kind, weight))
        return kind

    return register


UNTOLD = ("random", "victim", "away", "given_up", "taken", "frozen")  # of a fault's attributes


class Fault:
    def __init__(self, random):
        self.random = random
        self.draw()

    def draw(self):
        """Takes all its chance at once, so that the seed gives the same fault whatever the machine does."""

    def __str__(self):
        details = ", ".join(f"{key} {value}" for key, value in vars(self).items() if key not in UNTOLD)
        return type(self).__name__ + (f" ({details})" if details else "")

    @classmethod
    def possible(cls, world):
        return True

    def begin(self, world):
        raise NotImplementedError

    def end(self, world):
        raise NotImplementedError


def pause(seconds):
    time.sleep(seconds)


def standby(world, which):
    standbys = world.cluster.standbys
    return standbys[which % len(standbys)]


# The primary is lost, and another one takes its place.


class Lost(Fault):
    """strike() takes the primary away, the operator needs a moment, restore() brings the old one back as a standby."""

    delays = (0.0, 0.0, 0.3, 1.5)

    def draw(self):
        self.promoted_after = self.random.choice(self.delays)

    def strike(self, world):
        raise NotImplementedError

    def begin(self, world):
        self.victim = world.cluster.primary
        world.struck()
        self.strike(world)
        pause(self.promoted_after)
        world.promote(world.cluster.best())
        pause(0.5)

    def end(self, world):
        world.cluster.rebuild(self.victim)


@fault(3)
class Crash(Lost):
    """kill -9 of all its processes."""

    def strike(self, world):
        self.victim.kill()


@fault(1)
class PostmasterKilled(Lost):
    """kill -9 of the postmaster alone."""

    def strike(self, world):
        world.cluster.kill_postmaster(self.victim)


@fault(1)
class ImmediateStop(Lost):
    def strike(self, world):
        self.victim.stop("immediate")


@fault(2)
class FastStop(Lost):
    """What a manager does for a switchover: the standbys have all of it, and the old one follows."""

    def strike(self, world):
        self.victim.stop("fast")

    def end(self, world):
        world.cluster.start_as_standby(self.victim)


@fault(2)
class OldPrimaryReturns(Lost):
    """It crashed, another was promoted, and it is started again as it was: as primary."""

    def draw(self):
        super().draw()
        self.stays = self.random.choice((1.0, 3.0))

    def strike(self, world):
        self.victim.kill()

    def begin(self, world):
        super().begin(world)
        self.victim.start()
        pause(self.stays)
        for rolecall in world.rolecalls:
            role = world.role(rolecall, self.victim)
            assert role != "primary", f"the old primary is {role}"


@fault(2)
class Freeze(Lost):
    """SIGSTOP of everything; thawed when it has a successor, it believes that it is primary still."""

    def draw(self):
        super().draw()
        self.stays = self.random.choice((0.5, 2.0))

    def strike(self, world):
        self.victim.freeze()

    def begin(self, world):
        super().begin(world)
        pause(1.0)
        self.victim.thaw()
        pause(self.stays)


@fault(2)
class Cut(Lost):
    """Its network is cut, and healed when it has a successor."""

    def draw(self):
        super().draw()
        self.stays = self.random.choice((0.5, 2.0))

    @classmethod
    def possible(cls, world):
        return world.network

    def strike(self, world):
        world.network.cut(self.victim.name)

    def begin(self, world):
        super().begin(world)
        pause(1.0)
        world.network.heal(self.victim.name)
        pause(self.stays)


@fault(2)
class CutFromStandbys(Lost):
    """rolecall sees it, the standbys do not, and one of them is promoted: two primaries, both writable."""

    @classmethod
    def possible(cls, world):
        return world.network

    def strike(self, world):
        world.network.cut(self.victim.name, *(node.name for node in world.cluster.standbys))

    def begin(self, world):
        super().begin(world)
        pause(2.0)

    def end(self, world):
        world.cluster.end(self.victim)
        world.network.heal(self.victim.name)
        super().end(world)


@fault(2)
class BothPromoted(Fault):
    """Both standbys are promoted, apart: nobody is primary until one has gone."""

    def draw(self):
        self.keep = self.random.randrange(2)
        self.stays = self.random.choice((1.0, 3.0))

    def begin(self, world):
        cluster = world.cluster
        self.victim = cluster.primary
        # Whichever is kept must have every acknowledged commit.
        with world.commits_wait_for_all():
            world.struck()
            self.victim.kill()
            cluster.best()
        one, other = cluster.standbys
        for node in (one, other):
            node.sql("select pg_promote(false)", dbname="postgres")
        reigned = {}
        for node in (one, other):
            wait_until(lambda: not node.value("select pg_is_in_recovery()", dbname="postgres"), 30, "it is promoted", 0.005)
            reigned[node] = time.monotonic()
        for rolecall in world.rolecalls:
            wait_until(lambda: world.is_split(rolecall), 10, "rolecall tells of the split")
        pause(self.stays)
        kept, given_up = (one, other) if self.keep == 0 else (other, one)
        given_up.kill()
        self.given_up = given_up
        world.replaced(kept, reigned, time.monotonic())
        pause(0.5)

    def end(self, world):
        world.cluster.copy(self.given_up)
        world.cluster.rebuild(self.victim)


# The primary is away, and comes back as primary.


class Away(Fault):
    lasts = (0.3, 1.5, 4.0)

    def draw(self):
        self.seconds = self.random.choice(self.lasts)

    def begin(self, world):
        self.victim = world.cluster.primary
        self.strike(world)
        pause(self.seconds)

    def end(self, world):
        self.restore(world)


@fault(2)
class CrashAndRestart(Away):
    lasts = (0.0, 1.0)

    def strike(self, world):
        self.victim.kill()

    def restore(self, world):
        self.victim.start()


@fault(1)
class StopAndStart(Away):
    lasts = (0.0, 1.0)

    def draw(self):
        super().draw()
        self.mode = self.random.choice(("fast", "immediate"))

    def strike(self, world):
        self.victim.stop(self.mode)

    def restore(self, world):
        self.victim.start()


@fault(2)
class FrozenForAWhile(Away):
    def strike(self, world):
        self.victim.freeze()

    def restore(self, world):
        self.victim.thaw()


@fault(2)
class CutFromProxies(Away):
    """The standbys see it: nobody is promoted, and writes must wait."""

    @classmethod
    def possible(cls, world):
        return world.network

    def strike(self, world):
        world.network.cut(self.victim.name, world.network.outside)

    def restore(self, world):
        world.network.heal(self.victim.name)


@fault(1)
class NameMoved(Away):
    """A node gets another address, and its name with it; packets to the old one are lost."""

    lasts = (1.0,)

    @classmethod
    def possible(cls, world):
        return world.network

    def draw(self):
        super().draw()
        self.primary = self.random.random() < 0.5

    def strike(self, world):
        node = self.victim if self.primary else world.cluster.standbys[0]
        world.network.move(node.name)

    def restore(self, world):
        pass


@fault(1)
class Terminated(Away):
    """pg_terminate_backend of everything that clients run on the primary."""

    lasts = (0.2,)

    def strike(self, world):
        self.victim.tell("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'")

    def restore(self, world):
        pass


class OfDisk(Away):
    """Flushes are real meanwhile."""

    @classmethod
    def possible(cls, world):
        return world.cluster.primary.disk

    def begin(self, world):
        world.cluster.primary.tell("alter system set fsync = 'on'")
        world.cluster.primary.tell("select pg_reload_conf()")
        super().begin(world)

    def end(self, world):
        super().end(world)
        self.victim.tell("alter system reset fsync")
        self.victim.tell("select pg_reload_conf()")


@fault(2)
class SlowDisk(OfDisk):
    """What the primary writes reaches its disk at a walking pace, so every commit waits for its flush."""

    lasts = (2.0, 5.0)

    def draw(self):
        super().draw()
        self.writes_per_s = self.random.choice((5, 20))

    def strike(self, world):
        pid = self.victim.process.pid
        self.victim.disk.slow([pid, *processes.children(pid)], self.writes_per_s)

    def restore(self, world):
        began = time.monotonic()
        with self.victim.connect(dbname="postgres") as connection:
            connection.execute("set synchronous_commit = local")
            connection.execute("select pg_logical_emit_message(true, 'slow', '')")
        self.flushed_after = round(time.monotonic() - began, 2)
        self.victim.disk.fast()
        assert self.flushed_after > 0.5 / self.writes_per_s, f"the disk was not slow: a commit took {self.flushed_after} s"


@fault(2)
class DiskHangs(OfDisk):
    """Whoever writes or flushes hangs in the kernel; reads go on, and so do the probes: it stays primary."""

    lasts = (0.5, 2.0, 4.0)

    def strike(self, world):
        self.victim.disk.hang()

    def restore(self, world):
        self.victim.disk.go_on()


@fault(1)
class WrongProbePassword(Away):
    """And the probes' connections are closed: nobody can say any more who is primary."""

    lasts = (1.0, 5.0)

    def strike(self, world):
        self.victim.tell(f"alter role {PROBE_USER} password 'another'")
        for node in world.cluster.nodes:
            node.tell(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{PROBE_USER}'")

    def restore(self, world):
        self.victim.tell(f"alter role {PROBE_USER} password '{PROBE_PASSWORD}'")


@fault(1)
class TooManyConnections(Away):
    """Others take every connection of the primary that clients may have, rolecall's own too."""

    lasts = (1.0, 3.0)

    def strike(self, world):
        self.taken = []
        self.victim.tell("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'")
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                self.taken.append(psycopg.connect(self.victim.dsn(user="app", password="app-secret", connect_timeout=5)))

    def restore(self, world):
        for connection in self.taken:
            connection.close()


@fault(3)
class Ordered(Fault):
    """An operator's word at a time when nothing is wrong."""

    orders = (
        ("drain {primary}", "enable {primary}"), ("drain {standby}", "enable {standby}"), ("disable {standby}", "enable {standby}"),
        ("set weight {standby} 0", "set weight {standby} 100"), ("reconnect", "reconnect app"),
        ("forget {primary}", "probe"), ("forget {standby}", "probe"), ("accept {primary}", "accept {standby}"),
    )

    repeats = (1, 5)
    apart_s = 0.2

    def draw(self):
        self.say = self.random.choice(self.orders)
        self.times = self.random.choice(self.repeats)
        self.which = self.random.randrange(2)

    def begin(self, world):
        names = {"primary": world.cluster.primary.name, "standby": standby(world, self.which).name}
        for _ in range(self.times):
            for order in self.say:
                for rolecall in world.rolecalls:
                    answer = rolecall.admin_table(order.format(**names))
                    assert "error" not in answer, f"{order}: {answer}"
                pause(self.apart_s)

    def end(self, world):
        pass


@fault(2)
class Disabled(Ordered):
    """It is cut off, time and again, though it serves: what had been sent by then it runs, and nobody else."""

    orders = (("disable {primary}", "enable {primary}"),)
    repeats = (1, 10)
    apart_s = 0.1


@fault(2)
class Unlisted(Fault):
    """A reload takes a node out of the configuration, and another one brings it back. Its address alone says what it is."""

    def draw(self):
        self.primary = self.random.random() < 0.5
        self.which = self.random.randrange(2)
        self.seconds = self.random.choice((0.2, 1.0))

    def begin(self, world):
        node = world.cluster.primary if self.primary else standby(world, self.which)
        for rolecall in world.rolecalls:
            section = rolecall.sections.pop(f"node {node.name}")
            rolecall.reload()
            pause(self.seconds)
            rolecall.sections[f"node {node.name}"] = section
            rolecall.reload()

    def end(self, world):
        pass


# A standby.


class OfStandby(Fault):
    lasts = (0.5, 2.0)

    def draw(self):
        self.which = self.random.randrange(2)
        self.seconds = self.random.choice(self.lasts)

    def begin(self, world):
        self.victim = standby(world, self.which)
        self.strike(world)
        pause(self.seconds)

    def end(self, world):
        self.restore(world)


@fault(2)
class StandbyCrash(OfStandby):
    """It goes back to its last restart point, and serves reads from there."""

    def strike(self, world):
        self.victim.kill()

    def restore(self, world):
        self.victim.start()


@fault(1)
class StandbyStop(OfStandby):
    def draw(self):
        super().draw()
        self.mode = self.random.choice(("fast", "immediate"))

    def strike(self, world):
        self.victim.stop(self.mode)

    def restore(self, world):
        self.victim.start()


@fault(1)
class StandbyFrozen(OfStandby):
    lasts = (0.5, 2.0, 5.0)

    def strike(self, world):
        self.victim.freeze()

    def restore(self, world):
        self.victim.thaw()


@fault(1)
class StandbyCut(OfStandby):
    lasts = (0.5, 2.0, 5.0)

    @classmethod
    def possible(cls, world):
        return world.network

    def strike(self, world):
        world.network.cut(self.victim.name)

    def restore(self, world):
        world.network.heal(self.victim.name)


@fault(2)
class ReplayPaused(OfStandby):
    lasts = (1.0, 4.0)

    def strike(self, world):
        self.victim.tell("select pg_wal_replay_pause()")

    def restore(self, world):
        self.victim.tell("select pg_wal_replay_resume()")


@fault(2)
class StandbysLost(Fault):
    """Both at once: with synchronous replication every commit hangs until one is back."""

    def draw(self):
        self.seconds = self.random.choice((1.0, 3.0))
        self.how = self.random.choice(("frozen", "stopped"))

    def begin(self, world):
        for node in world.cluster.standbys:
            node.freeze() if self.how == "frozen" else node.stop("fast")
        pause(self.seconds)

    def end(self, world):
        for node in world.cluster.standbys:
            node.thaw() if self.how == "frozen" else node.start()


@fault(2)
class TailLost(Lost):
    """The standbys hear nothing of the primary's last second: what it acknowledged goes with it."""

    @classmethod
    def possible(cls, world):
        return not world.cluster.synchronous

    def strike(self, world):
        world.cluster.best()
        pause(0.7)
        world.struck()
        self.victim.kill()


@fault(1)
class CrashWhileCommitsHang(Lost):
    """The standbys are frozen, commits hang, the primary dies; then the standbys are back."""

    def strike(self, world):
        for node in world.cluster.standbys:
            node.freeze()
        pause(1.0)
        world.struck()
        self.victim.kill()
        for node in world.cluster.standbys:
            node.thaw()


# rolecall itself.


@fault(2)
class ProxyRestart(Fault):
    """In order, which lets transactions end, or with kill -9. The other one goes on."""

    def draw(self):
        self.which = self.random.randrange(2)
        self.how = self.random.choice((signal.SIGTERM, signal.SIGKILL)).name
        self.seconds = self.random.choice((0.0, 1.0))

    def begin(self, world):
        index = self.which % len(world.rolecalls)
        with world.proxy_away(index):
            world.rolecalls[index].end(getattr(signal, self.how))
            pause(self.seconds)
            world.rolecalls[index].start()

    def end(self, world):
        pass


def draw(random, world, kinds):
    possible = [(kind, weight) for kind, weight in kinds if kind.possible(world)]
    return random.choices([kind for kind, _ in possible], [weight for _, weight in possible])[0](random)
