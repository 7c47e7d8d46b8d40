/* Transactions that begin without a server: what is answered at once, where the first statement goes, and
 * what is begun again elsewhere. */
#include "proxy/session/begin.h"
#include "tests/unit/session/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static struct world world;

#define BEGIN_RO "P:=BEGIN~READ~ONLY B: E"

/* Nothing that was said before counts. */
static void forget(void)
{
    for (int i = 0; i < WORLD_NODES; i++)
        for (int peer = 0; peer < world.nodes[i].n_peers; peer++)
            world.nodes[i].peers[peer].heard[0] = 0;
}

static void open_world(const char *listener, struct client *client)
{
    world_open(&world, listener, "");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    if (strstr(listener, "split"))
        fake_node_script(&world.nodes[0], "D:read~committed C:SELECT~1 Z:I");
    client_login(&world, client);
    sessions_on_catalogue(&world.sessions, catalogue_new("main", "shop"));
    forget();
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

static struct session *session(void)
{
    return world.sessions.first;
}

#define SPLIT "pool = transaction\nroute = split"

/* ---- without a server ---- */

static void begin_takes_no_server(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    assert_string_equal(ask(&client, "Q:begin"), "C:BEGIN Z:T");
    assert_int_equal(session()->tx_status, 'T');
    assert_null(session()->claim.server);
    assert_string_equal(ask(&client, "Q:commit"), "C:COMMIT Z:I");
    assert_string_equal(ask(&client, "Q:start~transaction~read~only"), "C:START~TRANSACTION Z:T");
    assert_string_equal(ask(&client, "Q:set~transaction~isolation~level~serializable"), "C:SET Z:T");
    assert_string_equal(ask(&client, "S"), "Z:T");
    assert_string_equal(ask(&client, "P:=rollback B: Dp: E: S"), "1 2 n C:ROLLBACK Z:I");
    assert_string_equal(ask(&client, "P:b=begin S"), "1 Z:I"); /* prepared, not executed: the server's */
    assert_string_equal(ask(&client, "B:b E: S"), "2 C:BEGIN Z:T");
    assert_string_equal(ask(&client, "Q:end"), "C:COMMIT Z:I");
    assert_int_equal(fake_node_count(&world.nodes[0], "Q:"), 0);
    assert_int_equal(fake_node_count(&world.nodes[0], "E:"), 0);
    assert_int_equal(fake_node_count(&world.nodes[1], "S"), 0);
    close_world(&client);
}

static void the_first_statement_brings_the_begin_with_it(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "Q:begin~isolation~level~repeatable~read");
    assert_string_equal(ask(&client, "Q:insert~into~t~values(1)"), "C:OK Z:T");
    assert_string_equal(ask(&client, "P:a=select~1 B:a E: S"), "1 2 C:SELECT~1 Z:T");
    assert_string_equal(ask(&client, "Q:commit"), "C:OK Z:I");
    assert_string_equal(world.nodes[0].peers[0].heard,
        "P:=BEGIN~ISOLATION~LEVEL~REPEATABLE~READ B: E Q:insert~into~t~values(1) P:rc_1=select~1 B:rc_1 E S "
        "Q:commit");
    close_world(&client);
}

static void a_batch_brings_it_too(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "P:=select~7 S"); /* the unnamed statement, which the BEGIN takes the place of */
    forget();
    ask(&client, "Q:begin");
    ask(&client, "P:=select~8 S");
    assert_string_equal(ask(&client, "B: E: S"), "2 C:SELECT~1 Z:T");
    assert_string_equal(world.nodes[0].peers[0].heard, "P:=BEGIN B: E P:=select~8 S B: E S");
    close_world(&client);
}

static void execute_of_what_the_protocol_prepared_is_inside(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "P:a=select~1 S");
    ask(&client, "Q:begin");
    forget();
    assert_string_equal(ask(&client, "Q:execute~a"), "C:OK Z:T");
    assert_string_equal(world.nodes[0].peers[0].heard, "P:=BEGIN B: E Q:execute~rc_1");
    close_world(&client);
}

