"""
What the Python programs of this folder share: a crowd of connections of one driver that test_drivers.py talks to.

Each line of standard input, {"scenario": name, "run": number}, is answered by one line: {"answers": [...]}, one for each
connection, or {"failed": text}, after which the program ends. The connections stay open from one scenario to the next, as
an application's do. The server is the environment's (PGHOST, PGPORT ...). A scenario is run on all connections at once, or,
where it holds a server connection for itself, on the first few, while the others ask small things and look for strange
answers. SIGABRT shows where everybody is.
"""

import asyncio
import faulthandler
import json
import sys
import threading
import traceback

CROWD = 20
MEET_S = 60
SCENARIOS = {}


def scenario(some=CROWD):
    """A function (connection, me) whose answer must be the same wherever it is run; `some` connections run it at once."""

    def add(function):
        SCENARIOS[function.__name__] = (function, some)
        return function

    return add


class Me:
    """What a scenario knows of itself: its number in the crowd, and a key that no other scenario has, for its rows."""

    def __init__(self, number, run, barrier):
        self.number = number
        self.run = run
        self.key = run * 100 + number
        self.first = number == 0
        self.meet = barrier.wait


def failure(results):
    """The text of the first exception, of one that did not merely wait in vain for the others."""
    wrong = [(i, error) for i, error in enumerate(results) if isinstance(error, BaseException)]
    vain = (threading.BrokenBarrierError, asyncio.BrokenBarrierError)
    wrong.sort(key=lambda pair: isinstance(pair[1], vain))
    return "".join(f"connection {i}: " + "".join(traceback.format_exception(error)) for i, error in wrong[:1])


def finish(results, some):
    failed = failure(results)
    print(json.dumps({"failed": failed} if failed else {"answers": results[:some]}, default=repr), flush=True)
    return not failed


def requests():
    faulthandler.enable()
    for line in sys.stdin:
        request = json.loads(line)
        function, some = SCENARIOS.get(request["scenario"], (None, None))
        if function:
            yield function, some, request["run"]
        else:
            print(json.dumps({"scenarios": sorted(SCENARIOS)}), flush=True)


# Drivers that block: a thread for each connection.

def at_once(functions):
    """Runs them in threads and returns what each returned or raised."""
    results = [None] * len(functions)

    def run(i):
        try:
            results[i] = functions[i]()
        except BaseException as error:  # it is handed on
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def serve(connect, neighbour):
    """connect() opens a connection as the driver's users do, neighbour(connection, me) asks a small thing and checks it."""
    connections = None
    for function, some, run in requests():
        connections = connections or at_once([connect] * CROWD)
        barrier, done, left = threading.Barrier(some, timeout=MEET_S), threading.Event(), threading.Semaphore(0)

        def take_part(connection, me):
            try:
                return function(connection, me)
            except BaseException:
                barrier.abort()
                raise
            finally:
                left.release()

        def stand_by(connection, me):
            while not done.is_set():
                neighbour(connection, me)
                done.wait(0.005)

        def wait_for_all():
            for _ in range(some):
                left.acquire()
            done.set()

        parts = [lambda c=c, i=i: (take_part if i < some else stand_by)(c, Me(i, run, barrier))
                 for i, c in enumerate(connections)]
        failed = failure(connections)
        results = connections if failed else at_once([*parts, wait_for_all])
        if not finish(results[:CROWD], some):
            return


# Drivers for asyncio: a task for each.

async def serve_async(connect, neighbour):
    connections = None
    loop = asyncio.get_running_loop()
    asked = iter(requests())
    while (request := await loop.run_in_executor(None, lambda: next(asked, None))) is not None:
        function, some, run = request
        if not connections:
            connections = await asyncio.gather(*[connect() for _ in range(CROWD)], return_exceptions=True)
        barrier, done = asyncio.Barrier(some), asyncio.Event()

        async def take_part(connection, me):
            try:
                return await function(connection, me)
            except BaseException:
                await barrier.abort()
                raise

        async def stand_by(connection, me):
            while not done.is_set():
                await neighbour(connection, me)
                await asyncio.sleep(0.005)

        async def all_parts():
            try:
                return await asyncio.gather(*[take_part(c, Me(i, run, barrier)) for i, c in enumerate(connections[:some])],
                                            return_exceptions=True)
            finally:
                done.set()

        results = connections
        if not failure(connections):
            parts, *others = await asyncio.gather(
                all_parts(), *[stand_by(c, Me(some + i, run, barrier)) for i, c in enumerate(connections[some:])],
                return_exceptions=True)
            results = parts + others
        if not finish(results, some):
            return
