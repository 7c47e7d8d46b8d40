/* Comparing a cluster's configuration before and after; see reload.h. */
#include "health/reload.h"

#include <string.h>

static bool differ(const char *a, const char *b)
{
    return a != b && (!a || !b || strcmp(a, b) != 0);
}

static bool tls_differs(const struct config_tls *a, const struct config_tls *b)
{
    return a->mode != b->mode || differ(a->ca_file, b->ca_file) || differ(a->cert_file, b->cert_file) ||
           differ(a->key_file, b->key_file);
}

static bool probes_differ(const struct config_cluster *a, const struct config_cluster *b)
{
    return differ(a->probe_user, b->probe_user) || differ(a->probe_password, b->probe_password) ||
           differ(a->probe_database, b->probe_database) || tls_differs(&a->tls, &b->tls);
}

static bool secrets_differ(const struct config_cluster *a, const struct config_cluster *b)
{
    return differ(a->auth_query, b->auth_query) || differ(a->auth_user, b->auth_user) ||
           differ(a->auth_password, b->auth_password) || differ(a->auth_database, b->auth_database);
}

static bool lists_differ(char **a, char **b)
{
    while (a && b && *a && *b && strcmp(*a, *b) == 0) {
        a++;
        b++;
    }
    return (a && *a) || (b && *b);
}

unsigned reload_changes(const struct settings *now, const struct config *config, size_t index)
{
    const struct config_cluster *a = now->cluster, *b = &config->clusters[index];
    unsigned changes = 0;
    if (a->manager != b->manager)
        changes |= RELOAD_MANAGER;
    if (probes_differ(a, b))
        changes |= RELOAD_PROBES;
    if (secrets_differ(a, b))
        changes |= RELOAD_SECRETS;
    if (lists_differ(a->read_functions, b->read_functions) ||
        lists_differ(a->write_functions, b->write_functions))
        changes |= RELOAD_CATALOGUES;
    return changes;
}