static void settings_go_ahead_of_the_begin(void **state)
{
    (void)state;
    struct client client;
    char out[256];
    world_open(&world, "pool = transaction", "");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    client_open(&world, &client);
    client_send(&client, out, talk_startup("user=ann database=shop application_name=app", out, sizeof out));
    client_listen(&world, &client);
    fake_node_drop(&world.nodes[0], 0);
    world_turns(&world, 5);
    ask(&client, "Q:begin");
    ask(&client, "Q:select~1");
    const char *heard = world.nodes[0].peers[1].heard;
    const char *set = strstr(heard, "application_name"), *begin = strstr(heard, "P:=BEGIN");
    assert_true(set && begin && set < begin);
    close_world(&client);
}

static void what_is_not_understood_is_sent_at_once(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    fake_node_script(&world.nodes[0], "E:42601 Z:I");
    assert_string_equal(ask(&client, "Q:begin~nonsense"), "E:42601 Z:I");
    assert_string_equal(ask(&client, "Q:begin"), "C:BEGIN Z:T");
    assert_string_equal(ask(&client, "Q:begin"), "C:OK Z:T"); /* PostgreSQL warns of it */
    assert_string_equal(ask(&client, "Q:rollback"), "C:OK Z:I");
    close_world(&client);
}

static void a_statement_pool_and_a_pinned_session_have_theirs_sent(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = statement", &client);
    assert_string_equal(ask(&client, "Q:begin"), "C:OK Z:T F:08P01");
    close_world(&client);
    open_world("pool = transaction", &client);
    ask(&client, "Q:listen~a");
    assert_string_equal(ask(&client, "Q:begin"), "C:OK Z:T");
    assert_int_equal(fake_node_count(&world.nodes[0], "Q:begin"), 1);
    close_world(&client);
}

static void a_primary_that_goes_before_the_first_statement_is_not_missed(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "Q:begin");
    world_topology(&world, ROLE_REPLICA, ROLE_PRIMARY);
    fake_node_drop(&world.nodes[0], 0);
    assert_string_equal(ask(&client, "Q:select~1"), "C:OK Z:T");
    assert_int_equal(fake_node_count(&world.nodes[1], "P:=BEGIN B: E Q:select~1"), 1);
    close_world(&client);
}

static void a_transaction_that_finds_no_node_has_failed(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "Q:begin");
    world_down(&world, 0);
    assert_string_equal(ask(&client, "Q:insert~into~t~values(1)"), "");
    assert_int_equal(session()->state, SESSION_HELD);
    lost_fail_request(session(), SQLSTATE_CANNOT_CONNECT_NOW, NULL, session()->tx_status);
    assert_string_equal(client_listen(&world, &client), "E:57P03 Z:E");
    assert_string_equal(ask(&client, "Q:select~1"), "E:25P02 Z:E");
    assert_string_equal(ask(&client, "Q:commit"), "C:ROLLBACK Z:I");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    assert_string_equal(ask(&client, "Q:select~1"), "C:OK Z:I");
    close_world(&client);
}

/* A primary too: what was open there is rolled back for certain, and the client knows nothing of it. */
static void a_primary_that_goes_under_the_first_statement_is_not_missed(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "Q:begin");
    fake_node_script(&world.nodes[0], "EOF");
    assert_string_equal(ask(&client, "Q:insert~into~t~values(1)"), "");
    assert_int_equal(session()->state, SESSION_HELD);
    world_topology(&world, ROLE_REPLICA, ROLE_PRIMARY);
    assert_string_equal(client_listen(&world, &client), "C:OK Z:T");
    assert_int_equal(fake_node_count(&world.nodes[1], "P:=BEGIN B: E Q:insert~into~t~values(1)"), 1);
    close_world(&client);
}

/* Several statements in a string may have been committed. */
static void one_that_holds_its_commit_is_not_run_again(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = transaction", &client);
    ask(&client, "Q:begin");
    fake_node_script(&world.nodes[0], "EOF");
    assert_string_equal(ask(&client, "Q:insert~into~t~values(1);commit"), "E:08007 Z:I");
    assert_string_equal(ask(&client, "Q:begin"), "C:BEGIN Z:T");
    close_world(&client);
}

