/* A server goes while a session needs it: what the client sees, point by point (DESIGN section 7), as a
 * table. */
#include "tests/unit/session/world.h"

#include <stdio.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct lost_case {
    const char *name;
    const char *before;  /* asked first; NULL = nothing */
    const char *request; /* is at the server when that goes */
    const char *script;  /* the server's last words */
    const char *after;   /* asked then; NULL = nothing */
    const char *expected;
    int runs; /* how often the node hears `word`; 0 = not looked at */
    const char *word;
};

#define INSERT "Q:insert~into~t~values(1)"
#define BATCH "P:=insert~into~t~values(1) B: E: S"

static const struct lost_case cases[] = {
    {"a write that a fast shutdown ended is run again", NULL, INSERT, "F:57P01 EOF", NULL, "C:OK Z:I", 2,
        INSERT},
    {"a write without an answer has an unknown outcome", NULL, INSERT, "EOF", NULL, "E:08007 Z:I", 1, INSERT},
    {"an immediate shutdown leaves the outcome unknown", NULL, INSERT, "N:57P01 EOF", NULL,
        "N:57P01 E:08007 Z:I", 1, INSERT},
    {"a warning and then a fast shutdown leave it unknown", NULL, INSERT, "N:57P01 F:57P01 EOF", NULL,
        "N:57P01 E:08007 Z:I", 1, INSERT},
    {"a crash leaves the outcome unknown", NULL, INSERT, "N:57P02 EOF", NULL, "N:57P02 E:08007 Z:I", 1,
        INSERT},
    {"a CommandComplete is no acknowledgement", NULL, INSERT, "C:INSERT~0~1 EOF", NULL,
        "C:INSERT~0~1 E:08007 Z:I", 1, INSERT},
    {"a fast shutdown after CommandComplete says nothing of a commit", NULL, INSERT,
        "C:INSERT~0~1 F:57P01 EOF", NULL, "C:INSERT~0~1 E:08007 Z:I", 1, INSERT},
    {"a read without an answer is run again", NULL, "Q:select~1", "EOF", NULL, "C:OK Z:I", 2, "Q:select~1"},
    {"a read whose row came with a fast shutdown is run again", NULL, "Q:select~1", "T D:1 F:57P01 EOF", NULL,
        "C:OK Z:I", 2, "Q:select~1"},
    {"a read by a batch whose row came with a fast shutdown is run again", NULL, "P:=select~1 B: Dp: E: S",
        "1 2 T D:1 F:57P01 EOF", NULL, "1 2 n C:SELECT~1 Z:I", 2, "P:=select~1"},
    {"a read that a parallel worker's end has ended is run again", NULL, "Q:select~1", "T E:57P01 Z:I EOF",
        NULL, "C:OK Z:I", 2, "Q:select~1"},
    {"a read in a batch that a parallel worker's end has ended is run again", NULL, "P:=select~1 B: E: S",
        "1 2 D:1 E:57P01 Z:I", NULL, "1 2 C:SELECT~1 Z:I", 2, "P:=select~1"},
    {"in a transaction it is told", "Q:begin Q:select~1", "Q:select~1", "E:57P01 Z:E", "Q:rollback",
        "E:57P01 Z:E C:OK Z:I", 0, NULL},
    {"a pinned session hears it", "Q:listen~a", "Q:select~1", "E:57P01 Z:I", NULL, "E:57P01 Z:I", 1,
        "Q:select~1"},
    {"a write that says so is told", NULL, INSERT, "E:57P01 Z:I", NULL, "E:57P01 Z:I", 1, INSERT},
    {"a read of which a row was forwarded is 40001", NULL, "Q:select~1", "T D:1 EOF", NULL,
        "T D:1 E:40001 Z:I", 1, "Q:select~1"},
    {"a read that only had a warning of the shutdown is run again", NULL, "Q:select~1", "N:57P01 EOF", NULL,
        "C:OK Z:I", 2, "Q:select~1"},
    {"CALL may have committed parts and is not run again", NULL, "Q:call~p()", "F:57P01 EOF", NULL,
        "E:08007 Z:I", 1, "Q:call~p()"},
    {"several statements in a string are not run again", NULL,
        "Q:insert~into~t~values(1);insert~into~t~values(2)", "F:57P01 EOF", NULL, "E:08007 Z:I", 0, NULL},
    {"COPY without CopyDone is as rolled back", NULL, "Q:copy~t~from~stdin d:1 d:2", "G EOF", NULL,
        "G E:40001 Z:I", 1, "Q:copy~t~from~stdin"},
    {"COPY with CopyDone has an unknown outcome", NULL, "Q:copy~t~from~stdin d:1 c", "G", "", "G E:08007 Z:I",
        1, "Q:copy~t~from~stdin"},
    {"inside a transaction a statement is 40001 and the block is failed", "Q:begin Q:select~1", INSERT, "EOF",
        "Q:select~1", "E:40001 Z:E E:25P02 Z:E", 1, INSERT},
    {"what was parsed inside a transaction is no second answer beside 40001", "Q:begin Q:select~1",
        "P:a=select~1 S", "1 EOF", "P:a=select~1 B:/a E: S", "E:40001 Z:E E:25P02 Z:E", 0, NULL},
    {"what only parses is run again", NULL, "P:a=insert~into~t~values(1) S", "EOF", NULL, "1 Z:I", 0, NULL},
    {"what was answered inside a transaction is not told twice", "Q:begin Q:select~1", INSERT,
        "C:INSERT~0~1 EOF", "Q:select~1", "C:INSERT~0~1 Z:T E:40001 Z:E", 1, INSERT},
    {"a batch that was answered inside a transaction is not told twice", "Q:begin Q:select~1", BATCH,
        "1 2 C:INSERT~0~1 EOF", "Q:select~1", "1 2 C:INSERT~0~1 Z:T E:40001 Z:E", 0, NULL},
    {"an error inside a transaction is not told twice", "Q:begin Q:select~1", INSERT, "E:22012 EOF",
        "Q:select~1", "E:22012 Z:E E:25P02 Z:E", 1, INSERT},
    {"a read that was answered needs no second word", NULL, "Q:select~1", "T D:1 C:SELECT~1 EOF",
        "Q:select~1", "T D:1 C:SELECT~1 Z:I C:OK Z:I", 2, "Q:select~1"},
    {"a ROLLBACK in flight has what it asked for", "Q:begin Q:select~1", "Q:rollback", "EOF", "Q:select~1",
        "C:ROLLBACK Z:I C:OK Z:I", 1, "Q:rollback"},
    {"a ROLLBACK in a batch has what it asked for", "Q:begin Q:select~1", "P:=rollback B: E: S", "EOF",
        "Q:select~1", "1 2 C:ROLLBACK Z:I C:OK Z:I", 0, NULL},
    {"a lost transaction ends with ROLLBACK", "Q:begin Q:select~1", INSERT, "EOF", "Q:rollback",
        "E:40001 Z:E C:ROLLBACK Z:I", 1, INSERT},
    {"a ROLLBACK that is only parsed does not end a lost transaction", "Q:begin Q:select~1", INSERT, "EOF",
        "P:a=rollback S B:a Dp: E: S", "E:40001 Z:E 1 Z:E 2 n C:ROLLBACK Z:I", 1, INSERT},
    {"a driver that prepares all that it runs is told once, too",
        "P:b=begin S B:b Dp: E: S P:i=insert~into~t~values(1) S B:i Dp: E: S", "B:i Dp: E: S", "EOF",
        "P:a=rollback S B:a Dp: E: S", "E:40001 Z:E 1 Z:E 2 n C:ROLLBACK Z:I", 0, NULL},
    {"a COMMIT that was only parsed has committed nothing", "Q:begin Q:select~1", "P:a=commit S", "EOF",
        "Q:select~1 Q:rollback", "E:40001 Z:E E:25P02 Z:E C:ROLLBACK Z:I", 0, NULL},
    {"nor has a ROLLBACK that was only parsed been done", "Q:begin Q:select~1", "P:a=rollback S", "EOF",
        "Q:select~1 Q:rollback", "E:40001 Z:E E:25P02 Z:E C:ROLLBACK Z:I", 0, NULL},
    {"COMMIT of a lost transaction is a ROLLBACK", "Q:begin Q:select~1", INSERT, "EOF", "Q:commit",
        "E:40001 Z:E C:ROLLBACK Z:I", 1, INSERT},
    {"a COMMIT in flight has an unknown outcome", "Q:begin Q:select~1", "Q:commit", "EOF", "Q:select~1",
        "E:08007 Z:I C:OK Z:I", 1, "Q:commit"},
    {"a COMMIT that a fast shutdown ended was rolled back", "Q:begin Q:select~1", "Q:commit", "F:57P01 EOF",
        "Q:select~1", "E:40001 Z:I C:OK Z:I", 1, "Q:commit"},
    {"a batch without an answer has an unknown outcome", NULL, BATCH, "EOF", NULL, "E:08007 Z:I", 1,
        "P:=insert~into~t~values(1)"},
    {"a batch that a fast shutdown ended is run again", NULL, BATCH, "F:57P01 EOF", NULL,
        "1 2 C:SELECT~1 Z:I", 2, "P:=insert~into~t~values(1)"},
    {"a batch whose ParseComplete came with the fast shutdown is run again", NULL, BATCH, "1 2 F:57P01 EOF",
        NULL, "1 2 C:SELECT~1 Z:I", 2, "P:=insert~into~t~values(1)"},
    {"COMMIT AND CHAIN in flight has an unknown outcome", "Q:begin Q:select~1", "Q:commit~and~chain", "EOF",
        "Q:select~1", "E:08007 Z:I C:OK Z:I", 1, "Q:commit~and~chain"},
    {"PREPARE TRANSACTION in flight has an unknown outcome", "Q:begin Q:select~1",
        "Q:prepare~transaction~'a'", "EOF", "Q:select~1", "E:08007 Z:I C:OK Z:I", 1,
        "Q:prepare~transaction~'a'"},
    {"COMMIT PREPARED has an unknown outcome", NULL, "Q:commit~prepared~'a'", "EOF", NULL, "E:08007 Z:I", 1,
        "Q:commit~prepared~'a'"},
    {"COMMIT PREPARED that a fast shutdown ended may have been done", NULL, "Q:commit~prepared~'a'",
        "F:57P01 EOF", NULL, "E:08007 Z:I", 1, "Q:commit~prepared~'a'"},
    {"a string that commits has an unknown outcome", NULL, "Q:begin;insert~into~t~values(1);commit", "EOF",
        NULL, "E:08007 Z:I", 0, NULL},
    {"a string that commits inside a transaction has an unknown outcome", "Q:begin Q:select~1",
        "Q:insert~into~t~values(1);commit", "EOF", "Q:select~1", "E:08007 Z:I C:OK Z:I", 0, NULL},
    {"a COMMIT that has failed is not told twice", "Q:begin Q:select~1", "Q:commit", "E:22012 EOF",
        "Q:select~1", "E:22012 Z:I C:OK Z:I", 1, "Q:commit"},
    {"a write that has failed is not told twice", NULL, INSERT, "E:22012 EOF", NULL, "E:22012 Z:I", 1,
        INSERT},
    {"a deadlock with recovery is run again", NULL, "Q:select~1", "F:40P01 EOF", NULL, "C:OK Z:I", 2,
        "Q:select~1"},
    {"a READ ONLY transaction without a result yet begins again elsewhere", "Q:begin~read~only", "Q:select~1",
        "F:40001 EOF", NULL, "C:OK Z:T", 2, "Q:select~1"},
    {"a READ ONLY transaction with a result is told", "Q:begin~read~only Q:select~1", "Q:select~2",
        "F:40001 EOF", "Q:rollback", "E:40001 Z:E C:ROLLBACK Z:I", 0, NULL},
    {"a recovery conflict is run again", NULL, "Q:select~1", "F:40001 EOF", NULL, "C:OK Z:I", 2,
        "Q:select~1"},
    {"a pinned session ends", "Q:listen~a", INSERT, "EOF", NULL, "F:57P01", 1, INSERT},
    {"a COMMIT of a READ ONLY transaction has nothing to lose", "Q:begin~read~only Q:select~1", "Q:commit",
        "EOF", NULL, "E:40001 Z:I", 1, "Q:commit"},
    {"but it may have become one that writes, also beside a COMMIT that was only parsed",
        "Q:begin~read~only P:a=commit P:=set~transaction~read~write B: E: P:=insert~into~t~values(1) B: E: S",
        "Q:commit", "EOF", NULL, "E:08007 Z:I", 1, "Q:commit"},
    {"a lone Sync in a lost transaction is no error", "Q:begin Q:select~1", INSERT, "EOF", "S",
        "E:40001 Z:E Z:E", 1, INSERT},
};

