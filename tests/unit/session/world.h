/*
 * A worker's sessions without the worker: a loop, scripted nodes, clients on socket pairs. One thread;
 * everything is driven by world_turn. Shared by the tests of session and worker and by the fuzz targets.
 */
#ifndef ROLECALL_TESTS_WORLD_H
#define ROLECALL_TESTS_WORLD_H

#include "proxy/session/session.h"
#include "tests/unit/server/fake_node.h"

#define WORLD_NODES 2

struct world {
    uv_loop_t loop;
    struct reactor reactor;
    struct runtime *runtime;
    struct sessions sessions;
    struct mailbox *peers[1];
    _Atomic uint32_t clients;
    struct fake_node nodes[WORLD_NODES];
    struct node_live *live[WORLD_NODES];
    struct cluster_live *cluster_live;
    enum node_role roles[WORLD_NODES]; /* as published */
    uint64_t version;
    uint32_t timeline; /* of the next topology */
};

struct client {
    int fd;
    char *in; /* not yet whole */
    size_t in_len;
    char heard[64 * 1024]; /* words of talk.h */
    bool closed;           /* by rolecall */
};

/* `listener` and `more` are lines of the configuration: of [listener main], and sections or [rolecall] keys
 * before it. */
void world_open(struct world *world, const char *listener, const char *more);
void world_close(struct world *world);
/* Publishes who has which role. */
void world_topology(struct world *world, enum node_role first, enum node_role second);
/* Publishes that the first node, the primary, is being deposed: it keeps its role and is none for new work.
 */
void world_leaving(struct world *world);
/* Publishes that this node is down and the other one is what it was. */
void world_down(struct world *world, int node);
/* One turn of the loop and of the nodes. True when a node did something. */
void world_turn(struct world *world);
void world_turns(struct world *world, int n);

void client_open(struct world *world, struct client *client);
void client_close(struct client *client);
void client_say(struct client *client, const char *words);
void client_send(struct client *client, const void *bytes, size_t len);
/* Reads what has come. */
void client_hear(struct client *client);
/* Logs in as user "ann", and forgets the greeting. */
void client_login(struct world *world, struct client *client);
/* Says it, and what was heard until everything is quiet; "" stands for nothing. */
const char *client_ask(struct world *world, struct client *client, const char *words);
/* What was heard until everything is quiet. */
const char *client_listen(struct world *world, struct client *client);

#endif