/* ---- the BEGIN itself fails ---- */

static void a_begin_that_fails_takes_its_statement_with_it(void **state)
{
    (void)state;
    static const char *const requests[] = {"Q:insert~into~t~values(1)", "P:=insert~into~t~values(1) B: E: S"};
    static const char *const scripts[] = {"E:57014 SKIP", "E:57014 Z:I"};
    for (int i = 0; i < 2; i++) {
        struct client client;
        open_world("pool = transaction", &client);
        ask(&client, "Q:begin");
        fake_node_script(&world.nodes[0], scripts[i]);
        if (i == 1) /* the node's own answers count a BEGIN; this one it has not run */
            world.nodes[0].peers[0].status = 'I';
        assert_string_equal(ask(&client, requests[i]), "E:57014 Z:E");
        assert_null(session()->claim.server);
        assert_string_equal(ask(&client, "Q:select~1"), "E:25P02 Z:E");
        assert_string_equal(ask(&client, "Q:rollback"), "C:ROLLBACK Z:I");
        world.nodes[0].peers[0].status = 'I';
        assert_string_equal(ask(&client, "Q:select~2"), "C:OK Z:I");
        assert_int_equal(world.nodes[0].n_peers, 1); /* the connection is as good as before */
        close_world(&client);
    }
}

/* ---- READ ONLY transactions ---- */

static const char *place(struct client *client, const char *first, const char *second)
{
    static char where[64];
    forget();
    if (second)
        ask(client, first);
    ask(client, second ? second : first);
    snprintf(where, sizeof where, "%s%s", fake_node_count(&world.nodes[0], "BEGIN") ? "primary" : "",
        fake_node_count(&world.nodes[1], "BEGIN") ? "replica" : "");
    ask(client, "Q:rollback");
    return where;
}

static void the_first_statement_decides_where_it_runs(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *first, *where;
    } rows[] = {
        {"Q:begin", "Q:select~1", "primary"},
        {"Q:begin~read~only", "Q:select~1", "replica"},
        {"Q:begin~read~only", "P:=select~1 B: E: S", "replica"},
        {"Q:begin Q:set~transaction~read~only", "Q:select~1", "replica"},
        {"Q:begin~read~only Q:set~transaction~read~write", "Q:select~1", "primary"},
        {"Q:begin~isolation~level~read~committed~read~only", "Q:select~1", "replica"},
        {"Q:begin~isolation~level~repeatable~read~read~only", "Q:select~1", "primary"},
        {"Q:begin~isolation~level~serializable,read~only,deferrable", "Q:select~1", "primary"},
        {"Q:begin~read~only", "Q:savepoint~a", "replica"},
        {"Q:begin~read~only", "Q:set~local~statement_timeout=1000", "replica"},
        {"Q:begin~read~only", "Q:set~local~transaction_isolation='serializable'", "primary"},
        {"Q:begin~read~only", "Q:set~transaction~snapshot~'1'", "primary"},
        {"Q:begin~read~only", "Q:select~pg_export_snapshot()", "primary"},
        {"Q:begin~read~only", "Q:select~pg_backend_pid()", "primary"},
        {"Q:begin~read~only", "Q:select~1~for~update", "primary"},
        {"Q:begin~read~only", "Q:insert~into~t~values(1)", "primary"},
        {"Q:begin~read~only", "Q:show~server_version", "primary"},
        {"Q:begin~read~only Q:set~rolecall.route=primary", "Q:select~1", "primary"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client client;
        open_world(SPLIT, &client);
        if (strcmp(place(&client, rows[i].begin, rows[i].first), rows[i].where) != 0)
            fail_msg("%s, %s: not on the %s", rows[i].begin, rows[i].first, rows[i].where);
        close_world(&client);
    }
}

