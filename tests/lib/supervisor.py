"""What a machine's supervisor does for hooks: stops and starts the nodes of a test's cluster, whose parent the test is."""

import os

from . import processes
from .cluster import SUPERUSER_PASSWORD


def set_in_auto_conf(node, text):
    with open(os.path.join(node.data, "postgresql.auto.conf"), "a") as file:
        file.write(text + "\n")


def standby_signal(node):
    return os.path.join(node.data, "standby.signal")


def follow(node, host, port):
    """Makes a stopped node a standby of that server."""
    node.cluster._write(standby_signal(node), "")
    set_in_auto_conf(node, f"primary_conninfo = 'host={host} port={port} user=postgres password={SUPERUSER_PASSWORD} "
                           f"application_name={node.name}'")


class Supervisor:
    """The demote hook: a fast stop and a start as a standby of the target; undone by a start as what it was."""

    def __init__(self, cluster):
        self.cluster = cluster

    def node(self, name):
        return next(node for node in self.cluster.nodes if node.name == name)

    def demote(self, facts):
        node = self.node(facts["NODE"])
        node.stop("fast")
        if facts.get("UNDO"):
            if os.path.exists(standby_signal(node)):
                os.unlink(standby_signal(node))
        else:
            follow(node, facts["TARGET_HOST"], facts["TARGET_PORT"])
        node.start()
        return "demoted" if not facts.get("UNDO") else "made the primary again"

    def rejoin(self, facts):
        """The old primary becomes a replica of the present one: stopped, rewound, started."""
        from .rolecall import BINARY

        node = self.node(facts["NODE"])
        node.stop("immediate")  # what it has alone is to go anyway
        conninfo = (f"host={facts['PRIMARY_HOST']} port={facts['PRIMARY_PORT']} user=postgres "
                    f"password={SUPERUSER_PASSWORD}")
        done = processes.run([BINARY, "clone", "--rejoin", "--data", node.data, "--from", f"{conninfo} dbname=postgres",
                              "--follow", conninfo, "--name", node.name, "--slot", node.name], prefix=node.prefix)
        node.start()
        return done.stdout

    def fence(self, facts):
        """Whatever it is, it is not there any more."""
        node = self.node(facts["OLD_PRIMARY"])
        if node.alive:
            node.kill()
        return "fenced"
