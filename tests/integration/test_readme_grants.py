"""What README.md grants the probe's user for `failover = builtin` is enough for all that rolecall then does."""

import pytest

from lib import readme
from lib.hooks import Hooks
from lib.processes import wait_until
from lib.supervisor import Supervisor

pytestmark = pytest.mark.proxy


def streaming(node):
    return node.value("select count(*) from pg_stat_replication where state = 'streaming'")


def test_a_switchover_and_a_failover_with_no_more_than_that(make, own_cluster):
    for statement in readme.sql("pg_promote(boolean, integer)") + readme.sql("public.rolecall_secret(name)"):
        own_cluster.primary.sql(statement)
    own_cluster.primary.sql("create table w (n int); grant all on w to app")
    own_cluster.catch_up()
    hooks = Hooks(own_cluster.directory)
    try:
        hooks.actions["demote"] = Supervisor(own_cluster).demote
        r = make(own_cluster, {"primary": dict(route="primary", pool="transaction")}, cluster_settings={
            "probe_user": "rolecall", "probe_password": readme.PASSWORD, "failover": "builtin", "failover_after": "1s",
            "data_loss": "allow", "auth_query": "SELECT public.rolecall_secret($1)", **hooks.settings("demote")})
        worked, text = r.switchover("to node2")
        assert worked, text
        assert "not every replica follows" not in text
        new = own_cluster.node_at(r.value("primary", "insert into w values (1) returning whereami()"))
        assert new.name == "node2"
        wait_until(lambda: streaming(new) == 2, 30, "both others follow")
        assert "no_checkpoint" not in r.log()
        new.sql("revoke pg_checkpoint from rolecall")
        wait_until(lambda: r.switchover("to node1")[0], 30, "node1 has caught up, and takes over", 0.5)
        assert "event=no_checkpoint cluster=main node=node2" in r.log()  # the pause may be longer, that is all
        wait_until(lambda: r.switchover("to node2")[0], 30, "and node2 again", 0.5)
        wait_until(lambda: streaming(new) == 2, 30, "both others follow")
        wait_until(lambda: all(node.value("select count(*) from w") == 1 for node in own_cluster.nodes), 20, "they have it all")
        new.kill()
        last = wait_until(lambda: successor(r, new), 40, "another is promoted")
        assert last.value("select count(*) from w") == 2
        wait_until(lambda: streaming(last) == 1, 30, "the other one follows")
    finally:
        hooks.close()


def successor(r, old):
    row = next((row for row in r.admin_table("show nodes") if row["role"] == "primary"), None)
    if not row or row["node"] == old.name:
        return None
    return r.cluster.node_at(r.value("primary", "insert into w values (2) returning whereami()"))
