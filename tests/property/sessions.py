"""What a session holds beside settings: temporary tables, cursors, channels, locks, sequences; functions that change it; logins."""

import model
import settings
from ops import Step

# Temporary tables.

TEMPORARY = [
    "create temp table {t} (id int, v text)", "create temporary table {t} as select 1 as id, 'temp' as v", "select 1 as id, 'into' as v into temp {t}",
    "create temp table {t} (id int, v text) on commit delete rows", "create table pg_temp.{t} (id int, v text)", "create local temp table if not exists {t} (id int, v text)",
    "select lib.make_temp('{t}')", "do $$ begin create temp table {t} as select 5 as id, 'do' as v; end $$", "create temp view {t} as select 1 as id, 'view' as v",
]  # fmt: skip
USES = [
    "insert into {t} values (1, 'x'), (2, 'y')", "select id, v from {t} order by id, v", "update {t} set v = v || '!'", "delete from {t} where id = 1", "select count(*) from {t}",
    "copy {t} to stdout", "truncate {t}", "select count(*) from pg_temp.{t}", "select '{t}'::regclass::text", "create index on {t} (id)",
]  # fmt: skip
PASSING = [
    "create temp table passing on commit drop as select 1 as a", "select lib.make_temp_static()", "create temp table passing (a int); drop table passing",
    "create temp sequence passing; drop sequence passing",
]  # fmt: skip


def temporary(m):
    name = m.pick(model.TEMPORARY)
    m.temporary.add(name)
    return m.say("temporary", m.pick(TEMPORARY).format(t=name))


def temporary_use(m):
    if not m.temporary and m.chance(0.8):
        return None
    return m.say("temporary use", m.pick(USES).format(t=m.some(m.temporary, model.TEMPORARY)))


def temporary_drop(m):
    """By name, but for the one that hides a table of the pair: only the temporary one is dropped."""
    name = m.some(m.temporary, model.TEMPORARY)
    m.temporary.discard(name)
    if name == "u" or m.chance(0.2):
        guarded = "do $$ begin if to_regclass('pg_temp.{t}') is not null then drop table pg_temp.{t} cascade; end if; end $$"
        return m.say("temporary drop", guarded.format(t=name))
    return m.say("temporary drop", m.pick(["drop table {t}", "drop table if exists {t}", "drop table if exists {t} cascade"]).format(t=name))


def temporary_passing(m):
    """Gone with its transaction."""
    return m.say("temporary passing", m.pick(PASSING))


# Cursors.

QUERIES = ["select i from generate_series(1, 9) i", "select id, v from {a}.t order by id", "select date '2020-02-03' + i from generate_series(1, 5) i", "select lib.tell()", "values (1), (2), (3)"]


def cursor(m):
    name = m.pick(model.CURSORS)
    m.cursors.add(name)
    kind = m.pick(["cursor", "cursor", "scroll cursor", "binary cursor", "no scroll cursor", "cursor without hold", "insensitive cursor"])
    return m.say("cursor", f"declare {name} {kind} for {m.pick(QUERIES).format(a=m.a)}")


def holding(m):
    name = m.pick(model.CURSORS)
    m.holding.add(name)
    kind = m.pick(["cursor", "scroll cursor", "binary cursor"])
    return m.say("holding", f"declare {name} {kind} with hold for {m.pick(QUERIES).format(a=m.a)}")


def fetch(m):
    known = m.cursors | m.holding
    if not known and m.chance(0.85):
        return None
    name = m.some(known, model.CURSORS)
    return m.say("fetch", m.pick([
        "fetch {c}", "fetch 2 from {c}", "fetch all in {c}", "fetch backward 1 from {c}", "move 2 in {c}", "fetch absolute 3 from {c}", "move forward all in {c}",
        "fetch prior from {c}", "fetch next from {c}; fetch next from {c}", "update {a}.t set v = v where current of {c}",
    ]).format(c=name, a=m.a))  # fmt: skip


