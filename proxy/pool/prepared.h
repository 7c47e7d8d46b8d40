/*
 * Prepared statements that sessions share: one entry per kind, text, declared parameter types, and `space`, a
 * hash of everything else that matters when parsing (cluster, database, the session's settings).
 *
 * An entry lives while a session has a name for it; its names on servers go by their own bounds. Ids are
 * unique in the process, since servers move between workers. One registry per worker, one thread.
 */
#ifndef ROLECALL_POOL_PREPARED_H
#define ROLECALL_POOL_PREPARED_H

#include "proxy/server/settings.h"
#include "router/classify.h"

#include <stdint.h>

/* What makes two statements the same, but for `settings` (those of `space`) and `statement`. */
struct prepared_key {
    uint64_t space;
    bool sql;           /* by PREPARE; else by Parse */
    struct slice query; /* PREPARE: what follows the name */
    uint16_t n_types;
    struct slice types;              /* big-endian oids as sent */
    struct slice statement;          /* what is prepared, inside `query` */
    const struct settings *settings; /* that it is parsed under; NULL: not known yet */
};

struct prepared {
    uint64_t key; /* its own for ever; unique in the process */
    uint64_t id;  /* its name on servers; another one when what servers hold of it is stale */
    bool sql;
    bool names;             /* its text names other prepared statements (EXECUTE, DEALLOCATE ...) */
    struct slice query;     /* owned; a NUL follows */
    struct slice statement; /* inside it */
    uint16_t n_types;
    struct slice types;              /* owned; big-endian oids as sent */
    const struct settings *settings; /* that it is parsed under; one reference; NULL: not known yet */
    uint64_t schema;                 /* serial of the database's schema when it got its id */
    struct classification class;     /* of the statement, when `classed`; as of classed_serial */
    uint64_t classed_serial;
    bool classed;
    uint32_t refs;
};

struct prepared_registry;

struct prepared_registry *prepared_registry_new(uint32_t worker);
void prepared_registry_free(struct prepared_registry *registry); /* every statement must have been dropped */

/* One reference is the caller's; NULL when out of memory. */
struct prepared *prepared_get(struct prepared_registry *registry, const struct prepared_key *key);
struct prepared *prepared_ref(struct prepared *prepared);
void prepared_unref(struct prepared_registry *registry, struct prepared *prepared); /* NULL is allowed */
/* Gives it a new id: no server uses what it holds under the old one any more. */
void prepared_renew(struct prepared_registry *registry, struct prepared *prepared);
void prepared_each(const struct prepared_registry *registry, void *context,
    void (*visit)(void *context, const struct prepared *));
size_t prepared_count(const struct prepared_registry *registry);

#endif
