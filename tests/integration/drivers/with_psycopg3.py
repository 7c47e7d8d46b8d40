"""psycopg 3 with its defaults: a statement is prepared when it is run for the sixth time, pipelines are libpq's."""

import datetime as dt
import threading
import uuid
from decimal import Decimal
from ipaddress import ip_address, ip_network

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from psycopg.types.range import Range
from psycopg_pool import ConnectionPool

from program import scenario, serve

UTC = dt.timezone.utc
VALUES = [
    (True, "bool"), (-7, "int2"), (123456, "int4"), (1 << 40, "int8"), (1.5, "float8"), (float("inf"), "float8"),
    (Decimal("12.340"), "numeric"), ("a 'b' \\ é ☃", "text"), ("", "varchar"), (b"\x00\xff'\\", "bytea"), (None, "text"),
    (dt.date(2024, 2, 29), "date"), (dt.time(23, 59, 59, 999999), "time"), (dt.datetime(2024, 2, 29, 1, 2, 3, 4), "timestamp"),
    (dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC), "timestamptz"), (dt.timedelta(days=3, seconds=4, microseconds=5), "interval"),
    (uuid.UUID(int=42), "uuid"), ([1, None, 3], "int4[]"), (["a", 'b"c', ""], "text[]"), ([[1, 2], [3, 4]], "int8[]"),
    (ip_address("10.0.0.1"), "inet"), (ip_network("10.0.0.0/8"), "cidr"), (Range(1, 5), "int4range"),
]  # fmt: skip
REPORTED = ("server_encoding client_encoding application_name is_superuser session_authorization DateStyle IntervalStyle TimeZone "
            "integer_datetimes standard_conforming_strings in_hot_standby default_transaction_read_only").split()
COUNT = "select count(*) from dr_rows where who = %s"
INSERT = "insert into dr_rows values (%s, %s, %s)"


def connect(**options):
    return psycopg.connect("", autocommit=True, **options)


def value(c, query, parameters=None, **options):
    return c.execute(query, parameters, **options).fetchone()[0]


def code(function, *args, **options):
    """The SQLSTATE that a call ends with."""
    try:
        function(*args, **options)
    except psycopg.Error as error:
        return f"{type(error).__name__} {error.sqlstate}"
    return None


def neighbour(c, me):
    assert value(c, "select %s::int", [me.number]) == me.number
    got = c.execute("select current_user, current_setting('search_path'), current_setting('TimeZone'), to_regclass('dr_temporary')")
    assert got.fetchone() == ("app", '"$user", public', c.info.parameter_status("TimeZone"), None)


@scenario(some=4)
def usual_options(c, me):
    """As most programs connect: no autocommit, so each `with` is a transaction."""
    with psycopg.connect("", application_name=f"program {me.number}", options="-c search_path=dr_a -c work_mem=3MB") as own:
        assert value(own, "show application_name") == f"program {me.number}"
        settings = value(own, "select name from dr_where"), value(own, "show work_mem")
        own.rollback()
        own.execute("insert into public.dr_rows values (%s, 1, 'x')", [me.key])
        own.commit()
        assert value(own, "select count(*) from public.dr_rows where who = %s", [me.key]) == 1
    return settings, {name: c.info.parameter_status(name) for name in REPORTED}, c.info.server_version


@scenario(some=8)
def types(c, me):
    for given, type_name in VALUES:
        for binary in (False, True):
            for placeholder in ("%s", "%t", "%b"):
                try:
                    got = value(c, f"select {placeholder}::{type_name}", [given], binary=binary)
                except psycopg.ProgrammingError as error:
                    assert error.sqlstate is None and placeholder != "%s", error  # it has no such format for this type
                else:
                    assert got == given and type(got) is type(given), (type_name, binary, got)
    document = {"a": [1, None, "é"], "number": me.number}
    for binary in (False, True):
        assert value(c, "select %s", [Jsonb(document)], binary=binary) == document
    several = c.execute("select 1, 'x'; select 2.50; values (null), (now() is null)")
    return several.fetchall(), several.nextset(), several.fetchall(), several.nextset(), several.fetchall()


