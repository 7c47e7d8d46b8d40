"""asyncpg with its defaults: every statement is prepared, up to 100 are kept, and a pool resets what comes back to it."""

import asyncio
import datetime as dt
import io
import json
import uuid
from decimal import Decimal
from ipaddress import ip_address, ip_network

import asyncpg

from program import scenario, serve_async

UTC = dt.timezone.utc
VALUES = [
    (True, "bool"), (-7, "int2"), (123456, "int4"), (1 << 40, "int8"), (1.5, "float8"), (float("-inf"), "float8"),
    (Decimal("12.340"), "numeric"), ("a 'b' \\ é ☃", "text"), ("", "varchar"), (b"\x00\xff'\\", "bytea"), (None, "text"),
    (dt.date(2024, 2, 29), "date"), (dt.time(23, 59, 59, 999999), "time"), (dt.datetime(2024, 2, 29, 1, 2, 3, 4), "timestamp"),
    (dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC), "timestamptz"), (dt.timedelta(days=3, seconds=4, microseconds=5), "interval"),
    (uuid.UUID(int=42), "uuid"), ([1, None, 3], "int4[]"), (["a", 'b"c', ""], "text[]"), ([[1, 2], [3, 4]], "int8[]"),
    (ip_address("10.0.0.1"), "inet"), (ip_network("10.0.0.0/8"), "cidr"), (asyncpg.Range(1, 5), "int4range"),
    ('{"a": [1, null]}', "json"), (asyncpg.BitString("101"), "bit(3)"), (asyncpg.Point(1.5, 2), "point"),
]  # fmt: skip
COUNT = "select count(*) from dr_rows where who = $1"
INSERT = "insert into dr_rows values ($1, $2, $3)"


def connect(**options):
    return asyncpg.connect(timeout=30, **options)


async def code(awaitable):
    """The SQLSTATE that a call ends with, or the driver's own error."""
    try:
        await awaitable
    except asyncpg.PostgresError as error:
        return f"{type(error).__name__} {error.sqlstate}"
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncio.TimeoutError) as error:
        return type(error).__name__
    return None


async def neighbour(c, me):
    assert await c.fetchval("select $1::int", me.number) == me.number
    row = await c.fetchrow("select current_user, current_setting('search_path'), current_setting('TimeZone'), to_regclass('dr_temporary')")
    assert tuple(row) == ("app", '"$user", public', c.get_settings().TimeZone, None), row


@scenario(some=4)
async def usual_options(c, me):
    own = await connect(server_settings={"application_name": f"program {me.number}", "search_path": "dr_b", "work_mem": "3MB"})
    assert await own.fetchval("show application_name") == f"program {me.number}"
    answers = [await own.fetchval("select name from dr_where"), await own.fetchval("show work_mem")]
    await own.close()
    settings = c.get_settings()
    reported = {name: getattr(settings, name) for name in ("client_encoding", "DateStyle", "TimeZone", "in_hot_standby", "is_superuser",
                                                           "default_transaction_read_only", "session_authorization", "server_version")}
    return answers, reported, repr(c.get_server_version())


@scenario(some=8)
async def types(c, me):
    for given, type_name in VALUES:
        got = await c.fetchval(f"select $1::{type_name}", given)
        assert got == given, (type_name, got)
    assert await c.fetchval("select $1::dr_mood", "busy") == "busy"
    pair = await c.fetchval("select $1::dr_pair", (7, "calm"))
    pairs = await c.fetchval("select array_agg($1::dr_pair) from dr_fixed where n < 3", (8, "busy"))
    assert tuple(pair) == (7, "calm") and [p["n"] for p in pairs] == [8, 8]
    await c.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    document = {"a": [1, None, "é"], "number": me.number}
    assert await c.fetchval("select $1::jsonb || '{}'", document) == document
    await c.reset_type_codec("jsonb", schema="pg_catalog")
    await c.set_type_codec("dr_mood", encoder=str.lower, decoder=str.upper)
    assert await c.fetchval("select $1::dr_mood", "CALM") == "CALM"
    await c.reset_type_codec("dr_mood")
    return repr(await c.fetch("select n, t, null, 2.50 as d from dr_fixed where n < 4")), await c.execute("select 1; select 'x'; select n from dr_fixed")


