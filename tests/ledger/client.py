"""
What sessions do: they move money, append to lists, read what they wrote and what all wrote, or do nothing.

Every session is a thread; `play` is what runs in a process of them. Everything goes into histories (history.py) before it is
sent and when it is answered. No write is ever sent twice: after an error the next one has another number.
"""

import os
import random
import select
import threading
import time

import psycopg

from .history import Recorder

ACCOUNTS, OPENING = 100, 1000
LISTS, ERA_S = 4, 40.0  # the lists that grow change, so that none gets long
WINDOW = 40  # of its own entries a session reads back the last ones
LEAVE_S = 40.0  # for sessions that are told to end

SCHEMA = """
create table account (id int primary key, balance bigint not null) with (fillfactor = 50);
create table transfer (session int not null, n int not null, source int not null, target int not null, amount int not null);
create table entry (list int not null, session int not null, n int not null);
create index on entry (session, n);
create index on entry (list);
create table meter (id int primary key, n bigint not null) with (fillfactor = 20);
grant all on all tables in schema public to app;
"""

APPEND = "insert into entry (list, session, n) values (%s, %s, %s) returning current_setting('port')::int"
MOVE = "update account set balance = balance + %s where id = %s"
NOTE = "insert into transfer values (%s, %s, %s, %s, %s) returning current_setting('port')::int"
TRANSFER = f"""with a as (update account set balance = balance - %s where id = %s),
b as (update account set balance = balance + %s where id = %s) {NOTE}"""
READ_OWN = "select whereami(), coalesce(array_agg(n), '{}') from entry where session = %s and n > %s"
READ_LIST = """select whereami(), coalesce(json_agg(json_build_array(session, c, m)), '[]')
from (select session, count(*) as c, max(n) as m from entry where list = %s group by session) as s"""
READ_TOTAL = "select whereami(), sum(balance)::bigint, count(*) from account"
METER = "update meter set n = n + 1 where id = %s returning current_setting('port')::int"


class Failed(Exception):
    """The step ended with an error or the connection's end; it is in the history."""


class Session:
    """A connection, opened again when it was closed, and its history."""

    def __init__(self, directory, number, proxy, kind, dsn, seed, prepared, stop):
        self.number, self.proxy, self.kind, self.dsn = number, proxy, kind, dsn
        self.random = random.Random(f"{seed}.{number}")
        self.record = Recorder(directory, number, proxy, kind)
        self.options = {} if prepared else {"prepare_threshold": None}
        self.stop = stop
        self.connection = None
        self.n = 0

    def rest(self, least_s, most_s):
        return self.stop.wait(self.random.uniform(least_s, most_s))

    def begin(self, kind, effects=()):
        self.n += 1
        self.record.op(self.n, kind, effects)

    def ask(self, stage, sql, parameters=None, node_only=False):
        """The rows, or the command's tag when there are none."""
        self.record.ask(self.n, stage)
        try:
            cursor = self.connection.execute(sql, parameters)
            answer = cursor.fetchall() if cursor.description else cursor.statusmessage
        except Exception as error:  # noqa: BLE001 - whatever the driver makes of it, it is for the checker
            self.fail(stage, error)
        self.record.got(self.n, stage, answer[0][0] if node_only else answer if isinstance(answer, str) else None)
        return answer

    def roll_back(self):
        """Without the DEALLOCATE ALL that the driver lets follow, which waits for a node."""
        self.record.ask(self.n, "rollback")
        result = self.connection.pgconn.exec_(b"rollback")
        if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
            self.fail("rollback", psycopg.errors.error_from_result(result))
        self.record.got(self.n, "rollback", "ROLLBACK")

    def fail(self, stage, error):
        text = " ".join(str(error).split())
        if self.connection is None or self.connection.closed:
            self.record.closed(self.n, stage, text)
        else:
            self.record.error(self.n, stage, getattr(error, "sqlstate", None) or type(error).__name__, text)
        raise Failed from error

    def read(self, stage, sql, parameters, of):
        """`of` makes of the row what the history tells and the checker compares."""
        self.record.ask(self.n, stage)
        try:
            row = self.connection.execute(sql, parameters).fetchone()
        except Exception as error:  # noqa: BLE001
            self.fail(stage, error)
        self.record.got(self.n, stage, {"node": row[0], **of(row)})

    def open(self):
        """One attempt."""
        self.begin("login")
        self.record.ask(self.n, "login")
        self.connection = None
        try:
            self.connection = psycopg.connect(self.dsn, autocommit=True,
                                              application_name=f"session {self.number}", **self.options)
        except psycopg.Error as error:
            self.fail("login", error)
        self.record.got(self.n, "login", None)
        self.record.opened()
        self.after_login()

    def after_login(self):
        pass

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def live(self):
        while not self.stop.is_set():
            try:
                if self.connection is None or self.connection.closed:
                    self.open()
                self.act()
            except Failed:
                self.rest(0.0, 0.1)
        self.close()
        self.record.bye()

    def act(self):
        raise NotImplementedError


