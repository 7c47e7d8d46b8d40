"""
The test of the test: a pooler that carries nothing from one connection to the next, so that everything leaks.

pgbouncer in transaction mode gives a connection to the next session as it is. The run against it must find differences,
among them rows, errors and settings that are the neighbours'.
"""

import os
import shutil
import tempfile

import psycopg

import world
from lib import processes
from lib.cluster import SUPERUSER, SUPERUSER_PASSWORD
from lib.processes import wait_until

CONFIG = """
[databases]
* = host=127.0.0.1 port={node}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 200
query_wait_timeout = 60
log_connections = 0
log_disconnections = 0
log_pooler_errors = 0
"""


class Pooler:
    def __init__(self, cluster, size):
        self.port = processes.free_port()
        self.directory = processes.own(tempfile.mkdtemp(prefix="rolecall-property."))
        users = self._write("users", "".join(f'"{u}" "{p}"\n' for u, p in [*world.PASSWORDS.items(), (SUPERUSER, SUPERUSER_PASSWORD)]))
        config = self._write("config", CONFIG.format(node=cluster.primary.port, port=self.port, users=users, size=size))
        self.process = processes.start(["pgbouncer", config], os.path.join(self.directory, "log"))
        wait_until(self._answers, 20, "pgbouncer answers")

    def _write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write(text)
        return processes.own(path)

    def _answers(self):
        assert self.process.poll() is None, open(os.path.join(self.directory, "log")).read()[-2000:]
        try:
            psycopg.connect(host="127.0.0.1", port=self.port, user=SUPERUSER, dbname="pooled", connect_timeout=3).close()
            return True
        except psycopg.OperationalError:
            return False

    def stop(self):
        processes.end(self.process)
        shutil.rmtree(self.directory, ignore_errors=True)


# What must have been found at least once, by signature or in the pooled answer.
WANTED = {
    "a neighbour's setting or row": lambda d: b"NEIGHBOUR" in d.answers[1] or b"EVIL" in d.answers[1],
    "other rows": lambda d: d.signature.startswith("D"),
    "another error, or one more": lambda d: d.signature.startswith("E ") or " / E " in d.signature,
    "a missing or other ParameterStatus": lambda d: d.signature.startswith("parameter"),
}


def judge(run):
    answered = [d for d in run.differences if all(isinstance(answer, bytes) for answer in d.answers)]
    print(f"{len(run.differences)} differences in {sum(run.shared.steps)} statements")
    missing = [what for what, found in WANTED.items() if not any(map(found, answered))]
    for what, found in WANTED.items():
        example = next(filter(found, answered), None)
        if example:
            print(f"found: {what}, e.g. [{example.signature}] at {example.steps[-1]!r}"[:250])
    for what in missing:
        print(f"FAILED: the run through a pooler that leaks did not find {what}")
    return 1 if missing else 0
