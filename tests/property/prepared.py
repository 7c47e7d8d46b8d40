"""Prepared statements of both kinds, portals, and what may come in between."""

import struct

import model
from ops import Step

OIDS = {"int4": 23, "int8": 20, "text": 25, "bool": 16, "float8": 701, "bytea": 17, "date": 1082, "timestamptz": 1184, "numeric": 1700, "unknown": 705}

# name: (a text value, its binary form); a value that is refused has no binary form.
VALUES = {
    "int4": [("1", struct.pack("!i", 1)), ("7", struct.pack("!i", 7)), ("12", struct.pack("!i", 12)), ("-5", struct.pack("!i", -5)), ("x", b"\1\2\3"), (None, None)],
    "text": [("abc", b"abc"), ("", b""), ("quo'te", b"quo'te"), ("caf\u00e9", "caf\u00e9".encode()), ("t9", b"t9"), (None, None)],
    "bool": [("true", b"\1"), ("f", b"\0"), ("maybe", b"\1\2")],
    "float8": [("0.1", struct.pack("!d", 0.1)), ("1e300", struct.pack("!d", 1e300)), ("nan", struct.pack("!d", float("nan")))],
    "bytea": [("\\x00ff", b"\0\xff"), ("abc", b"abc")],
    "date": [("2020-02-03", struct.pack("!i", 7338)), ("01/02/2003", struct.pack("!i", 0)), ("yesterday's", b"\1")],
    "timestamptz": [("2020-02-03 04:05:06+00", struct.pack("!q", 634017906000000)), ("2020-06-01 12:00", struct.pack("!q", 0))],
    "numeric": [("1.50", None), ("1e5", None)],
    "name": [("app.tenant", b"app.tenant"), ("TimeZone", b"TimeZone"), ("app.user_id", b"app.user_id"), ("DateStyle", b"DateStyle"), ("no such", b"no such")],
    "value": [("Asia/Tokyo", b"Asia/Tokyo"), ("ISO, DMY", b"ISO, DMY"), ("17", b"17")],
    "tenant": [("Asia/Tokyo", b"Asia/Tokyo"), ("17", b"17"), (None, None), (None, None), ("", b"")],
    "local": [("false", b"\0"), ("true", b"\1")],
}  # fmt: skip

# (SQL, kinds of its parameters)
TEXTS = [
    ("select $1::int + 1", ["int4"]), ("select $1::text || coalesce(nullif(current_setting('app.tenant', true), ''), '-')", ["text"]), ("select v, ts from t where id = $1", ["int4"]),
    ("select v from {a}.t where id = $1", ["int4"]), ("select d, ts, i, f, b, n from {a}.t where id = $1", ["int4"]), ("select id, v from {b}.t where id <= $1 order by id", ["int4"]),
    ("select $1::timestamptz", ["timestamptz"]), ("select $1::date, $2::float8, $3::bytea, $4::bool", ["date", "float8", "bytea", "bool"]), ("select $1 is null", ["text"]),
    ("insert into {a}.u values ($1, $2, null) on conflict (id) do update set v = excluded.v returning id, v", ["int4", "text"]), ("delete from {a}.u where id = $1 + 20", ["int4"]),
    ("update {a}.t set n = n + $1 where id = $2 returning n", ["numeric", "int4"]), ("select set_config('app.tenant', $1, false)", ["tenant"]),
    ("select nullif(current_setting($1, true), '')", ["name"]),
    ("show timezone", []), ("set timezone to 'Asia/Tokyo'", []), ("set app.tenant = 'prepared'", []), ("reset app.tenant", []), ("begin", []), ("commit", []), ("rollback", []),
    ("select f()", []), ("select lib.tell()", []), ("values ($1::int), (2)", ["int4"]), ("select generate_series(1, $1::int)", ["int4"]), ("select", []), ("", []),
    ("-- nothing", []), ("select i from generate_series(1, 9) i", []), ("select id, v from t where id < $1 order by id", ["int4"]), ("explain (costs off) select 1", []),
    ("select nope from nowhere", []), ("selec 1", []), ("select 1; select 2", []), ("select 1/$1", ["int4"]), ("select $2::int", ["int4", "int4"]), ("select current_user", []),
    ("select date '2020-03-04', interval '25:00', $1::float8", ["float8"]), ("insert into {a}.remembered values ($1, 'p' || $1)", ["int4"]),
    ("select v from {a}.t where id = $1 for update", ["int4"]), ("discard plans", []), ("select lib.add($1, $2)", ["int4", "int4"]), ("select v from {a}.v order by id", []),
    ("copy (select 1) to stdout", []), ("select lib.fail('P0001', $1)", ["text"]), ("select lib.say('notice', $1)", ["text"]),
]  # fmt: skip

