"""psycopg2 with its defaults: parameters become literals, every query is a simple one, each connection opens transactions."""

import datetime as dt
import io
import select
import threading
import uuid
from decimal import Decimal

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
import psycopg2.pool

from program import scenario, serve

UTC = dt.timezone.utc
VALUES = [
    (True, "bool"), (-7, "int2"), (123456, "int4"), (1 << 40, "int8"), (1.5, "float8"), (float("inf"), "float8"),
    (Decimal("12.340"), "numeric"), ("a 'b' \\ é ☃ %", "text"), ("", "varchar"), (b"\x00\xff'\\", "bytea"), (None, "text"),
    (dt.date(2024, 2, 29), "date"), (dt.time(23, 59, 59, 999999), "time"), (dt.datetime(2024, 2, 29, 1, 2, 3, 4), "timestamp"),
    (dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC), "timestamptz"), (dt.timedelta(days=3, seconds=4, microseconds=5), "interval"),
    (uuid.UUID(int=42), "uuid"), ([1, None, 3], "int4[]"), (["a", 'b"c', ""], "text[]"), ([[1, 2], [3, 4]], "int8[]"),
    (psycopg2.extras.NumericRange(1, 5), "int4range"),
]  # fmt: skip
COUNT = "select count(*) from dr_rows where who = %s"
INSERT = "insert into dr_rows values (%s, %s, %s)"
STATES = {value: name for name, value in vars(psycopg2.extensions).items() if name.startswith("TRANSACTION_STATUS_")}

psycopg2.extras.register_uuid()


def connect(**options):
    c = psycopg2.connect("", **options)
    c.autocommit = True
    return c


def rows(c, query, parameters=None):
    with c.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall() if cursor.description else cursor.statusmessage


def value(c, query, parameters=None):
    return rows(c, query, parameters)[0][0]


def state(c):
    return STATES[c.get_transaction_status()]


def code(function, *args, **options):
    """The SQLSTATE that a call ends with."""
    try:
        function(*args, **options)
    except psycopg2.Error as error:
        return f"{type(error).__name__} {error.pgcode}"
    return None


def neighbour(c, me):
    assert value(c, "select %s::int", [me.number]) == me.number
    got = rows(c, "select current_user, current_setting('search_path'), current_setting('TimeZone'), to_regclass('dr_temporary')")
    assert got == [("app", '"$user", public', c.get_parameter_status("TimeZone"), None)], got


@scenario(some=4)
def usual_options(c, me):
    """As most programs connect: no autocommit, so each block is a transaction."""
    own = psycopg2.connect("", application_name=f"program {me.number}", options="-c search_path=dr_b -c work_mem=3MB")
    with own:
        assert value(own, "show application_name") == f"program {me.number}"
        settings = value(own, "select name from dr_where"), value(own, "show work_mem")
    with own:
        rows(own, "insert into public.dr_rows values (%s, 1, 'x')", [me.key])
    with own:
        assert value(own, "select count(*) from public.dr_rows where who = %s", [me.key]) == 1
    own.close()
    reported = ("server_encoding", "client_encoding", "DateStyle", "TimeZone", "in_hot_standby", "is_superuser", "session_authorization")
    return settings, c.server_version, c.encoding, [c.get_parameter_status(name) for name in reported]


@scenario(some=8)
def types(c, me):
    for given, type_name in VALUES:
        got = value(c, f"select %s::{type_name}", [given])
        got = bytes(got) if isinstance(got, memoryview) else got
        assert got == given and type(got) is type(given), (type_name, got)
    document = {"a": [1, None, "é"], "number": me.number}
    assert value(c, "select %s::jsonb", [psycopg2.extras.Json(document)]) == document
    with c.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute("select n, t from dr_fixed where n < %(n)s order by n", {"n": 3})
        named = [dict(row) for row in cursor]
    return named, rows(c, "select 1; select 'x'; select n, null from dr_fixed where n < 4"), c.notices


def mark(c, me, attempts=20):
    """Others do the same at the same time: a serializable one may have to give way."""
    for attempt in range(attempts):
        try:
            rows(c, "update dr_rows set t = t || '!' where who = %s", [me.key])
            return c.commit()
        except psycopg2.errors.SerializationFailure:
            c.rollback()
    raise AssertionError(f"no update in {attempts} attempts")


