#!/usr/bin/python3
"""Calls PostgreSQL's harmless built-in functions, and reads its relations, directly and through the split endpoint.

    functions_oracle.py

With DIRECT_DSN and SPLIT_DSN in the environment the two are compared as they are; without, a primary and a streaming
replica are started and compared, which is what a read that rolecall sends to a replica would see. Every function that
router/sql/builtins_table.c calls harmless and that can be called with made-up arguments must give the same rows or the
same error on both; and so must every table and view of pg_catalog and information_schema that is not listed as special. Prints the counts; exit 1 when one differs. Needs PostgreSQL 15 and psycopg.
"""
import contextlib
import itertools
import os
import pathlib
import re
import sys
import time

import psycopg

from postgres import Cluster

TABLE = pathlib.Path(__file__).resolve().parents[2] / "router" / "sql" / "builtins_table.c"

# Harmless, and yet different at every call: not compared.
CHANGING = {
    "clock_timestamp now statement_timestamp transaction_timestamp timeofday": "the time goes on between two calls",
    "random gen_random_uuid": "random",
    "pg_sleep pg_sleep_for pg_sleep_until": "would only take time",
    "ts_stat": "not called with made-up queries",
}

# Two values for each type, as SQL. Types that are not here are not made up, nor the functions called that want them.
SAMPLES = {
    "bool": ["true", "false"], "bytea": [r"'\x0102ff'", "''"], "char": ["'a'", "'b'"], "name": ["'pg_class'", "'x'"],
    "int8": ["3", "-4"], "int2": ["2", "-1"], "int4": ["2", "-3"], "regproc": ["'pg_catalog.now'", "'pg_catalog.pi'"],
    "text": ["'abc'", "'2020-01-02'"], "oid": ["1259", "23"], "xid": ["'3'", "'700'"], "xid8": ["'3'", "'700'"],
    "cid": ["'0'", "'1'"], "tid": ["'(0,1)'", "'(1,2)'"], "json": ["""'{"a": [1, 2]}'""", "'[1, null]'"],
    "jsonb": ["""'{"a": [1, 2]}'""", "'[1, null]'"], "jsonpath": ["'$.a[*]'", "'$'"], "xml": ["'<a>1</a>'", "'<b/>'"],
    "point": ["'(1,2)'", "'(0,0)'"], "lseg": ["'[(0,0),(1,1)]'", "'[(0,1),(1,0)]'"],
    "path": ["'[(0,0),(1,1),(2,0)]'", "'((0,0),(1,1))'"], "box": ["'(1,1),(0,0)'", "'(2,3),(1,1)'"],
    "polygon": ["'((0,0),(1,1),(2,0))'", "'((0,0),(3,3),(0,3))'"], "line": ["'{1,-1,0}'", "'{0,1,2}'"],
    "circle": ["'<(0,0),1>'", "'<(1,1),2>'"], "float4": ["1.5", "-0.25"], "float8": ["0.5", "2.25"],
    "money": ["'12.34'", "'-1'"], "macaddr": ["'08:00:2b:01:02:03'", "'00:00:00:00:00:01'"],
    "macaddr8": ["'08:00:2b:01:02:03:04:05'", "'00:00:00:00:00:00:00:01'"], "inet": ["'10.1.2.3/24'", "'::1'"],
    "cidr": ["'10.1.2.0/24'", "'::/0'"], "bpchar": ["'ab '", "'x'"], "varchar": ["'abc'", "'b'"],
    "date": ["'2020-02-29'", "'1999-12-31'"], "time": ["'10:11:12.5'", "'00:00'"],
    "timetz": ["'10:11:12+02'", "'23:59:59-08'"], "timestamp": ["'2020-02-29 10:11:12.25'", "'1999-12-31 23:59:59'"],
    "timestamptz": ["'2020-02-29 10:11:12.25+02'", "'1999-12-31 23:59:59-08'"],
    "interval": ["'1 mon 2 days 03:04:05'", "'-1 year'"], "numeric": ["3.14", "-2"], "bit": ["B'101'", "B'010'"],
    "varbit": ["B'1011'", "B'0'"], "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'00000000-0000-0000-0000-000000000000'"],
    "regclass": ["'pg_class'", "'pg_proc'"], "regtype": ["'int4'", "'text'"], "regprocedure": ["'lower(text)'", "'now()'"],
    "regoper": ["'!~~*'", "'||/'"], "regoperator": ["'+(int4,int4)'", "'-(int4,int4)'"], "regrole": ["10", "10"],
    "regnamespace": ["'pg_catalog'", "'information_schema'"], "regconfig": ["'english'", "'simple'"],
    "regdictionary": ["'simple'", "'english_stem'"], "regcollation": ["'\"C\"'", "'\"default\"'"],
    "pg_lsn": ["'0/16B3748'", "'1/0'"], "tsvector": ["'a:1 fat:2 cat:3'", "'b'"], "tsquery": ["'fat & cat'", "'a | b'"],
    "gtsvector": [], "int4range": ["'[1,5)'", "'[3,9)'"], "int8range": ["'[1,5)'", "'empty'"],
    "numrange": ["'[1.5,5)'", "'[2,3]'"], "daterange": ["'[2020-01-01,2020-02-01)'", "'empty'"],
    "tsrange": ["'[2020-01-01,2020-02-01)'", "'empty'"], "tstzrange": ["'[2020-01-01,2020-02-01)'", "'empty'"],
    "int4multirange": ["'{[1,3),[5,7)}'", "'{}'"], "pg_snapshot": ["'10:20:10,14'", "'1:1:'"],
    "txid_snapshot": ["'10:20:10,14'", "'1:1:'"], "refcursor": ["'c'", "'d'"], "unknown": ["'u'", "'v'"],
    "cstring": ["'1'", "'2020-01-01'"], "anyelement": ["7::int4", "8::int4"], "anynonarray": ["7::int4", "8::int4"],
    "anycompatible": ["7::int4", "8::int4"], "anycompatiblenonarray": ["7::int4", "8::int4"], "any": ["5", "'x'::text"],
    "anyarray": ["array[1,2,3]", "array[4]"], "anycompatiblearray": ["array[1,2,3]", "array[4]"],
    "anyrange": ["'[1,5)'::int4range", "'[3,9)'::int4range"], "anymultirange": ["'{[1,3)}'::int4multirange", "'{[2,9)}'::int4multirange"],
    "anycompatiblerange": ["'[1,5)'::int4range", "'[3,9)'::int4range"], "record": ["row(1,'a'::text)", "row(2,'b'::text)"],
    "anycompatiblemultirange": ["'{[1,3)}'::int4multirange", "'{[2,9)}'::int4multirange"],
    "oidvector": ["'1 2'", "'3'"], "int2vector": ["'1 2'", "'3'"], "aclitem": ["'=r/postgres'", "'=w/postgres'"],
    "_text": ["array['a','b']", "array['c']"], "_int4": ["array[1,2]", "array[3]"], "_int8": ["array[1,2]", "array[3]"],
    "_int2": ["array[1,2]", "array[3]"], "_float8": ["array[1,2]", "array[0,1]"], "_float4": ["array[1,2]", "array[3]"],
    "_numeric": ["array[1,2]", "array[3]"], "_aclitem": ["'{=r/postgres}'", "'{}'"], "_name": ["array['a']", "array['b']"],
    "_bool": ["array[true]", "array[false]"], "_oid": ["array[1259]", "array[23]"], "_char": ["array['a']", "array['r']"],
}
LITERAL = re.compile(r"::|^row\(|^array\[.*::")

