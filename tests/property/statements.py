"""Reads and writes of the pair's own tables, COPY, errors of many SQLSTATEs, DDL on scratch tables."""

from ops import Step

HINT = "/* rolecall: replica */ "
READS = [
    "select id, v from {a}.t where id = {n}", "select * from {a}.t where id <= 3 order by id", "select count(*), sum(n) from {b}.t", "select v from {a}.v order by id",
    "select t.v, u.v from {a}.t join {a}.u on u.t_id = t.id order by u.id", "select v from t where id = {n}", "select count(*) from u", "table {a}.u order by id",
    "with x as (select * from {b}.t where id < 4) select count(*), min(v) from x", "values (1, 'a'), (2, null)", "select generate_series(1, 3)", "select",
    "select {a}.f(), f()", "select {a}.reads({n})", "select lib.add({n}, 2), lib.double({n})", "select lib.setting('app.tenant')", "select 1 union all select 2 order by 1",
    "select id, v from {a}.u where v like '%u1%' order by id", HINT + "select v from {a}.t where id = {n}", "select max(id), min(v) from {a}.scratch",
    "/* rolecall: primary */ select v from {b}.t where id = {n}", "select exists (select from {a}.u where id = {n})", "select v from {b}.remembered order by id, v limit 3",
    "select repeat('long', 2000)", "select count(*), max(v) from {a}.stamped", "select i, repeat('x', 50) from generate_series(1, 200) i", "explain (costs off) select 1",
]  # fmt: skip
WRITES = [
    "insert into {a}.u values ({m}, 'new {m}', null) on conflict (id) do update set v = excluded.v || '+' returning id, v", "delete from {a}.u where id = {m}",
    "update {a}.t set n = n + 1, v = '{a} w{n}' where id = {n} returning n, v", "update {b}.t set f = f * 1.5 where id = {n}", "select {a}.grow({n})",
    "with x as (update {a}.t set n = n - 1 where id = {n} returning n) select n from x", "insert into {b}.scratch values ({n}, 'x') returning v",
    "delete from {b}.scratch", "truncate {b}.scratch", "insert into {a}.remembered values ({n}, 'r{n}')", "delete from {a}.remembered", "delete from {a}.stamped",
    "insert into {a}.stamped (v) values ('given'), ('twice')", "insert into {a}.stamped default values returning v", "update t set n = 0 where id = {n}",
    "insert into {a}.u (id, v) values ({m}, 'plain')", "select id from {a}.t where id = {n} for update", "update {a}.u set v = v where id = {n} returning id, v",
    "merge into {a}.u using (values ({m}, 'merged')) s (id, v) on u.id = s.id when matched then update set v = s.v when not matched then insert (id, v) values (s.id, s.v)",
    "insert into {b}.scratch select i, 'many' from generate_series(1, 20) i", "select {n} operator(lib.===) 3", "select {n}::lib.small_int", "select v from lib.setter",
]  # fmt: skip
ERRORS = [
    "selec 1", "select * from no_such_table", "select no_such_column from {a}.t", "select 1/0", "select 'x'::int", "insert into {a}.t (id) values (1)",
    "insert into {a}.u (id) values (99)", "insert into {a}.u values (99, 'v', 999)", "insert into {a}.u values (99, 'bad', 1)", "select no_such_function(1)",
    "select 2147483647 + 1", "select '2020-02-30'::date", "create table no_such_schema.x (a int)", "create table {a}.t (id int)", "drop table {a}.no_such", "drop table {a}.t restrict",
    "select (select id from {a}.t)", "select sum(sum(1))", "select 1 where 1", "select $1", "select sqrt(-1)", "select ''::numeric", "select chr(0)", "select '\\x0'::bytea",
    "select to_date('x', 'YYYY')", "select 'a' collate \"no_such\"", "select '{{bad'::jsonb", "select array[1,2] + 1", "alter system set work_mem = '1MB'; select 1",
    "select lib.fail('P0001', 'raised')", "select lib.fail('22012', 'as division')", "select lib.fail('ABCDE', 'a state of its own')", "select lib.fail('57014', 'as cancelled')",
    "select lib.fail('25006', 'as read only')", "select lib.fail('40001', 'as conflict')", "select lib.fail('0A000', 'as unsupported')", "select lib.fail('26000', 'as unknown')",
    "select 'unterminated", "select \"unterminated", "/* unterminated", "select $x$ unterminated", "create role app", "drop role no_such", "grant stranger to stranger",
    "select 200::lib.small_int", "select lib.run('select 1/0')", "do $$ begin assert false, 'asserted'; end $$", "select pg_sleep('x')", "set local statement_timeout = 30; select pg_sleep(20)",
    "copy {a}.t to '/tmp/no'", "select pg_read_file('/etc/no_such')", "security label on table {a}.t is 'x'", "fetch 1 from no_such_cursor",
    "close no_such_cursor", "execute no_such_statement", "deallocate no_such_statement", "unlisten", "reindex table {a}.no_such", "select lib.no_such()", "table", "insert into {a}.v values (1)",
]  # fmt: skip
NOTICES = [
    "select lib.say('notice', 'n')", "select lib.say('warning', 'w')", "select lib.say('info', 'i')", "select lib.say('log', 'l')", "select lib.say('other', 'own state')",
    "do $$ begin raise notice 'from do'; raise warning 'too'; end $$", "drop table if exists {a}.never_there",
    "select pg_advisory_unlock(4711, 1)", "drop function if exists {a}.never()", "set local work_mem = '1MB'",
]  # fmt: skip


