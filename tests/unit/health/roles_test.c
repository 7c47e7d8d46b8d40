/* The control thread before real servers: roles are found, lost and moved, and in time. */
#include "tests/unit/health/postgres.h"
#include "tests/unit/health/unit.h"
#include "tests/unit/health/watcher.h"

#include <stdatomic.h>

static const char quick[] =
    "probe_interval = 200ms\nprobe_timeout = 300ms\nobservation_ttl = 1500ms\ndown_after = 3\n";

struct stage {
    struct postgres postgres;
    struct watcher watcher;
};

static void begin(struct stage *stage, int n, const char *extra)
{
    if (!postgres_available())
        skip();
    char lines[512];
    snprintf(lines, sizeof lines, "%s%s", quick, extra);
    postgres_start(&stage->postgres, n);
    watcher_start(&stage->watcher, watcher_config(&stage->postgres, lines));
}

static void end(struct stage *stage)
{
    watcher_stop(&stage->watcher);
    postgres_end(&stage->postgres);
}

static void a_first_topology_comes_at_once_and_roles_within_a_second(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 3, "");
    watcher_until(&stage.watcher, 1000, "all roles", all_settled, 0);
    const struct topology *topology = stage.watcher.topology;
    assert_string_equal(topology->cluster, "main");
    assert_int_equal(topology->n_nodes, 3);
    assert_string_equal(topology->nodes[0].hostaddr, "127.0.0.1");
    assert_null(topology->no_primary_reason);
    assert_true(topology->version >= 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(topology->nodes[i].condition, CONDITION_UP);
        assert_int_equal(topology->nodes[i].generation, atomic_load(&topology->nodes[i].live->generation));
    }
    unsigned before = stage.watcher.topologies;
    watcher_run(&stage.watcher, 1500);
    assert_int_equal(stage.watcher.topologies, before); /* nothing changes: nothing is sent */
    end(&stage);
}

static void a_killed_primary_is_down_at_once_and_a_promoted_replica_found_in_half_a_second(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 3, "");
    watcher_until(&stage.watcher, 2000, "all roles", all_settled, 0);
    uint32_t generation = stage.watcher.topology->nodes[1].generation;
    postgres_kill(&stage.postgres, 0);
    uint64_t took_ms = watcher_until(&stage.watcher, 1000, "down", node_is_down, 0);
    assert_true(took_ms < 500);
    assert_int_equal(stage.watcher.topology->primary, -1);
    assert_non_null(stage.watcher.topology->no_primary_reason);
    watcher_run(&stage.watcher, 10); /* events come behind the snapshot */
    assert_int_equal(stage.watcher.events[EVENT_PRIMARY_LOST], 1);
    assert_int_equal(stage.watcher.events[EVENT_NODE_DOWN], 1);
    postgres_sql(&stage.postgres, 1, "postgres", "SELECT pg_promote(true)");
    took_ms = watcher_until(&stage.watcher, 1000, "promoted", primary_is, 1);
    assert_true(took_ms < 500);
    assert_true(stage.watcher.topology->nodes[1].generation > generation);
    watcher_run(&stage.watcher, 10);
    assert_int_equal(stage.watcher.events[EVENT_PRIMARY_FOUND], 2);
    assert_int_equal(stage.watcher.last_event.kind, EVENT_PRIMARY_FOUND);
    assert_string_equal(stage.watcher.last_event.node, "n1");
    assert_non_null(
        strstr(stage.watcher.last_event.text, "n1 is the primary, it was n0; there was none for "));
    assert_non_null(strstr(stage.watcher.last_event.reason, "takes writes on timeline 2"));
    assert_non_null(strstr(stage.watcher.last_event.evidence, "takes writes on timeline 2, at 0/"));
    /* The old primary comes back as it was: it must not get the role again. */
    postgres_run(&stage.postgres, 0);
    watcher_until(&stage.watcher, 2000, "back", node_is_up, 0);
    watcher_run(&stage.watcher, 500);
    assert_int_equal(stage.watcher.topology->primary, 1);
    assert_int_equal(stage.watcher.topology->nodes[0].role, ROLE_UNKNOWN);
    assert_non_null(strstr(stage.watcher.topology->nodes[0].reason, "an old primary"));
    end(&stage);
}

