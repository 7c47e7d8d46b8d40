/* Requests of clients, end to end but for the network: who hears what, what is carried from server to server,
 * and a client that goes in every waiting state. */
#include "tests/unit/session/world.h"

#include "proxy/session/census.h"

#include <stdio.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world world;

static void open_world(const char *listener, const char *more)
{
    world_open(&world, listener, more);
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
}

static void close_world(struct client *client)
{
    client_close(client);
    world_turns(&world, 5);
    assert_null(world.sessions.first);
    world_close(&world);
}

static struct session *only_session(void)
{
    assert_non_null(world.sessions.first);
    return world.sessions.first;
}

/* ---- plain traffic ---- */

static void a_login_is_greeted_with_the_nodes_parameters(void **state)
{
    (void)state;
    struct client client;
    char out[256];
    open_world("pool = transaction", "");
    client_open(&world, &client);
    client_send(&client, out, talk_startup("user=ann database=shop", out, sizeof out));
    assert_string_equal(client_listen(&world, &client),
        "R:0 S:server_version=15.0 S:in_hot_standby=off S:client_encoding=UTF8 K Z:I");
    close_world(&client);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct client client;
    char out[1024];
    open_world("pool = transaction", "");
    client_open(&world, &client);
    size_t len = talk_startup("user=ann database=shop", out, sizeof out);
    len += talk_frontend(
        "Q:select~1 P:=select~2 B: Dp: E: S P:a=select~3 Ds:a H S Q:select~4 X", out + len, sizeof out - len);
    for (size_t i = 0; i < len; i++) {
        client_send(&client, out + i, 1);
        world_turns(&world, 2);
    }
    world_turns(&world, 10);
    client_hear(&client);
    assert_string_equal(strstr(client.heard, "Z:I"), "Z:I C:OK Z:I 1 2 n C:SELECT~1 Z:I 1 t n Z:I C:OK Z:I");
    assert_true(client.closed);
    close_world(&client);
}

static void two_clients_share_one_server_in_transaction_pooling(void **state)
{
    (void)state;
    struct client one, two;
    open_world("pool = transaction", "");
    client_login(&world, &one);
    client_login(&world, &two);
    assert_string_equal(client_ask(&world, &one, "Q:select~1"), "C:OK Z:I");
    assert_string_equal(client_ask(&world, &two, "Q:select~2"), "C:OK Z:I");
    assert_int_equal(world.nodes[0].n_peers, 1);
    assert_string_equal(client_ask(&world, &one, "Q:begin Q:select~2"), "C:BEGIN Z:T C:OK Z:T");
    assert_string_equal(client_ask(&world, &two, "Q:select~3"), "C:OK Z:I");
    assert_int_equal(world.nodes[0].n_peers, 2);
    assert_string_equal(client_ask(&world, &one, "Q:rollback"), "C:OK Z:I");
    client_close(&one);
    close_world(&two);
}

#define APPLY "Q:SET~exit_on_error=on;SELECT~pg_catalog.set_config(E'"
#define DONE ";SET~exit_on_error=off"
#define RESET "Q:SET~exit_on_error=on;RESET~\"application_name\"" DONE

static void settings_follow_the_session(void **state)
{
    (void)state;
    struct client one, two;
    char out[256];
    open_world("pool = transaction", "");
    client_open(&world, &one);
    client_send(&one, out, talk_startup("user=ann database=shop application_name=app", out, sizeof out));
    client_listen(&world, &one);
    client_login(&world, &two);
    client_ask(&world, &one, "Q:select~1");
    client_ask(&world, &two, "Q:select~2");
    client_ask(&world, &one, "Q:select~3");
    assert_string_equal(world.nodes[0].peers[0].heard, APPLY
        "application_name',E'app',false)" DONE " " RESET " " APPLY "application_name',E'app',false)" DONE
        " Q:select~1 " RESET " Q:select~2 " APPLY "application_name',E'app',false)" DONE " Q:select~3");
    client_close(&one);
    close_world(&two);
}

