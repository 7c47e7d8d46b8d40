/*
 * What depends on several keys or sections; the last step of build.h.
 *
 * Each rule is a question that would otherwise be asked at the first client or the first failover. A rule
 * that fails names the line of the key that an operator would change.
 */
#include "conf/address.h"
#include "conf/build.h"
#include "conf/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef bool (*rule)(const struct build *build, const struct build_section *section);

static bool ends_with(const char *text, const char *end)
{
    size_t text_len = strlen(text), end_len = strlen(end);
    return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

/* Files that are read later are readable now. */
static bool check_files(const struct build *build, const struct build_section *section)
{
    size_t n;
    const struct schema_key *keys = schema_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (keys[i].type != VALUE_PATH || section->lines[i] == 0 || !ends_with(keys[i].key, "_file"))
            continue;
        const char *path = *(char **)schema_place(&keys[i], section->kind, section->object);
        if (path && access(path, R_OK) != 0)
            return build_fail(build, section, keys[i].key, "%s: cannot read %.200s: %s", keys[i].key, path,
                strerror(errno));
    }
    return true;
}

static bool check_pool_sizes(const struct build *build, const struct build_section *section)
{
    const struct limits *limits = schema_limits(section->kind, section->object);
    bool both = section->kind != SECTION_USER ||
                (build_is_set(section, "pool_size") && build_is_set(section, "min_pool_size"));
    if (both && limits->pool_size > 0 && limits->min_pool_size > limits->pool_size)
        return build_fail(build, section,
            build_is_set(section, "min_pool_size") ? "min_pool_size" : "pool_size",
            "min_pool_size = %u is more than pool_size = %u", limits->min_pool_size, limits->pool_size);
    return true;
}

static bool is_empty(char **list)
{
    return !list || !*list;
}

static bool check_rolecall(const struct build *build, const struct build_section *section)
{
    const struct config *config = section->object;
    if (config->admin_socket && strlen(config->admin_socket) >= ADDRESS_PATH_MAX)
        return build_fail(build, section, "admin_socket",
            "admin_socket: the path of a Unix socket is longer than 107 bytes");
    if (config->admin_database && is_empty(config->admin_users) && is_empty(config->stats_users))
        return build_fail(build, section, "admin_database",
            "admin_database: nobody may use it while admin_users and stats_users name nobody");
    return check_pool_sizes(build, section);
}

static bool check_own_certificate(
    const struct build *build, const struct build_section *section, const struct config_tls *tls)
{
    if (tls->cert_file && !tls->key_file)
        return build_fail(build, section, "tls_cert_file", "tls_cert_file needs tls_key_file");
    if (tls->key_file && !tls->cert_file)
        return build_fail(build, section, "tls_key_file", "tls_key_file needs tls_cert_file");
    return true;
}

static bool check_hooks(const struct build *build, const struct build_section *section)
{
    const struct config_cluster *cluster = section->object;
    for (int hook = 0; hook < HOOK_KINDS; hook++) {
        const char *key = hook_name((enum hook)hook);
        char **argv = cluster->hooks[hook];
        if (argv && access(argv[0], X_OK) != 0)
            return build_fail(
                build, section, key, "%s: cannot execute %.200s: %s", key, argv[0], strerror(errno));
    }
    return true;
}

static bool check_url(const struct build *build, const struct build_section *section, const char *url)
{
    size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0 || strcspn(url + scheme, "/?# ") == 0 || strpbrk(url, " \t") || strlen(url) > 255)
        return build_fail(build, section, "patroni_urls",
            "patroni_urls: \"%.64s\" is not of the form http://host:8008 or https://host:8008", url);
    return true;
}

static bool check_patroni(const struct build *build, const struct build_section *section)
{
    const struct config_cluster *cluster = section->object;
    const struct config_patroni *patroni = &cluster->patroni;
    bool any = patroni->urls && patroni->urls[0];
    if (cluster->manager != MANAGER_KIND_PATRONI)
        return !any || build_fail(build, section, "patroni_urls", "patroni_urls needs manager = patroni");
    if (!any)
        return build_fail(
            build, section, "manager", "manager = patroni needs patroni_urls, where its REST API answers");
    if (!patroni->cert_file != !patroni->key_file)
        return build_fail(build, section, patroni->cert_file ? "patroni_cert_file" : "patroni_key_file",
            "patroni_cert_file and patroni_key_file need each other");
    if (patroni->password && !patroni->user)
        return build_fail(build, section, "patroni_password", "patroni_password needs patroni_user");
    for (char **url = patroni->urls; *url; url++) {
        if (!check_url(build, section, *url))
            return false;
    }
    return true;
}

