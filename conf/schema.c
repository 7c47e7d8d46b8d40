/*
 * The table of keys; see schema.h. Only data, and the few functions that look into it.
 *
 * Defaults are written as an operator would write them and are parsed like any other value, so the sample
 * cannot say anything else than what is in force.
 */
#include "conf/schema.h"

#include <string.h>

#define KB UINT64_C(1024)
#define MB (1024 * KB)
#define GB (1024 * MB)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NAMES(array) .names = (array), .n_names = COUNT(array)

#define ROLECALL SECTION_BIT(SECTION_ROLECALL)
#define CLUSTER SECTION_BIT(SECTION_CLUSTER)
#define NODE SECTION_BIT(SECTION_NODE)
#define LISTENER SECTION_BIT(SECTION_LISTENER)
#define DATABASE SECTION_BIT(SECTION_DATABASE)
#define USER SECTION_BIT(SECTION_USER)
#define HTTP SECTION_BIT(SECTION_HTTP)
#define LIMITED (ROLECALL | DATABASE | USER)

#define IN_CONFIG(member) .offset = offsetof(struct config, member)
#define IN_CLUSTER(member) .offset = offsetof(struct config_cluster, member)
#define IN_HOOKS(hook) .offset = offsetof(struct config_cluster, hooks) + (hook) * sizeof(char **)
#define IN_NODE(member) .offset = offsetof(struct config_node, member)
#define IN_LISTENER(member) .offset = offsetof(struct config_listener, member)
#define IN_DATABASE(member) .offset = offsetof(struct config_database, member)
#define IN_HTTP(member) .offset = offsetof(struct config_http, member)
#define IN_TLS(member) .part = PART_TLS, .offset = offsetof(struct config_tls, member)
#define IN_LIMITS(bit, member)                                                                               \
    .part = PART_LIMITS, .limit = 1u << (bit), .offset = offsetof(struct limits, member)