@scenario()
def transactions(c, me):
    c.autocommit = False
    rows(c, INSERT, (me.key, 1, "kept"))
    states = [state(c)]
    c.commit()
    states.append(state(c))
    rows(c, INSERT, (me.key, 2, "undone"))
    assert value(c, COUNT, [me.key]) == 2
    c.rollback()
    with c:
        assert value(c, COUNT, [me.key]) == 1
    for level in ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
        c.set_session(isolation_level=level)
        states.append(value(c, "show transaction_isolation"))
        mark(c, me)
    c.set_session(isolation_level="DEFAULT")
    c.autocommit = True
    return states, rows(c, "select t from dr_rows where who = %s", [me.key])


@scenario()
def savepoints(c, me):
    c.autocommit = False
    with c:
        rows(c, INSERT, (me.key, 1, "x"))
        rows(c, "savepoint a")
        rows(c, INSERT, (me.key, 2, "x"))
        failed = [code(rows, c, INSERT, (me.key, 2, "twice")), code(rows, c, "select 1"), state(c)]
        rows(c, "rollback to savepoint a")
        rows(c, INSERT, (me.key, 3, "x"))
        rows(c, "release savepoint a")
        failed.append(code(rows, c, "rollback to savepoint a"))
        c.rollback()
    with c:
        rows(c, INSERT, (me.key, 1, "x"))
        rows(c, "savepoint b; delete from dr_rows where who = %s; rollback to b; release b", [me.key])
        count = value(c, COUNT, [me.key])
    c.autocommit = True
    return failed, count, value(c, COUNT, [me.key])


@scenario()
def read_only(c, me):
    c.autocommit = False
    c.set_session(readonly=True)
    with c:
        answers = [value(c, "select count(*) from dr_fixed"), value(c, "show transaction_read_only")]
        answers += [value(c, "select sum(n) from dr_fixed where n <= %s", [n]) for n in range(1, 8)]
    answers += [code(rows, c, INSERT, (me.key, 1, "x")), code(rows, c, "select 1")]
    c.rollback()
    c.set_session(readonly=False)
    with c:
        rows(c, INSERT, (me.key, 1, "x"))
    c.set_session(readonly="DEFAULT")
    c.autocommit = True
    return answers, value(c, COUNT, [me.key])


@scenario()
def cursors(c, me):
    c.autocommit = False
    with c, c.cursor("a") as a, c.cursor("b", scrollable=True) as b:
        a.itersize = 100
        a.execute("select n from dr_fixed order by n")
        b.execute("select n * %s from dr_fixed order by n limit 20", [2])
        assert b.fetchone() == (2,)
        assert sum(row[0] for row in a) == 500500
        b.scroll(4)
        rest = b.fetchmany(3)
        b.scroll(0, mode="absolute")
        answers = rest, b.fetchall()[-1]
    c.autocommit = True
    return answers


@scenario(some=2)
def cursors_with_hold(c, me):
    c.autocommit = False
    cursor = c.cursor("held", withhold=True)
    cursor.execute("select n from dr_fixed order by n")
    first = cursor.fetchmany(2)
    c.commit()
    assert value(c, "select 1") == 1
    c.commit()
    rest = cursor.fetchmany(3)
    cursor.close()
    c.commit()
    c.autocommit = True
    return first, rest


@scenario()
def copies(c, me):
    sent = "".join(f"{me.key}\t{n}\trow {n} \\\\ é\n" for n in range(500))
    with c.cursor() as cursor:
        cursor.copy_from(io.StringIO(sent), "dr_rows", columns=("who", "n", "t"))
        assert cursor.rowcount == 500
        back = io.StringIO()
        cursor.copy_expert(f"copy (select * from dr_rows where who = {me.key} order by n) to stdout", back)
        assert back.getvalue() == sent
        csv = io.StringIO()
        cursor.copy_expert("copy (select n, t from dr_fixed where n < 4) to stdout (format csv, header)", csv)
        answers = [csv.getvalue(), cursor.rowcount]
    for text in (f"{me.key}\t0\ttwice\n", "nonsense\n"):
        answers.append(code(copy_in, c, io.StringIO(text)))

    class ChangesItsMind:
        def read(self, _size):
            raise KeyError

    answers.append(code(copy_in, c, ChangesItsMind()))
    assert value(c, COUNT, [me.key]) == 500
    return answers