static void standard_conforming_strings_of_the_login_is_known(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    world.nodes[0].login = "R:0 S:standard_conforming_strings=off K Z:I";
    client_login(&world, &client);
    assert_true(only_session()->escape_strings);
    close_world(&client);
}

/* ---- prepared statements ---- */

static void a_statement_is_prepared_where_it_is_needed(void **state)
{
    (void)state;
    struct client one, two;
    open_world("pool = transaction", "");
    client_login(&world, &one);
    client_login(&world, &two);
    assert_string_equal(client_ask(&world, &one, "P:a=select~1 S"), "1 Z:I");
    assert_string_equal(client_ask(&world, &one, "B:a E: S"), "2 C:SELECT~1 Z:I");
    assert_string_equal(
        client_ask(&world, &two, "Q:begin Q:select~2"), "C:BEGIN Z:T C:OK Z:T"); /* takes the first server */
    assert_string_equal(client_ask(&world, &one, "B:a E: S"), "2 C:SELECT~1 Z:I");
    assert_string_equal(world.nodes[0].peers[1].heard, "P:rc_1=select~1 B:rc_1 E S");
    assert_string_equal(client_ask(&world, &two, "P:other=select~1 S"), "1 Z:T"); /* shared, known there */
    assert_int_equal(fake_node_count(&world.nodes[0], "P:rc_1"), 2);
    client_close(&one);
    close_world(&two);
}

/* Else the next reads would wait for replicas, or stay away from them. */
static void what_is_about_the_session_alone_is_no_write(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        bool writes;
    } rows[] = {{"Q:set~work_mem=1", false}, {"Q:reset~work_mem", false}, {"Q:show~work_mem", false},
        {"Q:prepare~p~as~insert~into~t~values(1)", false}, {"Q:execute~p", true},
        {"P:e=execute~p B:e E: S", true}, {"Q:deallocate~p", false}, {"Q:execute~gone(f())", true},
        {"Q:set~work_mem=1;delete~from~t", true}, {"Q:declare~c~cursor~with~hold~for~select~f()", true},
        {"Q:load~x", true}};
    struct client client;
    open_world("pool = transaction\nroute = split", "");
    client_login(&world, &client);
    sessions_on_catalogue(&world.sessions, catalogue_new("main", "shop"));
    world.cluster_live->started = 20;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        only_session()->write_epoch = 7;
        client_ask(&world, &client, rows[i].words);
        if ((only_session()->write_epoch == 21) != rows[i].writes)
            fail_msg("%s: epoch %d", rows[i].words, (int)only_session()->write_epoch);
    }
    close_world(&client);
}

static void a_name_closed_and_parsed_again_in_one_batch_is_two_statements(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    assert_string_equal(client_ask(&world, &client, "P:a=select~1 B:a E: Cs:a P:a=select~2 B:a E: S"),
        "1 2 C:SELECT~1 3 1 2 C:SELECT~1 Z:I");
    assert_string_equal(world.nodes[0].peers[0].heard, "P:rc_1=select~1 B:rc_1 E P:rc_2=select~2 B:rc_2 E S");
    close_world(&client);
}

static void a_duplicate_name_fails_at_the_node(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    client_ask(&world, &client, "P:a=select~1 S");
    fake_node_script(&world.nodes[0], "3 1 E:42P05 Z:I"); /* behind one that does nothing */
    assert_string_equal(client_ask(&world, &client, "P:a=select~2 S"), "E:42P05 Z:I");
    assert_string_equal(client_ask(&world, &client, "B:a E: S"), "2 C:SELECT~1 Z:I");
    assert_int_equal(fake_node_count(&world.nodes[0], "P:rc_ffffffffffffffff=select~2"), 1);
    close_world(&client);
}

static void a_failed_parse_leaves_no_name(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    fake_node_script(&world.nodes[0], "E:42601 Z:I");
    assert_string_equal(client_ask(&world, &client, "P:a=selec B:a E: S"), "E:42601 Z:I");
    assert_int_equal(names_count(&only_session()->names), 0);
    assert_string_equal(client_ask(&world, &client, "P:a=select~1 B:a E: S"), "1 2 C:SELECT~1 Z:I");
    close_world(&client);
}

