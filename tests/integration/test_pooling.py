"""Many clients on few server connections: pgbench with 200 clients on a pool of 10, through split and transaction pooling."""

import re

import pytest

from lib import processes
from lib.cluster import PASSWORD, USER, program

pytestmark = pytest.mark.proxy

CLIENTS, POOL, TRANSACTIONS = 200, 10, 10


@pytest.fixture(scope="module")
def accounts(cluster):
    """pgbench's tables, on every node."""
    env = dict(PGHOST="127.0.0.1", PGPORT=str(cluster.primary.port), PGUSER=USER, PGPASSWORD=PASSWORD, PGDATABASE="app")
    processes.run([program("pgbench"), "-q", "-i", "-s", "1"], env={"PATH": "/usr/bin:/bin", **env})
    cluster.catch_up()
    yield
    with cluster.primary.connect() as connection:
        connection.execute("drop table pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history")


@pytest.mark.parametrize("what", ["-S -M prepared", "-M simple", "-M extended", "-M prepared"])
def test_two_hundred_pgbench_clients_run_on_a_pool_of_ten(make, cluster, accounts, what):
    """Not one transaction fails, every client does its share, and no node sees more connections than the pool has."""
    r = make(cluster, {"split": dict(route="split", pool="transaction")}, settings={"pool_size": POOL})
    before = total(cluster)
    # A thread for each client: pgbench prepares with calls that block, and a thread that waits so for a connection would keep
    # its other clients from ending the transactions that have them.
    done = processes.run(
        [program("pgbench"), "-n", *what.split(), "-c", str(CLIENTS), "-j", str(CLIENTS), "-t", str(TRANSACTIONS)],
        env=r.environment("split"), timeout=80,
    )  # fmt: skip
    assert f"number of transactions actually processed: {CLIENTS * TRANSACTIONS}/{CLIENTS * TRANSACTIONS}" in done.stdout, done.stdout
    assert re.search(r"number of failed transactions: 0 ", done.stdout), done.stdout
    per_node = {}
    for server in r.admin_table("show servers"):
        if server["user"] == USER and server["database"] == "app":
            per_node[server["node"]] = per_node.get(server["node"], 0) + 1
    assert per_node and max(per_node.values()) <= POOL, per_node
    if "-S" not in what:
        written = CLIENTS * TRANSACTIONS
        assert total(cluster)[0] - before[0] == written  # each left its row of the history, once
        assert total(cluster)[1] == total(cluster)[2]  # and what it added to an account it added to a branch


def total(cluster):
    """(rows of the history, sum of the accounts, sum of the branches)."""
    return cluster.primary.sql("select (select count(*) from pgbench_history), (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches)")[0]