static void what_was_remembered_keeps_an_old_primary_out_after_a_restart_of_rolecall(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 2, "");
    watcher_until(&stage.watcher, 2000, "all roles", all_settled, 0);
    postgres_stop(&stage.postgres, 0);
    postgres_sql(&stage.postgres, 1, "postgres", "SELECT pg_promote(true)");
    watcher_until(&stage.watcher, 2000, "promoted", primary_is, 1);
    watcher_run(&stage.watcher, 200);
    watcher_stop(&stage.watcher);
    postgres_stop(&stage.postgres, 1);
    postgres_run(&stage.postgres, 0);
    watcher_start(&stage.watcher, watcher_config(&stage.postgres, quick));
    watcher_until(&stage.watcher, 2000, "up", node_is_up, 0);
    watcher_run(&stage.watcher, 300);
    assert_int_equal(stage.watcher.topology->primary, -1);
    assert_non_null(
        strstr(stage.watcher.topology->no_primary_reason, "timeline 2 was seen (FORGET the node"));
    assert_false(watcher_order(&stage.watcher, ORDER_FORGET, "main", "nobody", 0));
    assert_non_null(strstr(stage.watcher.refusal.text, "has no node \"nobody\""));
    assert_false(watcher_order(&stage.watcher, ORDER_FORGET, "elsewhere", "n1", 0));
    assert_non_null(strstr(stage.watcher.refusal.text, "no cluster \"elsewhere\""));
    assert_false(watcher_order(&stage.watcher, ORDER_ACCEPT, "main", "n1", 0));
    assert_non_null(strstr(stage.watcher.refusal.text, "has never answered"));
    assert_int_equal(stage.watcher.topology->primary, -1);
    assert_true(watcher_order(&stage.watcher, ORDER_FORGET, "main", "n1", 0));
    watcher_until(&stage.watcher, 1000, "after the dead timeline is forgotten", primary_is, 0);
    end(&stage);
}

static void a_cluster_that_was_initialised_anew_is_refused_until_it_is_accepted(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 1, "");
    watcher_until(&stage.watcher, 2000, "the first", primary_is, 0);
    watcher_run(&stage.watcher, 200);
    watcher_stop(&stage.watcher);
    char path[128];
    snprintf(path, sizeof path, "%s/main.state", stage.postgres.folder);
    FILE *out = fopen(path, "w");
    fprintf(out, "system_identifier=7\ntimeline=9\n"); /* as if another cluster had been here before */
    fclose(out);
    watcher_start(&stage.watcher, watcher_config(&stage.postgres, quick));
    watcher_until(&stage.watcher, 2000, "up", node_is_up, 0);
    watcher_run(&stage.watcher, 200);
    assert_int_equal(stage.watcher.topology->primary, -1);
    assert_non_null(strstr(stage.watcher.topology->nodes[0].reason, "belongs to another cluster"));
    assert_true(watcher_order(&stage.watcher, ORDER_ACCEPT, "main", "n0", 0));
    watcher_until(&stage.watcher, 1000, "accepted", primary_is, 0);
    end(&stage);
}

static bool has_weight(struct watcher *watcher, int weight)
{
    return watcher->topology->nodes[1].weight == (uint32_t)weight;
}

static void the_operators_word_about_a_node_lasts_through_reloads(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 2, "");
    struct watcher *watcher = &stage.watcher;
    watcher_until(watcher, 2000, "all roles", all_settled, 0);
    /* A drained primary is none, but keeps its role. */
    assert_true(watcher_order(watcher, ORDER_DRAIN, "main", "n0", 0));
    watcher_until(watcher, 1000, "drained", primary_is, -1);
    assert_int_equal(watcher->topology->nodes[0].role, ROLE_PRIMARY);
    assert_int_equal(watcher->topology->nodes[0].condition, CONDITION_UP);
    assert_non_null(strstr(watcher->topology->no_primary_reason, "node n0, is drained by the administrator"));
    assert_true(watcher_order(watcher, ORDER_DISABLE, "main", "n1", 0));
    watcher_until(watcher, 1000, "disabled", node_is_down, 1);
    assert_int_equal(watcher->topology->nodes[1].role, ROLE_REPLICA);
    assert_non_null(strstr(watcher->topology->nodes[1].reason, "disabled by the administrator; "));
    assert_true(watcher_order(watcher, ORDER_WEIGHT, "main", "n1", 7));
    watcher_until(watcher, 1000, "weighs 7", has_weight, 7);
    watcher_reload(watcher, watcher_config(&stage.postgres, "max_lag = 1MB"));
    watcher_run(watcher, 200);
    assert_int_equal(watcher->topology->max_lag_bytes, 1024 * 1024);
    assert_int_equal(watcher->topology->primary, -1);
    assert_int_equal(watcher->topology->nodes[1].duty, DUTY_DISABLED);
    assert_int_equal(watcher->topology->nodes[1].weight, 7);
    assert_true(watcher_order(watcher, ORDER_ENABLE, "main", "n0", 0));
    assert_true(watcher_order(watcher, ORDER_ENABLE, "main", "n1", 0));
    watcher_until(watcher, 1000, "enabled", all_settled, 0);
    assert_true(watcher_order(watcher, ORDER_PROBE, "main", "", 0));
    end(&stage);
}

