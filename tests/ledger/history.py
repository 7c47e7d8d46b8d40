"""
What a session did, as it did it: a file of JSON lines, each written before what it tells is sent or believed.

    ["session", number, proxy, kind]      kind is client, idle, pinned or meter
    ["opened", t]                         a login ended well; t is time.monotonic(), the same clock for every process
    ["op", n, t, kind, effects]           what is about to be done: effects are ["e", list] and ["t", from, to, amount]
    ["ask", n, t, stage]                  sent; stage is a name of check.ALLOWED
    ["got", n, t, stage, answer]          answered: rows, or the command's tag
    ["error", n, t, stage, sqlstate, text]
    ["closed", n, t, stage, text]         the connection ended; n and stage are null when nothing was under way
    ["bye", t]                            the session was told to end, and did

An op's identity in the database is (session, n). `Recorder` writes, `read` gives `Session`s with their `Op`s.
"""

import json
import os
import time

COMMITTED, REFUSED, UNKNOWN = "committed", "refused", "unknown"
OUTCOME_UNKNOWN = "08007"


class Recorder:
    """One session's file. Every line is one write to it: it survives whatever becomes of this process."""

    def __init__(self, directory, session, proxy, kind):
        self.file = os.open(os.path.join(directory, f"{session}.history"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.write("session", session, proxy, kind)

    def write(self, *line):
        os.write(self.file, json.dumps(line, separators=(",", ":"), default=str).encode() + b"\n")

    def opened(self):
        self.write("opened", time.monotonic())

    def op(self, n, kind, effects=()):
        self.write("op", n, time.monotonic(), kind, effects)

    def ask(self, n, stage):
        self.write("ask", n, time.monotonic(), stage)

    def got(self, n, stage, answer):
        self.write("got", n, time.monotonic(), stage, answer)

    def error(self, n, stage, sqlstate, text):
        self.write("error", n, time.monotonic(), stage, sqlstate, text)

    def closed(self, n, stage, text):
        self.write("closed", n, time.monotonic(), stage, text)

    def bye(self):
        self.write("bye", time.monotonic())


class Step:
    """One exchange: what was asked when, and what came of it. `outcome` is got, error, closed or None: never answered."""

    __slots__ = ("stage", "asked", "ended", "outcome", "answer", "sqlstate", "text")

    def __init__(self, stage, asked):
        self.stage, self.asked = stage, asked
        self.ended = self.outcome = self.answer = self.sqlstate = None
        self.text = ""


class Op:
    __slots__ = ("session", "n", "kind", "effects", "began", "steps")

    def __init__(self, session, n, began, kind, effects):
        self.session, self.n, self.began, self.kind, self.effects = session, n, began, kind, effects
        self.steps = []

    @property
    def id(self):
        return self.session.number, self.n

    @property
    def deciding(self):
        """The step whose answer is the commit's; None when it never came so far."""
        for step in self.steps:
            if step.stage in ("auto_write", "commit"):
                return step
        return None

    @property
    def outcome(self):
        """What the client may believe of the op's effects."""
        step = self.deciding
        if step is None:
            return REFUSED
        if step.outcome == "got":
            return REFUSED if step.answer == "ROLLBACK" else COMMITTED
        if step.outcome == "error":
            return UNKNOWN if step.sqlstate == OUTCOME_UNKNOWN else REFUSED
        return UNKNOWN

    @property
    def node(self):
        """The port of the server that said it wrote."""
        for step in self.steps:
            if step.stage in ("auto_write", "write") and step.outcome == "got":
                return step.answer
        return None


class Session:
    def __init__(self, number, proxy, kind):
        self.number, self.proxy, self.kind = number, proxy, kind
        self.ops = []
        self.openings = []
        self.closings = []  # (t, stage or None, text, of the Op or None)
        self.ended = None

    def take(self, line):
        what, *rest = line
        if what == "opened":
            self.openings.append(rest[0])
        elif what == "bye":
            self.ended = rest[0]
        elif what == "op":
            n, t, kind, effects = rest
            self.ops.append(Op(self, n, t, kind, effects))
        elif what == "ask":
            self.ops[-1].steps.append(Step(rest[2], rest[1]))
        else:
            self._end_step(what, *rest)

    def _end_step(self, what, n, t, stage, *rest):
        if what == "closed":
            self.closings.append((t, stage, rest[0], self.ops[-1] if n is not None else None))
            if n is None:
                return
        step = self.ops[-1].steps[-1]
        assert step.stage == stage and self.ops[-1].n == n, f"session {self.number}: {what} {n} {stage} out of turn"
        step.outcome, step.ended = what, t
        if what == "got":
            step.answer = rest[0]
        elif what == "error":
            step.sqlstate, step.text = rest
        else:
            step.text = rest[0]


def parse(lines):
    """A Session from its lines; a last line that was not written whole is left out."""
    session = None
    for text in lines:
        try:
            line = json.loads(text)
        except ValueError:
            break
        if line[0] == "session":
            session = Session(*line[1:])
        else:
            session.take(line)
    return session


def read(directory):
    sessions = []
    for name in sorted(os.listdir(directory)):
        if name.endswith(".history"):
            with open(os.path.join(directory, name)) as file:
                sessions.append(parse(file))
    return sessions
