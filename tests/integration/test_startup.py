"""What precedes the first query: startup packets, options, negotiation, refusals."""

import struct

import psycopg
import pytest

from lib.wire import (
    GSSENC_REQUEST, PROTOCOL_3_0, PROTOCOL_3_2, SSL_REQUEST, Closed, Error, Wire, query, startup, text,
)

LISTENERS = ["split", "primary", "primary-session", "primary-none"]


def raw_startup(body):
    return struct.pack("!I", len(body) + 4) + body


@pytest.mark.parametrize("listener", LISTENERS)
def test_settings_given_at_login_hold(rolecall, listener):
    with rolecall.connect(listener, options="-c work_mem=6MB -c DateStyle=German,DMY --search_path=pg_catalog,public") as c:
        for _ in range(3):
            assert c.execute("show work_mem").fetchone()[0] == "6MB"
            assert c.execute("select date '2020-02-03'::text").fetchone()[0] == "03.02.2020"
            assert c.execute("show search_path").fetchone()[0] == "pg_catalog,public"
        c.execute("set work_mem = '9MB'")
        c.execute("reset work_mem")
        assert c.execute("show work_mem").fetchone()[0] == "6MB"
    assert rolecall.value(listener, "show work_mem") == "4MB"


@pytest.mark.parametrize("listener", LISTENERS)
def test_settings_as_startup_parameters_hold(rolecall, listener):
    with Wire(rolecall.ports[listener]) as w:
        w.login(TimeZone="Asia/Tokyo", application_name="mine", client_encoding="LATIN1", geqo="off")
        assert w.parameters["TimeZone"] == "Asia/Tokyo"
        assert w.parameters["application_name"] == "mine"
        assert w.parameters["client_encoding"] == "LATIN1"
        for _ in range(3):
            assert w.value("show timezone") == "Asia/Tokyo"
            assert w.value("show application_name") == "mine"
            assert w.value("show geqo") == "off"
    assert rolecall.value(listener, "show geqo") == "on"


@pytest.mark.parametrize("listener", LISTENERS)
def test_options_with_escaped_blanks(rolecall, listener):
    with rolecall.connect(listener, options=r"-c application_name=two\ words\\") as c:
        assert c.execute("show application_name").fetchone()[0] == "two words\\"


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("options, sqlstate", [("-c no_such_setting=1", "42704"), ("-c work_mem=abc", "22023")])
def test_a_bad_setting_at_login_is_refused(rolecall, listener, options, sqlstate):
    with pytest.raises((Error, psycopg.Error)) as caught, Wire(rolecall.ports[listener]) as w:
        w.login(options=options)
        w.value("select 1")
    assert caught.value.sqlstate == sqlstate
    assert rolecall.value(listener, "select 1") == 1


@pytest.mark.proxy
@pytest.mark.parametrize("listener", LISTENERS)
def test_encryption_is_declined_politely(rolecall, listener):
    with Wire(rolecall.ports[listener]) as w:
        w.send(struct.pack("!II", 8, GSSENC_REQUEST))
        assert w.take(1) == b"N"
        w.send(struct.pack("!II", 8, SSL_REQUEST))
        assert w.take(1) == b"N"
        w.login()
        assert w.value("select 1") == "1"


@pytest.mark.parametrize("order", [(SSL_REQUEST, SSL_REQUEST), (GSSENC_REQUEST, GSSENC_REQUEST)])
@pytest.mark.proxy
def test_asking_twice_is_a_protocol_violation(rolecall, order):
    with Wire(rolecall.ports["primary"]) as w:
        for code in order:
            w.send(struct.pack("!II", 8, code))
        try:
            while (answer := w.take(1, timeout=5)) == b"N":
                pass
            assert answer == b"E"
        except Closed:
            pass
        assert w.is_closed()


@pytest.mark.proxy
@pytest.mark.parametrize("listener", ["split", "primary", "primary-session"])
def test_protocol_3_2_has_long_keys_and_3_0_short_ones(rolecall, listener):
    with Wire(rolecall.ports[listener]) as w:
        w.login(protocol=PROTOCOL_3_2)
        assert w.negotiated is None and len(w.key) == 32
    with Wire(rolecall.ports[listener]) as w:
        w.login(protocol=PROTOCOL_3_0)
        assert len(w.key) == 4


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_newer_minor_version_is_negotiated_down(rolecall, listener):
    with Wire(rolecall.ports[listener]) as w:
        w.login(protocol=PROTOCOL_3_0 + 99)
        assert w.negotiated in (0, 2, PROTOCOL_3_0, PROTOCOL_3_2)
        assert w.value("select 1") == "1"


@pytest.mark.parametrize("listener", LISTENERS)
def test_unknown_protocol_extensions_are_named(rolecall, listener):
    with Wire(rolecall.ports[listener]) as w:
        w.login(**{"_pq_.strange": "1"})
        assert w.negotiated is not None
        assert w.value("select 1") == "1"


@pytest.mark.proxy  # PostgreSQL answers in the format of protocol 2
@pytest.mark.parametrize("version", [2 << 16, 4 << 16, 1, 0x12345678, 1234 << 16 | 9999])
def test_an_unknown_major_version_is_refused(rolecall, version):
    with Wire(rolecall.ports["primary"]) as w:
        w.send(raw_startup(struct.pack("!I", version) + text("user") + text("app") + b"\0"))
        try:
            assert w.receive().sqlstate in ("0A000", "08P01")
        except Closed:
            pass
        assert w.is_closed()


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_wrong_password_is_refused(rolecall, listener):
    with pytest.raises(Error) as caught, Wire(rolecall.ports[listener]) as w:
        w.login(password="wrong")
    assert caught.value.sqlstate == "28P01"
    assert caught.value.fields["M"] == 'password authentication failed for user "app"'
    assert caught.value.fields["S"] == "FATAL"