static void strong_and_unknown_isolation_stay_on_the_primary(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    world.live[1]->replayed_epoch = 100;
    ask(&client, "Q:set~rolecall.consistency=strong");
    assert_string_equal(place(&client, "Q:begin~read~only", "Q:select~1"), "primary");
    ask(&client, "Q:reset~rolecall.consistency");
    assert_string_equal(place(&client, "Q:begin~read~only", "Q:select~1"), "replica");
    session()->default_isolation = DEFAULT_ISOLATION_ABOVE;
    assert_string_equal(place(&client, "Q:begin~read~only", "Q:select~1"), "primary");
    session()->default_isolation = DEFAULT_ISOLATION_UNKNOWN;
    assert_string_equal(place(&client, "Q:begin~read~only", "Q:select~1"), "primary");
    close_world(&client);
}

static void a_replicas_error_to_the_first_statement_is_not_final(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    fake_node_script(&world.nodes[1], "E:40001 Z:E");
    assert_string_equal(ask(&client, "Q:select~1"), "C:OK Z:T");
    assert_int_equal(fake_node_count(&world.nodes[0], BEGIN_RO " Q:select~1"), 1);
    assert_int_equal(fake_node_count(&world.nodes[1], "Q:ROLLBACK"), 1); /* nobody gets it as it was */
    assert_string_equal(ask(&client, "Q:commit"), "C:OK Z:I");
    close_world(&client);
}

static void a_later_error_is_the_replicas(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    assert_string_equal(ask(&client, "Q:select~1"), "C:OK Z:T");
    fake_node_script(&world.nodes[1], "E:40001 Z:E");
    assert_string_equal(ask(&client, "Q:select~2"), "E:40001 Z:E");
    close_world(&client);
}

static void a_replica_that_goes_under_the_first_statement_is_not_missed(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    fake_node_script(&world.nodes[1], "EOF");
    assert_string_equal(ask(&client, "Q:select~1"), "C:OK Z:T");
    assert_int_equal(fake_node_count(&world.nodes[0], BEGIN_RO " Q:select~1"), 1);
    assert_string_equal(ask(&client, "Q:commit"), "C:OK Z:I");
    close_world(&client);
}

static void one_that_goes_later_has_lost_the_transaction(void **state)
{
    (void)state;
    static const char *const scripts[] = {"T D:1 EOF", "EOF"};
    static const char *const expected[] = {"T D:1 E:40001 Z:E", "E:40001 Z:E"};
    for (int i = 0; i < 2; i++) {
        struct client client;
        open_world(SPLIT, &client);
        ask(&client, "Q:begin~read~only");
        if (i == 1)
            ask(&client, "Q:select~0");
        fake_node_script(&world.nodes[1], scripts[i]);
        assert_string_equal(ask(&client, "Q:select~1"), expected[i]);
        assert_string_equal(ask(&client, "Q:rollback"), "C:ROLLBACK Z:I");
        close_world(&client);
    }
}

#define MOVED BEGIN_RO " P:=SELECT~1 B: E"

/* As JDBC sends it. */
static void a_begin_read_only_ahead_of_its_batch_may_go_to_a_replica(void **state)
{
    (void)state;
    static const struct {
        const char *batch, *answer;
    } cases[] = {
        {"P:=begin~read~only B: E: P:=select~1 B: E: S", "1 2 C:BEGIN 1 2 C:SELECT~1 Z:T"},
        {"P:=start~transaction~read~only B: E: B:s E: S", "1 2 C:START~TRANSACTION 2 C:SELECT~1 Z:T"},
        {"B:b Dp: E: B:s E: S", "2 n C:BEGIN 2 C:SELECT~1 Z:T"},
        {"P:=begin~read~only B: E: H B:s E: S", "1 2 C:BEGIN 2 C:SELECT~1 Z:T"},
        {"P:=begin~read~only B: E: H Q:select~1", "1 2 C:BEGIN C:OK Z:T"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client client;
        open_world(SPLIT, &client);
        ask(&client, "P:s=select~1 P:b=begin~read~only S");
        session()->write_epoch = session()->seen_epoch = 0;
        forget();
        assert_string_equal(ask(&client, cases[i].batch), cases[i].answer);
        assert_int_equal(fake_node_count(&world.nodes[1], BEGIN_RO), 1);
        assert_int_equal(fake_node_count(&world.nodes[0], "BEGIN"), 0);
        assert_string_equal(ask(&client, "Q:show~port"), "C:OK Z:T");
        assert_int_equal(fake_node_count(&world.nodes[0], MOVED " Q:show~port"), 1);
        close_world(&client);
    }
}

static void other_batches_with_begin_are_the_primarys_as_they_are(void **state)
{
    (void)state;
    static const char *const batches[] = {
        "P:=begin B: E: P:=select~1 B: E: S",
        "P:=begin~read~only B: E: E: P:=select~1 B: E: S",
        "P:=begin~read~only B: Dp: P:=select~1 B: E: S",
        "P:=begin~read~only;select~1 B: E: P:=select~1 B: E: S",
        "P:=select~1 B: E: P:=begin~read~only B: E: P:=select~1 B: E: S",
    };
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        struct client client;
        open_world(SPLIT, &client);
        ask(&client, batches[i]);
        assert_int_equal(fake_node_count(&world.nodes[0], "begin"), 1);
        assert_int_equal(fake_node_count(&world.nodes[1], "P:"), 0);
        close_world(&client);
    }
}

