/* Times by pool and node; see meter.h. The list only grows, at its head, under a lock; it is read without. */
#include "proxy/pool/meter.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The one list of the process. */
static struct {
    pthread_mutex_t lock;
    struct meter *_Atomic first;
    uint32_t n; /* guarded by the lock */
} list = {.lock = PTHREAD_MUTEX_INITIALIZER};

const struct meter *meters_first(void)
{
    return atomic_load_explicit(&list.first, memory_order_acquire);
}

static struct meter *find(const char *cluster, const char *database, const char *user, const char *node)
{
    struct meter *meter = atomic_load_explicit(&list.first, memory_order_relaxed);
    while (meter && (strcmp(meter->cluster, cluster) != 0 || strcmp(meter->database, database) != 0 ||
                        strcmp(meter->user, user) != 0 || strcmp(meter->node, node) != 0))
        meter = (struct meter *)meter->next;
    return meter;
}

static struct meter *make(const char *cluster, const char *database, const char *user, const char *node)
{
    struct meter *meter = calloc(1, sizeof *meter);
    if (!meter)
        abort();
    snprintf(meter->cluster, sizeof meter->cluster, "%s", cluster);
    snprintf(meter->database, sizeof meter->database, "%s", database);
    snprintf(meter->user, sizeof meter->user, "%s", user);
    snprintf(meter->node, sizeof meter->node, "%s", node);
    meter->next = atomic_load_explicit(&list.first, memory_order_relaxed);
    atomic_store_explicit(&list.first, meter, memory_order_release);
    list.n++;
    return meter;
}

struct meter_share *meter_share(
    const char *cluster, const char *database, const char *user, const char *node, uint32_t worker)
{
    assert(worker < METER_WORKERS_MAX);
    pthread_mutex_lock(&list.lock);
    struct meter *meter = find(cluster, database, user, node);
    if (!meter && list.n >= METERS_MAX) {
        database = user = "*";
        meter = find(cluster, database, user, node);
    }
    if (!meter)
        meter = make(cluster, database, user, node);
    struct meter_share *share = atomic_load_explicit(&meter->shares[worker], memory_order_relaxed);
    if (!share) {
        share = calloc(1, sizeof *share);
        if (!share)
            abort();
        atomic_store_explicit(&meter->shares[worker], share, memory_order_release);
    }
    pthread_mutex_unlock(&list.lock);
    return share;
}

void meter_merge(const struct meter *meter, enum meter_phase phase, struct histogram *into)
{
    for (uint32_t i = 0; i < METER_WORKERS_MAX; i++) {
        const struct meter_share *share = atomic_load_explicit(&meter->shares[i], memory_order_acquire);
        if (share)
            histogram_merge(into, &share->phases[phase]);
    }
}

uint64_t meter_total(const struct meter *meter, enum meter_sum sum)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < METER_WORKERS_MAX; i++) {
        const struct meter_share *share = atomic_load_explicit(&meter->shares[i], memory_order_acquire);
        if (share)
            total += atomic_load_explicit(&share->sums[sum], memory_order_relaxed);
    }
    return total;
}

const char *meter_phase_name(enum meter_phase phase)
{
    static const char *const names[METER_PHASES] = {[METER_WAIT] = "wait",
        [METER_LOGIN] = "login",
        [METER_NODE] = "node",
        [METER_CLIENT] = "client",
        [METER_REQUEST] = "request"};
    assert(phase < METER_PHASES);
    return names[phase];
}
