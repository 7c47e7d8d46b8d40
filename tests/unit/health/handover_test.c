/*
 * From one primary to the next, as the judge sees the nodes: what the handover decides, holds, says and is
 * left with. The nodes are sockets that nobody serves: what rolecall wants of them takes until probe_timeout.
 */
#include "health/failover/handover.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "unit.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define NODES 3
#define AFTER_MS 20 /* failover_after */
#define PATIENCE_MS 5000

struct world {
    uv_loop_t loop;
    struct config config;
    struct config_cluster cluster;
    struct settings settings;
    struct roster roster;
    struct subscribers subscribers;
    struct news news;
    struct hook_queue *queue;
    struct mailbox mailbox, *mailboxes[1]; /* of events and replies */
    int sockets[NODES];
    struct endpoint endpoints[NODES];
    struct evidence evidence[NODES];
    uint64_t seen_us[NODES];
    struct verdict verdict;
    struct handover *handover;
    struct handover_census census;
    unsigned looks, replies;
    bool done; /* of the newest reply */
    struct error said;
    char log_path[64];
    int log_fd;
};

static char cluster_name[] = "main", path[] = "/etc/rolecall.conf", loopback[] = "127.0.0.1",
            user[] = "probe", names[NODES][3] = {"n0", "n1", "n2"}, yes[] = "/bin/true", no[] = "/bin/false",
            rest[] = "/bin/sleep", seconds[] = "0.1", *well[] = {yes, NULL}, *badly[] = {no, NULL},
            *slowly[] = {rest, seconds, NULL};

/* --- what the cluster does for it --- */

static void judged(struct world *world)
{
    const struct judge_rules rules = {
        .observation_ttl_ms = 60000, .down_after = 1, .replaced = handover_replaced(world->handover)};
    const char *reason;
    for (size_t i = 0; i < NODES; i++)
        world->evidence[i].age_ms = (clock_now_us() - world->seen_us[i]) / 1000;
    judge(&rules, world->evidence, &world->verdict);
    handover_judged(world->handover, &world->verdict, world->evidence);
    if (!handover_holds(world->handover, &reason) || world->verdict.primary < 0)
        return;
    world->verdict.holding = world->verdict.primary;
    world->verdict.primary = -1;
}

static void on_changed(void *context)
{
    judged(context);
}

static void on_look(void *context)
{
    struct world *world = context;
    world->looks++;
}

static struct endpoint *endpoint_of(void *context, size_t node)
{
    struct world *world = context;
    return &world->endpoints[node];
}

static void take_census(void *context, size_t node, struct handover_census *census)
{
    const struct world *world = context;
    (void)node;
    *census = world->census;
}

static void on_letter(void *owner, struct letter *letter)
{
    struct world *world = owner;
    struct message *message = (struct message *)letter;
    if (message->kind == MESSAGE_NODE_ORDER_REPLY) {
        world->replies++;
        world->done = message->node_order_reply.done;
        world->said = message->node_order_reply.error;
    }
    message_free(message);
}

/* --- what is seen of a node --- */

static void sees(struct world *world, int node, bool in_recovery, uint32_t timeline, uint64_t lsn)
{
    struct evidence *evidence = &world->evidence[node];
    evidence->finding = FINDING_ANSWER;
    evidence->answered = true;
    evidence->error = "";
    evidence->silent = 0;
    evidence->seen = (struct observation){.system_identifier = 7,
        .in_recovery = in_recovery,
        .receiver = in_recovery,
        .hears = in_recovery,
        .timeline = timeline,
        .lsn = lsn,
        .flush_lsn = in_recovery ? lsn : 0,
        .sync_names_known = true};
    world->seen_us[node] = clock_now_us();
}

static void is_primary(struct world *world, int node, uint32_t timeline)
{
    sees(world, node, false, timeline, 1000);
}

static void follows(struct world *world, int node, uint32_t timeline, uint64_t lsn)
{
    sees(world, node, true, timeline, lsn);
}

/* A replica that hears from nobody. */
static void is_alone(struct world *world, int node, uint32_t timeline, uint64_t lsn)
{
    sees(world, node, true, timeline, lsn);
    world->evidence[node].seen.hears = world->evidence[node].seen.receiver = false;
}

static void is_gone(struct world *world, int node)
{
    world->evidence[node].finding = FINDING_GONE;
    world->evidence[node].error = "Connection refused";
}

