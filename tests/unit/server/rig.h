/* A loop, a scripted node and servers connected to it, with an owner and a user that record. For the tests of
 * server. */
#ifndef ROLECALL_TESTS_RIG_H
#define ROLECALL_TESTS_RIG_H

#include "proxy/server/server.h"
#include "tests/unit/server/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct rig {
    uv_loop_t loop;
    struct reactor reactor;
    struct fake_node node;
    struct topology_node entry;
    struct server_target target;
    struct server *server;
    int readies, ends, prefixes;
    enum stream_end end;
    enum server_state end_state;
    struct error error;
    char heard[64 * 1024]; /* by the user, in words */
    char part[TALK_MAX];   /* of a message */
    size_t part_len, parts;
    bool close_on_answer;
} rig;

static void rig_ready(struct server *server)
{
    (void)server;
    rig.readies++;
}

static void rig_end(struct server *server, enum stream_end end, const struct error *error)
{
    rig.ends++;
    rig.end = end;
    rig.end_state = server->state;
    rig.error = *error;
    server_close(server);
    rig.server = NULL;
}

static void rig_answer(void *user, struct server *server, const struct answer *answer)
{
    (void)user;
    rig.parts++;
    assert_true(rig.part_len + answer->len <= sizeof rig.part);
    assert_true(rig.part_len == 0 || !answer->first);
    memcpy(rig.part + rig.part_len, answer->bytes, answer->len);
    rig.part_len += answer->len;
    if (answer->last) {
        size_t used = talk_hear_backend(rig.part, rig.part_len, rig.heard, sizeof rig.heard);
        assert_int_equal(used, rig.part_len);
        rig.part_len = 0;
    }
    if (rig.close_on_answer) {
        server_close(server);
        rig.server = NULL;
    }
}

static void rig_raw(void *user, struct server *server, const char *bytes, size_t len)
{
    (void)user;
    (void)server;
    talk_hear_backend(bytes, len, rig.heard, sizeof rig.heard);
}

static void rig_drained(void *user, struct server *server)
{
    (void)user;
    (void)server;
}

static void rig_prefix_done(void *user, struct server *server)
{
    (void)user;
    (void)server;
    rig.prefixes++;
}

static const struct server_owner_events rig_owner = {rig_ready, rig_end};
static const struct server_user_events rig_user = {
    .on_answer = rig_answer, .on_raw = rig_raw, .on_drained = rig_drained, .on_prefix_done = rig_prefix_done};

static inline void rig_turns(int n)
{
    while (n-- > 0) {
        uv_run(&rig.loop, UV_RUN_NOWAIT);
        fake_node_serve(&rig.node);
    }
}

static inline void rig_open(void)
{
    rig = (struct rig){0};
    assert_int_equal(uv_loop_init(&rig.loop), 0);
    assert_int_equal(reactor_open(&rig.reactor, &rig.loop), 0);
    fake_node_open(&rig.node);
    rig.entry = (struct topology_node){.name = (char *)"one",
        .host = rig.node.folder,
        .port = 5432,
        .role = ROLE_PRIMARY,
        .generation = 7,
        .live = node_live_new("one")};
    rig.target = (struct server_target){.node = &rig.entry,
        .user = "ann",
        .database = "shop",
        .connect_timeout_ms = 1000,
        .login_timeout_ms = 1000,
        .high_water = 64 * 1024};
}

/* Connects as rig.target says and waits until something has come of it. */
static inline void rig_connect(void)
{
    struct error error;
    rig.server = server_open(&rig.reactor, &rig.target, &rig_owner, &error);
    assert_non_null(rig.server);
    for (int i = 0; i < 30 && !rig.readies && !rig.ends; i++)
        rig_turns(1);
}

static inline void rig_close(void)
{
    if (rig.server)
        server_close(rig.server);
    rig_turns(3);
    reactor_close(&rig.reactor);
    uv_run(&rig.loop, UV_RUN_DEFAULT);
    reactor_fini(&rig.reactor);
    assert_int_equal(uv_loop_close(&rig.loop), 0);
    fake_node_close(&rig.node);
    assert_int_equal(rig.entry.live->refs, 1);
    node_live_unref(rig.entry.live);
}

#endif
