"""
Clusters whose manager decides who is primary: what the campaign needs of them, in one face.

    cluster = Patroni(); cluster.primary; cluster.successor(victim); cluster.restore()

`primary` is who was primary when the campaign last looked; look() looks again.
"""

import psycopg

from lib.processes import wait_until

from . import store

SETTLES_S, REINIT_AFTER_S = 180.0, 60.0  # a manager is slow when the machine is


class Managed:
    manager = "monitor"
    decides = False
    failed = ()
    network, synchronous = None, True

    def __init__(self, cluster):
        self.cluster = cluster  # lib's own
        self.look()
        store.set_up(self.primary)

    def settings(self, _):
        """Of [cluster], beside what says where the manager is."""
        return {}

    @property
    def nodes(self):
        return self.cluster.nodes

    @property
    def standbys(self):
        return [node for node in self.nodes if node is not self.primary]

    def look(self):
        """Waits for one: there may be none for a moment."""
        def found():
            try:
                return self.cluster.primary
            except (psycopg.OperationalError, StopIteration):
                return None

        self.primary = wait_until(found, SETTLES_S, "there is a primary")
        return self.primary

    def restore(self):
        """Whatever has stopped runs again, and follows."""
        self.cluster.settle(SETTLES_S)

    def settled(self):
        """Every standby has replayed what the primary has written."""
        here = self.primary.value("select pg_current_wal_flush_lsn()::text", dbname="postgres")
        return all(node.value("select pg_is_in_recovery() and pg_last_wal_replay_lsn() >= %s::pg_lsn", [here], dbname="postgres")
                   for node in self.standbys)

    def wait_settled(self):
        def settled():
            try:
                self.look()
                return self.settled()
            except psycopg.OperationalError:
                return False

        self.restore()
        wait_until(settled, 60, "every standby has caught up", 0.05)

    def close(self):
        self.cluster.close()


class Patroni(Managed):
    """With synchronous_mode: what was acknowledged survives a failover."""

    manager = "patroni"

    def __init__(self, network, _synchronous, _disks):
        from lib.patroni import PatroniCluster

        cluster = PatroniCluster(network=network, etcds=3)
        try:
            cluster.edit(synchronous_mode=True)
            leader = cluster.leader
            wait_until(lambda: leader.value("select count(*) from pg_stat_replication where sync_state = 'sync'"), 30,
                       "there is a synchronous standby")
            super().__init__(cluster)
        except BaseException:
            cluster.close()
            raise

    def look(self):
        self.primary = self.cluster.leader
        return self.primary

    def rest_ports(self, node):
        return [node.rest_port]

    def restore(self):
        for node in self.cluster.settle(REINIT_AFTER_S):
            print(f"; {node.name} was made anew", end="", flush=True)

    def hand_over(self):
        """As an operator does it: to the standby that commits wait for, the only one that may take over."""
        name = wait_until(lambda: self.primary.sql("select application_name from pg_stat_replication where sync_state = 'sync'",
                                                   dbname="postgres"), 60, "there is a synchronous standby")[0][0]
        self.cluster.switchover(self.cluster.node_named(name))


class AutoFailover(Managed):
    """Three nodes, of which one standby is waited for."""

    def __init__(self, _network, _synchronous, _disks):
        from lib.autofailover import Formation

        cluster = Formation()
        try:
            super().__init__(cluster)
        except BaseException:
            cluster.close()
            raise

    def restore(self):
        for keeper in (self.cluster.monitor, *self.nodes):
            keeper.thaw()
            if not keeper.alive:
                keeper.start()
        super().restore()

    def hand_over(self):
        self.cluster.switchover()