static void a_frozen_primary_is_suspect_then_down_and_comes_back(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 2, "");
    watcher_until(&stage.watcher, 2000, "all roles", all_settled, 0);
    postgres_freeze(&stage.postgres, 0, true);
    watcher_until(&stage.watcher, 1500, "suspect", node_is_suspect, 0);
    assert_int_equal(stage.watcher.topology->primary, 0);
    watcher_until(&stage.watcher, 3000, "down", node_is_down, 0);
    assert_int_equal(stage.watcher.topology->primary, -1);
    postgres_freeze(&stage.postgres, 0, false);
    watcher_until(&stage.watcher, 2000, "back", all_settled, 0);
    end(&stage);
}

static bool split_names_the_forks(struct watcher *watcher, int node)
{
    (void)node;
    return watcher->topology->no_primary_reason &&
           strstr(watcher->topology->no_primary_reason, "(forked at ");
}

static void two_promoted_apart_are_a_split_until_one_yields(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 3, "");
    watcher_until(&stage.watcher, 2000, "all roles", all_settled, 0);
    postgres_stop(&stage.postgres, 2);
    postgres_sql(
        &stage.postgres, 0, "postgres", "CREATE TABLE t ()"); /* the second gets this, the third does not */
    postgres_stop(&stage.postgres, 0);
    watcher_until(&stage.watcher, 2000, "down", node_is_down, 0);
    postgres_sql(&stage.postgres, 1, "postgres", "SELECT pg_promote(true)");
    watcher_until(&stage.watcher, 2000, "promoted", primary_is, 1);
    postgres_append(&stage.postgres, 2, "postgresql.auto.conf", "primary_conninfo = ''");
    postgres_run(&stage.postgres, 2);
    postgres_sql(&stage.postgres, 2, "postgres", "SELECT pg_promote(true)");
    watcher_until(&stage.watcher, 2000, "split", primary_is, -1);
    assert_non_null(strstr(stage.watcher.topology->no_primary_reason, "split: n1 and n2"));
    watcher_until(&stage.watcher, 3000, "histories compared", split_names_the_forks, 0);
    postgres_stop(&stage.postgres, 2);
    watcher_until(&stage.watcher, 2000, "one yielded", primary_is, 1);
    end(&stage);
}

static void a_wrong_password_is_alive_and_says_so(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 1, "probe_user = watcher\nprobe_password = right\n");
    postgres_sql(
        &stage.postgres, 0, "postgres", "CREATE ROLE watcher LOGIN PASSWORD 'right' IN ROLE pg_monitor");
    char hba[128];
    snprintf(hba, sizeof hba, "%s/n0/pg_hba.conf", stage.postgres.folder);
    FILE *out = fopen(hba, "w");
    fprintf(out, "local all all trust\nhost all all all scram-sha-256\n");
    fclose(out);
    postgres_sql(&stage.postgres, 0, "postgres", "SELECT pg_reload_conf()");
    watcher_until(&stage.watcher, 2000, "with the right one", primary_is, 0);
    watcher_reload(
        &stage.watcher, watcher_config(&stage.postgres, "probe_user = watcher\nprobe_password = wrong\n"
                                                        "probe_interval = 200ms\nprobe_timeout = 300ms\n"
                                                        "observation_ttl = 1500ms\n"));
    watcher_until(&stage.watcher, 4000, "role lost", primary_is, -1);
    assert_int_equal(stage.watcher.topology->nodes[0].condition, CONDITION_UP);
    assert_non_null(strstr(stage.watcher.topology->nodes[0].reason, "password authentication failed"));
    end(&stage);
}

