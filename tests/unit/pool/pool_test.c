/* Claims: who gets a connection, when, in which order, and what is refused; over one worker and over two. */
#include "tests/unit/pool/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The server's answer to `words`, with which it becomes free, comes inside on_data as in real life. */
static void release_in_turn(struct waiter *waiter)
{
    pool_release(&waiter->claim, false);
    rig_turns(8);
}

static void a_claim_is_queued_until_its_connection_is_open_and_then_reused(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 5", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    assert_true(one.claim.queued);
    rig_turns(8);
    assert_string_equal(rig.order, "g1");
    pool_release(&one.claim, false);
    rig_claim(pool, &two, 2);
    assert_string_equal(rig.order, "g1 g2");
    assert_int_equal(rig.node.n_peers, 1);
    pool_release(&two.claim, false);
    pool_leave(pool);
    rig_close();
}

static void claims_are_served_first_come_first_served(void **state)
{
    (void)state;
    struct waiter waiters[4];
    rig_open("pool_size = 1", 0);
    struct pool *pool = rig_join(0, "shop");
    for (int i = 0; i < 4; i++)
        rig_claim(pool, &waiters[i], i);
    rig_turns(8);
    assert_string_equal(rig.order, "g0");
    pool_unclaim(&waiters[2].claim);
    pool_unclaim(&waiters[2].claim);
    release_in_turn(&waiters[0]);
    assert_string_equal(rig.order, "g0 g1");
    release_in_turn(&waiters[1]);
    assert_string_equal(rig.order, "g0 g1 g3");
    assert_int_equal(rig.node.n_peers, 1);
    release_in_turn(&waiters[3]);
    pool_leave(pool);
    rig_close();
}

static void the_pools_size_is_never_exceeded_and_the_reserve_comes_late(void **state)
{
    (void)state;
    struct waiter waiters[4];
    rig_open("pool_size = 2\nreserve_pool_size = 1\nreserve_pool_timeout = 50ms", 0);
    struct pool *pool = rig_join(0, "shop");
    for (int i = 0; i < 4; i++)
        rig_claim(pool, &waiters[i], i);
    rig_turns(10);
    assert_string_equal(rig.order, "g0 g1");
    assert_int_equal(rig.live->connections, 2);
    rig_wait(80);
    assert_string_equal(rig.order, "g0 g1 g2");
    rig_wait(80);
    assert_string_equal(rig.order, "g0 g1 g2");
    assert_int_equal(rig.live->connections, 3);
    pool_unclaim(&waiters[3].claim);
    for (int i = 0; i < 3; i++)
        pool_release(&waiters[i].claim, false);
    pool_leave(pool);
    rig_close();
}

static void a_full_node_gets_room_from_another_pools_idle_connection(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 5", 1);
    struct pool *shop = rig_join(0, "shop"), *bank = rig_join(0, "bank");
    rig_claim(shop, &one, 1);
    rig_turns(8);
    pool_release(&one.claim, false);
    rig_claim(bank, &two, 2);
    rig_turns(8);
    assert_string_equal(rig.order, "g1 g2");
    assert_int_equal(rig.live->connections, 1);
    pool_release(&two.claim, false);
    pool_leave(shop);
    pool_leave(bank);
    rig_close();
}

static void a_full_node_gets_room_from_another_workers_pool(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 5", 1);
    struct pool *shop = rig_join(0, "shop"), *bank = rig_join(1, "bank");
    rig_claim(shop, &one, 1);
    rig_turns(8);
    pool_release(&one.claim, false);
    rig_claim(bank, &two, 2);
    rig_turns(8);
    rig_wait(120);
    rig_wait(120);
    assert_string_equal(rig.order, "g1 g2");
    pool_unclaim(&two.claim);
    if (two.claim.server)
        pool_release(&two.claim, false);
    pool_leave(shop);
    pool_leave(bank);
    rig_close();
}

