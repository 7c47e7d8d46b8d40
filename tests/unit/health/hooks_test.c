/* Hooks with real child processes: words, facts, output, order, deadline, end. */
#include "unit.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "health/hook/queue.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define ENDS_MAX 128

struct world {
    uv_loop_t loop;
    struct config_cluster cluster;
    struct settings settings;
    struct hook_queue *queue;
    char log_path[64];
    int log_fd;
    size_t n_ends;
    struct command_end ends[ENDS_MAX];
    size_t who[ENDS_MAX];
};

static char cluster_name[] = "main";

static int set_up(void **context)
{
    struct world *world = calloc(1, sizeof *world);
    uv_loop_init(&world->loop);
    world->cluster = (struct config_cluster){.name = cluster_name, .hook_timeout_ms = 10000};
    world->settings.cluster = &world->cluster;
    world->queue = hook_queue_open(&world->loop, &world->settings, NULL);
    strcpy(world->log_path, "/tmp/rolecall-hooks-test.XXXXXX");
    world->log_fd = mkstemp(world->log_path);
    log_set_fd(world->log_fd);
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
    close(world->log_fd);
    unlink(world->log_path);
    free(world);
    return 0;
}

static char *log_text(struct world *world)
{
    static char text[1 << 20];
    ssize_t n = pread(world->log_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static struct world *the_world;

static void on_done(void *context, const struct command_end *end)
{
    struct world *world = the_world;
    assert_true(world->n_ends < ENDS_MAX);
    world->who[world->n_ends] = (size_t)(uintptr_t)context;
    world->ends[world->n_ends++] = *end;
}

/* The hook is `sh -c script`. */
static char **shell(char *script)
{
    static char *argv[] = {NULL, NULL, NULL, NULL};
    static char sh[] = "/bin/sh", c[] = "-c";
    argv[0] = sh;
    argv[1] = c;
    argv[2] = script;
    return argv;
}

static bool run_hook(struct world *world, enum hook hook, size_t who)
{
    struct facts facts = {0};
    facts_add(&facts, "WHO", "%zu", who);
    the_world = world;
    return hook_queue_run(world->queue, hook, &facts, (void *)(uintptr_t)who, on_done);
}

static void wait_for(struct world *world, size_t n)
{
    while (world->n_ends < n && uv_run(&world->loop, UV_RUN_ONCE))
        ;
    assert_int_equal(world->n_ends, n);
}

static void words_reach_the_command_as_they_are_and_facts_as_variables(void **context)
{
    struct world *world = *context;
    char program[] = "/usr/bin/printenv", argument[] = "ROLECALL_NODE", *argv[] = {program, argument, NULL};
    char echo[] = "/bin/echo", word[] = "a  $(id) ; `x` *", *words[] = {echo, word, NULL};
    struct facts facts = {0};
    world->cluster.hooks[HOOK_ON_NODE_UP] = argv;
    world->cluster.hooks[HOOK_ON_NODE_DOWN] = words;
    facts_add(&facts, "NODE", "%s", "db 1; rm -rf");
    the_world = world;
    assert_true(hook_queue_run(world->queue, HOOK_ON_NODE_UP, &facts, NULL, on_done));
    assert_int_equal(facts.n, 0);
    assert_true(run_hook(world, HOOK_ON_NODE_DOWN, 1));
    wait_for(world, 2);
    assert_true(world->ends[0].ok && world->ends[1].ok);
    assert_non_null(strstr(log_text(world), "text=\"db 1; rm -rf\""));
    assert_non_null(strstr(log_text(world), "text=\"a  $(id) ; `x` *\""));
}

static void variables_of_our_own_that_are_no_facts_do_not_reach_it(void **context)
{
    struct world *world = *context;
    char script[] = "echo \"left=$ROLECALL_STALE. path=$PATH\"";
    setenv("ROLECALL_STALE", "old", 1);
    world->cluster.hooks[HOOK_ON_NODE_UP] = shell(script);
    run_hook(world, HOOK_ON_NODE_UP, 1);
    wait_for(world, 1);
    unsetenv("ROLECALL_STALE");
    assert_non_null(strstr(log_text(world), "left=. path=/"));
}

static void a_hook_that_is_not_configured_is_not_run(void **context)
{
    struct world *world = *context;
    assert_false(hook_queue_has(world->queue, HOOK_DEMOTE));
    assert_false(run_hook(world, HOOK_DEMOTE, 1));
}

static void how_it_ended_is_told(void **context)
{
    struct world *world = *context;
    char fails[] = "echo why >&2; exit 3", dies[] = "kill -9 $$", missing[] = "/nowhere/at/all";
    char *argv[] = {missing, NULL};
    world->cluster.hooks[HOOK_BEFORE_PROMOTE] = shell(fails);
    run_hook(world, HOOK_BEFORE_PROMOTE, 1);
    wait_for(world, 1);
    assert_false(world->ends[0].ok);
    assert_string_equal(world->ends[0].how, "status 3");
    assert_non_null(strstr(log_text(world), "event=hook_output cluster=main hook=before_promote text=why"));
    world->cluster.hooks[HOOK_BEFORE_PROMOTE] = shell(dies);
    run_hook(world, HOOK_BEFORE_PROMOTE, 2);
    wait_for(world, 2);
    assert_string_equal(world->ends[1].how, "signal 9");
    world->cluster.hooks[HOOK_BEFORE_PROMOTE] = argv;
    run_hook(world, HOOK_BEFORE_PROMOTE, 3);
    assert_int_equal(world->n_ends, 2); /* never from within */
    wait_for(world, 3);
    assert_false(world->ends[2].ok);
    assert_non_null(strstr(world->ends[2].how, "no such file"));
}

static void hooks_run_one_at_a_time_in_the_order_asked_for(void **context)
{
    struct world *world = *context;
    char slow[] = "sleep 0.1; echo ran=$ROLECALL_WHO";
    world->cluster.hooks[HOOK_ON_ROLE_CHANGE] = shell(slow);
    for (size_t i = 1; i <= 4; i++)
        run_hook(world, HOOK_ON_ROLE_CHANGE, i);
    uint64_t began_us = clock_now_us();
    wait_for(world, 4);
    assert_true(clock_now_us() - began_us >= 400000);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(world->who[i], i + 1);
    const char *at = log_text(world);
    for (int i = 1; i <= 4; i++) {
        char wanted[16];
        snprintf(wanted, sizeof wanted, "ran=%d", i);
        at = strstr(at, wanted);
        assert_non_null(at);
    }
}

static pid_t pid_in_log(struct world *world, const char *before)
{
    const char *at = strstr(log_text(world), before);
    assert_non_null(at);
    return (pid_t)atoi(at + strlen(before));
}

/* Killed, it may be a zombie of nobody's for a moment. */
static void wait_gone(pid_t pid)
{
    for (int i = 0; i < 500; i++) {
        char path[64], state = 'X';
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        FILE *file = fopen(path, "r");
        if (!file)
            return;
        if (fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && (state == 'Z' || state == 'X')) {
            fclose(file);
            return;
        }
        fclose(file);
        usleep(10000);
    }
    fail_msg("process %d lives", (int)pid);
}

static void past_its_deadline_it_is_killed_with_what_it_started(void **context)
{
    struct world *world = *context;
    char script[] = "trap '' TERM; sleep 60 & echo child=$!; wait; sleep 60";
    world->cluster.hook_timeout_ms = 200;
    world->cluster.hooks[HOOK_BEFORE_PROMOTE] = shell(script);
    run_hook(world, HOOK_BEFORE_PROMOTE, 1);
    wait_for(world, 1);
    assert_false(world->ends[0].ok);
    assert_string_equal(world->ends[0].how, "killed after hook_timeout");
    wait_gone(pid_in_log(world, "child="));
}

static void one_that_ends_at_sigterm_has_failed_all_the_same(void **context)
{
    struct world *world = *context;
    char script[] = "trap 'exit 0' TERM; sleep 60 & wait";
    world->cluster.hook_timeout_ms = 200;
    world->cluster.hooks[HOOK_BEFORE_PROMOTE] = shell(script);
    run_hook(world, HOOK_BEFORE_PROMOTE, 1);
    wait_for(world, 1);
    assert_false(world->ends[0].ok);
}

static void output_is_bounded(void **context)
{
    struct world *world = *context;
    char script[] = "i=0; while [ $i -lt 1000 ]; do echo line; i=$((i+1)); done; printf unfinished";
    world->cluster.hooks[HOOK_ON_NODE_UP] = shell(script);
    run_hook(world, HOOK_ON_NODE_UP, 1);
    wait_for(world, 1);
    size_t lines = 0;
    for (const char *at = log_text(world); (at = strstr(at, "event=hook_output ")); at++)
        lines++;
    assert_int_equal(lines, COMMAND_LINES_MAX);
    assert_non_null(
        strstr(log_text(world), "event=hook_output_dropped cluster=main hook=on_node_up lines=801"));
}

static void a_daemon_that_it_leaves_behind_is_not_waited_for(void **context)
{
    struct world *world = *context;
    char script[] = "sleep 30 & echo daemon=$!; exit 0";
    world->cluster.hooks[HOOK_ON_NODE_UP] = shell(script);
    uint64_t began_us = clock_now_us();
    run_hook(world, HOOK_ON_NODE_UP, 1);
    wait_for(world, 1);
    assert_true(world->ends[0].ok);
    assert_true(clock_now_us() - began_us < 20000000);
    pid_t daemon_pid = pid_in_log(world, "daemon=");
    assert_int_equal(kill(daemon_pid, 0), 0); /* and it lives */
    kill(daemon_pid, SIGKILL);
}

static void those_that_nobody_waits_for_are_bounded(void **context)
{
    struct world *world = *context;
    char script[] = "sleep 60";
    size_t taken = 0;
    world->cluster.hooks[HOOK_ON_NODE_UP] = shell(script);
    for (int i = 0; i < HOOK_QUEUE_MAX + 10; i++) {
        struct facts facts = {0};
        taken += hook_queue_run(world->queue, HOOK_ON_NODE_UP, &facts, NULL, NULL);
    }
    assert_int_equal(taken, HOOK_QUEUE_MAX + 10);
    assert_non_null(strstr(log_text(world), "event=hook_dropped"));
    assert_true(run_hook(world, HOOK_ON_NODE_UP, 1)); /* one that is waited for always gets in */
    assert_int_equal(world->n_ends, 0);
}

static void closing_kills_what_runs_and_tells_nobody(void **context)
{
    struct world *world = *context;
    char script[] = "echo mine=$$; trap '' TERM; sleep 60";
    world->cluster.hooks[HOOK_ON_NODE_UP] = shell(script);
    run_hook(world, HOOK_ON_NODE_UP, 1);
    run_hook(world, HOOK_ON_NODE_UP, 2);
    while (!strstr(log_text(world), "mine="))
        uv_run(&world->loop, UV_RUN_ONCE);
    pid_t pid = pid_in_log(world, "mine=");
    hook_queue_close(world->queue);
    world->queue = NULL;
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(world->n_ends, 0);
    assert_int_equal(kill(pid, 0), -1); /* reaped */
    assert_int_equal(errno, ESRCH);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(words_reach_the_command_as_they_are_and_facts_as_variables),
        TEST(variables_of_our_own_that_are_no_facts_do_not_reach_it),
        TEST(a_hook_that_is_not_configured_is_not_run),
        TEST(how_it_ended_is_told),
        TEST(hooks_run_one_at_a_time_in_the_order_asked_for),
        TEST(past_its_deadline_it_is_killed_with_what_it_started),
        TEST(one_that_ends_at_sigterm_has_failed_all_the_same),
        TEST(output_is_bounded),
        TEST(a_daemon_that_it_leaves_behind_is_not_waited_for),
        TEST(those_that_nobody_waits_for_are_bounded),
        TEST(closing_kills_what_runs_and_tells_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