@scenario()
def prepares_by_itself(c, me):
    for n in range(12):
        row = c.execute("select count(*), %s::int from dr_fixed where n <= %s", (me.number, n)).fetchone()
        assert row == (n, me.number)
    for n in range(10):
        assert c.execute(INSERT, (me.key, n, "x")).rowcount == 1
        assert value(c, COUNT, [me.key]) == n + 1
    assert value(c, "select %s::text || ' ' || %s", ["ready", "at once"], prepare=True) == "ready at once"
    assert value(c, "select %s::text", ["never"], prepare=False) == "never"
    return len(c._prepared._names)


@scenario()
def many_statements(c, me):
    """More than it keeps: the oldest are deallocated, one at each statement."""
    kept, c.prepared_max = c.prepared_max, 5
    for turn in range(2):
        for statement in range(9):
            for n in range(7):
                assert value(c, f"select %s::int + {statement} from dr_fixed where n = 1", [n]) == n + statement
    count, c.prepared_max = len(c._prepared._names), kept
    return count


@scenario()
def transactions(c, me):
    with c.transaction():
        c.execute(INSERT, (me.key, 1, "kept"))
        assert value(c, COUNT, [me.key]) == 1
    with c.transaction(force_rollback=True):
        c.execute(INSERT, (me.key, 2, "undone"))
        assert value(c, COUNT, [me.key]) == 2
    assert value(c, COUNT, [me.key]) == 1
    c.autocommit = False
    states = []
    for end in (c.rollback, c.commit):
        c.execute("update dr_rows set t = t || '!' where who = %s", [me.key])
        states.append(c.info.transaction_status.name)
        end()
        states.append(c.info.transaction_status.name)
    c.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    states.append(value(c, "show transaction_isolation"))
    states.append(c.execute("select t from dr_rows where who = %s", [me.key]).fetchall())
    c.commit()
    c.isolation_level, c.autocommit = None, True
    return states


@scenario()
def savepoints(c, me):
    with c.transaction():
        c.execute(INSERT, (me.key, 1, "x"))
        with c.transaction():
            c.execute(INSERT, (me.key, 2, "x"))
            failed = code(undone_inside, c, me)
            assert value(c, COUNT, [me.key]) == 2
        with c.transaction(savepoint_name="named", force_rollback=True):
            c.execute("delete from dr_rows where who = %s", [me.key])
            assert value(c, COUNT, [me.key]) == 0
    assert value(c, COUNT, [me.key]) == 2
    return failed


def undone_inside(c, me):
    with c.transaction():
        c.execute(INSERT, (me.key, 3, "x"))
        c.execute(INSERT, (me.key, 3, "twice"))


@scenario()
def read_only(c, me):
    c.autocommit, c.read_only = False, True
    answers = [value(c, "select count(*) from dr_fixed"), value(c, "show transaction_read_only")]
    answers.append(code(c.execute, INSERT, (me.key, 1, "x")))
    answers.append(code(c.execute, "select 1"))
    c.rollback()
    with c.transaction():
        answers.append([value(c, "select sum(n) from dr_fixed where n <= %s", [n]) for n in range(1, 8)])
    c.read_only = False
    c.execute(INSERT, (me.key, 1, "x"))
    c.commit()
    c.read_only, c.autocommit = None, True
    assert value(c, COUNT, [me.key]) == 1
    return answers


@scenario()
def cursors(c, me):
    with c.transaction(), c.cursor("a") as a, c.cursor("b", scrollable=True) as b:
        a.itersize = 100
        a.execute("select n from dr_fixed order by n")
        b.execute("select n * %s from dr_fixed order by n limit 20", [2])
        assert b.fetchone() == (2,)
        assert sum(row[0] for row in a) == 500500
        b.scroll(4)
        rest = b.fetchmany(3)
        b.scroll(0, mode="absolute")
        return rest, b.fetchall()[-1], code(b.scroll, -30)