/* The client has heard of its BEGIN, and nothing else is lost. */
static void what_is_behind_a_begin_of_its_batch_fails_alone(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    fake_node_script(&world.nodes[0], "1 2 C:BEGIN 1 E:22012 Z:E");
    assert_string_equal(ask(&client, "P:=begin~read~only B: E: P:=insert~into~t~values(1/0) B: E: S"),
        "1 2 C:BEGIN 1 E:22012 Z:E");
    ask(&client, "Q:rollback");
    assert_string_equal(ask(&client, "P:=begin~read~only B: E: P:=select~1 B: E:"), "1 2 C:BEGIN");
    client_close(&client);
    world_turns(&world, 20);
    assert_int_equal(fake_node_count(&world.nodes[1], "P:="), 0);
    world_close(&world);
}

static void what_belongs_to_the_primary_takes_the_transaction_there(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    ask(&client, "Q:set~local~work_mem=1");
    ask(&client, "Q:select~1");
    ask(&client, "P:=savepoint~a B: E: S");
    ask(&client, "P:c=commit S"); /* is only parsed */
    fake_node_script(&world.nodes[1], "E:22012 Z:E");
    ask(&client, "Q:select~1/0");
    ask(&client, "Q:rollback~to~a");
    assert_int_equal(fake_node_count(&world.nodes[0], "Q:"), 0);
    forget();
    assert_string_equal(ask(&client, "Q:show~port"), "C:OK Z:T");
    assert_non_null(strstr(world.nodes[0].peers[0].heard,
        MOVED " P:=set~local~work_mem=1 B: E P:=savepoint~a B: E P:=rollback~to~a B: E Q:show~port"));
    assert_non_null(strstr(world.nodes[1].peers[0].heard, "Q:ROLLBACK"));
    forget();
    ask(&client, "Q:select~2");
    ask(&client, "P:=commit B: E: S");
    assert_non_null(strstr(world.nodes[0].peers[0].heard, "Q:select~2 P:=commit B: E S"));
    assert_int_equal(session()->transfer_said.len, 0);
    close_world(&client);
}

/* Done again as the client has said it, it would be there under a name that other sessions may run into. */
static void a_prepare_takes_the_transaction_to_the_primary(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    ask(&client, "Q:select~1");
    assert_string_equal(ask(&client, "Q:prepare~a~as~select~2"), "C:OK Z:T");
    assert_int_equal(fake_node_count(&world.nodes[0], MOVED " Q:prepare~rc_1~as~select~2"), 1);
    assert_int_equal(fake_node_count(&world.nodes[1], "prepare"), 0);
    ask(&client, "Q:show~port");
    assert_int_equal(fake_node_count(&world.nodes[0], "prepare~a"), 0);
    close_world(&client);
}

/* SET TRANSACTION comes before any query there, as it did here. */
static void a_transaction_that_has_not_read_moves_as_it_is(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    ask(&client, "Q:set~local~x.y=1");
    forget();
    ask(&client, "Q:set~transaction~isolation~level~serializable");
    assert_int_equal(fake_node_count(&world.nodes[0],
                         BEGIN_RO " P:=set~local~x.y=1 B: E Q:set~transaction~isolation~level~serializable"),
        1);
    close_world(&client);
}

