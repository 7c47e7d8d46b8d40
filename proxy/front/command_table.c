/* The table of commands; see command.h. Only data: HELP, both languages and `rolecall ctl` are driven by it.
 */
#include "proxy/front/command_handlers.h"

/* A row is read as a table: */
/* clang-format off */
static const struct command table[] = {
    {.words = "SHOW HELP", .shape = &help_shape, .run = show_help,
        .help = "These commands"},
    {.words = "SHOW NODES", .shape = &nodes_shape, .run = show_nodes,
        .help = "Every node with its role, condition, lag and load, and why it is judged so"},
    {.words = "SHOW CLUSTERS", .shape = &clusters_shape, .run = show_clusters,
        .help = "Every cluster with its primary, or the reason why it has none"},
    {.words = "SHOW DATABASES", .survey = SURVEY_POOLS, .shape = &databases_shape, .run = show_databases,
        .help = "Databases that are configured or in use, their limits and connections"},
    {.words = "SHOW USERS", .shape = &users_shape, .run = show_users,
        .help = "Users that are configured or have clients"},
    {.words = "SHOW LISTS", .survey = SURVEY_POOLS, .shape = &lists_shape, .run = show_lists,
        .help = "How many there are of everything, as PgBouncer counts it"},
    {.words = "SHOW POOLS", .survey = SURVEY_POOLS, .shape = &pools_shape, .run = show_pools,
        .help = "Clients and server connections by database, user and node"},
    {.words = "SHOW CLIENTS", .survey = SURVEY_SESSIONS, .shape = &sessions_shape, .run = show_sessions,
        .help = "Every client connection; the same as SHOW SESSIONS"},
    {.words = "SHOW SESSIONS", .survey = SURVEY_SESSIONS, .shape = &sessions_shape, .run = show_sessions,
        .help = "Every client connection: who, where from, what it does, which node serves it"},
    {.words = "SHOW PINS", .survey = SURVEY_SESSIONS, .shape = &pins_shape, .run = show_pins,
        .help = "The sessions that are bound to one server connection, and by what"},
    {.words = "SHOW SERVERS", .survey = SURVEY_SERVERS, .shape = &servers_shape, .run = show_servers,
        .help = "Every connection to a node"},
    {.words = "SHOW LISTENERS", .shape = &listeners_shape, .run = show_listeners,
        .help = "Where clients connect, and how their work is routed, pooled and authenticated"},
    {.words = "SHOW WORKERS", .shape = &workers_shape, .run = show_workers,
        .help = "The worker threads and what each has done since the start"},
    {.words = "SHOW STATS", .shape = &stats_shape, .run = show_stats,
        .help = "What all workers have done since the start"},
    {.words = "SHOW ROUTES", .shape = &routes_shape, .run = show_routes,
        .help = "How many requests went where they went, by reason"},
    {.words = "SHOW LATENCY", .shape = &latency_shape, .run = show_latency,
        .help = "How long requests waited and took, by node and by pool: quantiles since the start, and"
                " of the last minute"},
    {.words = "SHOW EVENTS", .arguments = "[SINCE id]", .shape = &events_shape, .run = show_events,
        .help = "What has happened: role changes, outages, holds, reloads, each with its reason and evidence"},
    {.words = "SHOW CONFIG", .shape = &config_shape, .run = show_config,
        .help = "The configuration in force, without its secrets"},
    {.words = "SHOW VERSION", .shape = &version_shape, .run = show_version,
        .help = "The version of rolecall"},
    {.words = "EXPLAIN ROUTE", .arguments = "'SQL' [DATABASE name] [LISTENER name]",
        .shape = &explain_shape, .run = explain_route,
        .help = "Where a new session's statement would go, and why"},
    {.words = "DRAIN", .arguments = "node", .permission = PERMISSION_ADMIN, .shape = &no_shape,
        .run = run_drain,
        .help = "Give a node no new work; what it has begun ends in peace. Until ENABLE or a restart"},
    {.words = "DISABLE", .arguments = "node", .permission = PERMISSION_ADMIN, .shape = &no_shape,
        .run = run_disable,
        .help = "Treat a node as if it were down: its connections are cut. Until ENABLE or a restart"},
    {.words = "ENABLE", .arguments = "node", .permission = PERMISSION_ADMIN, .shape = &no_shape,
        .run = run_enable,
        .help = "Take a node back that was drained or disabled"},
    {.words = "SET WEIGHT", .arguments = "node number", .permission = PERMISSION_ADMIN,
        .shape = &no_shape, .run = run_set_weight,
        .help = "Change a node's share of the reads, until a restart or until a reload changes its "
                "weight"},
    {.words = "ACCEPT", .arguments = "node", .permission = PERMISSION_ADMIN, .shape = &no_shape,
        .run = run_accept,
        .help = "Take what this node is now (system identifier, timeline) for the cluster: it was "
                "initialised anew or upgraded"},
    {.words = "FORGET", .arguments = "node", .permission = PERMISSION_ADMIN, .shape = &no_shape,
        .run = run_forget,
        .help = "What this node showed does not count any more: it was promoted by mistake and is gone"},
    {.words = "PROBE", .arguments = "[node]", .permission = PERMISSION_ADMIN, .shape = &no_shape,
        .run = run_probe,
        .help = "Look at a node, or at all, at once"},
    {.words = "PAUSE", .arguments = "[database]", .permission = PERMISSION_ADMIN, .survey = SURVEY_ERRAND,
        .shape = &no_shape, .run = run_pause, .prepare = prepare_pause,
        .help = "Let what runs in a database, or in all, come to its end, close the connections, and "
                "hold what comes; is answered when all are closed"},
    {.words = "RESUME", .arguments = "[database]", .permission = PERMISSION_ADMIN,
        .survey = SURVEY_ERRAND, .shape = &no_shape, .run = run_resume, .prepare = prepare_resume,
        .help = "End a PAUSE"},
    {.words = "RECONNECT", .arguments = "[database]", .permission = PERMISSION_ADMIN,
        .survey = SURVEY_ERRAND, .shape = &no_shape, .run = run_reconnect, .prepare = prepare_reconnect,
        .help = "Close each server connection of a database, or of all, as soon as it is free"},
    {.words = "KILL", .arguments = "session", .permission = PERMISSION_ADMIN, .survey = SURVEY_ERRAND,
        .shape = &no_shape, .run = run_kill, .prepare = prepare_kill,
        .help = "End a client's session (its id as in SHOW SESSIONS) and cancel what it runs"},
    {.words = "RELOAD", .permission = PERMISSION_ADMIN, .shape = &no_shape, .run = run_reload,
        .help = "Read the configuration again; what is wrong changes nothing"},
    {.words = "LOG LEVEL", .arguments = "error | warning | info | debug", .permission = PERMISSION_ADMIN,
        .shape = &no_shape, .run = run_log_level,
        .help = "Log events of this importance and above, until the next reload"},
    {.words = "SHUTDOWN", .permission = PERMISSION_ADMIN, .shape = &no_shape, .run = run_shutdown,
        .help = "Take no more clients, let the others end for shutdown_timeout, stop; a second time: "
                "stop at once"},
    {.words = "HELP", .shape = &help_shape, .run = show_help,
        .help = "These commands"},

    /* What drivers send of their own accord. */
    {.words = "BEGIN", .arguments = "...", .shape = &no_shape, .run = run_nothing},
    {.words = "START TRANSACTION", .arguments = "...", .shape = &no_shape, .run = run_nothing},
    {.words = "COMMIT", .arguments = "...", .shape = &no_shape, .run = run_nothing},
    {.words = "ROLLBACK", .arguments = "...", .shape = &no_shape, .run = run_nothing},
    {.words = "SET", .arguments = "...", .shape = &no_shape, .run = run_nothing},
    {.words = "RESET", .arguments = "...", .shape = &no_shape, .run = run_nothing},
    {.words = "DEALLOCATE", .arguments = "...", .shape = &no_shape, .run = run_nothing},
    {.words = "DISCARD", .arguments = "...", .shape = &no_shape, .run = run_nothing},
};
/* clang-format on */

const struct command *command_table(size_t *n)
{
    *n = sizeof table / sizeof *table;
    return table;
}