@scenario()
async def prepares_by_itself(c, me):
    for n in range(12):
        row = await c.fetchrow("select count(*), $1::int from dr_fixed where n <= $2", me.number, n)
        assert tuple(row) == (n, me.number)
    for n in range(10):
        assert await c.execute(INSERT, me.key, n, "x") == "INSERT 0 1"
        assert await c.fetchval(COUNT, me.key) == n + 1
    statement = await c.prepare("select n, t from dr_fixed where n between $1 and $2 order by n")
    for n in range(1, 8):
        assert [row["n"] for row in await statement.fetch(n, n + 3)] == list(range(n, n + 4))
    return repr(statement.get_attributes()), repr(statement.get_parameters()), statement.get_statusmsg()


@scenario(some=6)
async def many_statements(c, me):
    """More than it keeps: the oldest are closed. Those that the program prepares itself are not."""
    kept = [(n, await c.prepare(f"select t from dr_fixed where n = {n}")) for n in range(1, 20)]
    for statement in [*range(104), *range(10)]:
        assert await c.fetchval(f"select $1::int + {statement}", me.number) == me.number + statement
    return [await statement.fetchval() for _, statement in kept]


@scenario()
async def transactions(c, me):
    async with c.transaction():
        await c.execute(INSERT, me.key, 1, "kept")
        assert await c.fetchval(COUNT, me.key) == 1 and c.is_in_transaction()
    undone = c.transaction(isolation="repeatable_read")
    await undone.start()
    await c.execute(INSERT, me.key, 2, "undone")
    await undone.rollback()
    assert await c.fetchval(COUNT, me.key) == 1 and not c.is_in_transaction()
    async with c.transaction(isolation="serializable", deferrable=True, readonly=True):
        levels = [await c.fetchval(f"show transaction_{name}") for name in ("isolation", "read_only", "deferrable")]
        assert await c.fetchval(COUNT, me.key) == 1
    await c.execute("begin; update dr_rows set t = t || '!' where who = %d; commit" % me.key)
    return levels, await c.fetchval("select t from dr_rows where who = $1", me.key)


@scenario()
async def savepoints(c, me):
    async with c.transaction():
        await c.execute(INSERT, me.key, 1, "x")
        async with c.transaction():
            await c.execute(INSERT, me.key, 2, "x")
            failed = await code(undone_inside(c, me))
            assert await c.fetchval(COUNT, me.key) == 2
        nested = c.transaction()
        await nested.start()
        await c.execute("delete from dr_rows where who = $1", me.key)
        assert await c.fetchval(COUNT, me.key) == 0
        await nested.rollback()
    assert await c.fetchval(COUNT, me.key) == 2
    return failed


async def undone_inside(c, me):
    async with c.transaction():
        await c.execute(INSERT, me.key, 3, "x")
        await c.execute(INSERT, me.key, 3, "twice")


@scenario()
async def read_only(c, me):
    answers = []
    async with c.transaction(readonly=True):
        answers += [await c.fetchval("select count(*) from dr_fixed"), await c.fetchval("show transaction_read_only")]
        answers += [await c.fetchval("select sum(n) from dr_fixed where n <= $1", n) for n in range(1, 8)]
    refused = c.transaction(readonly=True)
    await refused.start()
    answers += [await code(c.execute(INSERT, me.key, 1, "x")), await code(c.fetchval("select 1"))]
    await refused.rollback()
    await c.execute(INSERT, me.key, 1, "x")
    return answers, await c.fetchval(COUNT, me.key)


