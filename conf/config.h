/*
 * What the operator wrote, checked and resolved: immutable and reference-counted.
 *
 * Made by config_load (conf/load.c), read by every thread without a lock, replaced as a whole on reload.
 * Strings belong to the config. Durations are milliseconds, sizes are bytes; 0 means "no limit" where the
 * schema says so.
 */
#ifndef ROLECALL_CONF_CONFIG_H
#define ROLECALL_CONF_CONFIG_H

#include "conf/base/error.h"
#include "conf/base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_MAX_NODES 64 /* of one cluster */

enum route { ROUTE_PRIMARY, ROUTE_REPLICA, ROUTE_ANY, ROUTE_SPLIT };
enum pool_mode { POOL_NONE, POOL_SESSION, POOL_TRANSACTION, POOL_STATEMENT };
enum auth_method { AUTH_SCRAM, AUTH_MD5, AUTH_PASSWORD, AUTH_TRUST, AUTH_CERT, AUTH_HBA, AUTH_PASSTHROUGH };
enum tls_mode { TLS_DISABLE, TLS_ALLOW, TLS_REQUIRE, TLS_VERIFY_CA, TLS_VERIFY_FULL };
enum fallback { FALLBACK_PRIMARY, FALLBACK_WAIT, FALLBACK_ERROR };
enum draining { DRAINING_HOLD, DRAINING_SERVE };
enum failover_mode { FAILOVER_EXTERNAL, FAILOVER_BUILTIN };
enum data_loss { DATA_LOSS_REFUSE, DATA_LOSS_ALLOW };

/* Commands that are run when something happens to a cluster. */
enum hook {
    HOOK_ON_PRIMARY_DOWN, /* the primary is given up */
    HOOK_BEFORE_PROMOTE,  /* the fence: a promotion waits for it, and for status 0 */
    HOOK_DEMOTE,          /* a switchover's: stop the primary in order and start it as a standby */
    HOOK_AFTER_PROMOTE,
    HOOK_REJOIN, /* an old primary has come back */
    HOOK_ON_ROLE_CHANGE,
    HOOK_ON_NODE_DOWN,
    HOOK_ON_NODE_UP,
    HOOK_ON_SPLIT
};
#define HOOK_KINDS 9

enum manager_kind { MANAGER_KIND_NONE, MANAGER_KIND_PATRONI, MANAGER_KIND_MONITOR };
enum patroni_tls { PATRONI_TLS_REQUIRE, PATRONI_TLS_VERIFY_CA, PATRONI_TLS_VERIFY_FULL };
enum consistency { CONSISTENCY_SESSION, CONSISTENCY_EVENTUAL, CONSISTENCY_STRONG };

/* One side's TLS. On a listener: what clients must do. On a cluster: what rolecall does towards nodes. */
struct config_tls {
    enum tls_mode mode;
    char *ca_file, *cert_file, *key_file; /* NULL when not given */
};

/* Limits and timeouts: [rolecall] gives defaults, [database] and then [user] override. 0 = no limit, none. */
struct limits {
    enum pool_mode pool; /* POOL_* ; a listener's own `pool` applies when neither database nor user sets it */
    bool pool_set;       /* a [database] or [user] set `pool` */
    uint32_t pool_size;  /* server connections of a (database, user, node), whole process */
    uint32_t min_pool_size;     /* kept open even when idle */
    uint32_t reserve_pool_size; /* added after reserve_pool_timeout_ms of waiting */
    uint64_t reserve_pool_timeout_ms;
    uint32_t max_clients; /* of this database or user */
    uint64_t server_lifetime_ms;
    uint64_t server_idle_timeout_ms;
    uint64_t query_wait_timeout_ms;
    uint64_t query_timeout_ms;
    uint64_t idle_transaction_timeout_ms;
    uint64_t client_idle_timeout_ms;
};

struct config_node {
    char *name;
    char *host; /* a host name, an address, or a directory that holds a Unix socket (starts with '/') */
    uint16_t port;
    uint32_t weight;          /* relative share of reads; 0 = never chosen for reads */
    uint32_t max_connections; /* server connections to this node, whole process; 0 = no limit */
};

/* Where Patroni's REST API is asked, with manager = patroni. */
struct config_patroni {
    char **urls; /* NULL-terminated, "http://host:8008" */
    enum patroni_tls tls;
    char *ca_file, *cert_file, *key_file; /* NULL when not given */
    char *user, *password;                /* of basic authentication; NULL = none */
};

struct config_cluster {
    char *name;
    struct config_node *nodes;
    size_t n_nodes; /* 0 only with a manager */
    /* who says which node is primary, beside SQL */
    enum manager_kind manager;
    uint64_t manager_grace_ms;
    struct config_patroni patroni;
    /* pg_auto_failover's monitor */
    char *monitor_host, *monitor_user, *monitor_password, *monitor_database, *monitor_formation;
    char *monitor_nodes; /* the relation that lists them: a name, or a schema and a name */
    uint16_t monitor_port;
    uint32_t monitor_group;
    enum draining monitor_draining;
    /* probes */
    char *probe_user, *probe_password, *probe_database;
    uint64_t probe_interval_ms, probe_timeout_ms, observation_ttl_ms;
    uint32_t down_after; /* probe timeouts in a row */
    /* reads */
    uint64_t max_lag_bytes, max_lag_ms; /* 0 = no bound */
    enum fallback fallback;
    enum consistency consistency;
    char **read_functions, **write_functions; /* NULL-terminated, "name" or "schema.name" */
    /* outages */
    uint64_t hold_timeout_ms;
    uint32_t hold_limit; /* sessions held at once; more get 57P03 at once */
    uint64_t hold_bytes; /* of the requests that they hold together */
    uint64_t drain_timeout_ms;
    /* failover of its own */
    enum failover_mode failover;
    uint64_t failover_after_ms, promote_timeout_ms;
    enum data_loss data_loss;
    char *repoint_conninfo;   /* what a replica's primary_conninfo is made of; NULL = its present one */
    char **hooks[HOOK_KINDS]; /* words, NULL-terminated; NULL = none */
    uint64_t hook_timeout_ms;
    /* login to the nodes */
    uint64_t server_connect_timeout_ms, server_login_timeout_ms;
    struct config_tls tls;
    /* secrets of users */
    char *auth_query; /* one parameter: the user name; returns the verifier (and nothing else); NULL =
                         switched off */
    char *auth_user, *auth_password, *auth_database; /* who runs it; the probe's have been filled in */
    uint64_t auth_cache_ttl_ms;
};