static void an_idle_connection_moves_to_the_worker_that_waits(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 1", 0);
    struct pool *here = rig_join(0, "shop"), *there = rig_join(1, "shop");
    rig_claim(here, &one, 1);
    rig_turns(8);
    struct server *server = one.claim.server;
    pool_release(&one.claim, false);
    rig_claim(there, &two, 2);
    rig_turns(8);
    assert_string_equal(rig.order, "g1 g2");
    assert_ptr_equal(two.claim.server, server);
    assert_ptr_equal(server->reactor, &rig.workers[1].reactor);
    assert_int_equal(rig.node.n_peers, 1);
    server_inject_query(server, "select 1", INJECTED_PREFIX); /* it is alive there */
    rig_turns(8);
    assert_string_equal(rig.node.peers[0].heard, "Q:select~1");
    assert_int_equal(server->expect.count, 0);
    pool_release(&two.claim, false);
    pool_leave(here);
    pool_leave(there);
    rig_close();
}

static void a_busy_connection_moves_when_it_comes_back_to_who_waited_longer(void **state)
{
    (void)state;
    struct waiter one, two, three;
    rig_open("pool_size = 1", 0);
    struct pool *here = rig_join(0, "shop"), *there = rig_join(1, "shop");
    rig_claim(here, &one, 1);
    rig_turns(8);
    rig_claim(there, &two, 2);
    rig_turns(4);
    rig_claim(here, &three, 3);
    release_in_turn(&one);
    rig_turns(8);
    assert_string_equal(rig.order, "g1 g2");
    release_in_turn(&two);
    rig_wait(30);
    rig_wait(30);
    assert_string_equal(rig.order, "g1 g2 g3");
    release_in_turn(&three);
    pool_leave(here);
    pool_leave(there);
    rig_close();
}

static struct waiter *to_release;

static void release_on_ready(void *user, struct server *server, const struct answer *answer)
{
    (void)user;
    (void)server;
    if (answer->type == BACKEND_READY)
        pool_release(&to_release->claim, false);
}

static const struct server_user_events releasing = {.on_answer = release_on_ready,
    .on_raw = rig_raw,
    .on_drained = rig_nothing,
    .on_prefix_done = rig_nothing};

/* As in life: the connection is given back in the middle of its own input, while this worker has claims as
 * well. */
static void a_worker_with_a_queue_of_its_own_still_hands_over_to_who_waited_longer(void **state)
{
    (void)state;
    struct waiter one, two, three;
    rig_open("pool_size = 1", 0);
    struct pool *here = rig_join(0, "shop"), *there = rig_join(1, "shop");
    rig_claim(here, &one, 1);
    rig_turns(8);
    rig_claim(there, &two, 2);
    rig_turns(4);
    rig_claim(here, &three, 3);
    one.claim.server->user_events = &releasing;
    to_release = &one;
    server_send(one.claim.server, "Q\0\0\0\5\0", 6);
    expect_push(&one.claim.server->expect, (struct expect){.kind = EXPECT_QUERY});
    rig_turns(10);
    rig_wait(30);
    assert_string_equal(rig.order, "g1 g2");
    pool_unclaim(&three.claim);
    pool_unclaim(&two.claim);
    struct waiter *has = two.claim.server ? &two : &three;
    if (has->claim.server)
        pool_release(&has->claim, false);
    pool_leave(here);
    pool_leave(there);
    rig_close();
}

static void a_refused_connect_refuses_the_claims_that_wait(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 1", 0);
    struct pool *pool = rig_join(0, "shop");
    fake_node_refuse(&rig.node);
    rig_claim(pool, &one, 1);
    rig_turns(5);
    assert_string_equal(rig.order, "r1");
    assert_int_equal(one.why, REFUSED_NO_NODE);
    assert_int_equal(rig.live->connections, 0);
    rig_claim(pool, &two, 2); /* waits a little before the next attempt */
    assert_true(two.claim.queued);
    fake_node_listen(&rig.node);
    rig_wait(40);
    assert_string_equal(rig.order, "r1 g2");
    pool_release(&two.claim, false);
    pool_leave(pool);
    rig_close();
}

