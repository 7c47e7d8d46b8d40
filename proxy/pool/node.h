/*
 * The inside of a pool: its share of one node. For the files of this room only.
 *
 * Every server is in exactly one of the lists of its pool_node; place_server is the one function that moves
 * it.
 */
#ifndef ROLECALL_POOL_NODE_H
#define ROLECALL_POOL_NODE_H

#include "proxy/pool/pool.h"

#include <uthash.h>

enum place { PLACE_OPENING, PLACE_IDLE, PLACE_BUSY, PLACES, PLACE_NOWHERE = PLACES };

struct server_list {
    struct server *first;
    uint32_t count;
};

struct pool_node {
    struct pool *pool;
    struct node_live *live;
    struct ledger *ledger;
    struct meter_share *meter;
    struct server_list places[PLACES];
    struct claim *first_claim, *last_claim;
    uint32_t n_claims;
    uint64_t retry_ms; /* no connect before this (uv_now) */
    uint32_t failures; /* in a row */
    uint64_t asked_ms; /* when other workers were last asked for a connection */
    int remote;        /* a worker that asked for one, -1 = none */
    uint64_t remote_since_us;
    struct pool_node *next;
};

struct pool {
    struct pools *pools;
    size_t cluster;
    char *database, *user, *connect_query;
    struct limits limits;
    char *client_database, *client_user, *listener; /* whose limits they are */
    struct secret secret;
    struct secret derived; /* SCRAM keys of a plain secret, found at the first login */
    struct pool_node *nodes;
    bool paused;      /* by the administrator */
    uint32_t users;   /* sessions that joined */
    uint64_t left_ms; /* when the last one left */
    UT_hash_handle hh;
    size_t key_len;
    char key[];
};

static inline uint64_t pools_now(const struct pools *pools)
{
    return uv_now(pools->reactor->loop);
}

void place_server(struct server *server, struct pool_node *at, enum place place);

/* The snapshot's entry for this node, NULL when it is no longer there. */
const struct topology_node *pool_node_entry(const struct pool_node *at);
struct pool_node *pool_node_of(struct pool *pool, struct node_live *live);

/* Opens one more connection when limits allow. */
void pool_node_open(struct pool_node *at, uint32_t up_to);

/* Closes a server, settles the accounts, and tells its claim, if any. */
void pool_drop_server(
    struct server *server, enum stream_end end, const struct error *error, const char *reason);

/* A server has become free: reset it, give it to a claim, here or in another worker, or keep it idle. */
void pool_offer(struct server *server);
/* Opens connections for claims that wait, as far as limits allow. */
void pool_node_serve(struct pool_node *at);
void pool_refuse_all(struct pool_node *at, enum refusal why, const struct error *error);

/* May this server be used for new work at all? */
bool server_is_current(const struct server *server);
/* A connection that nobody uses goes with its node when that is promoted, and nothing else happened to it
   since: PostgreSQL lets it write from then on, and those who all want to write then need no login. */
void server_follow(struct server *server);

/* Asks the other workers for a connection of this pool, or for room on its node (since_us 0). */
void pool_ask_others(struct pool_node *at, uint64_t since_us);
/* Sends an idle server to the worker that asked. */
void pool_hand_over(struct pool_node *at, struct server *server);
/* The same with an idle one at the end of the turn: a connection cannot leave while its answer is being
 * parsed. */
void pool_hand_over_later(struct pool_node *at);

/* Frees the pools that nobody has used for a while and that hold nothing. */
void pools_forget_unused(struct pools *pools);

extern const struct server_owner_events pool_server_events;

#endif
