/*
 * From sections to objects; see build.h.
 *
 * All goes well: every section gets its kind, its name is checked, the arrays of the config are made at their
 * final size, and each section remembers where its object lies. A node needs its cluster for that, so this
 * one key is read here. The first mistake, in the order of the file, ends it.
 */
#include "conf/build.h"

#include "conf/expand.h"
#include "conf/nearest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LEN_MAX 63 /* as PostgreSQL's identifiers */

static int line_of(const struct build_section *section, const char *key)
{
    bool is_file;
    const struct schema_key *row = key ? schema_find(section->kind, key, &is_file) : NULL;
    int line = row ? section->lines[schema_index(row)] : 0;
    return line ? line : section->source->line;
}

bool build_fail(
    const struct build *build, const struct build_section *section, const char *key, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!section)
        return error_set(build->error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", build->path, text);
    const char *name = section->source->name;
    return error_set(build->error, SQLSTATE_CONFIG_FILE_ERROR, "%s:%d: [%s%s%s] %s", build->path,
        line_of(section, key), section_kind_name(section->kind), name ? " " : "", name ? name : "", text);
}

bool build_is_set(const struct build_section *section, const char *key)
{
    bool is_file;
    const struct schema_key *row = schema_find(section->kind, key, &is_file);
    return row && section->lines[schema_index(row)] != 0;
}

const struct build_section *build_find(const struct build *build, enum section_kind kind, const char *name)
{
    for (size_t i = 0; i < build->n_sections; i++) {
        const struct build_section *section = &build->sections[i];
        if (section->kind == kind && section->source->name && strcmp(section->source->name, name) == 0)
            return section;
    }
    return NULL;
}

const char *build_suggest_cluster(const struct build *build, const char *typed, char *out, size_t size)
{
    struct nearest nearest = {0};
    for (size_t i = 0; i < build->config->n_clusters; i++)
        nearest_offer(&nearest, typed, build->config->clusters[i].name);
    snprintf(out, size, nearest.word ? "; did you mean \"%s\"?" : "%s", nearest.word ? nearest.word : "");
    return out;
}

