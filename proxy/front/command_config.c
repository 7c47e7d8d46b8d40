/* SHOW CONFIG: every key of every section, from the schema, in PgBouncer's columns. Secrets are shown as set
 * or not. */
#include "proxy/front/command_handlers.h"

#include "conf/schema.h"
#include "conf/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct result_column config_columns[] = {
    {"key", COLUMN_TEXT}, /* outside of [rolecall] with its section: [cluster main] max_lag */
    {"value", COLUMN_TEXT}, {"default", COLUMN_TEXT},
    {"changeable", COLUMN_TEXT}, /* by RELOAD: yes or no, as PgBouncer says it */
};
const struct result_shape config_shape = RESULT_SHAPE(config_columns);

struct section {
    enum section_kind kind;
    const char *name;    /* NULL for [rolecall] */
    void *object;        /* is only read: schema_place serves writers as well */
    const char *cluster; /* what a key of that name says */
    uint32_t limits_set;
};

/* Limits that the section does not set come from elsewhere and are shown there. */
static bool is_inherited(const struct schema_key *key, const struct section *section)
{
    return key->part == PART_LIMITS && section->kind != SECTION_ROLECALL &&
           !(section->limits_set & key->limit);
}

static void add_key(struct result *result, const struct schema_key *key, const struct section *section)
{
    bool named = key->type == VALUE_CLUSTER;
    char *value = named ? NULL : value_text(key, schema_place(key, section->kind, section->object));
    if (section->name)
        result_format(result, "[%s %s] %s", section_kind_name(section->kind), section->name, key->key);
    else if (section->kind != SECTION_ROLECALL)
        result_format(result, "[%s] %s", section_kind_name(section->kind), key->key);
    else
        result_text(result, key->key);
    result_text(result, named ? section->cluster : value);
    result_text(result, key->value);
    result_text(result, key->needs_restart ? "no" : "yes");
    free(value);
}

static void add_section(struct result *result, const struct section *section)
{
    size_t n;
    const struct schema_key *keys = schema_keys(&n);
    for (size_t i = 0; i < n; i++)
        if (schema_has(&keys[i], section->kind) && !is_inherited(&keys[i], section))
            add_key(result, &keys[i], section);
}

static void add_cluster(struct result *result, const struct config_cluster *cluster)
{
    add_section(result, &(struct section){SECTION_CLUSTER, cluster->name, (void *)cluster, NULL, 0});
    for (size_t i = 0; i < cluster->n_nodes; i++) {
        const struct config_node *node = &cluster->nodes[i];
        add_section(result, &(struct section){SECTION_NODE, node->name, (void *)node, cluster->name, 0});
    }
}

bool show_config(struct command_call *call, struct error *error)
{
    const struct config *config = call->view->config;
    struct result *result = &call->result;
    (void)error;
    add_section(result, &(struct section){SECTION_ROLECALL, NULL, (void *)config, NULL, 0});
    for (size_t i = 0; i < config->n_clusters; i++)
        add_cluster(result, &config->clusters[i]);
    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *listener = &config->listeners[i];
        const char *cluster = config->clusters[listener->cluster].name;
        add_section(
            result, &(struct section){SECTION_LISTENER, listener->name, (void *)listener, cluster, 0});
    }
    for (size_t i = 0; i < config->n_databases; i++) {
        const struct config_database *database = &config->databases[i];
        add_section(result, &(struct section){SECTION_DATABASE, database->name, (void *)database, NULL,
                                database->limits_set});
    }
    for (size_t i = 0; i < config->n_users; i++) {
        const struct config_user *user = &config->users[i];
        add_section(
            result, &(struct section){SECTION_USER, user->name, (void *)user, NULL, user->limits_set});
    }
    if (config->http.on)
        add_section(result, &(struct section){SECTION_HTTP, NULL, (void *)&config->http, NULL, 0});
    return true;
}
