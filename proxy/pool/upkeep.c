/*
 * What time does to pools; see pool.h: lifetimes and idle timeouts, logins that take too long, minimum sizes,
 * retries, pools that nobody uses any more. Also the hints for the control thread.
 */
#include "proxy/pool/node.h"

#include <stdlib.h>

#define HINT_EVERY_MS 20

void pools_hint(struct pools *pools, struct node_live *node, uint32_t generation, enum node_hint hint)
{
    uint64_t now = pools_now(pools);
    bool again = pools->hinted == node && now - pools->hinted_ms < HINT_EVERY_MS;
    if (!pools->control || again)
        return;
    pools->hinted = node;
    pools->hinted_ms = now ? now : 1;
    struct message *message = message_new(MESSAGE_NODE_HINT);
    message->node_hint.node = node_live_ref(node);
    message->node_hint.generation = generation;
    message->node_hint.hint = hint;
    mailbox_post(pools->control, &message->letter);
}

static void expire(struct pool_node *at, uint64_t now)
{
    const struct limits *limits = &at->pool->limits;
    uint64_t idle_ms = limits->server_idle_timeout_ms;
    struct error late;
    error_set(&late, SQLSTATE_CONNECTION_FAILURE, "timed out");
    for (struct server *server = at->places[PLACE_OPENING].first, *next; server; server = next) {
        next = server->next;
        if (server->deadline_ms && now > server->deadline_ms) {
            server->owner_events->on_end(server, STREAM_END_RESET, &late);
            return; /* the lists have changed: the rest at the next tick */
        }
    }
    for (struct server *server = at->places[PLACE_BUSY].first; server; server = server->next)
        if (server->state == SERVER_RESETTING && server->deadline_ms && now > server->deadline_ms) {
            server->owner_events->on_end(server, STREAM_END_RESET, &late);
            return;
        }
    for (struct server *server = at->places[PLACE_IDLE].first, *next; server; server = next) {
        next = server->next;
        bool idle_too_long = idle_ms && now - server->used_ms > idle_ms &&
                             at->places[PLACE_IDLE].count > limits->min_pool_size;
        if (idle_too_long || !server_is_current(server))
            pool_drop_server(
                server, STREAM_END_OTHER, NULL, idle_too_long ? "idle too long" : "lifetime over");
    }
}

static void tick_node(struct pool_node *at, uint64_t now)
{
    expire(at, now);
    if (at->first_claim)
        pool_node_serve(at);
    if (!at->pool->paused && ledger_connections(at->ledger) < at->pool->limits.min_pool_size)
        pool_node_open(at, at->pool->limits.min_pool_size);
}

void pools_tick(struct pools *pools)
{
    uint64_t now = pools_now(pools);
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        for (struct pool_node *at = pool->nodes; at; at = at->next)
            tick_node(at, now);
    }
    pools_forget_unused(pools);
}
