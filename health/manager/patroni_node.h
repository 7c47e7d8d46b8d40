/*
 * The watch over one member's REST API: a GET /primary at probe_interval, sooner when somebody needs to know,
 * each on a connection and with a deadline of its own. Owned by patroni.c; control thread only.
 */
#ifndef ROLECALL_HEALTH_MANAGER_PATRONI_NODE_H
#define ROLECALL_HEALTH_MANAGER_PATRONI_NODE_H

#include "health/manager/patroni_json.h"
#include "health/settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct patroni_node;

struct patroni_node_owner {
    void *context;
    void (*changed)(void *context); /* its word is another one, or is fresh again */
};

/* Begins to ask at once. `rest` and `settings` must live until patroni_node_close. */
struct patroni_node *patroni_node_open(uv_loop_t *loop, struct rest *rest, const struct settings *settings,
    const struct patroni_member *member, const struct patroni_node_owner *owner);

const struct patroni_member *patroni_node_member(const struct patroni_node *node);
/* It has moved; what was heard of it stays only where nothing but the URL did. */
void patroni_node_move(struct patroni_node *node, const struct patroni_member *member);
void patroni_node_word(const struct patroni_node *node, uint64_t now_us, struct manager_word *out);
/* Asks now, unless it was asked just before. */
void patroni_node_ask(struct patroni_node *node);
void patroni_node_seek(struct patroni_node *node, bool seeking);
/* No callback afterwards; the memory goes when the loop has closed the timer. */
void patroni_node_close(struct patroni_node *node);

/* How every question to Patroni is asked. */
void patroni_manners(const struct settings *settings, uint64_t deadline_ms, struct rest_manners *out);

#endif
