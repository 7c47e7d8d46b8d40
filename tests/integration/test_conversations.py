"""
Every conversation below gives the same messages, byte by byte, through rolecall as from PostgreSQL itself.

A conversation is a list of writes; after each write everything up to the wanted number of ReadyForQuery (or another
last message) is read. Left out of the comparison: ParameterStatus, since rolecall may report one earlier, and the
process id inside a NotificationResponse, the OID of a table made meanwhile, the name of a temporary schema.
"""

import re
import struct

import pytest

from lib.wire import (
    Wire, bind, close, copy_data, copy_done, copy_fail, describe, execute, flush, kinds, message, parse, query, sync, text,
)

ENDPOINTS = ["split", "split-session", "primary", "primary-session", "primary-none"]


class Until:
    """Read until `last` has come `times` times."""

    def __init__(self, *writes, last="Z", times=1):
        self.bytes = b"".join(writes)
        self.last = last
        self.times = times


def q(*statements):
    """Each in a message of its own, all in one write."""
    return Until(*[query(s) for s in statements], times=len(statements))


def batch(*messages, last="Z", times=1):
    return Until(*messages, last=last, times=times)


def call(sql, *values, name="", portal="", rows=0, described=True):
    parts = [parse(name, sql), bind(portal, name, values)]
    if described:
        parts.append(describe("P", portal))
    return b"".join(parts) + execute(portal, rows)


FASTPATH_INT4PL = message("F", struct.pack("!IHHH", 177, 1, 1, 2) + struct.pack("!ii", 4, 20) + struct.pack("!ii", 4, 22) + struct.pack("!H", 1))

