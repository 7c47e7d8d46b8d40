"""
Every built-in function that can be called is called directly and through split: the same answer, or the primary's own.

A function may be answered by a replica only when its answer there is the one that the primary gives. What a replica may
answer differently is listed here, and is different each time anywhere: clocks and random numbers.
"""

import psycopg
import pytest

pytestmark = pytest.mark.proxy

# Different at each call, on any node alike.
DIFFERENT_EVERYWHERE = {
    "now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "timeofday", "random", "gen_random_uuid",
}
# Would stop the test or the server, or only wait.
NOT_CALLED = {"pg_sleep", "pg_sleep_for", "pg_sleep_until", "pg_terminate_backend", "pg_cancel_backend", "pg_rotate_logfile"}

SAMPLES = {
    "bool": "true", "int2": "3", "int4": "2", "int8": "5", "float4": "1.5", "float8": "0.5", "numeric": "2.25", "money": "'1.5'",
    "text": "'abc'", "varchar": "'abc'", "bpchar": "'abc'", "name": "'pg_class'", "\"char\"": "'r'", "bytea": "'\\x616263'", "cstring": "'1'",
    "date": "'2020-02-03'", "time": "'04:05:06'", "timetz": "'04:05:06+02'", "timestamp": "'2020-02-03 04:05:06'",
    "timestamptz": "'2020-02-03 04:05:06+00'", "interval": "'1 day 02:03:04'", "uuid": "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
    "json": "'{\"a\": [1, 2]}'", "jsonb": "'{\"a\": [1, 2]}'", "jsonpath": "'$.a'", "xml": "'<a>1</a>'", "inet": "'10.0.0.1/8'", "cidr": "'10.0.0.0/8'",
    "macaddr": "'08:00:2b:01:02:03'", "macaddr8": "'08:00:2b:01:02:03:04:05'", "bit": "B'101'", "varbit": "B'101'", "point": "'(1,2)'",
    "line": "'{1,2,3}'", "lseg": "'[(0,0),(1,1)]'", "box": "'(1,1),(0,0)'", "path": "'[(0,0),(1,1)]'", "polygon": "'((0,0),(1,1),(1,0))'",
    "circle": "'<(0,0),1>'", "tsvector": "'a b'", "tsquery": "'a & b'", "regconfig": "'english'", "regdictionary": "'simple'",
    "oid": "1259", "regclass": "'pg_class'", "regproc": "'now'", "regprocedure": "'now()'", "regtype": "'int4'", "regoper": "'!~~'",
    "regoperator": "'+(int4,int4)'", "regrole": "'app'", "regnamespace": "'pg_catalog'", "regcollation": "'\"C\"'", "xid": "'3'", "xid8": "'3'",
    "cid": "'0'", "tid": "'(0,1)'", "pg_lsn": "'0/1000000'", "txid_snapshot": "'10:20:10,14'", "pg_snapshot": "'10:20:10,14'", "refcursor": "'c'",
    "aclitem": "'app=r/app'", "int2vector": "'1 2'", "oidvector": "'1 2'", "int4range": "'[1,5)'", "int8range": "'[1,5)'", "numrange": "'[1,5)'",
    "daterange": "'[2020-01-01,2020-02-01)'", "tsrange": "'[2020-01-01,2020-02-01)'", "tstzrange": "'[2020-01-01,2020-02-01)'",
    "int4multirange": "'{[1,5)}'", "_int4": "'{1,2,3}'", "_text": "'{a,b}'", "_oid": "'{1,2}'", "_float8": "'{1,2}'", "_float4": "'{1,2}'",
    "_numeric": "'{1,2}'", "_int8": "'{1,2}'", "_int2": "'{1,2}'", "_aclitem": "'{app=r/app}'", "_name": "'{a,b}'", "_regtype": "'{int4}'",
    "_timestamptz": "'{2020-01-01}'", "_char": "'{r}'", "_bool": "'{t}'",
}  # fmt: skip
# A pseudo-type that stands for any type gets one.
POLYMORPHIC = {
    "anyelement": ("int4", "2"), "anycompatible": ("int4", "2"), "anynonarray": ("int4", "2"), "anycompatiblenonarray": ("int4", "2"),
    "anyarray": ("int4[]", "'{1,2,3}'"), "anycompatiblearray": ("int4[]", "'{1,2,3}'"), "anyrange": ("int4range", "'[1,5)'"),
    "anymultirange": ("int4multirange", "'{[1,5)}'"), "any": ("text", "'x'"), "record": ("record", "row(1,2)"),
}  # fmt: skip

FUNCTIONS = """
select p.proname, array(select t.typname from unnest(p.proargtypes) with ordinality a (oid, n) join pg_type t on t.oid = a.oid order by n)
from pg_proc p join pg_type r on r.oid = p.prorettype
where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f'
  and r.typname not in ('internal', 'trigger', 'event_trigger', 'language_handler', 'fdw_handler', 'index_am_handler', 'tsm_handler', 'table_am_handler')
order by p.proname, p.oid
"""


def argument(name):
    name = '"char"' if name == "char" else name
    if name in SAMPLES:
        return f"{SAMPLES[name]}::{name}"
    kind, sample = POLYMORPHIC[name]
    return sample if kind == "record" else f"{sample}::{kind}"


def calls(cluster):
    """(name, SQL) of every function whose arguments have a sample."""
    for name, types in cluster.primary.sql(FUNCTIONS):
        known = all(t in SAMPLES or t in POLYMORPHIC or t == "char" for t in types)
        if known and name not in NOT_CALLED:
            yield name, f'select whereami(), array(select x::text from pg_catalog."{name}"({", ".join(map(argument, types))}) x)'


def answer(connection, sql):
    """(node, answer): the value as text, or the error's code."""
    try:
        node, value = connection.execute(sql).fetchone()
        return node, value
    except psycopg.Error as error:
        if not error.sqlstate:
            raise
        return None, error.sqlstate


def undone(connection, sql):
    """The same in a transaction that is undone: what a function does must not be in the way of doing it again."""
    with connection.transaction(force_rollback=True):
        return answer(connection, sql)


OPTIONS = "-c statement_timeout=5s -c lock_timeout=500ms -c client_min_messages=error"


def test_every_function_gives_the_same_answer_through_split(rolecall, cluster):
    session = rolecall.connect("split", options=OPTIONS)
    on_replicas, called, wrong = set(), 0, []
    with cluster.primary.connect(user="app", password="app-secret", options=OPTIONS) as direct:
        for name, sql in calls(cluster):
            called += 1
            _, want = undone(direct, sql)
            direct.execute("select pg_advisory_unlock_all()")
            node, got = answer(session, sql)
            if node in cluster.replica_ports:
                on_replicas.add(name)
                if got != want and name not in DIFFERENT_EVERYWHERE:
                    wrong.append((sql, want, got))
            elif node is None and got != want:
                wrong.append((sql, want, got))
            if node not in cluster.replica_ports:
                # What it changed may hold the session on the primary: the next function gets a new one.
                if session.execute("select whereami()").fetchone()[0] not in cluster.replica_ports:
                    session.close()
                    session = rolecall.connect("split", options=OPTIONS)
    session.close()
    assert wrong == []
    assert called > 2000
    assert len(on_replicas) > 900, f"of {called} calls only those of {len(on_replicas)} functions were on a replica"
