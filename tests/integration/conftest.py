"""
What integration tests share: one cluster for the whole run, one rolecall per module, a deadline per test.

Tests that end nodes take `own_cluster`; tests with a configuration of their own take `make`. With ROLECALL_DIRECT=1 the
endpoints are the nodes themselves, and what is marked `proxy` (it is about rolecall alone) is left out.
"""

import os
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import rolecall as under_test  # noqa: E402
from lib.admin import SETTINGS  # noqa: E402
from lib.cluster import Cluster  # noqa: E402

DIRECT = os.environ.get("ROLECALL_DIRECT") == "1"
DEADLINE_S = int(os.environ.get("ROLECALL_TEST_DEADLINE", "90"))
Endpoint = under_test.Direct if DIRECT else under_test.Rolecall

# The names say route and pool. "split", "primary" and "replica" pool by transaction.
LISTENERS = {
    "split": dict(route="split", pool="transaction"),
    "primary": dict(route="primary", pool="transaction"),
    "replica": dict(route="replica", pool="transaction"),
    "any": dict(route="any", pool="transaction"),
    "split-session": dict(route="split", pool="session"),
    "primary-session": dict(route="primary", pool="session"),
    "primary-statement": dict(route="primary", pool="statement"),
    "primary-none": dict(route="primary", pool="none"),
    "replica-none": dict(route="replica", pool="none"),
}


def pytest_configure(config):
    config.addinivalue_line("markers", "proxy: is about rolecall alone and says nothing about PostgreSQL")


def pytest_collection_modifyitems(items):
    if DIRECT:
        for item in items:
            if item.get_closest_marker("proxy") or "make" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason="ROLECALL_DIRECT=1: there is no rolecall"))


def pytest_sessionstart(session):
    if not DIRECT and not os.access(under_test.BINARY, os.X_OK):
        pytest.exit(f"{under_test.BINARY} is not built (or set ROLECALL_BIN)", returncode=3)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the end of each rolecall's log."""
    report = (yield).get_result()
    if report.failed:
        for each in under_test.RUNNING:
            report.sections.append((f"log of rolecall, pid {each.pid}", each.log()[-6000:]))


@pytest.fixture(autouse=True)
def deadline(request):
    """A test that hangs fails with the place where it hung."""

    def ring(*_):
        raise AssertionError(f"{request.node.name} took more than {DEADLINE_S} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(DEADLINE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def directory():
    """Readable by the servers' account, unlike pytest's own."""
    path = tempfile.mkdtemp(prefix="rolecall-test.")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def cluster():
    made = Cluster(replicas=2)
    yield made
    made.close()


@pytest.fixture
def own_cluster():
    """For a test that ends, freezes or promotes nodes."""
    made = Cluster(replicas=2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def rolecall(cluster):
    made = Endpoint(cluster, LISTENERS)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def admin(cluster):
    """A rolecall whose admin socket anybody may open. The path is relative: it begins at the configuration's folder."""
    made = Endpoint(cluster, LISTENERS, settings={**SETTINGS, "admin_socket_mode": "0666"})
    yield made
    made.stop()


@pytest.fixture
def make():
    """make(cluster, listeners, ...) starts a rolecall that the test's end stops and checks."""
    made = []

    def start(*args, **options):
        made.append(Endpoint(*args, **options))
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.fixture(autouse=True)
def still_there(request):
    """A rolecall that died fails the test during which it did, not a later one."""
    yield
    for name in ("rolecall", "admin", "busy"):
        if name in request.fixturenames:
            request.getfixturevalue(name).must_live()


@pytest.fixture
def table(cluster, request):
    """An empty table (a int, b text) of the application's, in every node before the test begins."""
    name = "t_" + "".join(c if c.isalnum() else "_" for c in request.node.name)[:50].lower()
    with cluster.primary.connect(user="app", password="app-secret") as connection:
        connection.execute(f"drop table if exists {name}")
        connection.execute(f"create table {name} (a int, b text)")
    cluster.catch_up()
    yield name
    with cluster.primary.connect() as connection:
        connection.execute(f"drop table if exists {name}")
