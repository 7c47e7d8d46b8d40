"""COPY in both directions, large and broken."""

import hashlib

import psycopg
import pytest

from lib.processes import wait_until
from lib.wire import Wire, copy_data, query

LISTENERS = ["split", "primary", "primary-session", "primary-none"]


@pytest.mark.parametrize("listener", LISTENERS)
def test_many_rows_in_and_out(rolecall, listener, table):
    data = b"".join(b"%d\t%s\n" % (i, hashlib.md5(b"%d" % i).hexdigest().encode()) for i in range(100_000))
    with rolecall.connect(listener) as c:
        with c.cursor().copy(f"copy {table} from stdin") as copy:
            for at in range(0, len(data), 65536):
                copy.write(data[at : at + 65536])
        with c.cursor().copy(f"copy (table {table} order by a) to stdout") as copy:
            assert b"".join(bytes(part) for part in copy) == data
        assert c.execute(f"select count(*) from {table}").fetchone()[0] == 100_000


@pytest.mark.parametrize("listener", LISTENERS)
def test_large_rows(rolecall, listener, table):
    with rolecall.connect(listener) as c:
        with c.cursor().copy(f"copy {table} from stdin") as copy:
            copy.write_row((1, "x" * 20_000_000))
        with c.cursor().copy(f"copy {table} to stdout") as copy:
            assert sum(len(part) for part in copy) == 20_000_000 + 3


@pytest.mark.parametrize("listener", LISTENERS)
def test_binary_copy(rolecall, listener, table):
    with rolecall.connect(listener) as c:
        with c.cursor().copy(f"copy {table} from stdin (format binary)") as copy:
            copy.set_types(["int4", "text"])
            for i in range(100):
                copy.write_row((i, str(i)))
        with c.cursor().copy(f"copy (table {table} order by a) to stdout (format binary)") as copy:
            copy.set_types(["int4", "text"])
            assert list(copy.rows()) == [(i, str(i)) for i in range(100)]


@pytest.mark.parametrize("listener", LISTENERS)
def test_the_client_gives_up_in_the_middle(rolecall, listener, table):
    with rolecall.connect(listener) as c:
        with pytest.raises(psycopg.errors.QueryCanceled), c.cursor().copy(f"copy {table} from stdin") as copy:
            copy.write(b"1\tx\n")
            raise ZeroDivisionError
        assert c.execute(f"select count(*) from {table}").fetchone()[0] == 0


@pytest.mark.parametrize("listener", LISTENERS)
def test_the_server_refuses_early_while_the_client_goes_on(rolecall, listener, table):
    with rolecall.connect(listener) as c:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation), c.cursor().copy(f"copy {table} from stdin") as copy:
            copy.write(b"not a number\tx\n")
            for _ in range(2000):
                copy.write(b"1\tx\n" * 1000)
        assert c.execute(f"select count(*) from {table}").fetchone()[0] == 0


@pytest.mark.parametrize("listener", LISTENERS)
def test_the_client_vanishes_in_the_middle(rolecall, cluster, listener, table):
    with Wire(rolecall.ports[listener]) as w:
        w.login(application_name="copy-vanishes")
        w.send(query(f"copy {table} from stdin"))
        w.until("G")
        w.send(copy_data(b"1\tx\n" * 100))
    wait_until(lambda: not cluster.primary.backends(f"query like 'copy {table}%' and state = 'active'"), what="it ends")
    assert cluster.primary.value(f"select count(*) from {table}") == 0
    assert rolecall.value(listener, "select 1") == 1


@pytest.mark.parametrize("listener", LISTENERS)
def test_the_client_vanishes_while_it_is_sent_rows(rolecall, cluster, listener):
    with Wire(rolecall.ports[listener]) as w:
        w.login()
        w.send(query("copy (select repeat('vanish', 100) from generate_series(1, 10000000)) to stdout"))
        w.until("H")
        w.take(100_000)
    wait_until(lambda: not cluster.primary.backends("query like '%repeat(''vanish%' and state = 'active'"), 20, "it ends")
    for replica in cluster.replicas:
        wait_until(lambda: not replica.backends("query like '%repeat(''vanish%' and state = 'active'"), 20, "it ends")
    assert rolecall.value(listener, "select 1") == 1


@pytest.mark.proxy
def test_copy_out_on_split_is_a_write_or_read_with_the_same_answer(rolecall, cluster, table):
    """COPY ... TO STDOUT of what the session has just written."""
    with rolecall.connect("split") as c:
        for i in range(20):
            c.execute(f"insert into {table} values (%s, '')", (i,))
            with c.cursor().copy(f"copy {table} to stdout") as copy:
                assert b"".join(bytes(p) for p in copy).count(b"\n") == i + 1