/* The hidden Close that makes room is skipped by the node when something before it fails. */
static void a_statement_whose_close_was_skipped_is_still_held(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "max_prepared_statements = 2");
    client_login(&world, &client);
    client_ask(&world, &client, "P:a=select~1 S");
    client_ask(&world, &client, "P:b=select~2 S");
    fake_node_drop(&world.nodes[0], 0);
    client_ask(&world, &client, "B:a E: S"); /* on a new server, which holds nothing else */
    only_session()->runtime->config->max_prepared_statements = 1; /* the server's bound, from now on */
    fake_node_script(&world.nodes[0], "E:42601 Z:I");
    client_ask(&world, &client, "P:=selec B:a E: B:b E: S");
    world.nodes[0].peers[1].heard[0] = 0;
    client_ask(&world, &client, "B:a E: S");
    assert_string_equal(world.nodes[0].peers[1].heard, "B:rc_1 E S"); /* it was never closed: 42P05 */
    close_world(&client);
}

/* ---- large requests ---- */

static void send_large_query(struct client *client, size_t len)
{
    char *text = malloc(len + 16);
    memcpy(text, "Q:", 2);
    memset(text + 2, 'x', len);
    text[2 + len] = 0;
    client_say(client, text);
    free(text);
}

static void a_large_query_is_passed_in_parts(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "request_buffer = 4kB");
    client_login(&world, &client);
    for (size_t len = 4000; len < 60000; len += 9000) {
        send_large_query(&client, len);
        assert_string_equal(client_listen(&world, &client), "C:OK Z:I");
    }
    close_world(&client);
}

/* No Sync follows a simple Query: the client waits for ReadyForQuery. */
static void a_large_query_that_waited_too_long_gets_ready_for_query(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "request_buffer = 4kB");
    client_login(&world, &client);
    client_ask(&world, &client, "Q:select~1");
    world_down(&world, 0);
    send_large_query(&client, 8000);
    client_listen(&world, &client);
    assert_int_equal(only_session()->state, SESSION_HELD);
    lost_fail_request(only_session(), SQLSTATE_CANNOT_CONNECT_NOW, NULL, 'I');
    assert_string_equal(client_listen(&world, &client), "E:57P03 Z:I");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    assert_string_equal(client_ask(&world, &client, "Q:select~2"), "C:OK Z:I");
    close_world(&client);
}

/* ---- streamed batches ---- */

static void a_flush_after_an_execute_is_answered_at_once(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    client_say(&client, "P:=select~1 B: E: H");
    client_listen(&world, &client);
    fake_node_say(&world.nodes[0], 0, "1 2 C:SELECT~1");
    world.nodes[0].peers[0].owed[0] = 0;
    assert_string_equal(client_listen(&world, &client), "1 2 C:SELECT~1");
    assert_string_equal(client_ask(&world, &client, "B: E: S"), "2 C:SELECT~1 Z:I");
    assert_int_equal(only_session()->state, SESSION_IDLE);
    close_world(&client);
}

static void a_flush_after_only_parse_and_describe_binds_nothing(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    assert_string_equal(client_ask(&world, &client, "P:a=select~1 Ds:a H"), "1 t n");
    assert_null(only_session()->claim.server);
    assert_string_equal(client_ask(&world, &client, "B:a E: S"), "2 C:SELECT~1 Z:I");
    close_world(&client);
}

static void what_pins_in_a_streamed_batch_pins(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    client_say(&client, "P:=select~1 B: E: H");
    client_listen(&world, &client);
    client_ask(&world, &client, "P:=listen~a B: E: S");
    assert_true(only_session()->pins & PIN_LISTEN);
    close_world(&client);
}

/* ---- COPY ---- */

static void copy_data_passes_and_ends(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    fake_node_script(&world.nodes[0], "G");
    assert_string_equal(client_ask(&world, &client, "Q:copy~t~from~stdin"), "G");
    assert_string_equal(client_ask(&world, &client, "d:1 d:2 c"), "C:COPY~1 Z:I");
    fake_node_script(&world.nodes[0], "G");
    assert_string_equal(client_ask(&world, &client, "Q:copy~t~from~stdin d:3 f:no"), "G E:57014 Z:I");
    assert_string_equal(client_ask(&world, &client, "d:late c Q:select~1"), "C:OK Z:I");
    close_world(&client);
}

