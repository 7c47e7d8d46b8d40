/* The handlers and columns that the command table is made of; for command_table.c only. */
#ifndef ROLECALL_FRONT_COMMAND_HANDLERS_H
#define ROLECALL_FRONT_COMMAND_HANDLERS_H

#include "proxy/front/command.h"

#define RESULT_SHAPE(columns)                                                                                \
    {                                                                                                        \
        columns, sizeof(columns) / sizeof *(columns)                                                         \
    }

/* command_cluster.c */
extern const struct result_shape nodes_shape, clusters_shape, listeners_shape;
bool show_nodes(struct command_call *call, struct error *error);
bool show_clusters(struct command_call *call, struct error *error);
bool show_listeners(struct command_call *call, struct error *error);

/* command_counters.c */
extern const struct result_shape workers_shape, totals_shape, routes_shape;
bool show_workers(struct command_call *call, struct error *error);
bool show_totals(struct command_call *call, struct error *error);
bool show_routes(struct command_call *call, struct error *error);

/* command_sessions.c */
extern const struct result_shape sessions_shape, pins_shape, servers_shape, waiting_shape;
/* A cell with the names of enum pin's bits; NULL when there are none. */
void result_pins(struct result *result, uint32_t pins);
bool show_sessions(struct command_call *call, struct error *error);
bool show_waiting(struct command_call *call, struct error *error);
bool show_pins(struct command_call *call, struct error *error);
bool show_servers(struct command_call *call, struct error *error);

/* command_stats.c */
extern const struct result_shape stats_shape, stats_totals_shape, stats_averages_shape;
bool show_stats(struct command_call *call, struct error *error);
bool show_stats_totals(struct command_call *call, struct error *error);
bool show_stats_averages(struct command_call *call, struct error *error);

/* command_latency.c */
extern const struct result_shape latency_shape;
bool show_latency(struct command_call *call, struct error *error);

/* command_events.c */
extern const struct result_shape events_shape;
bool show_events(struct command_call *call, struct error *error);

/* command_pools.c */
extern const struct result_shape pools_shape, node_pools_shape;
bool show_pools(struct command_call *call, struct error *error);
bool show_node_pools(struct command_call *call, struct error *error);

/* command_databases.c */
extern const struct result_shape databases_shape, users_shape, lists_shape;
bool show_databases(struct command_call *call, struct error *error);
bool show_users(struct command_call *call, struct error *error);
bool show_lists(struct command_call *call, struct error *error);

/* command_prepared.c */
extern const struct result_shape prepared_shape;
bool show_prepared(struct command_call *call, struct error *error);

/* command_switchover.c */
extern const struct result_shape switchover_shape;
bool cancel_switchover(struct command_call *call, struct error *error);
bool run_switchover(struct command_call *call, struct error *error);

/* command_replication.c */
extern const struct result_shape replication_shape, hooks_shape;
bool show_replication(struct command_call *call, struct error *error);
bool show_hooks(struct command_call *call, struct error *error);

/* command_config.c */
extern const struct result_shape config_shape;
bool show_config(struct command_call *call, struct error *error);

/* command_explain.c */
extern const struct result_shape explain_shape;
bool prepare_explain(struct command_call *call, struct error *error);
bool explain_route(struct command_call *call, struct error *error);

/* command_nodes.c */
bool run_drain(struct command_call *call, struct error *error);
bool run_enable(struct command_call *call, struct error *error);
bool run_disable(struct command_call *call, struct error *error);
bool run_set_weight(struct command_call *call, struct error *error);
bool run_accept(struct command_call *call, struct error *error);
bool run_forget(struct command_call *call, struct error *error);
bool run_probe(struct command_call *call, struct error *error);

/* command_pause.c */
/* "worker.serial" */
bool session_id_parse(const char *text, uint32_t *worker, uint64_t *serial);
bool prepare_pause(struct command_call *call, struct error *error);
bool prepare_resume(struct command_call *call, struct error *error);
bool prepare_reconnect(struct command_call *call, struct error *error);
bool prepare_kill(struct command_call *call, struct error *error);
bool cancel_pause(struct command_call *call, struct error *error);
bool run_pause(struct command_call *call, struct error *error);
bool run_resume(struct command_call *call, struct error *error);
bool run_reconnect(struct command_call *call, struct error *error);
bool run_kill(struct command_call *call, struct error *error);

/* command_process.c */
extern const struct result_shape no_shape, version_shape, state_shape, help_shape;
bool show_state(struct command_call *call, struct error *error);
bool show_version(struct command_call *call, struct error *error);
bool show_help(struct command_call *call, struct error *error);
bool run_reload(struct command_call *call, struct error *error);
bool run_shutdown(struct command_call *call, struct error *error);
bool run_log_level(struct command_call *call, struct error *error);
bool run_nothing(struct command_call *call, struct error *error);

#endif
