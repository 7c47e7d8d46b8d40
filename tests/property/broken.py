"""
The test of the test: answers that are not the same, and a pooler that carries nothing from one connection to the next.

An answer is changed in each way that must be noticed, and in each that must not. And pgbouncer in transaction mode gives
a connection to the next session as it is: the run against it must find differences, among them rows, errors and settings
that are the neighbours'.
"""

import os
import shutil
import struct
import tempfile

import psycopg

import normal
import world
from lib import processes
from lib import wire as lib_wire
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


# One answer, and what is changed in it.

message = lib_wire.message
COLUMN = struct.Struct("!IhIhih").pack


def _answer(column=b"a", table=16400, of_type=23, row=b"1", tag=b"SELECT 1", code=b"42P01", notice=b"00000", line=b"99", parameter=b"UTC", status=b"I", pid=7, channel=b"ch"):
    described = struct.pack("!H", 1) + column + b"\0" + COLUMN(table, 1, of_type, 4, -1, 0)
    return b"".join([
        message("T", described), message("D", struct.pack("!Hi", 1, len(row)) + row), message("N", b"SNOTICE\0C" + notice + b"\0Mm\0L" + line + b"\0\0"), message("C", tag + b"\0"),
        message("E", b"SERROR\0C" + code + b"\0Mm\0L" + line + b"\0\0"), message("S", b"TimeZone\0" + parameter + b"\0"), message("A", struct.pack("!I", pid) + channel + b"\0\0"),
        message("Z", status),
    ])  # fmt: skip


NOTICED = [
    dict(column=b"b"), dict(of_type=25), dict(table=0), dict(row=b"2"), dict(row=b""), dict(tag=b"SELECT 2"), dict(code=b"42P02"), dict(notice=b"01000"), dict(parameter=b"GMT"),
    dict(status=b"T"), dict(status=b"E"), dict(channel=b"other"),
]  # fmt: skip
NOT_NOTICED = [dict(table=16500), dict(line=b"100"), dict(pid=8)]


def tampered():
    """What the comparison wrongly takes for the same, or for different."""
    plain = _answer()
    wrong = [f"{change} is not noticed" for change in NOTICED if normal.same(plain, _answer(**change))]
    wrong += [f"{change} is taken for a difference" for change in NOT_NOTICED if not normal.same(plain, _answer(**change))]
    parts = normal.messages(plain)
    for left_out in range(len(parts)):
        fewer = b"".join(message(kind, payload) for i, (kind, payload) in enumerate(parts) if i != left_out)
        if normal.same(plain, fewer) or normal.same(fewer, plain):
            wrong.append(f"a missing {parts[left_out][0]} is not noticed")
    return wrong


# What must have been found at least once, by signature or in the pooled answer.
WANTED = {
    "a neighbour's setting or row": lambda d: b"NEIGHBOUR" in d.answers[1] or b"EVIL" in d.answers[1],
    "other rows": lambda d: d.signature.startswith("D"),
    "another error, or one more": lambda d: d.signature.startswith("E ") or " / E " in d.signature,
    "a missing or other ParameterStatus": lambda d: d.signature.startswith("parameter"),
}


def judge(run):
    wrong = tampered()
    for what in wrong:
        print(f"FAILED: {what}")
    answered = [d for d in run.differences if all(isinstance(answer, bytes) for answer in d.answers)]
    print(f"{len(run.differences)} differences in {sum(run.shared.steps)} statements")
    missing = [what for what, found in WANTED.items() if not any(map(found, answered))]
    for what, found in WANTED.items():
        example = next(filter(found, answered), None)
        if example:
            print(f"found: {what}, e.g. [{example.signature}] at {example.steps[-1]!r}"[:250])
    for what in missing:
        print(f"FAILED: the run through a pooler that leaks did not find {what}")
    return 1 if missing or wrong else 0
