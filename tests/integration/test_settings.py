"""Settings that are rolecall's own, and settings that are given back."""

import asyncio

import asyncpg
import psycopg
import pytest

from lib.cluster import DATABASE, PASSWORD, USER
from lib.processes import wait_until

pytestmark = pytest.mark.proxy


@pytest.fixture
def split(rolecall):
    with rolecall.connect("split", prepare_threshold=None) as c:
        yield c


def where(connection):
    return connection.execute("select whereami()").fetchone()[0]


def shown(connection, name):
    return connection.execute(f"show {name}").fetchone()[0]


def test_the_route_of_a_session_is_its_own(split, cluster):
    wait_until(lambda: where(split) in cluster.replica_ports, what="reads go to a replica")
    split.execute("set rolecall.route = primary")
    assert shown(split, "rolecall.route") == "primary"
    assert where(split) == cluster.primary.port
    split.execute("reset rolecall.route")
    wait_until(lambda: where(split) in cluster.replica_ports, what="reads go to a replica again")
    assert shown(split, "rolecall.node") in {node.name for node in cluster.replicas}


def test_the_primary_hint_holds_for_read_only_transactions(split, cluster):
    split.execute("set rolecall.route = primary")
    split.execute("begin read only")
    assert where(split) == cluster.primary.port
    split.execute("rollback")


@pytest.mark.parametrize("sql, sqlstate", [
    ("set rolecall.route = nowhere", "22023"),
    ("set rolecall.max_lag = 'much'", "22023"),
    ("set rolecall.nothing = 1", "42704"),
    ("show rolecall.nothing", "42704"),
])
def test_a_wrong_one_is_refused_and_the_session_lives(split, sql, sqlstate):
    with pytest.raises(psycopg.Error) as caught:
        split.execute(sql)
    assert caught.value.sqlstate == sqlstate
    assert split.execute("select 1").fetchone()[0] == 1


def test_they_may_be_given_at_login(rolecall, cluster):
    with rolecall.connect("split", options="-c rolecall.route=primary -c rolecall.max_lag=16MB") as c:
        assert shown(c, "rolecall.route") == "primary" and shown(c, "rolecall.max_lag") == "16MB"
        assert where(c) == cluster.primary.port
    with pytest.raises(psycopg.OperationalError, match="rolecall.route must be"):
        rolecall.connect("split", options="-c rolecall.route=nowhere")


def test_settings_pin_nobody_and_what_cannot_be_carried_does(make, cluster):
    """A session that is pinned keeps the only connection; one that is not shares it."""
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")},
             settings={"pool_size": 1, "query_wait_timeout": "500ms"})
    with r.connect("primary", options="-c TimeZone=Asia/Tokyo", prepare_threshold=None) as a, \
            r.connect("primary", prepare_threshold=None) as b:
        a.execute("reset all")
        a.execute("select pg_advisory_unlock_all(); close all; unlisten *; reset all;")
        assert shown(a, "timezone") == "Asia/Tokyo"
        assert b.execute("select 1").fetchone()[0] == 1
        a.execute("set work_mem = '9MB'")
        assert b.execute("select 1").fetchone()[0] == 1
        assert shown(a, "work_mem") == "9MB" and shown(b, "work_mem") != "9MB"
        a.execute("listen x")
        with pytest.raises(psycopg.Error):
            b.execute("select 1")
        a.execute("discard all")
        assert b.execute("select 1").fetchone()[0] == 1


def test_asyncpgs_pool_is_not_pinned_by_its_reset(rolecall):
    async def many():
        pool = await asyncpg.create_pool(host="127.0.0.1", port=rolecall.ports["split"], user=USER, password=PASSWORD,
                                         database=DATABASE, min_size=2, max_size=4)
        for i in range(10):
            async with pool.acquire() as c:
                assert await c.fetchval("select $1::int", i) == i
                await c.execute("set rolecall.route = primary")
                assert await c.fetchval("show rolecall.route") == "primary"
        await pool.close()

    asyncio.run(many())


@pytest.mark.parametrize("listener", ["split", "primary"])
def test_what_a_function_sets_inside_reaches_nobody_else(rolecall, listener):
    """The session that called it keeps its server: it sees the setting, others do not."""
    with rolecall.connect(listener, prepare_threshold=None) as a:
        a.execute("create or replace function sets_inside() returns int language plpgsql as "
                  "$$ begin perform set_config('work_mem', '11MB', false); return 1; end $$")
        wait_until(lambda: a.execute("select sets_inside()") and shown(a, "work_mem") == "11MB", what="the session keeps it")
        for _ in range(4):
            assert rolecall.value(listener, "show work_mem") == "4MB"
        a.execute("discard all")
        a.execute("drop function sets_inside()")
