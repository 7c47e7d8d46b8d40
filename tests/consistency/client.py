"""
One session of the campaign: a client in a process of its own that counts in a row of its own and reads it back.

What it must see: its own counter exactly as it left it, in every read (read your writes); every counter, its own and
other sessions', never lower than it has seen it before (monotonic reads). A read is one plain SELECT over several rows;
whereami() in it, which rolecall is told to take for a read, says which node answered.

The statements come in all the ways in which drivers send them. `play` is what runs in the process.
"""

import random
import select
import time

from lib import wire
from lib.wire import bind, execute, parse, query, sync

SCHEMA = """
create table counter (id int primary key, v bigint not null) with (fillfactor = 20, autovacuum_enabled = off);
create table note (id int not null, v bigint not null);
create view counters as select id, v from counter;
create function bump(which int) returns bigint language plpgsql as
  $$ declare n bigint; begin update counter set v = v + 1 where id = which returning v into n; return n; end $$;
create procedure bump_and_commit(which int) language plpgsql as
  $$ begin update counter set v = v + 1 where id = which; commit; end $$;
grant all on counter, note, counters to app;
"""

READ = "select id, v, whereami() from counter where id in ({})"
READ_VIEW = "select id, v, whereami() from counters where id in ({}) order by id"
READ_CTE = "with c as (select * from counter where id in ({})) select id, v, whereami() from c"
READ_ON_PRIMARY = "/* rolecall: primary */ " + READ
READ_ON_REPLICA = "/* rolecall: replica */ " + READ
READ_PREPARED = "select id, v, whereami() from counter where id = any($1::int[])"

# Seconds between two reads of a session: at once, as a page that is built, as somebody who thinks.
PACES = {"tight": (0.0, 0.0), "page": (0.002, 0.02), "slow": (0.05, 0.2)}

LATE_S = 0.1  # reads that much later than the session's last write are expected on replicas


class Refused(Exception):
    """An ErrorResponse."""

    def __init__(self, fields):
        super().__init__(f"{fields['C']}: {fields['M']}")
        self.sqlstate = fields["C"]


class Ended(Exception):
    """The campaign is over."""


def answers(messages):
    """The rows of an exchange; an error is raised."""
    for message in messages:
        if message.kind == "E":
            raise Refused(message.fields)
    return wire.rows(messages)


