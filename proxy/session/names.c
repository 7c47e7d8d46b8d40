/* A session's names of prepared statements; see names.h. */
#include "proxy/session/names.h"

#include <stdlib.h>
#include <string.h>

#define NAME_SIGNIFICANT 63

static size_t significant(struct slice name)
{
    return name.len < NAME_SIGNIFICANT ? name.len : NAME_SIGNIFICANT;
}

struct name *names_entry(const struct names *names, struct slice name)
{
    struct name *entry;
    HASH_FIND(hh, names->by_name, name.data, significant(name), entry);
    return entry;
}

struct name *names_by_key(const struct names *names, uint64_t key)
{
    struct name *entry;
    HASH_FIND(hh_key, names->by_key, &key, sizeof key, entry);
    return entry;
}

void names_tell(struct names *names, uint64_t key, uint64_t columns)
{
    struct name *name = names_by_key(names, key);
    if (!name || (name->told == columns && !names->doubled))
        return;
    name->told = columns;
    for (name = names->by_name; names->doubled && name; name = name->hh.next)
        if (name->key == key)
            name->told = columns;
}

struct prepared *names_find(const struct names *names, struct slice name)
{
    struct name *entry = names_entry(names, name);
    return entry ? entry->prepared : NULL;
}

bool names_add(struct names *names, struct slice name, struct prepared *prepared)
{
    if (names_entry(names, name))
        return false;
    size_t len = significant(name);
    struct name *entry = calloc(1, sizeof *entry + len + 1);
    if (!entry)
        return false;
    if (len > 0)
        memcpy(entry->text, name.data, len);
    entry->len = len;
    entry->prepared = prepared;
    entry->key = prepared->key;
    names->unsettled |= prepared->settings == NULL;
    names->doubled |= names_by_key(names, entry->key) != NULL;
    HASH_ADD_KEYPTR(hh, names->by_name, entry->text, entry->len, entry);
    HASH_ADD(hh_key, names->by_key, key, sizeof entry->key, entry);
    return true;
}

struct prepared *names_remove(struct names *names, struct slice name)
{
    struct name *entry = names_entry(names, name);
    if (!entry)
        return NULL;
    struct prepared *prepared = entry->prepared;
    HASH_DELETE(hh_key, names->by_key, entry);
    HASH_DELETE(hh, names->by_name, entry);
    free(entry);
    return prepared;
}

void names_clear(struct names *names, struct prepared_registry *registry)
{
    struct name *entry, *next;
    HASH_ITER(hh, names->by_name, entry, next)
    {
        HASH_DELETE(hh_key, names->by_key, entry);
        HASH_DELETE(hh, names->by_name, entry);
        prepared_unref(registry, entry->prepared);
        free(entry);
    }
    names->unsettled = names->mixed = names->doubled = false;
}

size_t names_count(const struct names *names)
{
    return HASH_COUNT(names->by_name);
}

uint64_t names_hash(struct slice name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 0x100000001b3u;
    return hash;
}

void names_settle(struct names *names, const struct settings *settings)
{
    for (struct name *entry = names->by_name; entry; entry = entry->hh.next)
        if (!entry->prepared->settings)
            entry->prepared->settings = settings_ref(settings);
    names->unsettled = false;
}