CONVERSATIONS = {
    # Simple queries.
    "a query": [q("select 1 as one, 'x' as two, null")],
    "no columns": [q("select"), q("select from generate_series(1, 3)")],
    "an empty query": [q(""), q(" ; ;"), q("-- nothing")],
    "several statements": [q("select 1; select 2; select 3 where false")],
    "an error": [q("select 1/0"), q("selec"), q("select * from no_such_table"), q("select 'x'::int")],
    "an error among several": [q("select 1; select 1/0; select 2"), q("select 3")],
    "queries in one write": [q("select 1", "select 2", "select 1/0", "select 3")],
    "a transaction": [q("begin"), q("create temp table c (a int primary key) on commit drop"), q("insert into c values (1), (2)"),
                      q("select * from c"), q("commit")],
    "a failed transaction": [q("begin"), q("select 1/0"), q("select 1"), q("commit"), q("select 2")],
    "a rolled back one": [q("begin; select 1"), q("rollback"), q("rollback")],
    "savepoints": [q("begin"), q("savepoint a"), q("select 1/0"), q("rollback to a"), q("select 1"), q("release a"), q("commit")],
    "chained": [q("begin"), q("commit and chain"), q("select 1"), q("rollback and chain"), q("rollback")],
    "read only": [q("begin read only"), q("select 1"), q("create table nope (a int)"), q("rollback")],
    "set transaction": [q("begin"), q("set transaction isolation level serializable read only deferrable"),
                        q("show transaction_isolation"), q("commit")],
    "settings": [q("set work_mem = '5MB'"), q("show work_mem"), q("reset work_mem"), q("show work_mem"),
                 q("set datestyle = german"), q("select date '2020-02-03'"), q("reset all"), q("select date '2020-02-03'")],
    "a setting undone by an error": [q("set work_mem = '5MB'; select 1/0"), q("show work_mem")],
    "a local setting": [q("begin"), q("set local work_mem = '6MB'"), q("show work_mem"), q("commit"), q("show work_mem")],
    "a notice": [q("do $$ begin raise notice 'first'; raise warning 'second %', 2; end $$"), q("drop table if exists no_such")],
    "an error with every field": [q("do $$ begin raise exception 'm' using detail = 'd', hint = 'h', errcode = '22012', "
                                    "column = 'c', constraint = 'k', table = 't', schema = 's', datatype = 'y'; end $$")],
    "dollar quotes and comments": [q("select $a$ ; select 1/0 $a$ /* ; /* ; */ select */ -- ;\n, 2; select E'\\';', U&'\\0041'")],
    "a temporary table": [q("create temp table c (a int)"), q("insert into c select generate_series(1, 5)"), q("select sum(a) from c"), q("drop table c")],
    "SQL prepare": [q("prepare p (int) as select $1 + 1"), q("execute p (4)"), q("execute p (5)"), q("deallocate p"), q("execute p (6)")],
    "cursors": [q("begin"), q("declare c cursor for select generate_series(1, 5)"), q("fetch 2 from c"), q("move 1 in c"), q("fetch all from c"), q("close c"), q("commit")],
    "a cursor with hold": [q("declare c cursor with hold for select generate_series(1, 5)"), q("fetch 2 from c"), q("fetch 2 from c"), q("close c")],
    "notifications": [q("listen x"), q("notify x, 'hello'"), q("select pg_notify('x', 'again')"), q("unlisten *")],
    "advisory locks": [q("select pg_advisory_lock(77)"), q("select pg_advisory_unlock(77)"), q("select pg_advisory_unlock(77)")],
    "sequences": [q("create temp sequence c"), q("select nextval('c')"), q("select currval('c')"), q("select lastval()")],
    "explain": [q("explain (costs off) select 1"), q("explain (costs off, analyze, timing off, summary off) select 1")],
    "discard": [q("set work_mem = '5MB'"), q("discard all"), q("show work_mem")],
    "a set role that fails": [q("set role no_such_role"), q("select current_user")],
    "large values": [q("select repeat('x', 1000000)", "select length(repeat('y', 3000000))"), q("select repeat('z', 100) from generate_series(1, 20000)")],
    "a large statement": [q("select length('" + "x" * 2_000_000 + "')"), q("select 1")],
    "a comment alone in front": [q("/* hello */ select 1"), q("-- hello\nselect 2")],
    "with queries": [q("with a as (select 1 as x) select * from a"), q("values (1), (2)"), q("table pg_no_such")],
    # The extended protocol.
    "unnamed": [batch(call("select $1::int + 1", 41), sync())],
    "undescribed": [batch(call("select 1", described=False), sync())],
    "two executions": [batch(call("select $1::int", 1), call("select $1::text", "x"), sync())],
    "named and kept": [batch(parse("s", "select $1::int * 2"), describe("S", "s"), sync()), batch(bind("", "s", [4]), execute(), sync()),
                       batch(bind("", "s", [5]), execute(), sync()), q("select 1"), batch(bind("", "s", [6]), execute(), sync())],
    "closed": [batch(parse("s", "select 1"), sync()), batch(close("S", "s"), sync()), batch(bind("", "s"), execute(), sync())],
    "closing what is not there": [batch(close("S", "nope"), close("P", "nope"), sync())],
    "a name taken": [batch(parse("s", "select 1"), sync()), batch(parse("s", "select 2"), sync()), batch(bind("", "s"), execute(), sync())],
    "a name used again in one batch": [batch(parse("s", "select 1"), close("S", "s"), parse("s", "select 2"), bind("", "s"), execute(), sync())],
    "unnamed across batches": [batch(parse("", "select $1::int"), sync()), batch(bind("", "", [8]), execute(), sync()), batch(bind("", "", [9]), execute(), sync())],
    "unnamed forgotten": [batch(parse("", "select 1"), sync()), q("select 2"), batch(bind("", ""), execute(), sync())],
    "unnamed after a failed parse": [batch(parse("", "select 1"), sync()), batch(parse("", "selec"), sync()), batch(bind("", ""), execute(), sync())],
    "types given": [batch(parse("s", "select $1, $2", [23, 25]), describe("S", "s"), bind("", "s", [1, "x"]), execute(), sync())],
    "nulls": [batch(call("select $1::int is null, $2::text", None, None), sync())],
    "binary": [batch(parse("", "select $1::int, 'x'::text"), bind("", "", [1], [1]), describe(), execute(), sync()),
               batch(parse("", "select 1::int8, 2::int2"), bind("", "", [], [1, 0]), describe(), execute(), sync())],
    "too few values": [batch(call("select $1::int, $2::int", 1), sync()), q("select 1")],
    "a parse error": [batch(call("selec"), sync()), batch(call("select 1; select 2"), sync()), q("select 1")],
    "a bind error": [batch(call("select $1::int", "x"), sync()), q("select 1")],
    "an execute error": [batch(call("select 1/$1::int", 0), sync()), q("select 1")],
    "an empty statement": [batch(call(""), sync())],
    "no portal": [batch(execute("nope"), sync()), batch(describe("P", "nope"), sync()), batch(describe("S", "nope"), sync())],
    "an error in the middle": [batch(call("select 1"), call("select 1/0"), call("select 3"), sync()), q("select 4")],
    "batches in one write": [batch(call("select 1"), sync(), call("select 2"), sync(), call("select 3"), sync(), times=3)],
    "batches with an error in the middle": [batch(call("select 1"), sync(), call("select 1/0"), call("select 2"), sync(), call("select 3"), sync(), times=3)],
    "batches and queries in one write": [batch(call("select 1"), sync(), query("select 2"), call("select 3"), sync(), query("select 1/0"), query("select 4"), times=5)],
    "a hundred batches": [batch(*[call("select $1::int", i) + sync() for i in range(100)], times=100)],
    "named in one write": [batch(parse("s", "select $1::int"), sync(), *[bind("", "s", [i]) + execute() + sync() for i in range(20)], close("S", "s"), sync(), times=22)],
    "a transaction in batches": [batch(call("begin"), sync()), batch(call("create temp table c (a int) on commit drop"), sync()),
                                 batch(call("insert into c values ($1::int) returning a", 5), sync()), batch(call("select a from c"), sync()), batch(call("commit"), sync())],
    "a transaction in one write": [batch(call("begin"), sync(), call("select 1"), sync(), call("select 1/0"), sync(), call("select 2"), sync(), call("rollback"), sync(), times=5)],
    "writes and reads in one write": [q("create temp table c (a int)"), batch(call("insert into c values (1)"), sync(), call("select * from c"), sync(),
                                       call("update c set a = 2"), sync(), call("select * from c"), sync(), times=4)],
    "an implicit transaction": [q("create temp table c (a int primary key)"), batch(call("insert into c values (1)"), call("insert into c values (1)"), sync()), q("select count(*) from c")],
    "rows suspended": [q("begin"), batch(call("select generate_series(1, 5)", rows=2), sync()), batch(execute("", 2), sync()), q("commit")],
    "a portal kept": [q("begin"), batch(parse("s", "select generate_series(1, 5)"), bind("p", "s"), execute("p", 2), sync()), batch(execute("p", 2), sync()),
                      batch(execute("p", 2), sync()), batch(execute("p", 2), close("P", "p"), sync()), q("commit")],
    "rows in pieces, one batch": [batch(call("select generate_series(1, 5)", rows=2), execute("", 2), execute("", 2), execute("", 2), sync())],
    "one row of many": [batch(call("select generate_series(1, 5)", rows=1), sync()), q("select 1")],
    "a portal gone with its transaction": [batch(parse("", "select 1"), bind("p", ""), sync()), batch(execute("p"), sync())],
    "two portals": [q("begin"), batch(parse("s", "select generate_series(1, $1::int)"), bind("a", "s", [3]), bind("b", "s", [2]), execute("a", 1), execute("b", 1), execute("a", 1), execute("b"), execute("a"), sync()), q("commit")],
    "flush after describe": [batch(parse("", "select $1::int"), describe("S", ""), flush(), last="T"), batch(bind("", "", [3]), execute(), sync())],
    "flush after named": [batch(parse("s", "select 1"), describe("S", "s"), flush(), last="T"), batch(sync()), batch(bind("", "s"), execute(), sync())],
    "flush after execute": [batch(call("select 1"), flush(), last="C"), batch(call("select 2"), flush(), last="C"), batch(sync())],
    "flush alone": [batch(flush(), sync()), batch(flush(), flush(), call("select 1"), sync())],
    "an error after flush": [batch(call("select 1/0"), flush(), last="E"), batch(call("select 1"), sync())],
    "syncs alone": [batch(sync()), batch(sync(), sync(), sync(), times=3)],
    "describe a write": [q("create temp table c (a int)"), batch(parse("s", "insert into c values ($1) returning a"), describe("S", "s"), sync()), batch(bind("", "s", [1]), describe(), execute(), sync())],
    "utility by extended": [batch(call("set work_mem = '5MB'"), sync()), batch(call("show work_mem"), sync()), batch(call("reset work_mem"), sync())],
    "prepared before a setting": [batch(parse("s", "select date '2020-02-03'::text"), sync()), batch(bind("", "s"), execute(), sync()), q("set datestyle = german"), batch(bind("", "s"), execute(), sync())],
    "discard forgets statements": [batch(parse("s", "select 1"), sync()), q("discard all"), batch(bind("", "s"), execute(), sync())],
    "deallocate by SQL": [batch(parse("s", "select 1"), sync()), q("deallocate s"), batch(bind("", "s"), execute(), sync())],
    "deallocate all": [batch(parse("s", "select 1"), sync()), q("deallocate all"), batch(bind("", "s"), execute(), sync()), batch(parse("s", "select 2"), bind("", "s"), execute(), sync())],
    "execute by SQL what the protocol prepared": [batch(parse("s", "select $1::int"), sync()), q("execute s (3)")],
    "bind what SQL prepared": [q("prepare s as select 5"), batch(bind("", "s"), describe(), execute(), sync())],
    "a long name": [batch(parse("n" * 200, "select 1"), sync()), batch(bind("", "n" * 200), execute(), sync()), batch(close("S", "n" * 200), sync())],
    "large parameters": [batch(call("select length($1)", "x" * 1_000_000), sync()), batch(call("select $1::text", "y" * 300_000), sync())],
    "many parameters": [batch(parse("", "select " + " + ".join(f"${i + 1}::int" for i in range(200))), bind("", "", range(200)), execute(), sync())],
    "a function call": [batch(FASTPATH_INT4PL)],
    # COPY.
    "copy out": [q("copy (select generate_series(1, 5), 'x') to stdout"), q("select 1")],
    "copy out, csv": [q("copy (select 1, 'a,b') to stdout csv header")],
    "copy out fails": [q("copy (select 1/(3-x) from generate_series(1, 5) x) to stdout"), q("select 1")],
    "copy in": [q("create temp table c (a int, b text)"), batch(query("copy c from stdin"), last="G"), batch(copy_data(b"1\tx\n"), copy_data(b"2\ty\n3"), copy_data(b"\tz\n"), copy_done()), q("select * from c")],
    "copy in at once": [q("create temp table c (a int)"), batch(query("copy c from stdin"), copy_data(b"1\n2\n"), copy_done()), q("select sum(a) from c")],
    "copy in given up": [q("create temp table c (a int)"), batch(query("copy c from stdin"), last="G"), batch(copy_data(b"1\n"), copy_fail("no more")), q("select count(*) from c")],
    "copy in refused": [q("create temp table c (a int)"), batch(query("copy c from stdin"), last="G"), batch(copy_data(b"x\n"), copy_done()), q("select count(*) from c")],
    "copy in refused, more data follow": [q("create temp table c (a int)"), batch(query("copy c from stdin"), last="G"), batch(copy_data(b"x\n"), *[copy_data(b"1\n")] * 100, copy_done()), q("select 1")],
    "copy among statements": [q("create temp table c (a int)"), batch(query("insert into c values (9); copy c from stdin; select sum(a) from c"), last="G"), batch(copy_data(b"1\n"), copy_done())],
    "copy out and in": [q("create temp table c (a int)"), batch(query("copy (select 1) to stdout; copy c from stdin; copy c to stdout"), last="G"), batch(copy_data(b"7\n"), copy_done())],
    "copy by extended": [q("create temp table c (a int)"), batch(call("copy c from stdin", described=False), flush(), last="G"), batch(copy_data(b"1\n"), copy_done(), sync()), q("select * from c")],
    "copy by extended, in one write": [q("create temp table c (a int)"), batch(call("copy c from stdin", described=False), copy_data(b"4\n"), copy_done(), sync()), q("select * from c")],
    "copy out by extended": [batch(call("copy (select generate_series(1, 3)) to stdout"), sync())],
    "copy by extended, refused": [q("create temp table c (a int)"), batch(call("copy c from stdin", described=False), flush(), last="G"), batch(copy_data(b"x\n"), copy_done(), sync()), q("select 1")],
    "copy in a transaction": [q("create temp table c (a int)"), q("begin"), batch(query("copy c from stdin"), last="G"), batch(copy_data(b"1\n"), copy_done()), q("rollback"), q("select count(*) from c")],
    "copy messages when none is wanted": [batch(copy_data(b"x"), copy_done(), query("select 1")), batch(copy_fail("x"), sync())],
    "copy much": [q("copy (select repeat('x', 100) from generate_series(1, 30000)) to stdout")],
}


