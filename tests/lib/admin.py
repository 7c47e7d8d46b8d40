"""The admin socket as its clients see it: plain lines, PostgreSQL's protocol, psql, `rolecall ctl`."""

import json
import os
import socket
import subprocess

import psycopg

from .rolecall import BINARY
from .wire import Closed, Wire

SANITIZED = "asan" in BINARY or "tsan" in BINARY or "sanitize" in BINARY
PORT = 6433  # libpq finds the socket of this name in its folder
SETTINGS = {"admin_socket": f".s.PGSQL.{PORT}"}


def path_of(r):
    return f"{r.directory}/.s.PGSQL.{PORT}"


class Plain:
    """A client of the plain language that keeps its connection."""

    def __init__(self, r, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path_of(r))  # without a timeout: one that does not wait fails when the backlog is full
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def answer(self):
        """Lines up to the empty one."""
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise Closed("\n".join(lines))
            if line == b"\n":
                return lines
            lines.append(line.decode().rstrip("\n"))

    def ask(self, line):
        self.send(line + "\n")
        return self.answer()


def ask(r, line):
    """As socat does it: everything said, the half closed, everything heard."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path_of(r))
        s.settimeout(20)
        s.sendall(line if isinstance(line, bytes) else (line + "\n").encode())
        s.shutdown(socket.SHUT_WR)
        heard = b""
        while got := s.recv(65536):
            heard += got
        return heard.decode()


def table(r, command):
    """Rows as dictionaries."""
    answer = ask(r, command + "; json")
    assert answer.endswith("\n\n"), answer
    return json.loads(answer)


def one(r, command, **where):
    """The only row with these values."""
    found = [row for row in table(r, command) if all(row[key] == value for key, value in where.items())]
    assert len(found) == 1, found
    return found[0]


def wire(r, **options):
    w = Wire(PORT, host=r.directory)
    w.login(user="anybody", database="anything", **options)
    return w


def connect(r, **options):
    return psycopg.connect(f"host={r.directory} port={PORT} user=me dbname=x", **options)


def psql(r, *args, **options):
    return subprocess.run(
        ["psql", "-X", f"host={r.directory} port={PORT} dbname=x user=me", *args],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, **options,
    )


def ctl(r, *args, env=None, socket_given=True):
    where = ["-s", path_of(r)] if socket_given else []
    return subprocess.run(
        [BINARY, "ctl", *where, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30,
        env=dict(os.environ, **(env or {})),
    )