static void an_error_in_the_middle_of_copy_ends_it(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    fake_node_script(&world.nodes[0], "G E:22P04 Z:I");
    assert_string_equal(
        client_ask(&world, &client, "Q:copy~t~from~stdin d:1 d:2 c Q:select~1"), "G E:22P04 Z:I C:OK Z:I");
    close_world(&client);
}

/* If the COPY has failed meanwhile, its answer would reach the session that gets the server next. */
static void a_query_inside_copy_never_reaches_the_node(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    fake_node_script(&world.nodes[0], "G");
    client_ask(&world, &client, "Q:copy~t~from~stdin");
    client_ask(&world, &client, "d:1 Q:select~'smuggled'");
    assert_int_equal(fake_node_count(&world.nodes[0], "smuggled"), 0);
    close_world(&client);
}

static void a_sync_inside_a_simple_copy_is_ignored(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    fake_node_script(&world.nodes[0], "G");
    client_ask(&world, &client, "Q:copy~t~from~stdin");
    fake_node_script(&world.nodes[0], ""); /* as PostgreSQL: nothing */
    fake_node_script(&world.nodes[0], "C:COPY~1 Z:I");
    assert_string_equal(client_ask(&world, &client, "d:1 S c"), "C:COPY~1 Z:I");
    assert_int_equal(only_session()->state, SESSION_IDLE);
    close_world(&client);
}

/* ---- messages of the node's own accord ---- */

static void notices_and_parameters_pass_at_any_time_of_a_request(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = session", "");
    client_login(&world, &client);
    fake_node_script(&world.nodes[0], "N:01000 S:TimeZone=UTC T D:1 A:channel C:SELECT~1 Z:I");
    assert_string_equal(
        client_ask(&world, &client, "Q:select~1"), "N:01000 S:TimeZone=UTC T D:1 A:channel C:SELECT~1 Z:I");
    close_world(&client);
}

/* A ParameterStatus of which one read holds all but the last three bytes. */
static void send_large_parameter(void)
{
    enum { TOTAL = REACTOR_READ_BUFFER + 3 };
    static char out[TOTAL];
    memset(out, 'v', sizeof out);
    memcpy(out, "S\0\1\0\2large", 11);
    out[TOTAL - 1] = 0;
    fake_node_send(&world.nodes[0], 0, out, sizeof out);
}

/* Its last part has no header to look behind. */
static void a_parameter_larger_than_a_buffer_is_only_passed_on(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = session", "");
    client_login(&world, &client);
    fake_node_script(&world.nodes[0], "T");
    client_ask(&world, &client, "Q:select~1");
    send_large_parameter();
    client_listen(&world, &client);
    fake_node_say(&world.nodes[0], 0, "C:SELECT~1 Z:I");
    assert_non_null(strstr(client_listen(&world, &client), "C:SELECT~1 Z:I"));
    close_world(&client);
}

/* Found by fuzz_session: more bytes were used up than there are, and the rest had a negative length. */
static void a_sync_that_claims_a_body_is_fatal(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    client_login(&world, &client);
    fake_node_script(&world.nodes[0], "E:42601 Z:I");
    assert_string_equal(client_ask(&world, &client, "P:a=selec Ds:a H"), "E:42601");
    client_send(&client, "S\0\0", 3); /* in two pieces, so that the stream keeps bytes */
    client_listen(&world, &client);
    client_send(&client, "\0\x64", 2); /* says 96 more bytes */
    assert_string_equal(client_listen(&world, &client), "F:08P01");
    close_world(&client);
}

/* ---- a client that goes ---- */

enum stage {
    AT_STARTUP,
    AT_HELD_LOGIN,
    AT_WAITING_LOGIN,
    AT_IDLE,
    AT_COLLECTING,
    AT_HELD,
    AT_WAITING,
    AT_ACTIVE,
    AT_STREAMING,
    AT_COPY_IN,
    AT_BEGUN, /* no server has heard of it */
    AT_TRANSACTION,
    STAGES
};

