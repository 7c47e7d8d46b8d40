/* A worker's side of the control thread, for tests: a loop with a mailbox that keeps the newest of
 * everything. */
#ifndef ROLECALL_TESTS_HEALTH_WATCHER_H
#define ROLECALL_TESTS_HEALTH_WATCHER_H

#include "health/control.h"
#include "router/message.h"
#include "tests/unit/health/postgres.h"

#include <stdbool.h>
#include <stdint.h>

struct watcher {
    uv_loop_t loop;
    struct mailbox mailbox;
    struct control *control;
    struct topology *topology;   /* the newest; NULL before the first */
    unsigned topologies;         /* how many came */
    struct catalogue *catalogue; /* the newest */
    unsigned catalogues;
    unsigned events[EVENT_KINDS]; /* how many came */
    struct event last_event;
    unsigned replies;
    uint64_t ticket; /* of the newest reply */
    bool answered, found;
    char secret[MESSAGE_SECRET_MAX];
    unsigned orders_done, orders_refused;
    struct error refusal; /* the newest */
};

/* Writes a configuration for the servers (extra: more lines for [cluster main]; hosts are loopback
 * addresses). */
struct config *watcher_config(const struct postgres *postgres, const char *extra);
/* Starts a control thread; takes over the reference. */
void watcher_start(struct watcher *watcher, struct config *config);
void watcher_stop(struct watcher *watcher);
/* Takes what has come; waits that long. */
void watcher_run(struct watcher *watcher, uint64_t ms);

/* Runs until the condition holds; returns how many milliseconds that took, and fails the test after
 * `limit_ms`. */
uint64_t watcher_until(struct watcher *watcher, uint64_t limit_ms, const char *what,
    bool (*holds)(struct watcher *watcher, int number), int number);

/* Conditions. */
bool primary_is(struct watcher *watcher, int node);  /* -1: there is none */
bool all_settled(struct watcher *watcher, int node); /* that primary, and all others are replicas */
bool node_is_down(struct watcher *watcher, int node);
bool node_is_suspect(struct watcher *watcher, int node);
bool node_is_up(struct watcher *watcher, int node);
bool node_is_replica(struct watcher *watcher, int node);
bool catalogues_at_least(struct watcher *watcher, int number);
bool replies_at_least(struct watcher *watcher, int number);

void watcher_hint(struct watcher *watcher, int node, enum node_hint hint);
void watcher_ask_catalogue(struct watcher *watcher, const char *database, bool changed);
void watcher_ask_secret(struct watcher *watcher, const char *user, uint64_t ticket, bool refresh);
/* Gives the order and waits for its reply; true when it was done. */
bool watcher_order(
    struct watcher *watcher, enum node_order order, const char *cluster, const char *node, uint32_t weight);
void watcher_reload(struct watcher *watcher, struct config *config); /* takes over the reference */

#endif
