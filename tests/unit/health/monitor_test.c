/*
 * The monitor's client before a real server that has a table like the monitor's: it is listed, listened to,
 * lost and found again. What the table's states mean is monitor_state_test's matter.
 */
#include "health/manager/monitor.h"

#include "conf/base/clock.h"
#include "tests/unit/health/postgres.h"
#include "tests/unit/health/unit.h"

#include <unistd.h>

#define TABLE                                                                                                \
    "SET client_min_messages = warning; DROP SCHEMA IF EXISTS pgautofailover, px CASCADE; DROP ROLE IF "     \
    "EXISTS watcher; CREATE SCHEMA "                                                                         \
    "pgautofailover; CREATE TABLE pgautofailover.node (formationid text, nodeid bigint, "                    \
    "groupid int, nodename text, nodehost text, nodeport int, goalstate text, reportedstate text, "          \
    "reporttime timestamptz DEFAULT now());"                                                                 \
    "INSERT INTO pgautofailover.node VALUES ('default', 1, 0, 'a', 'h1', 1, 'primary', 'primary'), "         \
    "('default', 2, 0, 'b', 'h2', 2, 'secondary', 'secondary'), ('other', 3, 0, 'c', 'h3', 3, 'single', "    \
    "'single'), ('default', 4, 1, 'd', 'h4', 4, 'single', 'single')"

/* One server for all tests: what is tested here is not how it is made. */
static struct postgres postgres;

struct stage {
    uv_loop_t loop;
    struct settings settings;
    struct manager *manager;
    int spoken, answered;
    bool accepted;
    char words[MANAGER_ANSWER_MAX];
    struct manager_members members;
};

static void on_spoke(void *context)
{
    struct stage *stage = context;
    stage->spoken++;
}

static void on_answered(void *context, bool accepted, const char *words)
{
    struct stage *stage = context;
    stage->answered++;
    stage->accepted = accepted;
    snprintf(stage->words, sizeof stage->words, "%s", words);
}

static struct config *make_config(const char *user, const char *extra)
{
    char path[128];
    struct error error;
    snprintf(path, sizeof path, "%s/rolecall.ini", postgres.folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out,
        "[cluster main]\nmanager = monitor\nmonitor_host = 127.0.0.1\nmonitor_port = %d\nmonitor_user = %s\n"
        "monitor_database = postgres\nprobe_interval = 100ms\nprobe_timeout = 500ms\n"
        "manager_grace = 2s\n%s\n[listener main]\naddress = 127.0.0.1:1\n",
        postgres.servers[0].port, user, extra);
    fclose(out);
    struct config *config = config_load(path, &error);
    if (!config)
        fail_msg("%s", error.text);
    return config;
}

static void run_for(struct stage *stage, uint64_t ms)
{
    uint64_t end_us = clock_now_us() + ms * 1000;
    do {
        uv_run(&stage->loop, UV_RUN_NOWAIT);
        usleep(500);
    } while (clock_now_us() < end_us);
}

static enum manager_role role_of(struct stage *stage, const char *host, uint16_t port)
{
    struct manager_word word;
    manager_word(stage->manager, host, port, clock_now_us(), &word);
    return word.role;
}

/* How many milliseconds it took until the node had the role. */
static uint64_t until_role(struct stage *stage, const char *host, uint16_t port, enum manager_role role)
{
    uint64_t began_us = clock_now_us();
    while (role_of(stage, host, port) != role) {
        run_for(stage, 0);
        if (clock_now_us() - began_us > 10000000)
            fail_msg("%s has role %d, not %d", host, (int)role_of(stage, host, port), (int)role);
    }
    return (clock_now_us() - began_us) / 1000;
}

static void begin(struct stage *stage, const char *user, const char *extra)
{
    if (!postgres_available())
        skip();
    const struct manager_events events = {.context = stage, .spoke = on_spoke, .answered = on_answered};
    memset(stage, 0, sizeof *stage);
    if (postgres.n == 0)
        postgres_start(&postgres, 1);
    postgres_sql(&postgres, 0, "postgres", TABLE);
    assert_int_equal(uv_loop_init(&stage->loop), 0);
    stage->settings.config = make_config(user, extra);
    stage->settings.cluster = &stage->settings.config->clusters[0];
    stage->manager = manager_open(&stage->loop, &stage->settings, &events);
}

static void end(struct stage *stage)
{
    int spoken = stage->spoken;
    manager_close(stage->manager);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_int_equal(stage->spoken, spoken);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
    config_unref(stage->settings.config);
}