static void open_world(struct world *world, struct client *client, const char *listener)
{
    world_open(world, listener, "");
    world_topology(world, ROLE_PRIMARY, ROLE_REPLICA);
    client_login(world, client);
}

static void close_world(struct world *world, struct client *client)
{
    client_close(client);
    world_turns(world, 5);
    world_close(world);
}

static void run_case(const struct lost_case *row)
{
    struct world world;
    struct client client;
    char got[4096];
    open_world(&world, &client, "pool = transaction");
    if (row->before)
        client_ask(&world, &client, row->before);
    fake_node_script(&world.nodes[0], row->script);
    if (row->after && !row->after[0]) /* the node goes at the end of the data */
        fake_node_script(&world.nodes[0], "EOF");
    snprintf(got, sizeof got, "%s", client_ask(&world, &client, row->request));
    for (int i = 0; i < 3; i++) { /* what is held is routed again by the tick */
        usleep(25000);
        sessions_tick(&world.sessions);
        const char *more = client_listen(&world, &client);
        size_t len = strlen(got);
        snprintf(got + len, sizeof got - len, "%s%s", len && more[0] ? " " : "", more);
    }
    if (row->after && row->after[0]) {
        size_t len = strlen(got);
        snprintf(got + len, sizeof got - len, " %s", client_ask(&world, &client, row->after));
    }
    if (strcmp(got, row->expected) != 0)
        fail_msg("%s: heard \"%s\", expected \"%s\"", row->name, got, row->expected);
    if (row->runs && fake_node_count(&world.nodes[0], row->word) != row->runs)
        fail_msg("%s: asked %d times", row->name, fake_node_count(&world.nodes[0], row->word));
    if (world.live[0]->outstanding != 0)
        fail_msg("%s: %u exchanges outstanding", row->name, world.live[0]->outstanding);
    close_world(&world, &client);
}