UNTOLD = [("select set_config($1, $2, $3)", ["name", "value", "local"]), ("select lib.set_session($1, $2)", ["name", "value"])]  # see sessions.py


def text(m):
    untold = m.chance(0.02 if m.profile.kind == "special" else 0.002)
    m.opaque |= untold
    sql, kinds = m.pick(UNTOLD if untold else TEXTS)
    return sql.format(a=m.a, b=m.b), kinds


def declared(m, kinds):
    """Declared types: none, all, or some."""
    how = m.rng.random()
    if how < 0.5:
        return ()
    return tuple(OIDS.get(kind, OIDS["text" if kind in ("name", "value", "tenant") else "bool" if kind == "local" else kind]) if how < 0.8 or m.chance(0.5) else 0 for kind in kinds)


def may_be_null(m):
    """
    set_config('app.tenant', NULL, ...) answers what the startup packet had: see normal.py. Where it had that, no parameter is
    NULL, since a name may stand for another statement than is thought.
    """
    return "app.tenant" not in repr(m.startup)


def bound(m, portal, name, kinds):
    """A Bind; now and then with a value that is refused, or one too few."""
    values, formats = [], []
    binary = m.chance(0.35)
    for kind in kinds:
        choices = VALUES[kind] if may_be_null(m) else [row for row in VALUES[kind] if row[0] is not None]
        as_text, as_bytes = choices[-1] if m.chance(0.05) else m.pick(choices[:-1])
        use_binary = binary and as_bytes is not None
        values.append(as_bytes if use_binary else as_text)
        formats.append(int(use_binary))
    if m.chance(0.02):
        values, formats = values[1:] if values else ["1"], []
    if not any(formats):
        formats = m.pick([[], [0] * len(values)])
    results = m.pick([(), (), (), (0,), (1,), (1,)]) if m.chance(0.97) else (0, 1, 0)
    return ("bind", portal, name, tuple(values), tuple(formats), results)


def executed(m, portal="", rows=0):
    ops = [("describe", "P", portal)] if m.chance(0.6) else []
    ops.append(("execute", portal, rows))
    if rows and m.chance(0.5):
        ops.append(("execute", portal, m.number(0, 3)))
    return ops


def parse(m):
    name = m.pick(model.PREPARED)
    sql, kinds = text(m)
    ops = [("close", "S", name)] if (name in m.protocol and m.chance(0.7)) or not m.duplicates else []
    ops.append(("parse", name, sql, declared(m, kinds)))
    if m.chance(0.5):
        ops.append(("describe", "S", name))
    m.protocol[name] = kinds
    if m.chance(0.6):
        ops += [bound(m, "", name, kinds), *executed(m)]
    return Step("parse", *ops, ("sync",))


def bind(m):
    name = m.some(m.protocol, model.PREPARED)
    return Step("bind", bound(m, "", name, m.protocol.get(name, [])), *executed(m, rows=m.number(1, 3) if m.chance(0.1) else 0), ("sync",))


def bind_often(m):
    """The same statement many times in one batch, or one after the other."""
    name = m.some(m.protocol, model.PREPARED)
    ops = []
    for _ in range(m.number(2, 6)):
        ops += [bound(m, "", name, m.protocol.get(name, [])), *executed(m)]
        if m.status == "I" and m.chance(0.3):
            ops.append(("sync",))
    return Step("bind often", *ops, ("sync",))


def describe(m):
    return Step("describe", ("describe", "S", m.some(m.protocol, model.PREPARED)), ("sync",))


def close(m):
    name = m.some(m.protocol, model.PREPARED)
    m.protocol.pop(name, None)
    return Step("close", ("close", "S", name), ("sync",))


def one_shot(m):
    """As a driver without a cache: unnamed, all at once."""
    sql, kinds = text(m)
    return Step("one shot", ("parse", "", sql, declared(m, kinds)), bound(m, "", "", kinds), *executed(m), ("sync",))


def as_asyncpg(m):
    """Parse, Describe, Flush; then Bind, Execute, Sync. The name is closed first: an error would end the batch early."""
    name = m.pick(["", "s3"])
    sql, kinds = text(m)
    m.protocol[name] = kinds
    return Step("flush", ("close", "S", name), ("parse", name, sql, ()), ("describe", "S", name), ("flush",), ("wait", "Tn"), bound(m, "", name, kinds), *executed(m), ("sync",))


