"""Transactions: BEGIN in its forms, savepoints, ends of all kinds, and what fails inside."""

import model
from ops import Step

BEGINS = [
    "begin", "begin", "begin", "start transaction", "BEGIN WORK", "begin transaction isolation level repeatable read", "begin isolation level serializable",
    "begin read only", "start transaction read only", "begin read write", "begin isolation level repeatable read, read only",
    "begin isolation level serializable read only deferrable", "begin isolation level read committed read only", "/* hint */ begin",
]  # fmt: skip
SETTINGS = [
    "set transaction read only", "set transaction isolation level repeatable read", "set transaction isolation level serializable, read write",
    "set transaction not deferrable", "set local transaction_read_only = on", "set transaction read write", "set transaction snapshot '00000000-00000000-1'",
    "select length(pg_export_snapshot()) > 5 as exported", "set constraints all deferred", "lock table {a}.scratch in share mode", "lock {b}.t",
    "select id, v from {a}.t where id = 2 for update", "select id from {b}.u where id = 1 for share nowait", "show transaction_isolation",
    "select now() = transaction_timestamp()", "show transaction_read_only",
]  # fmt: skip


def begin(m):
    return m.say("begin", m.pick(BEGINS))


def begin_with_more(m):
    """BEGIN in the same string or pipeline as what follows."""
    what = m.filler()
    if m.chance(0.5):
        return Step("begin with more", ("query", f"{m.pick(BEGINS)}; {what}"))
    return Step("begin with more", *m.extended(m.pick(BEGINS)), *m.extended(what), ("sync",))


def whole_in_a_string(m):
    middle = "; ".join(m.filler() for _ in range(m.number(1, 3)))
    last = m.pick(["commit", "commit", "rollback", "commit and chain", "end"])
    return Step("transaction in a string", ("query", f"begin; {middle}; {last}" + m.pick(["", "; show search_path", "; select 1"])))


def whole_in_a_pipeline(m):
    middle = [message for _ in range(m.number(1, 3)) for message in m.extended(m.filler())]
    last = m.pick(["commit", "commit", "rollback"])
    return Step("transaction in a pipeline", *m.extended("begin"), *middle, *m.extended(last), ("sync",))


def setting(m):
    return m.say("in transaction", m.pick(SETTINGS).format(a=m.a, b=m.b))


def savepoint(m):
    name = m.pick(model.SAVEPOINTS)
    m.savepoints.append(name)
    return m.say("savepoint", f"savepoint {name}")


def back_to(m):
    name = m.some(m.savepoints, model.SAVEPOINTS)
    return m.say("savepoint back", m.pick(["rollback to {n}", "rollback to savepoint {n}", "ROLLBACK WORK TO SAVEPOINT {n}"]).format(n=name))


def release(m):
    return m.say("savepoint release", m.pick(["release {n}", "release savepoint {n}"]).format(n=m.some(m.savepoints, model.SAVEPOINTS)))


def commit(m):
    return m.say("commit", m.pick(["commit", "commit", "commit", "end", "COMMIT WORK", "commit and no chain", "end transaction"]))


def rollback(m):
    return m.say("rollback", m.pick(["rollback", "rollback", "abort", "rollback work", "rollback and no chain"]))


def chain(m):
    return m.say("chain", m.pick(["commit and chain", "rollback and chain", "commit work and chain"]))


def prepare_transaction(m):
    return m.say("two-phase", m.pick(["prepare transaction 'x'", "commit prepared 'x'", "rollback prepared 'x'"]))


def fill(m):
    """A setting, then the end of the transaction: kept or not."""
    setting_of = m.pick(["set app.tenant = 'kept?'", "set timezone = 'Asia/Tokyo'", "set search_path = {b}", "select set_config('app.last', 'kept?', false)"])
    end = m.pick(["commit", "rollback", "rollback", "select 1/0; commit"])
    m.planned[:0] = [m.say("in transaction", setting_of.format(b=m.b)), *[m.say(e.split()[0], e) for e in end.split("; ")]]
    return m.say("begin", "begin")


def failed(m):
    """A statement after an error."""
    return m.say("in failed", m.pick(["select 1", "set app.last = 'in failed'", "begin", "savepoint x", "show timezone", "release x", "fetch 1 from c1", "reset all", ""]))


# Outside of a transaction, statements that belong into one; inside, those that do not.
MISPLACED_OUTSIDE = ["commit", "rollback", "savepoint x", "release x", "rollback to x", "commit and chain", "set transaction read only", "lock table {a}.t",
                     "prepare transaction 'x'", "end", "abort"]  # fmt: skip
MISPLACED_INSIDE = ["begin", "vacuum {a}.scratch", "create database no", "start transaction read only", "discard all", "call lib.proc_commit('in block', false)"]


def misplaced(m):
    return m.say("misplaced", m.pick(MISPLACED_OUTSIDE if m.status == "I" else MISPLACED_INSIDE).format(a=m.a))


MIX = [
    (4.5, "I", begin), (0.7, "I", begin_with_more), (1.2, "I", whole_in_a_string), (0.8, "I", whole_in_a_pipeline), (0.8, "I", fill), (2.5, "T", setting), (5, "T", savepoint),
    (4, "T", back_to), (2, "T", release), (8, "T", commit), (4, "T", rollback), (1, "T", chain), (0.2, "T", prepare_transaction), (0.4, "I", misplaced), (0.4, "T", misplaced),
    (16, "E", rollback), (12, "E", back_to), (4, "E", commit), (6, "E", failed), (0.5, "E", begin),
]  # fmt: skip