static void a_commit_that_is_only_parsed_keeps_what_is_done_again(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    ask(&client, "Q:set~local~x.y=1");
    assert_string_equal(ask(&client, "P:=commit S"), "1 Z:T");
    forget();
    ask(&client, "Q:show~port");
    assert_int_equal(fake_node_count(&world.nodes[0], " P:=set~local~x.y=1 B: E Q:show~port"), 1);
    close_world(&client);
}

/* Nothing of a string is run in a failed transaction. */
static void a_commit_in_a_string_that_has_failed_keeps_it_too(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    ask(&client, "Q:savepoint~y");
    fake_node_script(&world.nodes[1], "E:22012 Z:E");
    assert_string_equal(ask(&client, "Q:select~1/0"), "E:22012 Z:E");
    fake_node_script(&world.nodes[1], "E:25P02 Z:E");
    assert_string_equal(ask(&client, "Q:select~1;commit"), "E:25P02 Z:E");
    ask(&client, "Q:rollback~to~y");
    forget();
    ask(&client, "Q:show~port");
    assert_int_equal(
        fake_node_count(&world.nodes[0], " P:=savepoint~y B: E P:=rollback~to~y B: E Q:show~port"), 1);
    close_world(&client);
}

static void read_write_is_the_primarys(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    ask(&client, "Cs:s S");
    forget();
    ask(&client, "Q:set~transaction~read~write");
    assert_int_equal(fake_node_count(&world.nodes[0], BEGIN_RO " Q:set~transaction~read~write"), 1);
    close_world(&client);
}

static void a_lock_is_the_primarys_and_pins(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    ask(&client, "Q:select~1");
    assert_string_equal(ask(&client, "P:=select~pg_advisory_lock(1) B: E: S"), "1 2 C:SELECT~1 Z:T");
    assert_int_equal(fake_node_count(&world.nodes[0], MOVED " P:=select~pg_advisory_lock(1)"), 1);
    assert_int_equal(fake_node_count(&world.nodes[1], "advisory"), 0);
    close_world(&client);
}

/* The Query behind it is skipped, and the node must be told where that ends. */
static void what_is_done_again_may_fail(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    ask(&client, "Q:set~local~x.y=1");
    ask(&client, "Q:select~1");
    fake_node_script(&world.nodes[0], "1 2 C:BEGIN 1 2 C:SELECT~1 1 2 E:42602 SKIP");
    assert_string_equal(ask(&client, "Q:show~port"), "E:42602 Z:I"); /* a node would say Z:E */
    assert_int_equal(fake_node_count(&world.nodes[0], "Q:show~port S"), 1);
    close_world(&client);
}

static void the_primary_may_go_under_the_statement_that_moved_it(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin~read~only");
    ask(&client, "Q:select~1");
    fake_node_script(&world.nodes[0], "EOF");
    assert_string_equal(ask(&client, "Q:show~port"), "");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA); /* held until then */
    assert_string_equal(client_listen(&world, &client), "C:OK Z:T");
    assert_int_equal(fake_node_count(&world.nodes[0], MOVED " Q:show~port"), 2);
    close_world(&client);
}

static void a_transaction_with_too_much_to_do_again_moves_before(void **state)
{
    (void)state;
    struct client client;
    char words[250], value[200];
    open_world(SPLIT, &client);
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    snprintf(words, sizeof words, "Q:set~local~x.y='%s'", value);
    ask(&client, "Q:begin~read~only");
    ask(&client, "Q:select~1");
    for (int i = 0; i < 4; i++)
        ask(&client, words);
    assert_int_equal(fake_node_count(&world.nodes[0], "Q:"), 0);
    ask(&client, words);
    assert_int_equal(fake_node_count(&world.nodes[0], MOVED), 1);
    assert_int_equal(fake_node_count(&world.nodes[0], "P:=set~local"), 4);
    assert_int_equal(fake_node_count(&world.nodes[0], "Q:set~local"), 1);
    close_world(&client);
}