@pytest.mark.parametrize("listener", LISTENERS)
def test_an_unknown_user_looks_like_a_wrong_password(rolecall, listener):
    with pytest.raises(Error) as caught, Wire(rolecall.ports[listener]) as w:
        w.login(user="nobody_at_all", password="x")
    assert caught.value.sqlstate == "28P01"
    assert caught.value.fields["M"] == 'password authentication failed for user "nobody_at_all"'


@pytest.mark.parametrize("listener", LISTENERS)
def test_an_unknown_database_is_refused(rolecall, listener):
    with pytest.raises(Error) as caught, Wire(rolecall.ports[listener]) as w:
        w.login(database="no_such_database")
        w.value("select 1")
    assert caught.value.sqlstate == "3D000"
    assert caught.value.fields["M"] == 'database "no_such_database" does not exist'


def test_the_database_defaults_to_the_user(rolecall):
    with Wire(rolecall.ports["primary"]) as w:
        w.send(startup(user="app"))
        w.authenticate("app", "app-secret")
        assert w.value("select current_database()") == "app"


def test_no_user_is_refused(rolecall):
    with Wire(rolecall.ports["primary"]) as w:
        w.send(startup(database="app"))
        assert w.receive().sqlstate == "28000"
        assert w.is_closed()


@pytest.mark.parametrize("user, database", [("u" * 64, "app"), ("u" * 5000, "app"), ("app", "d" * 5000)])
def test_long_names_are_refused_without_harm(rolecall, user, database):
    with pytest.raises((Error, Closed)) as caught, Wire(rolecall.ports["primary"]) as w:
        w.login(user=user, database=database)
        w.value("select 1")
    if caught.type is Error:
        assert caught.value.sqlstate in ("28P01", "28000", "3D000", "42622", "08P01")
    assert rolecall.value("primary", "select 1") == 1


@pytest.mark.parametrize("name", ['quo"te', "sp ace", "semi;colon", "ünï", "a=b", "back\\slash", "per%cent", "x\ny"])
def test_odd_names_are_only_names(rolecall, name):
    for user, database in ((name, "app"), ("app", name)):
        with pytest.raises(Error) as caught, Wire(rolecall.ports["primary"]) as w:
            w.login(user=user, database=database)
            w.value("select 1")
        assert caught.value.sqlstate in ("28P01", "3D000")
    if rolecall.process:
        assert all("x\ny" not in line for line in rolecall.log().splitlines())


@pytest.mark.parametrize(
    "packet",
    [
        struct.pack("!I", 0), struct.pack("!I", 3), struct.pack("!I", 7) + b"\0\3\0", struct.pack("!II", 100001, PROTOCOL_3_0),
        struct.pack("!II", 0xFFFFFFFF, PROTOCOL_3_0), struct.pack("!II", 0x7FFFFFFF, PROTOCOL_3_0),
        raw_startup(struct.pack("!I", PROTOCOL_3_0)), raw_startup(struct.pack("!I", PROTOCOL_3_0) + b"user\0app"),
        raw_startup(struct.pack("!I", PROTOCOL_3_0) + b"user\0app\0"), raw_startup(struct.pack("!I", PROTOCOL_3_0) + b"user"),
        raw_startup(struct.pack("!I", PROTOCOL_3_0) + b"user\0app\0\0trailing\0"),
    ],
)
def test_a_malformed_startup_packet_is_refused(rolecall, packet):
    with Wire(rolecall.ports["primary"]) as w:
        w.send(packet)
        try:
            assert w.receive(timeout=5).sqlstate in ("08P01", "0A000")
        except Closed:
            pass
        assert w.is_closed()
    assert rolecall.value("primary", "select 1") == 1


def test_a_query_before_the_login_ends_is_refused(rolecall):
    with Wire(rolecall.ports["primary"]) as w:
        w.send(startup(user="app", database="app"))
        assert w.receive().kind == "R"
        w.send(query("select 1"))
        m = w.receive()
        assert m.kind == "E" and m.sqlstate == "08P01"
        assert w.is_closed()


@pytest.mark.proxy
def test_ignored_startup_parameters_are_left_out(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")},
             settings={"ignore_startup_parameters": "extra_float_digits, strange.thing"})
    with Wire(r.ports["primary"]) as w:
        w.login(extra_float_digits="not a number", **{"strange.thing": "x"})
        assert w.value("show extra_float_digits") == "1"


@pytest.mark.proxy
def test_the_clients_address_joins_the_application_name(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")}, settings={"application_name_add_host": "on"})
    with r.connect("primary", application_name="mine") as c:
        c.execute("select 1")
        names = {row[2] for row in cluster.primary.backends()}
        assert any(name.startswith("mine") and "127.0.0.1" in name for name in names), names


@pytest.mark.proxy
def test_an_alias_leads_to_its_database(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")},
             databases={"nickname": {"dbname": "app"}, "forced": {"dbname": "app", "user": "legacy", "password": "legacy-secret"}})
    assert r.value("primary", "select current_database()::text", dbname="nickname") == "app"
    assert r.value("primary", "select current_user::text", dbname="forced") == "legacy"


@pytest.mark.proxy
def test_a_connect_query_runs_on_new_servers(make, cluster):
    r = make(cluster, {"primary": dict(route="primary", pool="transaction")},
             databases={"app": {"connect_query": "set geqo_seed = 0.25"}})
    assert r.value("primary", "show geqo_seed") == "0.25"