static void a_client_sees_what_the_design_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_case(&cases[i]);
}

/* Open, idle, and the server goes: the next word is told. */
static void an_idle_transaction_is_told_at_its_next_message(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    open_world(&world, &client, "pool = transaction");
    assert_string_equal(client_ask(&world, &client, "Q:begin Q:select~1"), "C:BEGIN Z:T C:OK Z:T");
    fake_node_drop(&world.nodes[0], 0);
    assert_string_equal(client_listen(&world, &client), "");
    assert_string_equal(client_ask(&world, &client, "P:a=commit S"), "1 Z:T"); /* nothing of it is told yet */
    assert_string_equal(client_ask(&world, &client, "Q:select~1"), "E:40001 Z:E");
    assert_string_equal(client_ask(&world, &client, "Q:select~1"), "E:25P02 Z:E");
    assert_string_equal(client_ask(&world, &client, "Q:rollback"), "C:ROLLBACK Z:I");
    assert_string_equal(client_ask(&world, &client, "Q:select~1"), "C:OK Z:I");
    client_close(&client);
    world_close(&world);
}

/* Its node answers as ever, but another one is primary. */
static void a_deposed_primary_gets_nothing_more(void **state)
{
    (void)state;
    struct world world;
    struct client open, waiting;
    world_open(&world, "pool = transaction", "pool_size = 1\n");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    client_login(&world, &open);
    client_login(&world, &waiting);
    assert_string_equal(client_ask(&world, &open, "Q:begin Q:select~1"), "C:BEGIN Z:T C:OK Z:T");
    assert_string_equal(client_ask(&world, &waiting, INSERT), "");
    world_topology(&world, ROLE_UNKNOWN, ROLE_REPLICA);
    assert_string_equal(client_listen(&world, &waiting), "");
    assert_string_equal(client_ask(&world, &open, "Q:commit"), "E:40001 Z:I");
    world_topology(&world, ROLE_UNKNOWN, ROLE_PRIMARY);
    assert_string_equal(client_listen(&world, &waiting), "C:OK Z:I");
    assert_int_equal(fake_node_count(&world.nodes[0], INSERT), 0);
    assert_int_equal(fake_node_count(&world.nodes[0], "Q:commit"), 0);
    assert_int_equal(fake_node_count(&world.nodes[1], INSERT), 1);
    client_close(&open);
    client_close(&waiting);
    world_turns(&world, 5);
    world_close(&world);
}

