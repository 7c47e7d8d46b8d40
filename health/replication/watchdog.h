/*
 * Cleans up after `rolecall demo`, however it ends.
 *
 * A small child process that holds one end of a line (a socket pair). It learns the pids of the servers
 * through it, and when the line ends (the demo has finished, or was killed) it stops them, stops whatever
 * else the demo's command has left running, and removes the directory. Everything else here runs in the
 * demo's process; single-threaded.
 */
#ifndef ROLECALL_HEALTH_REPLICATION_WATCHDOG_H
#define ROLECALL_HEALTH_REPLICATION_WATCHDOG_H

#include "conf/base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WATCHDOG_MAX_WARDS 32
#define WATCHDOG_MARKER_MAX 64

/* Stopped in this order: first who talks to the servers, then the servers. */
enum ward_kind { WARD_COMMAND, WARD_PROXY, WARD_NODE };

struct ward {
    pid_t pid;
    uint64_t start_time; /* see child_start_time */
    enum ward_kind kind;
};

struct watchdog {
    pid_t pid; /* 0 = not started */
    int line;  /* a socket; its end tells the watchdog */
    bool keep; /* servers are shut down cleanly and the directory stays */
    char directory[PATH_MAX];
    char
        marker[WATCHDOG_MARKER_MAX]; /* "NAME=value": whoever has it in its environment belongs to the demo */
    struct ward wards[WATCHDOG_MAX_WARDS];
    size_t n_wards;
};

/* Forks the watchdog for a directory. The struct is the caller's. */
bool watchdog_open(
    struct watchdog *watchdog, const char *directory, const char *marker, bool keep, struct error *error);

/* A process to stop at the end; one more than WATCHDOG_MAX_WARDS is a bug. */
void watchdog_add(struct watchdog *watchdog, pid_t pid, enum ward_kind kind);
/* It has been reaped. */
void watchdog_remove(struct watchdog *watchdog, pid_t pid);

/* Lets the watchdog clean up and waits for it; if it was killed, cleans up here. Idempotent. Reaps every
 * child. */
void watchdog_close(struct watchdog *watchdog);

#endif