@scenario()
async def cursors(c, me):
    async with c.transaction():
        total = 0
        other = await c.cursor("select n * $1::int as n from dr_fixed order by n limit 20", 2)
        async for row in c.cursor("select n from dr_fixed order by n", prefetch=100):
            total += row["n"]
            if row["n"] == 150:
                first = [row["n"] for row in await other.fetch(3)]
        assert total == 500500
        skipped = await other.forward(4)
        rest = await other.fetchrow()
    outside = await code(other.fetch(1))
    return first, skipped, rest["n"], outside


@scenario()
async def copies(c, me):
    rows = [(n, f"row {n}\t\\ é") for n in range(500)]
    answers = [await c.copy_records_to_table("dr_rows", records=[(me.key, *row) for row in rows])]
    text = io.BytesIO()
    answers.append(await c.copy_from_query("select n, t from dr_rows where who = $1 order by n", me.key, output=text))
    answers.append(text.getvalue().decode())
    assert len(text.getvalue().splitlines()) == 500
    source = io.BytesIO(f"{me.key},-1,of a file\n".encode())
    answers.append(await c.copy_to_table("dr_rows", source=source, columns=("who", "n", "t"), format="csv"))
    answers.append(await code(c.copy_records_to_table("dr_rows", records=[(me.key, 0, "twice")])))
    answers.append(await code(c.copy_to_table("dr_rows", source=io.BytesIO(b"nonsense\n"))))

    async def changes_its_mind():
        yield b"1\t2"
        raise KeyError

    try:
        await c.copy_to_table("dr_rows", source=changes_its_mind())
    except KeyError:
        answers.append("its own error")
    assert await c.fetchval(COUNT, me.key) == 501
    return answers


@scenario(some=2)
async def notifications(c, me):
    heard = asyncio.Queue()
    channel, answers = f"channel_{me.key}", []

    def listener(_c, _pid, _channel, payload):
        heard.put_nowait(payload)

    await c.add_listener(channel, listener)
    await c.execute(f"notify {channel}, 'own'")
    answers.append(await heard.get())
    async with c.transaction():
        await c.execute(f"notify {channel}, 'in a transaction'")
        await c.fetchval("select 1")
        assert heard.empty()
    answers.append(await heard.get())
    other = await connect()
    await other.execute("select pg_notify($1, $2)", channel, "of another")
    answers.append(await heard.get())
    await c.remove_listener(channel, listener)
    await other.execute("select pg_notify($1, $2)", channel, "not heard")
    assert await c.fetchval("select 1") == 1 and heard.empty()
    await other.close()
    return answers


@scenario(some=2)
async def temporary_tables(c, me):
    await c.execute("create temporary table dr_temporary (n int, who int)")
    await c.copy_records_to_table("dr_temporary", records=[(n, me.key) for n in range(8)])
    async with c.transaction():
        await c.execute("create temporary table dr_short on commit drop as select n from dr_temporary")
        short = await c.fetchval("select count(*) from dr_short")
    kept = await c.fetchval("select count(*) from dr_temporary where who = $1", me.key)
    gone = await code(c.execute("select * from dr_short"))
    await c.execute("drop table dr_temporary")
    return short, kept, gone, await code(c.execute("select * from dr_temporary"))


@scenario(some=2)
async def advisory_locks(c, me):
    await c.execute("select pg_advisory_lock($1)", me.key)
    other = await connect()
    assert await other.fetchval("select pg_try_advisory_lock($1)", me.key) is False
    await c.reset()  # gives it back
    taken = await other.fetchval("select pg_try_advisory_lock($1)", me.key)
    await other.close()
    return taken


@scenario()
async def resets(c, me):
    """What its pool does with every connection that comes back."""
    for n in range(5):
        assert await c.fetchval("select $1::int from dr_fixed limit 1", n) == n
        await c.reset()
    left_open = c.transaction()
    await left_open.start()
    await c.execute(INSERT, me.key, 1, "x")
    c._loop.set_exception_handler(lambda *_: None)  # it complains
    await c.reset()
    return await c.fetchval(COUNT, me.key), c.is_in_transaction()


