/*
 * A database's special and harmless names; see catalogue.h.
 *
 * One open-addressing table holds an entry per (what it is, schema, name) and, for lookups without a schema,
 * an entry with an empty schema that counts how many of its namesakes are of which kind: a lookup is one or
 * two probes however many schemas there are. An operator has the second entry only. An override of the
 * configuration is kept beside what pg_proc said, so the order of adding does not matter. Running out of
 * memory ends the process.
 */
#include "router/catalogue.h"
#include "router/sql/builtins.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum object { OBJECT_FUNCTION, OBJECT_RELATION, OBJECT_WRITE, OBJECT_OPERATOR, OBJECT_TYPE };

struct entry {
    char *schema; /* "" in the entry that sums up all schemas; NULL: a free place */
    char *name;
    uint64_t hash;
    enum object object;
    enum name_kind found;  /* as added */
    enum name_kind forced; /* as overridden; UNKNOWN: not */
    uint32_t n_opaque, n_session, n_special,
        n_harmless; /* only where schema is "": namesakes by what they come to */
};

struct catalogue {
    _Atomic uint32_t refs;
    char *cluster, *database;
    struct entry *entries;
    size_t size, used; /* size is a power of two, at most half of it used */
    enum name_kind ddl;
    bool reads_sequences;
    char **settings;
    size_t n_settings;
};

static void *must_have(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

struct catalogue *catalogue_new(const char *cluster, const char *database)
{
    struct catalogue *catalogue = must_have(calloc(1, sizeof *catalogue));
    catalogue->cluster = must_have(strdup(cluster));
    catalogue->database = must_have(strdup(database));
    catalogue->size = 64;
    catalogue->entries = must_have(calloc(catalogue->size, sizeof *catalogue->entries));
    atomic_store_explicit(&catalogue->refs, 1, memory_order_relaxed);
    return catalogue;
}

struct catalogue *catalogue_ref(struct catalogue *catalogue)
{
    uint32_t before = atomic_fetch_add_explicit(&catalogue->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return catalogue;
}

void catalogue_unref(struct catalogue *catalogue)
{
    if (!catalogue || atomic_fetch_sub_explicit(&catalogue->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < catalogue->size; i++) {
        free(catalogue->entries[i].schema);
        free(catalogue->entries[i].name);
    }
    free(catalogue->entries);
    for (size_t i = 0; i < catalogue->n_settings; i++)
        free(catalogue->settings[i]);
    free(catalogue->settings);
    free(catalogue->cluster);
    free(catalogue->database);
    free(catalogue);
}

const char *catalogue_cluster(const struct catalogue *catalogue)
{
    return catalogue->cluster;
}

const char *catalogue_database(const struct catalogue *catalogue)
{
    return catalogue->database;
}

/* FNV-1a with a final mix; names come from the database's owner, lookups are bounded by a statement's length.
 */
static uint64_t hash_bytes(uint64_t hash, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.data[i]) * 0x100000001B3u;
    return (hash ^ 0xFFu) * 0x100000001B3u;
}

static uint64_t hash_key(enum object object, struct slice schema, struct slice name)
{
    uint64_t hash = hash_bytes(hash_bytes(0xCBF29CE484222325u + object, schema), name);
    return hash ^ hash >> 29;
}

/* The entry of that key, or the free place where it belongs. */
static struct entry *place(const struct catalogue *catalogue, enum object object, struct slice schema,
    struct slice name, uint64_t hash)
{
    size_t mask = catalogue->size - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct entry *entry = &catalogue->entries[i];
        if (!entry->schema)
            return entry;
        if (entry->hash == hash && entry->object == object && slice_is(name, entry->name) &&
            slice_is(schema, entry->schema))
            return entry;
    }
}

static void grow(struct catalogue *catalogue)
{
    struct entry *old = catalogue->entries;
    size_t old_size = catalogue->size;
    catalogue->size *= 2;
    catalogue->entries = must_have(calloc(catalogue->size, sizeof *old));
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].schema)
            *place(catalogue, old[i].object, slice_from(old[i].schema), slice_from(old[i].name),
                old[i].hash) = old[i];
    }
    free(old);
}

