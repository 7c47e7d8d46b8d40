/* Workers' pools without workers: each with a loop of its own in this thread, before shared scripted nodes.
 */
#ifndef ROLECALL_TESTS_POOL_RIG_H
#define ROLECALL_TESTS_POOL_RIG_H

#include "conf/parse.h"
#include "proxy/pool/node.h"
#include "tests/unit/server/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define RIG_WORKERS 2

struct rig_worker {
    uv_loop_t loop;
    struct reactor reactor;
    struct mailbox mailbox;
    struct pools pools;
};

static struct rig {
    struct rig_worker workers[RIG_WORKERS];
    struct mailbox *peers[RIG_WORKERS];
    struct runtime *runtime;
    struct fake_node node;
    struct node_live *live;
    struct cluster_live *cluster_live;
    uint32_t max_connections;
    char order[256]; /* what happened to the claims: "g1 r2 l3" */
} rig;

struct waiter {
    struct claim claim;
    int number;
    enum refusal why;
    struct error error;
};

static void note(char what, const struct waiter *waiter)
{
    size_t at = strlen(rig.order);
    snprintf(rig.order + at, sizeof rig.order - at, "%s%c%d", at ? " " : "", what, waiter->number);
}

static const struct server_user_events rig_user;

static void rig_granted(void *user, struct server *server)
{
    note('g', user);
    server_link(server, &rig_user, user);
}

static void rig_refused(void *user, enum refusal why, const struct error *error)
{
    struct waiter *waiter = user;
    waiter->why = why;
    waiter->error = *error;
    note('r', user);
}

static void rig_lost(void *user, struct server *server, enum stream_end end, const struct error *error)
{
    (void)server;
    (void)end;
    ((struct waiter *)user)->error = *error;
    note('l', user);
}

static const struct claim_events rig_claims = {rig_granted, rig_refused, rig_lost};

static void rig_answer(void *user, struct server *server, const struct answer *answer)
{
    (void)user;
    (void)server;
    (void)answer;
}

static void rig_raw(void *user, struct server *server, const char *bytes, size_t len)
{
    (void)user;
    (void)server;
    (void)bytes;
    (void)len;
}

static void rig_nothing(void *user, struct server *server)
{
    (void)user;
    (void)server;
}

static const struct server_user_events rig_user = {
    .on_answer = rig_answer, .on_raw = rig_raw, .on_drained = rig_nothing, .on_prefix_done = rig_nothing};

static void rig_receive(void *owner, struct letter *letter)
{
    struct rig_worker *worker = owner;
    struct message *message = (struct message *)letter;
    if (message->kind == MESSAGE_SERVER_WANTED)
        pools_on_wanted(&worker->pools, message);
    else if (message->kind == MESSAGE_SERVER)
        pools_on_server(&worker->pools, message);
    message_free(message);
}

static inline struct runtime *rig_runtime(const char *limits, const char *clusters)
{
    char text[4096];
    struct error error = {0};
    snprintf(text, sizeof text,
        "[rolecall]\nlog_level = error\n%s\n%s\n"
        "[listener main]\naddress = unix:/nonexistent/.s.PGSQL.6432\nauth = trust\npool = "
        "transaction\ncluster = main\n",
        limits, clusters);
    struct config *config = config_parse_text("test.ini", text, strlen(text), &error);
    if (!config)
        fail_msg("%s", error.text);
    struct runtime *runtime = runtime_new(config, NULL, &error);
    assert_non_null(runtime);
    config_unref(config);
    return runtime;
}

#define RIG_CLUSTER(name)                                                                                    \
    "[cluster " name "]\n[node node-of-" name "]\nhost = 127.0.0.1\ncluster = " name "\n"

