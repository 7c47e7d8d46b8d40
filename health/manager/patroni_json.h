/*
 * What Patroni's REST API says, read from its JSON (Patroni 3.0 and later; 2.1's answers read as well). Pure:
 * foreign bytes in, plain values out. Any thread.
 *
 * GET /primary of a node gives its own state, with status 200 while it holds the leader lock and 503 else.
 * The lock says nothing about PostgreSQL: it is held while that is stopped, and 0.1 s before a promotion
 * ends. GET /cluster gives the members as the DCS knows them, some seconds old: good for names and addresses,
 * not for roles.
 */
#ifndef ROLECALL_HEALTH_MANAGER_PATRONI_JSON_H
#define ROLECALL_HEALTH_MANAGER_PATRONI_JSON_H

#include "health/manager.h"
#include "health/manager/rest.h"

#include <stdbool.h>
#include <stddef.h>

#define PATRONI_WORD_MAX 32
#define PATRONI_TIME_MAX 40

/* A node's own state. Words that are absent are "". */
struct patroni_status {
    char role[PATRONI_WORD_MAX];  /* master, primary, replica, standby_leader, demoted, uninitialized */
    char state[PATRONI_WORD_MAX]; /* running, starting, stopping, stopped ... */
    bool paused, failsafe, sync_standby;
    bool noloadbalance, nofailover, nosync;
};

struct patroni_member {
    struct manager_member member;
    char url[REST_URL_MAX]; /* of its REST API, without a path and a '/' behind: "http://host:8008" */
};

struct patroni_cluster {
    size_t n;
    struct patroni_member members[TOPOLOGY_MAX_NODES];
    bool paused;
    char switchover_at[PATRONI_TIME_MAX]; /* a scheduled one: ISO 8601 as Patroni writes it; "" = none */
    char switchover_from[NODE_NAME_MAX], switchover_to[NODE_NAME_MAX]; /* "" = not said */
};

/* False, with what is wrong with it in words (static), when these bytes are no such answer. */
bool patroni_read_status(const char *body, size_t len, struct patroni_status *out, const char **why);
bool patroni_read_cluster(const char *body, size_t len, struct patroni_cluster *out, const char **why);

/* The judge's word from a node's own answer; `heard` and the age are the caller's. `holds_lock`: it came with
 * status 200. */
void patroni_word(const struct patroni_status *status, bool holds_lock, struct manager_word *out);

/* The part of a URL before its path; false when it is too long or neither http nor https. */
bool patroni_base_url(const char *url, char out[REST_URL_MAX]);

#endif
