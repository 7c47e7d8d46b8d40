"""Prepared statements where a shared connection could be told from one's own: names, errors and their order, columns."""

import pytest

from lib.wire import Wire, bind, close, describe, execute, flush, kinds, parse, rows, sync


@pytest.fixture
def small(make, cluster):
    """Two connections to each node for everybody."""
    from conftest import DIRECT

    if DIRECT:
        return None
    listeners = {"split": dict(route="split", pool="transaction"), "primary": dict(route="primary", pool="transaction")}
    return make(cluster, listeners, settings={"pool_size": 2, "workers": 1})


@pytest.fixture
def wire(request, cluster):
    """wire(listener) opens a client of few shared connections."""
    from conftest import DIRECT

    opened = []
    ports = {} if DIRECT else request.getfixturevalue("small").ports

    def open_one(listener="primary", **parameters):
        opened.append(Wire(ports.get(listener, cluster.primary.port)).login(**parameters))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def ask(w, *messages):
    w.send(*messages, sync())
    return w.until()


def error(messages):
    found = [m for m in messages if m.kind == "E"]
    assert len(found) == 1, messages
    return found[0].fields


def run(w, statement, values=()):
    return ask(w, bind("", statement, values), execute())


def say(sql):
    return parse("", sql), bind(), execute()


@pytest.mark.parametrize("how", ["transaction", "function"])
def test_a_name_that_only_the_node_knows_is_taken(wire, table, how):
    """PREPARE behind a setting that its transaction has changed, or inside a function: it is not carried."""
    w, other = wire(), wire()
    ask(w, parse("gone", f"select a from {table}"))
    w.query(f"drop table {table}")
    other.query("begin")  # takes the connection that has it
    other.query("select 1")
    w.query("begin")
    if how == "transaction":
        w.query("set datestyle = 'ISO, DMY'")
        w.query("prepare p as select '01/02/2020'::date")
    else:
        w.query("do $$ begin execute $p$ prepare p as select date '2020-02-01' $p$; end $$")
    taken = ("42P05", 'prepared statement "p" already exists')
    assert error(ask(w, parse("q", "select 1"), parse("p", "select 2")))["C"] == "42P05"
    w.query("rollback")
    for _ in range(2):
        got = error(ask(w, parse("p", "select 2")))
        assert (got["C"], got["M"]) == taken
        got = error(w.query("prepare p as select 3"))
        assert (got["C"], got["M"]) == taken
    assert rows(run(w, "p")) == [["2020-02-01"]]
    assert rows(run(w, "q")) == [["1"]]
    assert error(w.query("prepare gone (no_such_type) as select $1"))["C"] == "42704"
    got = error(w.query("prepare gone as select 1"))
    assert (got["C"], got["M"]) == ("42P05", 'prepared statement "gone" already exists')
    assert kinds(ask(w, parse("other", "select $1::int"), bind("", "other", ["5"]), execute())) == "12DCZ"
    assert error(ask(w, parse("other", "select 2")))["C"] == "42P05"
    assert error(ask(w, parse("wrong", "selec")))["C"] == "42601"
    assert error(run(w, "wrong"))["C"] == "26000"
    assert kinds(ask(w, close("S", "p"), parse("p", "select 2"))) == "31Z"
    assert rows(run(w, "p")) == [["2"]]
    assert rows(run(w, "other", ["6"])) == [["6"]]


@pytest.mark.proxy
def test_closing_what_only_the_node_knows_ends_the_pin(small, wire):
    w, others = wire(), [wire() for _ in range(2)]
    w.query("do $$ begin execute $p$ prepare p as select 1 $p$; end $$")
    assert "prepare" in str(small.admin_table("show pins"))
    assert kinds(ask(w, close("S", "p"))) == "3Z"
    assert small.admin_table("show pins") == []
    for other in others:
        assert kinds(other.query("begin; select 1")) == "CTDCZ"


def test_an_execute_that_can_no_longer_run_was_bound_all_the_same(wire, table):
    w, other = wire(), wire()
    w.query(f"prepare p as select * from {table}")
    ask(w, parse("run", "execute p"))
    w.query(f"drop table {table}")
    other.query("begin")  # takes the connection that has it
    other.query("select 1")
    for batch in ([parse("", "execute p"), bind(), execute()], [bind("", "run"), execute()]):
        got = ask(w, parse("before", "select 1"), *batch, parse("never", "select 2"))
        assert kinds(got).lstrip("1") == "2EZ" and error(got)["C"] == "42P01", got
        assert kinds(got).startswith("11" if len(batch) == 3 else "1")
        assert error(run(w, "never"))["C"] == "26000"
        assert rows(run(w, "before")) == [["1"]]
        ask(w, close("S", "before"))
    other.query("commit")


