/*
 * A streaming cluster in a directory of this machine: node 1 the primary, the others its replicas.
 *
 * Started from PostgreSQL's own programs, for `rolecall demo`. Blocking, single-threaded. The nodes are
 * children of this process; whoever opened the cluster stops them (see watchdog.h). The data are not meant to
 * survive a power failure: fsync is off.
 */
#ifndef ROLECALL_HEALTH_REPLICATION_LOCAL_H
#define ROLECALL_HEALTH_REPLICATION_LOCAL_H

#include "conf/base/error.h"
#include "health/replication/child.h"
#include "health/replication/watchdog.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCAL_MAX_NODES 16
#define LOCAL_PASSWORD_MAX 40

struct local_node {
    char name[32]; /* node1, node2 ... */
    uint16_t port; /* on 127.0.0.1 */
    pid_t pid;     /* the postmaster; 0 = not running */
};

struct local_cluster {
    char directory[PATH_MAX / 2]; /* holds nodeN/data, nodeN/log and the socket directory "sockets" */
    char bindir[PATH_MAX / 2];    /* PostgreSQL's programs */
    struct child_account account;
    struct local_node nodes[LOCAL_MAX_NODES];
    size_t n_nodes;
    char superuser_password[LOCAL_PASSWORD_MAX]; /* of "postgres" */
    char password[LOCAL_PASSWORD_MAX];           /* of "demo", who owns the database "demo" */
    const struct child_signals *signals;         /* the caller's */
    struct watchdog *watchdog;                   /* the caller's */
    int interrupted; /* a SIGINT, SIGTERM or SIGHUP that came while something was awaited */
};

/* Finds PG_BINDIR, `pg_config --bindir`, or the newest /usr/lib/postgresql/N/bin, in this order. */
bool local_find_programs(struct local_cluster *cluster, struct error *error);

/* As root: the account "postgres", else "nobody". */
bool local_find_account(struct local_cluster *cluster, struct error *error);

/* Fills the passwords from the kernel's random numbers. */
bool local_make_passwords(struct local_cluster *cluster, struct error *error);

/* Makes the cluster and waits until every node takes connections. directory, n_nodes and the nodes' ports are
   set by the caller, and the three functions above have been called. Ends early when a signal comes (see
   `interrupted`). */
bool local_start(struct local_cluster *cluster, struct error *error);

/* Runs a PostgreSQL program (or a path with a '/') to its end, its output in DIRECTORY/log; false unless it
   ended with status 0 within timeout_ms. `environment` may be NULL. */
bool local_run(struct local_cluster *cluster, char *const *argv, char *const *environment,
    uint64_t timeout_ms, struct error *error);

/* Notes that a child has been reaped; the node it was, or NULL. */
struct local_node *local_reaped(struct local_cluster *cluster, pid_t pid);

#endif
