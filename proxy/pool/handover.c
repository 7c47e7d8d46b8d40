/*
 * Connections that move between workers; see pool.h.
 *
 * A worker that may open no more asks all others: "an idle connection of this pool, please" (or, when the
 * node itself is full, "room on this node"). Whoever has an idle one sends it; else the wish is remembered
 * until a connection comes back whose claims here have waited less long. Only idle connections with nothing
 * buffered move.
 */
#include "proxy/pool/node.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"

#include <assert.h>
#include <stdlib.h>

#define ASK_AGAIN_MS 20

static void drop_ledger(void *ledger)
{
    ledger_unref(ledger);
}

static void destroy_server(void *object)
{
    /* On its way to a worker that has stopped: no loop polls it any more. */
    struct server *server = object;
    struct ledger *ledger = server->ledger;
    server_abandon(server);
    ledger_release(ledger);
    ledger_unref(ledger);
}

void pool_ask_others(struct pool_node *at, uint64_t since_us)
{
    struct pools *pools = at->pool->pools;
    uint64_t now = pools_now(pools);
    if (pools->n_peers < 2 || (at->asked_ms && now - at->asked_ms < ASK_AGAIN_MS))
        return;
    at->asked_ms = now ? now : 1;
    for (uint32_t i = 0; i < pools->n_peers; i++) {
        if (i == pools->worker)
            continue;
        struct message *message = message_new(MESSAGE_SERVER_WANTED);
        message->server_wanted.worker = pools->worker;
        message->server_wanted.since_us = since_us;
        message->server_wanted.ledger = ledger_ref(at->ledger);
        message->server_wanted.drop_ledger = drop_ledger;
        mailbox_post(pools->peers[i], &message->letter);
    }
}

void pool_hand_over(struct pool_node *at, struct server *server)
{
    struct pools *pools = at->pool->pools;
    int to = at->remote;
    at->remote = -1;
    place_server(server, at, PLACE_NOWHERE);
    server_detach(server);
    struct message *message = message_new(MESSAGE_SERVER);
    message->server.server = server;
    message->server.destroy = destroy_server;
    log_event(LOG_DEBUG, "server_handed_over", "node=%s to_worker=%d", at->live->name, to);
    mailbox_post(pools->peers[to], &message->letter);
}

static struct pool_node *find_by_ledger(struct pools *pools, const struct ledger *ledger)
{
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        for (struct pool_node *at = pool->nodes; at; at = at->next)
            if (at->ledger == ledger)
                return at;
    }
    return NULL;
}

static struct server *movable_idle(struct pool_node *at)
{
    for (struct server *server = at->places[PLACE_IDLE].first; server; server = server->next)
        if (server_is_movable(server) && server_is_current(server))
            return server;
    return NULL;
}

/* Another worker's pool finds the node full: an idle connection to it that nobody here waits for is given up.
 */
static void give_up_one(struct pools *pools, const struct node_live *live)
{
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        for (struct pool_node *at = pool->nodes; at; at = at->next) {
            struct server *idle = at->live == live && !at->first_claim ? movable_idle(at) : NULL;
            if (!idle)
                continue;
            pool_drop_server(idle, STREAM_END_OTHER, NULL, "room on the node");
            return;
        }
    }
}

void pools_on_wanted(struct pools *pools, struct message *message)
{
    uint64_t since_us = message->server_wanted.since_us;
    if (since_us == 0) {
        give_up_one(pools, ledger_node(message->server_wanted.ledger));
        return;
    }
    struct pool_node *at = find_by_ledger(pools, message->server_wanted.ledger);
    if (!at)
        return;
    if (at->remote < 0 || since_us < at->remote_since_us) {
        at->remote = (int)message->server_wanted.worker;
        at->remote_since_us = since_us;
    }
    struct server *server = movable_idle(at);
    if (server)
        pool_hand_over(at, server);
}

static void hand_over_now(void *object)
{
    struct pools *pools = object;
    pools->handing_over = false;
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        for (struct pool_node *at = pool->nodes; at; at = at->next) {
            struct server *server = at->remote >= 0 ? movable_idle(at) : NULL;
            if (server)
                pool_hand_over(at, server);
        }
    }
}

void pool_hand_over_later(struct pool_node *at)
{
    struct pools *pools = at->pool->pools;
    if (pools->handing_over)
        return;
    pools->handing_over = true;
    reactor_bury(pools->reactor, pools, hand_over_now);
}

void pools_on_server(struct pools *pools, struct message *message)
{
    struct server *server = message->server.server;
    struct pool_node *at = find_by_ledger(pools, server->ledger);
    message->server.server = NULL;
    if (!at) {
        destroy_server(server);
        return;
    }
    at->asked_ms = 0;
    server_attach(server, pools->reactor, &pool_server_events);
    server->applied = settings_get(pools->settings, &server->carried);
    params_clear(&server->carried);
    server->dirty |= !server->applied;
    place_server(server, at, PLACE_BUSY);
    pool_offer(server);
    pool_node_serve(at);
}
