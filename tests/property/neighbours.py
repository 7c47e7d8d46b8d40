"""
Noisy neighbours: sessions of the same users on the same pool, which leave in a connection whatever can be left there.

Nothing of theirs may be seen by anybody: their settings say NEIGHBOUR, their tables and functions (in the schema
"evil", named like the pairs') say EVIL, their names are the pairs' names.
"""

import random
import signal
import threading
import traceback

import exchange
import ops
import world
from lib.cluster import USER
from ops import Step

EVIL = "NEIGHBOUR"

SCENES = [
    ["set app.tenant = 'NEIGHBOUR'; set app.last = 'NEIGHBOUR'; set app.user_id = 'NEIGHBOUR'"],
    ["set DateStyle = 'German'", "set TimeZone = 'Pacific/Kiritimati'", "set IntervalStyle = sql_standard"],
    ["set search_path = evil, public", "select v from t where id = 1"],
    ["set client_encoding = 'SJIS'", "set extra_float_digits = -10", "set bytea_output = escape"],
    ["set standard_conforming_strings = off", "select 'a\\'b'"],
    ["set application_name = 'NEIGHBOUR'", "set statement_timeout = '59min'", "set work_mem = '77MB'", "set lock_timeout = '58min'"],
    ["set enable_hashjoin = off; set enable_sort = off; set array_nulls = off; set transform_null_equals = on; set quote_all_identifiers = on"],
    ["set default_transaction_isolation = serializable", "set default_transaction_read_only = on", "set xmloption = document"],
    ["set role reader", "select current_user"],
    ["set session characteristics as transaction read only", "set client_min_messages = error"],
    ["select set_config('app.tenant', 'NEIGHBOUR', false), set_config('search_path', 'evil', false)"],
    ["select lib.set_session('app.last', 'NEIGHBOUR')", "select lib.set_deep(2, 'NEIGHBOUR')"],
    ["do $$ begin perform set_config('app.stamp', '4711', false); set timezone = -11; end $$", "call lib.proc_commit('NEIGHBOUR', false)"],
    ["begin", "set local app.tenant = 'NEIGHBOUR'", "set search_path = evil", "{end}"],
    ["begin", "set app.tenant = 'NEIGHBOUR'", "savepoint x", "set timezone = 12", "rollback to x", "commit"],
    ["begin", "select 1/0", "select 1", "{end}"],
    ["begin", "declare c1 cursor for select 'NEIGHBOUR'", "fetch 1 from c1", "{end}"],
    ["declare c1 cursor with hold for select 'NEIGHBOUR'", "fetch 1 from c1", "close all"],
    ["create temp table tt1 as select 1 as id, 'NEIGHBOUR' as v", "create temp table u as select 1 as id, 'EVIL' as v", "drop table pg_temp.tt1, pg_temp.u"],
    ["create temp table t on commit drop as select 1 as id, 'EVIL' as v"],
    ["select lib.make_temp('tt2')", "drop table tt2"],
    ["prepare q1 as select 'NEIGHBOUR'", "prepare q2 as select v from evil.t where id = 1", "execute q1", "deallocate all"],
    ["prepare s1 as select 'NEIGHBOUR'", "execute s1"],
    ["listen ch00_1; listen ch01_1; listen ch02_2; listen ch03_1", "unlisten *"],
    ["listen ch_neighbours", "notify ch_neighbours, 'NEIGHBOUR'", "unlisten ch_neighbours"],
    ["select pg_advisory_lock({key})", "select pg_advisory_lock_shared({key}, 1)", "select pg_advisory_unlock_all()"],
    ["select lib.lock_session({key})", "select pg_advisory_unlock({key})"],
    ["select pg_try_advisory_lock({key})", "discard all"],
    ["select setseed(0.1)", "select random()", "discard all"],
    ["select nextval('evil.s')", "insert into evil.numbered default values"],
    ["discard all"], ["reset all"], ["discard all"], ["reset all", "reset role"],
    ["select i, repeat('NEIGHBOUR', 100) from generate_series(1, 500) i"], ["select pg_sleep(0.02)"], ["select v from evil.t order by id"],
    ["insert into evil.log values ('NEIGHBOUR') returning v", "select count(*) > 0 from evil.log"], ["select 1"], ["show all"],
    ["notify ch_nobody, 'NEIGHBOUR'"], ["set timezone to 'NEIGHBOUR'"], ["copy (select 'NEIGHBOUR') to stdout"],
]  # fmt: skip

