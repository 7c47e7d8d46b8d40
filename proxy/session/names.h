/*
 * The prepared statements of one session: the client's names, and what they stand for. Bounded by whoever
 * adds; one thread.
 */
#ifndef ROLECALL_SESSION_NAMES_H
#define ROLECALL_SESSION_NAMES_H

#include "proxy/pool/prepared.h"

#include <uthash.h>

struct name {
    struct prepared *prepared; /* one reference */
    uint64_t key;              /* the statement's */
    uint64_t told;             /* hash of the columns that the client was told of; 0: it was told of none */
    UT_hash_handle hh, hh_key;
    size_t len;
    char text[];
};

struct names {
    struct name *by_name, *by_key; /* hashes */
    bool unsettled;                /* the settings of some are not known yet */
    bool mixed;                    /* some may have been parsed under other settings than the session's now */
    bool doubled;                  /* some stand, or have stood, for the same statement */
};

/* NULL when there is none of that name. Like PostgreSQL, only the first 63 bytes of it count. */
struct prepared *names_find(const struct names *names, struct slice name);
struct name *names_entry(const struct names *names, struct slice name);
/* One that stands for the statement with this key. */
struct name *names_by_key(const struct names *names, uint64_t key);
/* The client was told of the columns of the statement with this key. */
void names_tell(struct names *names, uint64_t key, uint64_t columns);
/* Takes over the reference. False when the name is taken or memory is out (the reference is then still the
 * caller's). */
bool names_add(struct names *names, struct slice name, struct prepared *prepared);
/* Gives the reference back to the caller; NULL when there was none. */
struct prepared *names_remove(struct names *names, struct slice name);
void names_clear(struct names *names, struct prepared_registry *registry);
size_t names_count(const struct names *names);
/* For comparing names of portals and statements. */
uint64_t names_hash(struct slice name);
/* What was parsed while the session's settings were not known was parsed under these. */
void names_settle(struct names *names, const struct settings *settings);

#endif