def fill(m, text):
    return text.format(a=m.schema(), b=m.b, n=m.number(1, 12), m=m.number(20, 30))


def read(m):
    return m.say("read", fill(m, m.pick(READS)))


def write(m):
    return m.say("write", fill(m, m.pick(WRITES)))


def error(m):
    if m.chance(0.9):
        return m.say("error", fill(m, m.pick(ERRORS)))
    step = m.say("error", m.pick(['select "x', "select 'y", "\ufeffselect 1", "select \udce9", ";", "select 1;;"]))
    unread = any(op[0] == "parse" and "\udce9" in op[2] for op in step.ops)
    return Step(step.label, *step.ops, ("close", "S", ""), ("sync",)) if unread else step


def notice(m):
    return m.say("notice", fill(m, m.pick(NOTICES)))


def several(m):
    """A simple query of several statements: one transaction, unless one of them ends it."""
    made = [fill(m, m.pick(m.pick([READS, WRITES, READS]))) for _ in range(m.number(2, 3))]
    extra = m.pick([None, "set app.tenant = 'several'", "set search_path = {b}", "select 1/0", "commit", "rollback", "begin", "set timezone = 'UTC'", "reset all",
                    "select set_config('app.last', 'several', false)", "set local app.last = 'local'", "savepoint x"])  # fmt: skip
    if extra and not (m.startup and extra == "reset all"):
        made.insert(m.number(0, len(made)), extra.format(b=m.b))
    made = [text.removeprefix(HINT) for text in made]  # in front of the string it would be for all, functions that write among them
    return Step("several", ("query", m.pick(["; ", ";\n-- and\n", ";"]).join(made)))


def pipeline(m):
    """Several statements before one Sync; an error ends them all."""
    ops = []
    for _ in range(m.number(2, 5)):
        kind = m.pick([READS, READS, WRITES, None, None])
        ops += m.extended(fill(m, m.pick(kind)) if kind else m.filler())
        if m.chance(0.08):
            ops += m.extended(fill(m, m.pick(ERRORS)))
        if m.chance(0.05):
            ops.append(("flush",))
        if m.chance(0.15):
            ops.append(("sync",))
    return Step("pipeline", *ops, ("sync",))


def pipeline_of_queries(m):
    """Several steps sent at once: the next one comes before the answer to the one before."""
    return Step("queries at once", *(op for _ in range(m.number(2, 4)) for op in m.pick([
        [("query", fill(m, m.pick(READS)))], [("query", fill(m, m.pick(WRITES)))], [*m.extended(m.filler()), ("sync",)], [("query", m.filler())],
    ])))  # fmt: skip