@scenario(some=2)
def cursors_with_hold(c, me):
    cursor = c.cursor("held", withhold=True)
    with c.transaction():
        cursor.execute("select n from dr_fixed order by n")
        first = cursor.fetchmany(2)
    assert value(c, "select 1") == 1
    rest = cursor.fetchmany(3)
    cursor.close()
    return first, rest


@scenario()
def copies(c, me):
    rows = [(n, f"row {n}\t\\ é") for n in range(500)]
    with c.cursor() as cursor:
        with cursor.copy("copy dr_rows from stdin") as copy:
            for row in rows:
                copy.write_row((me.key, *row))
        assert cursor.rowcount == 500
        wanted = sql.SQL("copy (select n, t from dr_rows where who = {} order by n) to stdout").format(me.key)
        with cursor.copy(wanted) as copy:
            copy.set_types(["int4", "text"])
            assert list(copy.rows()) == rows
        with cursor.copy(wanted + sql.SQL(" (format binary)")) as copy:
            binary = b"".join(map(bytes, copy))
        with cursor.copy("copy dr_rows (n, who, t) from stdin (format binary)") as copy:
            copy.set_types(["int4", "int4", "text"])
            copy.write_row((-1, me.key, "binary"))
    answers = [binary[:11].hex(), len(binary), code(copy_in, c, f"{me.key}\t0\ttwice\n"), code(copy_in, c, "nonsense\n"), code(copy_in, c, None)]
    assert value(c, COUNT, [me.key]) == 501
    return answers


def copy_in(c, text):
    with c.cursor() as cursor, cursor.copy("copy dr_rows from stdin") as copy:
        if text is None:
            copy.write("1\t2")
            raise psycopg.DataError("the program changed its mind")
        copy.write(text)


@scenario(some=2)
def notifications(c, me):
    channel, heard = f"channel_{me.key}", []
    c.add_notify_handler(lambda notify: heard.append(notify.payload))
    c.execute(f"listen {channel}")
    c.execute(f"notify {channel}, 'own'")
    with c.transaction():
        c.execute(f"notify {channel}, 'in a transaction'")
        c.execute("select 1")
        assert heard == ["own"]
    with connect() as other:
        other.execute("select pg_notify(%s, %s)", [channel, "of another"])
        heard.append(next(c.notifies()).payload)
        c.execute("unlisten *")
        other.execute("select pg_notify(%s, %s)", [channel, "not heard"])
    assert value(c, "select 1") == 1
    c._notify_handlers.clear()
    return heard


@scenario(some=2)
def temporary_tables(c, me):
    c.execute("create temporary table dr_temporary (n int, who int)")
    for n in range(8):
        c.execute("insert into dr_temporary values (%s, %s)", [n, me.key])
    with c.transaction():
        c.execute("create temporary table dr_short on commit drop as select n from dr_temporary")
        short = value(c, "select count(*) from dr_short")
    kept = value(c, "select count(*) from dr_temporary where who = %s", [me.key])
    gone = code(c.execute, "select * from dr_short")
    c.execute("drop table dr_temporary")
    return short, kept, gone, code(c.execute, "select * from dr_temporary")


@scenario(some=2)
def advisory_locks(c, me):
    c.execute("select pg_advisory_lock(%s)", [me.key])
    with connect() as other:
        assert value(other, "select pg_try_advisory_lock(%s)", [me.key]) is False
        assert value(c, "select pg_advisory_unlock(%s)", [me.key]) is True
        taken = value(other, "select pg_try_advisory_lock(%s)", [me.key])
        other.execute("select pg_advisory_unlock_all()")
    return taken, value(c, "select pg_advisory_unlock(%s)", [me.key])


