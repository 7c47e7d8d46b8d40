"""
The ledger checker: from what sessions saw and what is in the database at the end to what must not be. Pure.

    report = check(sessions, final, events, synchronous)
    report.violations        [(rule, text), ...]; empty when all is well
    report.lost              acknowledged commits that an asynchronous promotion may lose, and lost

The rules: every acknowledged commit is there, whole and once; what was refused (40001 and every other error but 08007) is
not; 08007 is either. What a session reads never goes back in time, has what it wrote and not what was refused. Every total is
the same. Every SQLSTATE is one of ALLOWED; no session was closed, but for pinned ones and by a proxy that ended. No proxy
writes to the old primary once it has written to the new one. With asynchronous replication what is lost at a promotion must be the tail:
nothing that the old primary acknowledged later is there.
"""

import bisect
import collections

from . import history
from .history import COMMITTED, REFUSED

# By stage: DESIGN.md section 7. 57P03 is for who has waited hold_timeout.
ALLOWED = {
    "login": {"57P03"},
    "auto_read": {"57P03"},
    "auto_write": {"08007", "57P03"},
    "begin": {"57P03"},
    "read": {"40001", "57P03"},
    "write": {"40001", "57P03"},
    "commit": {"40001", "08007"},
    "commit_read": {"40001"},
    "rollback": set(),
}
HELD = "57P03"
PINNED = "and with it this session's state"
LISTS = 64  # that a session is known to have read
WAITED_S = 0.5  # an answer that took longer was held up
AT_ONCE_S = 5  # what needs no node takes no longer
SLACK_S = 0.25  # between two workers of a proxy that learn of the same promotion

Promotion = collections.namedtuple("Promotion", "old new began at until")
"""The node `old` was replaced by `new` (ports): the fault began, `new` took writes, and both proxies wrote there. An old primary may
have acknowledged commits up to `until`."""

Outage = collections.namedtuple("Outage", "proxy began until")
"""A proxy was ended and started again, on purpose."""

Trouble = collections.namedtuple("Trouble", "began until")
"""A fault, of whatever kind, from its begin until all was well again."""

Quiet = collections.namedtuple("Quiet", "began until proxy", defaults=[None])
"""Something planned went on of which no client, of this proxy or of any, may notice more than that it waited."""


class Final:
    """The database at the end: (session, n) of every row of both kinds, and balances."""

    def __init__(self, entries, transfers, balances, opening):
        self.entries = collections.Counter((session, n) for _, session, n in entries)
        self.transfers = collections.Counter((session, n) for session, n, *_ in transfers)
        self.moved = collections.Counter()
        for _, _, source, target, amount in transfers:
            self.moved[source] -= amount
            self.moved[target] += amount
        self.balances = dict(balances)
        self.opening = opening

    def count(self, op):
        return self.entries[op.id] + self.transfers[op.id]


class Report:
    def __init__(self):
        self.violations = []
        self.lost = []
        self.counts = collections.Counter()
        self.sqlstates = collections.Counter()

    def must(self, true, rule, text):
        if not true:
            self.violations.append((rule, text))


def tell(op):
    step = op.steps[-1] if op.steps else None
    end = "not asked" if step is None else f"{step.stage} -> {step.outcome} {step.sqlstate or ''}, asked {step.asked:.3f}"
    return f"session {op.session.number} op {op.n} ({op.kind}, node {op.node}; {end})"


def writes_of(sessions):
    return [op for session in sessions for op in session.ops if op.effects]


# What is there.

def check_effects(report, writes, final, promotions, synchronous):
    known = set()
    lost = []
    for op in writes:
        known.add(op.id)
        there, outcome = final.count(op), op.outcome
        report.counts[outcome] += 1
        report.must(there in (0, len(op.effects)), "atomic", f"{there} of {len(op.effects)} rows: {tell(op)}")
        if outcome == COMMITTED and there == 0:
            lost.append(op)
        if outcome == REFUSED:
            report.must(there == 0, "refused", f"it was refused and is there: {tell(op)}")
        report.counts["unknown, and there"] += outcome == history.UNKNOWN and there > 0
    for id in list(final.entries) + list(final.transfers):
        report.must(id in known, "foreign", f"nobody wrote {id}")
    if synchronous:
        for op in lost:
            report.must(False, "lost", f"acknowledged and not there: {tell(op)}")
        return set()
    return {op.id for op in check_tail(report, writes, lost, final, promotions)}


