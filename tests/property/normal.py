"""
Answers, made comparable: what legitimately differs between two connections to one PostgreSQL is taken out of them.

RULES is the one list of what is not compared, AVOIDED of what is never asked. Everything else must be the same, byte for
byte: rows, names and types of columns, tags, every field of errors and notices but three, parameters, transaction status.
"""

import difflib
import re
import struct

FIRST_OID = 16384  # oids below are PostgreSQL's own and the same everywhere

RULES = {
    "T": "RowDescription: the two databases were made apart, so oids of tables and of types of our own differ (that one is there is compared)",
    "t": "ParameterDescription: oids of types of our own, as above; and one right before an error: of what can no longer be parsed, where a server lacks it",
    "D": "DataRow: quotes around the name in default_text_search_config, which PostgreSQL writes anew, by quote_all_identifiers, whenever it is set",
    "A": "NotificationResponse: the process id; and its place, before or after ParameterStatus, is PostgreSQL's accident",
    "S": "ParameterStatus: its place and order within an answer; a client reads all of them before ReadyForQuery",
    "E": "ErrorResponse: file, line and function of PostgreSQL's source (fields F, L, R)",
    "N": "NoticeResponse: fields F, L, R, as above",
    "W": "context: whether PL/pgSQL names a function with its schema and in quotes was decided when the process compiled it, whoever called",
    "P": "position of an error in a statement that SQL's PREPARE made, when that is run or described: it counts in the text of the PREPARE, where the name is rolecall's",
    "25006": "its message: in a READ ONLY transaction a replica may say `during recovery` where the primary says `in a read-only transaction`",
    "42501": "permission denied, where the direct side finds a bound value wrong: what was prepared in a transaction, behind a change of role that was undone with it, "
    "is parsed under the role that is back, and before its values are looked at",
    "42501 (2)": "which object's permission is missing, and its position: PostgreSQL parses a statement anew, under the role of the moment, when its table was analyzed "
    "since, and then asks for the schema's first; autovacuum decides when, and each process hears of it at its next use",
    "K": "BackendKeyData: process id and key are rolecall's own, and only at login",
}

AVOIDED = {
    "pg_backend_pid(), pg_stat_activity, pg_locks.pid": "another process answers",
    "clocks, random() without setseed(), transaction ids, ctid, LSNs, oids": "differ at each call, on any connection",
    "ORDER BY left out, EXPLAIN of tables, RETURNING of several rows": "depends on the pages' history, not on the session",
    "pg_prepared_statements": "statements of both kinds are shared and have rolecall's names (rc_...) on a server; so has what a function's EXECUTE would find",
    "pg_settings.source, reset_val, and rows other than setting": "rolecall puts settings in place with SET",
    "the name of the temporary schema": "has the number of the process",
    "sequences with CACHE above 1": "each process takes its share",
    "the same advisory key again after a reconnect": "locks of the old process end when it does, not when its client leaves",
    "current_setting('app.x', true) of what is not set": "NULL, or '' where the process has known the name before: PostgreSQL forgets no name",
    "DROP of pg_temp.x in a session without temporary tables": "schema or table does not exist, by whether the process ever had one",
    "plpgsql.* settings": "exist once the process has run PL/pgSQL, whoever did",
    "random() after DISCARD ALL, in a session with setseed()": "the seed outlives DISCARD ALL in a process, and DISCARD ALL unpins",
    "text of a setting inside PL/pgSQL's cached expressions ('01/02/2020'::date)": "folded at the process' first call, whoever made it",
    "the same in a prepared statement across a change of search_path or any CREATE SCHEMA": "PostgreSQL folds it anew then, at some moment",
    "EXECUTE of a prepared SAVEPOINT": "ends the process (FATAL XX000), by a mistake of PostgreSQL's",
    "Parse of FETCH, described or run much later": "described by the cursor that was there at Parse",
    "ALTER of a table that a prepared `select *` reads": "rolecall heals 0A000 (cached plan must not change result type) when that is safe",
    "RESET, DISCARD and set_config(x, NULL) in a string or pipeline with more, where the startup packet had settings": "what follows there still has the server's default: rolecall puts the client's back when the request is over",
    "set_config(x, NULL) with the NULL as a parameter, where the startup packet had x": "the row that it answers is of that moment, too",
    "Bind and Describe in a failed transaction": "of what was prepared before it: this server may lack it, and cannot parse it now: 25P02 comes before other errors",
    "Bind of the unnamed statement behind an unnamed Parse whose text is not in the client's encoding": "PostgreSQL has not read that one and has the one before it; rolecall has not",
    "a hint in front of a string with several statements": "says that all of them are reads, functions that write among them",
    "SET TRANSACTION behind a Describe of an older statement, or a run of one that is empty or a utility command": "the server may lack it, and parsing it takes the transaction's first snapshot (25001)",
    "SET TRANSACTION behind a RESET, where the startup packet had a search_path, or behind several in one batch": "only set_config() puts a list back as it was written, and that takes a snapshot; so does asking for what several have given back",
    "PREPARE, in a function, of a name that is prepared outside": "as above: on the server that has another name",
    "AND CHAIN in a failed transaction": "where that was READ ONLY: PostgreSQL forgets it, and the next one, still on the replica, cannot",
    "NOTIFY, LISTEN, PREPARE, REINDEX, VACUUM, COPY FROM, two-phase commit, SET TRANSACTION READ WRITE or SERIALIZABLE, locks, temporary objects, cursors WITH HOLD and node-local functions in a READ ONLY transaction with an open portal": "it may run on a replica, which refuses them (25006) or speaks of itself",
    "RESET ROLE to a role of the startup packet that the session authorization taken since may not take up": "no SET puts that in place: FATAL",
    "debug levels of client_min_messages": "show how a server works inside, and what it ran before",
    "statement_timeout that could fire by chance": "the machine may be busy",
    "ALTER ROLE / ALTER DATABASE ... SET, ALTER SYSTEM": "are for everybody, the neighbours too",
}