static const char *const log_levels[] = {
    [LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
static const char *const log_formats[] = {[LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json"};
static const char *const routes[] = {
    [ROUTE_PRIMARY] = "primary", [ROUTE_REPLICA] = "replica", [ROUTE_ANY] = "any", [ROUTE_SPLIT] = "split"};
static const char *const pools[] = {[POOL_NONE] = "none",
    [POOL_SESSION] = "session",
    [POOL_TRANSACTION] = "transaction",
    [POOL_STATEMENT] = "statement"};
static const char *const auths[] = {[AUTH_SCRAM] = "scram-sha-256",
    [AUTH_MD5] = "md5",
    [AUTH_PASSWORD] = "password",
    [AUTH_TRUST] = "trust",
    [AUTH_CERT] = "cert",
    [AUTH_HBA] = "hba",
    [AUTH_PASSTHROUGH] = "passthrough"};
static const char *const tls_modes[] = {[TLS_DISABLE] = "disable",
    [TLS_ALLOW] = "allow",
    [TLS_REQUIRE] = "require",
    [TLS_VERIFY_CA] = "verify-ca",
    [TLS_VERIFY_FULL] = "verify-full"};
static const char *const drainings[] = {[DRAINING_HOLD] = "hold", [DRAINING_SERVE] = "serve"};
static const char *const fallbacks[] = {
    [FALLBACK_PRIMARY] = "primary", [FALLBACK_WAIT] = "wait", [FALLBACK_ERROR] = "error"};
static const char *const managers[] = {
    [MANAGER_KIND_NONE] = "none", [MANAGER_KIND_PATRONI] = "patroni", [MANAGER_KIND_MONITOR] = "monitor"};
static const char *const patroni_tls[] = {[PATRONI_TLS_REQUIRE] = "require",
    [PATRONI_TLS_VERIFY_CA] = "verify-ca",
    [PATRONI_TLS_VERIFY_FULL] = "verify-full"};
static const char *const consistencies[] = {
    [CONSISTENCY_SESSION] = "session", [CONSISTENCY_EVENTUAL] = "eventual", [CONSISTENCY_STRONG] = "strong"};

static const char *const failovers[] = {[FAILOVER_EXTERNAL] = "external", [FAILOVER_BUILTIN] = "builtin"};
static const char *const data_losses[] = {[DATA_LOSS_REFUSE] = "refuse", [DATA_LOSS_ALLOW] = "allow"};

_Static_assert(sizeof(enum route) == sizeof(unsigned) && sizeof(enum log_level) == sizeof(unsigned),
    "an enum is stored through an unsigned");

/* clang-format off: a row is read as a table */
static const struct schema_key keys[] = {
    {"workers", ROLECALL, VALUE_UINT, IN_CONFIG(workers), .value = "0", .max = 256, .needs_restart = true,
        .help = "Worker threads; 0 = one per core."},
    {"user", ROLECALL, VALUE_STRING, IN_CONFIG(user), .needs_restart = true,
        .help = "The account to become when started as root."},
    {"log_level", ROLECALL, VALUE_ENUM, IN_CONFIG(log_level), .value = "info", NAMES(log_levels),
        .help = "The least important events that are logged."},
    {"log_format", ROLECALL, VALUE_ENUM, IN_CONFIG(log_format), .value = "logfmt", NAMES(log_formats),
        .help = "One line per event: key=value pairs, or a JSON object."},
    {"admin_socket", ROLECALL, VALUE_PATH, IN_CONFIG(admin_socket), .needs_restart = true,
        .help = "Path of the administrator's Unix socket; none when not set. It speaks plain text (rolecall "
                "ctl, socat) and, when named .s.PGSQL.PORT, to psql."},
    {"admin_socket_mode", ROLECALL, VALUE_MODE, IN_CONFIG(admin_socket_mode), .value = "0600", .max = 0777,
        .needs_restart = true, .help = "Permissions of the administrator's socket, in octal."},
    {"admin_users", ROLECALL, VALUE_LIST, IN_CONFIG(admin_users), .value = "",
        .help = "Accounts of this machine that may say every command on the administrator's socket, comma "
                "separated, beside root and the one that rolecall runs as; with admin_database also users of "
                "PostgreSQL."},
    {"stats_users", ROLECALL, VALUE_LIST, IN_CONFIG(stats_users), .value = "",
        .help = "Accounts that may look but change nothing there; whoever can open the socket when empty. "
                "With admin_database also users of PostgreSQL."},
    {"admin_database", ROLECALL, VALUE_BOOL, IN_CONFIG(admin_database), .value = "off",
        .help = "Clients of every listener that ask for the database rolecall get what the administrator's "
                "socket has: admin_users and stats_users, with a password or a certificate."},
    {"state_dir", ROLECALL, VALUE_PATH, IN_CONFIG(state_dir), .needs_restart = true,
        .help = "Existing folder that remembers each cluster's system identifier and newest timeline across "
                "restarts; nothing is remembered when not set."},
    {"auth_file", ROLECALL, VALUE_PATH, IN_CONFIG(auth_file),
        .help = "Users and their secrets in the format of PgBouncer's userlist.txt, for listeners that name "
                "none."},
    {"max_clients", ROLECALL, VALUE_UINT, IN_CONFIG(max_clients), .value = "10000", .min = 1, .max = 1000000,
        .help = "Client connections at once, all listeners together."},
    {"login_timeout", ROLECALL, VALUE_DURATION, IN_CONFIG(login_timeout_ms), .value = "15s", .min = SECOND,
        .max = HOUR, .help = "A client that has not logged in by then is closed."},
    {"shutdown_timeout", ROLECALL, VALUE_DURATION, IN_CONFIG(shutdown_timeout_ms), .value = "30s", .max = DAY,
        .help = "How long a stop waits for running transactions."},
    {"request_buffer", ROLECALL, VALUE_SIZE, IN_CONFIG(request_buffer_bytes), .value = "1MB", .min = 4 * KB,
        .max = 16 * MB,
        .help = "The most that is kept of a request while its target is chosen; a larger one goes to the "
                "primary."},
    {"stream_buffer", ROLECALL, VALUE_SIZE, IN_CONFIG(stream_buffer_bytes), .value = "256kB", .min = 16 * KB,
        .max = 64 * MB, .help = "Bytes that may wait for one peer before the other is no longer read."},
    {"tcp_user_timeout", ROLECALL, VALUE_DURATION, IN_CONFIG(tcp_user_timeout_ms), .value = "10s", .min = 1,
        .max = DAY, .zero_is_none = true,
        .help = "A connection whose peer acknowledges nothing for so long is dead."},
    {"tcp_keepalive", ROLECALL, VALUE_DURATION, IN_CONFIG(tcp_keepalive_ms), .value = "10s", .min = SECOND,
        .max = DAY, .zero_is_none = true, .help = "Idle time before a TCP keepalive probe."},
    {"max_prepared_statements", ROLECALL, VALUE_UINT, IN_CONFIG(max_prepared_statements), .value = "1000",
        .min = 1, .max = 100000,
        .help = "Prepared statements per session, and kept on each server connection."},
    {"ignore_startup_parameters", ROLECALL, VALUE_LIST, IN_CONFIG(ignore_startup_parameters), .value = "",
        .help = "Startup parameters of clients that are left out, comma separated; for instance "
                "extra_float_digits."},
    {"application_name_add_host", ROLECALL, VALUE_BOOL, IN_CONFIG(application_name_add_host), .value = "off",
        .help = "Adds the client's address to its application_name."},

    {"cluster", NODE, VALUE_CLUSTER, .needs_restart = true,
        .help = "The cluster that the node belongs to; not needed when there is only one."},
    {"host", NODE, VALUE_STRING, IN_NODE(host), .required = true, .not_empty = true, .sample = "127.0.0.1",
        .help = "A host name, an address, or the folder of a Unix socket."},
    {"port", NODE, VALUE_PORT, IN_NODE(port), .value = "5432", .min = 1, .max = 65535,
        .help = "PostgreSQL's port."},
    {"weight", NODE, VALUE_UINT, IN_NODE(weight), .value = "100", .max = 10000,
        .help = "Relative share of the reads; 0 = no reads."},
    {"max_connections", NODE, VALUE_UINT, IN_NODE(max_connections), .value = "0", .min = 1, .max = 1000000,
        .zero_is_none = true, .help = "Server connections to this node, all pools together."},

    {"manager", CLUSTER, VALUE_ENUM, IN_CLUSTER(manager), .value = "none", NAMES(managers),
        .help = "Who decides which node is primary; with a manager [node] sections are not needed."},
    {"manager_grace", CLUSTER, VALUE_DURATION, IN_CLUSTER(manager_grace_ms), .value = "5s", .min = 100,
        .max = HOUR,
        .help = "A node of which the manager has said nothing for so long is not primary any more. A monitor "
                "that is silent for so long leaves the choice to PostgreSQL alone."},
    {"monitor_host", CLUSTER, VALUE_STRING, IN_CLUSTER(monitor_host),
        .help = "manager = monitor: where pg_auto_failover's monitor is reached; TLS as with the nodes."},
    {"monitor_port", CLUSTER, VALUE_PORT, IN_CLUSTER(monitor_port), .value = "5432", .min = 1, .max = 65535,
        .help = "Its port."},
    {"monitor_user", CLUSTER, VALUE_STRING, IN_CLUSTER(monitor_user), .value = "autoctl_node",
        .not_empty = true, .help = "Who reads its table of nodes, see monitor_nodes."},
    {"monitor_password", CLUSTER, VALUE_SECRET, IN_CLUSTER(monitor_password), .help = "The password there."},
    {"monitor_database", CLUSTER, VALUE_STRING, IN_CLUSTER(monitor_database), .value = "pg_auto_failover",
        .not_empty = true, .help = "The monitor's database."},
    {"monitor_formation", CLUSTER, VALUE_STRING, IN_CLUSTER(monitor_formation), .value = "default",
        .not_empty = true, .help = "The formation that this cluster is."},
    {"monitor_group", CLUSTER, VALUE_UINT, IN_CLUSTER(monitor_group), .value = "0", .max = 1000000,
        .help = "The group of the formation."},
    {"monitor_nodes", CLUSTER, VALUE_STRING, IN_CLUSTER(monitor_nodes), .value = "pgautofailover.node",
        .not_empty = true,
        .help = "The monitor's table of nodes, or a view of it for a user with no other rights there."},
    {"monitor_draining", CLUSTER, VALUE_ENUM, IN_CLUSTER(monitor_draining), .value = "hold", NAMES(drainings),
        .help = "What becomes of new work once the monitor has a primary's goal at draining: it waits, and "
                "what runs may end before the stop; or it goes on until the stop, 0.1 s longer, which costs "
                "open transactions 40001 and writes that wait for a standby 08007."},
    {"patroni_urls", CLUSTER, VALUE_LIST, IN_CLUSTER(patroni.urls), .value = "",
        .help =
            "With manager = patroni: where its REST API answers, http://host:8008, comma separated. One node "
            "is enough, the others are found from there."},
    {"patroni_tls", CLUSTER, VALUE_ENUM, IN_CLUSTER(patroni.tls), .value = "verify-full", NAMES(patroni_tls),
        .help = "What is asked of its certificate where the URL is https."},
    {"patroni_ca_file", CLUSTER, VALUE_PATH, IN_CLUSTER(patroni.ca_file),
        .help = "Certificates of the authorities that it must come from; the system's when not set."},
    {"patroni_cert_file", CLUSTER, VALUE_PATH, IN_CLUSTER(patroni.cert_file),
        .help = "Own certificate, where Patroni's verify_client asks for one."},
    {"patroni_key_file", CLUSTER, VALUE_PATH, IN_CLUSTER(patroni.key_file), .help = "Its private key."},
    {"patroni_user", CLUSTER, VALUE_STRING, IN_CLUSTER(patroni.user),
        .help = "For basic authentication, where a proxy in front of the REST API asks for it."},
    {"patroni_password", CLUSTER, VALUE_SECRET, IN_CLUSTER(patroni.password),
        .help = "The password of patroni_user."},
    {"probe_user", CLUSTER, VALUE_STRING, IN_CLUSTER(probe_user), .value = "postgres", .not_empty = true,
        .help = "Who watches the nodes; needs pg_monitor, and REPLICATION to compare timeline histories."},
    {"probe_password", CLUSTER, VALUE_SECRET, IN_CLUSTER(probe_password), .help = "Its password."},
    {"probe_database", CLUSTER, VALUE_STRING, IN_CLUSTER(probe_database), .value = "postgres",
        .not_empty = true, .help = "The database that it connects to."},
    {"probe_interval", CLUSTER, VALUE_DURATION, IN_CLUSTER(probe_interval_ms), .value = "500ms", .min = 10,
        .max = HOUR, .help = "Time between two probes of a node."},
    {"probe_timeout", CLUSTER, VALUE_DURATION, IN_CLUSTER(probe_timeout_ms), .value = "1s", .min = 10,
        .max = HOUR, .help = "A probe without an answer for so long has failed."},
    {"observation_ttl", CLUSTER, VALUE_DURATION, IN_CLUSTER(observation_ttl_ms), .value = "3s", .min = 20,
        .max = DAY,
        .help =
            "A node is primary only while its newest observation is younger; more than probe_interval and "
            "probe_timeout together."},
    {"down_after", CLUSTER, VALUE_UINT, IN_CLUSTER(down_after), .value = "3", .min = 1, .max = 100,
        .help = "Probes in a row that must time out before a node is down (a refused connection counts at "
                "once)."},
    {"max_lag", CLUSTER, VALUE_SIZE, IN_CLUSTER(max_lag_bytes), .value = "0", .min = 1, .max = 1024 * GB,
        .zero_is_none = true, .help = "A replica further behind than so much WAL gets no reads."},
    {"max_lag_time", CLUSTER, VALUE_DURATION, IN_CLUSTER(max_lag_ms), .value = "10s", .min = 1, .max = YEAR,
        .zero_is_none = true, .help = "A replica further behind than so long gets no reads."},
    {"fallback", CLUSTER, VALUE_ENUM, IN_CLUSTER(fallback), .value = "primary", NAMES(fallbacks),
        .help =
            "Where reads go while no replica is fit: to the primary, nowhere until one is, or to an error."},
    {"consistency", CLUSTER, VALUE_ENUM, IN_CLUSTER(consistency), .value = "session", NAMES(consistencies),
        .help = "What a read must see: the session's own writes, anything, or everything (reads on the "
                "primary)."},
    {"read_functions", CLUSTER, VALUE_LIST, IN_CLUSTER(read_functions), .value = "",
        .help = "Functions that may run on a replica though rolecall cannot tell, comma separated, name or "
                "schema.name."},
    {"write_functions", CLUSTER, VALUE_LIST, IN_CLUSTER(write_functions), .value = "",
        .help = "Functions that must run on the primary, comma separated."},
    {"hold_timeout", CLUSTER, VALUE_DURATION, IN_CLUSTER(hold_timeout_ms), .value = "30s", .max = DAY,
        .help = "How long clients wait for a primary during a failover before they get an error."},
    {"hold_limit", CLUSTER, VALUE_UINT, IN_CLUSTER(hold_limit), .value = "10000", .max = 1000000,
        .help = "How many may wait at once; further ones get an error at once."},
    {"hold_bytes", CLUSTER, VALUE_SIZE, IN_CLUSTER(hold_bytes), .value = "256MB", .min = 64 * KB,
        .max = 1024 * GB, .help = "How much memory their statements may take; further ones get an error."},
    {"drain_timeout", CLUSTER, VALUE_DURATION, IN_CLUSTER(drain_timeout_ms), .value = "10s", .max = HOUR,
        .help = "How long a SWITCHOVER waits for open transactions; then it is called off."},
    {"failover", CLUSTER, VALUE_ENUM, IN_CLUSTER(failover), .value = "external", NAMES(failovers),
        .help = "Who promotes a replica when the primary is gone: somebody else, or rolecall itself. builtin "
                "is for plain streaming replication watched by one rolecall alone."},
    {"failover_after", CLUSTER, VALUE_DURATION, IN_CLUSTER(failover_after_ms), .value = "5s", .min = 100,
        .max = HOUR, .help = "builtin: how long the primary must be gone before a replica is promoted."},
    {"data_loss", CLUSTER, VALUE_ENUM, IN_CLUSTER(data_loss), .value = "refuse", NAMES(data_losses),
        .help =
            "builtin: whether a replica may be promoted that perhaps lacks commits that were acknowledged. "
            "refuse needs synchronous_standby_names."},
    {"promote_timeout", CLUSTER, VALUE_DURATION, IN_CLUSTER(promote_timeout_ms), .value = "60s",
        .min = SECOND, .max = DAY, .help = "How long a promoted node may take until it accepts writes."},
    {"repoint_conninfo", CLUSTER, VALUE_SECRET, IN_CLUSTER(repoint_conninfo),
        .help = "builtin: primary_conninfo for replicas of a new primary, without host and port; as each has "
                "it when not set."},
    {"on_primary_down", CLUSTER, VALUE_COMMAND, IN_HOOKS(HOOK_ON_PRIMARY_DOWN),
        .help = "Command to run when the primary is given up. Commands are "
                "absolute paths with words, run without a shell; they find facts in ROLECALL_* variables."},
    {"before_promote", CLUSTER, VALUE_COMMAND, IN_HOOKS(HOOK_BEFORE_PROMOTE),
        .help = "builtin: fences the old primary; a replica is promoted only when it ends with status 0."},
    {"demote", CLUSTER, VALUE_COMMAND, IN_HOOKS(HOOK_DEMOTE),
        .help = "builtin: for SWITCHOVER: stops the primary (fast) and starts it again as a standby; called "
                "with ROLECALL_UNDO=1 it makes it the primary again."},
    {"after_promote", CLUSTER, VALUE_COMMAND, IN_HOOKS(HOOK_AFTER_PROMOTE),
        .help = "builtin: command to run when the promoted node takes writes and the others follow it."},
    {"rejoin", CLUSTER, VALUE_COMMAND, IN_HOOKS(HOOK_REJOIN),
        .help = "Command to run when an old primary has come back; `rolecall clone --rejoin` may serve it."},
    {"on_role_change", CLUSTER, VALUE_COMMAND, IN_HOOKS(HOOK_ON_ROLE_CHANGE),
        .help = "Command to run when a node's role has changed."},
    {"on_node_down", CLUSTER, VALUE_COMMAND, IN_HOOKS(HOOK_ON_NODE_DOWN),
        .help = "Command to run when a node is down."},
    {"on_node_up", CLUSTER, VALUE_COMMAND, IN_HOOKS(HOOK_ON_NODE_UP),
        .help = "Command to run when a node is up again."},
    {"on_split", CLUSTER, VALUE_COMMAND, IN_HOOKS(HOOK_ON_SPLIT),
        .help = "Command to run when two nodes take writes apart from each other."},
    {"hook_timeout", CLUSTER, VALUE_DURATION, IN_CLUSTER(hook_timeout_ms), .value = "30s", .min = 100,
        .max = HOUR, .help = "A command that runs longer is killed, with all that it has started."},
    {"server_connect_timeout", CLUSTER, VALUE_DURATION, IN_CLUSTER(server_connect_timeout_ms), .value = "3s",
        .min = 10, .max = HOUR, .help = "For opening a connection to a node."},
    {"server_login_timeout", CLUSTER, VALUE_DURATION, IN_CLUSTER(server_login_timeout_ms), .value = "10s",
        .min = 10, .max = HOUR, .help = "For logging in to a node."},
    {"auth_query", CLUSTER, VALUE_TEXT, IN_CLUSTER(auth_query),
        .value = "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin AND "
                 "(rolvaliduntil IS NULL OR rolvaliduntil > now())",
        .help = "Looks up the secret of a user that no auth_file names; an empty value switches it off. The "
                "default reads pg_authid, which takes a superuser."},
    {"auth_user", CLUSTER, VALUE_STRING, IN_CLUSTER(auth_user),
        .help = "Who runs auth_query; probe_user and its password when not set."},
    {"auth_password", CLUSTER, VALUE_SECRET, IN_CLUSTER(auth_password), .help = "The password of auth_user."},
    {"auth_database", CLUSTER, VALUE_STRING, IN_CLUSTER(auth_database),
        .help = "Where auth_query is run; probe_database when not set."},
    {"auth_cache_ttl", CLUSTER, VALUE_DURATION, IN_CLUSTER(auth_cache_ttl_ms), .value = "60s", .max = DAY,
        .help = "How long an answer of auth_query is used before it is asked again."},
    {"tls", CLUSTER, VALUE_ENUM, IN_TLS(mode), .value = "disable", NAMES(tls_modes),
        .help = "TLS towards the nodes."},

    {"address", LISTENER, VALUE_STRING, IN_LISTENER(address), .required = true, .not_empty = true,
        .needs_restart = true, .sample = "127.0.0.1:6432",
        .help = "host:port, [IPv6]:port, *:port for all, or unix:/path/.s.PGSQL.6432"},
    {"cluster", LISTENER, VALUE_CLUSTER, IN_LISTENER(cluster),
        .help = "The cluster behind it; not needed when there is only one."},
    {"route", LISTENER, VALUE_ENUM, IN_LISTENER(route), .value = "primary", NAMES(routes),
        .help = "Where its sessions go; split = reads to replicas and the rest to the primary."},
    {"pool", LISTENER, VALUE_ENUM, IN_LISTENER(pool), .value = "session", NAMES(pools),
        .help = "How long a client keeps a server connection; none = its own, bytes are relayed unread."},
    {"auth", LISTENER, VALUE_ENUM, IN_LISTENER(auth), .value = "scram-sha-256", NAMES(auths),
        .help = "How clients prove who they are; passthrough = to the node itself, which makes pool = none."},
    {"auth_file", LISTENER, VALUE_PATH, IN_LISTENER(auth_file),
        .help = "Users and their secrets, instead of the one of [rolecall]."},
    {"hba_file", LISTENER, VALUE_PATH, IN_LISTENER(hba_file),
        .help = "For auth = hba, as PostgreSQL's pg_hba.conf."},
    {"tls", LISTENER, VALUE_ENUM, IN_TLS(mode), .value = "disable", NAMES(tls_modes),
        .help = "What is asked of clients; verify-ca and verify-full ask for a certificate."},
    {"tls_ca_file", CLUSTER | LISTENER, VALUE_PATH, IN_TLS(ca_file),
        .help = "Certificates of the authorities that the peer's certificate must come from."},
    {"address", HTTP, VALUE_STRING, IN_HTTP(address), .value = "127.0.0.1:8404", .not_empty = true,
        .help =
            "host:port, [IPv6]:port, or *:port for all; several rolecalls on one machine need a port each."},
    {"tls_cert_file", CLUSTER | LISTENER | HTTP, VALUE_PATH, IN_TLS(cert_file),
        .help = "Own certificate (chain)."},
    {"tls_key_file", CLUSTER | LISTENER | HTTP, VALUE_PATH, IN_TLS(key_file), .help = "Its private key."},
    {"user", HTTP, VALUE_STRING, IN_HTTP(user),
        .help = "Who may look (HTTP basic authentication); everybody who can connect when not set. /healthz, "
                "/readyz, /primary and /replica are open to all."},
    {"password", HTTP, VALUE_SECRET, IN_HTTP(password), .help = "The password of user."},
    {"max_connections", HTTP, VALUE_UINT, IN_HTTP(max_connections), .value = "64", .min = 1, .max = 10000,
        .help = "Connections at once; further ones wait until one is idle or ends."},
    {"timeout", HTTP, VALUE_DURATION, IN_HTTP(timeout_ms), .value = "10s", .min = 100, .max = HOUR,
        .help = "For sending a request, for taking the answer, and between two requests."},
    {"proxy_protocol", LISTENER, VALUE_BOOL, IN_LISTENER(proxy_protocol), .value = "off",
        .help = "Every connection begins with a PROXY protocol header (version 1 or 2)."},
    {"max_clients", LISTENER, VALUE_UINT, IN_LISTENER(max_clients), .value = "0", .min = 1, .max = 1000000,
        .zero_is_none = true, .help = "Client connections of this listener."},
    {"unix_socket_mode", LISTENER, VALUE_MODE, IN_LISTENER(unix_socket_mode), .value = "0777", .max = 0777,
        .needs_restart = true, .help = "Permissions of a Unix socket, in octal."},
    {"backlog", LISTENER, VALUE_UINT, IN_LISTENER(backlog), .value = "1024", .min = 1, .max = 65535,
        .needs_restart = true, .help = "Connections that the kernel queues before they are accepted."},

    {"dbname", DATABASE, VALUE_STRING, IN_DATABASE(dbname),
        .help = "The database's name on the nodes; as the client calls it when not set."},
    {"cluster", DATABASE, VALUE_STRING, IN_DATABASE(cluster),
        .help = "The cluster that has it; the listener's when not set."},
    {"user", DATABASE, VALUE_STRING, IN_DATABASE(user),
        .help = "Log in to the nodes as this user, whoever the client is."},
    {"password", DATABASE, VALUE_SECRET, IN_DATABASE(password), .help = "The password for the nodes."},
    {"connect_query", DATABASE, VALUE_TEXT, IN_DATABASE(connect_query),
        .help = "SQL that is run on each new server connection."},

    {"pool", DATABASE | USER, VALUE_ENUM, IN_LIMITS(0, pool), NAMES(pools), .sample = "transaction",
        .help = "Instead of the listener's."},
    {"pool_size", LIMITED, VALUE_UINT, IN_LIMITS(1, pool_size), .value = "20", .min = 1, .max = 100000,
        .zero_is_none = true, .help = "Server connections of one database, user and node."},
    {"min_pool_size", LIMITED, VALUE_UINT, IN_LIMITS(2, min_pool_size), .value = "0", .max = 100000,
        .help = "So many of them are kept open even when idle."},
    {"reserve_pool_size", LIMITED, VALUE_UINT, IN_LIMITS(3, reserve_pool_size), .value = "0", .max = 100000,
        .help = "So many more are opened once a client has waited for reserve_pool_timeout."},
    {"reserve_pool_timeout", LIMITED, VALUE_DURATION, IN_LIMITS(4, reserve_pool_timeout_ms), .value = "5s",
        .max = DAY, .help = "See reserve_pool_size."},
    {"max_clients", DATABASE | USER, VALUE_UINT, IN_LIMITS(5, max_clients), .value = "0", .min = 1,
        .max = 1000000, .zero_is_none = true, .help = "Client connections of this database or user."},
    {"server_lifetime", LIMITED, VALUE_DURATION, IN_LIMITS(6, server_lifetime_ms), .value = "1h",
        .min = SECOND, .max = YEAR, .zero_is_none = true,
        .help = "An older server connection is closed when it is free."},
    {"server_idle_timeout", LIMITED, VALUE_DURATION, IN_LIMITS(7, server_idle_timeout_ms), .value = "10min",
        .min = SECOND, .max = YEAR, .zero_is_none = true,
        .help = "A server connection that nobody has used for so long is closed."},
    {"query_wait_timeout", LIMITED, VALUE_DURATION, IN_LIMITS(8, query_wait_timeout_ms), .value = "120s",
        .min = 1, .max = YEAR, .zero_is_none = true,
        .help = "How long a query may wait for a server connection."},
    {"query_timeout", LIMITED, VALUE_DURATION, IN_LIMITS(9, query_timeout_ms), .value = "0", .min = 1,
        .max = YEAR, .zero_is_none = true, .help = "How long a query may run."},
    {"idle_transaction_timeout", LIMITED, VALUE_DURATION, IN_LIMITS(10, idle_transaction_timeout_ms),
        .value = "0", .min = 1, .max = YEAR, .zero_is_none = true,
        .help = "How long a client may do nothing inside a transaction."},
    {"client_idle_timeout", LIMITED, VALUE_DURATION, IN_LIMITS(11, client_idle_timeout_ms), .value = "0",
        .min = 1, .max = YEAR, .zero_is_none = true,
        .help = "How long a client may do nothing outside of one."},
};
/* clang-format on */

_Static_assert(COUNT(keys) <= SCHEMA_KEYS_MAX, "raise SCHEMA_KEYS_MAX");

static const struct {
    const char *name, *help;
} kinds[SECTION_KINDS] = {
    [SECTION_ROLECALL] = {"rolecall", "The process, and the defaults of pools."},
    [SECTION_CLUSTER] = {"cluster",
        "A PostgreSQL cluster: nodes of which one is the primary. One section for each."},
    [SECTION_NODE] = {"node", "One PostgreSQL server. Which role it holds is found out, not configured."},
    [SECTION_LISTENER] = {"listener", "Where clients connect, and what happens to what they send."},
    [SECTION_DATABASE] = {"database",
        "Optional: aliases and limits of a database, by the name that clients use; * is any other."},
    [SECTION_USER] = {"user", "Optional: limits of a user, by the name that clients use."},
    [SECTION_HTTP] = {"http",
        "Optional: the HTTP door with statistics, metrics and health checks. It is open when this section is "
        "there."},
};

const struct schema_key *schema_keys(size_t *n)
{
    *n = COUNT(keys);
    return keys;
}

size_t schema_index(const struct schema_key *key)
{
    return (size_t)(key - keys);
}

bool schema_has(const struct schema_key *key, enum section_kind kind)
{
    return (key->sections & SECTION_BIT(kind)) != 0;
}

const struct schema_key *schema_find(enum section_kind kind, const char *key, bool *is_file)
{
    size_t len = strlen(key);
    bool suffixed = len > 5 && strcmp(key + len - 5, "_file") == 0;
    *is_file = false;
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (schema_has(&keys[i], kind) && strcmp(keys[i].key, key) == 0)
            return &keys[i];
    }
    for (size_t i = 0; suffixed && i < COUNT(keys); i++) {
        bool same = strlen(keys[i].key) == len - 5 && memcmp(keys[i].key, key, len - 5) == 0;
        if (same && keys[i].type == VALUE_SECRET && schema_has(&keys[i], kind)) {
            *is_file = true;
            return &keys[i];
        }
    }
    return NULL;
}

struct limits *schema_limits(enum section_kind kind, void *object)
{
    switch (kind) {
    case SECTION_ROLECALL: return &((struct config *)object)->limits;
    case SECTION_DATABASE: return &((struct config_database *)object)->limits;
    case SECTION_USER: return &((struct config_user *)object)->limits;
    case SECTION_CLUSTER:
    case SECTION_NODE:
    case SECTION_LISTENER:
    case SECTION_HTTP: return NULL;
    }
    return NULL;
}

static struct config_tls *tls_of(enum section_kind kind, void *object)
{
    if (kind == SECTION_CLUSTER)
        return &((struct config_cluster *)object)->tls;
    return kind == SECTION_HTTP ? &((struct config_http *)object)->tls
                                : &((struct config_listener *)object)->tls;
}

void *schema_place(const struct schema_key *key, enum section_kind kind, void *object)
{
    void *base = object;
    if (key->type == VALUE_CLUSTER && kind == SECTION_NODE)
        return NULL;
    if (key->part == PART_LIMITS)
        base = schema_limits(kind, object);
    if (key->part == PART_TLS)
        base = tls_of(kind, object);
    return (char *)base + key->offset;
}

const char *section_kind_name(enum section_kind kind)
{
    return kinds[kind].name;
}

const char *section_kind_help(enum section_kind kind)
{
    return kinds[kind].help;
}

bool section_kind_is_single(enum section_kind kind)
{
    return kind == SECTION_ROLECALL || kind == SECTION_HTTP;
}

bool section_kind_find(const char *name, enum section_kind *kind)
{
    for (int i = 0; i < SECTION_KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *kind = (enum section_kind)i;
            return true;
        }
    }
    return false;
}