static inline struct topology *rig_topology(
    uint32_t generation, enum node_role role, enum node_condition condition)
{
    struct topology *topology = topology_new("main", 1);
    struct topology_node *node = &topology->nodes[0];
    topology->primary = role == ROLE_PRIMARY ? 0 : -1;
    topology->live = cluster_live_ref(rig.cluster_live);
    node->name = strdup("one");
    node->host = strdup(rig.node.folder);
    node->port = 5432;
    node->weight = 100;
    node->max_connections = rig.max_connections;
    node->role = role;
    node->condition = condition;
    node->generation = generation;
    node->live = node_live_ref(rig.live);
    return topology;
}

static inline void rig_publish(uint32_t generation, enum node_role role, enum node_condition condition)
{
    for (int i = 0; i < RIG_WORKERS; i++)
        pools_set_topology(&rig.workers[i].pools, rig_topology(generation, role, condition));
}

static inline void rig_turns(int n)
{
    while (n-- > 0) {
        for (int i = 0; i < RIG_WORKERS; i++)
            uv_run(&rig.workers[i].loop, UV_RUN_NOWAIT);
        fake_node_serve(&rig.node);
    }
}

/* Time passes, and every worker ticks. */
static inline void rig_wait(unsigned ms)
{
    usleep(ms * 1000);
    for (int i = 0; i < RIG_WORKERS; i++) {
        uv_update_time(&rig.workers[i].loop);
        pools_tick(&rig.workers[i].pools);
    }
    rig_turns(12);
}

static inline void rig_open(const char *limits, uint32_t max_connections)
{
    rig = (struct rig){.max_connections = max_connections};
    log_set_level(LOG_ERROR);
    fake_node_open(&rig.node);
    rig.live = node_live_new("one");
    rig.cluster_live = cluster_live_new();
    rig.runtime = rig_runtime(limits, RIG_CLUSTER("main"));
    for (int i = 0; i < RIG_WORKERS; i++) {
        struct rig_worker *worker = &rig.workers[i];
        assert_int_equal(uv_loop_init(&worker->loop), 0);
        assert_int_equal(reactor_open(&worker->reactor, &worker->loop), 0);
        assert_true(mailbox_open(&worker->mailbox, &worker->loop, worker, rig_receive, message_drop));
        rig.peers[i] = &worker->mailbox;
        assert_true(pools_open(&worker->pools, &worker->reactor, (uint32_t)i, rig.runtime));
        worker->pools.peers = rig.peers;
        worker->pools.n_peers = RIG_WORKERS;
    }
    rig_publish(1, ROLE_PRIMARY, CONDITION_UP);
}

static inline void rig_close(void)
{
    for (int i = 0; i < RIG_WORKERS; i++)
        pools_close(&rig.workers[i].pools);
    for (int i = 0; i < RIG_WORKERS; i++) {
        struct rig_worker *worker = &rig.workers[i];
        reactor_close(&worker->reactor);
        mailbox_close(&worker->mailbox);
        uv_run(&worker->loop, UV_RUN_DEFAULT);
        reactor_fini(&worker->reactor);
        mailbox_fini(&worker->mailbox);
        assert_int_equal(uv_loop_close(&worker->loop), 0);
    }
    runtime_unref(rig.runtime);
    assert_int_equal(rig.live->connections, 0);
    assert_int_equal(rig.live->refs, 1);
    node_live_unref(rig.live);
    cluster_live_unref(rig.cluster_live);
    fake_node_close(&rig.node);
}

static inline struct pool *rig_join(int worker, const char *database)
{
    struct pool_key key = {.database = database,
        .user = "ann",
        .client_database = database,
        .client_user = "ann",
        .listener = "main"};
    struct pool *pool = pool_join(&rig.workers[worker].pools, &key, NULL);
    assert_non_null(pool);
    return pool;
}

/* Claims a connection of the pool; what comes of it is noted under the number. */
static inline void rig_claim(struct pool *pool, struct waiter *waiter, int number)
{
    *waiter = (struct waiter){.claim = {.events = &rig_claims, .user = waiter}, .number = number};
    struct topology *topology = pool_topology(pool);
    if (pool_claim(pool, &topology->nodes[0], NULL, &waiter->claim))
        rig_granted(waiter, waiter->claim.server);
}

#endif