/* The entry of that key, made when there is none. Valid until the next call. */
static struct entry *need(
    struct catalogue *catalogue, enum object object, struct slice schema, struct slice name)
{
    if (catalogue->used * 2 >= catalogue->size)
        grow(catalogue);
    uint64_t hash = hash_key(object, schema, name);
    struct entry *entry = place(catalogue, object, schema, name, hash);
    if (!entry->schema) {
        entry->schema = must_have(strndup(schema.len ? schema.data : "", schema.len));
        entry->name = must_have(strndup(name.len ? name.data : "", name.len));
        entry->hash = hash;
        entry->object = object;
        catalogue->used++;
    }
    return entry;
}

static enum name_kind comes_to(const struct entry *entry)
{
    return entry->forced != NAME_UNKNOWN ? entry->forced : entry->found;
}

static void count(struct entry *sum, enum name_kind kind, uint32_t change)
{
    switch (kind) {
    case NAME_UNKNOWN: break;
    case NAME_HARMLESS: sum->n_harmless += change; break;
    case NAME_SPECIAL: sum->n_special += change; break;
    case NAME_SESSION: sum->n_session += change; break;
    case NAME_OPAQUE: sum->n_opaque += change; break;
    }
}

/* Changes one (schema, name) and the sum over its namesakes. */
static void put(struct catalogue *catalogue, enum object object, struct slice schema, struct slice name,
    enum name_kind kind, bool forced)
{
    assert(schema.len > 0); /* the empty one is the sum's */
    struct entry *entry = need(catalogue, object, schema, name);
    enum name_kind before = comes_to(entry);
    if (forced)
        entry->forced = kind;
    else if (kind > entry->found)
        entry->found = kind;
    enum name_kind after = comes_to(entry);
    struct entry *sum = need(catalogue, object, slice_of("", 0), name);
    count(sum, before, (uint32_t)-1);
    count(sum, after, 1);
}

void catalogue_add_function(
    struct catalogue *catalogue, const char *schema, const char *name, enum name_kind kind)
{
    put(catalogue, OBJECT_FUNCTION, slice_from(schema), slice_from(name), kind, false);
}

void catalogue_add_relation(
    struct catalogue *catalogue, const char *schema, const char *name, enum name_kind kind)
{
    put(catalogue, OBJECT_RELATION, slice_from(schema), slice_from(name), kind, false);
}

void catalogue_add_write(
    struct catalogue *catalogue, const char *schema, const char *name, enum name_kind kind)
{
    put(catalogue, OBJECT_WRITE, slice_from(schema), slice_from(name), kind, false);
}

void catalogue_add_type(
    struct catalogue *catalogue, const char *schema, const char *name, enum name_kind kind)
{
    put(catalogue, OBJECT_TYPE, slice_from(schema), slice_from(name), kind, false);
}

void catalogue_add_operator(struct catalogue *catalogue, const char *symbol, enum name_kind kind)
{
    struct entry *entry = need(catalogue, OBJECT_OPERATOR, slice_of("", 0), slice_from(symbol));
    if (kind > entry->found)
        entry->found = kind;
}

void catalogue_set_ddl(struct catalogue *catalogue, enum name_kind kind)
{
    if (kind > catalogue->ddl)
        catalogue->ddl = kind;
}

void catalogue_set_reads_sequences(struct catalogue *catalogue)
{
    catalogue->reads_sequences = true;
}

bool catalogue_add_setting(struct catalogue *catalogue, const char *name)
{
    for (size_t i = 0; i < catalogue->n_settings; i++) {
        if (strcmp(catalogue->settings[i], name) == 0)
            return true;
    }
    if (strlen(name) > CATALOGUE_SETTING_MAX_BYTES || catalogue->n_settings == CATALOGUE_MAX_SETTINGS)
        return false;
    if (!catalogue->settings)
        catalogue->settings = must_have(calloc(CATALOGUE_MAX_SETTINGS, sizeof *catalogue->settings));
    catalogue->settings[catalogue->n_settings++] = must_have(strdup(name));
    return true;
}

void catalogue_override_function(struct catalogue *catalogue, const char *name, enum name_kind kind)
{
    const char *dot = strchr(name, '.');
    if (dot && dot > name && dot[1])
        put(catalogue, OBJECT_FUNCTION, slice_of(name, (size_t)(dot - name)), slice_from(dot + 1), kind,
            true);
    else
        need(catalogue, OBJECT_FUNCTION, slice_of("", 0), slice_from(name))->forced = kind;
}

