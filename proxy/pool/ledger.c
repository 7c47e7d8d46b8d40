/* Process-wide pool accounts; see ledger.h. The table holds no reference: the last owner takes the entry out.
 */
#include "proxy/pool/ledger.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct ledger {
    uint32_t refs; /* under the table's lock */
    struct node_live *node;
    _Atomic uint32_t connections, waiting;
    _Atomic bool reads_sequences;
    UT_hash_handle hh;
    size_t key_len;
    char key[]; /* cluster NUL database NUL user NUL address of the node's record */
};

/* The one table of the process: guarded by its lock, never touched while a query is served. */
static struct {
    pthread_mutex_t lock;
    struct ledger *by_key;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct ledger *ledger_find(
    const char *cluster, const char *database, const char *user, struct node_live *node)
{
    size_t c = strlen(cluster) + 1, d = strlen(database) + 1, u = strlen(user) + 1;
    size_t key_len = c + d + u + sizeof node;
    struct ledger *fresh = calloc(1, sizeof *fresh + key_len);
    if (!fresh)
        abort();
    fresh->key_len = key_len;
    memcpy(fresh->key, cluster, c);
    memcpy(fresh->key + c, database, d);
    memcpy(fresh->key + c + d, user, u);
    memcpy(fresh->key + c + d + u, &node, sizeof node);

    struct ledger *ledger;
    pthread_mutex_lock(&table.lock);
    HASH_FIND(hh, table.by_key, fresh->key, key_len, ledger);
    if (!ledger) {
        ledger = fresh;
        ledger->node = node_live_ref(node);
        HASH_ADD_KEYPTR(hh, table.by_key, ledger->key, key_len, ledger);
    }
    ledger->refs++;
    pthread_mutex_unlock(&table.lock);
    if (ledger != fresh)
        free(fresh);
    return ledger;
}

struct ledger *ledger_ref(struct ledger *ledger)
{
    pthread_mutex_lock(&table.lock);
    ledger->refs++;
    pthread_mutex_unlock(&table.lock);
    return ledger;
}

void ledger_unref(struct ledger *ledger)
{
    if (!ledger)
        return;
    pthread_mutex_lock(&table.lock);
    bool last = --ledger->refs == 0;
    if (last)
        HASH_DELETE(hh, table.by_key, ledger);
    pthread_mutex_unlock(&table.lock);
    if (!last)
        return;
    assert(ledger->connections == 0);
    node_live_unref(ledger->node);
    free(ledger);
}

static bool raise_below(_Atomic uint32_t *count, uint32_t limit)
{
    uint32_t now = atomic_load_explicit(count, memory_order_relaxed);
    while (now < limit)
        if (atomic_compare_exchange_weak(count, &now, now + 1))
            return true;
    return false;
}

enum ledger_room ledger_reserve(struct ledger *ledger, uint32_t pool_size, uint32_t node_max)
{
    if (!raise_below(&ledger->connections, pool_size ? pool_size : UINT32_MAX))
        return LEDGER_POOL_FULL;
    if (raise_below(&ledger->node->connections, node_max ? node_max : UINT32_MAX))
        return LEDGER_ROOM;
    ledger->connections--;
    return LEDGER_NODE_FULL;
}

void ledger_release(struct ledger *ledger)
{
    assert(ledger->connections > 0 && ledger->node->connections > 0);
    ledger->node->connections--;
    ledger->connections--;
}

struct node_live *ledger_node(const struct ledger *ledger)
{
    return ledger->node;
}

uint32_t ledger_connections(const struct ledger *ledger)
{
    return ledger->connections;
}

void ledger_waiting(struct ledger *ledger, int change)
{
    atomic_fetch_add_explicit(&ledger->waiting, (uint32_t)change, memory_order_relaxed);
}

uint32_t ledger_waiting_count(const struct ledger *ledger)
{
    return atomic_load_explicit(&ledger->waiting, memory_order_relaxed);
}

void ledger_set_reads_sequences(struct ledger *ledger)
{
    atomic_store_explicit(&ledger->reads_sequences, true, memory_order_relaxed);
}

bool ledger_reads_sequences(const struct ledger *ledger)
{
    return atomic_load_explicit(&ledger->reads_sequences, memory_order_relaxed);
}