static void set_state(const char *node, const char *goal, bool notify)
{
    char sql[256];
    snprintf(sql, sizeof sql, "UPDATE pgautofailover.node SET goalstate = '%s' WHERE nodename = '%s'%s", goal,
        node, notify ? "; NOTIFY state, 'not even JSON'" : "");
    postgres_sql(&postgres, 0, "postgres", sql);
}

static void the_nodes_of_its_formation_and_group_are_listed(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "postgres", "");
    assert_false(manager_members(stage.manager, &stage.members));
    assert_int_equal(role_of(&stage, "h1", 1), MANAGER_NONE);
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    assert_true(manager_members(stage.manager, &stage.members));
    assert_int_equal(stage.members.n, 2);
    assert_string_equal(stage.members.list[0].name, "a");
    assert_string_equal(stage.members.list[1].host, "h2");
    assert_int_equal(role_of(&stage, "h2", 2), MANAGER_REPLICA);
    assert_int_equal(role_of(&stage, "h4", 4), MANAGER_NONE);
    run_for(&stage, 1500); /* read again, and nothing new */
    assert_int_equal(stage.spoken, 1);
    end(&stage);
}

static void a_notification_makes_it_read_at_once_and_without_one_it_reads_each_second(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "postgres", "");
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    uint64_t soonest_ms = UINT64_MAX;
    for (int i = 0; i < 3; i++) { /* the machine may be busy once */
        set_state("a", "draining", true);
        uint64_t took_ms = until_role(&stage, "h1", 1, MANAGER_LEAVING);
        soonest_ms = took_ms < soonest_ms ? took_ms : soonest_ms;
        set_state("a", "primary", true);
        until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    }
    assert_true(soonest_ms < 200);
    assert_int_equal(stage.spoken, 7);
    set_state("a", "draining", false);
    until_role(&stage, "h1", 1, MANAGER_LEAVING);
    assert_int_equal(stage.spoken, 8);
    end(&stage);
}

static void when_asked_about_a_node_it_does_not_wait_for_its_next_turn(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "postgres", "");
    manager_ask(stage.manager, "h1", 1); /* nothing is known yet */
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    uint64_t soonest_ms = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        set_state("a", i % 2 ? "primary" : "draining", false);
        manager_ask(stage.manager, "h1", 1);
        uint64_t took_ms = until_role(&stage, "h1", 1, i % 2 ? MANAGER_PRIMARY : MANAGER_LEAVING);
        soonest_ms = took_ms < soonest_ms ? took_ms : soonest_ms;
    }
    assert_true(soonest_ms < 400);
    end(&stage);
}

static void a_flood_of_notifications_is_not_followed_one_by_one(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "postgres", "");
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    postgres_sql(&postgres, 0, "postgres",
        "SET client_min_messages = warning; DROP TABLE IF EXISTS before; CREATE TABLE before AS SELECT "
        "xact_commit FROM pg_stat_database WHERE "
        "datname = 'postgres'");
    uint64_t began_us = clock_now_us();
    for (int i = 0; i < 20; i++) {
        postgres_sql(&postgres, 0, "postgres",
            "DO $$ BEGIN FOR i IN 1..500 LOOP PERFORM pg_notify('state', i::text); END LOOP; END $$");
        run_for(&stage, 5);
    }
    run_for(&stage, 1500); /* the statistics are told once a second */
    uint64_t ms = (clock_now_us() - began_us) / 1000;
    const char *reads = postgres_sql(&postgres, 0, "postgres",
        "SELECT s.xact_commit - before.xact_commit FROM pg_stat_database s, before WHERE datname = "
        "'postgres'");
    if (strtoull(reads, NULL, 10) > ms / 10 + 30)
        fail_msg("%s transactions in %d ms", reads, (int)ms);
    assert_int_equal(role_of(&stage, "h1", 1), MANAGER_PRIMARY);
    end(&stage);
}

static void members_come_and_go(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "postgres", "");
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    set_state("b", "dropped", true);
    until_role(&stage, "h2", 2, MANAGER_NONE);
    assert_true(manager_members(stage.manager, &stage.members));
    assert_int_equal(stage.members.n, 1);
    postgres_sql(&postgres, 0, "postgres",
        "INSERT INTO pgautofailover.node VALUES ('default', 9, 0, 'e', 'h9', 9, 'secondary', 'secondary'); "
        "NOTIFY state");
    until_role(&stage, "h9", 9, MANAGER_REPLICA);
    postgres_sql(&postgres, 0, "postgres", "DELETE FROM pgautofailover.node; NOTIFY state");
    run_for(&stage, 1500);
    assert_true(manager_members(stage.manager, &stage.members)); /* an empty table is no news */
    assert_int_equal(stage.members.n, 2);
    end(&stage);
}