static bool fail_header(const struct build *build, const struct document_section *source, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/* A mistake in the header itself: there is no kind to name yet. */
static bool fail_header(
    const struct build *build, const struct document_section *source, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(build->error, SQLSTATE_CONFIG_FILE_ERROR, "%s:%d: %s", build->path, source->line, text);
}

static bool unknown_kind(const struct build *build, const struct document_section *source)
{
    struct nearest nearest = {0};
    for (int kind = 0; kind < SECTION_KINDS; kind++)
        nearest_offer(&nearest, source->kind, section_kind_name((enum section_kind)kind));
    if (!nearest.word)
        return fail_header(build, source, "unknown section [%.64s]", source->kind);
    enum section_kind found;
    if (section_kind_find(nearest.word, &found) && section_kind_is_single(found))
        return fail_header(
            build, source, "unknown section [%.64s]; did you mean [%s]?", source->kind, nearest.word);
    return fail_header(
        build, source, "unknown section [%.64s]; did you mean [%s NAME]?", source->kind, nearest.word);
}

/* Databases and users are named as PostgreSQL allows, the rest so that logs, metrics and commands stay
 * readable. */
static bool is_good_name(enum section_kind kind, const char *name)
{
    size_t len = strlen(name);
    bool free_form = kind == SECTION_DATABASE || kind == SECTION_USER;
    for (const char *at = name; *at; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
        if (free_form ? (unsigned char)*at < ' ' || *at == 0x7F : !letter && !strchr("_.-", *at))
            return false;
    }
    return len > 0 && len <= NAME_LEN_MAX;
}

static bool check_header(const struct build *build, const struct document_section *source,
    enum section_kind kind, const char *kind_name)
{
    if (section_kind_is_single(kind))
        return !source->name || fail_header(build, source, "[%s] takes no name", kind_name);
    if (!source->name)
        return fail_header(build, source, "[%s] needs a name: [%s NAME]", kind_name, kind_name);
    if (!is_good_name(kind, source->name) && (kind == SECTION_DATABASE || kind == SECTION_USER))
        return fail_header(
            build, source, "the name of a %s has 1 to 63 bytes and no control characters", kind_name);
    if (!is_good_name(kind, source->name))
        return fail_header(
            build, source, "the name of a %s has 1 to 63 of the characters a-z A-Z 0-9 _ . -", kind_name);
    return true;
}

static bool same_name(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool check_double(const struct build *build, const struct build_section *section)
{
    for (const struct build_section *other = build->sections; other < section; other++) {
        if (other->kind == section->kind && same_name(other->source->name, section->source->name))
            return build_fail(build, section, NULL, "is already defined at line %d", other->source->line);
    }
    return true;
}

static bool classify(struct build *build)
{
    const struct document *document = build->document;
    build->sections = calloc(document->n_sections ? document->n_sections : 1, sizeof *build->sections);
    if (!build->sections)
        return build_fail(build, NULL, NULL, "out of memory");
    for (size_t i = 0; i < document->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        section->source = &document->sections[i];
        if (!section_kind_find(section->source->kind, &section->kind))
            return unknown_kind(build, section->source);
        if (!check_header(build, section->source, section->kind, section->source->kind) ||
            !check_double(build, section))
            return false;
        build->n_sections++;
    }
    return true;
}

static size_t count(const struct build *build, enum section_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < build->n_sections; i++)
        n += build->sections[i].kind == kind;
    return n;
}

static void *make_array(size_t n, size_t size)
{
    return calloc(n ? n : 1, size);
}

/* The arrays other than nodes; their counts are raised as the objects are named. */
static bool make_arrays(const struct build *build)
{
    struct config *config = build->config;
    config->clusters = make_array(count(build, SECTION_CLUSTER), sizeof *config->clusters);
    config->listeners = make_array(count(build, SECTION_LISTENER), sizeof *config->listeners);
    config->databases = make_array(count(build, SECTION_DATABASE), sizeof *config->databases);
    config->users = make_array(count(build, SECTION_USER), sizeof *config->users);
    return (config->clusters && config->listeners && config->databases && config->users) ||
           build_fail(build, NULL, NULL, "out of memory");
}

static bool name_object(const struct build *build, struct build_section *section, void *object, char **name)
{
    section->object = object;
    *name = strdup(section->source->name);
    return *name || build_fail(build, section, NULL, "out of memory");
}

static bool place_section(const struct build *build, struct build_section *section)
{
    struct config *config = build->config;
    switch (section->kind) {
    case SECTION_ROLECALL: section->object = config; return true;
    case SECTION_CLUSTER: {
        struct config_cluster *cluster = &config->clusters[config->n_clusters++];
        return name_object(build, section, cluster, &cluster->name);
    }
    case SECTION_LISTENER: {
        struct config_listener *listener = &config->listeners[config->n_listeners++];
        return name_object(build, section, listener, &listener->name);
    }
    case SECTION_DATABASE: {
        struct config_database *database = &config->databases[config->n_databases++];
        return name_object(build, section, database, &database->name);
    }
    case SECTION_USER: {
        struct config_user *user = &config->users[config->n_users++];
        return name_object(build, section, user, &user->name);
    }
    case SECTION_HTTP:
        config->http.on = true;
        section->object = &config->http;
        return true;
    case SECTION_NODE: return true; /* after all clusters */
    }
    return true;
}

static bool find_cluster(
    const struct build *build, const struct build_section *section, const char *name, size_t *index)
{
    const struct config *config = build->config;
    char suggestion[128];
    for (*index = 0; *index < config->n_clusters; (*index)++) {
        if (strcmp(config->clusters[*index].name, name) == 0)
            return true;
    }
    return build_fail(build, section, "cluster", "there is no [cluster %.64s]%s", name,
        build_suggest_cluster(build, name, suggestion, sizeof suggestion));
}

/* The `cluster` of a node or a listener; *name is the caller's to free, NULL when not set. */
static bool read_cluster(const struct build *build, struct build_section *section, char **name)
{
    const struct document_section *source = section->source;
    bool is_file;
    char why[EXPAND_WHY_MAX];
    *name = NULL;
    for (size_t i = 0; i < source->n_entries && !*name; i++) {
        if (strcmp(source->entries[i].key, "cluster") != 0)
            continue;
        section->lines[schema_index(schema_find(section->kind, "cluster", &is_file))] =
            source->entries[i].line;
        *name = expand_variables(source->entries[i].value, why);
        if (!*name)
            return build_fail(build, section, "cluster", "cluster: %s", why);
    }
    return true;
}

/* The index of the cluster that a node or a listener names, or of the only one. */
static bool resolve_cluster(const struct build *build, struct build_section *section, size_t *index)
{
    char *name;
    bool found;
    *index = 0;
    if (!read_cluster(build, section, &name))
        return false;
    if (name && *name)
        found = find_cluster(build, section, name, index);
    else
        found = build->config->n_clusters == 1 ||
                build_fail(build, section, NULL, "\"cluster\" is missing; there is more than one [cluster]");
    expand_free(name);
    return found;
}

static bool place_nodes(const struct build *build, size_t *clusters)
{
    struct config *config = build->config;
    for (size_t i = 0; i < build->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        if (section->kind != SECTION_NODE)
            continue;
        if (!resolve_cluster(build, section, &clusters[i]))
            return false;
        struct config_cluster *cluster = &config->clusters[clusters[i]];
        struct config_node *grown = reallocarray(cluster->nodes, cluster->n_nodes + 1, sizeof *grown);
        if (!grown)
            return build_fail(build, section, NULL, "out of memory");
        cluster->nodes = grown;
        grown[cluster->n_nodes] = (struct config_node){.name = strdup(section->source->name)};
        if (!grown[cluster->n_nodes++].name)
            return build_fail(build, section, NULL, "out of memory");
        if (cluster->n_nodes > CONFIG_MAX_NODES)
            return build_fail(build, section, "cluster", "a cluster has at most %d nodes", CONFIG_MAX_NODES);
    }
    return true;
}

/* The nodes stand still now: tell the sections where. */
static void point_to_nodes(const struct build *build, const size_t *clusters)
{
    for (size_t i = 0; i < build->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        if (section->kind != SECTION_NODE)
            continue;
        struct config_cluster *cluster = &build->config->clusters[clusters[i]];
        for (size_t k = 0; k < cluster->n_nodes; k++) {
            if (strcmp(cluster->nodes[k].name, section->source->name) == 0)
                section->object = &cluster->nodes[k];
        }
    }
}

static bool make_nodes(const struct build *build)
{
    size_t *clusters = make_array(build->n_sections, sizeof *clusters);
    if (!clusters)
        return build_fail(build, NULL, NULL, "out of memory");
    bool placed = place_nodes(build, clusters);
    if (placed)
        point_to_nodes(build, clusters);
    free(clusters);
    return placed;
}

static bool resolve_listeners(const struct build *build)
{
    for (size_t i = 0; i < build->n_sections; i++) {
        struct build_section *section = &build->sections[i];
        struct config_listener *listener = section->object;
        if (section->kind == SECTION_LISTENER && !resolve_cluster(build, section, &listener->cluster))
            return false;
    }
    return true;
}

bool build_objects(struct build *build)
{
    if (!classify(build) || !make_arrays(build))
        return false;
    for (size_t i = 0; i < build->n_sections; i++) {
        if (!place_section(build, &build->sections[i]))
            return false;
    }
    if (build->config->n_clusters == 0)
        return build_fail(build, NULL, NULL, "there is no [cluster NAME] section");
    if (build->config->n_listeners == 0)
        return build_fail(build, NULL, NULL, "there is no [listener NAME] section");
    return make_nodes(build) && resolve_listeners(build);
}

void build_fini(struct build *build)
{
    free(build->sections);
    build->sections = NULL;
}
