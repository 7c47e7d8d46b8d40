"""
What the sampling of the primary's position costs it: while a session always misses an epoch, and when nobody waits.

Both replicas stand still, so whoever has written finds none that is fresh enough, and every read wants a sample.
"""

import contextlib
import os
import statistics
import threading
import time

from lib import processes
from lib.cluster import DATABASE, SUPERUSER, SUPERUSER_PASSWORD, program
from lib.processes import wait_until
from lib.wire import Wire

SAMPLER = "rolecall sampler"
MOST = 0.01  # of one core
COUNTER = 1  # in the table `counter`


def cpu_seconds(pid):
    """As exactly as the kernel tells it."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9
    return sum(processes.cpu_seconds(pid))


class Reader:
    """A session that has written and reads every few milliseconds, in a thread."""

    def __init__(self, rolecall):
        self.wire = Wire(rolecall.ports["split"], timeout=60).login()
        self.wire.value(f"update counter set v = v + 1 where id = {COUNTER} returning v")
        self.stopping = threading.Event()
        self.reads = 0
        self.thread = threading.Thread(target=self._read)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(60)
        self.wire.close()

    def _read(self):
        while not self.stopping.wait(0.005):
            self.wire.value(f"select v from counter where id = {COUNTER}")
            self.reads += 1


def samplers(node):
    """(pid, when the last query ended) of its connections from the sampler."""
    return node.sql(f"select pid, state_change from pg_stat_activity where application_name = '{SAMPLER}' order by pid",
                    dbname="postgres")


def samples(rolecall):
    return int(rolecall.admin_table("show clusters")[0]["sampled_epoch"])


def measure(cluster, rolecall, seconds):
    """The CPU time of the sampler's backend, against one core; and how many samples a second that were."""
    with Reader(rolecall) as reader:
        pid = wait_until(lambda: samplers(cluster.primary), 20, "the sampler is connected")[0][0]
        time.sleep(0.5)
        before, reads, first, began = cpu_seconds(pid), reader.reads, samples(rolecall), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        share = (cpu_seconds(pid) - before) / took
        taken = (samples(rolecall) - first) / took
        print(f"    {(reader.reads - reads) / took:.0f} reads/s that all miss an epoch: {taken:.0f} samples/s cost the primary "
              f"{100 * share:.2f} % of a core, {1e6 * share / max(taken, 1):.0f} us each", flush=True)
    return share, taken


def must_be_cheap(report, cluster, rolecall, seconds):
    """On a machine that does other things too, the same work may take longer: three attempts."""
    for _ in range(3):
        share, taken = measure(cluster, rolecall, seconds)
        report.must(taken > 20, "hardly any sample was taken: nothing was measured")
        if share < MOST:
            return
    report.must(False, f"sampling costs the primary {100 * share:.2f} % of a core, not less than {100 * MOST:.0f} %")


def must_stop(report, cluster):
    """Nobody waits: the connections are there and ask nothing."""
    time.sleep(2)
    before = [samplers(node) for node in cluster.nodes]
    time.sleep(3)
    after = [samplers(node) for node in cluster.nodes]
    report.must(len(before[0]) == 1, "the sampler's connection to the primary is not there: nothing was tested")
    report.must(before == after, "the sampler asks although nobody waits")
    print("    when nobody waits it asks nothing", flush=True)


def pgbench(cluster, *arguments):
    env = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(cluster.primary.port), PGUSER=SUPERUSER,
               PGPASSWORD=SUPERUSER_PASSWORD, PGDATABASE=DATABASE)
    return processes.run([program("pgbench"), *arguments], env=env)


def transactions_per_second(cluster, seconds):
    done = pgbench(cluster, "-n", "-M", "prepared", "-c", "4", "-T", str(seconds))
    return float(next(line for line in done.stdout.splitlines() if line.startswith("tps")).split()[2])


def compare(cluster, sampled, strong, rounds, seconds):
    """pgbench on the primary beside the same reader, whose reads want samples, or (consistency = strong) do not."""
    pgbench(cluster, "-q", "-i", "-s", "4")
    ratios = []
    for _ in range(rounds):
        tps = []
        for rolecall in (sampled, strong):
            with Reader(rolecall):
                tps.append(transactions_per_second(cluster, seconds))
        ratios.append(tps[0] / tps[1])
    print(f"    pgbench beside it runs at {100 * statistics.median(ratios):.1f} % of the speed beside the same reads without "
          f"sampling ({rounds} rounds, from {100 * min(ratios):.1f} to {100 * max(ratios):.1f} %)", flush=True)


def cost(report, cluster, sampled, strong, seconds, rounds):
    cluster.primary.sql("insert into counter values (%s, 0) on conflict do nothing", [COUNTER])
    cluster.catch_up()
    for node in cluster.replicas:
        node.pause_replay()
    try:
        must_be_cheap(report, cluster, sampled, seconds)
        must_stop(report, cluster)
        if rounds:
            compare(cluster, sampled, strong, rounds, seconds=max(1, round(seconds / 3)))
    finally:
        for node in cluster.replicas:
            node.resume_replay()