def fetch_by_portal(m):
    name = m.some(m.cursors | m.holding, model.CURSORS).strip('"')
    return Step("fetch by portal", *m.pick([[("describe", "P", name)], [("execute", name, 2)], [("describe", "P", name), ("execute", name, 0)]]), ("sync",))


def close(m):
    name = m.some(m.cursors | m.holding, model.CURSORS)
    m.cursors.discard(name)
    m.holding.discard(name)
    if m.chance(0.2):
        m.cursors.clear()
        m.holding.clear()
        return m.say("close cursor", "close all")
    return m.say("close cursor", f"close {name}")


def cursor_of_function(m):
    m.cursors.add("c1")
    return m.say("cursor", "select lib.open_cursor('c1')")


def listed(m):
    return m.say("listed", m.pick([
        "select name, is_holdable, is_scrollable from pg_cursors where name like 'c%' order by name", "select * from pg_listening_channels() order by 1",
        "select count(*) from pg_class where relpersistence = 't' and relname in ('tt1', 'tt2') and pg_table_is_visible(oid)",
        "select mode, count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() group by mode order by mode",
    ]))  # fmt: skip


# Channels: the session's own notifications come back before ReadyForQuery.


def channel(m):
    return f"ch{m.pair:02}_{m.number(1, 2)}"


def listen(m):
    name = channel(m)
    m.listening.add(name)
    return m.say("listen", m.pick(["listen {c}", "listen {c}", "select lib.listen('{c}')"]).format(c=name))


def notify(m):
    if not m.listening and m.chance(0.6):
        return None
    return m.say("notify", m.pick(["notify {c}", "notify {c}, 'payload {n}'", "select pg_notify('{c}', 'p{n}')", "select lib.notify('{c}', 'f{n}')"]).format(c=channel(m), n=m.number(1, 9)))


def unlisten(m):
    name = m.some(m.listening, [channel(m)])
    if m.chance(0.5):
        m.listening.clear()
        return m.say("unlisten", "unlisten *")
    m.listening.discard(name)
    return m.say("unlisten", f"unlisten {name}")


# Advisory locks.

LOCKS = [
    ("pg_advisory_lock({k})", "pg_advisory_unlock({k})"), ("pg_try_advisory_lock({k})", "pg_advisory_unlock({k})"), ("pg_advisory_lock_shared({k})", "pg_advisory_unlock_shared({k})"),
    ("pg_try_advisory_lock_shared({p}, {q})", "pg_advisory_unlock_shared({p}, {q})"), ("pg_advisory_lock({p}, {q})", "pg_advisory_unlock({p}, {q})"),
    ("lib.lock_session({k})", "pg_advisory_unlock({k})"), ("lib.lock_by_name('pg_advisory_lock', {k})", "pg_advisory_unlock({k})"),
]  # fmt: skip


def keyed(m, text):
    key = m.key()
    return text.format(k=key, p=m.pair, q=key)


def lock(m):
    took, gives = m.pick(LOCKS)
    key = m.key()
    m.locks.append(gives.format(k=key, p=m.pair, q=key))
    return m.say("lock", "select " + took.format(k=key, p=m.pair, q=key))


def lock_in_transaction(m):
    return m.say("transaction's lock", "select " + keyed(m, m.pick([
        "pg_advisory_xact_lock({k})", "pg_try_advisory_xact_lock({p}, {q})", "pg_advisory_xact_lock_shared({k})", "lib.lock_transaction({k})",
    ])))  # fmt: skip


def unlock(m):
    if m.locks and m.chance(0.6):
        return m.say("unlock", f"select {m.locks.pop()}")
    if m.chance(0.6):
        m.locks.clear()
        return m.say("unlock", "select pg_advisory_unlock_all()")
    return m.say("unlock", "select " + keyed(m, "pg_advisory_unlock({k})"))


# Functions that change the session, and what belongs to nobody else.

