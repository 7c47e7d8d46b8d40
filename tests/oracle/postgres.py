"""A throw-away PostgreSQL 15 for the oracles: a primary and, when asked for, a streaming replica, on Unix sockets only.

    with Cluster(replica=True) as cluster:
        psycopg.connect(cluster.primary_dsn)

Runs as the account `postgres` when started by root (PostgreSQL refuses root), else as the caller. Everything lives in
one temporary directory, which is removed at the end.
"""
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

BINDIR = pathlib.Path(os.environ.get("PGBINDIR", "/usr/lib/postgresql/15/bin"))
SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",
    "shared_buffers": "'32MB'",
    "max_wal_senders": "5",
    "autovacuum": "off",
    "logging_collector": "off",
}


class Cluster:
    def __init__(self, replica=False, port=54871):
        self.port = port
        self.replica = replica
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="oracle-"))
        self.account = []
        if os.getuid() == 0:
            self.account = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
            shutil.chown(self.root, "postgres", "postgres")
        self.started = []
        user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self.primary_dsn = f"host={self.root} port={port} dbname=postgres user={user}"
        self.replica_dsn = f"host={self.root} port={port + 1} dbname=postgres user={user}"

    def run(self, program, *arguments):
        command = [*self.account, str(BINDIR / program), *map(str, arguments)]
        done = subprocess.run(command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}")

    def start(self, name, port):
        settings = dict(SETTINGS, port=port, unix_socket_directories=f"'{self.root}'")
        with open(self.root / name / "postgresql.auto.conf", "a", encoding="utf-8") as file:
            file.writelines(f"{key} = {value}\n" for key, value in settings.items())
        log = self.root / f"{name}.log"
        command = [*self.account, str(BINDIR / "pg_ctl"), "-D", str(self.root / name), "-l", str(log), "-w", "start"]
        subprocess.run(command, cwd=self.root, stdout=subprocess.DEVNULL, check=True)
        self.started.append(name)

    def __enter__(self):
        try:
            self.run("initdb", "-D", self.root / "primary", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
            self.start("primary", self.port)
            if self.replica:
                self.run("pg_basebackup", "-D", self.root / "replica", "-R", "-X", "stream", "-c", "fast", "-d",
                         self.primary_dsn)
                self.start("replica", self.port + 1)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for name in reversed(self.started):
            self.run("pg_ctl", "-D", self.root / name, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.root, ignore_errors=True)
