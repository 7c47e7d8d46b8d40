/* clang-format off */
/*
 * /stats.json: everything that the page draws and that tools want, as one JSON object. Units end names (_us,
 * _ms, _bytes); counters count since the start; null = not known or no limit. Main thread.
 *
 *     version, pid, time (RFC 3339, UTC), uptime_ms
 *     stopping         true from SIGTERM on
 *     silent_workers   how many did not answer in time: their pools are missing
 *     clusters[]       name, primary (a node's name or null), no_primary_reason (null when there is one),
 *                      timeline (of the primary), topology_version (raised at each change), sampled_epoch,
 *                      max_lag_bytes, max_lag_ms (bounds; 0 = none), holding (requests that wait for a node
 *                      now), held (that had to), hold_failed (that were refused or gave up)
 *       nodes[]        name, host, port, role, read_only, condition, duty (enabled, drained or disabled, as an
 *                      operator said), reason, serves_reads, generation (raised at each change of role),
 *                      weight, lag_bytes, lag_ms (replicas only), replayed_epoch (comparable with
 *                      sampled_epoch), outstanding (requests on their way now), connections,
 *                      max_connections, requests (answered)
 *     listeners[]      name, address, cluster, route, pool_mode, auth, tls, serves, clients, max_clients
 *     pools[]          cluster, database, user, node, pool_mode, pool_size, clients_active, clients_waiting,
 *                      servers_active, servers_idle, servers_resetting, servers_opening, oldest_wait_us; at
 *                      most 256, pools_left_out says how many more there are
 *     workers[]        worker, and the counters of totals
 *     totals           clients, pinned (now); connections_taken, logins, login_failures, transactions,
 *                      requests, held, retries, reruns, lost_transactions, unknown_outcomes; waiting
 *                      (sessions that wait for a server connection now); max_clients
 *     verdicts[]       reason, text, count: where requests went, by the reason of the choice
 *     latency          all, nodes[] (cluster, node_name), pools[] (cluster, database, user; "*" = those
 *                      beyond a bound), each with wait, login, node, client, request (proxy/pool/meter.h),
 *                      each of them with max_us, since_start and last_minute: count, p50_us, p95_us, p99_us,
 *                      p999_us
 *     refusals[]       what clients do not get right now, and why: proxy/front/refusals.h
 *     events[]         the newest 64, oldest first: proxy/front/events_json.h
 */
/* clang-format on */
#ifndef ROLECALL_FRONT_STATS_JSON_H
#define ROLECALL_FRONT_STATS_JSON_H

#include "proxy/front/http_routes.h"

/* `asked` has a survey of pools. Returns the HTTP status. */
unsigned stats_json_answer(const struct http_asked *asked, struct output *body);

#endif
