/*
 * The prepared statements of one session: the client's names, and what they stand for. Bounded; one thread.
 */
#ifndef ROLECALL_SESSION_NAMES_H
#define ROLECALL_SESSION_NAMES_H

#include "proxy/pool/prepared.h"

struct name_entry;

struct names {
    struct name_entry *by_name; /* hash */
};

/* NULL when there is none of that name. */
struct prepared *names_find(const struct names *names, struct slice name);
/* Takes over the reference. False when the name is taken or memory is out (the reference is then still the
 * caller's). */
bool names_add(struct names *names, struct slice name, struct prepared *prepared);
/* Gives the reference back to the caller; NULL when there was none. */
struct prepared *names_remove(struct names *names, struct slice name);
void names_clear(struct names *names, struct prepared_registry *registry);
size_t names_count(const struct names *names);

#endif