static bool check_cluster(const struct build *build, const struct build_section *section)
{
    const struct config_cluster *cluster = section->object;
    if (cluster->n_nodes == 0 && cluster->manager == MANAGER_KIND_NONE)
        return build_fail(build, section, NULL, "has no nodes; add a [node NAME]");
    if (cluster->manager == MANAGER_KIND_MONITOR && !cluster->monitor_host)
        return build_fail(build, section, NULL, "manager = monitor needs monitor_host");
    if (cluster->observation_ttl_ms <= cluster->probe_interval_ms + cluster->probe_timeout_ms)
        return build_fail(build, section, "observation_ttl",
            "observation_ttl must be longer than probe_interval and probe_timeout together (%llums)",
            (unsigned long long)(cluster->probe_interval_ms + cluster->probe_timeout_ms));
    if (cluster->auth_query && !strstr(cluster->auth_query, "$1"))
        return build_fail(build, section, "auth_query", "auth_query must hold $1, the name of the user");
    if (cluster->failover == FAILOVER_BUILTIN && cluster->manager != MANAGER_KIND_NONE)
        return build_fail(build, section, "failover", "failover = builtin: the cluster's manager does that");
    return check_hooks(build, section) && check_patroni(build, section) &&
           check_own_certificate(build, section, &cluster->tls);
}

/* The cluster that the section's node lies in. */
static const struct config_cluster *cluster_of(const struct build *build, const struct config_node *node)
{
    for (size_t i = 0; i < build->config->n_clusters; i++) {
        const struct config_cluster *cluster = &build->config->clusters[i];
        if (node >= cluster->nodes && node < cluster->nodes + cluster->n_nodes)
            return cluster;
    }
    return NULL;
}

static bool check_host(const struct build *build, const struct build_section *section, const char *host)
{
    const char *colon = strchr(host, ':');
    if (strpbrk(host, " \t,"))
        return build_fail(
            build, section, "host", "host is one name, address or folder, without blanks and commas");
    if (host[0] == '[')
        return build_fail(build, section, "host", "host is an IPv6 address without [ and ]");
    if (strncmp(host, "unix:", 5) == 0)
        return build_fail(
            build, section, "host", "host of a Unix socket is the folder alone, beginning with /");
    if (host[0] != '/' && colon && !strchr(colon + 1, ':'))
        return build_fail(build, section, "host", "host holds no port; write port = %.16s", colon + 1);
    if (strlen(host) >= ADDRESS_HOST_MAX || (host[0] == '/' && strlen(host) > ADDRESS_PATH_MAX - 20))
        return build_fail(build, section, "host", "host is too long");
    return true;
}

static bool check_node(const struct build *build, const struct build_section *section)
{
    const struct config_node *node = section->object;
    const struct config_cluster *cluster = cluster_of(build, node);
    if (!check_host(build, section, node->host))
        return false;
    for (const struct config_node *other = cluster->nodes; other < node; other++) {
        if (other->port == node->port && strcasecmp(other->host, node->host) == 0)
            return build_fail(build, section, "host", "the same host and port as [node %s]", other->name);
    }
    return true;
}

static bool check_listener_tls(const struct build *build, const struct build_section *section)
{
    const struct config_listener *listener = section->object;
    const struct config_tls *tls = &listener->tls;
    bool verifies = tls->mode >= TLS_VERIFY_CA;
    if (!check_own_certificate(build, section, tls))
        return false;
    if (tls->mode != TLS_DISABLE && !tls->cert_file)
        return build_fail(
            build, section, "tls", "tls = %s needs tls_cert_file and tls_key_file", tls_mode_name(tls->mode));
    if (verifies && !tls->ca_file)
        return build_fail(build, section, "tls", "tls = %s needs tls_ca_file", tls_mode_name(tls->mode));
    if (tls->mode >= TLS_REQUIRE && strncmp(listener->address, "unix:", 5) == 0)
        return build_fail(build, section, "tls", "tls = %s: clients speak no TLS over a Unix socket",
            tls_mode_name(tls->mode));
    return true;
}

static bool has_secrets(const struct build *build, const struct config_listener *listener)
{
    return listener->auth_file || build->config->clusters[listener->cluster].auth_query;
}

static bool check_listener_auth(const struct build *build, const struct build_section *section)
{
    const struct config_listener *listener = section->object;
    switch (listener->auth) {
    case AUTH_CERT:
        if (listener->tls.mode < TLS_VERIFY_CA)
            return build_fail(build, section, "auth", "auth = cert needs tls = verify-ca or verify-full");
        break;
    case AUTH_HBA:
        if (!listener->hba_file)
            return build_fail(build, section, "auth", "auth = hba needs hba_file");
        break;
    case AUTH_PASSTHROUGH:
        if (listener->pool != POOL_NONE)
            return build_fail(build, section, "pool", "auth = passthrough needs pool = none, not %s",
                pool_mode_name(listener->pool));
        break;
    case AUTH_SCRAM:
    case AUTH_MD5:
    case AUTH_PASSWORD:
        if (!has_secrets(build, listener))
            return build_fail(build, section, "auth",
                "auth = %s needs an auth_file or the cluster's auth_query", auth_method_name(listener->auth));
        break;
    case AUTH_TRUST: break;
    }
    if (listener->hba_file && listener->auth != AUTH_HBA)
        return build_fail(build, section, "hba_file",
            "hba_file is only read with auth = hba, not with auth = %s", auth_method_name(listener->auth));
    return true;
}

