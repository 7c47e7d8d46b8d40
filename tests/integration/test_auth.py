"""Every way of proving who one is, to rolecall and for rolecall to the nodes."""

import hashlib
import os

import psycopg
import pytest

from lib import processes
from lib.processes import wait_until
from lib.wire import Error, Wire, rows

pytestmark = pytest.mark.proxy


def listener(auth, pool="transaction", route="primary", **more):
    return {"main": dict(route=route, pool=pool, auth=auth, **more)}


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o600)
    return processes.own(path)


@pytest.fixture
def directory(tmp_path):
    """Readable by the servers' account."""
    path = tmp_path
    while str(path) != "/tmp" and len(path.parts) > 2:
        os.chmod(path, 0o755)
        path = path.parent
    return str(tmp_path)


def verifier(cluster, user):
    return cluster.primary.value("select rolpassword from pg_authid where rolname = %s", [user])


def md5_of(user, password):
    return "md5" + hashlib.md5((password + user).encode()).hexdigest()


def refused(r, name="main", **options):
    with pytest.raises(psycopg.OperationalError) as caught:
        r.connect(name, **options).close()
    return str(caught.value)


def test_scram_by_auth_query_carries_the_key_to_the_node(make, cluster):
    """No password is stored anywhere: the node's login is made with the key from the client's proof."""
    r = make(cluster, listener("scram-sha-256"))
    assert r.value("main", "select current_user::text") == "app"
    assert 'authentication failed for user "app"' in refused(r, password="wrong")
    with Wire(r.ports["main"]) as w:
        w.login()
        assert w.mechanisms == ["SCRAM-SHA-256"]


def test_scram_by_auth_file_with_a_verifier(make, cluster, directory):
    path = write(directory, "users", f'"app" "{verifier(cluster, "app")}"\n')
    r = make(cluster, listener("scram-sha-256", auth_file=path), cluster_settings={"auth_query": ""})
    assert r.value("main", "select current_user::text") == "app"
    refused(r, password="wrong")
    refused(r, user="legacy", password="legacy-secret")


def test_scram_by_auth_file_with_a_password(make, cluster, directory):
    path = write(directory, "users", '"app" "app-secret"\n"legacy" "legacy-secret"\n')
    r = make(cluster, listener("scram-sha-256", auth_file=path), cluster_settings={"auth_query": ""}, ready=False)
    assert r.value("main", "select current_user::text") == "app"
    assert r.value("main", "select current_user::text", user="legacy", password="legacy-secret") == "legacy"
    refused(r, password="wrong")


@pytest.mark.parametrize("secret", ["plain", "md5"])
def test_md5_by_auth_file(make, cluster, directory, secret):
    stored = "legacy-secret" if secret == "plain" else md5_of("legacy", "legacy-secret")
    path = write(directory, "users", f'"legacy" "{stored}"\n')
    r = make(cluster, listener("md5", auth_file=path), ready=False)
    assert r.value("main", "select current_user::text", user="legacy", password="legacy-secret") == "legacy"
    refused(r, user="legacy", password="wrong")


def test_md5_by_auth_query(make, cluster):
    r = make(cluster, listener("md5"), ready=False)
    assert r.value("main", "select current_user::text", user="legacy", password="legacy-secret") == "legacy"
    refused(r, user="legacy", password="wrong")


def test_md5_asks_a_scram_user_for_scram(make, cluster):
    """As PostgreSQL does: a SCRAM verifier cannot answer an md5 challenge."""
    r = make(cluster, listener("md5"), ready=False)
    assert r.value("main", "select current_user::text") == "app"
    refused(r, password="wrong")


@pytest.mark.parametrize("user, password", [("app", "app-secret"), ("legacy", "legacy-secret")])
def test_password_in_the_clear(make, cluster, user, password):
    r = make(cluster, listener("password"), ready=False)
    assert r.value("main", "select current_user::text", user=user, password=password) == user
    refused(r, user=user, password="wrong")
    refused(r, user="nobody_at_all", password="x")


def test_trust_needs_a_stored_secret_for_the_node(make, cluster, directory):
    path = write(directory, "users", '"app" "app-secret"\n')
    r = make(cluster, listener("trust", auth_file=path), ready=False)
    assert r.value("main", "select current_user::text", password="anything") == "app"


def test_trust_with_a_forced_user(make, cluster):
    r = make(cluster, listener("trust"), databases={"app": {"user": "app", "password": "app-secret"}}, ready=False)
    assert r.value("main", "select current_user::text", user="whoever", password=None) == "app"