@scenario()
def settings(c, me):
    """Every connection has settings of its own, all at the same time: they stay with it, and are not another's."""
    schema, zone, user = ("dr_a", "dr_b")[me.number % 2], me.number % 12 + 1, ("app", "dr_reader")[me.number % 3 == 0]
    c.execute(f"set search_path = {schema}, public")
    c.execute("select set_config('TimeZone', %s, false), set_config('app.tenant', %s, false)", [f"Etc/GMT-{zone}", str(me.number)])
    c.execute(f"set role {user}")
    me.meet()
    for n in range(8):
        assert value(c, "select name from dr_where where %s::int >= 0", [n]) == schema[-1]
        assert value(c, "select '2024-01-01 00:00+00'::timestamptz::text || %s", ["!"]) == f"2024-01-01 {zone:02}:00:00+{zone:02}!"
        assert value(c, "select current_user || current_setting('app.tenant') || %s", ["!"]) == f"{user}{me.number}!"
        assert c.info.parameter_status("TimeZone") == f"Etc/GMT-{zone}"
    with c.transaction():
        c.execute("set local search_path = dr_b")
        assert value(c, "select name from dr_where where %s::int >= 0", [1]) == "b"
    with c.transaction(force_rollback=True):
        c.execute("set search_path = dr_b")
        c.execute("set timezone = 'UTC'")
        assert value(c, "select name from dr_where where %s::int >= 0", [1]) == "b"
    assert value(c, "select name from dr_where where %s::int >= 0", [1]) == schema[-1]
    assert value(c, "show timezone") == f"Etc/GMT-{zone}"
    c.execute("reset role")
    c.execute("reset all")
    return [value(c, f"show {name}") for name in ("search_path", "timezone", "role", "app.tenant")], c.info.parameter_status("TimeZone")


@scenario()
def errors(c, me):
    c.execute(INSERT, (me.key, 1, "x"))
    statements = ["selec 1", "select 1/0", "select * from dr_nowhere", "select 'x'::int", "select nothing()", "select 1; select 1/0",
                  f"insert into dr_rows values ({me.key}, 1, 'twice')", "insert into dr_rows values (1, null)", "commit"]
    answers = []
    for statement in statements:
        answers.append(code(c.execute, statement))
        assert value(c, "select %s::int", [me.number]) == me.number
    c.autocommit = False
    for statement in statements[:-1]:
        answers.append((code(c.execute, statement), code(c.execute, "select 1"), c.info.transaction_status.name))
        c.rollback()
    c.autocommit = True
    for n in (1, 2, 3, 4, 5, 6, 0, 7):  # an error of what is prepared by now
        answers.append(code(c.execute, "select 1 / %s::int", [n]))
    assert value(c, COUNT, [me.key]) == 1
    return answers


@scenario(some=8)
def cancels(c, me):
    answers = [cancelled(c)]
    c.autocommit = False
    c.execute(INSERT, (me.key, 1, "x"))
    answers += [cancelled(c), c.info.transaction_status.name]
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
    answer = code(c.execute, "select pg_sleep(50)")
    ended.set()
    thread.join()
    return answer


@scenario()
def schema_changes(c, me):
    """Each connection changes a table of its own under its prepared statements, then the first one everybody's."""
    own, common = f"dr_alter_{me.key}", f"dr_alter_{me.run}"
    c.execute(f"create table {own} as select 1 as a")
    reads_ten_times(c, own, {"a": 1})
    c.execute(f"alter table {own} add column b int default 2")
    reads_ten_times(c, own, {"a": 1, "b": 2}, "0A000")
    c.execute(f"alter table {own} alter column a type text")
    reads_ten_times(c, own, {"a": "1", "b": 2}, "0A000")
    c.execute(f"drop table {own}")
    reads_ten_times(c, own, None, "42P01")
    if me.first:
        c.execute(f"create table {common} as select 1 as a")
    me.meet()
    reads_ten_times(c, common, {"a": 1})
    me.meet()
    if me.first:
        c.execute(f"alter table {common} add column b int default 2")
    me.meet()
    c.execute(INSERT, (me.key, 1, "so that it sees the change"))
    reads_ten_times(c, common, {"a": 1, "b": 2}, "0A000")
    me.meet()
    if me.first:
        c.execute(f"drop table {common}")


def reads_ten_times(c, table, row, error=None):
    """Always the row, or always the error, which this version of psycopg does not get over by itself: never now the one and
    now the other. That it is the error directly, and may be the row elsewhere, is the one difference there may be."""
    seen = []
    for _ in range(10):
        try:
            cursor = c.execute(f"select * from {table} where %s::int > 0", [1])
            seen.append({column.name: value for column, value in zip(cursor.description, cursor.fetchone())})
        except psycopg.Error as failed:
            seen.append(failed.sqlstate)
    assert seen in ([row] * 10, [error] * 10), seen