def check_tail(report, writes, lost, final, promotions):
    """Which losses a promotion explains: they are the last that the old primary acknowledged."""
    by_promotion = collections.defaultdict(list)
    for op in lost:
        cause = next((p for p in promotions if p.old == op.node and p.until > op.deciding.asked), None)
        report.must(cause, "lost", f"acknowledged, not there, and no promotion explains it: {tell(op)}")
        if cause:
            by_promotion[cause].append(op)
            report.lost.append(op)
    for cause, ops in by_promotion.items():
        first = min(ops, key=lambda op: op.deciding.ended)
        for op in writes:
            later = (op.outcome == COMMITTED and op.node == cause.old and op.deciding.asked > first.deciding.ended
                     and op.deciding.asked < cause.until)
            if later:
                report.must(final.count(op) == 0, "tail", f"{tell(first)} is lost, but {tell(op)}, written later, is there")
    return report.lost


def check_balances(report, final, accounts):
    report.must(len(final.balances) == accounts, "balances", f"{len(final.balances)} accounts instead of {accounts}")
    for account, balance in final.balances.items():
        expected = final.opening + final.moved[account]
        report.must(balance == expected, "balances", f"account {account} has {balance} instead of {expected}")


# What was read.

class Reader:
    """One session's view of the past: what it has seen must stay."""

    def __init__(self, report, session, losses, lost, opening, accounts):
        self.report, self.session, self.lost = report, session, lost
        self.losses = losses  # [(began, until)] in which time may have gone back, in order
        self.total = opening * accounts
        self.accounts = accounts
        self.outcomes = {}  # n: (outcome, when, kind), of writes whose fate the session knows
        self.present = {}  # n: when it was seen to be there
        self.lists = {}  # list: {session: (count, highest, when)}; the one that was read last comes last

    def excused(self, since, until):
        return any(began < until and since < end for began, end in self.losses)

    def forget(self):
        """What holds, holds within one connection to rolecall."""
        self.outcomes, self.present, self.lists = {}, {}, {}

    def take(self, op):
        if op.kind == "login":
            self.forget()
        for step in op.steps:
            if step.outcome == "got" and step.stage in ("auto_read", "read") and isinstance(step.answer, dict):
                self.read(op, step, **step.answer)
        if op.effects:
            self.outcomes[op.n] = op.outcome, op.deciding.ended if op.deciding else None, op.kind

    def read(self, op, step, node, own=None, list=None, total=None):
        if own is not None:
            self.read_own(op, step, node, *own)
        if list is not None:
            self.read_list(op, step, node, *list)
        if total is not None:
            self.report.must(total == [self.total, self.accounts], "total", f"{total} at {node}: {tell(op)}")

    def read_own(self, op, step, node, since, kind, seen):
        seen = set(seen)
        for n, (outcome, at, what) in self.outcomes.items():
            if n <= since or not what.startswith(kind):
                continue
            if n in seen:
                self.report.must(outcome != REFUSED, "read", f"op {n} was refused and is read at {node}: {tell(op)}")
                self.present[n] = step.ended
            elif outcome == COMMITTED:
                excused = (self.session.number, n) in self.lost and self.excused(at, step.ended)
                self.report.must(excused, "own write", f"op {n} is not read at {node}: {tell(op)}")
            elif n in self.present:
                self.report.must(self.excused(self.present[n], step.ended), "backward",
                                 f"op {n} was seen and is not there at {node}: {tell(op)}")
        if len(self.outcomes) > 400:  # older ones are out of every window
            self.outcomes = {n: known for n, known in self.outcomes.items() if n > since}

    def read_list(self, op, step, node, which, rows):
        """Of each session as many entries as before, or more, up to the same one, or a later one."""
        got = {session: (count, highest) for session, count, highest in rows}
        for session, (count, highest, at) in self.lists.pop(which, {}).items():
            now = got.get(session, (0, 0))
            if now[0] < count or now[1] < highest:
                self.report.must(self.excused(at, step.ended), "backward",
                                 f"list {which} had {count} of session {session} up to {highest}, "
                                 f"now {now[0]} up to {now[1]} at {node}: {tell(op)}")
        self.lists[which] = {session: (count, highest, step.ended) for session, (count, highest) in got.items()}
        if len(self.lists) > LISTS:
            del self.lists[next(iter(self.lists))]


# How the sessions fared.

