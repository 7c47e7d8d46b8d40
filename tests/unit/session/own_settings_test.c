/* rolecall's own settings: what they may be, what a transaction takes back, and the token. */
#include "proxy/session/own_value.h"
#include "proxy/session/token.h"
#include "tests/unit/session/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static struct world world;

static void open_world(const char *listener, struct client *client)
{
    world_open(&world, listener, "");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    client_login(&world, client);
}

static void close_world(struct client *client)
{
    client_close(client);
    world_turns(&world, 5);
    world_close(&world);
}

static const char *ask(struct client *client, const char *words)
{
    return client_ask(&world, client, words);
}

/* ---- values ---- */

static void max_lag_is_bytes_or_time_or_both(void **state)
{
    (void)state;
    static const struct {
        const char *values[3], *shown;
    } rows[] = {
        {{"1024"}, "1kB"},
        {{"1MB"}, "1MB"},
        {{"1500 kB"}, "1500kB"},
        {{"200ms"}, "200ms"},
        {{"5s"}, "5s"},
        {{"1MB", "200ms"}, "1MB, 200ms"},
        {{"200ms", "1MB"}, "1MB, 200ms"},
        {{"1MB, 1min"}, "1MB, 1min"},
        {{"1MB", "2MB"}, "2MB"},
        {{"off"}, "off"},
        {{"0, 0ms"}, "off"},
        {{"off", "7s"}, "0B, 7s"},
        {{"1MB", "default"}, "default"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct own_settings own = {0};
        char shown[128];
        for (size_t v = 0; v < 3 && rows[i].values[v]; v++)
            assert_true(own_value_set(&own, slice_from("max_lag"), slice_from(rows[i].values[v]), NULL));
        own_value_show(&own, CONSISTENCY_SESSION, slice_from("max_lag"), shown, sizeof shown);
        assert_string_equal(shown, rows[i].shown);
    }
}

static void what_is_wrong_changes_nothing_and_is_told(void **state)
{
    (void)state;
    static const char *const rows[][3] = {{"max_lag", "much", "22023"}, {"max_lag", "", "22023"},
        {"max_lag", "-1", "22023"}, {"max_lag", "1 PB", "22023"}, {"max_lag", "1MB x", "22023"},
        {"max_lag", "99999999999999999999", "22023"}, {"max_lag", "18446744073709551615MB", "22023"},
        {"route", "nowhere", "22023"}, {"consistency", "some", "22023"}, {"token", "rc1", "22023"},
        {"node", "one", "55P02"}, {"nothing", "1", "42704"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct own_settings own = {.max_lag_ms = 7, .token_timeline = 3}, before = own;
        struct error error;
        assert_false(own_value_set(&own, slice_from(rows[i][0]), slice_from(rows[i][1]), &error));
        assert_string_equal(error.sqlstate, rows[i][2]);
        assert_memory_equal(&own, &before, sizeof own);
    }
}

static void a_token_comes_back_as_it_was_made_and_nothing_else_does(void **state)
{
    (void)state;
    char token[TOKEN_MAX + 1], bad[TOKEN_MAX + 1];
    uint32_t timeline;
    uint64_t lsn;
    token_format(0xFFFFFFFF, UINT64_C(0x123456789ABCDEF0), token);
    assert_true(strlen(token) <= TOKEN_MAX);
    assert_true(token_parse(slice_from(token), &timeline, &lsn));
    assert_int_equal(timeline, 0xFFFFFFFF);
    assert_true(lsn == UINT64_C(0x123456789ABCDEF0));
    for (size_t i = 0; i < strlen(token); i++) {
        strcpy(bad, token);
        bad[i] = bad[i] == '1' ? '2' : '1';
        assert_false(token_parse(slice_from(bad), &timeline, &lsn));
        assert_false(token_parse(slice_of(token, i), &timeline, &lsn));
    }
    token_format(0, 1, token); /* there is no such timeline */
    assert_false(token_parse(slice_from(token), &timeline, &lsn));
}

/* ---- statements ---- */

static void they_are_answered_without_a_server(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction\nroute = split", &client);
    int peers = world.nodes[0].n_peers;
    int before = (int)strlen(world.nodes[0].peers[0].heard);
    assert_string_equal(ask(&client, "Q:set~rolecall.consistency=eventual"), "C:SET Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.consistency"), "T D:eventual C:SHOW Z:I");
    assert_string_equal(ask(&client, "P:a=show~rolecall.consistency S"), "1 Z:I");
    assert_string_equal(ask(&client, "P:a2=show~rolecall.route B:a2 Dp: E: S"), "1 2 T D:default C:SHOW Z:I");
    assert_string_equal(ask(&client, "B:a Dp: E: S"), "2 T D:eventual C:SHOW Z:I");
    assert_string_equal(ask(&client, "P:=set~rolecall.max_lag='1MB,200ms' B: E: S"), "1 2 C:SET Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.max_lag"), "T D:1MB,~200ms C:SHOW Z:I");
    assert_string_equal(ask(&client, "Q:set~rolecall.max_lag=default"), "C:SET Z:I");
    assert_string_equal(ask(&client, "Q:reset~rolecall.max_lag"), "C:RESET Z:I");
    assert_string_equal(ask(&client, "P:b=set~rolecall.route=nowhere B:b E: S"), "1 2 E:22023 Z:I");
    assert_string_equal(ask(&client, "B:b E: S"), "2 E:22023 Z:I"); /* the Parse was no failure */
    assert_int_equal(world.nodes[0].n_peers, peers);
    assert_int_equal(strlen(world.nodes[0].peers[0].heard), before);
    close_world(&client);
}

