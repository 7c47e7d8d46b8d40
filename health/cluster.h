/*
 * The watch over one cluster: its nodes, the verdict about them, and what follows from it (publication,
 * sampling, secrets, catalogues, the memory on disk). Owned by control.c; control thread only.
 */
#ifndef ROLECALL_HEALTH_CLUSTER_H
#define ROLECALL_HEALTH_CLUSTER_H

#include "health/publish.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct cluster;

/* Publishes a first topology at once and begins to look. Takes a reference of config; subscribers must
 * outlive it. */
struct cluster *cluster_open(
    uv_loop_t *loop, struct config *config, size_t index, const struct subscribers *subscribers);

const char *cluster_name(const struct cluster *cluster);

/* config->clusters[index] is this cluster's new configuration. Nodes that stay keep record, evidence and
 * role. */
void cluster_reload(struct cluster *cluster, struct config *config, size_t index);

/* False when the record is of no node of this cluster. */
bool cluster_hint(struct cluster *cluster, const struct node_live *live, enum node_hint hint);
/* Takes the message. */
void cluster_secret_request(struct cluster *cluster, struct message *message);
void cluster_catalogue_request(struct cluster *cluster, const char *database, bool changed);

/* The operator's word about a node ("" = all, for ORDER_PROBE alone). What comes of it is logged, and in the
   next topology; false fills the error: nothing has changed. */
bool cluster_order(
    struct cluster *cluster, enum node_order order, const char *node, uint32_t weight, struct error *error);

/* Takes an ORDER_SWITCHOVER, and replies when it is over; or an ORDER_CALL_OFF. */
void cluster_switchover(struct cluster *cluster, struct message *message);

/* No callback and no publication afterwards; the memory goes when the loop has closed the handles. */
void cluster_close(struct cluster *cluster);

#endif