def copy_in(c, file):
    with c.cursor() as cursor:
        cursor.copy_expert("copy dr_rows from stdin", file)


def heard(c, count):
    """The payloads of the next notifications."""
    c.poll()
    while len(c.notifies) < count:
        assert select.select([c], [], [], 30)[0], "no notification"
        c.poll()
    got = [notify.payload for notify in c.notifies]
    c.notifies.clear()
    return got


@scenario(some=2)
def notifications(c, me):
    channel = f"channel_{me.key}"
    rows(c, f"listen {channel}; notify {channel}, 'own'")
    answers = [heard(c, 1)]
    c.autocommit = False
    rows(c, f"notify {channel}, 'in a transaction'")
    c.poll()
    assert c.notifies == []
    c.commit()
    c.autocommit = True
    answers.append(heard(c, 1))
    other = connect()
    rows(other, "select pg_notify(%s, %s)", [channel, "of another"])
    answers.append(heard(c, 1))
    rows(c, "unlisten *")
    rows(other, "select pg_notify(%s, %s)", [channel, "not heard"])
    other.close()
    assert value(c, "select 1") == 1 and c.notifies == []
    return answers


@scenario(some=2)
def temporary_tables(c, me):
    rows(c, "create temporary table dr_temporary (n int, who int)")
    for n in range(8):
        rows(c, "insert into dr_temporary values (%s, %s)", [n, me.key])
    c.autocommit = False
    with c:
        rows(c, "create temporary table dr_short on commit drop as select n from dr_temporary")
        short = value(c, "select count(*) from dr_short")
    c.autocommit = True
    kept = value(c, "select count(*) from dr_temporary where who = %s", [me.key])
    gone = code(rows, c, "select * from dr_short")
    rows(c, "drop table dr_temporary")
    return short, kept, gone, code(rows, c, "select * from dr_temporary")


@scenario(some=2)
def advisory_locks(c, me):
    rows(c, "select pg_advisory_lock(%s)", [me.key])
    other = connect()
    assert value(other, "select pg_try_advisory_lock(%s)", [me.key]) is False
    assert value(c, "select pg_advisory_unlock(%s)", [me.key]) is True
    taken = value(other, "select pg_try_advisory_lock(%s)", [me.key])
    other.close()
    return taken, value(c, "select pg_advisory_unlock(%s)", [me.key])


@scenario()
def settings(c, me):
    """Every connection has settings of its own, all at the same time: they stay with it, and are not another's."""
    schema, zone, user = ("dr_a", "dr_b")[me.number % 2], me.number % 12 + 1, ("app", "dr_reader")[me.number % 3 == 0]
    rows(c, f"set search_path = {schema}, public")
    rows(c, "select set_config('TimeZone', %s, false), set_config('app.tenant', %s, false)", [f"Etc/GMT-{zone}", str(me.number)])
    rows(c, f"set role {user}")
    me.meet()
    for n in range(8):
        assert value(c, "select name from dr_where where %s::int >= 0", [n]) == schema[-1]
        assert value(c, "select '2024-01-01 00:00+00'::timestamptz::text || %s", ["!"]) == f"2024-01-01 {zone:02}:00:00+{zone:02}!"
        assert value(c, "select current_user || current_setting('app.tenant') || %s", ["!"]) == f"{user}{me.number}!"
        assert c.get_parameter_status("TimeZone") == f"Etc/GMT-{zone}"
    c.autocommit = False
    with c:
        rows(c, "set local search_path = dr_b")
        assert value(c, "select name from dr_where") == "b"
    rows(c, "set search_path = dr_b; set timezone = 'UTC'")
    assert value(c, "select name from dr_where") == "b"
    c.rollback()
    c.autocommit = True
    assert value(c, "select name from dr_where where %s::int >= 0", [1]) == schema[-1]
    assert value(c, "show timezone") == f"Etc/GMT-{zone}"
    c.set_session(readonly=True)  # a SET, in autocommit
    assert value(c, "show transaction_read_only") == "on" and value(c, "select name from dr_where") == schema[-1]
    c.set_session(readonly=False)
    c.set_client_encoding("LATIN1")
    assert value(c, "select %s || 'é'", ["ü"]) == "üé" and value(c, "select length(%s)", ["üé"]) == 2
    c.set_client_encoding("UTF8")
    rows(c, "reset role")
    rows(c, "reset all")
    return [value(c, f"show {name}") for name in ("search_path", "timezone", "role", "app.tenant")], c.get_parameter_status("TimeZone")


