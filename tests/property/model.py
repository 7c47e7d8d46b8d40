"""
What a pair's statements are drawn from: random numbers that (seed, pair) decide alone, and a rough idea of the session.

The idea (names that may exist, what is still to be given back) only makes likely that statements hit something. It may
be wrong: a statement that fails is a statement too. It learns from the direct side's answers alone, which (seed, pair)
decide as well.
"""

import random
import re

import world
from lib.cluster import USER
from ops import Step

PREPARED = ["s1", "s2", "s3", "s4", ""]
SQL_PREPARED = ["q1", "q2", "s1", '"Q 3"']
TEMPORARY = ["tt1", "tt2", "u"]  # the last one hides a table of the pair
CURSORS = ["c1", "c2", '"C 3"']
PORTALS = ["o1", "o2"]
SAVEPOINTS = ["x", "y", "x2"]


class Profile:
    """Who a pair is. Ordinary pairs make the share of unpinned statements; the two others say more of what pins."""

    def __init__(self, pair):
        kind = {5: "boss", 6: "clerk", 7: "special", 8: "sequences"}.get(pair % 10, "ordinary")
        self.kind = kind
        self.user = {"boss": world.BOSS, "clerk": world.CLERK}.get(kind, USER)
        self.databases = world.DATABASES["seq" if kind == "sequences" else "main"]
        self.counts = kind not in ("special", "sequences")


class Model:
    def __init__(self, seed, pair, plain_logins=False, without=()):
        self.rng = random.Random(f"{seed}/{pair}")
        self.pair = pair
        self.profile = Profile(pair)
        self.a, self.b = world.schemas(pair)
        self.plain_logins = plain_logins  # without startup parameters
        self.crossing = "crossed" not in without  # statements of one kind are used as the other kind
        self.duplicates = "duplicates" not in without  # a name is given to a second statement
        self.sql_names = SQL_PREPARED if self.crossing else [name for name in SQL_PREPARED if name not in PREPARED]
        self.logins = 0
        self.startup = {}
        self.read_only = self.default_read_only = False  # the open transaction, the next one: perhaps
        self.connected = False
        self.keys = 0
        self.status = "I"
        self.steps_in_transaction = 0
        self.described = False  # an older statement was, or was run, or something was reset, in this transaction
        self.planned = []  # steps that come next, perhaps after others
        self.quiet = 0  # so many steps of the plan follow with nothing between that would disturb them
        self.forget()

    def forget(self):
        """As after login."""
        self.owed = []  # SQL that gives something back
        self.opaque = False  # only DISCARD ALL gives it back
        self.protocol, self.sql_prepared = {}, {}
        self.temporary, self.holding, self.listening, self.locks = set(), set(), set(), []
        self.cursors, self.portals, self.savepoints = set(), set(), []
        self.remember()

    def remember(self):
        self.remembered = set(self.temporary), set(self.holding), set(self.listening)

    # Drawing.

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, values):
        return values[int(self.rng.random() * len(values))]

    def some(self, known, all_names, p=0.85):
        """A name that is thought to exist, most of the time."""
        return self.pick(sorted(known)) if known and self.chance(p) else self.pick(all_names)

    def number(self, low, high):
        return low + int(self.rng.random() * (high - low + 1))

    def schema(self):
        return self.a if self.chance(0.7) else self.b

    def key(self):
        """An advisory lock's key: the pair's own, and never again after a reconnect."""
        return self.pair * 1000000 + self.logins * 10 + self.number(0, 4)

    @property
    def pinned(self):
        return bool(self.opaque or self.temporary or self.holding or self.listening or self.locks)

    # One text, sent in any of the ways in which clients do.

    def say(self, label, sql):
        way = self.rng.random()
        if self.startup and RESETS.search(sql):
            way *= 0.9
        if way < 0.64:
            return Step(label, ("query", sql))
        if way < 0.90:
            return Step(label, *self.extended(sql), ("sync",))
        if way < 0.95:
            return Step(label + " in a string", ("query", f"{sql}; {self.filler()}" if self.chance(0.5) else f"{self.filler()};{sql}"))
        return Step(label + " in a pipeline", *self.extended(self.filler()), *self.extended(sql), *self.extended(self.filler()), ("sync",))

    def extended(self, sql):
        messages = [("parse", "", sql), ("bind", "", "", (), (), (1,) if self.chance(0.2) else ())]
        if self.chance(0.7):
            messages.append(("describe", "P", ""))
        return messages + [("execute", "", 0)]

    def filler(self):
        return self.pick(FILLERS).format(a=self.a, b=self.b, n=self.number(1, 12))

    # What the direct side answered.

    def saw(self, step, status, failed):
        before, self.status = self.status, status
        text = repr(step)
        if re.search("default_transaction_read_only|transaction read only", text):
            self.default_read_only = True
        elif re.search("discard all|reset all|login|read_only to off", text, re.IGNORECASE):
            self.default_read_only = False
        self.read_only = status != "I" and (self.read_only or self.default_read_only or bool(re.search("read only|read_only", text)))
        if status == "I":
            if before == "E" or failed or step.label.startswith("rollback"):
                self.temporary, self.holding, self.listening = self.remembered
            self.cursors.clear()
            self.portals.clear()
            self.savepoints.clear()
            self.steps_in_transaction = 0
            self.described = False
            self.remember()
        else:
            self.steps_in_transaction += 1
            self.described |= step.label in ("describe", "bind", "bind often") or bool(self.startup and RESETS.search(text))


RESETS = re.compile("reset|default|discard|null|time zone local", re.IGNORECASE)  # gives back what was asked for at startup
FILLERS = [
    "select 1", "select 1", "show timezone", "show search_path", "select nullif(current_setting('app.tenant', true), '')", "select current_user",
    "select v from {a}.t where id = {n}", "select 1 as one, 'two' as two", "select count(*) from {b}.u", "select lib.tell()", "values (1), (2)",
    "set app.last = 'filler {n}'", "set local app.last = 'local filler {n}'", "select {n} / ({n} % 4)", "select date '2020-03-04'", "",
]  # fmt: skip
