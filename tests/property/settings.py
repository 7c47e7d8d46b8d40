"""Statements about settings: SET in all forms, RESET, DISCARD, set_config, roles, and what shows their effect."""

from ops import Step

# name: values. The first of them are usual, the last one is often refused.
SETTINGS = {
    "DateStyle": ["'ISO, MDY'", "'ISO, DMY'", "'SQL, DMY'", "German", "'Postgres, MDY'", "ISO", "YMD", "'nonsense'"],
    "IntervalStyle": ["postgres", "postgres_verbose", "sql_standard", "iso_8601", "'none'"],
    "TimeZone": ["'UTC'", "'Europe/Berlin'", "'America/New_York'", "'Asia/Kolkata'", "'<+05>-5'", "-3.5", "'No/Where'"],
    "extra_float_digits": ["1", "0", "3", "-15", "-4", "99"],
    "bytea_output": ["hex", "escape", "'octal'"],
    "standard_conforming_strings": ["on", "off", "'maybe'"],
    "escape_string_warning": ["on", "off"],
    "backslash_quote": ["safe_encoding", "on", "off"],
    "client_encoding": ["'UTF8'", "'UTF8'", "LATIN1", "'SQL_ASCII'", "'WIN1252'", "'EUC_JP'", "'KLINGON'"],
    "client_min_messages": ["notice", "warning", "error", "log", "'loud'"],
    "statement_timeout": ["0", "'10min'", "3600000", "'1h'", "'soon'"],
    "lock_timeout": ["0", "'10min'", "900000"],
    "idle_in_transaction_session_timeout": ["0", "'20min'"],
    "application_name": ["'one'", "'two words'", "'quo''ted'", "''", "'caf\u00e9'"],
    "work_mem": ["'8MB'", "'64kB'", "'1234kB'", "4096", "'1 parsec'"],
    "default_transaction_isolation": ["'read committed'", "'repeatable read'", "serializable", "'chaos'"],
    "default_transaction_deferrable": ["off", "on"],
    "enable_hashjoin": ["on", "off"],
    "enable_mergejoin": ["on", "off"],
    "enable_sort": ["on", "off"],
    "array_nulls": ["on", "off"],
    "transform_null_equals": ["off", "on"],
    "quote_all_identifiers": ["off", "on"],
    "lc_monetary": ["'C'", "'C.UTF-8'", "'xx_XX'"],
    "lc_time": ["'C'", "'POSIX'"],
    "default_text_search_config": ["'simple'", "'pg_catalog.english'", "'german'", "'no_such'"],
    "xmloption": ["content", "document"],
    "xmlbinary": ["base64", "hex"],
    "row_security": ["on", "off"],
    "synchronous_commit": ["off", "local", "on"],
    "plan_cache_mode": ["auto", "force_custom_plan", "force_generic_plan"],
    "from_collapse_limit": ["8", "3"],
    "default_toast_compression": ["pglz", "'zip'"],
    "check_function_bodies": ["on", "off"],
    "vacuum_cost_delay": ["0", "'1ms'"],
    "tcp_keepalives_idle": ["0"],
    "session_replication_role": ["origin", "replica", "local"],
    "track_functions": ["none", "all"],
    "max_connections": ["7"],
    "no_such_setting": ["1"],
    "transaction_read_only": ["on", "off"],
    "transaction_isolation": ["'repeatable read'", "'read committed'"],
    "app.tenant": ["'t1'", "'t2'", "42", "'quo''ted'", "'two', 'three'", "''", "on"],
    "app.user_id": ["'7'", "8", "-9", "1.5"],
    "app.last": ["'set'", "'again'"],
    "App.Mixed_Case": ["'M'", "'m'"],
    '"app"."quoted"': ["'q'"],
    "app.deep": ["'d'"],
    "two.many.dots": ["'1'"],
    "app.2bad": ["'1'"],
}  # fmt: skip
COMMON = ["DateStyle", "TimeZone", "IntervalStyle", "search_path", "search_path", "app.tenant", "app.tenant", "app.user_id", "app.last", "application_name",
          "extra_float_digits", "bytea_output", "client_encoding", "standard_conforming_strings", "statement_timeout", "work_mem"]  # fmt: skip