def check_errors(report, session, hold_timeout_s):
    report.counts["sessions", session.kind] += 1
    for op in session.ops:
        lost = False
        for step in op.steps:
            slow = step.outcome and step.ended - step.asked > AT_ONCE_S
            report.must(not (lost and slow), "late", f"nothing was to wait for in a transaction that was lost: {tell(op)}")
            lost |= step.outcome == "error"
            report.counts["waited"] += step.outcome == "got" and step.ended - step.asked > WAITED_S
            if step.outcome == "error":
                check_error(report, session, op, step, hold_timeout_s)
            elif step.outcome is None:
                report.must(False, "hung", f"never answered: {tell(op)}")


def check_error(report, session, op, step, hold_timeout_s):
    report.sqlstates[step.stage, step.sqlstate] += 1
    allowed = step.sqlstate in ALLOWED[step.stage]
    if step.sqlstate == HELD:
        allowed = allowed and step.ended - step.asked >= hold_timeout_s * 0.9
    report.must(allowed, "sqlstate", f"{step.sqlstate} {step.text} after {step.ended - step.asked:.3f} s: {tell(op)}")


def is_unpinned(at, text, troubles):
    """It was told why; or the driver met the closed connection while it sent, and gave up before it read what it had been told."""
    return PINNED in text or any(trouble.began < at < trouble.until + WAITED_S for trouble in troubles)


def check_closings(report, session, outages, troubles):
    for at, stage, text, op in session.closings:
        report.counts["closed"] += 1
        if session.kind == "pinned" and is_unpinned(at, text, troubles):
            report.counts["pinned sessions closed"] += 1
            continue
        # The session may find out only when it asks next: since its last opening something must have ended the proxy.
        opened = session.openings[bisect.bisect_right(session.openings, at) - 1] if session.openings else 0
        meant = any(o.proxy == session.proxy and o.began < at and o.until > opened for o in outages)
        report.must(meant, "closed", f"session {session.number} ({session.kind}, {stage or 'idle'}) was closed at {at:.3f}: {text}")


def check_quiet(report, session, quiet):
    """But for pinned sessions, which such an occasion may close."""
    for op in session.ops if session.kind != "pinned" else []:
        for step in op.steps:
            if step.outcome in ("error", "closed") and any(
                    q.began < step.ended < q.until and q.proxy in (None, session.proxy) for q in quiet):
                report.must(False, "quiet", f"{step.outcome} {step.sqlstate or ''} {step.text}: {tell(op)}")


def check_nodes(report, writes, promotions):
    """Once a proxy has written to the new primary, it does not write to the old one."""
    acknowledged = collections.defaultdict(list)
    for op in writes:
        if op.outcome == COMMITTED and op.node is not None:
            acknowledged[op.session.proxy].append(op)
    for i, promotion in enumerate(promotions):
        following = promotions[i + 1] if i + 1 < len(promotions) else None
        until = following.at if following else float("inf")
        for proxy, ops in acknowledged.items():
            on_new = [op.deciding.ended for op in ops if op.node == promotion.new and promotion.at <= op.deciding.ended < until]
            if not on_new:
                continue
            proved = min(on_new) + SLACK_S
            for op in ops:
                # The operator notes a promotion when he sees it, which is after the first writes there.
                early = following and op.node == following.new and op.deciding.ended > following.began
                if op.node != promotion.new and not early and proved < op.deciding.asked and op.deciding.ended < until:
                    report.must(False, "node", f"proxy {proxy} wrote to {op.node}, {promotion.new} is primary: {tell(op)}")


def check(sessions, final, events, synchronous, hold_timeout_s=30.0, accounts=None):
    """`accounts` is how many there must be; `events` are Promotions, Outages, Troubles and Quiets."""
    report = Report()
    accounts = len(final.balances) if accounts is None else accounts
    promotions = sorted((e for e in events if isinstance(e, Promotion)), key=lambda p: p.at)
    outages = [e for e in events if isinstance(e, Outage)]
    clients = [session for session in sessions if session.kind == "client"]
    writes = writes_of(clients)
    lost = check_effects(report, writes, final, promotions, synchronous)
    losses = [] if synchronous else [(p.began, p.until) for p in promotions]
    check_balances(report, final, accounts)
    check_nodes(report, writes, promotions)
    for session in sessions:
        reader = Reader(report, session, losses, lost, final.opening, accounts)
        for op in session.ops:
            reader.take(op)
            report.counts[op.kind] += 1
        check_errors(report, session, hold_timeout_s)
        check_closings(report, session, outages, [e for e in events if isinstance(e, Trouble)])
        check_quiet(report, session, [e for e in events if isinstance(e, Quiet)])
        report.must(session.ended, "ended", f"session {session.number} ({session.kind}) did not end when it was told to")
    return report
