/* The table of commands; see command.h. Only data: HELP, both languages and `rolecall ctl` are driven by it.
 */
#include "proxy/front/command_handlers.h"

/* clang-format off: a row is read as a table */
static const struct command table[] = {
    {"SHOW HELP", "", PERMISSION_READ, SURVEY_NONE, &help_shape, show_help, "These commands"},
    {"SHOW NODES", "", PERMISSION_READ, SURVEY_NONE, &nodes_shape, show_nodes,
        "Every node with its role, condition, lag and load, and why it is judged so"},
    {"SHOW CLUSTERS", "", PERMISSION_READ, SURVEY_NONE, &clusters_shape, show_clusters,
        "Every cluster with its primary, or the reason why it has none"},
    {"SHOW POOLS", "", PERMISSION_READ, SURVEY_POOLS, &pools_shape, show_pools,
        "Clients and server connections by database, user and node"},
    {"SHOW CLIENTS", "", PERMISSION_READ, SURVEY_SESSIONS, &sessions_shape, show_sessions,
        "Every client connection; the same as SHOW SESSIONS"},
    {"SHOW SESSIONS", "", PERMISSION_READ, SURVEY_SESSIONS, &sessions_shape, show_sessions,
        "Every client connection: who, where from, what it does, which node serves it"},
    {"SHOW PINS", "", PERMISSION_READ, SURVEY_SESSIONS, &pins_shape, show_pins,
        "The sessions that are bound to one server connection, and by what"},
    {"SHOW SERVERS", "", PERMISSION_READ, SURVEY_SERVERS, &servers_shape, show_servers,
        "Every connection to a node"},
    {"SHOW LISTENERS", "", PERMISSION_READ, SURVEY_NONE, &listeners_shape, show_listeners,
        "Where clients connect, and how their work is routed, pooled and authenticated"},
    {"SHOW WORKERS", "", PERMISSION_READ, SURVEY_NONE, &workers_shape, show_workers,
        "The worker threads and what each has done since the start"},
    {"SHOW STATS", "", PERMISSION_READ, SURVEY_NONE, &stats_shape, show_stats,
        "What all workers have done since the start"},
    {"SHOW ROUTES", "", PERMISSION_READ, SURVEY_NONE, &routes_shape, show_routes,
        "How many requests went where they went, by reason"},
    {"SHOW LATENCY", "", PERMISSION_READ, SURVEY_NONE, &latency_shape, show_latency,
        "How long requests waited and took, by node and by pool: quantiles since the start, and of the last "
        "minute"},
    {"SHOW EVENTS", "[SINCE id]", PERMISSION_READ, SURVEY_NONE, &events_shape, show_events,
        "What has happened: role changes, outages, holds, reloads, each with its reason and evidence"},
    {"SHOW CONFIG", "", PERMISSION_READ, SURVEY_NONE, &config_shape, show_config,
        "The configuration in force, without its secrets"},
    {"SHOW VERSION", "", PERMISSION_READ, SURVEY_NONE, &version_shape, show_version,
        "The version of rolecall"},
    {"EXPLAIN ROUTE", "'SQL' [DATABASE name] [LISTENER name]", PERMISSION_READ, SURVEY_NONE, &explain_shape,
        explain_route, "Where a new session's statement would go, and why"},
    {"RELOAD", "", PERMISSION_ADMIN, SURVEY_NONE, &no_shape, run_reload,
        "Read the configuration again; what is wrong changes nothing"},
    {"LOG LEVEL", "error | warning | info | debug", PERMISSION_ADMIN, SURVEY_NONE, &no_shape, run_log_level,
        "Log events of this importance and above, until the next reload"},
    {"SHUTDOWN", "", PERMISSION_ADMIN, SURVEY_NONE, &no_shape, run_shutdown,
        "Take no more clients, let the others end for shutdown_timeout, stop; a second time: stop at once"},
    {"HELP", "", PERMISSION_READ, SURVEY_NONE, &help_shape, show_help, "These commands"},

    /* What drivers send of their own accord. */
    {"BEGIN", "...", PERMISSION_READ, SURVEY_NONE, &no_shape, run_nothing, NULL},
    {"START TRANSACTION", "...", PERMISSION_READ, SURVEY_NONE, &no_shape, run_nothing, NULL},
    {"COMMIT", "...", PERMISSION_READ, SURVEY_NONE, &no_shape, run_nothing, NULL},
    {"ROLLBACK", "...", PERMISSION_READ, SURVEY_NONE, &no_shape, run_nothing, NULL},
    {"SET", "...", PERMISSION_READ, SURVEY_NONE, &no_shape, run_nothing, NULL},
    {"RESET", "...", PERMISSION_READ, SURVEY_NONE, &no_shape, run_nothing, NULL},
    {"DEALLOCATE", "...", PERMISSION_READ, SURVEY_NONE, &no_shape, run_nothing, NULL},
    {"DISCARD", "...", PERMISSION_READ, SURVEY_NONE, &no_shape, run_nothing, NULL},
};
/* clang-format on */

const struct command *command_table(size_t *n)
{
    *n = sizeof table / sizeof *table;
    return table;
}