/* --- the rig --- */

static int set_up(void **context)
{
    static const struct judge_memory memory = {7, 1};
    struct world *world = calloc(1, sizeof *world);
    uv_loop_init(&world->loop);
    world->config.path = path;
    world->cluster = (struct config_cluster){.name = cluster_name,
        .probe_user = user,
        .probe_database = user,
        .probe_timeout_ms = 200,
        .failover = FAILOVER_BUILTIN,
        .failover_after_ms = AFTER_MS,
        .promote_timeout_ms = 2000,
        .drain_timeout_ms = 200,
        .hold_timeout_ms = 10000,
        .observation_ttl_ms = 60000,
        .hook_timeout_ms = 2000,
        .data_loss = DATA_LOSS_ALLOW};
    world->settings = (struct settings){&world->config, &world->cluster};
    for (int i = 0; i < NODES; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof address;
        world->sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(world->sockets[i], (struct sockaddr *)&address, len), 0);
        assert_int_equal(listen(world->sockets[i], 16), 0);
        assert_int_equal(getsockname(world->sockets[i], (struct sockaddr *)&address, &len), 0);
        uint16_t port = ntohs(address.sin_port);
        endpoint_init(&world->endpoints[i], loopback, port);
        world->roster.nodes[i] = (struct config_node){.name = names[i], .host = loopback, .port = port};
        world->evidence[i].name = names[i];
    }
    world->roster.n = NODES;
    strcpy(world->log_path, "/tmp/rolecall-handover-test.XXXXXX");
    world->log_fd = mkstemp(world->log_path);
    log_set_fd(world->log_fd);
    world->mailboxes[0] = &world->mailbox;
    world->subscribers = (struct subscribers){world->mailboxes, 1};
    news_init(&world->news, cluster_name, &world->subscribers);
    world->queue = hook_queue_open(&world->loop, &world->settings, NULL);
    mailbox_open(&world->mailbox, &world->loop, world, on_letter, message_drop);
    verdict_init(&world->verdict, &memory, NODES);
    const struct handover_owner owner = {.context = world,
        .changed = on_changed,
        .look = on_look,
        .endpoint = endpoint_of,
        .census = take_census};
    world->handover =
        handover_open(&world->loop, &world->settings, &world->roster, world->queue, &world->news, &owner);
    world->census.held = true;
    is_primary(world, 0, 1);
    follows(world, 1, 1, 1000);
    follows(world, 2, 1, 1000);
    judged(world);
    *context = world;
    return 0;
}

static int tear_down(void **context)
{
    struct world *world = *context;
    handover_close(world->handover);
    hook_queue_close(world->queue);
    mailbox_close(&world->mailbox);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    mailbox_fini(&world->mailbox);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    log_set_fd(STDERR_FILENO);
    close(world->log_fd);
    unlink(world->log_path);
    for (int i = 0; i < NODES; i++) {
        endpoint_fini(&world->endpoints[i]);
        close(world->sockets[i]);
    }
    free(world);
    return 0;
}

