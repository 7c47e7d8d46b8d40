/*
 * SHOW DATABASES, SHOW USERS and SHOW LISTS: what PgBouncer's users and its exporter look for, by PgBouncer's
 * names. A database or user is listed when the configuration has a section of its name, when it has clients,
 * and a database also while there are connections to it.
 */
#include "proxy/front/command_handlers.h"
#include "proxy/front/pool_totals.h"
#include "proxy/session/census.h"

#include <stdlib.h>
#include <string.h>

/* ---- databases ---- */

static const struct result_column databases_columns[] = {
    {"name", COLUMN_TEXT}, /* as clients call it */
    {"host", COLUMN_TEXT}, /* of the primary */
    {"port", COLUMN_NUMBER},
    {"database", COLUMN_TEXT}, /* as the nodes call it */
    {"force_user", COLUMN_TEXT},
    {"pool_size", COLUMN_NUMBER}, /* connections, for each user and node */
    {"min_pool_size", COLUMN_NUMBER},
    {"reserve_pool", COLUMN_NUMBER},
    {"pool_mode", COLUMN_TEXT},         /* NULL: the listener's */
    {"max_connections", COLUMN_NUMBER}, /* 0: no limit of its own */
    {"current_connections", COLUMN_NUMBER},
    {"paused", COLUMN_NUMBER},   /* 1 or 0 */
    {"disabled", COLUMN_NUMBER}, /* 0: databases are not disabled, nodes are */
    {"clients", COLUMN_NUMBER},
    {"max_clients", COLUMN_NUMBER},
    {"cluster", COLUMN_TEXT},
};
const struct result_shape databases_shape = RESULT_SHAPE(databases_columns);

struct listing {
    struct command_call *call;
    struct pool_totals pools;
    const char **names; /* that were told */
    size_t n;
};

static bool told(struct listing *listing, const char *name)
{
    for (size_t i = 0; i < listing->n; i++)
        if (strcmp(listing->names[i], name) == 0)
            return true;
    listing->names[listing->n++] = name;
    return false;
}

static size_t n_pools(const struct listing *listing)
{
    return listing->pools.n + listing->pools.left_out;
}

/* The cluster that its connections go to, or would go to. */
static const char *cluster_of(
    const struct listing *listing, const char *dbname, const struct config_database *section)
{
    const struct config *config = listing->call->view->config;
    if (section && section->cluster)
        return section->cluster;
    for (size_t i = 0; i < n_pools(listing); i++)
        if (strcmp(listing->pools.pools[i].database, dbname) == 0)
            return listing->pools.pools[i].cluster;
    return config->clusters[config->n_listeners ? config->listeners[0].cluster : 0].name;
}

static uint64_t connections_of(const struct listing *listing, const char *dbname, const char *cluster)
{
    uint64_t n = 0;
    for (size_t i = 0; i < n_pools(listing); i++) {
        const struct pool_report *pool = &listing->pools.pools[i];
        if (strcmp(pool->database, dbname) == 0 && strcmp(pool->cluster, cluster) == 0)
            n += pool->idle + pool->active + pool->opening;
    }
    return n;
}

static const struct topology_node *primary_of(const struct admin_view *view, const char *cluster)
{
    int i = admin_view_cluster(view, cluster);
    const struct topology *topology = i < 0 ? NULL : view->topologies[i];
    return topology && topology->primary >= 0 ? &topology->nodes[topology->primary] : NULL;
}

static void add_database(struct listing *listing, const char *name)
{
    const struct admin_view *view = listing->call->view;
    const struct config_database *section = config_database(view->config, name);
    const struct limits *limits = section ? &section->limits : &view->config->limits;
    const char *dbname = section && section->dbname ? section->dbname : name;
    const char *cluster = cluster_of(listing, dbname, section);
    const struct topology_node *primary = primary_of(view, cluster);
    struct result *result = &listing->call->result;
    if (told(listing, name))
        return;
    result_text(result, name);
    result_text(result, primary ? primary->host : NULL);
    if (primary)
        result_number(result, primary->port);
    else
        result_null(result);
    result_text(result, dbname);
    result_text(result, section ? section->user : NULL);
    result_number(result, limits->pool_size);
    result_number(result, limits->min_pool_size);
    result_number(result, limits->reserve_pool_size);
    result_text(result, limits->pool_set ? pool_mode_name(limits->pool) : NULL);
    result_number(result, 0);
    result_number(result, connections_of(listing, dbname, cluster));
    result_number(result, pauses_cover(&view->pauses, dbname));
    result_number(result, 0);
    result_number(result, census_count(CENSUS_DATABASE, name));
    result_number(result, section ? limits->max_clients : 0);
    result_text(result, cluster);
}