class Client(Session):
    def __init__(self, *arguments, pause_s):
        super().__init__(*arguments)
        self.pause_s = pause_s
        self.acts = [self.append, self.append, self.append_in_transaction, self.transfer, self.transfer_in_transaction,
                     self.read_own, self.read_own, self.read_list, self.read_list, self.read_total, self.read_transaction]

    def act(self):
        if self.random.random() < 0.01:
            self.close()
            self.open()
        self.random.choice(self.acts)()
        self.rest(0, 2 * self.pause_s)

    def a_list(self):
        return int(time.monotonic() / ERA_S) * LISTS + self.random.randrange(LISTS)

    def a_transfer(self, first):
        """Which accounts, the smaller number first: who waits for whom makes no circle. Autocommit and transactions each have half."""
        source, target = sorted(self.random.sample(range(first, first + ACCOUNTS // 2), 2))
        return source, target, self.random.randint(-20, 20)

    # Writes.

    def append(self):
        which = self.a_list()
        self.begin("append", [["e", which]])
        self.ask("auto_write", APPEND, [which, self.number, self.n], node_only=True)

    def transfer(self):
        source, target, amount = self.a_transfer(1)
        self.begin("transfer", [["t", source, target, amount]])
        self.ask("auto_write", TRANSFER, [amount, source, amount, target, self.number, self.n, source, target, amount],
                 node_only=True)

    def transaction(self, body):
        """A client that is told that its transaction failed rolls it back; some change their minds and do that anyway."""
        self.ask("begin", "begin")
        try:
            body()
            if self.random.random() < 0.1:
                self.roll_back()
            else:
                self.ask("commit", "commit")
        except Failed:
            if not self.connection.closed and self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self.roll_back()
            raise

    def append_in_transaction(self):
        lists = [self.a_list() for _ in range(self.random.randint(1, 3))]
        self.begin("append in transaction", [["e", which] for which in lists])

        def body():
            for which in lists:
                self.ask("write", APPEND, [which, self.number, self.n], node_only=True)
                self.rest(0, self.pause_s / 2)

        self.transaction(body)

    def transfer_in_transaction(self):
        source, target, amount = self.a_transfer(1 + ACCOUNTS // 2)
        self.begin("transfer in transaction", [["t", source, target, amount]])

        def body():
            self.ask("write", NOTE, [self.number, self.n, source, target, amount], node_only=True)
            self.ask("write", MOVE, [-amount, source], node_only=False)
            self.rest(0, self.pause_s / 2)
            self.ask("write", MOVE, [amount, target], node_only=False)

        self.transaction(body)

    # Reads.

    def own(self, stage):
        since = max(0, self.n - WINDOW)
        self.read(stage, READ_OWN, [self.number, since], lambda row: {"own": [since, "append", row[1]]})

    def list(self, stage):
        which = self.a_list()
        self.read(stage, READ_LIST, [which], lambda row: {"list": [which, row[1]]})

    def total(self, stage):
        self.read(stage, READ_TOTAL, None, lambda row: {"total": [row[1], row[2]]})

    def read_own(self):
        self.begin("read own")
        self.own("auto_read")

    def read_list(self):
        self.begin("read list")
        self.list("auto_read")

    def read_total(self):
        self.begin("read total")
        self.total("auto_read")

    def read_transaction(self):
        self.begin("read transaction")
        self.ask("begin", "begin read only")
        try:
            self.total("read")
            self.own("read")
            self.rest(0, self.pause_s / 2)
            self.list("read")
            self.ask("commit_read", "commit")
        except Failed:
            if not self.connection.closed and self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self.roll_back()
            raise


class Idle(Session):
    """Logs in, asks once, and then only listens whether it is closed; at the end it asks again."""

    def after_login(self):
        self.read_total()

    read_total = Client.read_total
    total = Client.total

    def act(self):
        connection = self.connection
        while not self.stop.is_set() and not connection.closed:
            if not select.select([connection.fileno()], [], [], 0.5)[0]:
                continue
            try:
                connection.pgconn.consume_input()
            except psycopg.Error as error:
                connection.close()
                self.record.closed(None, None, str(error))
                raise Failed from error
        self.read_total()


class Pinned(Session):
    """Has a temporary table, which no other connection can have. Its commits wait for no standby: PostgreSQL drops the table in a
    transaction when the session ends, and where that waits for standbys that are gone a fast shutdown hangs for ever."""

    has_table = False

    def after_login(self):
        self.has_table = False
        self.begin("set")
        self.ask("auto_read", "set synchronous_commit = local")

    def act(self):
        if not self.has_table:
            self.begin("pin")
            self.ask("auto_write", "create temporary table if not exists mine (a int)")
            self.has_table = True
        self.begin("use")
        self.ask("auto_write", "insert into mine values (1)")
        self.rest(0.1, 0.5)


class Meter(Session):
    """A write every few milliseconds, which waits for no standby: when could one write again?"""

    def after_login(self):
        self.begin("set")
        self.ask("auto_read", "set synchronous_commit = local")

    def act(self):
        self.begin("meter")
        self.ask("auto_write", METER, [self.proxy], node_only=True)
        self.rest(0.01, 0.01)


KINDS = {"client": Client, "idle": Idle, "pinned": Pinned, "meter": Meter}


def play(stopped, sessions):
    """`sessions` are arguments of Session but the last, and options; the end of the campaign is that `stopped` can be read."""
    stop = threading.Event()
    threads = []
    for kind, arguments, options in sessions:
        session = KINDS[kind](*arguments, stop, **options)
        threads.append(threading.Thread(target=session.live, daemon=True))
    for thread in threads:
        thread.start()
    select.select([stopped], [], [])
    stop.set()
    until = time.monotonic() + LEAVE_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    os._exit(0)  # whoever hangs has not said goodbye