static void what_the_node_says_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *login, *sqlstate;
        enum refusal why;
    } cases[] = {
        {"F:28P01 EOF", "28P01", REFUSED_BY_NODE},
        {"F:3D000 EOF", "3D000", REFUSED_BY_NODE},
        {"F:57P03 EOF", "57P03", REFUSED_NO_NODE},
        {"EOF", "08006", REFUSED_NO_NODE},
        {"R:3", "28P01", REFUSED_BY_NODE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct waiter one;
        rig_open("pool_size = 1", 0);
        struct pool *pool = rig_join(0, "shop");
        rig.node.login = cases[i].login;
        rig_claim(pool, &one, 1);
        rig_turns(8);
        assert_string_equal(rig.order, "r1");
        assert_int_equal(one.why, cases[i].why);
        assert_string_equal(one.error.sqlstate, cases[i].sqlstate);
        pool_leave(pool);
        rig_close();
    }
}

static void a_failed_connect_query_is_the_nodes_own_word(void **state)
{
    (void)state;
    struct waiter one;
    rig_open("pool_size = 1", 0);
    struct pool_key key = {.database = "shop",
        .user = "ann",
        .client_database = "shop",
        .client_user = "ann",
        .listener = "main"};
    struct pool *pool = pool_join(&rig.workers[0].pools, &key, "nonsense");
    fake_node_script(&rig.node, "E:42601 Z:I");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    assert_string_equal(rig.order, "r1");
    assert_string_equal(one.error.sqlstate, "42601");
    assert_int_equal(one.why, REFUSED_BY_NODE);
    pool_leave(pool);
    rig_close();
}

/* One connection works and comes back soon: whoever waits need not be told that a second one is not to be
 * had. */
static void a_node_that_takes_no_more_connections_does_not_refuse_those_who_may_wait(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 5", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    rig.node.login = "F:53300 EOF";
    rig_claim(pool, &two, 2);
    rig_turns(8);
    pool_release(&one.claim, false);
    rig_turns(4);
    assert_string_equal(rig.order, "g1 g2");
    pool_release(&two.claim, false);
    pool_leave(pool);
    rig_close();
}

static void a_connection_that_breaks_is_lost_to_its_claim(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 1", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    rig_claim(pool, &two, 2);
    fake_node_drop(&rig.node, 0);
    rig_turns(10);
    assert_string_equal(rig.order, "g1 l1 g2");
    assert_null(one.claim.server);
    pool_release(&two.claim, false);
    pool_leave(pool);
    rig_close();
}

static void a_broken_or_busy_connection_is_not_reused(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 1", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    pool_release(&one.claim, true);
    rig_claim(pool, &two, 2);
    rig_turns(8);
    assert_int_equal(rig.node.n_peers, 2);
    expect_push(&two.claim.server->expect, (struct expect){.kind = EXPECT_QUERY});
    pool_release(&two.claim, false);
    rig_turns(4);
    assert_int_equal(fake_node_open_peers(&rig.node), 0);
    assert_int_equal(rig.live->connections, 0);
    pool_leave(pool);
    rig_close();
}

static void a_dirty_connection_is_reset_before_the_next(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 1", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    one.claim.server->dirty = true;
    pool_release(&one.claim, false);
    rig_claim(pool, &two, 2);
    assert_true(two.claim.queued);
    rig_turns(8);
    assert_string_equal(rig.order, "g1 g2");
    assert_string_equal(rig.node.peers[0].heard, "Q:DISCARD~ALL");
    pool_release(&two.claim, false);
    pool_leave(pool);
    rig_close();
}