static const char *log_text(const struct world *world)
{
    static char text[1 << 18];
    ssize_t n = pread(world->log_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static bool logged(const struct world *world, const char *words)
{
    return strstr(log_text(world), words) != NULL;
}

/* Whoever answers is looked at all the time. */
static void run(struct world *world, uint64_t ms)
{
    for (uint64_t end_us = clock_now_us() + 1000 * ms; clock_now_us() < end_us; usleep(2000)) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
        for (int i = 0; i < NODES; i++)
            if (world->evidence[i].finding == FINDING_ANSWER)
                world->seen_us[i] = clock_now_us();
        judged(world);
    }
}

static void until_logged(struct world *world, const char *words)
{
    uint64_t end_us = clock_now_us() + 1000 * PATIENCE_MS;
    while (!logged(world, words)) {
        if (clock_now_us() > end_us)
            fail_msg("not logged: %s\n%s", words, log_text(world));
        run(world, 2);
    }
}

static void until_answered(struct world *world, bool done, const char *words)
{
    uint64_t end_us = clock_now_us() + 1000 * PATIENCE_MS;
    while (world->replies == 0 && clock_now_us() < end_us)
        run(world, 2);
    assert_int_equal(world->replies, 1);
    if (world->done != done || !strstr(world->said.text, words))
        fail_msg("answered: %s", world->said.text);
    world->replies = 0;
}

static void order(struct world *world, const char *node)
{
    struct message *message = message_new(MESSAGE_NODE_ORDER);
    message->node_order.order = ORDER_SWITCHOVER;
    message->node_order.reply_to = &world->mailbox;
    snprintf(message->node_order.node, NODE_NAME_MAX, "%s", node);
    handover_order(world->handover, message);
    run(world, 10);
}

static bool holds(const struct world *world)
{
    const char *reason;
    return handover_holds(world->handover, &reason);
}

/* The first node dies, and the others have no more than that. */
static void first_dies(struct world *world)
{
    is_gone(world, 0);
    is_alone(world, 1, 1, 1000);
    is_alone(world, 2, 1, 1000);
    run(world, AFTER_MS + 10);
}

/* --- failover --- */

static void the_most_advanced_replica_is_promoted_after_failover_after(void **context)
{
    struct world *world = *context;
    is_gone(world, 0);
    is_alone(world, 1, 1, 1000);
    is_alone(world, 2, 1, 1001);
    uint64_t lost_us = clock_now_us();
    judged(world);
    assert_false(logged(world, "event=failover_begins"));
    until_logged(world, "event=failover_begins cluster=main node=n0");
    assert_true(clock_now_us() - lost_us >= 1000 * AFTER_MS);
    until_logged(world, "event=promoting cluster=main node=n2 old=n0");
    assert_int_equal(handover_replaced(world->handover), 1);
    assert_true(holds(world));
}

static void a_primary_that_is_back_in_time_stays(void **context)
{
    struct world *world = *context;
    is_gone(world, 0);
    judged(world);
    is_primary(world, 0, 1);
    run(world, AFTER_MS + 20);
    assert_true(logged(world, "event=failover_ends"));
    assert_false(logged(world, "event=failover_begins"));
    assert_int_equal(world->verdict.primary, 0);
}

static void a_primary_that_a_replica_hears_from_is_not_gone(void **context)
{
    struct world *world = *context;
    is_gone(world, 0);
    is_alone(world, 1, 1, 1000);
    run(world, AFTER_MS + 20);
    assert_true(logged(world, "n2 hears from its primary"));
    assert_false(logged(world, "event=failover_begins"));
}

/* It was the primary for as long as it took to re-point the others, and no look was idle in between. */
static void a_new_primary_that_dies_while_replicas_are_repointed_is_replaced_too(void **context)
{
    struct world *world = *context;
    first_dies(world);
    until_logged(world, "event=promoting cluster=main node=n1 old=n0");
    is_primary(world, 1, 2);
    follows(world, 2, 2, 1000);
    judged(world);
    assert_true(logged(world, "event=promoted cluster=main node=n1"));
    is_gone(world, 1);
    is_alone(world, 2, 2, 1000);
    until_logged(world, "event=failover_begins cluster=main node=n1");
    until_logged(world, "event=promoting cluster=main node=n2 old=n1");
}

static void one_that_cannot_be_promoted_is_passed_over(void **context)
{
    struct world *world = *context;
    first_dies(world);
    until_logged(world, "event=promoting cluster=main node=n1");
    until_logged(world, "event=promotion_failed cluster=main node=n1"); /* it does not answer */
    until_logged(world, "event=promoting cluster=main node=n2");
}

static void a_fence_that_fails_stops_it_until_a_reload(void **context)
{
    struct world *world = *context;
    world->cluster.hooks[HOOK_BEFORE_PROMOTE] = badly;
    first_dies(world);
    until_logged(world, "event=failover_stopped");
    run(world, AFTER_MS + 20);
    assert_false(logged(world, "event=promoting"));
    world->cluster.hooks[HOOK_BEFORE_PROMOTE] = well;
    handover_reload(world->handover, false);
    until_logged(world, "event=promoting");
}

static void what_is_not_on_the_primarys_timeline_is_not_promoted(void **context)
{
    struct world *world = *context;
    is_primary(world, 0, 2);
    follows(world, 1, 2, 1000);
    follows(world, 2, 1, 5000);
    judged(world);
    is_gone(world, 0);
    is_alone(world, 1, 2, 1000);
    is_alone(world, 2, 1, 5000);
    run(world, AFTER_MS + 10);
    until_logged(world, "event=promoting cluster=main node=n1");
}

/* --- switchover --- */

static void begin_switchover(struct world *world)
{
    world->cluster.hooks[HOOK_DEMOTE] = well;
    world->census.open = 1;
    order(world, "n2");
    assert_true(world->looks > 0);
    until_logged(world, "event=switchover_begins cluster=main node=n0 to=n2"); /* without a checkpoint */
    assert_true(holds(world));
    assert_int_equal(world->verdict.holding, 0);
}

static void a_switchover_goes_from_one_to_the_other(void **context)
{
    struct world *world = *context;
    begin_switchover(world);
    assert_false(logged(world, "event=hook_started"));
    world->cluster.hooks[HOOK_DEMOTE] = slowly;
    world->census.open = 0;
    until_logged(world, "event=hook_started cluster=main hook=demote");
    is_gone(world, 0);
    until_logged(world, "event=hook_done cluster=main hook=demote");
    is_alone(world, 0, 1, 1100); /* with its shutdown checkpoint, which the target has not */
    run(world, 20);
    assert_false(logged(world, "event=promoting"));
    follows(world, 2, 1, 1100);
    until_logged(world, "event=promoting cluster=main node=n2 old=n0 reason=switchover");
    is_primary(world, 2, 2);
    until_answered(world, true, "n2 is the primary on timeline 2 instead of n0");
    assert_false(holds(world));
    assert_int_equal(world->verdict.primary, 2);
}

static void with_transactions_open_past_drain_timeout_it_is_called_off(void **context)
{
    struct world *world = *context;
    begin_switchover(world);
    until_answered(world, false, "1 transactions were still open after drain_timeout");
    judged(world);
    assert_false(holds(world));
    assert_int_equal(world->verdict.primary, 0);
    assert_false(logged(world, "event=hook_started"));
}

static void with_the_primary_lost_it_is_called_off_and_a_failover_takes_its_place(void **context)
{
    struct world *world = *context;
    begin_switchover(world);
    is_gone(world, 0);
    is_alone(world, 1, 1, 1000);
    is_alone(world, 2, 1, 1000);
    until_answered(world, false, "the primary was lost meanwhile");
    until_logged(world, "event=failover_begins cluster=main node=n0");
}

static void a_demote_hook_that_fails_is_asked_to_undo(void **context)
{
    struct world *world = *context;
    begin_switchover(world);
    world->cluster.hooks[HOOK_DEMOTE] = badly;
    world->census.open = 0;
    until_answered(world, false, "the demote hook failed");
    assert_false(logged(world, "event=promoting"));
    judged(world);
    assert_int_equal(world->verdict.primary, 0);
}

static void a_switchover_with_other_members_is_called_off(void **context)
{
    struct world *world = *context;
    begin_switchover(world);
    handover_reload(world->handover, true);
    until_answered(world, false, "the configuration was changed");
    assert_false(holds(world));
}

static void what_cannot_be_done_is_refused_with_the_reason(void **context)
{
    struct world *world = *context;
    order(world, "n2");
    until_answered(world, false, "needs the demote hook");
    world->cluster.hooks[HOOK_DEMOTE] = well;
    order(world, "n0");
    until_answered(world, false, "n0 is the one to be replaced");
    order(world, "n9");
    until_answered(world, false, "there is no node n9");
    is_alone(world, 1, 1, 1000);
    order(world, "n1");
    until_answered(world, false, "n1 does not follow the primary");
    assert_int_equal(world->verdict.primary, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_most_advanced_replica_is_promoted_after_failover_after),
        TEST(a_primary_that_is_back_in_time_stays),
        TEST(a_primary_that_a_replica_hears_from_is_not_gone),
        TEST(a_new_primary_that_dies_while_replicas_are_repointed_is_replaced_too),
        TEST(one_that_cannot_be_promoted_is_passed_over),
        TEST(a_fence_that_fails_stops_it_until_a_reload),
        TEST(what_is_not_on_the_primarys_timeline_is_not_promoted),
        TEST(a_switchover_goes_from_one_to_the_other),
        TEST(with_transactions_open_past_drain_timeout_it_is_called_off),
        TEST(with_the_primary_lost_it_is_called_off_and_a_failover_takes_its_place),
        TEST(a_demote_hook_that_fails_is_asked_to_undo),
        TEST(a_switchover_with_other_members_is_called_off),
        TEST(what_cannot_be_done_is_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
