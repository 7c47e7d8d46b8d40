"""TLS on both sides: offered, required, verified, renewed."""

import os
import ssl

import psycopg
import pytest

from lib.certificates import Authority
from lib.cluster import Cluster
from lib.processes import wait_until
from lib.wire import Closed, Error, Wire, query

pytestmark = pytest.mark.proxy


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    path = tmp_path_factory.mktemp("certificates")
    for part in (path, path.parent, path.parent.parent):
        os.chmod(part, 0o755)
    return Authority(path)


@pytest.fixture(scope="module")
def tls_cluster(authority):
    made = Cluster(replicas=1, authority=authority)
    yield made
    made.close()


def front(authority, mode, **more):
    cert, key = authority.issue("front")
    given = dict(route="primary", pool="transaction", tls=mode, tls_cert_file=cert, tls_key_file=key, tls_ca_file=authority.ca)
    return {"main": {**given, **more}}


def context(authority, alpn=None, cert=None):
    made = ssl.create_default_context(cafile=authority.ca)
    if alpn:
        made.set_alpn_protocols(alpn)
    if cert:
        made.load_cert_chain(*cert)
    return made


def test_allow_takes_both(make, cluster, authority):
    r = make(cluster, front(authority, "allow"), ready=False)
    with r.connect("main", sslmode="verify-full", sslrootcert=authority.ca) as c:
        assert c.execute("select 1").fetchone()[0] == 1
        assert c.pgconn.ssl_in_use
    with r.connect("main", sslmode="disable") as c:
        assert c.execute("select 1").fetchone()[0] == 1


def test_require_refuses_plain(make, cluster, authority):
    r = make(cluster, front(authority, "require"), ready=False)
    assert r.value("main", "select 1", sslmode="require") == 1
    with pytest.raises(psycopg.OperationalError):
        r.connect("main", sslmode="disable")


def test_channel_binding_works(make, cluster, authority):
    """SCRAM-SHA-256-PLUS is offered under TLS, and the node's login still works with the key."""
    r = make(cluster, front(authority, "require"), ready=False)
    with r.connect("main", sslmode="verify-full", sslrootcert=authority.ca, channel_binding="require") as c:
        assert c.execute("select current_user::text").fetchone()[0] == "app"
    with pytest.raises(psycopg.OperationalError):
        r.connect("main", sslmode="require", channel_binding="require", password="wrong")


def test_direct_tls_is_told_apart_by_its_first_byte(make, cluster, authority):
    r = make(cluster, front(authority, "require"), ready=False)
    with Wire(r.ports["main"]) as w:
        w.wrap(context(authority, ["postgresql"]), "localhost")
        assert w.socket.selected_alpn_protocol() == "postgresql"
        w.login()
        assert w.value("select 1") == "1"


def test_direct_tls_without_alpn_is_refused(make, cluster, authority):
    r = make(cluster, front(authority, "require"), ready=False)
    with pytest.raises((ssl.SSLError, Closed, Error, ConnectionResetError, BrokenPipeError)), Wire(r.ports["main"]) as w:
        w.wrap(context(authority), "localhost")
        w.login()


def test_plain_bytes_after_the_ssl_request_are_refused(make, cluster, authority):
    """What is sent in the clear before the handshake must not be taken as if it had been encrypted."""
    r = make(cluster, front(authority, "allow"), ready=False)
    with Wire(r.ports["main"]) as w:
        import struct

        from lib.wire import SSL_REQUEST, startup

        w.send(struct.pack("!II", 8, SSL_REQUEST) + startup(user="app", database="app"))
        with pytest.raises((ssl.SSLError, Closed, ConnectionResetError, BrokenPipeError, AssertionError)):
            assert w.take(1) == b"S"
            w.wrap(context(authority), "localhost")
            w.login()


def test_a_client_certificate_is_asked_for_and_checked(make, cluster, authority, tmp_path):
    r = make(cluster, front(authority, "verify-ca"), ready=False)
    cert, key = authority.issue("app", hosts=())
    os.chown(key, os.geteuid(), -1)
    assert r.value("main", "select 1", sslmode="require", sslcert=cert, sslkey=key) == 1
    with pytest.raises(psycopg.OperationalError):
        r.connect("main", sslmode="require", sslcert="/nonexistent")
    stranger = Authority(tmp_path)
    cert, key = stranger.issue("app", hosts=())
    os.chown(key, os.geteuid(), -1)
    with pytest.raises(psycopg.OperationalError):
        r.connect("main", sslmode="require", sslcert=cert, sslkey=key)