COPY_DATA = ["1\tone\n2\ttwo\n", "3\t\\N\n\\.\n", "", "not a number\tx\n", "4\n", "5\tf\u00fcnf\n6\tsechs"]


def copy_in(m):
    target = m.pick(["copy {b}.scratch from stdin", "copy {b}.scratch (id, v) from stdin", "copy scratch from stdin", "copy {b}.no_such from stdin",
                     "COPY {b}.scratch FROM STDIN WITH (FORMAT text)", "copy {b}.remembered from stdin"])  # fmt: skip
    data = [("data", m.pick(COPY_DATA)) for _ in range(m.number(0, 3))]
    end = ("fail", "thought better of it") if m.chance(0.15) else ("done",)
    target = target.format(b=m.b)
    if m.chance(0.7):
        return Step("copy in", ("query", target), *data, end)
    # The unnamed statement is given up: another Bind of it would wait for data, or lose what is in step.
    return Step("copy in", *m.extended(target), *data, end, ("sync",), ("close", "S", ""), ("sync",))


def copy_out(m):
    return m.say("copy out", m.pick([
        "copy (select id, v, d, ts, f, b from {a}.t order by id) to stdout", "copy (select 1, 'x', null) to stdout (format csv, header)", "copy (select ts from {b}.t where id = 1) to stdout binary",
        "copy (select nullif(current_setting('app.tenant', true), ''), current_user) to stdout", "copy {a}.no_such to stdout", "copy (select 1/0) to stdout", "copy (select f()) to stdout",
        "copy (select repeat('y', 1000) from generate_series(1, 100)) to stdout", "copy (delete from {b}.scratch returning 1) to stdout", "copy (select 1) to stdout encoding 'LATIN1'",
    ]).format(a=m.a, b=m.b))  # fmt: skip


DDL = [
    "create table {b}.made (a int)", "drop table if exists {b}.made", "create table {b}.made as select 1 as a", "alter table {b}.scratch add column if not exists extra int",
    "create or replace view {b}.made_view as select nullif(current_setting('app.tenant', true), '') as tenant", "create index if not exists made_index on {b}.scratch (id)", "drop index if exists {b}.made_index",
    "create or replace function {b}.made() returns text language plpgsql as $f$ begin perform set_config('app.last', 'made {n}', false); return 'made'; end $f$",
    "create or replace function {b}.made() returns text stable language sql as $f$ select 'made stable {n}' $f$", "comment on table {b}.scratch is 'c'", "analyze {b}.scratch",
    "create unlogged table if not exists {b}.made (a int)", "grant select on {b}.scratch to reader", "revoke select on {b}.scratch from reader", "vacuum {b}.scratch",
    "create table if not exists {a}.t (id int)", "create schema if not exists {a}", "alter function {b}.made() rename to made_otherwise", "alter function {b}.made_otherwise() rename to made",
]  # fmt: skip
AFTER_DDL = ["select {b}.made()", "select made()", "select * from {b}.made_view", "select count(*) from {b}.made", "select {b}.made_otherwise()", "select nullif(current_setting('app.last', true), '')"]


def ddl(m):
    m.planned[:0] = [m.say("after ddl", m.pick(AFTER_DDL).format(b=m.b)) for _ in range(m.number(1, 2))]
    return m.say("ddl", fill(m, m.pick(DDL)))


MIX = [
    (13, "IT", read), (1.5, "E", read), (7, "IT", write), (1.6, "I", error), (0.6, "T", error), (0.7, "E", error), (1.2, "IT", notice), (2.5, "IT", several), (0.5, "E", several),
    (2.5, "IT", pipeline), (0.4, "E", pipeline), (1.2, "IT", pipeline_of_queries), (0.3, "E", pipeline_of_queries), (0.6, "IT", copy_in), (0.1, "E", copy_in), (0.5, "IT", copy_out), (0.08, "IT", ddl),
]  # fmt: skip
