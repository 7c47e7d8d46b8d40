/* The process-wide account: four threads that take and give back never pass a limit and leave nothing behind.
 */
#include "proxy/pool/ledger.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 20000, POOL_SIZE = 3, NODE_MAX = 5 };

struct shared {
    struct node_live *node;
    _Atomic uint32_t in_pool[2], on_node, worst_pool, worst_node, granted, pool_full, node_full;
};

static void raise_to(_Atomic uint32_t *worst, uint32_t now)
{
    uint32_t before = *worst;
    while (now > before && !atomic_compare_exchange_weak(worst, &before, now))
        ;
}

static void *hammer(void *argument)
{
    struct shared *shared = argument;
    for (int round = 0; round < ROUNDS; round++) {
        int pool = round & 1;
        struct ledger *ledger = ledger_find("main", pool ? "bank" : "shop", "ann", shared->node);
        struct ledger *again = ledger_ref(ledger);
        ledger_unref(ledger);
        switch (ledger_reserve(again, POOL_SIZE, NODE_MAX)) {
        case LEDGER_ROOM:
            raise_to(&shared->worst_pool, ++shared->in_pool[pool]);
            raise_to(&shared->worst_node, ++shared->on_node);
            shared->granted++;
            if (round % 64 == 0)
                sched_yield();
            shared->in_pool[pool]--;
            shared->on_node--;
            ledger_release(again);
            break;
        case LEDGER_POOL_FULL: shared->pool_full++; break;
        case LEDGER_NODE_FULL: shared->node_full++; break;
        }
        ledger_waiting(again, 1);
        ledger_waiting(again, -1);
        ledger_unref(again);
    }
    return NULL;
}

static void threads_never_pass_a_limit(void **state)
{
    (void)state;
    struct shared shared = {.node = node_live_new("one")};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &shared), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(shared.granted > 0);
    assert_true(shared.worst_pool <= POOL_SIZE);
    assert_true(shared.worst_node <= NODE_MAX);
    assert_int_equal(shared.node->connections, 0);
    assert_int_equal(shared.node->refs, 1); /* every ledger is gone */
    node_live_unref(shared.node);
}

static void limits_say_which_of_them_is_full(void **state)
{
    (void)state;
    struct node_live *node = node_live_new("one"), *other = node_live_new("one");
    struct ledger *shop = ledger_find("main", "shop", "ann", node),
                  *bank = ledger_find("main", "bank", "ann", node);
    struct ledger *same = ledger_find("main", "shop", "ann", node),
                  *elsewhere = ledger_find("main", "shop", "ann", other);
    assert_ptr_equal(shop, same);
    assert_ptr_not_equal(shop, elsewhere);
    assert_int_equal(ledger_reserve(shop, 2, 3), LEDGER_ROOM);
    assert_int_equal(ledger_reserve(same, 2, 3), LEDGER_ROOM);
    assert_int_equal(ledger_reserve(shop, 2, 3), LEDGER_POOL_FULL);
    assert_int_equal(ledger_reserve(bank, 0, 3), LEDGER_ROOM);
    assert_int_equal(ledger_reserve(bank, 0, 3), LEDGER_NODE_FULL);
    assert_int_equal(ledger_connections(bank), 1); /* a refusal takes nothing */
    assert_int_equal(ledger_reserve(bank, 0, 0), LEDGER_ROOM);
    assert_int_equal(node->connections, 4);
    assert_int_equal(ledger_connections(elsewhere), 0);
    ledger_release(shop);
    ledger_release(shop);
    ledger_release(bank);
    ledger_release(bank);
    ledger_waiting(shop, 2);
    ledger_waiting(same, -1);
    assert_int_equal(ledger_waiting_count(shop), 1);
    ledger_waiting(shop, -1);
    ledger_unref(shop);
    ledger_unref(same);
    ledger_unref(bank);
    ledger_unref(elsewhere);
    ledger_unref(NULL);
    assert_int_equal(node->refs, 1);
    node_live_unref(node);
    node_live_unref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_never_pass_a_limit),
        cmocka_unit_test(limits_say_which_of_them_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
