/* A worker's thread and a listener: a client is served end to end; stopping once drains, twice ends at once.
 */
#include "proxy/worker/listener.h"
#include "proxy/worker/worker.h"

#include "conf/parse.h"
#include "tests/unit/server/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKERS 2

static struct town {
    uv_loop_t loop;
    struct mailbox mailbox; /* the main thread's */
    struct worker workers[WORKERS];
    struct mailbox *peers[WORKERS];
    _Atomic uint32_t clients;
    struct runtime *runtime;
    struct listener *listener;
    struct fake_node node;
    struct node_live *live;
    struct cluster_live *cluster_live;
    char path[128];
    int ended;
} town;

static void receive(void *owner, struct letter *letter)
{
    (void)owner;
    town.ended += ((struct message *)letter)->kind == MESSAGE_STOP;
    message_free((struct message *)letter);
}

static void post_topology(struct worker *worker)
{
    struct topology *topology = topology_new("main", 1);
    topology->primary = 0;
    topology->live = cluster_live_ref(town.cluster_live);
    topology->nodes[0] = (struct topology_node){.name = strdup("one"),
        .host = strdup(town.node.folder),
        .port = 5432,
        .weight = 100,
        .role = ROLE_PRIMARY,
        .live = node_live_ref(town.live)};
    struct message *message = message_new(MESSAGE_TOPOLOGY);
    message->topology = topology;
    mailbox_post(&worker->mailbox, &message->letter);
}

static void open_town(void)
{
    char text[1024];
    struct error error = {0};
    town = (struct town){0};
    log_set_level(LOG_ERROR);
    fake_node_open(&town.node);
    town.live = node_live_new("one");
    town.cluster_live = cluster_live_new();
    snprintf(town.path, sizeof town.path, "%s/.s.PGSQL.6432", town.node.folder);
    snprintf(text, sizeof text,
        "[rolecall]\nlog_level = error\n[cluster main]\n[node one]\nhost = %s\n"
        "[listener main]\naddress = unix:%s\nauth = trust\npool = transaction\nunix_socket_mode = 0600\n",
        town.node.folder, town.path);
    struct config *config = config_parse_text("test.ini", text, strlen(text), &error);
    if (!config)
        fail_msg("%s", error.text);
    town.runtime = runtime_new(config, NULL, &error);
    assert_non_null(town.runtime);
    assert_int_equal(uv_loop_init(&town.loop), 0);
    assert_true(mailbox_open(&town.mailbox, &town.loop, NULL, receive, message_drop));
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_true(worker_init(&town.workers[i], i, town.runtime, &town.clients, &error));
        town.peers[i] = &town.workers[i].mailbox;
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_true(worker_start(&town.workers[i], town.peers, WORKERS, NULL, &town.mailbox, &error));
        post_topology(&town.workers[i]);
    }
    town.listener = listener_open(&town.loop, config, 0, town.workers, WORKERS, &error);
    if (!town.listener)
        fail_msg("%s", error.text);
    listener_start(town.listener);
    config_unref(config);
}

static void turn(void)
{
    uv_run(&town.loop, UV_RUN_NOWAIT);
    fake_node_serve(&town.node);
    usleep(500);
}

static void stop_workers(void)
{
    for (int i = 0; i < WORKERS; i++)
        mailbox_post(&town.workers[i].mailbox, &message_new(MESSAGE_STOP)->letter);
}

static void close_town(void)
{
    for (int i = 0; i < WORKERS; i++)
        worker_join(&town.workers[i]);
    for (int i = 0; i < WORKERS; i++)
        worker_fini(&town.workers[i]);
    listener_close(town.listener);
    mailbox_close(&town.mailbox);
    uv_run(&town.loop, UV_RUN_DEFAULT);
    mailbox_fini(&town.mailbox);
    assert_int_equal(uv_loop_close(&town.loop), 0);
    assert_int_equal(town.clients, 0);
    assert_int_equal(access(town.path, F_OK), -1); /* the socket's file is gone */
    runtime_unref(town.runtime);
    fake_node_close(&town.node);
    assert_int_equal(town.live->connections, 0);
    node_live_unref(town.live);
    cluster_live_unref(town.cluster_live);
}

