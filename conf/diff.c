/*
 * What a reload would change; see config_diff in config.h. Sections are matched by kind and name, members
 * compared by their type in the schema. A database's limits count where its section sets them: what it takes
 * over from [rolecall] is told once, there.
 */
#include "conf/config.h"
#include "conf/schema.h"
#include "conf/value.h"

#include <stdio.h>
#include <string.h>

#define SECTION_MAX 96

struct diff {
    void *context;
    void (*changed)(void *context, const char *section, const char *key, bool reloadable);
};

/* One section of one config. */
struct side {
    const struct config *config;
    enum section_kind kind;
    const char *name;
    void *object;        /* only read */
    const char *cluster; /* of a node or a listener */
    uint32_t limits_set;
};

/* Walks over all sections of a config; false behind the last one. */
static bool section_at(const struct config *config, size_t index, struct side *side)
{
    *side = (struct side){.config = config, .kind = SECTION_ROLECALL, .object = (void *)config};
    if (index-- == 0)
        return true;
    for (size_t i = 0; i < config->n_clusters; i++) {
        struct config_cluster *cluster = &config->clusters[i];
        *side = (struct side){
            .config = config, .kind = SECTION_CLUSTER, .name = cluster->name, .object = cluster};
        if (index-- == 0)
            return true;
        if (index < cluster->n_nodes) {
            struct config_node *node = &cluster->nodes[index];
            *side = (struct side){.config = config, .kind = SECTION_NODE, .name = node->name, .object = node};
            side->cluster = cluster->name;
            return true;
        }
        index -= cluster->n_nodes;
    }
    if (index < config->n_listeners) {
        struct config_listener *listener = &config->listeners[index];
        *side = (struct side){
            .config = config, .kind = SECTION_LISTENER, .name = listener->name, .object = listener};
        side->cluster = config->clusters[listener->cluster].name;
        return true;
    }
    index -= config->n_listeners;
    if (index < config->n_databases) {
        struct config_database *database = &config->databases[index];
        *side = (struct side){
            .config = config, .kind = SECTION_DATABASE, .name = database->name, .object = database};
        side->limits_set = database->limits_set;
        return true;
    }
    index -= config->n_databases;
    if (index < config->n_users) {
        struct config_user *user = &config->users[index];
        *side = (struct side){.config = config, .kind = SECTION_USER, .name = user->name, .object = user};
        side->limits_set = user->limits_set;
        return true;
    }
    index -= config->n_users;
    *side = (struct side){.config = config, .kind = SECTION_HTTP, .object = (void *)&config->http};
    return index == 0 && config->http.on;
}

static bool find_section(const struct config *config, const struct side *like, struct side *found)
{
    for (size_t i = 0; section_at(config, i, found); i++) {
        bool same_name =
            found->name == like->name || (found->name && like->name && strcmp(found->name, like->name) == 0);
        if (found->kind == like->kind && same_name)
            return true;
    }
    return false;
}

static bool key_differs(const struct schema_key *key, const struct side *before, const struct side *after)
{
    if (key->type == VALUE_CLUSTER)
        return strcmp(before->cluster, after->cluster) != 0; /* the index may move without a change */
    if (key->part == PART_LIMITS && before->kind != SECTION_ROLECALL) {
        bool was_set = before->limits_set & key->limit, is_set = after->limits_set & key->limit;
        if (!was_set || !is_set)
            return was_set != is_set;
    }
    return !value_equal(
        key, schema_place(key, before->kind, before->object), schema_place(key, after->kind, after->object));
}

static void section_name(const struct side *side, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", section_kind_name(side->kind), side->name ? " " : "",
        side->name ? side->name : "");
}

static void compare(const struct diff *diff, const struct side *before, const struct side *after)
{
    char name[SECTION_MAX];
    size_t n;
    const struct schema_key *keys = schema_keys(&n);
    section_name(before, name, sizeof name);
    for (size_t i = 0; i < n; i++) {
        if (schema_has(&keys[i], before->kind) && key_differs(&keys[i], before, after))
            diff->changed(diff->context, name, keys[i].key, !keys[i].needs_restart);
    }
}

/* Listeners are opened and clusters watched from the start on; the rest may come and go. */
static bool may_come_and_go(enum section_kind kind)
{
    return kind != SECTION_CLUSTER && kind != SECTION_LISTENER;
}

static void tell(const struct diff *diff, const struct side *side, const char *what)
{
    char name[SECTION_MAX];
    section_name(side, name, sizeof name);
    diff->changed(diff->context, name, what, may_come_and_go(side->kind));
}

void config_diff(const struct config *before, const struct config *after, void *context,
    void (*changed)(void *context, const char *section, const char *key, bool reloadable))
{
    const struct diff diff = {context, changed};
    struct side side, other;
    for (size_t i = 0; section_at(before, i, &side); i++) {
        if (find_section(after, &side, &other))
            compare(&diff, &side, &other);
        else
            tell(&diff, &side, "(removed)");
    }
    for (size_t i = 0; section_at(after, i, &side); i++) {
        if (!find_section(before, &side, &other))
            tell(&diff, &side, "(added)");
    }
}
