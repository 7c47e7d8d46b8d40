/* The control thread without any server: it starts, answers what it can, and stops whatever it is waiting
 * for. */
#include "tests/unit/health/unit.h"
#include "tests/unit/health/watcher.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

/* A folder for the configuration, and a port whose connections are accepted by the kernel and never answered.
 */
struct stage {
    struct postgres folder;
    struct watcher watcher;
    int silent;
};

static struct config *config(struct stage *stage, const char *nodes, const char *cluster)
{
    char path[128];
    struct error error;
    snprintf(path, sizeof path, "%s/rolecall.ini", stage->folder.folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out,
        "[rolecall]\n[cluster main]\nprobe_timeout = 100ms\nprobe_interval = 50ms\nobservation_ttl = 1s\n");
    fprintf(out, "server_login_timeout = 300ms\n%s\n%s\n", cluster, nodes);
    fprintf(out, "[listener main]\naddress = 127.0.0.1:1\ncluster = main\nauth = passthrough\npool = none\n");
    fclose(out);
    struct config *made = config_load(path, &error);
    if (!made)
        fail_msg("%s", error.text);
    return made;
}

static char *nodes_of(struct stage *stage, char *out, size_t size)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    getsockname(stage->silent, (struct sockaddr *)&address, &len);
    snprintf(out, size,
        "[node silent]\ncluster = main\nhost = 127.0.0.1\nport = %d\n"
        "[node refused]\ncluster = main\nhost = localhost\nport = 2\n"
        "[node nowhere]\ncluster = main\nhost = no-such-host.invalid\n"
        "[node socket]\ncluster = main\nhost = /nonexistent\n",
        ntohs(address.sin_port));
    return out;
}

static void begin(struct stage *stage)
{
    char nodes[1024];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    snprintf(stage->folder.folder, sizeof stage->folder.folder, "/tmp/rolecall-control-XXXXXX");
    assert_non_null(mkdtemp(stage->folder.folder));
    stage->silent = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(stage->silent, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(stage->silent, 64), 0);
    watcher_start(&stage->watcher, config(stage, nodes_of(stage, nodes, sizeof nodes), ""));
}

static void end(struct stage *stage)
{
    char command[128];
    watcher_stop(&stage->watcher);
    close(stage->silent);
    snprintf(command, sizeof command, "rm -rf '%s'", stage->folder.folder);
    assert_int_equal(system(command), 0);
}

static bool has_topology(struct watcher *watcher, int number)
{
    return watcher->topologies >= (unsigned)number;
}

static void the_first_topology_comes_before_any_answer(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    watcher_until(&stage.watcher, 500, "first", has_topology, 1);
    const struct topology *topology = stage.watcher.topology;
    assert_int_equal(topology->n_nodes, 4);
    assert_int_equal(topology->primary, -1);
    assert_non_null(topology->no_primary_reason);
    assert_string_equal(topology->nodes[0].name, "silent");
    for (int i = 0; i < 4; i++)
        assert_int_equal(topology->nodes[i].role, ROLE_UNKNOWN);
    end(&stage);
}

static void every_way_of_not_being_there_ends_down_with_its_reason(void **state)
{
    (void)state;
    struct stage stage;
    static const char *const reasons[] = {
        "no answer in time", "refused", "has no address", "nobody is there"};
    begin(&stage);
    for (int i = 0; i < 4; i++) {
        watcher_until(&stage.watcher, 5000, "down", node_is_down, i);
        const char *reason = stage.watcher.topology->nodes[i].reason;
        if (!strstr(reason, reasons[i]))
            fail_msg("%s: %s", stage.watcher.topology->nodes[i].name, reason);
    }
    unsigned before = stage.watcher.topologies;
    watcher_run(&stage.watcher, 1000);
    /* The same trouble again is no news: dozens of probes, a few changes of their words at most. */
    assert_true(stage.watcher.topologies <= before + 8);
    end(&stage);
}

