/* A session's names of prepared statements; see names.h. */
#include "proxy/session/names.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct name_entry {
    struct prepared *prepared;
    UT_hash_handle hh;
    size_t len;
    char name[];
};

static struct name_entry *find(const struct names *names, struct slice name)
{
    struct name_entry *entry;
    HASH_FIND(hh, names->by_name, name.data, name.len, entry);
    return entry;
}

struct prepared *names_find(const struct names *names, struct slice name)
{
    struct name_entry *entry = find(names, name);
    return entry ? entry->prepared : NULL;
}

bool names_add(struct names *names, struct slice name, struct prepared *prepared)
{
    if (find(names, name))
        return false;
    struct name_entry *entry = calloc(1, sizeof *entry + name.len + 1);
    if (!entry)
        return false;
    memcpy(entry->name, name.data, name.len);
    entry->len = name.len;
    entry->prepared = prepared;
    HASH_ADD_KEYPTR(hh, names->by_name, entry->name, entry->len, entry);
    return true;
}

struct prepared *names_remove(struct names *names, struct slice name)
{
    struct name_entry *entry = find(names, name);
    if (!entry)
        return NULL;
    struct prepared *prepared = entry->prepared;
    HASH_DELETE(hh, names->by_name, entry);
    free(entry);
    return prepared;
}

void names_clear(struct names *names, struct prepared_registry *registry)
{
    struct name_entry *entry, *next;
    HASH_ITER(hh, names->by_name, entry, next)
    {
        HASH_DELETE(hh, names->by_name, entry);
        prepared_unref(registry, entry->prepared);
        free(entry);
    }
}

size_t names_count(const struct names *names)
{
    return HASH_COUNT(names->by_name);
}