static int connect_client(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char out[256];
    snprintf(un.sun_path, sizeof un.sun_path, "%s", town.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    size_t len = talk_startup("user=ann database=shop", out, sizeof out);
    assert_int_equal(send(fd, out, len, 0), (ssize_t)len);
    return fd;
}

/* What is heard until `wanted` has come, or two seconds are over. */
static const char *hear(int fd, const char *wanted)
{
    static char bytes[8192], words[8192];
    size_t len = 0;
    words[0] = 0;
    for (int i = 0; i < 4000 && !strstr(words, wanted); i++) {
        turn();
        ssize_t got = recv(fd, bytes + len, sizeof bytes - len, MSG_DONTWAIT);
        if (got <= 0)
            continue;
        len += (size_t)got;
        size_t used = talk_hear_backend(bytes, len, words, sizeof words);
        memmove(bytes, bytes + used, len - used);
        len -= used;
    }
    return words;
}

static void ask(int fd, const char *words, const char *expected)
{
    char out[256];
    size_t len = talk_frontend(words, out, sizeof out);
    assert_int_equal(send(fd, out, len, MSG_NOSIGNAL), (ssize_t)len);
    assert_string_equal(hear(fd, "Z:"), expected);
}

static void clients_are_served_by_the_least_loaded_worker(void **state)
{
    (void)state;
    int fds[4];
    open_town();
    struct stat info;
    assert_int_equal(stat(town.path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    for (int i = 0; i < 4; i++) {
        fds[i] = connect_client();
        assert_non_null(strstr(hear(fds[i], "Z:I"), "R:0"));
        ask(fds[i], "Q:select~1", "C:OK Z:I");
    }
    assert_int_equal(town.clients, 4);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(worker_load(&town.workers[i]), 2);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    for (int i = 0; i < 4000 && town.clients > 0; i++)
        turn();
    assert_int_equal(town.clients, 0);
    stop_workers();
    close_town();
}

static void stopping_waits_for_an_open_transaction(void **state)
{
    (void)state;
    open_town();
    int idle = connect_client(), busy = connect_client();
    hear(idle, "Z:I");
    hear(busy, "Z:I");
    ask(busy, "Q:begin", "C:BEGIN Z:T");
    stop_workers();
    assert_string_equal(hear(idle, "F:57P01"), "F:57P01");
    ask(busy, "Q:select~1", "C:OK Z:T");
    assert_true(town.ended < WORKERS);
    char out[64];
    size_t len = talk_frontend("Q:commit", out, sizeof out);
    assert_int_equal(send(busy, out, len, 0), (ssize_t)len);
    assert_string_equal(hear(busy, "F:57P01"), "C:OK Z:I F:57P01");
    for (int i = 0; i < 4000 && town.ended < WORKERS; i++)
        turn();
    assert_int_equal(town.ended, WORKERS);
    close(idle);
    close(busy);
    close_town();
}

static void stopping_twice_ends_at_once(void **state)
{
    (void)state;
    open_town();
    int busy = connect_client();
    hear(busy, "Z:I");
    ask(busy, "Q:begin", "C:BEGIN Z:T");
    stop_workers();
    stop_workers();
    for (int i = 0; i < 4000 && town.ended < WORKERS; i++)
        turn();
    assert_int_equal(town.ended, WORKERS);
    assert_string_equal(hear(busy, "F:57P01"), "F:57P01");
    close(busy);
    close_town();
}

static void a_socket_that_somebody_listens_on_is_not_taken(void **state)
{
    (void)state;
    struct error error = {0};
    open_town();
    assert_null(listener_open(&town.loop, town.runtime->config, 0, town.workers, WORKERS, &error));
    assert_string_equal(error.sqlstate, "F0000");
    assert_non_null(strstr(error.text, "already"));
    stop_workers();
    close_town();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_served_by_the_least_loaded_worker),
        cmocka_unit_test(stopping_waits_for_an_open_transaction),
        cmocka_unit_test(stopping_twice_ends_at_once),
        cmocka_unit_test(a_socket_that_somebody_listens_on_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