/* A batch whose rows were forwarded, and then a FATAL in place of its end: it has not been answered. */
static void a_read_that_was_cut_short_is_told(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    open_world(&world, &client, "pool = transaction");
    client_ask(&world, &client, "Q:select~0");
    fake_node_script(&world.nodes[0], "1 2 D:1");
    assert_string_equal(client_ask(&world, &client, "P:=select~1 B: E: S"), "1 2 D:1");
    fake_node_say(&world.nodes[0], 0, "F:57P01 EOF");
    assert_string_equal(client_listen(&world, &client), "E:40001 Z:I");
    fake_node_script(&world.nodes[0], "1 2 D:1");
    assert_string_equal(client_ask(&world, &client, "P:=select~1 B: E: S"), "1 2 D:1");
    fake_node_say(&world.nodes[0], 1, "C:SELECT~1");
    assert_string_equal(client_listen(&world, &client), "C:SELECT~1");
    fake_node_say(&world.nodes[0], 1, "F:57P01 EOF"); /* only ReadyForQuery is missing */
    assert_string_equal(client_listen(&world, &client), "Z:I");
    close_world(&world, &client);
}

/* While there is no primary to ask instead, what is the replica's own trouble waits for one; the rest is
 * told. */
static void what_replay_breaks_off_waits_for_a_primary(void **state)
{
    (void)state;
    static const struct {
        const char *script, *first, *then;
    } rows[] = {
        {"E:40001 Z:I", "", "C:OK Z:I"},
        {"E:40P01 Z:I", "", "C:OK Z:I"},
        {"D:1 E:57P01 Z:I", "", "C:OK Z:I"},
        {"E:22012 Z:I", "E:22012 Z:I", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        struct client client;
        open_world(&world, &client, "pool = transaction\nroute = split");
        sessions_on_catalogue(&world.sessions, catalogue_new("main", "shop"));
        client_ask(&world, &client, "Q:select~1");
        world_topology(&world, ROLE_UNKNOWN, ROLE_REPLICA);
        fake_node_script(&world.nodes[1], rows[i].script);
        assert_string_equal(client_ask(&world, &client, "Q:select~2"), rows[i].first);
        world_topology(&world, ROLE_PRIMARY, ROLE_UNKNOWN);
        assert_string_equal(client_listen(&world, &client), rows[i].then);
        assert_int_equal(fake_node_count(&world.nodes[1], "Q:select~2"), 1);
        close_world(&world, &client);
    }
}

/* One that comes at once was meant for the request before; nobody's fault, and once. */
static void a_stray_cancel_is_not_told(void **state)
{
    (void)state;
    static const struct {
        const char *before, *request, *script, *expected;
        int runs;
    } rows[] = {
        {"", INSERT, "E:57014 Z:I", "C:OK Z:I", 2},
        {"", BATCH, "1 2 E:57014 Z:I", "1 2 C:SELECT~1 Z:I", 2},
        {"", "Q:select~1", "T D:1 E:57014 Z:I", "C:OK Z:I", 2},
        {"Q:begin", INSERT, "E:57014 Z:E", "C:OK Z:T", 2},
        {"Q:begin Q:select~1", INSERT, "E:57014 Z:E", "E:57014 Z:E", 1},
        {"Q:listen~a", INSERT, "E:57014 Z:I", "C:OK Z:I", 2},
        {"", "Q:call~p()", "E:57014 Z:I", "E:57014 Z:I", 1},
        {"", "Q:insert~into~t~values(1);select~1", "E:57014 Z:I", "E:57014 Z:I", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        struct client client;
        open_world(&world, &client, "pool = transaction");
        if (rows[i].before[0])
            client_ask(&world, &client, rows[i].before);
        fake_node_script(&world.nodes[0], rows[i].script);
        const char *heard = client_ask(&world, &client, rows[i].request);
        if (strcmp(heard, rows[i].expected) != 0)
            fail_msg("%s, %s: heard \"%s\"", rows[i].before, rows[i].request, heard);
        const char *sent = strcmp(rows[i].request, BATCH) == 0 ? "P:=insert" : rows[i].request;
        if (fake_node_count(&world.nodes[0], sent) != rows[i].runs)
            fail_msg("%s: asked %d times", rows[i].request, fake_node_count(&world.nodes[0], sent));
        close_world(&world, &client);
    }
}

static void a_pinned_session_keeps_its_server_over_a_stray_cancel(void **state)
{
    (void)state;
    struct world world;
    struct client client, waiting;
    world_open(&world, "pool = transaction", "pool_size = 1\n");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    client_login(&world, &client);
    client_login(&world, &waiting);
    client_ask(&world, &client, "Q:load~'x'");
    assert_string_equal(client_ask(&world, &waiting, "Q:select~7"), "");
    fake_node_script(&world.nodes[0], "E:57014 Z:I");
    assert_string_equal(client_ask(&world, &client, INSERT), "C:OK Z:I");
    assert_string_equal(client_listen(&world, &waiting), "");
    client_close(&waiting);
    close_world(&world, &client);
}

static void a_cancel_that_is_meant_is_told(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    open_world(&world, &client, "pool = transaction");
    fake_node_script(&world.nodes[0], "E:57014 Z:I");
    fake_node_script(&world.nodes[0], "E:57014 Z:I");
    assert_string_equal(client_ask(&world, &client, INSERT), "E:57014 Z:I"); /* the second time */
    fake_node_script(&world.nodes[0], "N:00000");
    assert_string_equal(client_ask(&world, &client, "Q:update~t~set~a=1"), "N:00000");
    usleep(120000);
    fake_node_say(&world.nodes[0], 0, "E:57014 Z:I");
    assert_string_equal(client_listen(&world, &client), "E:57014 Z:I");
    assert_int_equal(fake_node_count(&world.nodes[0], "Q:update"), 1);
    close_world(&world, &client);
}

static void an_idle_session_survives_its_server(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    open_world(&world, &client, "pool = session");
    client_ask(&world, &client, "Q:select~1");
    fake_node_say(&world.nodes[0], 0, "F:57P01 EOF");
    assert_string_equal(client_listen(&world, &client), "");
    assert_string_equal(client_ask(&world, &client, "Q:select~1"), "C:OK Z:I");
    client_close(&client);
    world_close(&world);
}

/* What is held is routed again by the tick. */
static void listen_over_ticks(struct world *world, struct client *client)
{
    for (int i = 0; i < 4 && !client->heard[0]; i++) {
        usleep(25000);
        sessions_tick(&world->sessions);
        client_listen(world, client);
    }
}

/* The end of the connection comes later than its last word: what is sent in between did not run. */
static void a_write_sent_behind_the_servers_last_word_is_run_again(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    open_world(&world, &client, "pool = session");
    client_ask(&world, &client, "Q:select~1");
    fake_node_say(&world.nodes[0], 0, "F:57P01");
    assert_string_equal(client_listen(&world, &client), "");
    fake_node_script(&world.nodes[0], "EOF");
    client_ask(&world, &client, INSERT);
    listen_over_ticks(&world, &client);
    assert_string_equal(client.heard, "C:OK Z:I");
    assert_int_equal(fake_node_count(&world.nodes[0], INSERT), 2);
    client_close(&client);
    world_close(&world);
}

static void a_server_that_has_said_its_last_word_is_lent_to_nobody(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    open_world(&world, &client, "pool = transaction");
    client_ask(&world, &client, "Q:select~1");
    fake_node_say(&world.nodes[0], 0, "F:57P01");
    assert_string_equal(client_listen(&world, &client), "");
    assert_string_equal(client_ask(&world, &client, INSERT), "C:OK Z:I");
    assert_null(strstr(world.nodes[0].peers[0].heard, INSERT));
    client_close(&client);
    world_close(&world);
}

/* An ERROR where exit_on_error is not yet, or no longer, in force: what is behind it has run with other
 * settings. */
static void what_ran_with_settings_that_were_refused_is_not_believed(void **state)
{
    (void)state;
    static const struct {
        const char *refuses, *request, *expected;
        int runs;
    } rows[] = {
        {"E:40001 Z:I", "Q:select~1", "C:OK Z:I", 2},
        {"E:57014 Z:I", "Q:select~1", "C:OK Z:I", 2},
        {"F:40001 EOF", "Q:select~1", "C:OK Z:I", 1},
        {"F:40001 EOF", INSERT, "C:OK Z:I", 1},
        {"E:40001 Z:I", INSERT, "E:08007 Z:I", 1},
        {"E:22023 Z:I", "Q:select~1", "F:22023", 1},
        {"F:22023 EOF", "Q:select~1", "F:22023", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        struct client named, other;
        char out[256];
        world_open(&world, "pool = transaction", "pool_size = 1\n");
        world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
        client_open(&world, &named);
        client_send(
            &named, out, talk_startup("user=ann database=shop application_name=app", out, sizeof out));
        client_listen(&world, &named);
        client_login(&world, &other);
        client_ask(&world, &other, "Q:select~0");
        world.nodes[0].refuses = rows[i].refuses;
        client_ask(&world, &named, rows[i].request);
        listen_over_ticks(&world, &named);
        if (strcmp(named.heard, rows[i].expected) != 0)
            fail_msg("%s, %s: heard \"%s\"", rows[i].refuses, rows[i].request, named.heard);
        if (fake_node_count(&world.nodes[0], rows[i].request) != rows[i].runs)
            fail_msg("%s, %s: asked %d times", rows[i].refuses, rows[i].request,
                fake_node_count(&world.nodes[0], rows[i].request));
        client_close(&named);
        client_close(&other);
        world_turns(&world, 5);
        world_close(&world);
    }
}

/* A login is not refused for what one node could not do just then. */
static void a_login_whose_settings_met_a_conflict_goes_on_elsewhere(void **state)
{
    (void)state;
    struct world world;
    struct client client;
    char out[256];
    world_open(&world, "pool = transaction", "");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    world.nodes[0].refuses = "E:40001 Z:I";
    client_open(&world, &client);
    client_send(&client, out, talk_startup("user=ann database=shop application_name=app", out, sizeof out));
    client_listen(&world, &client);
    listen_over_ticks(&world, &client);
    assert_non_null(strstr(client.heard, "Z:I"));
    client_close(&client);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_sees_what_the_design_says),
        cmocka_unit_test(an_idle_transaction_is_told_at_its_next_message),
        cmocka_unit_test(a_deposed_primary_gets_nothing_more),
        cmocka_unit_test(a_read_that_was_cut_short_is_told),
        cmocka_unit_test(what_replay_breaks_off_waits_for_a_primary),
        cmocka_unit_test(a_stray_cancel_is_not_told),
        cmocka_unit_test(a_pinned_session_keeps_its_server_over_a_stray_cancel),
        cmocka_unit_test(a_cancel_that_is_meant_is_told),
        cmocka_unit_test(an_idle_session_survives_its_server),
        cmocka_unit_test(a_write_sent_behind_the_servers_last_word_is_run_again),
        cmocka_unit_test(a_server_that_has_said_its_last_word_is_lent_to_nobody),
        cmocka_unit_test(what_ran_with_settings_that_were_refused_is_not_believed),
        cmocka_unit_test(a_login_whose_settings_met_a_conflict_goes_on_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