FUNCTIONS = """
    select p.oid::int8, p.proname, p.prokind::text, p.proretset, p.provariadic <> 0, p.prorettype::regtype::text,
           array(select t.typname::text from unnest(p.proargtypes) with ordinality u(o, n)
                 join pg_type t on t.oid = u.o order by n),
           coalesce((select aggkind::text from pg_aggregate a where a.aggfnoid = p.oid), '')
    from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace order by p.proname, p.oid"""


RELATIONS = """
    select c.relnamespace::regnamespace::text, c.relname from pg_class c where c.relkind in ('r', 'v')
    and c.relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) order by 1, 2"""


def special_relations():
    text = TABLE.read_text(encoding="utf-8")
    return set(re.findall(r'^    "(\w+)",$', text[text.index("builtin_relations[]"):], re.MULTILINE))


def harmless_names():
    names = re.findall(r'\{"([^"]+)", BUILTIN_HARMLESS, ', TABLE.read_text(encoding="utf-8"))
    return set(names) - {name for names in CHANGING for name in names.split()}


def value(type_name, choice):
    sample = SAMPLES[type_name][choice]
    if LITERAL.search(sample) or type_name in ("any", "anyarray", "anycompatiblearray"):
        return sample
    wanted = f'pg_catalog."{type_name}"'
    return f"{sample}::{wanted}"


