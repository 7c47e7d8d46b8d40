/* The prepared statements that a server holds; see statements.h. */
#include "proxy/server/statements.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

struct statement_entry {
    uint64_t id, columns;
    uint32_t batch; /* that used it last */
    struct statement_entry *older, *newer;
    UT_hash_handle hh;
};

void statements_init(struct statements *statements)
{
    *statements = (struct statements){0};
}

void statements_fini(struct statements *statements)
{
    statements_clear(statements);
}

static struct statement_entry *find(const struct statements *statements, uint64_t id)
{
    struct statement_entry *entry;
    HASH_FIND(hh, statements->by_id, &id, sizeof id, entry);
    return entry;
}

static void unlink_entry(struct statements *statements, struct statement_entry *entry)
{
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        statements->oldest = entry->newer;
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        statements->newest = entry->older;
}

static void append(struct statements *statements, struct statement_entry *entry)
{
    entry->older = statements->newest;
    entry->newer = NULL;
    if (statements->newest)
        statements->newest->newer = entry;
    else
        statements->oldest = entry;
    statements->newest = entry;
}

void statements_begin(struct statements *statements)
{
    statements->batch++;
}

bool statements_has(const struct statements *statements, uint64_t id)
{
    return find(statements, id) != NULL;
}

bool statements_use(struct statements *statements, uint64_t id)
{
    struct statement_entry *entry = find(statements, id);
    if (!entry)
        return false;
    entry->batch = statements->batch;
    if (statements->newest != entry) {
        unlink_entry(statements, entry);
        append(statements, entry);
    }
    return true;
}

bool statements_add(struct statements *statements, uint64_t id)
{
    if (statements_use(statements, id))
        return true;
    struct statement_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return false;
    entry->id = id;
    entry->batch = statements->batch;
    HASH_ADD(hh, statements->by_id, id, sizeof entry->id, entry);
    append(statements, entry);
    statements->count++;
    return true;
}

void statements_remove(struct statements *statements, uint64_t id)
{
    struct statement_entry *entry = find(statements, id);
    if (!entry)
        return;
    HASH_DELETE(hh, statements->by_id, entry);
    unlink_entry(statements, entry);
    statements->count--;
    free(entry);
}

uint64_t statements_columns(const struct statements *statements, uint64_t id)
{
    const struct statement_entry *entry = find(statements, id);
    return entry ? entry->columns : 0;
}

void statements_describe(struct statements *statements, uint64_t id, uint64_t columns)
{
    struct statement_entry *entry = find(statements, id);
    if (entry)
        entry->columns = columns;
}

uint64_t statements_excess(const struct statements *statements, uint32_t max)
{
    const struct statement_entry *oldest = statements->oldest;
    if (!oldest || statements->count < max)
        return 0;
    bool in_use = oldest->batch == statements->batch && statements->count / 2 < max;
    return in_use ? 0 : oldest->id;
}

void statements_clear(struct statements *statements)
{
    while (statements->oldest)
        statements_remove(statements, statements->oldest->id);
    statements->unnamed = STATEMENTS_UNNAMED_UNKNOWN; /* DISCARD ALL leaves it, when it was prepared itself */
    statements->unsure = false;
}

void statements_distrust(struct statements *statements)
{
    statements_clear(statements);
    statements->unsure = true;
}

size_t statement_name(uint64_t id, char out[STATEMENT_NAME_MAX])
{
    return (size_t)snprintf(out, STATEMENT_NAME_MAX, "rc_%" PRIx64, id);
}
