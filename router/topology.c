/*
 * Snapshots and their shared records; see topology.h.
 *
 * The control thread makes a snapshot, fills it and publishes it; each reader takes a reference and drops it
 * when the next one arrives. The last reference frees the strings and drops the snapshot's references to the
 * shared records, which live on as long as anybody else holds them. Running out of memory ends the process:
 * without a topology there is nothing to route by.
 */
#include "router/topology.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must_have(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void take(_Atomic uint32_t *refs)
{
    uint32_t before = atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
}

/* True when that was the last reference; everything done before by other holders is visible then. */
static bool drop(_Atomic uint32_t *refs)
{
    uint32_t before = atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel);
    assert(before > 0);
    return before == 1;
}

struct topology *topology_new(const char *cluster, size_t n_nodes)
{
    assert(n_nodes <= TOPOLOGY_MAX_NODES);
    struct topology *topology = must_have(calloc(1, sizeof *topology));
    topology->cluster = must_have(strdup(cluster));
    if (n_nodes > 0)
        topology->nodes = must_have(calloc(n_nodes, sizeof *topology->nodes));
    topology->n_nodes = n_nodes;
    topology->primary = -1;
    atomic_store_explicit(&topology->refs, 1, memory_order_relaxed);
    return topology;
}

struct topology *topology_ref(struct topology *topology)
{
    take(&topology->refs);
    return topology;
}

void topology_unref(struct topology *topology)
{
    if (!topology || !drop(&topology->refs))
        return;
    for (size_t i = 0; i < topology->n_nodes; i++) {
        struct topology_node *node = &topology->nodes[i];
        free(node->name);
        free(node->host);
        free(node->hostaddr);
        free(node->reason);
        node_live_unref(node->live);
    }
    free(topology->nodes);
    free(topology->cluster);
    free(topology->no_primary_reason);
    cluster_live_unref(topology->live);
    free(topology);
}

bool topology_is_leaving(const struct topology *topology, size_t node)
{
    assert(node < topology->n_nodes);
    return topology->nodes[node].role == ROLE_PRIMARY && topology->primary != (int)node;
}

int topology_find(const struct topology *topology, const struct node_live *live)
{
    for (size_t i = 0; live && i < topology->n_nodes; i++) {
        if (topology->nodes[i].live == live)
            return (int)i;
    }
    return -1;
}

struct node_live *node_live_new(const char *name)
{
    struct node_live *live = must_have(calloc(1, sizeof *live));
    snprintf(live->name, sizeof live->name, "%s", name);
    atomic_store_explicit(&live->lag_ms, UINT64_MAX, memory_order_relaxed);
    atomic_store_explicit(&live->refs, 1, memory_order_relaxed);
    return live;
}

struct node_live *node_live_ref(struct node_live *live)
{
    take(&live->refs);
    return live;
}

void node_live_unref(struct node_live *live)
{
    if (live && drop(&live->refs))
        free(live);
}

struct cluster_live *cluster_live_new(void)
{
    struct cluster_live *live = must_have(calloc(1, sizeof *live));
    atomic_store_explicit(&live->refs, 1, memory_order_relaxed);
    return live;
}

struct cluster_live *cluster_live_ref(struct cluster_live *live)
{
    take(&live->refs);
    return live;
}

void cluster_live_unref(struct cluster_live *live)
{
    if (live && drop(&live->refs))
        free(live);
}

const char *node_role_name(enum node_role role)
{
    switch (role) {
    case ROLE_UNKNOWN: return "unknown";
    case ROLE_PRIMARY: return "primary";
    case ROLE_REPLICA: return "replica";
    case ROLE_MASTER: return "master";
    }
    return "unknown";
}

const char *node_condition_name(enum node_condition condition)
{
    switch (condition) {
    case CONDITION_UP: return "up";
    case CONDITION_SUSPECT: return "suspect";
    case CONDITION_DOWN: return "down";
    }
    return "unknown";
}

const char *node_duty_name(enum node_duty duty)
{
    switch (duty) {
    case DUTY_ENABLED: return "enabled";
    case DUTY_DRAINED: return "drained";
    case DUTY_DISABLED: return "disabled";
    }
    return "unknown";
}

const char *node_following_name(enum node_following following)
{
    switch (following) {
    case FOLLOWING_UNKNOWN: return NULL;
    case FOLLOWING_NONE: return "none";
    case FOLLOWING_SILENT: return "silent";
    case FOLLOWING_STREAM: return "streaming";
    }
    return NULL;
}