static bool check_listener_address(const struct build *build, const struct build_section *section)
{
    const struct config_listener *listener = section->object;
    const char *why, *admin = build->config->admin_socket;
    struct address address, other;
    if (!address_parse(listener->address, &address, &why))
        return build_fail(build, section, "address", "bad address \"%.64s\": %s", listener->address, why);
    if (address.is_unix && admin && strcmp(admin, address.path) == 0)
        return build_fail(build, section, "address", "the same address as admin_socket");
    for (const struct config_listener *before = build->config->listeners; before < listener; before++) {
        if (address_parse(before->address, &other, &why) && address_collides(&address, &other))
            return build_fail(build, section, "address", "address %.64s collides with %.64s of [listener %s]",
                listener->address, before->address, before->name);
    }
    return true;
}

static bool check_listener(const struct build *build, const struct build_section *section)
{
    const struct config_listener *listener = section->object;
    if (!check_listener_address(build, section) || !check_listener_auth(build, section))
        return false;
    if (listener->route == ROUTE_SPLIT && listener->pool == POOL_NONE)
        return build_fail(build, section, listener->auth == AUTH_PASSTHROUGH ? "auth" : "pool",
            "%s makes a relay, which cannot be split; choose another route than split",
            listener->auth == AUTH_PASSTHROUGH ? "auth = passthrough" : "pool = none");
    return check_listener_tls(build, section);
}

/* A database or user of its own server connection cannot come through a listener that splits. `cluster` NULL:
 * any. */
static bool check_relay(const struct build *build, const struct build_section *section, const char *cluster)
{
    const struct config *config = build->config;
    const struct limits *limits = schema_limits(section->kind, section->object);
    if (!limits->pool_set || limits->pool != POOL_NONE)
        return true;
    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *listener = &config->listeners[i];
        bool reached = !cluster || strcmp(cluster, config->clusters[listener->cluster].name) == 0;
        if (reached && listener->route == ROUTE_SPLIT)
            return build_fail(build, section, "pool",
                "pool = none makes a relay, which route = split of [listener %s] cannot split",
                listener->name);
    }
    return true;
}

static bool check_database(const struct build *build, const struct build_section *section)
{
    const struct config_database *database = section->object;
    char suggestion[128];
    if (build->config->admin_database && strcmp(database->name, CONSOLE_DATABASE) == 0)
        return build_fail(build, section, NULL,
            "with admin_database = on the name " CONSOLE_DATABASE " means rolecall itself");
    if (database->cluster && !build_find(build, SECTION_CLUSTER, database->cluster))
        return build_fail(build, section, "cluster", "there is no [cluster %.64s]%s", database->cluster,
            build_suggest_cluster(build, database->cluster, suggestion, sizeof suggestion));
    return check_pool_sizes(build, section) && check_relay(build, section, database->cluster);
}

static bool check_user(const struct build *build, const struct build_section *section)
{
    return check_pool_sizes(build, section) && check_relay(build, section, NULL);
}

/* Listeners are checked among themselves: this one may collide with any of them. */
static bool check_http_address(const struct build *build, const struct build_section *section)
{
    const struct config_http *http = section->object;
    struct address address, other;
    const char *why;
    if (!address_parse(http->address, &address, &why))
        return build_fail(build, section, "address", "bad address \"%.64s\": %s", http->address, why);
    if (address.is_unix)
        return build_fail(build, section, "address", "HTTP is served over TCP: host:port");
    for (size_t i = 0; i < build->config->n_listeners; i++) {
        const struct config_listener *listener = &build->config->listeners[i];
        if (address_parse(listener->address, &other, &why) && address_collides(&address, &other))
            return build_fail(build, section, "address", "address %.64s collides with %.64s of [listener %s]",
                http->address, listener->address, listener->name);
    }
    return true;
}

static bool check_http(const struct build *build, const struct build_section *section)
{
    const struct config_http *http = section->object;
    if (!check_http_address(build, section) || !check_own_certificate(build, section, &http->tls))
        return false;
    if (http->user && !http->password)
        return build_fail(build, section, "user", "user needs password or password_file");
    if (http->password && !http->user)
        return build_fail(build, section, "password", "password needs user");
    if (http->user && strchr(http->user, ':'))
        return build_fail(build, section, "user", "HTTP allows no colon in the name of a user");
    return true;
}

static const rule rules[SECTION_KINDS] = {
    [SECTION_ROLECALL] = check_rolecall,
    [SECTION_CLUSTER] = check_cluster,
    [SECTION_NODE] = check_node,
    [SECTION_LISTENER] = check_listener,
    [SECTION_DATABASE] = check_database,
    [SECTION_USER] = check_user,
    [SECTION_HTTP] = check_http,
};

bool build_validate(const struct build *build)
{
    for (size_t i = 0; i < build->n_sections; i++) {
        const struct build_section *section = &build->sections[i];
        if (!check_files(build, section) || !rules[section->kind](build, section))
            return false;
    }
    return true;
}
