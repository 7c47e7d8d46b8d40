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
    char key[]; /* space, sql, n_types, types, query, NUL */
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

static struct entry *entry_new(const struct prepared_key *key)
{
    size_t key_len = sizeof key->space + 1 + sizeof key->n_types + key->types.len + key->query.len;
    struct entry *entry = calloc(1, sizeof *entry + key_len + 1);
    if (!entry)
        return NULL;
    struct prepared *prepared = &entry->prepared;
    char *at = entry->key;
    memcpy(at, &key->space, sizeof key->space);
    at += sizeof key->space;
    *at++ = key->sql;
    memcpy(at, &key->n_types, sizeof key->n_types);
    at += sizeof key->n_types;
    if (key->types.len)
        memcpy(at, key->types.data, key->types.len);
    prepared->types = slice_of(at, key->types.len);
    at += key->types.len;
    if (key->query.len)
        memcpy(at, key->query.data, key->query.len);
    prepared->query = slice_of(at, key->query.len);
    prepared->statement = prepared->query;
    if (key->sql)
        prepared->statement = slice_of(at + (key->statement.data - key->query.data), key->statement.len);
    prepared->n_types = key->n_types;
    prepared->sql = key->sql;
    entry->key_len = key_len;
    return entry;
}

struct prepared *prepared_get(struct prepared_registry *registry, const struct prepared_key *key)
{
    struct entry *fresh = entry_new(key), *found;
    if (!fresh)
        return NULL;
    HASH_FIND(hh, registry->by_key, fresh->key, fresh->key_len, found);
    if (found) {
        free(fresh);
    } else {
        found = fresh;
        found->prepared.key = found->prepared.id = registry->next_id++;
        found->prepared.settings = key->settings ? settings_ref(key->settings) : NULL;
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
    settings_unref(prepared->settings);
    free(entry);
}

void prepared_renew(struct prepared_registry *registry, struct prepared *prepared)
{
    prepared->id = registry->next_id++;
}

size_t prepared_count(const struct prepared_registry *registry)
{
    return HASH_COUNT(registry->by_key);
}

void prepared_each(const struct prepared_registry *registry, void *context,
    void (*visit)(void *context, const struct prepared *))
{
    struct entry *entry, *next;
    HASH_ITER(hh, registry->by_key, entry, next)
    {
        visit(context, &entry->prepared);
    }
}