def test_an_error_gives_the_name_that_was_said(wire):
    """Two names may stand for one statement."""
    w = wire()
    for name in ("first", "second", '"Third 3"'):
        w.query(f"prepare {name} (int) as select $1")
    ask(w, parse("run", "execute second(1, 2)"))
    for name in ("second", "first", '"Third 3"'):
        text = 'wrong number of parameters for prepared statement "{}"'.format(name.strip('"'))
        assert error(w.query(f"execute {name}(1, 2)"))["M"] == text
        assert error(w.query(f"execute first(1); execute {name}(1, 2)"))["M"] == text
        assert error(ask(w, *say("execute first(1)"), *say(f"execute {name}(1, 2)")))["M"] == text
        assert error(w.query(f"explain execute {name}(1, 2)"))["M"] == text
        said = 'prepared statement "{}" already exists'.format(name.strip('"'))
        assert error(w.query(f"select 1; prepare {name} as select 2"))["M"] == said
        assert error(w.query(f"begin; set local datestyle = 'ISO'; prepare {name} as select 2"))["M"] == said
        w.query("rollback")
    assert error(run(w, "run"))["M"] == 'wrong number of parameters for prepared statement "second"'


def test_what_an_error_has_skipped_is_there_as_before(wire):
    w, keeper = wire(), wire()
    for each in (keeper, w):
        ask(each, parse("p", "select 1"))
        assert rows(run(each, "p")) == [["1"]]
    ask(w, close("S", "p"))
    w.query("begin")
    assert error(w.query("select 1/0"))["C"] == "22012"
    assert kinds(ask(w, parse("other", "select 3"), parse("p", "select 1"))) == "EZ"
    w.query("rollback")
    assert kinds(ask(w, parse("p", "select 1"), bind("", "p"), execute())) == "12DCZ"


def test_parse_in_a_failed_transaction_fails_by_itself(wire):
    w, other = wire(), wire()
    for each in (w, other):
        assert kinds(ask(each, parse("p", "select 1"), parse("back", "rollback"))) == "11Z"
        assert rows(run(each, "p")) == [["1"]]
        ask(each, close("S", "p"), close("S", "back"))
    w.query("begin")
    assert error(w.query("select 1/0"))["C"] == "22012"
    for before in ([parse("other", "select 3")], []):
        got = ask(w, *before, parse("p", "select 1"), bind("", "p"), execute())
        assert kinds(got) == "EZ" and error(got)["C"] == "25P02"
    assert error(run(w, "p"))["C"] == "26000"
    got = ask(w, parse("back", "rollback"), parse("p", "select 1"))
    assert kinds(got) == "1EZ"
    assert kinds(run(w, "back")) == "2CZ"
    for each in (w, other):
        assert kinds(ask(each, parse("p", "select 1"), bind("", "p"), execute())) == "12DCZ"


@pytest.mark.parametrize("first", ["discard all", "select 1/0"])
def test_discard_all_beside_an_error(wire, first):
    w, other = wire(DateStyle="SQL, DMY", options="-c app.tenant=startup"), wire()
    w.query("set work_mem = '7MB'; set app.tenant = 'mine'")
    ask(w, parse("p", "select 1"))
    then = "select 1/0" if first == "discard all" else "discard all"
    ask(w, *say(first), parse("kept", "select 2"), *say(then))
    done = first == "discard all"
    assert w.parameters["DateStyle"] == "SQL, DMY"
    for _ in range(2):
        assert w.value("show datestyle") == "SQL, DMY"
        assert w.value("show work_mem") == ("4MB" if done else "7MB")
        assert w.value("select current_setting('app.tenant')") == ("startup" if done else "mine")
        assert kinds(run(w, "p")) == ("EZ" if done else "2DCZ")
        assert kinds(run(w, "kept")) == ("2DCZ" if done else "EZ")
        assert other.value("show datestyle") == "ISO, MDY"
        assert other.value("show work_mem") == "4MB"


def test_discard_all_and_an_error_of_the_same_portal(wire):
    w = wire(DateStyle="SQL, DMY")
    w.query("set work_mem = '7MB'")
    got = ask(w, parse("", "discard all"), bind(), execute(), execute())
    assert kinds(got) == "12CEZ" and error(got)["C"] == "34000"
    assert w.parameters["DateStyle"] == "SQL, DMY"
    assert [w.value(f"show {name}") for name in ("datestyle", "work_mem")] == ["SQL, DMY", "4MB"]


@pytest.mark.parametrize("sql, code, left", [("select 1/0", "22012", "08P01"), ("selec", "42601", "26000")])
def test_the_unnamed_statement_after_an_error_in_a_stream(wire, sql, code, left):
    """The last one that was parsed before the error, whatever of it was passed on as it came."""
    w = wire()
    w.send(*say("select 1"), flush())
    w.until("C")
    w.send(*say("select 2"), *say(sql), *say("select 3"), sync())
    assert error(w.until())["C"] == code
    for _ in range(2):
        assert error(run(w, "", ["x"]))["C"] == left
    wire().query("select 1")
    assert error(run(w, ""))["C"] == ("22012" if left == "08P01" else left)


