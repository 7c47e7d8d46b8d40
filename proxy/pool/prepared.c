/* The registry of shared prepared statements; see prepared.h. */
#include "proxy/pool/prepared.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
    struct prepared prepared; /* first */
    UT_hash_handle hh;
    size_t key_len;
    char key[]; /* space, n_types, types, query, NUL */
};

struct prepared_registry {
    struct entry *by_key;
    uint64_t next_id;
};

struct prepared_registry *prepared_registry_new(uint32_t worker)
{
    struct prepared_registry *registry = calloc(1, sizeof *registry);
    if (registry)
        registry->next_id = ((uint64_t)worker << 48) + 1;
    return registry;
}

void prepared_registry_free(struct prepared_registry *registry)
{
    assert(!registry || !registry->by_key);
    free(registry);
}

static struct entry *entry_new(uint64_t space, struct slice query, uint16_t n_types, struct slice types)
{
    size_t key_len = sizeof space + sizeof n_types + types.len + query.len;
    struct entry *entry = calloc(1, sizeof *entry + key_len + 1);
    if (!entry)
        return NULL;
    char *at = entry->key;
    memcpy(at, &space, sizeof space);
    at += sizeof space;
    memcpy(at, &n_types, sizeof n_types);
    at += sizeof n_types;
    if (types.len)
        memcpy(at, types.data, types.len);
    entry->prepared.types = slice_of(at, types.len);
    at += types.len;
    if (query.len)
        memcpy(at, query.data, query.len);
    entry->prepared.query = slice_of(at, query.len);
    entry->prepared.n_types = n_types;
    entry->key_len = key_len;
    return entry;
}

struct prepared *prepared_get(struct prepared_registry *registry, uint64_t space, struct slice query,
    uint16_t n_types, struct slice types)
{
    struct entry *fresh = entry_new(space, query, n_types, types), *found;
    if (!fresh)
        return NULL;
    HASH_FIND(hh, registry->by_key, fresh->key, fresh->key_len, found);
    if (found) {
        free(fresh);
    } else {
        found = fresh;
        found->prepared.id = registry->next_id++;
        HASH_ADD_KEYPTR(hh, registry->by_key, found->key, found->key_len, found);
    }
    found->prepared.refs++;
    return &found->prepared;
}

struct prepared *prepared_ref(struct prepared *prepared)
{
    prepared->refs++;
    return prepared;
}

void prepared_unref(struct prepared_registry *registry, struct prepared *prepared)
{
    if (!prepared || --prepared->refs > 0)
        return;
    struct entry *entry = (struct entry *)prepared;
    HASH_DELETE(hh, registry->by_key, entry);
    free(entry);
}

size_t prepared_count(const struct prepared_registry *registry)
{
    return HASH_COUNT(registry->by_key);
}