static enum name_kind builtin(enum object object, struct slice name)
{
    switch (object) {
    case OBJECT_FUNCTION: return builtin_function(name);
    case OBJECT_RELATION: return builtin_relation(name);
    case OBJECT_WRITE:
    case OBJECT_OPERATOR:
    case OBJECT_TYPE: break; /* PostgreSQL's own leave the session alone */
    }
    return NAME_UNKNOWN;
}

static const struct entry *find(
    const struct catalogue *catalogue, enum object object, struct slice schema, struct slice name)
{
    if (!catalogue)
        return NULL;
    const struct entry *entry = place(catalogue, object, schema, name, hash_key(object, schema, name));
    return entry->schema ? entry : NULL;
}

/* What the entries of that name come to, whatever their schema; `shipped` is what PostgreSQL itself has of
 * it. */
static enum name_kind of_any_schema(
    const struct catalogue *catalogue, enum object object, struct slice name, enum name_kind shipped)
{
    const struct entry *sum = find(catalogue, object, slice_of("", 0), name);
    if (sum && sum->forced != NAME_UNKNOWN)
        return sum->forced;
    if (sum && sum->n_opaque > 0)
        return NAME_OPAQUE;
    if (sum && sum->n_session > 0)
        return NAME_SESSION;
    if (shipped == NAME_SPECIAL || (sum && sum->n_special > 0))
        return NAME_SPECIAL;
    return shipped == NAME_HARMLESS || (sum && sum->n_harmless > 0) ? NAME_HARMLESS : NAME_UNKNOWN;
}

static enum name_kind look_up(
    const struct catalogue *catalogue, enum object object, struct slice schema, struct slice name)
{
    if (schema.len == 0)
        return of_any_schema(catalogue, object, name, builtin(object, name));
    const struct entry *entry = find(catalogue, object, schema, name);
    if (entry && entry->forced != NAME_UNKNOWN)
        return entry->forced;
    const struct entry *sum = find(catalogue, object, slice_of("", 0), name);
    if (sum && sum->forced != NAME_UNKNOWN)
        return sum->forced;
    enum name_kind own = entry ? entry->found : NAME_UNKNOWN;
    if (own < NAME_SPECIAL && (slice_is(schema, "pg_catalog") || slice_is(schema, "information_schema"))) {
        enum name_kind shipped = builtin(object, name);
        return shipped != NAME_UNKNOWN ? shipped : own;
    }
    return own;
}

enum name_kind catalogue_function(const struct catalogue *catalogue, struct slice schema, struct slice name)
{
    return look_up(catalogue, OBJECT_FUNCTION, schema, name);
}

enum name_kind catalogue_own_function(const struct catalogue *catalogue, struct slice name)
{
    return of_any_schema(catalogue, OBJECT_FUNCTION, name, NAME_UNKNOWN);
}

enum name_kind catalogue_relation(const struct catalogue *catalogue, struct slice schema, struct slice name)
{
    return look_up(catalogue, OBJECT_RELATION, schema, name);
}

enum name_kind catalogue_write(const struct catalogue *catalogue, struct slice schema, struct slice name)
{
    /* PostgreSQL's own rule on this view calls set_config */
    if (slice_is(name, "pg_settings") && (schema.len == 0 || slice_is(schema, "pg_catalog")))
        return NAME_SESSION;
    return look_up(catalogue, OBJECT_WRITE, schema, name);
}

enum name_kind catalogue_type(const struct catalogue *catalogue, struct slice schema, struct slice name)
{
    return look_up(catalogue, OBJECT_TYPE, schema, name);
}

enum name_kind catalogue_operator(const struct catalogue *catalogue, struct slice symbol)
{
    const struct entry *entry = find(catalogue, OBJECT_OPERATOR, slice_of("", 0), symbol);
    return entry ? entry->found : NAME_UNKNOWN;
}

enum name_kind catalogue_ddl(const struct catalogue *catalogue)
{
    return catalogue ? catalogue->ddl : NAME_UNKNOWN;
}

bool catalogue_reads_sequences(const struct catalogue *catalogue)
{
    return catalogue && catalogue->reads_sequences;
}

size_t catalogue_settings(const struct catalogue *catalogue, const char *const **names)
{
    *names = catalogue ? (const char *const *)catalogue->settings : NULL;
    return catalogue ? catalogue->n_settings : 0;
}
