/* When the rejoin hook is run, and when again: with real children, and time as the test says. */
#include "health/hook/rejoin.h"

#include "conf/base/log.h"
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#define SECOND_US UINT64_C(1000000)

struct world {
    uv_loop_t loop;
    struct config config;
    struct config_cluster cluster;
    struct settings settings;
    struct roster roster;
    struct hook_queue *queue;
    struct rejoin rejoin;
    struct verdict verdict;
    uint64_t now_us;
};

static char cluster_name[] = "main", path[] = "/etc/rolecall.conf", first[] = "n1", second[] = "n2",
            host[] = "h", good[] = "/bin/true", bad[] = "/bin/false", *well[] = {good, NULL},
            *badly[] = {bad, NULL};

static int set_up(void **context)
{
    struct world *world = calloc(1, sizeof *world);
    uv_loop_init(&world->loop);
    world->config.path = path;
    world->cluster = (struct config_cluster){.name = cluster_name, .hook_timeout_ms = 10000};
    world->roster.nodes[0] = (struct config_node){.name = first, .host = host, .port = 1};
    world->roster.nodes[1] = (struct config_node){.name = second, .host = host, .port = 2};
    world->settings.config = &world->config;
    world->settings.cluster = &world->cluster;
    world->roster.n = 2;
    world->queue = hook_queue_open(&world->loop, &world->settings, NULL);
    world->now_us = SECOND_US;
    rejoin_init(&world->rejoin);
    verdict_init(&world->verdict, &(struct judge_memory){7, 1}, 2);
    world->verdict.primary = 0;
    log_set_fd(open("/dev/null", O_WRONLY));
    *context = world;
    return 0;
}

static int tear_down(void **context)
{
    struct world *world = *context;
    hook_queue_close(world->queue);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    log_set_fd(STDERR_FILENO);
    free(world);
    return 0;
}

/* A verdict about the second node after so many seconds; what it starts has ended then. True: something was
   started. */
static bool judged(struct world *world, uint64_t seconds, bool strayed, enum node_role role)
{
    world->now_us += seconds * SECOND_US;
    world->verdict.nodes[1].strayed = strayed;
    world->verdict.nodes[1].role = role;
    world->verdict.nodes[1].condition = role == ROLE_REPLICA ? CONDITION_UP : CONDITION_SUSPECT;
    rejoin_judged(
        &world->rejoin, world->queue, &world->settings, &world->roster, &world->verdict, world->now_us);
    bool ran = world->rejoin.running >= 0;
    uv_run(&world->loop, UV_RUN_DEFAULT);
    if (ran)
        rejoin_judged(
            &world->rejoin, world->queue, &world->settings, &world->roster, &world->verdict, world->now_us);
    return ran;
}

static void one_that_fails_is_run_again_after_pauses_that_grow(void **context)
{
    struct world *world = *context;
    static const uint64_t pauses[] = {10, 20, 40, 80, 160, 300, 300};
    world->cluster.hooks[HOOK_REJOIN] = badly;
    assert_true(judged(world, 0, true, ROLE_UNKNOWN));
    for (size_t i = 0; i < COUNT(pauses); i++) {
        assert_false(judged(world, pauses[i] - 1, true, ROLE_UNKNOWN));
        assert_true(judged(world, 1, true, ROLE_UNKNOWN));
    }
    assert_false(judged(world, 1000, false, ROLE_REPLICA)); /* it is back, and begins anew */
    assert_true(judged(world, 1, true, ROLE_UNKNOWN));
    assert_false(judged(world, 9, true, ROLE_UNKNOWN));
    assert_true(judged(world, 1, true, ROLE_UNKNOWN));
}

static void one_that_ended_well_is_trusted_until_the_node_is_astray_again(void **context)
{
    struct world *world = *context;
    world->cluster.hooks[HOOK_REJOIN] = well;
    assert_true(judged(world, 0, true, ROLE_UNKNOWN));
    assert_false(judged(world, 1000, true, ROLE_UNKNOWN));
    assert_false(judged(world, 1, false, ROLE_UNKNOWN)); /* stopped, and started as it was */
    assert_true(judged(world, 1, true, ROLE_UNKNOWN));
    assert_false(judged(world, 1, false, ROLE_UNKNOWN));
    assert_false(judged(world, 1, true, ROLE_UNKNOWN)); /* not in a circle without a pause */
    assert_true(judged(world, 20, true, ROLE_UNKNOWN));
}

static void nothing_is_run_without_a_primary_or_a_hook(void **context)
{
    struct world *world = *context;
    assert_false(judged(world, 0, true, ROLE_UNKNOWN));
    world->cluster.hooks[HOOK_REJOIN] = well;
    world->verdict.primary = -1;
    assert_false(judged(world, 1, true, ROLE_UNKNOWN));
    world->verdict.primary = 0;
    assert_true(judged(world, 1, true, ROLE_UNKNOWN));
}

static void what_runs_for_another_roster_counts_for_none_of_this_one(void **context)
{
    struct world *world = *context;
    world->cluster.hooks[HOOK_REJOIN] = badly;
    world->verdict.nodes[1].strayed = true;
    rejoin_judged(
        &world->rejoin, world->queue, &world->settings, &world->roster, &world->verdict, world->now_us);
    assert_int_equal(world->rejoin.running, 1);
    rejoin_forget(&world->rejoin);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(world->rejoin.stale, 0);
    assert_false(world->rejoin.ended);
    assert_true(judged(world, 0, true, ROLE_UNKNOWN));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_that_fails_is_run_again_after_pauses_that_grow),
        TEST(one_that_ended_well_is_trusted_until_the_node_is_astray_again),
        TEST(nothing_is_run_without_a_primary_or_a_hook),
        TEST(what_runs_for_another_roster_counts_for_none_of_this_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