FUNCTIONS = [
    "select lib.set_local('app.tenant', 'local {n}')", "select lib.set_inside()",
    "select lib.set_local_inside()", "select lib.set_dynamic('app.user_id = {n}')", "select lib.set_dynamic('local work_mem = ''3MB''')", "select lib.set_dynamic('timezone = ''Asia/Kolkata''')",
    "select lib.clause()", "select lib.swallow('s{n}', false)", "select lib.swallow('s{n}', true)", "select lib.as_owner()",
    "select lib.run('set app.last = ''run {n}''')", "select lib.run('reset app.tenant')", "select lib.run('select 1')", "select lib.run('reset all')",
    "do $$ begin perform set_config('app.last', 'do {n}', false); end $$", "do $$ begin set local app.last = 'do local'; end $$", "do language plpgsql $$ begin execute 'set timezone = 3'; end $$",
    "do $$ begin set app.user_id = '{n}'; raise exception 'undone'; end $$", "do $$ begin commit; end $$", "do $$ begin set app.last = 'x'; commit; set app.last = 'y'; rollback; end $$",
    "call lib.proc('p{n}', null)", "call lib.proc_commit('c{n}', false)", "call lib.proc_commit('c{n}', true)", "call lib.proc_commit(lib.tell(), false)",
    "select lib.setting('app.last'), lib.tell()",
    "select {n} operator(lib.===) 4", "select count(*) from {a}.t where id operator(lib.===) {n}", "select v from lib.setter", "insert into {a}.remembered values ({n}, 'f{n}')",
    "insert into {a}.stamped (id) values ({n})", "select {n}::lib.small_int", 
    "with s as materialized (select set_config('app.tenant', 'with {n}', false) as v) select v from s", "select case when {n} > 6 then set_config('app.tenant', 'case', false) end",
    "explain (analyze, costs off, timing off, summary off) select set_config('app.tenant', 'explained', false)", "select set_config('timezone', 'UTC', {n} > 6)",
]  # fmt: skip


# Settings whose names only running it tells: the session keeps its server until DISCARD ALL.
UNTOLD = [
    "select lib.set_session('app.tenant', 'f{n}')", "select lib.set_session('DateStyle', 'SQL, DMY')", "select lib.set_deep(3, 'deep {n}')",
    "select lib.set_session('search_path', '{b}, public')", "select lib.set_session('application_name', 'by function')",
    "select lib.set_session('app.last', v) from {a}.t where id = {n}", "select set_config('app.' || 'tenant', 'computed', false)",
    "select set_config(null, 'x', false)", "select set_config(n, v, false) from (values ('app.user_id', 'x'), ('work_mem', '2MB')) s (n, v)",
]  # fmt: skip


def untold(m):
    m.opaque = True
    return m.say("untold", m.pick(UNTOLD).format(a=m.schema(), b=m.b, n=m.number(1, 12)))


def function(m):
    return m.say("function", m.pick(FUNCTIONS).format(a=m.schema(), b=m.b, n=m.number(1, 12)))


def function_of_role(m):
    m.owed.append("reset role")
    return m.say("function", "select lib.as_role('reader')")


def function_that_prepares(m):
    m.sql_prepared["inside"] = []
    m.owed.append("deallocate inside")
    return m.say("function", "select lib.prepare_inside('inside')")


def opaque(m):
    """Nobody can ask afterwards what these have left: only DISCARD ALL makes the session like others again."""
    m.opaque = True
    return m.say("opaque", m.pick(["select setseed(0.5), random() < 2", "load 'plpgsql'", "load 'no_such_library'", "set seed = 0.25"]))


def nextval(m):
    return m.say("nextval", m.pick(["select nextval('{a}.s')", "select nextval('{a}.s'), nextval('{a}.s')", "select setval('{a}.s', {n})", "select last_value, is_called from {a}.s",
                                    "insert into {a}.stamped (v) values ('n') returning id"]).format(a=m.a, n=m.number(1, 99)))  # fmt: skip