/* A Parse does nothing yet. */
static void a_set_happens_when_it_is_executed(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction\nroute = split", &client);
    assert_string_equal(ask(&client, "P:a=set~rolecall.route=primary Ds:a S"), "1 t n Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:default C:SHOW Z:I");
    assert_string_equal(ask(&client, "B:a E: S"), "2 C:SET Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:primary C:SHOW Z:I");
    close_world(&client);
}

static void a_rolled_back_set_is_undone(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "Q:set~rolecall.route=any");
    ask(&client, "Q:begin");
    ask(&client, "Q:select~1");
    assert_string_equal(ask(&client, "Q:set~rolecall.route=primary"), "C:SET Z:T");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:primary C:SHOW Z:T");
    assert_string_equal(ask(&client, "Q:rollback"), "C:OK Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:any C:SHOW Z:I");
    ask(&client, "Q:begin");
    ask(&client, "Q:select~1");
    ask(&client, "Q:set~rolecall.route=primary");
    assert_string_equal(ask(&client, "Q:commit"), "C:OK Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:primary C:SHOW Z:I");
    close_world(&client);
}

static void a_commit_that_is_only_parsed_keeps_nothing(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "Q:begin");
    ask(&client, "Q:select~1");
    ask(&client, "Q:set~rolecall.route=primary");
    assert_string_equal(ask(&client, "P:=commit S"), "1 Z:T");
    ask(&client, "Q:rollback");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:default C:SHOW Z:I");
    close_world(&client);
}

static void set_local_ends_with_its_transaction(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    assert_string_equal(ask(&client, "Q:set~local~rolecall.route=any"), "N:25P01 C:SET Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:default C:SHOW Z:I");
    ask(&client, "Q:begin");
    ask(&client, "Q:select~1");
    assert_string_equal(ask(&client, "Q:set~local~rolecall.route=primary"), "C:SET Z:T");
    assert_string_equal(ask(&client, "Q:set~rolecall.consistency=strong"), "C:SET Z:T");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:primary C:SHOW Z:T");
    assert_string_equal(ask(&client, "P:c=commit S"), "1 Z:T"); /* is only parsed */
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:primary C:SHOW Z:T");
    ask(&client, "Q:commit");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:default C:SHOW Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.consistency"), "T D:strong C:SHOW Z:I");
    close_world(&client);
}

static void a_failed_transaction_refuses_them(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "Q:begin");
    fake_node_script(&world.nodes[0], "E:22012 Z:E");
    ask(&client, "Q:select~1/0");
    assert_string_equal(ask(&client, "Q:set~rolecall.route=primary"), "E:25P02 Z:E");
    assert_string_equal(ask(&client, "P:=show~rolecall.node B: E: S"), "1 2 E:25P02 Z:E");
    close_world(&client);
}

/* What follows must not be committed: PostgreSQL would have failed the transaction. */
static void a_wrong_one_fails_its_transaction_at_the_server(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "Q:begin");
    ask(&client, "Q:select~1");
    fake_node_script(&world.nodes[0], "E:22012 Z:E");
    assert_string_equal(ask(&client, "Q:set~rolecall.route=nowhere"), "E:22023 Z:E");
    assert_string_equal(ask(&client, "Q:rollback"), "C:OK Z:I");
    assert_int_equal(fake_node_count(&world.nodes[0], "Q:SELECT~1/0~AS~rolecall_refused"), 1);
    close_world(&client);
}

static void reset_all_gives_back_what_the_login_asked_for(void **state)
{
    (void)state;
    struct client client;
    char out[256];
    world_open(&world, "pool = transaction", "");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    client_open(&world, &client);
    client_send(&client, out,
        talk_startup("user=ann database=shop rolecall.route=any rolecall.max_lag=5s", out, sizeof out));
    client_listen(&world, &client);
    ask(&client, "Q:set~rolecall.route=primary");
    ask(&client, "Q:set~rolecall.max_lag='1MB'");
    assert_string_equal(ask(&client, "Q:show~rolecall.max_lag"), "T D:1MB,~5s C:SHOW Z:I");
    assert_string_equal(ask(&client, "Q:reset~rolecall.route"), "C:RESET Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:any C:SHOW Z:I");
    ask(&client, "Q:reset~all");
    assert_string_equal(ask(&client, "Q:show~rolecall.max_lag"), "T D:5s C:SHOW Z:I");
    ask(&client, "Q:set~rolecall.max_lag=off");
    ask(&client, "Q:discard~all");
    assert_string_equal(ask(&client, "Q:show~rolecall.max_lag"), "T D:5s C:SHOW Z:I");
    close_world(&client);
}