def messages(answer):
    """[(kind, payload)] of whole messages."""
    found, at, end = [], 0, len(answer)
    while at < end:
        (size,) = struct.unpack_from("!I", answer, at + 1)
        found.append((chr(answer[at]), answer[at + 5 : at + 1 + size]))
        at += 1 + size
    return found


def _own(oid):
    return min(oid, FIRST_OID)


def _columns(payload):
    (n,) = struct.unpack_from("!H", payload)
    columns, at = [], 2
    for _ in range(n):
        end = payload.index(b"\0", at)
        table, number, of_type, *rest = struct.unpack_from("!IhIhih", payload, end + 1)
        columns.append((payload[at:end].decode(errors="replace"), _own(table), number, _own(of_type), *rest))
        at = end + 19
    return tuple(columns)


def _types(payload):
    (n,) = struct.unpack_from("!H", payload)
    return tuple(map(_own, struct.unpack_from(f"!{n}I", payload, 2)))


def _row(payload):
    return tuple(value and _CONFIGURATION.sub(rb"pg_catalog.\1", value) for value in _values(payload))


def fields(payload):
    return {chr(part[0]): part[1:].decode(errors="replace") for part in payload.split(b"\0") if part}


def _fields(payload):
    found = {k: v for k, v in fields(payload).items() if k not in _dropped}
    if "W" in found:
        found["W"] = _QUALIFIED.sub(r"PL/pgSQL function \1(", found["W"]).replace('"', "")
    if found.get("C") == "25006":
        found.pop("M", None)
    if _DENIED.match(found.get("M", "")):
        found["M"] = "permission denied"
        found.pop("P", None)
    return tuple(sorted(found.items()))


_CONFIGURATION = re.compile(rb'^"pg_catalog"\."(\w+)"$')
_QUALIFIED = re.compile(r'PL/pgSQL function "?(?:\w+"?\."?)?(\w+)"?\(')
_DENIED = re.compile("permission denied for (schema|table|view|sequence) ")
_dropped = "FLR"


def codes_only():
    """From now on, errors and notices are compared by severity and SQLSTATE alone (--codes-only)."""
    global _dropped
    _dropped = "FLRMDHPpqWstcdn"


