/* A primary that is being deposed: what runs there goes on to its end, what begins anew waits. */
#include "tests/unit/session/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define INSERT "Q:insert~into~t~values(1)"

static struct world world;
static struct client client;

static void begin(const char *listener)
{
    world_open(&world, listener, "");
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    client_login(&world, &client);
}

static void end(void)
{
    client_close(&client);
    world_close(&world);
}

static void a_transaction_goes_on_to_its_end_and_the_next_one_waits(void **state)
{
    (void)state;
    begin("pool = transaction");
    assert_string_equal(client_ask(&world, &client, "Q:begin " INSERT), "C:BEGIN Z:T C:OK Z:T");
    world_leaving(&world);
    assert_string_equal(client_ask(&world, &client, INSERT), "C:OK Z:T");
    assert_string_equal(client_ask(&world, &client, "Q:commit"), "C:OK Z:I");
    assert_string_equal(client_ask(&world, &client, INSERT), "");
    assert_int_equal(world.sessions.held.n, 1);
    assert_int_equal(fake_node_count(&world.nodes[0], INSERT), 2);
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA); /* called off */
    assert_string_equal(client_listen(&world, &client), "C:OK Z:I");
    end();
}

static void a_session_with_a_server_of_its_own_waits_with_it(void **state)
{
    (void)state;
    begin("pool = session");
    assert_string_equal(client_ask(&world, &client, INSERT), "C:OK Z:I");
    world_leaving(&world);
    assert_string_equal(client_ask(&world, &client, INSERT), "");
    assert_int_equal(fake_node_count(&world.nodes[0], INSERT), 1);
    assert_int_equal(fake_node_open_peers(&world.nodes[0]), 1);
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    assert_string_equal(client_listen(&world, &client), "C:OK Z:I");
    end();
}

static void a_server_that_ends_while_its_session_waits_is_replaced_by_one_of_the_successor(void **state)
{
    (void)state;
    begin("pool = session");
    assert_string_equal(client_ask(&world, &client, INSERT), "C:OK Z:I");
    world_leaving(&world);
    assert_string_equal(client_ask(&world, &client, INSERT), "");
    fake_node_say(&world.nodes[0], 0, "F:57P01 EOF");
    assert_string_equal(client_listen(&world, &client), "");
    world_topology(&world, ROLE_REPLICA, ROLE_PRIMARY);
    assert_string_equal(client_listen(&world, &client), "C:OK Z:I");
    assert_int_equal(fake_node_count(&world.nodes[1], INSERT), 1);
    end();
}

static void a_pinned_session_waits_and_ends_with_its_server(void **state)
{
    (void)state;
    begin("pool = transaction");
    client_ask(&world, &client, "Q:listen~a");
    world_leaving(&world);
    assert_string_equal(client_ask(&world, &client, INSERT), "");
    fake_node_say(&world.nodes[0], 0, "F:57P01 EOF");
    assert_string_equal(client_listen(&world, &client), "F:57P01");
    end();
}

static void a_read_goes_to_a_replica_meanwhile(void **state)
{
    (void)state;
    begin("route = replica\npool = transaction");
    world_leaving(&world);
    assert_string_equal(client_ask(&world, &client, "Q:select~1"), "C:OK Z:I");
    assert_int_equal(fake_node_count(&world.nodes[1], "Q:select~1"), 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_goes_on_to_its_end_and_the_next_one_waits),
        cmocka_unit_test(a_session_with_a_server_of_its_own_waits_with_it),
        cmocka_unit_test(a_server_that_ends_while_its_session_waits_is_replaced_by_one_of_the_successor),
        cmocka_unit_test(a_pinned_session_waits_and_ends_with_its_server),
        cmocka_unit_test(a_read_goes_to_a_replica_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
