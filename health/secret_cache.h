/*
 * What auth_query answered, by user. Bounded: the entry that was used longest ago makes room, among the users
 * that exist and among those that do not apart, so nobody drives out secrets by asking for made-up names.
 * Secrets are wiped when they go. One owner, one thread; time comes as a number.
 */
#ifndef ROLECALL_HEALTH_SECRET_CACHE_H
#define ROLECALL_HEALTH_SECRET_CACHE_H

#include "router/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret_cache;

struct cached_secret {
    bool found;   /* false: no such user */
    bool expired; /* to be asked for again, however young */
    uint64_t asked_at_us;
    char secret[MESSAGE_SECRET_MAX];
};

/* max_entries of each kind */
struct secret_cache *secret_cache_new(size_t max_entries);
void secret_cache_free(struct secret_cache *cache); /* NULL is allowed */
/* NULL when nothing is known. Valid until the next call. */
const struct cached_secret *secret_cache_get(struct secret_cache *cache, const char *user);
/* secret NULL: no such user. Longer ones than a message holds are not kept (returns false). */
bool secret_cache_put(struct secret_cache *cache, const char *user, const char *secret, uint64_t now_us);
/* Every answer counts as old from now on, but is kept for an outage. */
void secret_cache_expire(struct secret_cache *cache);
size_t secret_cache_count(const struct secret_cache *cache, bool found);

#endif
