"""
A pair: one direct connection and one through rolecall, the same statements on both, and what differed.

A pair's work comes in rounds. Each begins with new schemas, new connections and a stream of its own, which (seed, pair,
round) alone decide: so a difference is found again without what came before, and ends its round only.
"""

import re
import signal
import time
import traceback

import exchange
import mix
import model
import normal
import world
from ops import Step

SIDES = ("direct", "pooled")


EXECUTES = re.compile("execute", re.IGNORECASE)
BY_SQL = re.compile(r"execute|\b(?:B\('[^']*'|D\('S'), '(s1|q1|q2|Q 3|fold|inside)'", re.IGNORECASE)


class Difference:
    """Steps of the round up to and with the one that was answered differently, and both answers."""

    def __init__(self, seed, pair, round_, steps, answers, ended, labels=SIDES):
        self.seed, self.pair, self.round = seed, pair, round_
        self.steps = steps
        self.answers, self.ended, self.labels = answers, ended, labels
        self.asked = []
        self.signature = self._signature()

    def _signature(self):
        if self.steps[-1].ops[0][0] == "login":
            return "login"
        if any(self.ended):
            return "ended: " + " / ".join((why or "answered").split(" within")[0] for why in self.ended)
        return normal.signature(*self.answers)

    def report(self, last=30):
        lines = [f"--- difference: seed {self.seed} pair {self.pair} round {self.round} step {len(self.steps)} [{self.signature}] at \"{self.steps[-1].label}\""]
        lines += [f"    {step!r}" for step in (self.steps[-last:] if last else self.steps[-1:])]
        if all(isinstance(answer, bytes) and len(normal.messages(answer)) > 30 for answer in self.answers):
            return "\n".join(lines + [f"    {line}" for line in normal.readable_difference(*self.answers)])
        for label, answer, why in zip(self.labels, self.answers, self.ended):
            lines.append(f"  {label} answered:" + (f" ({why})" if why else ""))
            lines += [f"    {line}" for line in (normal.readable(answer) if isinstance(answer, bytes) else [answer])]
        lines += [f"  afterwards {line}" for line in self.asked]
        return "\n".join(lines)


# What the pooled side tells of itself behind a difference: where that was, and what may have been wrong there.
ASKED = ("show rolecall.node", "select string_agg(name || '=' || setting, ' ' order by name) as settings from pg_settings where source = 'session'")


def ask(side):
    if side.socket is None:
        return []
    told = []
    for sql in ASKED:
        answers, ended = exchange.run([side], Step("asked", ("query", sql)))
        told += [f"{sql.split(' from')[0][:30]}: {line}" for line in normal.readable(answers[0]) if line[0] in "DE"]
        if ended[0]:
            break
    return told


def make_sides(endpoints, profile, timeout):
    """The two sides of a pair; `endpoints` are (host, port) of both."""
    made = []
    for label, (host, port), database in zip(SIDES, endpoints, profile.databases):
        made.append(exchange.Side(label, (host, port, database), profile.user, world.PASSWORDS[profile.user], timeout))
    return made


class Unnamed:
    """Keeps in mind whether the unnamed statement is an EXECUTE, which later steps may run or describe."""

    def __init__(self):
        self.executes = False

    def is_used_by(self, step):
        """Of steps in their order: whether this one uses it as an EXECUTE."""
        uses = False
        for op in step.ops:
            if op[:2] == ("parse", ""):
                self.executes = bool(EXECUTES.search(op[2]))
            uses |= self.executes and (op[:3:2] == ("bind", "") or op[:3] == ("describe", "S", ""))
        return uses


def play(sides, step, unnamed):
    """One step on both: (answers, why each ended or None, whether they are the same)."""
    by_sql = unnamed.is_used_by(step) or bool(BY_SQL.search(repr(step)))
    if step.ops[0][0] == "login":
        told = exchange.login(sides, step.ops[0][1])
        return told, [None, None], told[0] == told[1]
    answers, ended = exchange.run(sides, step)
    alike = normal.same(*answers, by_sql=by_sql)
    return answers, ended, ended[0] == ended[1] and not (ended[0] or "").startswith("no answer") and alike


