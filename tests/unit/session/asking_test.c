/* A node is asked for what a statement left in its session, and cannot say. */
#include "tests/unit/session/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define READ "P:a=select~a~from~t"

static struct world world;
static struct client client;

static void learn_catalogue(void)
{
    sessions_on_catalogue(&world.sessions, catalogue_new("main", "shop"));
}

static void open_world(void)
{
    world_open(&world, "pool = transaction\nroute = split", "");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    client_login(&world, &client);
    learn_catalogue();
}

static void close_world(void)
{
    client_close(&client);
    world_turns(&world, 5);
    world_close(&world);
}

static const char *ask(const char *words)
{
    return client_ask(&world, &client, words);
}

/* The session has changed the schema, and parses a read before the new catalogue is there: what that leaves
   is to be asked, but of the node where it is run. */
static void parse_in_doubt(void)
{
    ask("Q:create~table~t(a~int)");
    world.nodes[0].peers[0].silent = true;
    client_say(&client, READ " H");
    world_turns(&world, 5);
    learn_catalogue();
    world.nodes[0].peers[0].silent = false;
    assert_string_equal(client_listen(&world, &client), "1");
}

static void a_replica_that_cannot_say_keeps_no_session(void **state)
{
    (void)state;
    open_world();
    parse_in_doubt();
    world.live[1]->replayed_epoch = 1000;
    world.nodes[1].tells_nothing = true;
    assert_string_equal(ask("B:a E: S"), "2 C:SELECT~1 Z:I");
    assert_int_equal(fake_node_count(&world.nodes[1], "B:rc_1"), 1);
    assert_int_equal(world.sessions.first->pins, 0);
    ask("Q:alter~table~t~add~b~int");
    assert_int_equal(fake_node_count(&world.nodes[0], "Q:alter~table~t~add~b~int"), 1);
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_that_cannot_say_keeps_no_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