static void it_stops_at_any_moment_with_requests_under_way(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < 40; ms += 1 + ms / 4) {
        struct stage stage;
        begin(&stage);
        watcher_ask_secret(&stage.watcher, "alice", 1, false);
        watcher_ask_catalogue(&stage.watcher, "shop", false);
        watcher_run(&stage.watcher, ms);
        watcher_ask_secret(&stage.watcher, "bob", 2, true);
        end(&stage);
    }
}

static void whoever_asks_is_answered_though_nobody_can_be_asked(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    watcher_ask_secret(&stage.watcher, "alice", 5, false);
    uint64_t took_ms = watcher_until(&stage.watcher, 2000, "reply", replies_at_least, 1);
    assert_true(took_ms >= 250);
    assert_int_equal(stage.watcher.ticket, 5);
    assert_false(stage.watcher.answered);
    end(&stage);
}

static void more_requests_than_it_keeps_are_answered_at_once(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    for (uint64_t i = 0; i < 5000; i++) {
        char user[32];
        snprintf(user, sizeof user, "user%u", (unsigned)i);
        watcher_ask_secret(&stage.watcher, user, i, false);
    }
    watcher_until(&stage.watcher, 3000, "all", replies_at_least, 5000);
    watcher_run(&stage.watcher, 100);
    assert_int_equal(stage.watcher.replies, 5000);
    end(&stage);
}

static void a_request_for_a_cluster_that_is_not_there_is_answered(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    struct message *message = message_new(MESSAGE_SECRET_REQUEST);
    snprintf(message->secret_request.cluster, MESSAGE_NAME_MAX, "elsewhere");
    snprintf(message->secret_request.user, MESSAGE_NAME_MAX, "alice");
    message->secret_request.ticket = 9;
    mailbox_post(control_mailbox(stage.watcher.control), &message->letter);
    message = message_new(MESSAGE_SECRET_REQUEST);
    message->secret_request.worker = 77; /* nobody: the reply goes nowhere, and nothing breaks */
    mailbox_post(control_mailbox(stage.watcher.control), &message->letter);
    watcher_until(&stage.watcher, 1000, "reply", replies_at_least, 1);
    assert_int_equal(stage.watcher.ticket, 9);
    assert_false(stage.watcher.answered);
    end(&stage);
}

static void a_reload_may_come_at_any_moment_and_change_everything(void **state)
{
    (void)state;
    struct stage stage;
    char nodes[1024];
    begin(&stage);
    for (int i = 0; i < 20; i++) {
        char few[256];
        snprintf(
            few, sizeof few, "[node n%d]\ncluster = main\nhost = 127.0.0.1\nport = %d\n", i % 3, 1 + i % 2);
        watcher_run(&stage.watcher, (uint64_t)i);
        watcher_ask_secret(&stage.watcher, "alice", (uint64_t)i, i % 2);
        watcher_reload(&stage.watcher,
            config(&stage, i % 3 ? nodes_of(&stage, nodes, sizeof nodes) : few,
                i % 2 ? "probe_password = other\nauth_query =\n" : "read_functions = f, g\n"));
    }
    watcher_run(&stage.watcher, 500);
    assert_int_equal(stage.watcher.topology->n_nodes, 4);
    assert_int_equal(stage.watcher.replies, 20);
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_topology_comes_before_any_answer),
        cmocka_unit_test(every_way_of_not_being_there_ends_down_with_its_reason),
        cmocka_unit_test(it_stops_at_any_moment_with_requests_under_way),
        cmocka_unit_test(whoever_asks_is_answered_though_nobody_can_be_asked),
        cmocka_unit_test(more_requests_than_it_keeps_are_answered_at_once),
        cmocka_unit_test(a_request_for_a_cluster_that_is_not_there_is_answered),
        cmocka_unit_test(a_reload_may_come_at_any_moment_and_change_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
