"""rolecall clone: replicas out of an empty directory, and out of an old primary's."""

import os

import pytest

from lib import processes
from lib.cluster import SUPERUSER_PASSWORD, Node
from lib.processes import wait_until
from lib.rolecall import BINARY

pytestmark = pytest.mark.proxy


def conninfo(node, extra=""):
    return f"host=127.0.0.1 port={node.port} user=postgres password={SUPERUSER_PASSWORD} {extra}".strip()


def clone(*words, check=True):
    return processes.run([BINARY, "clone", *words], check=check)


def test_an_empty_directory_becomes_a_replica_with_a_slot(own_cluster):
    primary = own_cluster.primary
    node = Node(own_cluster, "node4")
    done = clone("--data", node.data, "--from", conninfo(primary), "--name", "node4", "--slot", "node4")
    assert "100%" in done.stdout and "cloned: start PostgreSQL" in done.stdout
    own_cluster.nodes.append(node)
    node.configure(own_cluster._own_settings(node))
    node.start()
    wait_until(lambda: primary.value("select count(*) from pg_stat_replication where application_name = 'node4'") == 1,
               what="it follows")
    assert primary.value("select active from pg_replication_slots where slot_name = 'node4'")
    primary.sql("create table t (a int)")
    wait_until(lambda: node.value("select to_regclass('t') is not null"), what="it replays")


def test_an_old_primary_that_went_its_own_way_is_rewound(own_cluster):
    first, second, third = own_cluster.nodes
    first.sql("create table t (a int)")
    own_cluster.catch_up()
    second.promote()
    first.sql("insert into t values (1)")  # which nobody else has
    second.sql("insert into t values (2)")
    refused = clone("--rejoin", "--data", first.data, "--from", conninfo(second, "dbname=postgres"), check=False)
    assert refused.returncode == 1 and "PostgreSQL runs there" in refused.stdout
    first.stop("immediate")
    clone("--rejoin", "--data", first.data, "--from", conninfo(second, "dbname=postgres"), "--name", "node1")
    first.start()
    wait_until(lambda: first.value("select array_agg(a) from t") == [2], what="it has what the new primary has")
    assert first.value("select pg_is_in_recovery()") and first.value("show port") == str(first.port)


def test_a_node_that_rejoins_by_a_slot_finds_it_there(own_cluster):
    """Without it, it would wait for the end of the log that it was rewound to, and let nobody in meanwhile."""
    first, second, _ = own_cluster.nodes
    own_cluster.catch_up()
    second.promote()
    first.stop("immediate")
    assert second.value("select count(*) from pg_replication_slots") == 0
    clone("--rejoin", "--data", first.data, "--from", conninfo(second, "dbname=postgres"), "--name", "node1", "--slot", "node1")
    assert second.value("select slot_name::text from pg_replication_slots where wal_status is not null") == "node1"
    first.start()
    wait_until(lambda: second.value("select active from pg_replication_slots where slot_name = 'node1'"), what="it follows")


def test_a_replica_that_has_more_than_the_new_primary_and_crashed_is_rewound(own_cluster):
    first, second, third = own_cluster.nodes
    first.sql("create table t (a int)")
    own_cluster.catch_up()
    second.set("primary_conninfo", "")
    first.sql("insert into t values (1)")
    wait_until(lambda: third.value("select count(*) from t") == 1, what="the third node has it, and the second has not")
    first.kill()
    second.promote()
    third.stop("immediate")
    words = ["--rejoin", "--data", third.data, "--name", "node3", "--slot", "node3"]
    assert clone(*words, "--from", "host=127.0.0.1 port=1", check=False).returncode != 0
    assert os.path.exists(os.path.join(third.data, "standby.signal"))
    clone(*words, "--from", conninfo(second, "dbname=postgres"))
    third.start()
    second.sql("insert into t values (2)")
    wait_until(lambda: third.value("select array_agg(a) from t") == [2], what="it has what the new primary has")


def test_what_cannot_be_done_is_refused_with_the_reason(own_cluster):
    first, second, _ = own_cluster.nodes
    empty = os.path.join(own_cluster.directory, "empty")
    os.mkdir(empty)
    processes.own(empty)
    for words, status, wanted in (
        (["--data", first.data], 2, "--data and --from are needed"),
        (["--data"], 2, 'nothing behind "--data"'),
        (["--data", empty, "--from", "host=h", "--follow", "x"], 2, "--follow is for --rejoin"),
        (["--frobnicate"], 2, 'unknown argument "--frobnicate"'),
        (["--data", first.data, "--from", conninfo(second)], 1, "is not empty"),
        (["--rejoin", "--data", empty, "--from", conninfo(second)], 1, "is no data directory"),
        (["--data", empty, "--from", conninfo(second), "--slot", "Node-1"], 2, "a slot's name has"),
        (["--data", empty, "--from", "host=127.0.0.1 port=1"], 1, "onnection refused"),
    ):
        done = clone(*words, check=False)
        assert done.returncode == status and wanted in done.stdout, (words, done.returncode, done.stdout)
    assert os.listdir(empty) == []


def test_a_rewind_that_fails_leaves_the_configuration_as_it_was(own_cluster):
    first, second, _ = own_cluster.nodes
    first.stop("fast")
    path = os.path.join(first.data, "postgresql.conf")
    with open(path) as file:
        before = file.read()
    done = clone("--rejoin", "--data", first.data, "--from", "host=127.0.0.1 port=1 user=nobody dbname=postgres", check=False)
    assert done.returncode != 0
    with open(path) as file:
        assert file.read() == before
    assert not os.path.exists(os.path.join(first.data, "standby.signal"))