def test_a_query_that_is_not_even_read_leaves_the_unnamed_statement(wire):
    w, other = wire(), wire()
    for sql, left in ((b"select '\xe9'", True), (b"select '\xc3\xa9', convert_from('\\xe9', 'UTF8')", False), (b"select 1/0", False)):
        ask(w, parse("", "select $1::int"))
        assert error(w.query(sql))["C"] == ("22012" if b"1/0" in sql else "22021")
        for _ in range(2):
            got = run(w, "", ["7"])
            assert rows(got) == [["7"]] if left else error(got)["C"] == "26000"
            other.query("select 1")
    w.query("set client_encoding = latin1")
    ask(w, parse("", "select $1::int"))
    assert kinds(w.query(b"select '\xe9'")) == "TDCZ"
    assert error(run(w, "", ["7"]))["C"] == "26000"


@pytest.mark.proxy
def test_what_follows_discard_all_in_its_batch_pins(small, wire):
    w = wire()
    ask(w, *say("discard all"), *say("listen here"))
    w.query("notify here")
    assert "listen" in str(small.admin_table("show pins"))


def test_null_gives_a_setting_back_in_an_execute_too(wire):
    w = wire(options="-c app.tenant=startup")
    ask(w, parse("p", "select set_config('app.tenant', $1, false)"))
    w.query("prepare q (text) as select set_config('app.tenant', $1, false)")
    for name in ("p", "q"):
        w.query(f"execute {name}('x')")
        assert w.value("select current_setting('app.tenant')") == "x"
        w.query(f"execute {name}(null)")
        assert w.value("select current_setting('app.tenant')") == "startup"
        w.query(f"execute {name}('')")
        assert w.value("select current_setting('app.tenant')") == ""


def test_a_stream_binds_what_was_parsed_under_other_settings(wire, table):
    w, other = wire(), wire()
    w.query("set datestyle = 'ISO, MDY'")
    ask(w, parse("folded", "select '01/02/2020'::date"), parse("gone", f"select * from {table}"))
    w.query("set datestyle = 'ISO, DMY'")
    w.query(f"drop table {table}")
    other.query("begin")  # takes the connection that has them
    other.query("select 1")
    for name, answer in (("folded", "2DCZ"), ("gone", "EZ"), ("folded", "2DCZ")):
        w.send(*say("select 1"), flush())
        w.until("C")
        w.send(bind("", name), execute(), parse("", "select '01/02/2020'::date"), bind(), execute(), sync())
        got = w.until()
        assert kinds(got) == answer.replace("Z", "12DCZ" if name == "folded" else "Z")
        if name == "folded":
            assert rows(got) == [["2020-01-02"], ["2020-02-01"]]
        else:
            assert error(got)["C"] == "42P01"
    other.query("commit")


def test_what_is_wrong_with_a_value_comes_before_what_is_wrong_with_the_statement(wire, table):
    """Also on a connection that lacks the statement, whose columns the client was told of."""
    w, other = wire(), wire()
    ask(w, parse("s", f"select a, b from {table} where a = $1"), describe("S", "s"))
    other.query("begin")  # takes the connection that has it
    other.query("select 1")
    w.query("set search_path = nowhere")
    for values, code in ((["x"], "22P02"), (["1", "2"], "08P01"), (["1"], "42P01")):
        assert error(run(w, "s", values))["C"] == code
    w.query("reset search_path")
    assert kinds(run(w, "s", ["1"])) == "2CZ"
    other.query("commit")


def test_an_execute_in_one_batch_runs_what_was_parsed_under_other_settings(wire):
    w, other = wire(), wire()
    w.query("set datestyle = 'ISO, MDY'")
    w.query("prepare p as select '01/02/2020'::date")
    ask(w, parse("q", "select '01/02/2020'::date"))
    w.query("set datestyle = 'ISO, DMY'")
    other.query("begin")  # takes the connection that has them
    other.query("select 1")
    for name in ("p", "q"):
        assert rows(ask(w, *say(f"execute {name}"))) == [["2020-01-02"]]
    other.query("commit")


@pytest.mark.parametrize("bound", ["whole", "large"])
def test_other_columns_than_those_told_are_an_error_in_a_stream(wire, cluster, table, bound):
    """The batch was flushed: it is passed on as it comes, and so is this Bind."""
    w, other = wire(), wire()
    sql = f"select * from {table} where b = $1"
    value = "x" if bound == "whole" else "x" * 300000
    got = ask(w, parse("s", sql), describe("S", "s"), parse("same", f"select a from {table}"), describe("S", "same"))
    assert kinds(got) == "1tT1tTZ"
    other.query("begin")  # takes the connection that has it
    other.query(f"alter table {table} add column c int")
    other.query("commit")
    other.query("begin")
    other.query("select 1")
    for _ in range(3):
        w.send(*say("select 1"), flush())
        w.until("C")
        w.send(bind("", "same"), execute(), bind("", "s", [value]), execute(), sync())
        got = w.until()
        assert kinds(got) == "2CEZ", got
        assert (error(got)["C"], error(got)["M"]) == ("0A000", "cached plan must not change result type")
    assert kinds(run(w, "same")) == "2CZ"
    other.query("commit")