static void a_role_with_nothing_but_login_is_enough_for_roles(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 2, "probe_user = plain\n");
    postgres_sql(&stage.postgres, 0, "postgres", "CREATE ROLE plain LOGIN");
    watcher_until(&stage.watcher, 3000, "all roles", all_settled, 0);
    assert_non_null(strstr(stage.watcher.topology->nodes[1].reason, "pg_monitor"));
    end(&stage);
}

static void a_reload_keeps_the_record_and_role_of_nodes_that_stay(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 3, "");
    watcher_until(&stage.watcher, 2000, "all roles", all_settled, 0);
    struct node_live *live = node_live_ref(stage.watcher.topology->nodes[1].live);
    uint32_t generation = stage.watcher.topology->nodes[0].generation;
    unsigned before = stage.watcher.topologies;
    watcher_reload(&stage.watcher, watcher_config(&stage.postgres, quick));
    watcher_run(&stage.watcher, 500);
    assert_int_equal(stage.watcher.topologies, before);
    stage.postgres.n = 2; /* the third goes */
    watcher_reload(&stage.watcher, watcher_config(&stage.postgres, quick));
    stage.postgres.n = 3;
    watcher_run(&stage.watcher, 500);
    const struct topology *topology = stage.watcher.topology;
    assert_int_equal(topology->n_nodes, 2);
    assert_int_equal(topology->primary, 0);
    assert_int_equal(topology->nodes[0].generation, generation);
    assert_ptr_equal(topology->nodes[1].live, live);
    assert_int_equal(topology->nodes[1].role, ROLE_REPLICA);
    watcher_reload(&stage.watcher, watcher_config(&stage.postgres, quick));
    watcher_run(&stage.watcher, 700);
    assert_int_equal(stage.watcher.topology->n_nodes, 3);
    assert_true(all_settled(&stage.watcher, 0));
    node_live_unref(live);
    end(&stage);
}

static void a_hint_brings_a_look_at_once(void **state)
{
    (void)state;
    struct stage stage;
    if (!postgres_available())
        skip();
    postgres_start(&stage.postgres, 2);
    watcher_start(&stage.watcher,
        watcher_config(&stage.postgres, "probe_interval = 1h\nprobe_timeout = 1s\nobservation_ttl = 2h\n"));
    watcher_until(&stage.watcher, 2000, "all roles", all_settled, 0);
    watcher_run(&stage.watcher, 200); /* the looks that were due while there was no primary */
    postgres_sql(&stage.postgres, 0, "postgres", "ALTER SYSTEM SET default_transaction_read_only = on");
    postgres_sql(&stage.postgres, 0, "postgres", "SELECT pg_reload_conf()");
    watcher_run(&stage.watcher, 300);
    assert_false(stage.watcher.topology->nodes[0].read_only);
    unsigned before = stage.watcher.topologies;
    watcher_hint(&stage.watcher, 0, HINT_READ_ONLY);
    watcher_run(&stage.watcher, 300);
    assert_int_equal(stage.watcher.topologies, before + 1);
    assert_true(stage.watcher.topology->nodes[0].read_only);
    assert_int_equal(stage.watcher.topology->primary, 0);
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_topology_comes_at_once_and_roles_within_a_second),
        cmocka_unit_test(a_killed_primary_is_down_at_once_and_a_promoted_replica_found_in_half_a_second),
        cmocka_unit_test(what_was_remembered_keeps_an_old_primary_out_after_a_restart_of_rolecall),
        cmocka_unit_test(a_cluster_that_was_initialised_anew_is_refused_until_it_is_accepted),
        cmocka_unit_test(the_operators_word_about_a_node_lasts_through_reloads),
        cmocka_unit_test(a_frozen_primary_is_suspect_then_down_and_comes_back),
        cmocka_unit_test(two_promoted_apart_are_a_split_until_one_yields),
        cmocka_unit_test(a_wrong_password_is_alive_and_says_so),
        cmocka_unit_test(a_role_with_nothing_but_login_is_enough_for_roles),
        cmocka_unit_test(a_reload_keeps_the_record_and_role_of_nodes_that_stay),
        cmocka_unit_test(a_hint_brings_a_look_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