static void the_last_word_outlives_the_monitor_and_then_postgresql_decides(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "postgres", "");
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    postgres_kill(&postgres, 0);
    uint64_t lost_us = clock_now_us();
    run_for(&stage, 500);
    assert_int_equal(role_of(&stage, "h1", 1), MANAGER_PRIMARY);
    assert_int_equal(role_of(&stage, "h2", 2), MANAGER_REPLICA);
    int spoken = stage.spoken;
    until_role(&stage, "h2", 2, MANAGER_ABSTAINS);
    assert_true(clock_now_us() - lost_us > 900000); /* heard a second before it died, at most */
    assert_int_equal(role_of(&stage, "h1", 1), MANAGER_ABSTAINS);
    run_for(&stage, 700);
    assert_int_equal(stage.spoken, spoken + 1); /* its owner was told of the silence, once */
    postgres_run(&postgres, 0);
    until_role(&stage, "h2", 2, MANAGER_REPLICA);
    assert_int_equal(role_of(&stage, "h1", 1), MANAGER_PRIMARY);
    run_for(&stage, 100);
    assert_int_equal(stage.spoken, spoken + 2);
    set_state("a", "draining", true); /* and it listens again */
    until_role(&stage, "h1", 1, MANAGER_LEAVING);
    end(&stage);
}

static void a_monitor_that_hangs_is_lost_like_one_that_died(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "postgres", "");
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    postgres_freeze(&postgres, 0, true);
    until_role(&stage, "h1", 1, MANAGER_ABSTAINS);
    postgres_freeze(&postgres, 0, false);
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    end(&stage);
}

static void a_user_with_a_view_alone_is_enough(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "watcher", "monitor_nodes = px.node");
    run_for(&stage, 300);
    postgres_sql(&postgres, 0, "postgres",
        "CREATE ROLE watcher LOGIN; CREATE SCHEMA px; CREATE VIEW px.node AS SELECT * FROM "
        "pgautofailover.node; GRANT USAGE ON SCHEMA px TO watcher; GRANT SELECT ON px.node TO watcher");
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    set_state("a", "draining", true);
    until_role(&stage, "h1", 1, MANAGER_LEAVING);
    end(&stage);
}

static void what_it_may_not_read_is_silence(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "watcher", "");
    postgres_sql(&postgres, 0, "postgres", "CREATE ROLE watcher LOGIN");
    until_role(&stage, "h1", 1, MANAGER_ABSTAINS);
    assert_false(manager_members(stage.manager, &stage.members));
    postgres_sql(&postgres, 0, "postgres",
        "GRANT USAGE ON SCHEMA pgautofailover TO watcher; GRANT SELECT ON pgautofailover.node TO watcher");
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    end(&stage);
}

static void a_reload_follows_to_another_formation_and_keeps_what_was_heard(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "postgres", "");
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    struct config *before = stage.settings.config;
    stage.settings.config = make_config("postgres", "monitor_formation = other");
    stage.settings.cluster = &stage.settings.config->clusters[0];
    config_unref(before);
    manager_reload(stage.manager);
    assert_int_equal(role_of(&stage, "h1", 1), MANAGER_PRIMARY);
    until_role(&stage, "h3", 3, MANAGER_PRIMARY);
    assert_int_equal(role_of(&stage, "h1", 1), MANAGER_NONE);
    end(&stage);
}

static void it_may_be_closed_and_reloaded_at_any_moment(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "postgres", "");
    for (int turns = 0; turns < 12; turns++) {
        const struct manager_events events = {.context = &stage, .spoke = on_spoke};
        for (int i = 0; i < turns; i++) {
            uv_run(&stage.loop, UV_RUN_NOWAIT);
            usleep(300);
        }
        manager_seek(stage.manager, turns % 2);
        if (turns % 3 == 0)
            manager_reload(stage.manager);
        manager_close(stage.manager);
        uv_run(&stage.loop, UV_RUN_DEFAULT);
        stage.manager = manager_open(&stage.loop, &stage.settings, &events);
    }
    end(&stage);
}

static int end_server(void **state)
{
    (void)state;
    if (postgres.n > 0)
        postgres_end(&postgres);
    return 0;
}