EXTENDED = [
    [("parse", "s1", "select 'NEIGHBOUR'"), ("bind", "", "s1"), ("execute", "", 0), ("sync",)],
    [("parse", "s2", "select v from t where id = $1"), ("describe", "S", "s2"), ("sync",)],
    [("close", "S", "s1"), ("close", "S", "s2"), ("sync",)],
    [("parse", "", "select 'NEIGHBOUR' || $1"), ("bind", "", "", ("x",)), ("execute", "", 0), ("sync",)],
    [("bind", "", "s1"), ("describe", "P", ""), ("execute", "", 0), ("sync",)],
    [("parse", "", "set app.last = 'NEIGHBOUR'"), ("bind", "", ""), ("execute", "", 0), ("parse", "", "select 1/0"), ("bind", "", ""), ("execute", "", 0), ("sync",)],
    [("parse", "", "begin"), ("bind", "", ""), ("execute", "", 0), ("parse", "", "set search_path = evil"), ("bind", "", ""), ("execute", "", 0), ("sync",), ("query", "commit")],
    [("parse", "", "select i from generate_series(1, 20) i"), ("bind", "o1", ""), ("execute", "o1", 3), ("sync",)],
]  # fmt: skip

STARTUPS = [
    {}, {"application_name": EVIL}, {"options": "-c search_path=evil -c app.tenant=NEIGHBOUR"}, {"DateStyle": "German", "TimeZone": "Pacific/Kiritimati"},
    {"options": "-c role=reader"}, {"client_encoding": "LATIN1"}, {"options": "-c statement_timeout=57min -c work_mem=66MB"},
]  # fmt: skip


class Neighbour(threading.Thread):
    def __init__(self, number, seed, endpoint, database, user, stop, think_s, complain, plain_logins):
        super().__init__(daemon=True)
        self.rng = random.Random(f"neighbour {number}/{seed}")
        self.number, self.stop, self.think_s, self.complain = number, stop, think_s, complain
        self.startups = [{}] if plain_logins else STARTUPS
        self.side = exchange.Side("neighbour", (*endpoint, database), user, world.PASSWORDS[user], 120)
        self.key = 900000000 + number

    def run(self):
        try:
            while not self.stop.is_set():
                self.session()
        except Exception as error:
            if not self.stop.is_set():
                what = traceback.format_exc() if not isinstance(error, exchange.Gone) else f"{error}: {error.answer[-300:]!r}"
                self.complain(f"neighbour {self.number}: {what}")

    def session(self):
        state, _ = self.side.login(self.rng.choice(self.startups))
        if state:
            raise exchange.Gone(f"login failed with {state}", b"")
        for _ in range(self.rng.randint(5, 150)):
            self.scene()
            if self.stop.is_set():
                break
        if self.rng.random() < 0.5:
            self.side.leave()
        else:  # without a goodbye, and perhaps inside a transaction
            self.side.socket.close()
            self.side.socket = None

    def scene(self):
        if self.rng.random() < 0.3:
            self.say(self.rng.choice(EXTENDED))
            return
        for line in self.rng.choice(SCENES):
            end = self.rng.choice(["commit", "rollback"])
            self.say([("query", line.replace("{key}", str(self.key)).replace("{end}", end))])
        if self.rng.random() < 0.3:
            self.say([("query", "rollback")])

    def say(self, messages):
        answer = bytearray()
        for payload, ready, until in ops.parts(Step("", *messages)):
            self.side.send(payload)
            self.side.receive(answer, ready, until)
        self.stop.wait(self.rng.random() * self.think_s)


SETUP = """
create table evil.log (v text);
create sequence evil.s;
create table evil.numbered (id int default nextval('evil.s'), v text);
grant all on evil.log, evil.numbered to public;
grant all on evil.s to public;
"""


def work(options, endpoint, shared, results):
    """All neighbours, in a process of their own. Users in the proportion in which pairs have them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = threading.Event()
    people = []
    for number in range(options.neighbours):
        user = world.BOSS if number % 7 == 5 else world.CLERK if number % 7 == 6 else USER
        database = world.DATABASES["seq" if number % 7 == 4 else "main"][1]
        person = Neighbour(number, options.seed, endpoint, database, user, stop, options.think_ms / 500,
                           lambda text: results.put(("neighbour", None, text)), options.plain_logins)  # fmt: skip
        person.start()
        people.append(person)
    shared.stop_neighbours.wait()
    stop.set()
    for person in people:
        person.join(5)