@scenario()
async def settings(c, me):
    """Every connection has settings of its own, all at the same time: they stay with it, and are not another's."""
    schema, zone, user = ("dr_a", "dr_b")[me.number % 2], me.number % 12 + 1, ("app", "dr_reader")[me.number % 3 == 0]
    await c.execute(f"set search_path = {schema}, public; set role {user}")
    await c.execute("select set_config('TimeZone', $1, false), set_config('app.tenant', $2, false)", f"Etc/GMT-{zone}", str(me.number))
    await me.meet()
    for n in range(8):
        assert await c.fetchval("select name from dr_where where $1::int >= 0", n) == schema[-1]
        assert await c.fetchval("select '2024-01-01 00:00+00'::timestamptz::text || $1", "!") == f"2024-01-01 {zone:02}:00:00+{zone:02}!"
        assert await c.fetchval("select current_user || current_setting('app.tenant') || $1", "!") == f"{user}{me.number}!"
        assert c.get_settings().TimeZone == f"Etc/GMT-{zone}"
    async with c.transaction():
        await c.execute("set local search_path = dr_b")
        assert await c.fetchval("select name from dr_where where $1::int >= 0", 1) == "b"
    undone = c.transaction()
    await undone.start()
    await c.execute("set search_path = dr_b; set timezone = 'UTC'")
    assert await c.fetchval("select name from dr_where where $1::int >= 0", 1) == "b"
    await undone.rollback()
    assert await c.fetchval("select name from dr_where where $1::int >= 0", 1) == schema[-1]
    assert await c.fetchval("show timezone") == f"Etc/GMT-{zone}"
    await c.execute("reset role")
    await c.reset()
    return [await c.fetchval(f"show {name}") for name in ("search_path", "timezone", "role", "app.tenant")]


@scenario()
async def reported_settings(c, me):
    """What it is told of its settings is what they are, also when they are given back."""
    await c.execute(f"set timezone = 'Etc/GMT-{me.number % 12 + 1}'; set intervalstyle = 'iso_8601'")
    await me.meet()
    await c.reset()
    settings = c.get_settings()
    assert await c.fetchval("show timezone") == settings.TimeZone
    return settings.TimeZone, settings.IntervalStyle


@scenario()
async def errors(c, me):
    await c.execute(INSERT, me.key, 1, "x")
    statements = ["selec 1", "select 1/0", "select * from dr_nowhere", "select 'x'::int", "select nothing()", "commit",
                  f"insert into dr_rows values ({me.key}, 1, 'twice')", "insert into dr_rows values (1, null)"]
    answers = []
    for statement in statements:
        answers += [await code(c.fetch(statement)), await code(c.execute(statement))]
        assert await c.fetchval("select $1::int", me.number) == me.number
    answers.append(await code(c.execute("select 1; select 1/0")))
    for statement in statements[:5]:
        failed = c.transaction()
        await failed.start()
        answers += [await code(c.fetch(statement)), await code(c.fetchval("select 1"))]
        await failed.rollback()
    for n in (1, 2, 0, 3):
        answers.append(await code(c.fetchval("select 1 / $1::int", n)))
    assert await c.fetchval(COUNT, me.key) == 1
    return answers


@scenario(some=8)
async def cancels(c, me):
    answers = [await code(c.execute("select pg_sleep(50)", timeout=0.4)), await c.fetchval("select 1")]
    answers += [await code(c.fetchval("select pg_sleep($1)", 50, timeout=0.4)), await c.fetchval("select 2")]
    task = asyncio.ensure_future(c.fetchval("select pg_sleep(50)"))
    await asyncio.sleep(0.4)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    answers += [task.cancelled(), await c.fetchval("select 3")]
    return answers