def comparable(m):
    if m.kind == "A":
        return m.kind, b"pid." + m.payload[4:]
    if m.kind == "T":
        payload, at = bytearray(m.payload), 2
        for _ in m.columns:
            at = payload.index(b"\0", at) + 1
            if struct.unpack_from("!I", payload, at)[0] >= 16384:
                struct.pack_into("!I", payload, at, 16384)
            at += 18
        return m.kind, bytes(payload)
    if m.kind == "E":
        return m.kind, re.sub(rb"pg_temp_\d+", b"pg_temp", m.payload)
    return m.kind, m.payload


def talk(port, steps):
    transcript = []
    with Wire(port) as w:
        w.login()
        for step in steps:
            w.send(step.bytes)
            for _ in range(step.times):
                while True:
                    m = w.receive()
                    if m.kind != "S":
                        transcript.append(comparable(m))
                    if m.kind == step.last:
                        break
        w.send(message("X"))
    return transcript


@pytest.fixture(scope="module")
def expected(cluster):
    """From the primary itself, once per conversation."""
    known = {}

    def of(name):
        if name not in known:
            known[name] = talk(cluster.primary.port, CONVERSATIONS[name])
        return known[name]

    return of


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_is_as_with_postgresql(rolecall, expected, endpoint, name):
    got = talk(rolecall.ports[endpoint], CONVERSATIONS[name])
    want = expected(name)
    assert "".join(kind for kind, _ in got) == "".join(kind for kind, _ in want)
    for mine, theirs in zip(got, want):
        assert mine == theirs


def test_the_table_of_conversations_covers_the_protocol(expected):
    """Guards the table: together the conversations see every message that a server sends after login."""
    seen = {kind for name in CONVERSATIONS for kind, _ in expected(name)}
    assert seen >= set("123ACDEGHINTVZcdnst")
    assert text("x") == b"x\0" and kinds([]) == ""