static const enum session_state stage_states[] = {[AT_STARTUP] = SESSION_STARTUP,
    [AT_HELD_LOGIN] = SESSION_HELD,
    [AT_WAITING_LOGIN] = SESSION_WAITING,
    [AT_IDLE] = SESSION_IDLE,
    [AT_COLLECTING] = SESSION_IDLE,
    [AT_HELD] = SESSION_HELD,
    [AT_WAITING] = SESSION_WAITING,
    [AT_ACTIVE] = SESSION_ACTIVE,
    [AT_STREAMING] = SESSION_STREAMING,
    [AT_COPY_IN] = SESSION_COPY_IN,
    [AT_BEGUN] = SESSION_IDLE,
    [AT_TRANSACTION] = SESSION_IDLE};

static void start_login(struct client *client)
{
    char out[256];
    client_open(&world, client);
    client_send(client, out, talk_startup("user=ann database=shop", out, sizeof out));
    client_listen(&world, client);
}

/* Brings a client there. */
static void reach(enum stage stage, struct client *client)
{
    struct fake_node *node = &world.nodes[0];
    if (stage == AT_STARTUP) {
        client_open(&world, client);
        client_send(client, "\0\0", 2);
    } else if (stage == AT_HELD_LOGIN) {
        world_down(&world, 0);
        start_login(client);
    } else if (stage == AT_WAITING_LOGIN) {
        node->login = "";
        start_login(client);
    } else {
        client_login(&world, client);
    }
    if (stage == AT_COLLECTING)
        client_say(client, "P:a=select~1 B:a");
    if (stage == AT_HELD) {
        world_down(&world, 0);
        client_say(client, "Q:select~1");
    }
    if (stage == AT_WAITING) {
        node->login = "";
        fake_node_drop(node, 0);
        world_turns(&world, 3);
        client_say(client, "Q:select~1");
    }
    if (stage == AT_ACTIVE || stage == AT_COPY_IN) {
        fake_node_script(node, stage == AT_ACTIVE ? "" : "G");
        client_say(client, "Q:copy~t~from~stdin");
    }
    if (stage == AT_STREAMING)
        client_say(client, "P:=select~1 B: E: H");
    if (stage == AT_BEGUN || stage == AT_TRANSACTION)
        client_say(client, stage == AT_BEGUN ? "Q:begin" : "Q:begin Q:select~1");
    client_listen(&world, client);
}

static void assert_nothing_left(enum stage stage, const char *who)
{
    if (world.sessions.first || world.sessions.held.n || world.clients)
        fail_msg("stage %d, %s: a session is left", (int)stage, who);
    if (census_count(CENSUS_USER, "ann"))
        fail_msg("stage %d, %s: a client is still counted", (int)stage, who);
}

static void a_client_may_go_in_every_state(void **state)
{
    (void)state;
    for (enum stage stage = 0; stage < STAGES; stage++) {
        struct client client;
        open_world("pool = transaction", "");
        reach(stage, &client);
        assert_int_equal(only_session()->state, stage_states[stage]);
        client_close(&client);
        world_turns(&world, 10);
        assert_nothing_left(stage, "client closed");
        world_close(&world);
    }
}

static void a_worker_may_end_in_every_state(void **state)
{
    (void)state;
    for (enum stage stage = 0; stage < STAGES; stage++) {
        struct client client;
        open_world("pool = transaction", "");
        reach(stage, &client);
        world_close(&world);
        client_close(&client);
    }
}

static void the_node_may_go_in_every_state(void **state)
{
    (void)state;
    for (enum stage stage = 0; stage < STAGES; stage++) {
        struct client client;
        open_world("pool = transaction", "");
        reach(stage, &client);
        for (int i = 0; i < world.nodes[0].n_peers; i++)
            fake_node_drop(&world.nodes[0], i);
        client_listen(&world, &client);
        world_down(&world, 0);
        client_listen(&world, &client);
        sessions_tick(&world.sessions);
        client_close(&client);
        world_turns(&world, 10);
        assert_nothing_left(stage, "node gone");
        world_close(&world);
    }
}