def calls(function):
    """The SQL of some calls, or nothing when arguments cannot be made up."""
    _, name, kind, retset, variadic, result, types, aggregate = function
    if any(not SAMPLES.get(type_name) for type_name in types) or result in ("trigger", "event_trigger", "internal"):
        return
    if result.endswith("_handler"):
        return
    choices = [(0,) * len(types), (1,) * len(types)] + list(itertools.product((0, 1), repeat=len(types)))[:4]
    for choice in sorted(set(choices)):
        arguments = [value(type_name, one) for type_name, one in zip(types, choice)]
        if variadic and types:
            arguments[-1] = ("" if types[-1] == "any" else "variadic ") + arguments[-1]
        call = f'pg_catalog."{name}"({", ".join(arguments)})'
        if kind == "a" and not types:
            call = f'pg_catalog."{name}"(*)'
        if kind == "a" and aggregate in ("o", "h"):
            call = f"pg_catalog.\"{name}\"(0.5) within group (order by x)"
            yield f"select {call} from generate_series(1, 5) x"
            return
        if kind == "a":
            yield f"select {call} from generate_series(1, 3)"
        elif kind == "w":
            yield f"select {call} over (order by x) from generate_series(1, 3) x"
        elif retset:
            yield f"select * from {call} as result limit 50"
        else:
            yield f"select {call}"


def answer(connection, query):
    """The rows as text, or the error."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            result = cursor.pgresult
            return [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary


class Comparison:
    def __init__(self, direct, split):
        self.direct, self.split = direct, split
        self.counts = {"functions": 0, "called": 0, "relations": 0, "queries": 0, "rows": 0, "errors": 0, "differ": 0}

    def compare(self, query):
        here, there = answer(self.direct, query), answer(self.split, query)
        self.counts["queries"] += 1
        self.counts["errors" if isinstance(here, tuple) else "rows"] += 1
        if here != there:
            self.counts["differ"] += 1
            print(f"DIFFER {query}\n  directly {here!r:.300}\n  split    {there!r:.300}")

    def functions(self):
        names = harmless_names()
        for function in self.direct.execute(FUNCTIONS).fetchall():
            if function[1] not in names:
                continue
            queries = list(calls(function))
            self.counts["functions"] += 1
            self.counts["called"] += bool(queries)
            for query in queries:
                self.compare(query)

    def relations(self):
        """Some views take seconds on a slow machine; what a function is called with may take for ever."""
        for connection in (self.direct, self.split):
            connection.execute("set statement_timeout = '60s'")
        special = special_relations()
        for schema, name in self.direct.execute(RELATIONS).fetchall():
            if name not in special:
                self.counts["relations"] += 1
                self.compare(f'select x::text from {schema}."{name}" x order by 1')


def connect(dsn):
    connection = psycopg.connect(dsn, autocommit=True)
    for setting in ("statement_timeout = '5s'", "timezone = 'UTC'", "datestyle = 'ISO'"):
        connection.execute(f"set {setting}")
    return connection


@contextlib.contextmanager
def endpoints():
    direct, split = os.environ.get("DIRECT_DSN"), os.environ.get("SPLIT_DSN")
    if direct and split:
        yield direct, split, False
        return
    with Cluster(replica=True) as cluster:
        with psycopg.connect(cluster.primary_dsn, autocommit=True) as primary:
            position = primary.execute("select pg_current_wal_insert_lsn()").fetchone()[0]
        with psycopg.connect(cluster.replica_dsn, autocommit=True) as replica:
            for _ in range(100):
                if replica.execute("select pg_last_wal_replay_lsn() >= %s::pg_lsn", [position]).fetchone()[0]:
                    break
                time.sleep(0.1)
        yield cluster.primary_dsn, cluster.replica_dsn, True


def main():
    with endpoints() as (direct_dsn, split_dsn, bare), connect(direct_dsn) as direct, connect(split_dsn) as split:
        comparison = Comparison(direct, split)
        comparison.functions()
        comparison.relations()
    counts = comparison.counts
    print("primary against its replica" if bare else "directly against the split endpoint")
    print(", ".join(f"{key} {count}" for key, count in counts.items()))
    sys.exit(counts["differ"] > 0 or counts["rows"] == 0)


if __name__ == "__main__":
    main()