struct config_listener {
    char *name;
    char *address;  /* "host:port", "[v6]:port", "*:port", or "unix:/path/.s.PGSQL.5432" */
    size_t cluster; /* index into clusters */
    enum route route;
    enum pool_mode pool; /* always POOL_NONE with AUTH_PASSTHROUGH */
    enum auth_method auth;
    char *auth_file; /* userlist format; [rolecall]'s has been filled in; NULL = none */
    char *hba_file;
    struct config_tls tls;
    bool proxy_protocol;
    uint32_t max_clients; /* 0 = only the process-wide one */
    uint32_t unix_socket_mode;
    uint32_t backlog;
};

struct config_database {
    char *name;            /* as the client calls it; "*" for any other */
    char *dbname;          /* as the node calls it; NULL = the client's name */
    char *cluster;         /* NULL = the listener's */
    char *user, *password; /* forced login to the node; NULL = the client's own */
    char *connect_query;
    struct limits limits; /* resolved over [rolecall] */
    uint32_t limits_set;  /* private bits of schema.c: which members the section set */
};

struct config_user {
    char *name;
    struct limits
        limits;          /* only what the section set is meaningful (max_clients always); see config_limits */
    uint32_t limits_set; /* private bits of schema.c: which members the section set */
};

/* The HTTP door; there is none without the section. */
struct config_http {
    bool on;
    char *address;         /* "host:port", "[v6]:port", "*:port" */
    struct config_tls tls; /* its certificate; no cert_file: plain HTTP */
    char *user, *password; /* of basic authentication; NULL = none is asked for */
    uint32_t max_connections;
    uint64_t timeout_ms; /* for sending a request, for taking the answer, and between two */
};

/* The database that clients ask for to talk to rolecall itself. */
#define CONSOLE_DATABASE "rolecall"

struct config {
    char *path;
    /* [rolecall] */
    uint32_t workers; /* 0 = one per core */
    enum log_level log_level;
    enum log_format log_format;
    char *admin_socket; /* NULL = none */
    uint32_t admin_socket_mode;
    char **admin_users, **stats_users; /* accounts of this machine; NULL-terminated */
    bool admin_database;               /* CONSOLE_DATABASE is the administrator's */
    char *user;                        /* the account root becomes */
    char *state_dir;
    char *auth_file;
    uint32_t max_clients;
    uint64_t login_timeout_ms, shutdown_timeout_ms;
    uint64_t request_buffer_bytes; /* a batch that grows past it is a write */
    uint64_t stream_buffer_bytes;  /* bytes queued towards one peer before the other is no longer read */
    uint64_t tcp_user_timeout_ms, tcp_keepalive_ms;
    uint32_t max_prepared_statements; /* per session, and kept per server connection */
    char **ignore_startup_parameters; /* NULL-terminated */
    bool application_name_add_host;
    struct limits limits;

    struct config_cluster *clusters;
    size_t n_clusters;
    struct config_listener *listeners;
    size_t n_listeners;
    struct config_database *databases;
    size_t n_databases;
    struct config_user *users;
    size_t n_users;
    struct config_http http;

    _Atomic uint32_t refs; /* private */
};

/* Reads, checks and resolves a file. One reference is the caller's; NULL with an error naming file, line, key
   and the nearest valid key. Blocking (reads files); any thread. */
struct config *config_load(const char *path, struct error *error);
struct config *config_ref(struct config *config);
/* NULL is allowed. Secrets are wiped with the last reference. */
void config_unref(struct config *config);

/* The [database] section for a name: the exact one, else "*", else NULL. */
const struct config_database *config_database(const struct config *config, const char *name);
const struct config_user *config_user(const struct config *config, const char *name);

/* The limits in force for a client of `database` and `user` on a listener: [rolecall], then [database], then
   [user]; limits.pool is the listener's unless a database or user sets its own; always POOL_NONE behind
   AUTH_PASSTHROUGH. max_clients is filled from the database; a user's own is
   config_user(...)->limits.max_clients. */
void config_limits(const struct config *config, const struct config_listener *listener, const char *database,
    const char *user, struct limits *out);

/* Names, for logs and messages; static storage. */
const char *route_name(enum route route);
const char *pool_mode_name(enum pool_mode mode);
const char *auth_method_name(enum auth_method method);
const char *tls_mode_name(enum tls_mode mode);
const char *hook_name(enum hook hook);

/* Writes the documented sample configuration, made from the schema. */
void config_write_sample(FILE *out);
/* The manual page rolecall.conf(5), made from the schema as well. */
void config_write_manual(FILE *out);

/*
 * What a reload would change. Calls `changed` once per key that differs, with whether it takes effect without
 * a restart. Sections are written as in the file: "listener main". A section that came or went is told once,
 * with the key "(added)" or "(removed)". Values are not told: they may be secrets.
 */
void config_diff(const struct config *before, const struct config *after, void *context,
    void (*changed)(void *context, const char *section, const char *key, bool reloadable));

#endif