NAMES = sorted(SETTINGS, key=str.lower) + ["search_path"]
PATHS = ["{a}, public", "{a}", "{b}, evil, public", "{b}, {a}", '"$user", public', "evil", "''", "pg_catalog, {a}", "no_such_schema, {b}", "{a}, {b}, evil"]
LONG = {n: (f"x{n}" * n)[:n] for n in (3000, 70000, 100000)}

SHOWING = [
    "select date '2020-02-03', timestamp '2020-02-03 04:05:06.789', timestamptz '2020-02-03 04:05:06+00'",
    "select '01/02/2003'::date", "select '13/02/2003'::date", "select '2020-01-01 00:00'::timestamptz",
    "select interval '1 year 2 mons 3 days 04:05:06.7'", "select '1-2 3 4:05'::interval",
    "select 1/3.0::float8, 1e15::float4, 'NaN'::float8, pi()", "select decode('deadbeef00', 'hex')", "select '\\xdeadbeef00'::bytea",
    "select 'back\\slash', 'quo''te'", "select E'a\\'b'", "select U&'d\\0061t\\+000061'", "select 12.34::money", "select to_char(date '2020-03-04', 'TMDay')",
    "select extract(hour from timestamptz '2020-06-01 12:00+00')", "select current_schemas(false), current_schema()", "select lib.path()",
    "select current_user, session_user, current_role", "select f()", "select v from t where id = 1", "select v, t_id from u where id = 2",
    "select 't'::regclass::text", "select reads_path(3)", "select '{{1,null}}'::text[]", "select null = null", "select quote_ident('abc')",
    "select xml '<a>1</a>', xmlelement(name a, decode('61', 'hex'))", "select xml 'no document'", "select to_tsvector('the running cats')",
    "select 'caf\u00e9', length('caf\u00e9')", "select chr(233)", "select chr(8364) || chr(12354)", "select * from lib.session", "select lib.tell()",
    "select current_setting('transaction_isolation'), current_setting('transaction_read_only')", "show transaction_isolation",
    "explain (costs off) select * from (values (1), (2)) a (x) join (values (1), (2)) b (x) using (x) order by x",
    "select ts, d, i, n, f, b from {a}.t where id = 4", "select d, ts from {b}.v order by id", "select {a}.f(), {b}.f()", "select {a}.reads_path(1)",
    "select length(nullif(current_setting('app.long', true), '')), md5(nullif(current_setting('app.long', true), ''))", "select now() = statement_timestamp()",
    "select name, setting from pg_settings where name ~ 'style|zone|path|mem|timeout|encoding|digits' order by name",
    "select pg_is_in_recovery(), current_setting('in_hot_standby')", "show is_superuser", "show session authorization", "show role", "show server_version",
    "select has_table_privilege('{a}.u', 'insert')", "select nullif(current_setting('app.stamp', true), ''), nullif(current_setting('app.compared', true), '')",
    "select nullif(current_setting('app.view', true), ''), nullif(current_setting('app.owner', true), ''), nullif(current_setting('app.deep', true), '')",
]  # fmt: skip
EVERYTHING = "select name, setting from pg_settings where name not like 'plpgsql.%' order by name"  # whatever leaks is in it


def path(m):
    return m.pick(PATHS).format(a=m.a, b=m.b)


def value(m, name):
    if name == "search_path":
        return path(m)
    values = SETTINGS[name]
    return values[-1] if m.chance(0.04) else m.pick(values[: max(1, len(values) - 1)] if len(values) > 2 else values)


def name(m):
    if m.chance(0.75):
        return m.pick(COMMON)
    return m.pick(NAMES)


def quoted(text):
    """A value of the table as a string constant."""
    return text if text.startswith("'") and text.count("'") == 2 else "'" + text.replace("'", "''") + "'"


def set_setting(m):
    n = name(m)
    v = value(m, n)
    form = m.pick(["set {n} = {v}", "set {n} to {v}", "SET SESSION {n} = {v}", "/* c */ set {n} /* = */ = {v} ", "set {n} to default"])
    return m.say("set", form.format(n=n, v=v))


def set_local(m):
    n = name(m)
    return m.say("set local", f"set local {n} to {value(m, n)}")


def reset(m):
    return m.say("reset", m.pick(["reset {n}", "reset {n}", "set {n} to default", "set session {n} = default"]).format(n=name(m)))


def set_config(m):
    n = name(m)
    local = m.pick(["false", "false", "true"])
    return m.say("set_config", f"select set_config('{n}', {quoted(value(m, n))}, {local})")