static void read_a_part(struct client *client)
{
    open_world(SPLIT, client);
    ask(client, "Q:begin~read~only");
    fake_node_script(&world.nodes[1], "1 2 C:BEGIN 1 2 D:1 s Z:T");
    assert_string_equal(ask(client, "P:=select~1 B: E: S"), "1 2 D:1 s Z:T");
}

/* With a portal open it must stay: then it would be a lock on the wrong node, without a word. */
static void what_would_be_left_on_a_replica_is_refused(void **state)
{
    (void)state;
    static const char *const resuming[] = {
        "E: P:=select~pg_advisory_lock(1) B: E: S", "Dp: P:=select~pg_advisory_lock(1) B: E: S"};
    for (size_t i = 0; i < sizeof resuming / sizeof *resuming; i++) {
        struct client client;
        read_a_part(&client);
        ask(&client, "P:a=select~1 S");
        fake_node_script(&world.nodes[1], "E:22012 Z:E");
        assert_non_null(strstr(ask(&client, resuming[i]), "E:25006 Z:E"));
        assert_int_equal(fake_node_count(&world.nodes[1], "advisory"), 0);
        assert_int_equal(session()->pins, 0);
        close_world(&client);
    }
}

/* A Query and a Bind without a name end it, so that it keeps nothing. */
static void a_portal_without_a_name_lasts_until_the_next(void **state)
{
    (void)state;
    static const char *const replacing[] = {
        "Q:select~pg_advisory_lock(1)", "P:=select~pg_advisory_lock(1) B: Dp: E: E: S"};
    for (size_t i = 0; i < sizeof replacing / sizeof *replacing; i++) {
        struct client client;
        read_a_part(&client);
        ask(&client, replacing[i]);
        assert_int_equal(fake_node_count(&world.nodes[1], "advisory"), 0);
        assert_int_equal(fake_node_count(&world.nodes[0], MOVED), 1);
        close_world(&client);
        read_a_part(&client);
        ask(&client, "Q:select~2");
        ask(&client, "P:a=select~pg_advisory_lock(1) S"); /* keeps no portal, and is only parsed */
        assert_int_equal(fake_node_count(&world.nodes[0], MOVED), 1);
        close_world(&client);
    }
}

/* Else a session that reads in transactions would keep itself on the primary. */
static void reading_on_the_primary_is_no_write(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    session()->write_epoch = 7;
    ask(&client, "Q:begin~read~only");
    ask(&client, "Q:select~1"); /* the replica has not replayed it */
    assert_int_equal(fake_node_count(&world.nodes[0], BEGIN_RO), 1);
    world.cluster_live->started = 20;
    ask(&client, "Q:select~2");
    ask(&client, "Q:commit");
    assert_int_equal(session()->write_epoch, 7);
    ask(&client, "Q:begin");
    ask(&client, "Q:select~1");
    ask(&client, "Q:commit");
    assert_int_equal(session()->write_epoch, 21);
    close_world(&client);
}

static void session_pools_begin_on_either_connection(void **state)
{
    (void)state;
    struct client client;
    open_world("pool = session\nroute = split", &client);
    assert_string_equal(ask(&client, "Q:begin~read~only"), "C:BEGIN Z:T");
    fake_node_drop(&world.nodes[0], 0); /* nothing runs there */
    assert_string_equal(ask(&client, "Q:select~1"), "C:OK Z:T");
    assert_string_equal(ask(&client, "Q:commit"), "C:OK Z:I");
    assert_int_equal(fake_node_count(&world.nodes[1], BEGIN_RO), 1);
    assert_string_equal(ask(&client, "Q:begin"), "C:BEGIN Z:T");
    assert_string_equal(ask(&client, "Q:select~1"), "C:OK Z:T");
    assert_int_equal(fake_node_count(&world.nodes[0], "P:=BEGIN B: E Q:select~1"), 1);
    ask(&client, "Q:rollback");
    ask(&client, "Q:begin~read~only");
    fake_node_script(&world.nodes[1], "E:40001 Z:E");
    assert_string_equal(ask(&client, "Q:select~1"), "C:OK Z:T");
    ask(&client, "Q:rollback");
    close_world(&client);
}

