/*
 * Values into objects; the part of build.h that is driven by the schema.
 *
 * All goes well: every member gets its default, [rolecall] is read first since databases start from its
 * limits, then the other sections in their order; at last the members that follow other members are filled
 * in. Every value may be a secret by way of a variable, so what was expanded is wiped, and a secret's text is
 * never part of an error.
 */
#include "conf/build.h"
#include "conf/expand.h"
#include "conf/nearest.h"
#include "conf/value.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool takes_default(const struct schema_key *key, enum section_kind kind)
{
    /* the limits of a [database] start from [rolecall], those of a [user] count only where set */
    return schema_has(key, kind) && key->value && (key->part != PART_LIMITS || kind == SECTION_ROLECALL);
}

static bool set_defaults(const struct build *build, enum section_kind kind, void *object)
{
    size_t n;
    char why[VALUE_WHY_MAX];
    const struct schema_key *keys = schema_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (!takes_default(&keys[i], kind))
            continue;
        if (!value_parse(&keys[i], keys[i].value, schema_place(&keys[i], kind, object), why))
            return build_fail(build, NULL, NULL, "default of %s: %s", keys[i].key, why);
    }
    return true;
}

/* "[rolecall] or [database NAME]": where else a key exists; the empty text when nowhere. */
static void list_owners(const char *key, char *out, size_t size)
{
    bool is_file;
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < SECTION_KINDS; i++) {
        enum section_kind kind = (enum section_kind)i;
        if (!schema_find(kind, key, &is_file) || used >= size)
            continue;
        used += (size_t)snprintf(out + used, size - used, "%s[%s%s]", used ? " or " : "",
            section_kind_name(kind), section_kind_is_single(kind) ? "" : " NAME");
    }
}

static bool unknown_key(
    const struct build *build, const struct build_section *section, const char *key, int line)
{
    char owners[160], hint[256] = "";
    size_t n;
    const struct schema_key *keys = schema_keys(&n);
    struct nearest nearest = {0};
    for (size_t i = 0; i < n; i++) {
        if (schema_has(&keys[i], section->kind))
            nearest_offer(&nearest, key, keys[i].key);
    }
    list_owners(key, owners, sizeof owners);
    if (owners[0])
        snprintf(hint, sizeof hint, "; it belongs in %s", owners);
    else if (nearest.word)
        snprintf(hint, sizeof hint, "; did you mean \"%s\"?", nearest.word);
    const char *name = section->source->name;
    return error_set(build->error, SQLSTATE_CONFIG_FILE_ERROR, "%s:%d: [%s%s%s] unknown key \"%.64s\"%s",
        build->path, line, section->source->kind, name ? " " : "", name ? name : "", key, hint);
}

/* Bytes that a terminal would obey are shown as ?; long values are cut. */
static void show_value(char *out, size_t size, const char *value)
{
    size_t len = strlen(value);
    snprintf(out, size, "%s", value);
    for (char *at = out; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7F)
            *at = '?';
    }
    if (len >= size)
        memcpy(out + size - 4, "...", 4);
}

static bool bad_value(const struct build *build, const struct build_section *section,
    const struct schema_key *row, const char *value, const char *why)
{
    char shown[64];
    if (row->type == VALUE_SECRET || row->type == VALUE_TEXT)
        return build_fail(build, section, row->key, "%s: %s", row->key, why);
    show_value(shown, sizeof shown, value);
    return build_fail(build, section, row->key, "bad value \"%s\" for %s: %s", shown, row->key, why);
}

/* What a path or a <key>_file stands for; frees `value`. NULL with the reason. */
static char *follow(
    const struct build *build, const struct schema_key *row, bool is_file, char *value, char *why)
{
    if (!(is_file || row->type == VALUE_PATH) || !*value)
        return value;
    char *path = expand_path(build->path, value, why);
    expand_free(value);
    if (!path || !is_file)
        return path;
    char *secret = expand_secret_file(path, why);
    expand_free(path);
    return secret;
}