def set_special(m):
    return m.say("set special", m.pick([
        "set time zone 'Asia/Tokyo'", "set time zone interval '-08:00' hour to minute", "set time zone local", "set time zone default", "set time zone 5",
        "set local time zone 'UTC'", "set names 'LATIN1'", "set names 'UTF8'", "set names", "set xml option document", "set xml option content",
        "set schema '{a}'", "set session characteristics as transaction isolation level repeatable read", "set datestyle to postgres, dmy",
        "set session characteristics as transaction isolation level read committed, read write", "set search_path to {a}, \"{b}\", public",
        "select set_config('search_path', '{b}', false), set_config('app.tenant', 'both', false)", "set \"timezone\" to 'Asia/Tokyo'", "SET TimeZone='-02:30'",
        "update pg_settings set setting = '3MB' where name = 'work_mem'",
        "set transaction isolation level repeatable read", "reset session authorization",
        "select set_config('app.last', null, false)", "reset time zone", "reset no_such", "show no_such",
    ]).format(a=m.a, b=m.b))  # fmt: skip


def set_long(m):
    m.owed.append("reset app.long")
    return m.say("set long", f"set app.long = '{LONG[m.pick(sorted(LONG))]}'")


def set_read_only(m):
    m.owed.append("set default_transaction_read_only to off")
    return m.say("set read only", m.pick(["set default_transaction_read_only = on", "set session characteristics as transaction read only"]))


def set_role(m):
    m.owed.append(m.pick(["reset role", "set role none", "reset role"]))
    return m.say("set role", m.pick([
        "set role reader", "set role writer", "set session role reader", "set local role writer", "set role stranger", "set role 'app'", "set role nobody",
        "select set_config('role', 'reader', false)", "set role to writer", "set role boss",
    ]))  # fmt: skip


AUTHORIZATIONS = ["app", "'clerk'", "stranger", "boss"]


def set_authorization(m):
    m.owed.append(m.pick(["reset session authorization", "set session authorization default"]))
    who = m.pick(AUTHORIZATIONS)
    if who == "stranger" and "role=" in repr(m.startup):  # who may not take that role up: see normal.py
        who = "app"
    return m.say("set authorization", m.pick([f"set session authorization {who}"] * 3 + ["set local session authorization app", "set session session authorization reader"]))


def reset_all(m):
    return m.say("reset all", m.pick(["reset all", "RESET ALL", "reset /* really */ all"]))


def discard(m):
    what = m.pick(["plans", "sequences", "temp", "temporary"])
    return m.say("discard", f"discard {what}")


def discard_all(m):
    if m.status == "I":
        m.forget()
        return Step("discard all", *m.pick([[("query", "discard all")], [*m.extended("discard all"), ("sync",)]]))
    return Step("discard all", ("query", "discard all"))


def reset_only_parsed(m):
    """By a driver that prepares first. It is closed: bound later, it would run in whatever company."""
    return Step("reset only parsed", ("parse", "", m.pick(["reset all", "discard all"])), ("describe", "S", ""), ("sync",), ("close", "S", ""), ("sync",))


def show(m):
    n = name(m)
    if "." in n:
        return m.say("show", f"select nullif(current_setting('{n}', true), '')")
    return m.say("show", m.pick(["show {n}", "show {n}", "select current_setting('{n}', true)", "select current_setting('{n}')"]).format(n=n))


def showing(m):
    return m.say("showing", m.pick(SHOWING).format(a=m.a, b=m.b))


def everything(m):
    # PL/pgSQL's own settings are there once it has been used.
    return Step("all settings", ("query", m.pick([EVERYTHING, "do $$ begin end $$; show all"])))


MIX = [
    (7.0, "IT", set_setting), (2.0, "T", set_local), (0.15, "I", set_local), (2.2, "IT", reset), (2.5, "IT", set_config), (1.5, "IT", set_special), (0.06, "IT", set_long),
    (0.2, "IT", set_read_only), (0.7, "IT", set_role), (0.3, "IT", set_authorization), (0.7, "IT", reset_all), (0.5, "IT", discard), (0.5, "I", discard_all), (0.1, "IT", reset_only_parsed),
    (0.05, "TE", discard_all), (5.0, "ITE", show), (15.0, "IT", showing), (1.0, "E", showing), (0.4, "IT", everything),
]  # fmt: skip