class Round:
    """One round of a pair: a stream of steps, played until they are done or the answers differ."""

    def __init__(self, options, pair, number, endpoints):
        self.options, self.pair, self.number = options, pair, number
        self.model = model.Model(f"{options.seed}/{number}", pair, options.plain_logins, options.without)
        self.statements = mix.Statements(self.model, options.without)
        self.sides = make_sides(endpoints, self.model.profile, options.timeout)
        self.unnamed = Unnamed()
        self.steps = []
        self.errors = 0

    def step(self):
        """None, or the Difference."""
        m = self.model
        step = self.statements.next()
        self.steps.append(step)
        answers, ended, alike = play(self.sides, step, self.unnamed)
        if not alike:
            found = Difference(self.options.seed, self.pair, self.number, self.steps, answers, ended, self.options.labels)
            found.asked = ask(self.sides[1])
            return found
        if any(ended):
            self.close()
        m.connected = self.sides[0].socket is not None
        if step.ops[0][0] == "login" or any(ended):
            m.saw(step, "I", False)
            return None
        failed = exchange.has_error(answers[0])
        self.errors += failed
        m.saw(step, exchange.status_of(answers[0]), failed)
        return None

    def close(self):
        for side in self.sides:
            side.leave()


def work(options, pair, rounds, endpoints, cluster, shared, results):
    """A pair's process: rounds until everybody's work is done; differences and counts go into the queue."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    profile = model.Profile(pair)
    labels, errors = {}, 0
    try:
        for at, number in enumerate(rounds):
            if shared.finished():
                break
            if at > 0:  # the first was made before anybody began
                world.make_pair(cluster, pair, profile.databases, profile.user)
                world.catch_up(cluster)  # nobody's session has written this
            current = Round(options, pair, number, endpoints)
            found = None
            for _ in range(options.round_steps):
                if shared.finished():
                    break
                found = current.step()
                shared.steps[pair] += 1
                step = current.steps[-1]
                labels[step.label] = labels.get(step.label, 0) + 1
                if step.ops[0][0] == "login":
                    shared.ports[pair] = current.sides[1].local_port or 0
                if found:
                    break
            current.close()
            errors += current.errors
            if found:
                results.put(("difference", pair, found))
                if shared.found():
                    break
        results.put(("done", pair, (labels, errors)))
    except BaseException:
        results.put(("broken", pair, traceback.format_exc()))


class Shared:
    """What all processes see: how many steps each pair has done, and when to end."""

    def __init__(self, context, options, n):
        self.steps = context.Array("l", n, lock=False)
        self.ports = context.Array("l", n, lock=False)
        self.differences = context.Value("l", 0)
        self.stop = context.Event()
        self.limit, self.max_differences = options.statements, options.keep_going
        self.deadline = time.monotonic() + options.duration if options.duration else None

    def finished(self):
        if self.deadline:
            return time.monotonic() > self.deadline or self.stop.is_set()
        return sum(self.steps) >= self.limit or self.stop.is_set()

    def found(self):
        """Counts a difference; True when that were enough."""
        with self.differences.get_lock():
            self.differences.value += 1
            if self.differences.value >= self.max_differences:
                self.stop.set()
        return self.stop.is_set()


# Again, from steps that were kept: for --replay and the minimiser.


def replay(options, steps, pair, endpoints, cluster):
    """Plays the steps in a new world; the Difference, or None."""
    profile = model.Profile(pair)
    world.make_pair(cluster, pair, profile.databases, profile.user)
    world.catch_up(cluster)
    sides = make_sides(endpoints, profile, options.timeout)
    unnamed = Unnamed()
    try:
        for at, step in enumerate(steps):
            if step.ops[0][0] != "login" and sides[0].socket is None:
                continue
            answers, ended, alike = play(sides, step, unnamed)
            if not alike:
                return Difference(options.seed, pair, "replayed", steps[: at + 1], answers, ended, options.labels)
        return None
    finally:
        for side in sides:
            side.leave()