def currval(m):
    return m.say("currval", m.pick(["select currval('{a}.s')", "select lastval()", "select lib.last()", "select lib.current('{a}.s')", "select nextval('{a}.s'), lastval()", "select currval('{b}.s')",
                                    "discard sequences", "select nextval('{b}.s'); select lastval(), currval('{b}.s')"]).format(a=m.a, b=m.b))  # fmt: skip


# Giving back, so that pins are few.


def give_back(m):
    if m.owed and m.chance(0.7):
        return m.say("give back", m.owed.pop(0))
    if m.opaque or m.chance(0.1):
        return settings.discard_all(m)
    for held, by in ((m.temporary, temporary_drop), (m.holding, close), (m.listening, unlisten), (m.locks, unlock)):
        if held:
            return by(m)
    return None


# Logins.


def startup(m):
    if m.plain_logins:
        return {}
    options = [f"-c search_path={m.pick([m.a, m.b])},public"] if m.chance(0.75) else []
    options += m.pick([[], [], ["-c statement_timeout=10min"], ["-c app.tenant=startup"], ["--work-mem=6MB"], [r"-c app.tenant=with\ space"], ["-c extra_float_digits=0", "-c app.user_id=5"],
                       ["-c DateStyle=German"], ["-c role=reader"], ["-c default_transaction_isolation=repeatable\\ read"]])  # fmt: skip
    parameters = {"options": " ".join(options)} if options else {}
    for name, values in (("application_name", ["driver", "two words", ""]), ("TimeZone", ["Europe/Berlin", "UTC"]), ("DateStyle", ["ISO", "SQL, DMY"]), ("client_encoding", ["UTF8", "LATIN1"]),
                         ("extra_float_digits", ["3"]), ("IntervalStyle", ["iso_8601"]), ("bytea_output", ["escape"])):  # fmt: skip
        if m.chance(0.25 if name != "application_name" else 0.6):
            parameters[name] = m.pick(values)
    return parameters


REFUSED = [{"options": "-c no_such_setting=1"}, {"options": "-c work_mem=1"}, {"TimeZone": "No/Where"}, {"client_encoding": "KLINGON"}, {"options": "-c max_connections=3"}]
REFUSED_BUT_TO_BOSS = {"options": "-c role=stranger"}


def login(m):
    m.forget()
    m.logins += 1
    m.startup = startup(m)
    return Step("login", ("login", m.startup))


def login_refused(m):
    return Step("login refused", ("login", m.pick(REFUSED + [REFUSED_BUT_TO_BOSS] * (m.profile.kind != "boss"))))


# What pins by its nature is rare; the "special" pair has much of it.
PINNING = [
    (0.35, "IT", temporary), (0.15, "I", holding), (0.3, "T", holding), (0.25, "IT", listen), (0.3, "IT", lock), (0.04, "IT", function_that_prepares), (0.04, "I", opaque),
    (0.02, "T", opaque), (0.2, "IT", untold),
]  # fmt: skip
MIX = [
    (1.5, "IT", temporary_use), (0.4, "IT", temporary_drop), (0.4, "IT", temporary_passing), (3, "T", cursor), (0.1, "I", cursor), (3, "IT", fetch), (0.5, "IT", fetch_by_portal), (0.6, "IT", close),
    (0.5, "T", cursor_of_function), (0.5, "IT", listed), (1.5, "IT", notify), (0.2, "IT", unlisten), (1, "T", lock_in_transaction), (0.3, "I", lock_in_transaction), (0.3, "IT", unlock),
    (4, "IT", function), (0.5, "E", function), (0.15, "IT", function_of_role), (0.8, "IT", nextval), (0.08, "I", login), (0.02, "ITE", login), (0.01, "I", login_refused),
]  # fmt: skip
SEQUENCES = [(6, "IT", currval), (6, "IT", nextval)]
