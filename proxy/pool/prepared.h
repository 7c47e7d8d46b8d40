/*
 * Prepared statements that sessions share: one entry per query text, declared parameter types, and `space`, a
 * hash of everything else that matters when parsing (cluster, database, the session's settings).
 *
 * Ids are unique in the process, since servers move between workers. One registry per worker, one thread.
 */
#ifndef ROLECALL_POOL_PREPARED_H
#define ROLECALL_POOL_PREPARED_H

#include "router/classify.h"

#include <stdint.h>

struct prepared {
    uint64_t id;
    struct slice query; /* owned; a NUL follows */
    uint16_t n_types;
    struct slice types;          /* owned; big-endian oids as sent */
    struct classification class; /* of the query, when `classed`; as of classed_serial */
    uint64_t classed_serial;
    bool classed;
    uint32_t refs;
};

struct prepared_registry;

struct prepared_registry *prepared_registry_new(uint32_t worker);
void prepared_registry_free(struct prepared_registry *registry); /* every statement must have been dropped */

/* One reference is the caller's; NULL when out of memory. */
struct prepared *prepared_get(struct prepared_registry *registry, uint64_t space, struct slice query,
    uint16_t n_types, struct slice types);
struct prepared *prepared_ref(struct prepared *prepared);
void prepared_unref(struct prepared_registry *registry, struct prepared *prepared); /* NULL is allowed */
size_t prepared_count(const struct prepared_registry *registry);

#endif
