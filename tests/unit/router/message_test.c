/* What a message still holds when it is freed is dropped: references, descriptors, servers, ledgers. */
#include "router/message.h"

#include <fcntl.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void count_drop(void *counter)
{
    ++*(int *)counter;
}

static void a_topology_on_its_way_keeps_one_reference(void **state)
{
    (void)state;
    struct topology *topology = topology_new("main", 0);
    struct message *message = message_new(MESSAGE_TOPOLOGY);
    message->topology = topology_ref(topology);
    assert_int_equal(topology->refs, 2);
    message_free(message);
    assert_int_equal(topology->refs, 1);
    topology_unref(topology);
}

static void a_message_that_was_emptied_drops_nothing(void **state)
{
    (void)state;
    struct topology *topology = topology_new("main", 0);
    struct message *message = message_new(MESSAGE_TOPOLOGY);
    message->topology = topology;
    struct topology *taken = message->topology;
    message->topology = NULL;
    message_free(message);
    assert_int_equal(taken->refs, 1);
    topology_unref(taken);
}

static void a_node_hint_drops_its_node(void **state)
{
    (void)state;
    struct node_live *live = node_live_new("a");
    struct message *message = message_new(MESSAGE_NODE_HINT);
    message->node_hint.node = node_live_ref(live);
    message_free(message);
    assert_int_equal(live->refs, 1);
    node_live_unref(live);
}

static void a_lost_connection_is_closed(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct message *message = message_new(MESSAGE_CONNECTION);
    assert_int_equal(message->connection.fd, -1);
    message->connection.fd = ends[0];
    message_drop(&message->letter);
    assert_int_equal(fcntl(ends[0], F_GETFD), -1);
    close(ends[1]);
}

static void a_connection_that_was_taken_stays_open(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct message *message = message_new(MESSAGE_CONNECTION);
    message->connection.fd = ends[0];
    message->connection.fd = -1;
    message_free(message);
    assert_int_not_equal(fcntl(ends[0], F_GETFD), -1);
    close(ends[0]);
    close(ends[1]);
}

static void a_server_and_a_ledger_are_handed_to_their_destructors(void **state)
{
    (void)state;
    int servers = 0, ledgers = 0;
    struct message *message = message_new(MESSAGE_SERVER);
    message->server.server = &servers;
    message->server.destroy = count_drop;
    message_free(message);
    assert_int_equal(servers, 1);
    message = message_new(MESSAGE_SERVER_WANTED);
    message->server_wanted.ledger = &ledgers;
    message->server_wanted.drop_ledger = count_drop;
    message_free(message);
    assert_int_equal(ledgers, 1);
}

static void an_event_is_copied_and_freed(void **state)
{
    (void)state;
    struct event event = {.kind = EVENT_SPLIT, .text = "before"};
    struct message *message = message_of_event(&event);
    event.text[0] = 'B';
    assert_int_equal(message->kind, MESSAGE_EVENT);
    assert_int_equal(message->event->kind, EVENT_SPLIT);
    assert_string_equal(message->event->text, "before");
    message_free(message);
}

static void every_kind_of_event_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < EVENT_KINDS; i++) {
        assert_non_null(event_kind_name((enum event_kind)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(event_kind_name((enum event_kind)i), event_kind_name((enum event_kind)k));
    }
    assert_string_equal(event_weight_name(event_weight(EVENT_PRIMARY_LOST)), "trouble");
    assert_string_equal(event_weight_name(event_weight(EVENT_PRIMARY_FOUND)), "good");
    assert_string_equal(event_weight_name(event_weight(EVENT_RELOADED)), "note");
}

static void every_kind_may_be_freed_empty(void **state)
{
    (void)state;
    for (int kind = 0; kind <= MESSAGE_STOP; kind++)
        message_free(message_new((enum message_kind)kind));
    message_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topology_on_its_way_keeps_one_reference),
        cmocka_unit_test(a_message_that_was_emptied_drops_nothing),
        cmocka_unit_test(a_node_hint_drops_its_node),
        cmocka_unit_test(a_lost_connection_is_closed),
        cmocka_unit_test(a_connection_that_was_taken_stays_open),
        cmocka_unit_test(a_server_and_a_ledger_are_handed_to_their_destructors),
        cmocka_unit_test(an_event_is_copied_and_freed),
        cmocka_unit_test(every_kind_of_event_has_a_name_of_its_own),
        cmocka_unit_test(every_kind_may_be_freed_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