def flush_after_execute(m):
    first, second = m.filler(), m.filler()
    messages = [("parse", "", first), ("bind", "", ""), ("execute", "", 0), ("flush",), ("wait", "CI"), *m.extended(second), ("sync",)]
    return Step("flush after execute", *messages)


def bind_after_flush(m):
    name = m.some(m.protocol, model.PREPARED)
    messages = [*m.extended(m.filler()), ("flush",), ("wait", "CI"), bound(m, "", name, m.protocol.get(name, [])), *executed(m)]
    return Step("bind after flush", *messages, ("sync",))


def portal(m):
    """A named portal, read in parts; it lives as long as its transaction."""
    name = m.pick(model.PORTALS)
    statement = m.some(m.protocol, model.PREPARED)
    m.portals.add(name)
    ops = [("close", "P", name)] if m.chance(0.5) else []
    ops += [bound(m, name, statement, m.protocol.get(statement, [])), *executed(m, name, m.number(0, 3))]
    if m.chance(0.3):
        ops += executed(m, name, m.number(0, 3))
    return Step("portal", *ops, ("sync",))


def portal_of_rows(m):
    name = m.pick(model.PORTALS)
    m.portals.add(name)
    ops = [("close", "P", name), ("parse", "", "select i, date '2020-01-01' + i from generate_series(1, 9) i"), ("bind", name, ""), *executed(m, name, m.number(1, 3))]
    return Step("portal", *ops, ("sync",))


def portal_more(m):
    name = m.some(m.portals, model.PORTALS)
    return Step("portal more", *m.pick([
        [("execute", name, m.number(0, 3))], [("describe", "P", name)], [("close", "P", name)], [("describe", "P", name), ("execute", name, 2), ("execute", name, 0)],
        m.extended(f"fetch 2 from {name}"), m.extended(f"close {name}"), m.extended(f"move 1 in {name}"),
    ]), ("sync",))  # fmt: skip


# SQL's own.

SQL_TEXTS = [
    ("(int) as select $1 + 1", ["1", "2 + 2", "'x'", "null"]), ("(text) as select $1 || coalesce(nullif(current_setting('app.tenant', true), ''), '-')", ["'a'", "current_user"]),
    ("as select v from t where id = 3", []), ("(int) as select v, ts from {a}.t where id = $1", ["4", "5"]), ("as select f()", []), ("as select v from {a}.v order by id", []),
    ("(int, text) as insert into {a}.u values ($1, $2, null) on conflict (id) do update set v = excluded.v returning v", ["21, 'sql'", "22, 'x'", "1"]),
    ("(text) as select set_config('app.tenant', $1, false)", ["'by execute'"]), ("as values (1), (2)", []), ("as select lib.tell()", []), ("(int) as delete from {a}.u where id = $1 + 20", ["1"]),
    ("as select no_such", []), ("as set timezone = 'UTC'", []), ("as select current_user, date '2020-05-06'", []), ("(no_such_type) as select $1", []),
]  # fmt: skip


def sql_prepare(m):
    name = m.pick(m.sql_names)
    sql, arguments = m.pick(SQL_TEXTS)
    m.sql_prepared[name] = arguments
    return m.say("prepare", f"prepare {name} {sql.format(a=m.a, b=m.b)}")


def sql_execute(m):
    name = m.some(m.sql_prepared, m.sql_names + (model.PREPARED[1:] if m.crossing else []))
    arguments = [each for each in m.sql_prepared.get(name, []) if each != "null" or may_be_null(m)]
    given = f"({m.pick(arguments)})" if arguments else m.pick(["", "", "", "(1)"])
    how = m.pick(["execute {x}"] * 8 + ["EXECUTE /* c */ {x}", "create temp table from_execute on commit drop as execute {x}"])
    return m.say("execute", how.format(x=name + given))


def sql_prepare_replaced(m):
    """Given back and prepared anew, in one string or one after the other."""
    name = m.some(m.sql_prepared.keys() - {"inside"}, m.sql_names)  # that one is a function's: see normal.py
    sql, arguments = m.pick(SQL_TEXTS)
    m.sql_prepared[name] = arguments
    first, then = f"deallocate {name}", f"prepare {name} {sql.format(a=m.a, b=m.b)}"
    if m.chance(0.4):
        return Step("prepare", ("query", f"{first}; {then}"))
    m.planned.insert(0, m.say("prepare", then))
    return m.say("deallocate", first)


def sql_explained(m):
    m.planned[:0] = [m.say("execute", "explain (costs off) execute explained"), m.say("deallocate", "deallocate explained")]
    return m.say("prepare", "prepare explained as select current_setting('work_mem') from (values (1), (2)) v")