/* ---- the token ---- */

#define POSITION "Q:SELECT~pg_catalog.pg_walfile_name(l),l~FROM~pg_catalog.pg_current_wal_insert_lsn()~AS~l"

static void a_primary_that_does_not_tell_its_position_gives_no_token(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    fake_node_script(&world.nodes[0], "E:55000 Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.token"), "E:55000 Z:I");
    fake_node_script(&world.nodes[0], "T D:nonsense C:SELECT~1 Z:I");
    assert_string_equal(ask(&client, "P:=show~rolecall.token B: Dp: E: S"), "1 2 T E:XX000 Z:I");
    assert_int_equal(fake_node_count(&world.nodes[0], POSITION), 2);
    assert_string_equal(ask(&client, "Q:select~1"), "C:OK Z:I");
    close_world(&client);
}

static void the_position_becomes_a_token(void **state)
{
    (void)state;
    /* DataRow of 00000002000000000000000A and 0/A12345 */
    static const char row[] = "D\0\0\0\56\0\2\0\0\0\30"
                              "00000002000000000000000A"
                              "\0\0\0\10"
                              "0/A12345";
    char token[TOKEN_MAX + 1];
    uint32_t timeline;
    uint64_t lsn;
    assert_true(token_of_row(row, sizeof row - 1, token));
    assert_true(token_parse(slice_from(token), &timeline, &lsn));
    assert_int_equal(timeline, 2);
    assert_int_equal(lsn, 0xA12345);
    for (size_t len = 0; len < sizeof row - 1; len++)
        assert_false(token_of_row(row, len, token));
}

static void set_token(struct client *client, uint32_t timeline)
{
    char token[TOKEN_MAX + 1], words[128];
    token_format(timeline, 0x1234, token);
    snprintf(words, sizeof words, "Q:set~rolecall.token='%s'", token);
    assert_string_equal(ask(client, words), "C:SET Z:I");
}

static void reads_wait_for_a_sample_that_is_later_than_the_token(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction\nroute = replica", &client);
    world.cluster_live->started = 5;
    world.live[1]->replayed_epoch = 5;
    ask(&client, "Q:select~1");
    assert_string_equal(world.sessions.first->last_node->name, "two");
    set_token(&client, 1);
    ask(&client, "Q:select~2");
    assert_string_equal(world.sessions.first->last_node->name, "one");
    assert_true(world.cluster_live->wanted_at_us > 0);
    world.live[1]->replayed_epoch = 6;
    ask(&client, "Q:select~3");
    assert_string_equal(world.sessions.first->last_node->name, "two");
    world.live[1]->replayed_epoch = 0;
    ask(&client, "Q:reset~rolecall.token");
    ask(&client, "Q:select~4");
    assert_string_equal(world.sessions.first->last_node->name, "two");
    close_world(&client);
}

static void nothing_runs_before_a_later_timeline_is_seen(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction\nroute = split", &client);
    world.timeline = 1;
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    set_token(&client, 2);
    assert_string_equal(ask(&client, "Q:select~1"), "");
    assert_int_equal(world.sessions.first->state, SESSION_HELD);
    world.timeline = 2;
    world_topology(&world, ROLE_REPLICA, ROLE_PRIMARY);
    assert_string_equal(client_listen(&world, &client), "C:OK Z:I");
    assert_string_equal(world.sessions.first->last_node->name, "two");
    close_world(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_lag_is_bytes_or_time_or_both),
        cmocka_unit_test(what_is_wrong_changes_nothing_and_is_told),
        cmocka_unit_test(a_token_comes_back_as_it_was_made_and_nothing_else_does),
        cmocka_unit_test(they_are_answered_without_a_server),
        cmocka_unit_test(a_set_happens_when_it_is_executed),
        cmocka_unit_test(a_rolled_back_set_is_undone),
        cmocka_unit_test(a_commit_that_is_only_parsed_keeps_nothing),
        cmocka_unit_test(set_local_ends_with_its_transaction),
        cmocka_unit_test(a_failed_transaction_refuses_them),
        cmocka_unit_test(a_wrong_one_fails_its_transaction_at_the_server),
        cmocka_unit_test(reset_all_gives_back_what_the_login_asked_for),
        cmocka_unit_test(a_primary_that_does_not_tell_its_position_gives_no_token),
        cmocka_unit_test(the_position_becomes_a_token),
        cmocka_unit_test(reads_wait_for_a_sample_that_is_later_than_the_token),
        cmocka_unit_test(nothing_runs_before_a_later_timeline_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
