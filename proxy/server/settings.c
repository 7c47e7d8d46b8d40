/*
 * Interned sets of settings; see settings.h.
 *
 * A set is made from any pairs by sorting them by name; the sorted block is the key under which it is found
 * again. Running out of memory gives NULL and changes nothing.
 */
#include "proxy/server/settings.h"

#include "router/setting.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uthash.h>

struct entry {
    struct settings settings; /* first */
    struct settings_table *table;
    uint32_t refs;
    UT_hash_handle hh;
};

struct settings_table {
    struct entry *by_block;
    struct entry none; /* the empty set: in no hash, always there */
};

struct pair {
    const char *name, *value;
};

struct settings_table *settings_table_new(void)
{
    struct settings_table *table = calloc(1, sizeof *table);
    if (table)
        table->none.table = table;
    return table;
}

void settings_table_free(struct settings_table *table)
{
    assert(!table || (!table->by_block && table->none.refs == 0));
    free(table);
}

/* ---- making one ---- */

static int by_name(const void *a, const void *b)
{
    return strcasecmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static bool is_on(const char *value)
{
    return strcasecmp(value, "on") == 0 || strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
           strcmp(value, "1") == 0;
}

static void note(struct settings *settings, const struct pair *pair)
{
    struct slice name = slice_from(pair->name);
    if (setting_matters_when_parsing(name)) {
        struct params one;
        params_init(&one);
        if (params_set(&one, name, slice_from(pair->value)))
            settings->parsing += params_hash(&one);
        params_fini(&one);
    }
    if (strcasecmp(pair->name, "default_transaction_read_only") == 0)
        settings->read_only = is_on(pair->value);
    else if (strcasecmp(pair->name, "default_transaction_isolation") == 0) {
        settings->isolated = strncasecmp(pair->value, "read", 4) != 0;
        settings->serializable = strcasecmp(pair->value, "serializable") == 0;
    } else if (setting_is_authority(name))
        settings->as_other = true;
}

static struct entry *entry_new(const struct params *params)
{
    size_t n = 0;
    uint32_t at = 0;
    struct pair pair;
    while (params_next(params, &at, &pair.name, &pair.value))
        n++;
    struct pair *pairs = calloc(n, sizeof *pairs);
    struct entry *entry = calloc(1, sizeof *entry);
    bool fine = pairs && entry;
    at = 0;
    for (size_t i = 0; fine && params_next(params, &at, &pair.name, &pair.value); i++)
        pairs[i] = pair;
    if (fine)
        qsort(pairs, n, sizeof *pairs, by_name);
    for (size_t i = 0; fine && i < n; i++) {
        fine = params_set(&entry->settings.params, slice_from(pairs[i].name), slice_from(pairs[i].value));
        note(&entry->settings, &pairs[i]);
    }
    free(pairs);
    if (fine)
        return entry;
    if (entry)
        params_fini(&entry->settings.params);
    free(entry);
    return NULL;
}

const struct settings *settings_none(struct settings_table *table)
{
    table->none.refs++;
    return &table->none.settings;
}

const struct settings *settings_get(struct settings_table *table, const struct params *params)
{
    if (params->len == 0)
        return settings_none(table);
    struct entry *fresh = entry_new(params), *found;
    if (!fresh)
        return NULL;
    HASH_FIND(hh, table->by_block, fresh->settings.params.block, fresh->settings.params.len, found);
    if (found) {
        params_fini(&fresh->settings.params);
        free(fresh);
    } else {
        found = fresh;
        found->table = table;
        HASH_ADD_KEYPTR(hh, table->by_block, found->settings.params.block, found->settings.params.len, found);
    }
    found->refs++;
    return &found->settings;
}

/* ---- references ---- */

/* The sets are immutable to everybody else. */
static struct entry *entry_of(const struct settings *settings)
{
    return (struct entry *)(uintptr_t)settings;
}

const struct settings *settings_ref(const struct settings *settings)
{
    entry_of(settings)->refs++;
    return settings;
}

void settings_unref(const struct settings *settings)
{
    if (!settings)
        return;
    struct entry *entry = entry_of(settings);
    assert(entry->refs > 0);
    if (--entry->refs > 0 || entry == &entry->table->none)
        return;
    HASH_DELETE(hh, entry->table->by_block, entry);
    params_fini(&entry->settings.params);
    free(entry);
}

void settings_replace(const struct settings **at, const struct settings *settings)
{
    settings_unref(*at);
    *at = settings;
}

const char *settings_value(const struct settings *settings, const char *name)
{
    return params_get(&settings->params, name);
}

bool settings_is_empty(const struct settings *settings)
{
    return settings->params.len == 0;
}
