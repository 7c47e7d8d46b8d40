"""
The ledger in the database: its tables, how they begin, and what is in them at the end.
"""

from . import client

PROBE_USER, PROBE_PASSWORD = "prober", "probe-secret"
DATABASE = "app"

CONTENT = ("select list, session, n from entry", "select session, n, source, target, amount from transfer",
           "select id, balance from account")
DIGEST = """select (select md5(string_agg(e::text, ',' order by e::text)) from entry e),
                   (select md5(string_agg(t::text, ',' order by t::text)) from transfer t),
                   (select md5(string_agg(a::text, ',' order by a::text)) from account a)"""


def set_up(primary):
    with primary.connect(dbname=DATABASE) as connection:
        connection.execute(f"create role {PROBE_USER} superuser replication login password '{PROBE_PASSWORD}'")
        connection.execute(client.SCHEMA)
        connection.execute(f"insert into account select i, {client.OPENING} from generate_series(1, {client.ACCOUNTS}) i")
        connection.execute("insert into meter select i, 0 from generate_series(0, 9) i")


def start_anew(primary):
    """As at the beginning, for another crowd."""
    primary.sql("truncate entry, transfer", dbname=DATABASE)
    primary.sql(f"update account set balance = {client.OPENING}", dbname=DATABASE)


def content(primary):
    """The arguments of check.Final."""
    with primary.connect(dbname=DATABASE) as connection:
        connection.execute("begin isolation level repeatable read")
        return [connection.execute(sql).fetchall() for sql in CONTENT] + [client.OPENING]


def digests(nodes):
    return {node.name: node.sql(DIGEST, dbname=DATABASE)[0] for node in nodes}