static bool store(const struct build *build, struct build_section *section, const struct schema_key *row,
    bool is_file, const char *text)
{
    char why[VALUE_WHY_MAX];
    _Static_assert(VALUE_WHY_MAX >= EXPAND_WHY_MAX, "one buffer for both");
    char *value = expand_variables(text, why);
    if (value)
        value = follow(build, row, is_file, value, why);
    if (!value)
        return build_fail(build, section, row->key, "%s%s: %s", row->key, is_file ? "_file" : "", why);
    bool good = value_parse(row, value, schema_place(row, section->kind, section->object), why);
    if (!good)
        bad_value(build, section, row, value, why);
    expand_free(value);
    return good;
}

static void mark_limit(struct build_section *section, const struct schema_key *row)
{
    struct config_database *database = section->object;
    struct config_user *user = section->object;
    struct limits *limits = schema_limits(section->kind, section->object);
    if (row->part != PART_LIMITS)
        return;
    if (section->kind == SECTION_DATABASE)
        database->limits_set |= row->limit;
    if (section->kind == SECTION_USER)
        user->limits_set |= row->limit;
    if (row->limit == LIMIT_POOL)
        limits->pool_set = true;
}

static bool assign_entry(
    const struct build *build, struct build_section *section, const struct document_entry *entry)
{
    bool is_file;
    const struct schema_key *row = schema_find(section->kind, entry->key, &is_file);
    if (!row)
        return unknown_key(build, section, entry->key, entry->line);
    int *line = &section->lines[schema_index(row)];
    int before = *line;
    *line = entry->line;
    if (before && before != entry->line)
        return build_fail(build, section, row->key, "\"%s\" is already set at line %d", entry->key, before);
    if (row->type != VALUE_CLUSTER && !store(build, section, row, is_file, entry->value))
        return false;
    mark_limit(section, row);
    return true;
}

static bool check_required(const struct build *build, const struct build_section *section)
{
    size_t n;
    const struct schema_key *keys = schema_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (keys[i].required && schema_has(&keys[i], section->kind) && section->lines[i] == 0)
            return build_fail(build, section, NULL, "\"%s\" is missing", keys[i].key);
    }
    return true;
}

static bool assign_section(const struct build *build, struct build_section *section)
{
    const struct document_section *source = section->source;
    if (section->kind != SECTION_ROLECALL && !set_defaults(build, section->kind, section->object))
        return false;
    if (section->kind == SECTION_DATABASE)
        ((struct config_database *)section->object)->limits = build->config->limits;
    for (size_t i = 0; i < source->n_entries; i++) {
        if (!assign_entry(build, section, &source->entries[i]))
            return false;
    }
    return check_required(build, section);
}

/* Copies what an operator may leave out; true also when there is nothing to copy. */
static bool fill(char **to, const char *from)
{
    if (*to || !from)
        return true;
    *to = strdup(from);
    return *to != NULL;
}

static bool fill_cluster(struct config_cluster *cluster)
{
    bool own_user = cluster->auth_user != NULL; /* then the probe's password is not its */
    return fill(&cluster->auth_user, cluster->probe_user) &&
           fill(&cluster->auth_database, cluster->probe_database) &&
           (own_user || fill(&cluster->auth_password, cluster->probe_password));
}

static bool fill_in(const struct build *build)
{
    struct config *config = build->config;
    bool filled = true;
    for (size_t i = 0; i < build->n_sections && filled; i++) {
        const struct build_section *section = &build->sections[i];
        struct config_listener *listener = section->object;
        if (section->kind == SECTION_CLUSTER)
            filled = fill_cluster(section->object);
        if (section->kind != SECTION_LISTENER)
            continue;
        filled = fill(&listener->auth_file, config->auth_file);
        if (listener->auth == AUTH_PASSTHROUGH && !build_is_set(section, "pool"))
            listener->pool = POOL_NONE;
    }
    return filled || build_fail(build, NULL, NULL, "out of memory");
}

bool build_values(struct build *build)
{
    struct config *config = build->config;
    config->limits.pool = POOL_SESSION;
    if (!set_defaults(build, SECTION_ROLECALL, config))
        return false;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < build->n_sections; i++) {
            struct build_section *section = &build->sections[i];
            bool first = section->kind == SECTION_ROLECALL;
            if (first == (pass == 0) && !assign_section(build, section))
                return false;
        }
    }
    return fill_in(build);
}
