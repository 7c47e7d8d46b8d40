"""The page in a real browser, before a real rolecall and a real cluster. The folder of what was seen: ROLECALL_SCREENSHOTS."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from browser import Browser  # noqa: E402
from lib import processes  # noqa: E402
from lib import rolecall as under_test  # noqa: E402
from lib.cluster import Cluster  # noqa: E402


@pytest.fixture(scope="session")
def browser():
    with Browser() as made:
        yield made


@pytest.fixture(scope="session")
def cluster():
    made = Cluster(replicas=2)
    made.primary.sql("create table w (a int); grant all on w to app")
    made.catch_up()
    yield made
    made.close()


@pytest.fixture
def start():
    """start(cluster, keys of [http], ...) starts a rolecall with a door; r.http is its port, r.page its address."""
    made = []

    def make(cluster, keys=None, **options):
        r = under_test.Rolecall(cluster, options.pop("listeners", None), start=False, **options)
        r.http = processes.free_port()
        r.page = f"http://127.0.0.1:{r.http}/"
        r.sections["http"] = {"address": f"127.0.0.1:{r.http}", **(keys or {})}
        r.write_config()
        r.start()
        made.append(r)
        return r

    yield make
    for each in made:
        each.stop()