def test_passthrough_lets_the_node_decide(make, cluster):
    r = make(cluster, listener("passthrough", pool="none"), cluster_settings={"auth_query": ""}, ready=False)
    assert r.value("main", "select current_user::text") == "app"
    assert r.value("main", "select current_user::text", user="legacy", password="legacy-secret") == "legacy"
    assert 'authentication failed for user "app"' in refused(r, password="wrong")
    with Wire(r.ports["main"]) as w:
        w.login()
        assert rows(w.query("select 1")) == [["1"]]


def test_hba_chooses_by_database_user_and_address(make, cluster, directory):
    users = write(directory, "users", '"app" "app-secret"\n"legacy" "legacy-secret"\n')
    hba = write(directory, "hba", """
# type  database user   address       method
host    app      legacy 127.0.0.1/32  reject
host    app      app    127.0.0.1/32  scram-sha-256
host    nick     all    127.0.0.0/8   trust
""")
    r = make(cluster, listener("hba", hba_file=hba, auth_file=users), databases={"nick": {"dbname": "app"}}, ready=False)
    assert r.value("main", "select current_user::text") == "app"
    refused(r, password="wrong")
    assert 'rejects connection for user "legacy"' in refused(r, user="legacy", password="legacy-secret")
    assert r.value("main", "select current_user::text", dbname="nick", password="whatever") == "app"
    assert 'no hba_file entry for user "app"' in refused(r, dbname="postgres")


def test_a_changed_password_is_known_after_a_failed_proof(make, own_cluster):
    """The verifier is cached; a proof that fails has it fetched from the primary once more, for the next attempt."""
    r = make(own_cluster, listener("scram-sha-256"), cluster_settings={"auth_cache_ttl": "1h"})
    own_cluster.primary.sql("alter role app password 'changed'")

    def changed():
        try:
            return r.value("main", "select 1", password="changed") == 1
        except psycopg.OperationalError:
            return False

    wait_until(changed, 5, "the new password is known")
    refused(r, password="app-secret")


def test_logins_that_may_not_log_in_are_refused(make, own_cluster):
    own_cluster.primary.sql("create role locked nologin password 'x'")
    own_cluster.primary.sql("create role expired login password 'x' valid until '2020-01-01'")
    r = make(own_cluster, listener("scram-sha-256"))
    for user in ("locked", "expired"):
        with pytest.raises(Error) as caught, Wire(r.ports["main"]) as w:
            w.login(user=user, password="x")
        assert caught.value.sqlstate in ("28P01", "28000")


def test_a_new_user_is_known_soon(make, own_cluster):
    """Negative answers are cached, but not for long."""
    r = make(own_cluster, listener("scram-sha-256"), cluster_settings={"auth_cache_ttl": "1s"})
    refused(r, user="late", password="late-secret")
    own_cluster.primary.sql("create role late login password 'late-secret'")
    own_cluster.primary.sql("grant connect on database app to late")

    def known():
        try:
            return r.value("main", "select 1", user="late", password="late-secret") == 1
        except psycopg.OperationalError:
            return False

    wait_until(known, 10, "the new user is known")


def test_verifiers_outlive_an_outage(make, own_cluster):
    """With every node down, a login succeeds from the cache and then waits for a node."""
    r = make(own_cluster, listener("scram-sha-256", route="split"), cluster_settings={"hold_timeout": "500ms", "auth_cache_ttl": "1s"})
    for node in own_cluster.nodes:
        node.stop("fast")
    with Wire(r.ports["main"]) as w:
        try:
            w.login()
            got = w.query("select 1")
            assert got[0].sqlstate == "57P03"
        except Error as error:
            assert error.sqlstate == "57P03"
    with pytest.raises(Error) as caught, Wire(r.ports["main"]) as w:
        w.login(password="wrong")
    assert caught.value.sqlstate == "28P01"


def test_secrets_are_never_logged(make, cluster, directory):
    path = write(directory, "users", '"app" "app-secret"\n')
    r = make(cluster, listener("scram-sha-256", auth_file=path), settings={"log_level": "debug"})
    r.value("main", "select 'literal-4711'")
    refused(r, password="wrong-4712")
    log = r.log()
    for secret in ("app-secret", "super-secret", "literal-4711", "wrong-4712", verifier(cluster, "app").split("$")[2]):
        assert secret not in log


def test_a_users_secret_that_the_node_refuses_is_told(make, cluster, directory):
    """The client has proved itself, but the node knows another password: an error, and nothing is taken for down."""
    path = write(directory, "users", '"app" "stale"\n')
    r = make(cluster, listener("scram-sha-256", auth_file=path), ready=False)
    with pytest.raises(psycopg.OperationalError):
        r.value("main", "select 1", password="stale")
    assert r.value("main", "select 1", user="postgres", password="super-secret") == 1
