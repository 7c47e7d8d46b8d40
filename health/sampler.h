/*
 * Read your own writes: numbers the moments at which the primary's position was looked at, and tells of each
 * replica which of them it has replayed (cluster_live.started, node_live.replayed_epoch; see
 * router/topology.h).
 *
 * Ordinary probes feed it one sample per look. When a session misses an epoch (cluster_live.wanted_at_us is
 * raised) it asks by itself, over connections of its own that go again when nobody wants them. Owned by the
 * cluster's watch; control thread only.
 */
#ifndef ROLECALL_HEALTH_SAMPLER_H
#define ROLECALL_HEALTH_SAMPLER_H

#include "health/endpoint.h"
#include "health/judge.h"
#include "health/settings.h"
#include "router/topology.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct sampler;

/* What it must know of a node; the pointers must live until sampler_close. */
struct sampler_node {
    struct endpoint *endpoint;
    struct node_live *live;
};

/* Takes references of the records. All replayed epochs begin at 0. */
struct sampler *sampler_open(uv_loop_t *loop, const struct settings *settings, struct cluster_live *live,
    const struct sampler_node *nodes, size_t n_nodes);

/* After each verdict: who is primary, and whose positions can be compared with the primary's. */
void sampler_roles(struct sampler *sampler, const struct verdict *verdict, const struct evidence *evidence);

/* The moment of a question about the primary's position. number 0: there is none. */
struct sample_mark {
    uint64_t number, asked_at_us;
};

/* Just before such a question is sent: the next number, already raised for all to see. */
struct sample_mark sampler_begin(struct sampler *sampler);
/* A probe's answer, asked at `mark`. */
void sampler_observed(
    struct sampler *sampler, size_t node, const struct sample_mark *mark, const struct observation *seen);
/* A connection to this node broke: what it had replayed may be gone. */
void sampler_broken(struct sampler *sampler, size_t node);

/* No callback afterwards. NULL is allowed. */
void sampler_close(struct sampler *sampler);

#endif