/* What the monitor's functions are told, in a table. */
#define FUNCTIONS                                                                                            \
    "CREATE TABLE pgautofailover.told (formation text, what text);"                                          \
    "CREATE FUNCTION pgautofailover.perform_promotion(text, text) RETURNS bool LANGUAGE sql AS 'INSERT "     \
    "INTO "                                                                                                  \
    "pgautofailover.told VALUES ($1, $2); SELECT $2 <> ''a''';"                                              \
    "CREATE FUNCTION pgautofailover.perform_failover(text, int) RETURNS void LANGUAGE plpgsql AS "           \
    "'BEGIN INSERT INTO pgautofailover.told VALUES ($1, $2); END';"

static bool order(struct stage *stage, const char *host, uint16_t port)
{
    const struct manager_place from = {"h1", 1}, to = {host, port};
    struct error error;
    int before = stage->answered;
    if (!manager_switchover(stage->manager, &from, host ? &to : NULL, &error))
        fail_msg("%s", error.text);
    assert_int_equal(stage->answered, before);
    for (int i = 0; i < 200 && stage->answered == before; i++)
        run_for(stage, 50);
    assert_int_equal(stage->answered, before + 1);
    return stage->accepted;
}

static void a_switchover_is_ordered_of_it_and_its_answer_is_told(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "postgres", "");
    postgres_sql(&postgres, 0, "postgres", FUNCTIONS);
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    assert_true(order(&stage, "h2", 2));
    assert_string_equal(stage.words, "the monitor has ordered it");
    assert_true(order(&stage, NULL, 0));
    assert_false(order(&stage, "h1", 1));
    assert_string_equal(stage.words, "the monitor has a as the primary already");
    assert_string_equal(postgres_sql(&postgres, 0, "postgres",
                            "SELECT string_agg(formation || ' ' || what, ',') FROM pgautofailover.told"),
        "default b,default 0,default a");
    postgres_sql(&postgres, 0, "postgres", "DROP FUNCTION pgautofailover.perform_failover(text, int)");
    assert_false(order(&stage, NULL, 0));
    assert_non_null(strstr(stage.words, "the monitor refuses: function pgautofailover.perform_failover"));
    end(&stage);
}

static void a_node_that_it_does_not_list_cannot_be_ordered(void **state)
{
    (void)state;
    struct stage stage;
    const struct manager_place from = {"h1", 1}, to = {"h9", 9};
    struct error error;
    begin(&stage, "postgres", "");
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    assert_false(manager_switchover(stage.manager, &from, &to, &error));
    assert_string_equal(error.text, "the monitor lists no node at h9, port 9");
    end(&stage);
}

static void with_an_order_under_way_it_may_be_reloaded_ordered_again_and_closed(void **state)
{
    (void)state;
    struct stage stage;
    const struct manager_place from = {"h1", 1};
    struct error error;
    begin(&stage, "postgres", "");
    postgres_sql(&postgres, 0, "postgres", FUNCTIONS);
    until_role(&stage, "h1", 1, MANAGER_PRIMARY);
    assert_true(manager_switchover(stage.manager, &from, NULL, &error));
    manager_reload(stage.manager);
    assert_true(order(&stage, NULL, 0)); /* of the first nothing more is heard */
    assert_true(manager_switchover(stage.manager, &from, NULL, &error));
    end(&stage);
    assert_int_equal(stage.answered, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nodes_of_its_formation_and_group_are_listed),
        cmocka_unit_test(a_notification_makes_it_read_at_once_and_without_one_it_reads_each_second),
        cmocka_unit_test(when_asked_about_a_node_it_does_not_wait_for_its_next_turn),
        cmocka_unit_test(a_flood_of_notifications_is_not_followed_one_by_one),
        cmocka_unit_test(members_come_and_go),
        cmocka_unit_test(the_last_word_outlives_the_monitor_and_then_postgresql_decides),
        cmocka_unit_test(a_monitor_that_hangs_is_lost_like_one_that_died),
        cmocka_unit_test(a_user_with_a_view_alone_is_enough),
        cmocka_unit_test(what_it_may_not_read_is_silence),
        cmocka_unit_test(a_reload_follows_to_another_formation_and_keeps_what_was_heard),
        cmocka_unit_test(a_switchover_is_ordered_of_it_and_its_answer_is_told),
        cmocka_unit_test(a_node_that_it_does_not_list_cannot_be_ordered),
        cmocka_unit_test(with_an_order_under_way_it_may_be_reloaded_ordered_again_and_closed),
        cmocka_unit_test(it_may_be_closed_and_reloaded_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, end_server);
}
