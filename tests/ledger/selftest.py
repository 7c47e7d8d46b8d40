"""
Does the checker find what is wrong? Real runs, each with one thing that must not be:

  retry   a proxy sends again what was under way when WARNING 57P01 came: it is there twice
  judge   a proxy takes the old primary that returned for the primary: what it acknowledged is gone
  claim   an asynchronous cluster is called synchronous: the tail is lost, which is well only when it is called what it is
"""

import shutil
import tempfile
import time

from . import check, client, history, store
from .broken import Relay
from .crowd import Crowd


class Run:
    """Sessions through one broken relay, for as long as the block lasts; then `rules` are those that are broken."""

    def __init__(self, cluster, fault, synchronous):
        self.cluster, self.synchronous = cluster, synchronous
        self.directory = tempfile.mkdtemp(prefix="rolecall-selftest.")
        self.events = []
        store.start_anew(cluster.primary)
        self.relay = Relay(cluster, fault)
        self.crowd = Crowd(self.directory, [self.relay], 1, clients=12, idle=0, pinned=0, pause_s=0.02, prepared=False)

    def __enter__(self):
        time.sleep(1)
        return self

    def __exit__(self, kind, *_):
        try:
            self.crowd.end()
            if kind is None:
                self._check()
        finally:
            self.relay.close()
            shutil.rmtree(self.directory)

    def _check(self):
        self.cluster.wait_settled()
        final = check.Final(*store.content(self.cluster.primary))
        report = check.check(history.read(self.directory), final, self.events, self.synchronous, accounts=client.ACCOUNTS)
        self.rules = {rule for rule, _ in report.violations}


def retry(cluster):
    """Commits hang for their standbys: they are there when the primary is back, whatever it said as it went."""
    with Run(cluster, "retry", True) as run:
        for node in cluster.standbys:
            node.freeze()
        time.sleep(1)
        cluster.primary.stop("immediate")
        cluster.primary.start()
        for node in cluster.standbys:
            node.thaw()
        time.sleep(2)
    return "atomic", run.rules


def judge(cluster):
    cluster.wait_for_nobody()
    with Run(cluster, "first", False) as run:
        old = cluster.primary
        began = time.monotonic()
        old.kill()
        at = cluster.promote(cluster.best())
        time.sleep(1)
        run.events.append(check.Promotion(old.port, cluster.primary.port, began, at, time.monotonic()))
        old.start()
        time.sleep(2)
        cluster.rebuild(old)
        time.sleep(1)
    return "lost", run.rules


def main(report, cluster):
    for what in (retry, judge):
        expected, found = what(cluster)
        report(what.__name__, expected in found, f"the checker found {', '.join(sorted(found)) or 'nothing'}, {expected} was to be found")
