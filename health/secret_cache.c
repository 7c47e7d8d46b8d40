/* The cache of verifiers; see secret_cache.h. A hash in the order of use: uthash keeps insertion order, and
   an entry that is used is taken out and added again. */
#include "health/secret_cache.h"

#include "health/memory.h"

#include <stdio.h>
#include <uthash.h>

struct entry {
    char user[MESSAGE_NAME_MAX];
    struct cached_secret value;
    UT_hash_handle hh;
};

struct secret_cache {
    struct entry *kinds[2]; /* by `found`; each in the order of use */
    size_t max_entries;
};

struct secret_cache *secret_cache_new(size_t max_entries)
{
    struct secret_cache *cache = memory_new(1, sizeof *cache);
    cache->max_entries = max_entries;
    return cache;
}

static void drop(struct entry **entries, struct entry *entry)
{
    HASH_DEL(*entries, entry);
    explicit_bzero(entry, sizeof *entry);
    free(entry);
}

void secret_cache_free(struct secret_cache *cache)
{
    if (!cache)
        return;
    for (int kind = 0; kind < 2; kind++) {
        while (cache->kinds[kind])
            drop(&cache->kinds[kind], cache->kinds[kind]);
    }
    free(cache);
}

const struct cached_secret *secret_cache_get(struct secret_cache *cache, const char *user)
{
    for (int kind = 1; kind >= 0; kind--) {
        struct entry *entry;
        HASH_FIND_STR(cache->kinds[kind], user, entry);
        if (entry) {
            HASH_DEL(cache->kinds[kind], entry);
            HASH_ADD_STR(cache->kinds[kind], user, entry);
            return &entry->value;
        }
    }
    return NULL;
}

static void forget(struct secret_cache *cache, const char *user)
{
    for (int kind = 0; kind < 2; kind++) {
        struct entry *entry;
        HASH_FIND_STR(cache->kinds[kind], user, entry);
        if (entry)
            drop(&cache->kinds[kind], entry);
    }
}

bool secret_cache_put(struct secret_cache *cache, const char *user, const char *secret, uint64_t now_us)
{
    struct entry **entries = &cache->kinds[secret != NULL];
    forget(cache, user);
    if (strlen(user) >= MESSAGE_NAME_MAX || (secret && strlen(secret) >= MESSAGE_SECRET_MAX))
        return false;
    if (HASH_COUNT(*entries) >= cache->max_entries)
        drop(entries, *entries);
    struct entry *entry = memory_new(1, sizeof *entry);
    snprintf(entry->user, sizeof entry->user, "%s", user);
    entry->value.found = secret != NULL;
    entry->value.asked_at_us = now_us;
    snprintf(entry->value.secret, sizeof entry->value.secret, "%s", secret ? secret : "");
    HASH_ADD_STR(*entries, user, entry);
    return true;
}

void secret_cache_expire(struct secret_cache *cache)
{
    for (int kind = 0; kind < 2; kind++) {
        for (struct entry *entry = cache->kinds[kind]; entry; entry = entry->hh.next)
            entry->value.expired = true;
    }
}

size_t secret_cache_count(const struct secret_cache *cache, bool found)
{
    return HASH_COUNT(cache->kinds[found]);
}