def deallocate(m):
    if m.chance(0.2):
        m.protocol.clear()
        m.sql_prepared.clear()
        return m.say("deallocate", m.pick(["deallocate all", "deallocate prepare all", "DEALLOCATE ALL"]))
    both = {**m.sql_prepared, **{k: v for k, v in m.protocol.items() if k}}
    name = m.some(both, m.sql_names)
    m.sql_prepared.pop(name, None)
    m.protocol.pop(name, None)
    return m.say("deallocate", m.pick(["deallocate {x}", "deallocate prepare {x}"]).format(x=name))


def crossed(m):
    """What one kind has prepared, used as the other kind."""
    if m.chance(0.5):
        name = m.some({k: v for k, v in m.protocol.items() if k}, model.PREPARED[1:])
        kinds = m.protocol.get(name, [])
        values = ["1", "'x'", "null"] if may_be_null(m) else ["1", "'x'"]
        given = f"({', '.join(m.pick(values) for _ in kinds)})" if kinds else ""
        return m.say("protocol by execute", f"execute {name}{given}")
    name = m.some(m.sql_prepared, m.sql_names).strip('"')
    arguments = m.sql_prepared.get(name) or m.sql_prepared.get(f'"{name}"') or []
    value = None if may_be_null(m) else "by bind"
    values = [value] * (arguments[0].count(",") + 1) if arguments else []
    return Step("sql by bind", ("bind", "", name, tuple(values)), *executed(m), ("sync",))


# A literal is folded when its statement is parsed, by the settings of that moment. PostgreSQL folds anew when search_path or the
# schema has changed since, so nothing between may touch these: the whole plan is followed without anything between.

FOLDING = [
    ("select '01/02/2003'::date, extract(month from '01/02/2003'::date)", "datestyle", ["'ISO, MDY'", "'ISO, DMY'", "'SQL, DMY'"]),
    ("select extract(epoch from '2020-06-01 00:00'::timestamptz)", "timezone", ["'UTC'", "'Asia/Tokyo'", "'America/New_York'"]),
    ("select extract(epoch from '-1 2:00'::interval)", "intervalstyle", ["postgres", "sql_standard"]),
    ("select 'back\\\\slash', length('a\\\\b')", "standard_conforming_strings", ["on", "off"]),
    ("select 'caf\u00e9', length('caf\u00e9')", "client_encoding", ["'UTF8'", "'LATIN1'", "'WIN1252'"]),
    ("select '{1,null}'::text[]", "array_nulls", ["on", "off"]),
    ("select null::int = null", "transform_null_equals", ["on", "off"]),
]  # fmt: skip


def folded(m):
    sql, setting, values = m.pick(FOLDING)
    by_sql = m.chance(0.3)
    name = "fold" if by_sql else m.pick(["fold", "fold2"])
    make = [("query", f"prepare fold as {sql}")] if by_sql else [("parse", name, sql), ("sync",)]
    use = [("query", "execute fold")] if by_sql else [("bind", "", name), ("describe", "P", ""), ("execute", "", 0), ("sync",)]
    drop = [("query", "deallocate fold")] if by_sql else [("close", "S", name), ("sync",)]
    plan = [[("query", f"set {setting} = {m.pick(values)}")], make]
    for _ in range(m.number(1, 3)):
        plan.append([("query", m.pick([f"set {setting} = {m.pick(values)}"] * 3 + [f"reset {setting}", "select 1", "select v from lib.session, (select 1 as v) x"]))])
        plan += [use] * m.number(1, 2)
    plan += [drop, [("query", f"reset {setting}")]]
    steps = [Step("folded", *ops) for ops in plan]
    m.planned[:0] = steps[1:]
    m.quiet = len(steps) - 1
    return steps[0]


MIX = [
    (5, "IT", parse), (1, "E", parse), (9, "IT", bind), (1.2, "IT", bind_often), (1, "IT", describe), (1.5, "ITE", close), (3.5, "IT", one_shot),
    (0.5, "E", one_shot), (1.2, "IT", as_asyncpg), (0.2, "E", as_asyncpg), (0.4, "IT", flush_after_execute), (0.4, "IT", bind_after_flush), (0.5, "I", portal), (2.5, "T", portal), (2, "T", portal_of_rows), (0.3, "I", portal_more),
    (4, "T", portal_more), (0.4, "E", portal_more), (1.2, "IT", sql_prepare), (3, "IT", sql_execute), (0.3, "E", sql_execute), (0.5, "IT", sql_prepare_replaced), (0.1, "IT", sql_explained), (0.8, "ITE", deallocate),
    (0.8, "IT", crossed), (0.5, "I", folded),
]  # fmt: skip
