/* Clients by database, user and listener; see census.h. Entries with nobody in them are dropped. */
#include "proxy/session/census.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
    uint32_t count;
    UT_hash_handle hh;
    char key[]; /* kind as a digit, name */
};

/* The one table of the process, guarded by its lock. */
static struct {
    pthread_mutex_t lock;
    struct entry *by_key;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct entry *find(enum census_kind kind, const char *name, bool make)
{
    size_t len = strlen(name) + 1;
    struct entry *fresh = calloc(1, sizeof *fresh + len + 1), *entry;
    if (!fresh)
        abort();
    fresh->key[0] = (char)('0' + kind);
    memcpy(fresh->key + 1, name, len);
    HASH_FIND(hh, table.by_key, fresh->key, len, entry);
    if (entry || !make) {
        free(fresh);
        return entry;
    }
    HASH_ADD_KEYPTR(hh, table.by_key, fresh->key, len, fresh);
    return fresh;
}

bool census_enter(enum census_kind kind, const char *name, uint32_t max)
{
    pthread_mutex_lock(&table.lock);
    struct entry *entry = find(kind, name, true);
    bool room = max == 0 || entry->count < max;
    if (room)
        entry->count++;
    pthread_mutex_unlock(&table.lock);
    return room;
}

void census_leave(enum census_kind kind, const char *name)
{
    pthread_mutex_lock(&table.lock);
    struct entry *entry = find(kind, name, false);
    assert(entry && entry->count > 0);
    if (--entry->count == 0) {
        HASH_DELETE(hh, table.by_key, entry);
        free(entry);
    }
    pthread_mutex_unlock(&table.lock);
}

uint32_t census_count(enum census_kind kind, const char *name)
{
    pthread_mutex_lock(&table.lock);
    struct entry *entry = find(kind, name, false);
    uint32_t count = entry ? entry->count : 0;
    pthread_mutex_unlock(&table.lock);
    return count;
}

static int compare(const void *left, const void *right)
{
    return strcmp(((const struct census_row *)left)->name, ((const struct census_row *)right)->name);
}

size_t census_list(enum census_kind kind, struct census_row **rows)
{
    size_t n = 0;
    struct entry *entry, *next;
    pthread_mutex_lock(&table.lock);
    *rows = calloc(HASH_COUNT(table.by_key) + 1, sizeof **rows);
    HASH_ITER(hh, table.by_key, entry, next)
    {
        if (!*rows || entry->key[0] != (char)('0' + kind))
            continue;
        snprintf((*rows)[n].name, sizeof(*rows)[n].name, "%s", entry->key + 1);
        (*rows)[n++].count = entry->count;
    }
    pthread_mutex_unlock(&table.lock);
    if (n > 0)
        qsort(*rows, n, sizeof **rows, compare);
    return n;
}