static void a_connection_with_a_cancel_on_its_way_is_given_to_nobody(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 1", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    struct server *server = one.claim.server;
    server->cancels = 1;
    pool_release(&one.claim, false);
    rig_claim(pool, &two, 2);
    rig_turns(6);
    assert_string_equal(rig.order, "g1");
    pool_cancel_done(server);
    assert_string_equal(rig.order, "g1 g2");
    pool_release(&two.claim, false);
    pool_leave(pool);
    rig_close();
}

static void a_lifetime_ends_a_connection_when_it_is_free(void **state)
{
    (void)state;
    struct waiter one;
    rig_open("pool_size = 1\nserver_lifetime = 1s", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    rig_wait(1100);
    assert_non_null(one.claim.server); /* not while it is used */
    pool_release(&one.claim, false);
    rig_turns(4);
    assert_int_equal(fake_node_open_peers(&rig.node), 0);
    pool_leave(pool);
    rig_close();
}

static void a_minimum_is_kept_open(void **state)
{
    (void)state;
    rig_open("pool_size = 3\nmin_pool_size = 2", 0);
    struct waiter one;
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    pool_release(&one.claim, false);
    rig_wait(1);
    rig_wait(1);
    assert_int_equal(rig.live->connections, 2);
    pool_leave(pool);
    rig_close();
}

static void a_login_that_takes_too_long_is_given_up(void **state)
{
    (void)state;
    struct waiter one;
    rig_open("pool_size = 1", 0);
    rig.runtime->config->clusters[0].server_connect_timeout_ms = 20;
    rig.runtime->config->clusters[0].server_login_timeout_ms = 20;
    struct pool *pool = rig_join(0, "shop");
    rig.node.login = "";
    rig_claim(pool, &one, 1);
    rig_turns(4);
    assert_string_equal(rig.order, "");
    rig_wait(60);
    assert_string_equal(rig.order, "r1");
    pool_leave(pool);
    rig_close();
}

/* ---- topology ---- */

static void a_primary_that_changes_cuts_its_connections(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 5", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_claim(pool, &two, 2);
    rig_turns(8);
    pool_release(&two.claim, false);
    rig_publish(2, ROLE_REPLICA, CONDITION_UP);
    assert_string_equal(rig.order, "g1 g2 l1");
    rig_turns(4);
    assert_int_equal(fake_node_open_peers(&rig.node), 0);
    pool_leave(pool);
    rig_close();
}

static void what_was_not_sent_when_its_connection_is_cut_is_never_sent(void **state)
{
    static const char insert[] = "Q\0\0\0\x0Binsert";
    (void)state;
    struct waiter one;
    rig_open("pool_size = 5", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    stream_write(&one.claim.server->stream, insert, sizeof insert);
    rig_publish(2, ROLE_REPLICA, CONDITION_UP);
    assert_string_equal(rig.order, "g1 l1"); /* who lost it may run it elsewhere */
    rig_turns(4);
    assert_int_equal(fake_node_open_peers(&rig.node), 0);
    assert_int_equal(fake_node_count(&rig.node, "Q:insert"), 0);
    pool_leave(pool);
    rig_close();
}

static void a_replica_that_changes_ends_its_connections_as_they_become_free(void **state)
{
    (void)state;
    struct waiter one;
    rig_open("pool_size = 5", 0);
    rig_publish(1, ROLE_REPLICA, CONDITION_UP);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    rig_publish(3, ROLE_PRIMARY, CONDITION_UP); /* it was something else in between */
    assert_string_equal(rig.order, "g1");
    pool_release(&one.claim, false);
    rig_turns(4);
    assert_int_equal(fake_node_open_peers(&rig.node), 0);
    pool_leave(pool);
    rig_close();
}

static void a_replica_that_is_promoted_keeps_its_connections_once_they_are_free(void **state)
{
    (void)state;
    struct waiter one, two, three;
    rig_open("pool_size = 5", 0);
    rig_publish(1, ROLE_REPLICA, CONDITION_UP);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_claim(pool, &two, 2);
    rig_turns(8);
    struct server *used = one.claim.server, *idle = two.claim.server;
    pool_release(&two.claim, false);
    rig_publish(2, ROLE_PRIMARY, CONDITION_UP);
    assert_int_equal(used->role, ROLE_REPLICA); /* what runs there has begun on a replica */
    rig_claim(pool, &two, 3);
    assert_ptr_equal(two.claim.server, idle);
    assert_int_equal(idle->role, ROLE_PRIMARY);
    pool_release(&one.claim, false);
    rig_claim(pool, &three, 4);
    assert_ptr_equal(three.claim.server, used);
    assert_int_equal(used->role, ROLE_PRIMARY);
    pool_release(&two.claim, false);
    pool_release(&three.claim, false);
    rig_publish(3, ROLE_REPLICA, CONDITION_UP); /* and end as a primary's */
    rig_turns(4);
    assert_int_equal(fake_node_open_peers(&rig.node), 0);
    pool_leave(pool);
    rig_close();
}

static void a_node_at_another_address_cuts_its_connections_whatever_its_role(void **state)
{
    (void)state;
    static const enum node_role roles[] = {ROLE_PRIMARY, ROLE_REPLICA};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        struct waiter one, two;
        rig_open("pool_size = 5", 0);
        rig_publish(1, roles[i], CONDITION_UP);
        struct pool *pool = rig_join(0, "shop");
        rig_claim(pool, &one, 1);
        rig_claim(pool, &two, 2);
        rig_turns(8);
        pool_release(&two.claim, false);
        struct topology *moved = rig_topology(1, roles[i], CONDITION_UP);
        moved->nodes[0].moves++;
        pools_set_topology(&rig.workers[0].pools, moved);
        assert_string_equal(rig.order, "g1 g2 l1");
        rig_turns(4);
        assert_int_equal(fake_node_open_peers(&rig.node), 0);
        rig_claim(pool, &one, 3);
        rig_turns(8);
        assert_string_equal(rig.order, "g1 g2 l1 g3");
        pool_release(&one.claim, false);
        pool_leave(pool);
        rig_close();
    }
}

static void a_node_that_is_down_refuses_who_waits(void **state)
{
    (void)state;
    struct waiter one;
    rig_open("pool_size = 5", 0);
    rig.node.login = "";
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(4);
    rig_publish(1, ROLE_PRIMARY, CONDITION_DOWN);
    assert_string_equal(rig.order, "r1");
    assert_int_equal(one.why, REFUSED_NO_NODE);
    assert_int_equal(rig.live->connections, 0);
    pool_leave(pool);
    rig_close();
}

static void a_primary_that_is_leaving_refuses_who_waits_and_keeps_who_runs(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 1", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    rig_claim(pool, &two, 2);
    struct topology *leaving = rig_topology(1, ROLE_PRIMARY, CONDITION_UP);
    leaving->primary = -1;
    pools_set_topology(&rig.workers[0].pools, leaving);
    assert_string_equal(rig.order, "g1 r2");
    assert_int_equal(two.why, REFUSED_NO_NODE);
    pool_release(&one.claim, false);
    assert_int_equal(rig.live->connections, 1);
    pool_leave(pool);
    rig_close();
}

/* ---- reload ---- */

static void a_cluster_that_moves_in_the_file_keeps_its_pool_and_shares_it_with_no_other(void **state)
{
    (void)state;
    rig_open("pool_size = 5", 0);
    struct pools *pools = &rig.workers[0].pools;
    struct pool *old = rig_join(0, "shop");
    struct runtime *runtime = rig_runtime("pool_size = 5", RIG_CLUSTER("first") RIG_CLUSTER("main"));
    pools_set_runtime(pools, runtime);
    assert_int_equal(pool_cluster(old), 1);
    struct pool *other = rig_join(0, "shop"); /* of cluster 0, which is now another one */
    assert_int_equal(pool_cluster(other), 0);
    assert_ptr_not_equal(other, old);
    pool_leave(old);
    pool_leave(other);
    runtime_unref(runtime);
    rig_close();
}

static void limits_follow_a_reload(void **state)
{
    (void)state;
    struct waiter one, two;
    rig_open("pool_size = 1", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_claim(pool, &two, 2);
    rig_turns(8);
    assert_string_equal(rig.order, "g1");
    struct runtime *runtime = rig_runtime("pool_size = 2", RIG_CLUSTER("main"));
    pools_set_runtime(&rig.workers[0].pools, runtime);
    rig_turns(8);
    assert_string_equal(rig.order, "g1 g2");
    pool_release(&one.claim, false);
    pool_release(&two.claim, false);
    pool_leave(pool);
    runtime_unref(runtime);
    rig_close();
}

static void a_pool_that_nobody_uses_is_forgotten(void **state)
{
    (void)state;
    struct waiter one;
    rig_open("pool_size = 1", 0);
    struct pool *pool = rig_join(0, "shop");
    rig_claim(pool, &one, 1);
    rig_turns(8);
    pool_release(&one.claim, true);
    pool_leave(pool);
    rig_wait(10);
    assert_int_equal(HASH_COUNT(rig.workers[0].pools.by_key), 1);
    rig_wait(1100);
    assert_int_equal(HASH_COUNT(rig.workers[0].pools.by_key), 0);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_is_queued_until_its_connection_is_open_and_then_reused),
        cmocka_unit_test(claims_are_served_first_come_first_served),
        cmocka_unit_test(the_pools_size_is_never_exceeded_and_the_reserve_comes_late),
        cmocka_unit_test(a_full_node_gets_room_from_another_pools_idle_connection),
        cmocka_unit_test(a_full_node_gets_room_from_another_workers_pool),
        cmocka_unit_test(an_idle_connection_moves_to_the_worker_that_waits),
        cmocka_unit_test(a_busy_connection_moves_when_it_comes_back_to_who_waited_longer),
        cmocka_unit_test(a_worker_with_a_queue_of_its_own_still_hands_over_to_who_waited_longer),
        cmocka_unit_test(a_refused_connect_refuses_the_claims_that_wait),
        cmocka_unit_test(what_the_node_says_is_told),
        cmocka_unit_test(a_failed_connect_query_is_the_nodes_own_word),
        cmocka_unit_test(a_node_that_takes_no_more_connections_does_not_refuse_those_who_may_wait),
        cmocka_unit_test(a_connection_that_breaks_is_lost_to_its_claim),
        cmocka_unit_test(a_broken_or_busy_connection_is_not_reused),
        cmocka_unit_test(a_dirty_connection_is_reset_before_the_next),
        cmocka_unit_test(a_connection_with_a_cancel_on_its_way_is_given_to_nobody),
        cmocka_unit_test(a_lifetime_ends_a_connection_when_it_is_free),
        cmocka_unit_test(a_minimum_is_kept_open),
        cmocka_unit_test(a_login_that_takes_too_long_is_given_up),
        cmocka_unit_test(a_primary_that_changes_cuts_its_connections),
        cmocka_unit_test(what_was_not_sent_when_its_connection_is_cut_is_never_sent),
        cmocka_unit_test(a_node_at_another_address_cuts_its_connections_whatever_its_role),
        cmocka_unit_test(a_replica_that_changes_ends_its_connections_as_they_become_free),
        cmocka_unit_test(a_replica_that_is_promoted_keeps_its_connections_once_they_are_free),
        cmocka_unit_test(a_node_that_is_down_refuses_who_waits),
        cmocka_unit_test(a_primary_that_is_leaving_refuses_who_waits_and_keeps_who_runs),
        cmocka_unit_test(a_cluster_that_moves_in_the_file_keeps_its_pool_and_shares_it_with_no_other),
        cmocka_unit_test(limits_follow_a_reload),
        cmocka_unit_test(a_pool_that_nobody_uses_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