static void own_settings_keep_to_a_transaction_without_a_server(void **state)
{
    (void)state;
    struct client client;
    open_world(SPLIT, &client);
    ask(&client, "Q:begin");
    assert_string_equal(ask(&client, "Q:set~rolecall.route=any"), "C:SET Z:T");
    assert_string_equal(ask(&client, "Q:rollback"), "C:ROLLBACK Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.route"), "T D:default C:SHOW Z:I");
    ask(&client, "Q:begin");
    assert_string_equal(ask(&client, "Q:set~rolecall.route=nowhere"), "E:22023 Z:E");
    assert_string_equal(ask(&client, "Q:select~1"), "E:25P02 Z:E");
    assert_string_equal(ask(&client, "Q:commit"), "C:ROLLBACK Z:I");
    ask(&client, "Q:begin");
    fake_node_script(&world.nodes[0], "E:55000 Z:I");
    assert_string_equal(ask(&client, "Q:show~rolecall.token"), "E:55000 Z:E");
    assert_string_equal(ask(&client, "Q:rollback"), "C:ROLLBACK Z:I");
    assert_null(session()->claim.server);
    close_world(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begin_takes_no_server),
        cmocka_unit_test(the_first_statement_brings_the_begin_with_it),
        cmocka_unit_test(a_batch_brings_it_too),
        cmocka_unit_test(execute_of_what_the_protocol_prepared_is_inside),
        cmocka_unit_test(settings_go_ahead_of_the_begin),
        cmocka_unit_test(what_is_not_understood_is_sent_at_once),
        cmocka_unit_test(a_statement_pool_and_a_pinned_session_have_theirs_sent),
        cmocka_unit_test(a_primary_that_goes_before_the_first_statement_is_not_missed),
        cmocka_unit_test(a_transaction_that_finds_no_node_has_failed),
        cmocka_unit_test(a_primary_that_goes_under_the_first_statement_is_not_missed),
        cmocka_unit_test(one_that_holds_its_commit_is_not_run_again),
        cmocka_unit_test(a_begin_that_fails_takes_its_statement_with_it),
        cmocka_unit_test(the_first_statement_decides_where_it_runs),
        cmocka_unit_test(strong_and_unknown_isolation_stay_on_the_primary),
        cmocka_unit_test(a_replicas_error_to_the_first_statement_is_not_final),
        cmocka_unit_test(a_later_error_is_the_replicas),
        cmocka_unit_test(a_replica_that_goes_under_the_first_statement_is_not_missed),
        cmocka_unit_test(one_that_goes_later_has_lost_the_transaction),
        cmocka_unit_test(a_begin_read_only_ahead_of_its_batch_may_go_to_a_replica),
        cmocka_unit_test(other_batches_with_begin_are_the_primarys_as_they_are),
        cmocka_unit_test(what_is_behind_a_begin_of_its_batch_fails_alone),
        cmocka_unit_test(what_belongs_to_the_primary_takes_the_transaction_there),
        cmocka_unit_test(a_prepare_takes_the_transaction_to_the_primary),
        cmocka_unit_test(a_transaction_that_has_not_read_moves_as_it_is),
        cmocka_unit_test(a_commit_that_is_only_parsed_keeps_what_is_done_again),
        cmocka_unit_test(a_commit_in_a_string_that_has_failed_keeps_it_too),
        cmocka_unit_test(read_write_is_the_primarys),
        cmocka_unit_test(a_lock_is_the_primarys_and_pins),
        cmocka_unit_test(what_is_done_again_may_fail),
        cmocka_unit_test(the_primary_may_go_under_the_statement_that_moved_it),
        cmocka_unit_test(a_transaction_with_too_much_to_do_again_moves_before),
        cmocka_unit_test(what_would_be_left_on_a_replica_is_refused),
        cmocka_unit_test(a_portal_without_a_name_lasts_until_the_next),
        cmocka_unit_test(reading_on_the_primary_is_no_write),
        cmocka_unit_test(session_pools_begin_on_either_connection),
        cmocka_unit_test(own_settings_keep_to_a_transaction_without_a_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
