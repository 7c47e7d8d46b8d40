/*
 * The server connections of one worker, by (cluster, database, user) and node, and the claims that wait for
 * them.
 *
 *     pool_claim -> granted at once, or queued -> on_granted | on_refused
 *     granted    -> pool_release, or on_lost when the connection breaks
 *
 * Idle connections are given last in, first out; claims first come, first served, over all workers: when the
 * process is at its limit, a worker asks the others for an idle connection and gets it by message. One
 * thread.
 */
#ifndef ROLECALL_POOL_POOL_H
#define ROLECALL_POOL_POOL_H

#include "conf/base/mailbox.h"
#include "proxy/pool/ledger.h"
#include "proxy/pool/meter.h"
#include "proxy/pool/pause.h"
#include "proxy/pool/prepared.h"
#include "proxy/pool/runtime.h"
#include "proxy/server/server.h"
#include "router/message.h"

#include <stdbool.h>
#include <stdint.h>

struct pool;
struct pool_node;

enum refusal {
    REFUSED_BY_NODE, /* the node answered: wrong password, no such database, ... */
    REFUSED_NO_NODE, /* it could not be reached, or serves no more: choose another */
    REFUSED_CHANGED, /* its role is not the one for which it was chosen: choose again */
};

struct claim_events {
    void (*on_granted)(void *user, struct server *server);
    void (*on_refused)(void *user, enum refusal why, const struct error *error);
    /* A granted server broke; it is closed when this returns. */
    void (*on_lost)(void *user, struct server *server, enum stream_end end, const struct error *error);
};

struct claim {
    const struct claim_events *events;
    void *user;
    struct node_live *asked; /* of which node; borrowed from the pool, valid while the pool is joined */
    struct pool_node *at;    /* queued there, or the server's */
    struct server *server;   /* granted */
    uint32_t generation;     /* of that node then */
    bool queued;
    const struct params *native; /* wanted startup settings of the connection itself; NULL = none */
    uint64_t writer;             /* best the one whose `writer` this is; 0: any */
    uint64_t since_us;           /* clock_now_us */
    struct claim *prev, *next;
};

/* All pools of a worker. */
struct pools {
    struct reactor *reactor;
    uint32_t worker;
    struct runtime *runtime;      /* the newest; one reference */
    struct topology **topologies; /* as runtime->config->clusters; NULL until known */
    struct prepared_registry *prepared;
    struct settings_table *settings;
    struct mailbox *control;      /* for hints; may be NULL */
    struct mailbox *const *peers; /* the workers' mailboxes, by worker */
    uint32_t n_peers;
    struct pool *by_key; /* hash */
    struct pauses pauses;
    uint64_t hinted_ms;
    const struct node_live *hinted; /* compared only */
    bool handing_over;     /* some idle connection leaves for another worker at the end of the turn */
    uint64_t opened, lost; /* connections, since start */
};

bool pools_open(struct pools *pools, struct reactor *reactor, uint32_t worker, struct runtime *runtime);
/* Closes every server. Claims must be gone. */
void pools_close(struct pools *pools);

/* A new configuration (takes a reference) or snapshot (takes the reference given). */
void pools_set_runtime(struct pools *pools, struct runtime *runtime);
void pools_set_topology(struct pools *pools, struct topology *topology);

/* Every 100 ms or so: lifetimes, idle timeouts, login deadlines, minimum sizes, unused pools. */
void pools_tick(struct pools *pools);

/* Messages from other workers. */
void pools_on_wanted(struct pools *pools, struct message *message);
void pools_on_server(struct pools *pools, struct message *message);

/* Tells the control thread what was seen. */
void pools_hint(struct pools *pools, struct node_live *node, uint32_t generation, enum node_hint hint);

/* What distinguishes a pool; `cluster` is an index into runtime->config->clusters. */
struct pool_key {
    size_t cluster;
    const char *database; /* as the node calls it */
    const char *user;     /* as it logs in to the node */
    /* Whose limits are in force: names as the client gave them, and its listener's. */
    const char *client_database, *client_user, *listener;
};

/* Finds or makes it and counts the caller as a user of it. */
struct pool *pool_join(struct pools *pools, const struct pool_key *key, const char *connect_query);
void pool_leave(struct pool *pool);
struct pools *pool_pools(const struct pool *pool);
struct topology *pool_topology(const struct pool *pool); /* borrowed; NULL until known */
size_t pool_cluster(const struct pool *pool);
const char *pool_database(const struct pool *pool);
const char *pool_user(const struct pool *pool);

/* What logs in to the nodes. Replaces what is known unless it is the same. */
void pool_set_secret(struct pool *pool, const struct secret *secret);

/* What a connection outside the pool (a relay) logs in with. Borrowed from the pool. */
void pool_fill_login(struct pool *pool, struct server_target *target);

/*
 * Asks for a connection to a node. `native`: the startup settings that the connection must have been opened
 * with (session pooling: RESET then gives them back), NULL for none; must live as long as the claim. True:
 * granted now (claim->server); false: queued.
 */
bool pool_claim(
    struct pool *pool, const struct topology_node *node, const struct params *native, struct claim *claim);
/* Leaves the queue; nothing happens when it is not queued. */
void pool_unclaim(struct claim *claim);
/* Gives a granted server back. It must owe nothing, unless `broken`, which closes it. */
void pool_release(struct claim *claim, bool broken);
/* Ends a granted server's connection, which cannot be trusted any more: the claim's on_lost is told. */
void pool_cut(struct claim *claim, const struct error *error, const char *reason);
/* What the user of a granted connection has measured. */
void pool_measure(const struct claim *claim, enum meter_phase phase, uint64_t us);
void pool_add(const struct claim *claim, enum meter_sum sum, uint64_t n);
/* A cancel request for this server has arrived at the node (see server.cancels). */
void pool_cancel_done(struct server *server);

/* For SHOW POOLS and statistics. */
struct pool_numbers {
    const char *cluster, *database, *user, *node;
    uint32_t idle, active, opening, waiting, connections;
    uint32_t resetting; /* among the active ones: between two users */
    uint32_t cancels;   /* cancel requests on their way to the node */
    uint32_t cancelled; /* connections that nobody has and that wait for the end of one */
    uint64_t oldest_wait_us;
    const struct limits *limits; /* borrowed */
};
void pools_each(
    struct pools *pools, void *context, void (*visit)(void *context, const struct pool_numbers *numbers));
/* Every server connection of the pools (relays have their own). */
void pools_each_server(struct pools *pools, void *context,
    void (*visit)(void *context, const struct pool *pool, const struct server *server));

#endif
