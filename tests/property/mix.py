"""The next step of a pair: from what is planned, owed, or drawn by weight from all kinds that fit the transaction's status."""

import itertools
import re

import prepared
import sessions
import settings
import statements
import transactions

# Not in a READ ONLY transaction in which a portal may be open: it may have begun on a replica and has to stay there then, where
# what belongs to the primary is refused, or told otherwise.
NOT_ON_A_REPLICA = {"notify", "listen", "lock", "prepare_transaction", "holding", "untold", "opaque", "function_that_prepares", "everything", "nextval", "temporary", "temporary_passing"}
NOR_WORDS = re.compile(r"pg_is_in_recovery|\block (table )?p\d|\btemp\b|\b(reindex|vacuum|cluster)\b|copy .*from stdin|set transaction.*(?:read write|serializable)|transaction_read_only = off|make_temp|\bprepare\b")
SPECIAL = 6  # how much more of what pins a "special" pair has


def _mix(profile):
    mix = settings.MIX + statements.MIX + transactions.MIX + prepared.MIX + sessions.MIX
    mix += [(weight * (SPECIAL if profile.kind == "special" else 1), where, make) for weight, where, make in sessions.PINNING]
    if profile.kind == "sequences":
        mix += sessions.SEQUENCES
    return mix


class Statements:
    """Endless; next() must be followed by model.saw() before it is called again."""

    def __init__(self, model, without=()):
        self.model = model
        self.by_status = {}
        mix = [row for row in _mix(model.profile) if row[2].__name__ not in without]
        for status in "ITE":
            fitting = [(weight, make) for weight, where, make in mix if status in where]
            self.by_status[status] = [make for _, make in fitting], list(itertools.accumulate(weight for weight, _ in fitting))

    def next(self):
        m = self.model
        if not m.connected:
            return sessions.login(m)
        if m.quiet and m.planned:
            m.quiet -= 1
            return m.planned.pop(0)
        m.quiet = 0
        if m.planned and m.chance(0.75):
            return m.planned.pop(0)
        if (m.owed and m.chance(0.15)) or (m.status == "I" and m.pinned and m.chance(0.3)):
            step = sessions.give_back(m)
            if step:
                return step
        if m.status == "T" and m.steps_in_transaction > 40:
            return transactions.commit(m)
        while True:
            makes, weights = self.by_status[m.status]
            make = m.rng.choices(makes, cum_weights=weights)[0]
            stays = m.read_only and m.portals
            step = make(m) if not (stays and make.__name__ in NOT_ON_A_REPLICA) else None
            if step and not (stays and (NOR_WORDS.search(repr(step)) or _may_be_untold(m, step))) and not _is_too_late(m, step):
                return step


def _is_too_late(m, step):
    """SET TRANSACTION behind what may have taken a snapshot where it runs: see normal.py."""
    return m.status == "T" and m.described and "set transaction" in repr(step)


def _may_be_untold(m, step):
    """What it parses or binds may be what prepared.UNTOLD has."""
    return m.opaque and step.ops[0][0] != "query"
