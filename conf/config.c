/* The life of a config, and the questions that are asked of it; see config.h. */
#include "conf/config.h"

#include "conf/schema.h"
#include "conf/value.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void fini_values(enum section_kind kind, void *object)
{
    size_t n;
    const struct schema_key *keys = schema_keys(&n);
    for (size_t i = 0; i < n; i++) {
        void *place = schema_has(&keys[i], kind) ? schema_place(&keys[i], kind, object) : NULL;
        if (place)
            value_fini(&keys[i], place);
    }
}

static void cluster_fini(struct config_cluster *cluster)
{
    for (size_t i = 0; i < cluster->n_nodes; i++) {
        fini_values(SECTION_NODE, &cluster->nodes[i]);
        free(cluster->nodes[i].name);
    }
    free(cluster->nodes);
    fini_values(SECTION_CLUSTER, cluster);
    free(cluster->name);
}

static void config_free(struct config *config)
{
    for (size_t i = 0; i < config->n_clusters; i++)
        cluster_fini(&config->clusters[i]);
    for (size_t i = 0; i < config->n_listeners; i++) {
        fini_values(SECTION_LISTENER, &config->listeners[i]);
        free(config->listeners[i].name);
    }
    for (size_t i = 0; i < config->n_databases; i++) {
        fini_values(SECTION_DATABASE, &config->databases[i]);
        free(config->databases[i].name);
    }
    for (size_t i = 0; i < config->n_users; i++)
        free(config->users[i].name);
    fini_values(SECTION_HTTP, &config->http);
    free(config->clusters);
    free(config->listeners);
    free(config->databases);
    free(config->users);
    fini_values(SECTION_ROLECALL, config);
    free(config->path);
    free(config);
}

struct config *config_ref(struct config *config)
{
    uint32_t before = atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    assert(before > 0);
    return config;
}

void config_unref(struct config *config)
{
    if (!config)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1)
        config_free(config);
}

const struct config_database *config_database(const struct config *config, const char *name)
{
    const struct config_database *any = NULL;
    for (size_t i = 0; i < config->n_databases; i++) {
        if (strcmp(config->databases[i].name, "*") == 0)
            any = &config->databases[i];
        else if (strcmp(config->databases[i].name, name) == 0)
            return &config->databases[i];
    }
    return any;
}

const struct config_user *config_user(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_users; i++) {
        if (strcmp(config->users[i].name, name) == 0)
            return &config->users[i];
    }
    return NULL;
}

/* Copies what a [user] section set over the limits found so far; max_clients stays the database's. */
static void apply_user(const struct config_user *user, struct limits *out)
{
    size_t n;
    const struct schema_key *keys = schema_keys(&n);
    uint32_t max_clients = out->max_clients;
    for (size_t i = 0; i < n; i++) {
        if (keys[i].part == PART_LIMITS && (user->limits_set & keys[i].limit))
            memcpy((char *)out + keys[i].offset, (const char *)&user->limits + keys[i].offset,
                value_size(&keys[i]));
    }
    out->max_clients = max_clients;
    out->pool_set = out->pool_set || (user->limits_set & LIMIT_POOL);
}

void config_limits(const struct config *config, const struct config_listener *listener, const char *database,
    const char *user, struct limits *out)
{
    const struct config_database *of_database = config_database(config, database);
    const struct config_user *of_user = config_user(config, user);
    *out = of_database ? of_database->limits : config->limits;
    if (of_user)
        apply_user(of_user, out);
    if (!out->pool_set)
        out->pool = listener->pool;
    if (listener->auth == AUTH_PASSTHROUGH)
        out->pool = POOL_NONE;
}

/* The names are the schema's: what a log says can be written into the file. */
static const char *name_of(enum section_kind kind, const char *key, unsigned value)
{
    bool is_file;
    const struct schema_key *row = schema_find(kind, key, &is_file);
    assert(row && value < row->n_names);
    return row->names[value];
}

const char *route_name(enum route route)
{
    return name_of(SECTION_LISTENER, "route", route);
}

const char *pool_mode_name(enum pool_mode mode)
{
    return name_of(SECTION_LISTENER, "pool", mode);
}

const char *auth_method_name(enum auth_method method)
{
    return name_of(SECTION_LISTENER, "auth", method);
}

const char *tls_mode_name(enum tls_mode mode)
{
    return name_of(SECTION_LISTENER, "tls", mode);
}

/* The keys of a cluster's commands lie in its array in their order. */
const char *hook_name(enum hook hook)
{
    static const char *const names[HOOK_KINDS] = {
        [HOOK_ON_PRIMARY_DOWN] = "on_primary_down",
        [HOOK_BEFORE_PROMOTE] = "before_promote",
        [HOOK_DEMOTE] = "demote",
        [HOOK_AFTER_PROMOTE] = "after_promote",
        [HOOK_REJOIN] = "rejoin",
        [HOOK_ON_ROLE_CHANGE] = "on_role_change",
        [HOOK_ON_NODE_DOWN] = "on_node_down",
        [HOOK_ON_NODE_UP] = "on_node_up",
        [HOOK_ON_SPLIT] = "on_split",
    };
    return names[hook];
}