def test_auth_cert_takes_the_name_from_the_certificate(make, cluster, authority):
    users = {"app": {"dbname": "app", "user": "app", "password": "app-secret"}}
    r = make(cluster, front(authority, "verify-full", auth="cert"), databases=users, ready=False)
    cert, key = authority.issue("app", hosts=())
    os.chown(key, os.geteuid(), -1)
    assert r.value("main", "select 1", sslmode="require", sslcert=cert, sslkey=key, password=None) == 1
    with pytest.raises(psycopg.OperationalError):
        r.connect("main", sslmode="require", sslcert=cert, sslkey=key, user="postgres", password=None)


def test_large_transfers_and_cancel_under_tls(make, cluster, authority):
    r = make(cluster, front(authority, "require"), ready=False)
    with r.connect("main", sslmode="require") as c:
        got = c.execute("select repeat('x', 5000000) from generate_series(1, 4)").fetchall()
        assert [len(row[0]) for row in got] == [5_000_000] * 4
        assert c.execute("select length(%s)", ("y" * 5_000_000,)).fetchone()[0] == 5_000_000


def test_many_small_writes_under_tls(make, cluster, authority):
    r = make(cluster, front(authority, "require"), ready=False)
    with Wire(r.ports["main"]) as w:
        assert w.start_tls(context(authority), "localhost") == b"S"
        w.login()
        for byte in query("select 1"):
            w.send(bytes([byte]))
        assert w.types_until_ready() == "TDCZ"


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("pool", ["transaction", "none"])
def test_tls_towards_the_nodes(make, tls_cluster, authority, mode, pool):
    r = make(tls_cluster, {"main": dict(route="primary", pool=pool)},
             cluster_settings={"tls": mode, "tls_ca_file": authority.ca})
    with r.connect("main") as c:
        assert c.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone()[0] is True


def test_plain_towards_nodes_that_want_tls_fails_clearly(make, tls_cluster):
    r = make(tls_cluster, {"main": dict(route="primary", pool="transaction")}, ready=False,
             cluster_settings={"tls": "disable", "hold_timeout": "1s"})
    with pytest.raises(psycopg.OperationalError):
        r.value("main", "select 1")


def test_a_node_that_cannot_be_verified_is_not_used(make, tls_cluster, tmp_path):
    for part in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(part, 0o755)
    stranger = Authority(tmp_path / "other")
    r = make(tls_cluster, {"main": dict(route="primary", pool="transaction")}, ready=False,
             cluster_settings={"tls": "verify-ca", "tls_ca_file": stranger.ca, "hold_timeout": "1s"})
    with pytest.raises(psycopg.OperationalError):
        r.value("main", "select 1")


def test_tls_on_both_sides(make, tls_cluster, authority):
    r = make(tls_cluster, front(authority, "require"), ready=False,
             cluster_settings={"tls": "verify-full", "tls_ca_file": authority.ca})
    with r.connect("main", sslmode="verify-full", sslrootcert=authority.ca, channel_binding="require") as c:
        got = c.execute("select repeat('x', 3000000) from generate_series(1, 4)").fetchall()
        assert [len(row[0]) for row in got] == [3_000_000] * 4


def test_passthrough_under_tls_reaches_the_node(make, tls_cluster, authority):
    r = make(tls_cluster, front(authority, "require", auth="passthrough", pool="none"), ready=False,
             cluster_settings={"tls": "require"})
    assert r.value("main", "select current_user::text", sslmode="require", channel_binding="disable") == "app"


def test_certificates_are_renewed_by_a_reload(make, cluster, authority):
    cert, key = authority.issue("renewed")
    r = make(cluster, {"main": dict(route="primary", pool="transaction", tls="require", tls_cert_file=cert, tls_key_file=key)},
             ready=False)

    def serial():
        with Wire(r.ports["main"]) as w:
            assert w.start_tls(context(authority), "localhost") == b"S"
            return w.socket.getpeercert()["serialNumber"]

    before = serial()
    with r.connect("main", sslmode="require") as open_session:
        authority.issue("renewed")
        r.reload()
        wait_until(lambda: serial() != before, 10, "the new certificate is shown")
        assert open_session.execute("select 1").fetchone()[0] == 1


def test_a_broken_certificate_changes_nothing_on_reload(make, cluster, authority):
    cert, key = authority.issue("broken")
    r = make(cluster, {"main": dict(route="primary", pool="transaction", tls="require", tls_cert_file=cert, tls_key_file=key)},
             ready=False)
    with open(cert, "w") as file:
        file.write("nonsense\n")
    r.reload()
    for _ in range(3):
        assert r.value("main", "select 1", sslmode="verify-full", sslrootcert=authority.ca) == 1