static void a_client_that_goes_leaves_no_exchange_outstanding(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", "");
    reach(AT_ACTIVE, &client);
    assert_int_equal(world.live[0]->outstanding, 1);
    client_close(&client);
    world_turns(&world, 5);
    assert_int_equal(world.live[0]->outstanding, 0);
    world_close(&world);
}

static void a_login_whose_server_goes_leaves_no_exchange_outstanding(void **state)
{
    (void)state;
    struct client client;
    char out[256];
    open_world("pool = transaction", "");
    client_login(&world, &client);
    client_close(&client);
    world_turns(&world, 3);
    world.nodes[0].peers[0].silent = true;
    client_open(&world, &client);
    client_send(&client, out, talk_startup("user=ann database=shop application_name=other", out, sizeof out));
    client_listen(&world, &client);
    assert_int_equal(only_session()->state, SESSION_ACTIVE);
    fake_node_drop(&world.nodes[0], 0);
    client_listen(&world, &client);
    assert_int_equal(world.live[0]->outstanding, 0);
    close_world(&client);
}

/* ---- what is not protocol ---- */

static void nonsense_is_fatal(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"?\0\0\0\4", 5},
        {"Q\0\0\0\3", 5},
        {"Q\x7f\xff\xff\xff", 5},
        {"Q\0\0\0\5x", 6},
        {"p\0\0\0\5\0", 6},
        {"P\0\0\0\5\0", 6},
        {"B\0\0\0\5\0", 6},
        {"C\0\0\0\6x\0", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client client;
        open_world("pool = transaction", "");
        client_login(&world, &client);
        client_send(&client, cases[i].bytes, cases[i].len);
        assert_string_equal(client_listen(&world, &client), "F:08P01");
        assert_true(client.closed);
        close_world(&client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_is_greeted_with_the_nodes_parameters),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(two_clients_share_one_server_in_transaction_pooling),
        cmocka_unit_test(settings_follow_the_session),
        cmocka_unit_test(standard_conforming_strings_of_the_login_is_known),
        cmocka_unit_test(a_statement_is_prepared_where_it_is_needed),
        cmocka_unit_test(what_is_about_the_session_alone_is_no_write),
        cmocka_unit_test(a_name_closed_and_parsed_again_in_one_batch_is_two_statements),
        cmocka_unit_test(a_duplicate_name_fails_at_the_node),
        cmocka_unit_test(a_failed_parse_leaves_no_name),
        cmocka_unit_test(a_statement_whose_close_was_skipped_is_still_held),
        cmocka_unit_test(a_large_query_is_passed_in_parts),
        cmocka_unit_test(a_large_query_that_waited_too_long_gets_ready_for_query),
        cmocka_unit_test(a_flush_after_an_execute_is_answered_at_once),
        cmocka_unit_test(a_flush_after_only_parse_and_describe_binds_nothing),
        cmocka_unit_test(what_pins_in_a_streamed_batch_pins),
        cmocka_unit_test(copy_data_passes_and_ends),
        cmocka_unit_test(an_error_in_the_middle_of_copy_ends_it),
        cmocka_unit_test(a_query_inside_copy_never_reaches_the_node),
        cmocka_unit_test(a_sync_inside_a_simple_copy_is_ignored),
        cmocka_unit_test(notices_and_parameters_pass_at_any_time_of_a_request),
        cmocka_unit_test(a_parameter_larger_than_a_buffer_is_only_passed_on),
        cmocka_unit_test(a_sync_that_claims_a_body_is_fatal),
        cmocka_unit_test(a_client_may_go_in_every_state),
        cmocka_unit_test(a_worker_may_end_in_every_state),
        cmocka_unit_test(the_node_may_go_in_every_state),
        cmocka_unit_test(a_client_that_goes_leaves_no_exchange_outstanding),
        cmocka_unit_test(a_login_whose_server_goes_leaves_no_exchange_outstanding),
        cmocka_unit_test(nonsense_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
