"""Clients that go on while something happens to the cluster, and the account of what each of them saw.

    with Crowd(rolecall, cluster.primary) as crowd:
        ...                         # a switchover, a crash
    crowd.check(cluster.primary)    # everything acknowledged is there, once; what was rolled back is not

Writers and readers work statement by statement; transactions take three statements; idle ones do nothing in between. An
outcome that is unknown (08007) counts as neither.
"""

import datetime
import itertools
import threading
import time

import psycopg

from .cluster import DATABASE, USER

TABLE = f"""
create table if not exists ledger (id bigint primary key, who text);
truncate ledger;
grant all on ledger to {USER};
"""
# What a client may see of what was not planned.
ALLOWED = {"write": ("08007",), "transaction": ("40001", "08007")}


def _now():
    """As the logs have it."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%H:%M:%S.%f")


class Worker(threading.Thread):
    def __init__(self, crowd, kind, work):
        super().__init__(daemon=True)
        self.crowd = crowd
        self.kind = kind
        self.work = work
        self.failure = None

    def run(self):
        try:
            self.work()
        except BaseException as failure:  # noqa: BLE001 - told by check()
            self.failure = failure


class Crowd:
    """Errors are kept as {kind: [(sqlstate, text, when), ...]}. With several listeners each client takes the next one."""

    def __init__(self, rolecall, primary, writers=4, readers=4, transactions=2, idle=4, listeners=("split",), pause=0.005):
        self.rolecall = rolecall
        self.listeners = itertools.cycle(listeners)
        self.pause = pause
        self.ids = itertools.count(1)
        self.acknowledged, self.undone, self.unknown = set(), set(), set()
        self.errors = {"write": [], "read": [], "transaction": [], "idle": []}
        self.done = {"write": 0, "read": 0, "transaction": 0}
        self.longest = {"write": 0.0, "read": 0.0, "transaction": 0.0}
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.idle = [self._idle() for _ in range(idle)]
        primary.sql(TABLE, dbname=DATABASE)
        self.workers = (
            [Worker(self, "write", self._write) for _ in range(writers)]
            + [Worker(self, "read", self._read) for _ in range(readers)]
            + [Worker(self, "transaction", self._transact) for _ in range(transactions)]
        )

    def _connect(self, **options):
        with self.lock:
            listener = next(self.listeners)
        return self.rolecall.connect(listener, **options)

    def _idle(self):
        connection = self._connect()
        connection.execute("set application_name = 'idle one'")
        return connection

    def __enter__(self):
        for worker in self.workers:
            worker.start()
        self.wait_for(3)
        return self

    def __exit__(self, *_):
        if not _[0]:
            self.wait_for(3)  # everybody works again
        self.stopping.set()
        for worker in self.workers:
            worker.join(60)
        self._ask_idle()

    def wait_for(self, times, timeout=60):
        """Until each kind of work has succeeded so many times more."""
        kinds = {worker.kind for worker in self.workers}
        before = dict(self.done)
        end = time.monotonic() + timeout
        while not all(self.done[kind] >= before[kind] + times for kind in kinds):
            for worker in self.workers:
                assert worker.failure is None, worker.failure
            assert time.monotonic() < end, f"not done: {self.done}, {self.errors}"
            time.sleep(0.01)

    def _ask_idle(self):
        for connection in self.idle:
            try:
                assert connection.execute("show application_name").fetchone()[0] == "idle one"
                connection.close()
            except psycopg.Error as error:
                self.errors["idle"].append((error.sqlstate, str(error), _now()))

    def _tell(self, kind, began, error=None):
        with self.lock:
            if error:
                self.errors[kind].append((error.sqlstate, str(error), _now()))
            else:
                self.done[kind] += 1
                self.longest[kind] = max(self.longest[kind], time.monotonic() - began)

    def _write(self):
        with self._connect() as connection:
            while not self.stopping.is_set():
                number, began = next(self.ids), time.monotonic()
                try:
                    connection.execute("insert into ledger values (%s, 'write')", (number,))
                    self.acknowledged.add(number)
                    self._tell("write", began)
                except psycopg.Error as error:
                    (self.unknown if error.sqlstate == "08007" else self.undone).add(number)
                    self._tell("write", began, error)
                time.sleep(self.pause)

    def _read(self):
        with self._connect() as connection:
            while not self.stopping.is_set():
                began = time.monotonic()
                try:
                    assert connection.execute("select count(*) >= 0, 7 from ledger").fetchone() == (True, 7)
                    self._tell("read", began)
                except psycopg.Error as error:
                    self._tell("read", began, error)
                time.sleep(self.pause)

    def _transact(self):
        with self._connect(autocommit=False) as connection:
            while not self.stopping.is_set():
                number, began = next(self.ids), time.monotonic()
                try:
                    connection.execute("insert into ledger values (%s, 'transaction')", (number,))
                    time.sleep(0.02)
                    connection.execute("select count(*) from ledger where id = %s", (number,))
                    connection.commit()
                    self.acknowledged.add(number)
                    self._tell("transaction", began)
                except psycopg.Error as error:
                    (self.unknown if error.sqlstate == "08007" else self.undone).add(number)
                    self._tell("transaction", began, error)
                    connection.rollback()
                time.sleep(self.pause)

    def forget_longest(self):
        with self.lock:
            self.longest = dict.fromkeys(self.longest, 0.0)

    def states(self, kind):
        return [sqlstate for sqlstate, *_ in self.errors[kind]]

    def unexpected(self, planned=False):
        """(when, kind, sqlstate, text) of what check() does not allow; `planned`: of every error."""
        allowed = {} if planned else ALLOWED
        return [(when, kind, state, text) for kind, errors in self.errors.items() for state, text, when in errors if state not in allowed.get(kind, ())]

    def check(self, primary):
        """No error but 40001 in open transactions and outcomes that are unknown; and the table agrees."""
        for worker in self.workers:
            assert not worker.is_alive(), f"a {worker.kind} worker hangs"
            assert worker.failure is None, worker.failure
        assert not self.unexpected(), self.unexpected()
        there = {row[0] for row in primary.sql("select id from ledger", dbname=DATABASE)}
        assert self.acknowledged <= there, f"acknowledged and lost: {sorted(self.acknowledged - there)}"
        assert not (self.undone & there), f"told as rolled back, and there: {sorted(self.undone & there)}"
        assert there <= self.acknowledged | self.unknown

    def summary(self):
        return (f"{self.done['write']} writes, {self.done['read']} reads, {self.done['transaction']} transactions; "
                f"40001 {self.states('transaction').count('40001')}, unknown {len(self.unknown)}; longest write "
                f"{self.longest['write']:.2f} s, read {self.longest['read']:.2f} s")