@scenario()
async def schema_changes(c, me):
    """Each connection changes a table of its own under its prepared statements, then the first one everybody's."""
    own, common = f"dr_alter_{me.key}", f"dr_alter_{me.run}"
    await c.execute(f"create table {own} as select 1 as a")
    answers = [await reads(c, own)]
    await c.execute(f"alter table {own} add column b int default 2")
    answers.append(await reads(c, own))
    await c.execute(f"alter table {own} alter column a type text")
    async with c.transaction():
        answers.append(await reads(c, own, times=1))
    answers.append(await reads(c, own))
    await c.execute(f"drop table {own}")
    answers.append(await reads(c, own))
    if me.first:
        await c.execute(f"create table {common} as select 1 as a")
    await me.meet()
    answers.append(await reads(c, common))
    await me.meet()
    if me.first:
        await c.execute(f"alter table {common} add column b int default 2")
    await me.meet()
    await c.execute(INSERT, me.key, 1, "so that it sees the change")
    answers.append(await reads(c, common))
    await me.meet()
    if me.first:
        await c.execute(f"drop table {common}")
    return answers


async def reads(c, table, times=10):
    """What it sees each time: asyncpg prepares anew by itself after "cached plan must not change result type"."""
    seen = []
    for _ in range(times):
        try:
            seen.append(dict(await c.fetchrow(f"select * from {table} where $1::int > 0", 1)))
        except asyncpg.PostgresError as error:
            seen.append(error.sqlstate)
    return seen


@scenario()
async def batches(c, me):
    """executemany: many Bind and Execute with one Sync, so all or nothing."""
    await c.executemany(INSERT, [(me.key, n, "x") for n in range(200)])
    assert await c.fetchval(COUNT, me.key) == 200
    answers = [await code(c.executemany(INSERT, [(me.key, n, "y") for n in (300, 301, 0, 302)]))]
    assert await c.fetchval(COUNT, me.key) == 200
    failed = c.transaction()
    await failed.start()
    answers.append(await code(c.executemany(INSERT, [(me.key, n, "y") for n in (300, 0)])))
    await failed.rollback()
    answers.append(await code(c.execute(f"insert into dr_rows values ({me.key}, 400, ''); select 1/0")))
    return answers, await c.fetchval(COUNT, me.key)


@scenario(some=4)
async def large_results(c, me):
    rows = await c.fetch("select n, repeat('x', 1000) as t from dr_fixed order by n")
    assert [len(row["t"]) for row in rows] == [1000] * 1000
    text = "é" * 700000  # more than a request's buffer
    assert await c.fetchval("select $1::text", text) == text
    await c.execute(INSERT, me.key, 1, text)
    return [*await c.fetchrow("select length(t), md5(t) from dr_rows where who = $1", me.key)]


@scenario(some=1)
async def its_pool(c, me):
    async def task(n):
        async with pool.acquire() as own:
            assert await own.fetchval("show search_path") == '"$user", public'
            if n % 10 == 0:
                return await code(own.fetchval("select 1/$1::int", 0))
            if n % 10 == 1:  # what it sets is gone when the pool has it back
                await own.execute("set search_path = dr_a")
                return await own.fetchval("select name from dr_where")
            await own.execute(INSERT, me.key, n, "x")
            return await own.fetchval("select $1::int from dr_fixed limit 1", n)

    async with asyncpg.create_pool(min_size=4, max_size=8) as pool:
        answers = await asyncio.gather(*[task(n) for n in range(80)])
        async with pool.acquire() as own, own.transaction():
            return answers, await own.fetchval(COUNT, me.key)


@scenario()
async def where(c, me):
    """Not for comparison: the ports of the nodes that answer its reads. It runs each statement for the first time with a Flush."""
    return sorted({await c.fetchval("select whereami() from dr_fixed where n = $1", n) for n in range(1, 30)})


if __name__ == "__main__":
    asyncio.run(serve_async(connect, neighbour))
