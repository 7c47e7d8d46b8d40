/* Sessions, nodes and clients of a test; see world.h. */
#include "tests/unit/session/world.h"

#include "conf/parse.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct runtime *make_runtime(struct world *world, const char *listener, const char *more)
{
    char text[8192];
    struct error error = {0};
    snprintf(text, sizeof text,
        "[rolecall]\nlog_level = error\n%s\n[cluster main]\nhold_timeout = 1s\n"
        "[node one]\nhost = %s\nport = 5432\n[node two]\nhost = %s\nport = 5432\n"
        "[listener main]\naddress = unix:/nonexistent/.s.PGSQL.6432\nauth = trust\n%s\n",
        more, world->nodes[0].folder, world->nodes[1].folder, listener);
    struct config *config = config_parse_text("test.ini", text, strlen(text), &error);
    if (!config) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    struct runtime *runtime = runtime_new(config, NULL, &error);
    assert(runtime);
    config_unref(config);
    return runtime;
}

void world_open(struct world *world, const char *listener, const char *more)
{
    *world = (struct world){0};
    log_set_level(getenv("ROLECALL_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    for (int i = 0; i < WORLD_NODES; i++) {
        fake_node_open(&world->nodes[i]);
        world->live[i] = node_live_new(i ? "two" : "one");
    }
    world->cluster_live = cluster_live_new();
    world->runtime = make_runtime(world, listener, more);
    int looped = uv_loop_init(&world->loop);
    int opened = reactor_open(&world->reactor, &world->loop);
    world->sessions.process_clients = &world->clients;
    bool open = sessions_open(&world->sessions, &world->reactor, 0, world->runtime);
    world->sessions.pools.peers = world->peers;
    world->sessions.pools.n_peers = 1;
    assert(looped == 0 && opened == 0 && open);
}

void world_close(struct world *world)
{
    sessions_close(&world->sessions);
    reactor_close(&world->reactor);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    reactor_fini(&world->reactor);
    int closed = uv_loop_close(&world->loop);
    assert(closed == 0 && world->clients == 0);
    runtime_unref(world->runtime);
    for (int i = 0; i < WORLD_NODES; i++) {
        assert(world->live[i]->connections == 0);
        fake_node_close(&world->nodes[i]);
        node_live_unref(world->live[i]);
    }
    cluster_live_unref(world->cluster_live);
}

static void publish(struct world *world, const enum node_role roles[WORLD_NODES], int down, bool leaving)
{
    struct topology *topology = topology_new("main", WORLD_NODES);
    topology->version = ++world->version;
    topology->primary = -1;
    topology->timeline = world->timeline;
    topology->live = cluster_live_ref(world->cluster_live);
    for (int i = 0; i < WORLD_NODES; i++) {
        struct topology_node *node = &topology->nodes[i];
        node->name = strdup(world->live[i]->name);
        node->host = strdup(world->nodes[i].folder);
        node->port = 5432;
        node->weight = 100;
        node->role = i == down ? ROLE_UNKNOWN : roles[i];
        node->condition = i == down ? CONDITION_DOWN : CONDITION_UP;
        if (node->role != world->roles[i])
            world->live[i]->generation++;
        world->roles[i] = node->role;
        node->generation = world->live[i]->generation;
        node->reason = strdup(i == down ? "down in this test" : "up in this test");
        node->live = node_live_ref(world->live[i]);
        if (node->role == ROLE_PRIMARY && !leaving)
            topology->primary = i;
    }
    if (topology->primary < 0)
        topology->no_primary_reason = strdup("no primary in this test");
    sessions_on_topology(&world->sessions, topology);
}

void world_topology(struct world *world, enum node_role first, enum node_role second)
{
    publish(world, (enum node_role[]){first, second}, -1, false);
}

void world_leaving(struct world *world)
{
    publish(world, (enum node_role[]){ROLE_PRIMARY, ROLE_REPLICA}, -1, true);
}

void world_down(struct world *world, int node)
{
    publish(world, (enum node_role[]){ROLE_PRIMARY, ROLE_REPLICA}, node, false);
}

void world_turn(struct world *world)
{
    uv_run(&world->loop, UV_RUN_NOWAIT);
    for (int i = 0; i < WORLD_NODES; i++)
        fake_node_serve(&world->nodes[i]);
}

void world_turns(struct world *world, int n)
{
    while (n-- > 0)
        world_turn(world);
}

/* ---- clients ---- */

void client_open(struct world *world, struct client *client)
{
    int fds[2];
    int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
    assert(made == 0);
    *client = (struct client){.fd = fds[0], .in = malloc(TALK_MAX)};
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    struct message *message = message_new(MESSAGE_CONNECTION);
    message->connection.fd = fds[1];
    message->connection.config = config_ref(world->runtime->config);
    message->connection.peer.ss_family = AF_UNIX;
    sessions_accept(&world->sessions, message);
    message_free(message);
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    free(client->in);
    client->in = NULL;
}

void client_send(struct client *client, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t sent = send(client->fd, at, len, MSG_NOSIGNAL);
        if (sent < 0)
            return;
        at += sent;
        len -= (size_t)sent;
    }
}

void client_say(struct client *client, const char *words)
{
    static char out[TALK_MAX];
    client_send(client, out, talk_frontend(words, out, sizeof out));
}

void client_hear(struct client *client)
{
    ssize_t got;
    while (!client->closed && (got = recv(client->fd, client->in + client->in_len, TALK_MAX - client->in_len,
                                   MSG_DONTWAIT)) != -1) {
        client->closed = got == 0;
        client->in_len += (size_t)got;
        size_t used = talk_hear_backend(client->in, client->in_len, client->heard, sizeof client->heard);
        memmove(client->in, client->in + used, client->in_len - used);
        client->in_len -= used;
    }
    client->closed |= errno == ECONNRESET;
    errno = 0;
}

const char *client_listen(struct world *world, struct client *client)
{
    client->heard[0] = 0;
    for (int quiet = 0; quiet < 12; quiet++) {
        size_t before = strlen(client->heard);
        world_turn(world);
        client_hear(client);
        if (strlen(client->heard) != before)
            quiet = 0;
    }
    return client->heard;
}

const char *client_ask(struct world *world, struct client *client, const char *words)
{
    client_say(client, words);
    return client_listen(world, client);
}

void client_login(struct world *world, struct client *client)
{
    char out[1024];
    client_open(world, client);
    client_send(client, out, talk_startup("user=ann database=shop", out, sizeof out));
    client_listen(world, client);
    size_t len = strlen(client->heard);
    if (len < 3 || strcmp(client->heard + len - 3, "Z:I") != 0) {
        fprintf(stderr, "the login was answered: %s\n", client->heard);
        abort();
    }
}