@scenario()
def batches(c, me):
    answers = []
    with c.cursor() as cursor:
        cursor.executemany(INSERT, [(me.key, n, "x") for n in range(50)])
        answers.append(cursor.rowcount)
        cursor.executemany("select %s::int + 1", [(n,) for n in range(3)], returning=True)
        answers.append([cursor.fetchone(), cursor.nextset(), cursor.fetchone(), cursor.nextset(), cursor.fetchone()])
        answers.append(code(cursor.executemany, INSERT, [(me.key, n, "y") for n in (100, 101, 0, 102)]))
    answers.append(value(c, COUNT, [me.key]))
    c.autocommit = False
    with c.cursor() as cursor:
        answers.append(code(cursor.executemany, INSERT, [(me.key, n, "y") for n in (100, 101, 0, 102)]))
    c.rollback()
    c.autocommit = True
    return answers, value(c, COUNT, [me.key])


@scenario()
def pipelines(c, me):
    answers = []
    with c.pipeline() as p:
        written = [c.execute(INSERT, (me.key, n, "x")) for n in range(20)]
        read = c.execute(COUNT, [me.key])
        p.sync()
        answers.append((sum(w.rowcount for w in written), read.fetchone()))
        answers += failing_part(c, p, me)
        reads = [c.execute("select n from dr_fixed where n = %s", [n]) for n in range(1, 30)]
        assert [r.fetchone()[0] for r in reads] == list(range(1, 30))
        with c.transaction():
            c.execute(INSERT, (me.key, 200, "x"))
            inside = c.execute(COUNT, [me.key])
    answers.append((inside.fetchone(), value(c, COUNT, [me.key])))
    return answers


def failing_part(c, p, me):
    """The error is raised by whichever call sees it first; what comes after it up to the next sync is not run."""
    failed = []
    cursors = [c.cursor() for _ in range(3)]
    for cursor, query, parameters in zip(cursors, [INSERT, "select 1 / %s::int", INSERT],
                                         [(me.key, 100, "x"), [0], (me.key, 101, "x")]):
        failed.append(code(cursor.execute, query, parameters))
    failed.append(code(p.sync))
    raised = [name for name in failed if name]
    return raised[:1], value(c, COUNT, [me.key])


@scenario(some=4)
def large_results(c, me):
    rows = c.execute("select n, repeat('x', 1000) from dr_fixed order by n").fetchall()
    assert [len(text) for _, text in rows] == [1000] * 1000
    assert sum(1 for _ in c.cursor().stream("select g, %s from generate_series(1, 5000) g", ["y"])) == 5000
    text = "é" * 700000  # more than a request's buffer
    assert value(c, "select %s", [text]) == text
    c.execute(INSERT, (me.key, 1, text))
    return value(c, "select length(t) from dr_rows where who = %s", [me.key]), value(c, "select md5(t) from dr_rows where who = %s", [me.key])


@scenario(some=1)
def its_pool(c, me):
    def task(n):
        try:
            with pool.connection() as own:
                own.execute(INSERT, (me.key, n, "x"))
                assert value(own, "select %s::int from dr_fixed limit 1", [n]) == n
                if n % 10 == 0:
                    own.execute("select 1/0")
        except psycopg.errors.DivisionByZero:
            refused.append(n)

    refused = []
    with ConnectionPool("", min_size=4, max_size=8, open=True) as pool:
        threads = [threading.Thread(target=lambda k=k: [task(n) for n in range(k, 80, 16)]) for k in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pool.connection() as own:
            count = value(own, COUNT, [me.key])
    return count, sorted(refused)


@scenario()
def where(c, me):
    """Not for comparison: the ports of the nodes that answer its reads, prepared and not."""
    return sorted({value(c, "select whereami() from dr_fixed where n = %s", [n]) for n in range(1, 30)})


if __name__ == "__main__":
    serve(connect, neighbour)