class Client:
    """`me` is its counter's id; `others` are read along. Statistics and whatever went wrong are in `told`."""

    def __init__(self, port, me, others, nodes, primary_port, seed, pace, hints, stop, progress):
        self.names = nodes  # by which rolecall calls the ports
        self.progress = progress
        self.random = random.Random(seed)
        self.me, self.others = me, others
        self.primary_port = primary_port
        self.pace = pace
        self.stop = stop
        self.own = 0
        self.seen = {}  # counter: (value, node, when the answer was there)
        self.wrote_at = 0.0
        self.acknowledged = {}  # value of the own counter: when the commit's answer was there
        self.told = dict(reads=0, writes=0, late=0, late_on_replicas=0, on_replicas=0, errors={}, stale=[], backward=[],
                         stale_count=0, backward_count=0, moves=0, node_wrong=0, tokens=0, tokens_on_replicas=0, pace=pace, kinds={})
        self.last_node = None
        self.wire = wire.Wire(port, timeout=60)
        options = {"options": "-c synchronous_commit=off"} if self.random.random() < 0.3 else {}
        self.wire.login(application_name=f"session {me}", **options)
        self.other = wire.Wire(port, timeout=60).login(application_name=f"session {me}, too")
        self.writes = [self.write_autocommit, self.write_autocommit, self.write_prepared, self.write_transaction,
                       self.write_transaction_async, self.write_function, self.write_with, self.write_batch,
                       self.write_several, self.write_rolled_back, self.write_failed, self.write_savepoint,
                       self.write_then_read_in_one_go]
        if me % 10 == 0:
            self.writes.append(self.write_call)
        self.reads = [self.read_simple, self.read_simple, self.read_prepared, self.read_prepared, self.read_unnamed,
                      self.read_view, self.read_with, self.read_transaction, self.read_pipelined]
        if hints:
            self.reads += [self.read_on_primary, self.read_on_replica]
        self.prepare()

    # Exchanges.

    def ask(self, *messages, syncs=1):
        """Sends, and gives the rows of all answers up to as many ReadyForQuery."""
        self.wire.last_error = None
        self.wire.send(*messages)
        got = [self.wire.until() for _ in range(syncs)]
        return [row for messages in got for row in answers(messages)]

    def run(self, sql):
        return self.ask(query(sql))

    def prepare(self):
        self.ask(parse("read", READ_PREPARED), parse("bump", "update counter set v = v + 1 where id = $1::int"), sync())

    # Reads.

    def targets(self):
        return [self.me] + self.random.sample(self.others, min(3, len(self.others)))

    def ids(self):
        return ",".join(map(str, self.targets()))

    def array(self):
        return ["{" + self.ids() + "}"]

    def read_simple(self):
        return [self.run(READ.format(self.ids()))]

    def read_view(self):
        return [self.run(READ_VIEW.format(self.ids()))]

    def read_with(self):
        return [self.run(READ_CTE.format(self.ids()))]

    def read_on_primary(self):
        """It may show more than any replica has; what follows must not show less."""
        return [self.run(READ_ON_PRIMARY.format(self.ids()))]

    def read_on_replica(self):
        """A hint says what a statement is, not how old its answer may be."""
        return [self.run(READ_ON_REPLICA.format(self.ids()))]

    def read_unnamed(self):
        return [self.ask(parse("", READ_PREPARED), bind("", "", self.array()), execute(), sync())]

    def read_prepared(self):
        return [self.ask(bind("", "read", self.array()), execute(), sync())]

    def read_transaction(self):
        """READ COMMITTED: each statement may see more than the one before, never less."""
        self.run("begin read only")
        try:
            got = [self.run(READ.format(self.ids())), self.ask(bind("", "read", self.array()), execute(), sync())]
            self.run("commit")
        except Refused:  # a conflict with recovery may meet the COMMIT, too, which then has not ended the transaction
            self.run("rollback")
            raise
        return got

    def read_pipelined(self):
        """Three exchanges in one write; each is routed for itself."""
        one = bind("", "read", self.array()) + execute() + sync()
        self.wire.send(one, query(READ.format(self.ids())), one)
        got = [self.wire.until() for _ in range(3)]  # all of them, before an error is raised
        return [answers(messages) for messages in got]

    def read(self):
        how = self.random.choice(self.reads)
        sent_at = time.monotonic()
        late = sent_at - self.wrote_at > LATE_S and how != self.read_on_primary
        try:
            results = how()
        except Refused as error:
            self.note_error(error, how)
            return
        for rows in results:
            self.check(rows, sent_at, how.__name__, late)
        if self.random.random() < 0.01:
            self.check_node()
        if self.random.random() < 0.02:
            self.check_token()

    def note_error(self, error, how):
        key = f"{how.__name__} {error}"
        self.told["errors"][key] = self.told["errors"].get(key, 0) + 1

    def check(self, rows, sent_at, how, late):
        told = self.told
        node = int(rows[0][2])
        on_replica = node != self.primary_port
        told["reads"] += 1
        self.progress.value += 1
        told["on_replicas"] += on_replica
        told["late"] += late
        told["late_on_replicas"] += late and on_replica
        told["moves"] += node != self.last_node
        told["kinds"][how] = told["kinds"].get(how, 0) + 1
        for id, value, _ in rows:
            self.check_value(int(id), int(value), node, sent_at, how)
        self.last_node = node

    def check_value(self, id, value, node, sent_at, how):
        before, before_node, before_at = self.seen.get(id, (0, None, 0.0))
        if id == self.me and value != self.own:
            self.complain("stale", id, value, self.own, node, before_node, sent_at, self.wrote_at, how)
        elif value < before:
            self.complain("backward", id, value, before, node, before_node, sent_at, before_at, how)
        if value >= before:
            self.seen[id] = (value, node, time.monotonic())

    def complain(self, what, id, value, expected, node, before_node, sent_at, since, how):
        self.told[what + "_count"] += 1
        if len(self.told[what]) < 200:
            self.told[what].append(dict(session=self.me, counter=id, value=value, expected=expected, node=node,
                                        before_node=before_node, last_node=self.last_node, sent_at=sent_at,
                                        after_ms=round(1000 * (sent_at - since), 1), how=how))

    def check_node(self):
        """What SHOW rolecall.node says is the node of the answer before."""
        told = self.run("show rolecall.node")[0][0]
        self.told["node_wrong"] += self.names.get(told) != self.last_node

    def check_token(self):
        """Another connection that is given this one's token reads what this one has written."""
        token = self.run("show rolecall.token")[0][0]
        answers(self.other.query(f"set rolecall.token = '{token}'"))
        for _ in range(2):
            sent_at = time.monotonic()
            value, node = answers(self.other.query(f"select v, whereami() from counter where id = {self.me}"))[0]
            self.told["tokens"] += 1
            self.told["tokens_on_replicas"] += int(node) != self.primary_port
            if int(value) != self.own:
                self.complain("stale", self.me, int(value), self.own, int(node), None, sent_at, self.wrote_at, "token")
            self.rest(self.random.uniform(0.0, 0.03))

    # Writes. Each leaves `own` as it must be read from now on.

    def write_autocommit(self):
        self.run(f"update counter set v = v + 1 where id = {self.me}")
        self.own += 1

    def write_prepared(self):
        self.ask(bind("", "bump", [self.me]), execute(), sync())
        self.own += 1

    def write_function(self):
        self.run(f"select bump({self.me})")
        self.own += 1

    def write_call(self):
        self.run(f"call bump_and_commit({self.me})")
        self.own += 1

    def write_with(self):
        self.run(f"with u as (update counter set v = v + 1 where id = {self.me} returning v) select v from u")
        self.own += 1

    def write_several(self):
        self.run(f"insert into note values ({self.me}, {self.own}); update counter set v = v + 1 where id = {self.me}; select 1")
        self.own += 1

    def write_batch(self):
        self.ask(parse("", "insert into note values ($1::int, 0)"), bind("", "", [self.me]), execute(),
                 bind("", "bump", [self.me]), execute(), sync())
        self.own += 1

    def write_transaction(self, begin="begin"):
        self.run(begin)
        self.run(f"update counter set v = v + 1 where id = {self.me}")
        if self.random.random() < 0.5:
            self.must_be(self.run(f"select v from counter where id = {self.me}"), self.own + 1, "write_transaction")
        self.run("commit")
        self.own += 1

    def write_transaction_async(self):
        self.write_transaction("begin; set local synchronous_commit = off")

    def write_savepoint(self):
        self.run("begin")
        self.run(f"update counter set v = v + 1 where id = {self.me}; savepoint a")
        self.run(f"update counter set v = v + 100 where id = {self.me}; rollback to savepoint a")
        self.run("commit")
        self.own += 1

    def write_rolled_back(self):
        self.run("begin")
        self.run(f"update counter set v = v + 100 where id = {self.me}")
        self.run("rollback")

    def write_failed(self):
        try:
            self.run(f"update counter set v = v + 100 where id = {self.me}; select 1 / (v - v) from counter")
        except Refused as error:
            if error.sqlstate != "22012":
                raise

    def write_then_read_in_one_go(self):
        """The read is in rolecall's hands before the write has been answered."""
        sent_at = time.monotonic()
        self.wire.send(query(f"update counter set v = v + 1 where id = {self.me}"),
                       bind("", "read", self.array()), execute(), sync())
        wrote, got = self.wire.until(), self.wire.until()
        answers(wrote)
        self.own += 1
        self.check(answers(got), sent_at, "write_then_read_in_one_go", False)

    def must_be(self, rows, expected, how):
        if int(rows[0][0]) != expected:
            self.complain("stale", self.me, int(rows[0][0]), expected, self.primary_port, None, 0.0, 0.0, how)

    def write(self):
        how = self.random.choice(self.writes)
        before = self.own
        how()
        self.wrote_at = time.monotonic()
        self.told["writes"] += 1
        if self.own > before:
            self.acknowledged[self.own] = self.wrote_at

    # The session's life.

    def rest(self, seconds):
        """Sleeps; the campaign's end wakes it."""
        if select.select([self.stop], [], [], seconds)[0]:
            raise Ended

    def live(self):
        """A write, reads at once, and then reads for up to half a second; until the end."""
        while True:
            self.write()
            for _ in range(self.random.randint(1, 5)):
                self.read()
            until = time.monotonic() + self.random.choice((0.0, 0.05, 0.2, 0.5))
            while True:
                self.rest(self.random.uniform(*PACES[self.pace]))
                if time.monotonic() > until:
                    break
                self.read()


def play(results, *arguments):
    """In a process of its own; `results` gets what the session tells, or how it died: sessions must live."""
    client, died = None, None
    try:
        client = Client(*arguments)
        client.live()
    except Ended:
        pass
    except Exception as error:
        died = f"{type(error).__name__}: {error}"
        if client and client.wire.last_error:
            died += f"; the last error was {Refused(client.wire.last_error.fields)}, the last node {client.last_node}"
    results.send((arguments[1], died, client and client.told, client.acknowledged if client else {}))


def write_fast(results, port, me, options, stop):
    """Another process: counts as fast as makes sense, so that other sessions' reads have something to go back from."""
    acknowledged, died, value = {}, None, 0
    try:
        with wire.Wire(port, timeout=60) as w:
            w.login(application_name=f"writer {me}", **options)
            while not select.select([stop], [], [], 0.004)[0]:
                answers(w.query(f"update counter set v = v + 1 where id = {me}"))
                value += 1
                acknowledged[value] = time.monotonic()
    except Exception as error:
        died = f"{type(error).__name__}: {error}"
    results.send((me, died, None, acknowledged))