static void add_databases(struct listing *listing, const struct census_row *census, size_t n)
{
    const struct config *config = listing->call->view->config;
    for (size_t i = 0; i < config->n_databases; i++)
        if (strcmp(config->databases[i].name, "*") != 0)
            add_database(listing, config->databases[i].name);
    for (size_t i = 0; i < n; i++)
        add_database(listing, census[i].name);
    for (size_t i = 0; i < n_pools(listing); i++)
        add_database(listing, listing->pools.pools[i].database);
}

bool show_databases(struct command_call *call, struct error *error)
{
    struct listing listing = {.call = call};
    struct census_row *census = NULL;
    bool ok = pool_totals_init(&listing.pools, call->survey);
    size_t n = census_list(CENSUS_DATABASE, &census);
    listing.names =
        calloc(call->view->config->n_databases + n + n_pools(&listing) + 1, sizeof *listing.names);
    ok = ok && census && listing.names;
    if (ok)
        add_databases(&listing, census, n);
    pool_totals_fini(&listing.pools);
    free(listing.names);
    free(census);
    return ok || error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
}

/* ---- users ---- */

static const struct result_column users_columns[] = {
    {"name", COLUMN_TEXT},
    {"pool_mode", COLUMN_TEXT}, /* NULL: the database's or the listener's */
    {"pool_size", COLUMN_NUMBER},
    {"clients", COLUMN_NUMBER},
    {"max_clients", COLUMN_NUMBER},
};
const struct result_shape users_shape = RESULT_SHAPE(users_columns);

static void add_user(struct command_call *call, const char *name)
{
    const struct config_user *section = config_user(call->view->config, name);
    struct result *result = &call->result;
    result_text(result, name);
    result_text(result, section && section->limits.pool_set ? pool_mode_name(section->limits.pool) : NULL);
    if (section && section->limits.pool_size)
        result_number(result, section->limits.pool_size);
    else
        result_null(result);
    result_number(result, census_count(CENSUS_USER, name));
    result_number(result, section ? section->limits.max_clients : 0);
}

bool show_users(struct command_call *call, struct error *error)
{
    const struct config *config = call->view->config;
    struct census_row *census;
    size_t n = census_list(CENSUS_USER, &census);
    if (!census)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < config->n_users; i++)
        add_user(call, config->users[i].name);
    for (size_t i = 0; i < n; i++)
        if (!config_user(config, census[i].name))
            add_user(call, census[i].name);
    free(census);
    return true;
}

/* ---- lists ---- */

static const struct result_column lists_columns[] = {{"list", COLUMN_TEXT}, {"items", COLUMN_NUMBER}};
const struct result_shape lists_shape = RESULT_SHAPE(lists_columns);

static void add_list(struct command_call *call, const char *list, uint64_t items)
{
    result_text(&call->result, list);
    result_number(&call->result, items);
}

static uint64_t clients_now(const struct admin_view *view)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < view->n_workers; i++)
        n += atomic_load_explicit(&view->workers[i].sessions.counters.clients, memory_order_relaxed);
    return n;
}

static uint64_t census_sum(enum census_kind kind, uint64_t *clients)
{
    struct census_row *rows;
    size_t n = census_list(kind, &rows);
    *clients = 0;
    for (size_t i = 0; i < n; i++)
        *clients += rows[i].count;
    free(rows);
    return n;
}

bool show_lists(struct command_call *call, struct error *error)
{
    struct pool_totals totals;
    uint64_t idle = 0, used = 0, logged_in, clients = clients_now(call->view);
    if (!pool_totals_init(&totals, call->survey))
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < totals.n + totals.left_out; i++) {
        idle += totals.pools[i].idle;
        used += totals.pools[i].active + totals.pools[i].opening;
    }
    add_list(call, "databases", census_sum(CENSUS_DATABASE, &logged_in));
    add_list(call, "users", census_sum(CENSUS_USER, &logged_in));
    add_list(call, "pools", totals.n + totals.left_out);
    add_list(call, "free_clients", 0); /* PgBouncer's spare records: there are none */
    add_list(call, "used_clients", clients);
    add_list(call, "login_clients", clients > logged_in ? clients - logged_in : 0);
    add_list(call, "free_servers", idle);
    add_list(call, "used_servers", used);
    add_list(call, "dns_names", 0); /* names are resolved, not cached */
    add_list(call, "dns_zones", 0);
    add_list(call, "dns_queries", 0);
    pool_totals_fini(&totals);
    return true;
}
