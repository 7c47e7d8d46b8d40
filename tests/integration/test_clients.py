"""Other people's programs: psql, pg_dump, pg_restore, pg_basebackup, pg_receivewal, pgbench, asyncpg, psycopg2."""

import asyncio
import os
import signal
import subprocess
import time

import pytest

from lib import processes
from lib.cluster import program
from lib.processes import wait_until

asyncpg = pytest.importorskip("asyncpg")
psycopg2 = pytest.importorskip("psycopg2")

LISTENERS = ["split", "primary", "primary-session", "primary-none"]


def psql(r, listener, *args, input=None, check=True):
    done = subprocess.run([program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *args], env=r.environment(listener),
                          input=input, text=True, capture_output=True, timeout=60)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def run(r, listener, *args, **options):
    done = subprocess.run([program(args[0]), *args[1:]], env=r.environment(listener), text=True, capture_output=True, timeout=80, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("listener", LISTENERS)
def test_psql_describes(rolecall, listener, table):
    out = psql(rolecall, listener, input=f"\\d {table}\n\\d\n\\dt+\n\\df whereami\n\\l\n\\du\n\\dn+\n\\dx\n\\conninfo\n").stdout
    assert f"{table}" in out and "whereami" in out


@pytest.mark.parametrize("listener", LISTENERS)
def test_psql_copies(rolecall, listener, table, tmp_path):
    path = tmp_path / "rows"
    path.write_text("".join(f"{i}\trow {i}\n" for i in range(1000)))
    out = psql(rolecall, listener, input=f"\\copy {table} from '{path}'\n\\copy {table} to '{path}.out'\nselect count(*) from {table};\n").stdout
    assert out.strip().endswith("1000")
    assert open(f"{path}.out").read() == path.read_text()


@pytest.mark.parametrize("listener", LISTENERS)
def test_psql_cursors_and_fetch_count(rolecall, listener):
    out = psql(rolecall, listener, input="\\set FETCH_COUNT 10\nselect generate_series(1, 95);\nbegin; declare c cursor for select generate_series(1, 5);\n"
                                         "fetch 2 from c; fetch 2 from c; commit;\n").stdout
    assert out.split() == [str(i) for i in range(1, 96)] + ["1", "2", "3", "4"]


def script(r, listener, text):
    """psql working on a script that does not end by itself."""
    process = subprocess.Popen([program("psql"), "-X", "-q", "-A", "-t"], env=r.environment(listener), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdin.write(text)
    process.stdin.flush()
    return process


def ctrl_c(process):
    """What it printed before it ended; a script stopped by Ctrl-C ends psql."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    return errors


@pytest.mark.parametrize("listener", LISTENERS)
def test_psql_watches(rolecall, listener):
    process = script(rolecall, listener, "select 'tick' \\watch 0.05\n")
    ticks = 0
    while ticks < 5:
        ticks += process.stdout.readline().strip() == "tick"
    ctrl_c(process)
    assert rolecall.value(listener, "select 1") == 1


@pytest.mark.parametrize("listener", LISTENERS)
def test_psql_cancels_a_sleep_with_ctrl_c(rolecall, cluster, listener):
    sleeping = "query like 'select pg_sleep(60)%' and state = 'active'"
    process = script(rolecall, listener, "select pg_sleep(60);\n")
    wait_until(lambda: any(node.backends(sleeping) for node in cluster.nodes), what="it sleeps")
    assert "canceling statement due to user request" in ctrl_c(process)
    wait_until(lambda: not any(node.backends(sleeping) for node in cluster.nodes), what="nothing sleeps any more")


@pytest.mark.parametrize("listener", LISTENERS)
def test_psql_variables_notices_and_errors(rolecall, listener):
    done = psql(rolecall, listener, input="do $$ begin raise notice 'n'; end $$;\nselect 1/0;\n", check=False)
    assert "NOTICE:  n" in done.stderr and "division by zero" in done.stderr and done.returncode == 3


@pytest.mark.parametrize("listener", ["split", "primary"])
def test_pgbench_in_every_mode(rolecall, cluster, listener):
    run(rolecall, listener, "pgbench", "-i", "-q", "-s", "1")
    cluster.catch_up()
    for mode in ("simple", "extended", "prepared"):
        for script in ((), ("-S",)):
            out = run(rolecall, listener, "pgbench", "-n", "-M", mode, *script, "-c", "8", "-j", "2", "-t", "30")
            assert "number of failed transactions: 0" in out and "240/240" in out
    history = cluster.primary.value("select count(*) from pgbench_history")
    assert history == 3 * 240
    cluster.primary.sql("drop table pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers")


@pytest.mark.parametrize("listener", LISTENERS)
def test_pg_dump_and_pg_restore(rolecall, cluster, listener, table, tmp_path):
    cluster.primary.sql(f"insert into {table} select g, md5(g::text) from generate_series(1, 5000) g")
    cluster.catch_up()
    path = str(tmp_path / "dump")
    run(rolecall, listener, "pg_dump", "-Fc", "-t", table, "-f", path, "app")
    cluster.primary.sql(f"drop table {table}")
    cluster.catch_up()
    run(rolecall, listener, "pg_restore", "-d", "app", path)
    assert cluster.primary.value(f"select count(*), md5(string_agg(b, '' order by a)) = (select md5(string_agg(md5(g::text), '' order by g)) "
                                 f"from generate_series(1, 5000) g) from {table}") == 5000


def test_pg_dump_with_jobs_imports_the_snapshot(rolecall, cluster, table, tmp_path):
    """It exports a snapshot on one connection and imports it on the others: all on one node."""
    cluster.primary.sql(f"insert into {table} select g, 'x' from generate_series(1, 1000) g")
    cluster.catch_up()
    run(rolecall, "split", "pg_dump", "-Fd", "-j", "3", "-t", table, "-f", str(tmp_path / "jobs"), "app")


def superuser(r, listener):
    return r.environment(listener, PGUSER="postgres", PGPASSWORD="super-secret")


@pytest.mark.parametrize("listener", ["primary", "primary-session", "primary-none", "split"])
def test_pg_basebackup(rolecall, listener, tmp_path):
    done = subprocess.run([program("pg_basebackup"), "-D", str(tmp_path / "copy"), "-c", "fast", "-X", "stream", "--no-sync"],
                          env=superuser(rolecall, listener), text=True, capture_output=True, timeout=80)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy" / "PG_VERSION").exists() and (tmp_path / "copy" / "backup_label").exists()
    done = subprocess.run([program("pg_verifybackup"), str(tmp_path / "copy")], text=True, capture_output=True, timeout=80)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("listener", ["primary", "primary-none"])
def test_pg_receivewal(rolecall, cluster, listener, tmp_path):
    process = subprocess.Popen([program("pg_receivewal"), "-D", str(tmp_path), "--no-loop"], env=superuser(rolecall, listener),
                               stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: cluster.primary.sql("select 1 from pg_stat_replication where application_name = 'pg_receivewal'"), what="it streams")
        cluster.primary.sql("select pg_logical_emit_message(true, 'test', 'x')")
        cluster.primary.sql("select pg_switch_wal()")
        wait_until(lambda: any(not name.endswith(".partial") for name in os.listdir(tmp_path)), 20, "a whole segment is there")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, process.stderr.read()


def test_logical_replication_protocol(rolecall):
    """replication=database: a walsender that also takes SQL."""
    out = psql(rolecall, "primary", "dbname=app replication=database user=postgres password=super-secret", "-c", "IDENTIFY_SYSTEM").stdout
    assert "|app" in out


@pytest.mark.parametrize("listener", LISTENERS)
def test_asyncpg(rolecall, listener, table):
    async def work():
        c = await asyncpg.connect(host="127.0.0.1", port=rolecall.ports[listener], user="app", password="app-secret", database="app", timeout=20)
        assert await c.fetchval("select $1::int + 1", 41) == 42
        for i in range(20):
            assert await c.fetchval("select $1::text", str(i)) == str(i)
        await c.executemany(f"insert into {table} values ($1, $2)", [(i, str(i)) for i in range(100)])
        assert await c.fetchval(f"select count(*) from {table}") == 100
        async with c.transaction():
            async for row in c.cursor("select generate_series(1, 120)", prefetch=7):
                last = row[0]
            await c.execute(f"insert into {table} values (1000, null)")
        assert last == 120
        with pytest.raises(asyncpg.exceptions.DivisionByZeroError):
            await c.fetchval("select 1/$1::int", 0)
        statement = await c.prepare(f"select count(*) from {table} where a >= $1")
        assert [await statement.fetchval(n) for n in (0, 50, 1000)] == [101, 51, 1]
        assert len(await c.copy_records_to_table(table, records=[(5, "x")])) > 0
        with pytest.raises(asyncio.TimeoutError):
            await c.execute("select pg_sleep(30)", timeout=0.3)
        assert await c.fetchval("select 1") == 1
        await c.close()

    asyncio.run(work())


@pytest.mark.parametrize("listener", ["split", "primary"])
def test_asyncpg_pool(rolecall, listener):
    async def one(pool, i):
        async with pool.acquire() as c:
            return await c.fetchval("select $1::int * 2", i)

    async def work():
        async with asyncpg.create_pool(host="127.0.0.1", port=rolecall.ports[listener], user="app", password="app-secret", database="app",
                                       min_size=5, max_size=20) as pool:
            assert await asyncio.gather(*[one(pool, i) for i in range(300)]) == [2 * i for i in range(300)]

    asyncio.run(work())


@pytest.mark.parametrize("listener", LISTENERS)
def test_psycopg2(rolecall, listener, table):
    c = psycopg2.connect(host="127.0.0.1", port=rolecall.ports[listener], user="app", password="app-secret", dbname="app")
    with c, c.cursor() as cursor:
        cursor.execute(f"insert into {table} values (%s, %s)", (1, "x"))
        cursor.execute(f"select * from {table}")
        assert cursor.fetchall() == [(1, "x")]
    with c, c.cursor("named") as cursor:
        cursor.itersize = 7
        cursor.execute("select generate_series(1, 50)")
        assert [row[0] for row in cursor] == list(range(1, 51))
    with pytest.raises(psycopg2.errors.UniqueViolation), c, c.cursor() as cursor:
        cursor.execute("create temp table u (a int unique); insert into u values (1); insert into u values (1)")
    c.set_session(readonly=True)
    with c, c.cursor() as cursor:
        cursor.execute("select 1")
        assert cursor.fetchone() == (1,)
    c.close()


@pytest.mark.parametrize("wanted", ["read-write", "primary", "any"])
def test_target_session_attrs(rolecall, wanted):
    with rolecall.connect("split", target_session_attrs=wanted) as c:
        assert c.execute("select 1").fetchone()[0] == 1


def test_many_hosts_of_libpq(rolecall):
    dead = processes.free_port()
    with rolecall.connect("split", host="127.0.0.1,127.0.0.1", port=f"{dead},{rolecall.ports['split']}") as c:
        assert c.execute("select 1").fetchone()[0] == 1


def test_nothing_is_left_over(rolecall, cluster):
    """After all of the above: no session hangs in a transaction, nothing waits."""
    time.sleep(0.2)
    assert cluster.primary.backends("state like 'idle in transaction%'") == []