NORMAL = {"T": _columns, "t": _types, "D": _row, "E": _fields, "N": _fields}


def normal(answer):
    """(messages, ParameterStatus, notifications), each as compared."""
    rest, parameters, notifications = [], [], []
    for kind, payload in messages(answer):
        if kind == "S":
            parameters.append(payload)
        elif kind == "A":
            notifications.append(payload[4:])
        else:
            made = NORMAL.get(kind)
            rest.append((kind, made(payload) if made else payload))
    rest = [message for message, behind in zip(rest, rest[1:] + [("", b"")]) if message[0] != "t" or behind[0] != "E"]
    return rest, sorted(parameters), notifications


def same(one, other, by_sql=False):
    """`by_sql`: what SQL's PREPARE has prepared may be run."""
    if one == other:
        return True
    direct, pooled = _placed(normal(one), by_sql), _placed(normal(other), by_sql)
    return direct == pooled or _without_values(direct, VALUE_ERRORS) == _without_values(pooled, ["42501"])


VALUE_ERRORS = ["22P02", "22P03", "08P01"]


def _without_values(answer, codes):
    """An error with one of these codes stands for what is wrong with a bound value."""
    rest, parameters, notifications = answer
    return [("E", "values") if kind == "E" and dict(made).get("C") in codes else (kind, made) for kind, made in rest], parameters, notifications


def _placed(answer, by_sql):
    rest, parameters, notifications = answer
    if by_sql:
        rest = [(kind, tuple(field for field in made if field[0] != "P") if kind == "E" else made) for kind, made in rest]
    return rest, parameters, notifications


# What a difference is like: for counting, and for the minimiser, which must not end with another one.


def signature(one, other):
    """The first place at which two answers differ, without what varies from case to case."""
    (rest1, parameters1, notified1), (rest2, parameters2, notified2) = normal(one), normal(other)
    for a, b in zip(rest1, rest2):
        if a != b:
            return f"{_kind(a)} / {_kind(b)}"
    if len(rest1) != len(rest2):
        longer = rest1 if len(rest1) > len(rest2) else rest2
        extra = _kind(longer[min(len(rest1), len(rest2))])
        return f"{extra} / end" if longer is rest1 else f"end / {extra}"
    if parameters1 != parameters2:
        odd = set(parameters1) ^ set(parameters2)
        return "parameter " + ", ".join(sorted({p.split(b"\0")[0].decode() for p in odd}) or ["repeated"])
    return "notifications" if notified1 != notified2 else "same"


def _kind(message):
    kind, payload = message
    if kind in "EN":
        return f"{kind} {dict(payload).get('C')}"
    return f"{kind} {payload.decode(errors='replace')}" if kind == "Z" else kind


def _values(payload):
    (n,) = struct.unpack_from("!H", payload)
    values, at = [], 2
    for _ in range(n):
        (size,) = struct.unpack_from("!i", payload, at)
        at += 4
        values.append(None if size < 0 else payload[at : at + size])
        at += max(size, 0)
    return values


def readable_difference(one, other):
    """Of two long answers, what only one has."""
    lines, others = readable(one, 100000), readable(other, 100000)
    return [line for line in difflib.unified_diff(lines, others, "direct", "pooled", "", "", 1)]


def readable(answer, limit=30):
    """Lines for a report."""
    lines = []
    for kind, payload in messages(answer):
        if kind in "EN":
            shown = " ".join(f"{k}={v!r}" for k, v in fields(payload).items() if k not in "FLR")
        elif kind == "D":
            shown = " ".join("NULL" if v is None else repr(v.decode(errors="replace"))[:200] for v in _values(payload))
        elif kind == "T":
            shown = " ".join(f"{c[0]}:{c[3]}" for c in _columns(payload))
        else:
            shown = payload.rstrip(b"\0").decode(errors="replace").replace("\0", "=")[:300]
        lines.append(f"{kind} {shown}".rstrip())
    if len(lines) > limit:
        lines[limit // 2 : -limit // 2] = [f"[... {len(lines) - limit} more messages ...]"]
    return lines
