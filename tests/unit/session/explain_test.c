/* What a session would do is told without doing it. */
#include "proxy/session/explain.h"
#include "tests/unit/session/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct world world;

static void open_world(struct client *client)
{
    world_open(&world, "pool = transaction\nroute = split", "");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    fake_node_script(&world.nodes[0], "D:read~committed C:SELECT~1 Z:I");
    client_login(&world, client);
    sessions_on_catalogue(&world.sessions, catalogue_new("main", "shop"));
}

static void close_world(struct client *client)
{
    client_close(client);
    world_turns(&world, 5);
    world_close(&world);
}

/* The session is byte for byte what it was. */
static struct explanation explain(const char *sql)
{
    static struct session before;
    struct session *session = world.sessions.first;
    struct explanation told;
    memcpy(&before, session, sizeof before);
    explain_session(&world.sessions, session->serial, slice_from(sql), &told);
    assert_memory_equal(&before, session, sizeof before);
    assert_true(told.found);
    return told;
}

static void assert_goes(const char *sql, enum node_role role, enum reason verdict)
{
    struct explanation told = explain(sql);
    if (!told.has_node || told.role != role || told.verdict != verdict)
        fail_msg("%s: %s %s, %s", sql, told.has_node ? told.node : "no node", told.why,
            told.has_verdict ? reason_name(told.verdict) : "no verdict");
}

static void assert_is_answered_here(const char *sql)
{
    struct explanation told = explain(sql);
    assert_true(told.by_rolecall);
    assert_false(told.has_node || told.has_verdict);
    assert_true(told.why[0]);
}

static void an_idle_session(void **state)
{
    (void)state;
    struct client client;
    open_world(&client);
    assert_goes("select 1", ROLE_REPLICA, REASON_READ);
    assert_goes("insert into t values (1)", ROLE_PRIMARY, REASON_WRITE);
    assert_goes("select nobody_knows()", ROLE_PRIMARY, REASON_FUNCTION_UNKNOWN);
    assert_goes("/* rolecall: primary */ select 1", ROLE_PRIMARY, REASON_HINT_PRIMARY);
    assert_goes("listen x", ROLE_PRIMARY, explain("listen x").class.reason);
    assert_is_answered_here("begin");
    assert_is_answered_here("set rolecall.route = primary");
    assert_int_equal(fake_node_count(&world.nodes[1], "Q:"), 0);
    struct explanation told;
    explain_session(&world.sessions, 4711, slice_from("select 1"), &told);
    assert_false(told.found);
    close_world(&client);
}

static void a_transaction_that_is_nowhere_yet_and_one_that_is_somewhere(void **state)
{
    (void)state;
    struct client client;
    open_world(&client);
    client_ask(&world, &client, "Q:begin~read~only");
    assert_true(explain("select 1").owes_begin);
    assert_goes("select 1", ROLE_REPLICA, REASON_READ_ONLY_TRANSACTION);
    assert_goes("select nobody_knows()", ROLE_PRIMARY, REASON_TRANSACTION);
    assert_is_answered_here("commit");
    client_ask(&world, &client, "Q:select~1");
    assert_goes("select 2", ROLE_REPLICA, REASON_IN_TRANSACTION);
    assert_goes("select nobody_knows()", ROLE_PRIMARY, REASON_TRANSACTION); /* it would be moved */
    assert_goes("commit", ROLE_REPLICA, REASON_IN_TRANSACTION);
    client_ask(&world, &client, "Q:commit");
    assert_goes("select 2", ROLE_REPLICA, REASON_READ);
    close_world(&client);
}

static void one_that_has_no_node_is_told_what_it_waits_for(void **state)
{
    (void)state;
    struct client client;
    open_world(&client);
    world_topology(&world, ROLE_REPLICA, ROLE_REPLICA);
    struct explanation told = explain("insert into t values (1)");
    assert_false(told.has_node);
    assert_int_equal(told.verdict, REASON_WRITE);
    assert_true(told.why[0]);
    client_say(&client, "Q:insert~into~t~values(1)");
    world_turns(&world, 5);
    struct session_report report;
    uint32_t cursor = 0;
    assert_int_equal(report_sessions(&world.sessions, &cursor, &report, 1), 1);
    assert_string_equal(report.waits_for, "node");
    assert_true(report.has_verdict);
    assert_int_equal(report.verdict, REASON_WRITE);
    assert_string_equal(report.why, told.why);
    close_world(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_session),
        cmocka_unit_test(a_transaction_that_is_nowhere_yet_and_one_that_is_somewhere),
        cmocka_unit_test(one_that_has_no_node_is_told_what_it_waits_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