@scenario()
def errors(c, me):
    rows(c, INSERT, (me.key, 1, "x"))
    statements = ["selec 1", "select 1/0", "select * from dr_nowhere", "select 'x'::int", "select nothing()", "select 1; select 1/0",
                  f"insert into dr_rows values ({me.key}, 1, 'twice')", "insert into dr_rows values (1, null)", "commit"]
    answers = []
    for statement in statements:
        answers.append(code(rows, c, statement))
        assert value(c, "select %s::int", [me.number]) == me.number
    c.autocommit = False
    for statement in statements[:-1]:
        answers.append((code(rows, c, statement), code(rows, c, "select 1"), state(c)))
        c.rollback()
    c.autocommit = True
    assert value(c, COUNT, [me.key]) == 1
    return answers


@scenario(some=8)
def cancels(c, me):
    answers = [cancelled(c)]
    c.autocommit = False
    rows(c, INSERT, (me.key, 1, "x"))
    answers += [cancelled(c), state(c)]
    c.rollback()
    c.autocommit = True
    c.cancel()  # of nothing
    return answers, value(c, COUNT, [me.key])


def cancelled(c):
    ended = threading.Event()

    def again_and_again():
        while not ended.wait(0.15):
            c.cancel()

    thread = threading.Thread(target=again_and_again, daemon=True)
    thread.start()
    answer = code(rows, c, "select pg_sleep(50)")
    ended.set()
    thread.join()
    return answer


@scenario()
def schema_changes(c, me):
    own = f"dr_alter_{me.key}"
    answers = [rows(c, f"create table {own} as select 1 as a; select * from {own}")]
    for change in ("add column b int default 2", "alter column a type text", "drop column b"):
        answers += [rows(c, f"alter table {own} {change}"), rows(c, f"select * from {own}"), rows(c, f"select * from {own}")]
    return answers, rows(c, f"drop table {own}"), code(rows, c, f"select * from {own}")


@scenario()
def batches(c, me):
    with c.cursor() as cursor:
        cursor.executemany(INSERT, [(me.key, n, "x") for n in range(30)])
        psycopg2.extras.execute_batch(cursor, INSERT, [(me.key, n, "x") for n in range(100, 250)], page_size=40)
        psycopg2.extras.execute_values(cursor, "insert into dr_rows values %s", [(me.key, n, "x") for n in range(300, 400)])
        answers = [code(psycopg2.extras.execute_batch, cursor, INSERT, [(me.key, n, "y") for n in (500, 501, 0, 502)])]
        answers.append(code(cursor.executemany, INSERT, [(me.key, n, "y") for n in (600, 0, 601)]))
    count = value(c, COUNT, [me.key])
    assert count == 281, count  # the batch is one string and undone as a whole, executemany's first row is in
    return answers


@scenario(some=4)
def large_results(c, me):
    got = rows(c, "select n, repeat('x', 1000) from dr_fixed order by n")
    assert [len(text) for _, text in got] == [1000] * 1000
    text = "é" * 700000  # more than a request's buffer
    assert value(c, "select %s", [text]) == text
    rows(c, INSERT, (me.key, 1, text))
    return rows(c, "select length(t), md5(t) from dr_rows where who = %s", [me.key])


@scenario(some=1)
def its_pool(c, me):
    def task(k):
        for n in range(k, 80, 8):
            own = pool.getconn()
            try:
                with own:
                    rows(own, INSERT, (me.key, n, "x"))
                    assert value(own, "select %s from dr_fixed limit 1", [n]) == n
                    if n % 10 == 0:
                        rows(own, "select 1/0")
            except psycopg2.errors.DivisionByZero:
                refused.append(n)
            finally:
                pool.putconn(own)

    refused, pool = [], psycopg2.pool.ThreadedConnectionPool(4, 8, "")
    threads = [threading.Thread(target=task, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own = pool.getconn()
    count = value(own, COUNT, [me.key])
    pool.putconn(own)
    pool.closeall()
    return count, sorted(refused)


@scenario()
def where(c, me):
    """Not for comparison: the ports of the nodes that answer its reads."""
    return sorted({value(c, "select whereami() from dr_fixed where n = %s", [n]) for n in range(1, 30)})


if __name__ == "__main__":
    serve(connect, neighbour)
