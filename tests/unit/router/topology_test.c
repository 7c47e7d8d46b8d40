/* Snapshots and shared records: references, look-up, names. Leaks are found by the sanitizer build. */
#include "router/topology.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct topology *three_nodes(void)
{
    struct topology *topology = topology_new("main", 3);
    for (size_t i = 0; i < 3; i++) {
        topology->nodes[i].name = strdup("node");
        topology->nodes[i].host = strdup("127.0.0.1");
        topology->nodes[i].hostaddr = i == 0 ? NULL : strdup("127.0.0.1");
        topology->nodes[i].reason = strdup("as configured");
        topology->nodes[i].live = node_live_new("node");
    }
    topology->live = cluster_live_new();
    return topology;
}

static void a_new_snapshot_has_no_primary(void **state)
{
    (void)state;
    struct topology *topology = topology_new("main", 0);
    assert_int_equal(topology->primary, -1);
    assert_string_equal(topology->cluster, "main");
    assert_int_equal(topology->n_nodes, 0);
    topology_unref(topology);
}

static void a_node_is_found_by_its_record(void **state)
{
    (void)state;
    struct topology *topology = three_nodes();
    struct node_live *stranger = node_live_new("stranger");
    assert_int_equal(topology_find(topology, topology->nodes[2].live), 2);
    assert_int_equal(topology_find(topology, stranger), -1);
    assert_int_equal(topology_find(topology, NULL), -1);
    node_live_unref(stranger);
    topology_unref(topology);
}

static void a_record_outlives_the_snapshot_that_named_it(void **state)
{
    (void)state;
    struct topology *topology = three_nodes();
    struct node_live *live = node_live_ref(topology->nodes[1].live);
    assert_int_equal(live->refs, 2);
    assert_ptr_equal(topology_ref(topology), topology);
    topology_unref(topology);
    assert_int_equal(live->refs, 2); /* one reference to the snapshot is left */
    topology_unref(topology);
    assert_int_equal(live->refs, 1);
    assert_string_equal(live->name, "node");
    node_live_unref(live);
}

static void a_new_node_has_replayed_nothing_and_its_lag_is_not_known(void **state)
{
    (void)state;
    struct node_live *live = node_live_new("a");
    assert_int_equal(live->replayed_epoch, 0);
    assert_true(live->lag_ms == UINT64_MAX);
    node_live_unref(live);
}

static void a_name_that_is_too_long_is_cut(void **state)
{
    (void)state;
    char name[NODE_NAME_MAX * 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct node_live *live = node_live_new(name);
    assert_int_equal(strlen(live->name), NODE_NAME_MAX - 1);
    node_live_unref(live);
}

static void null_may_be_dropped(void **state)
{
    (void)state;
    topology_unref(NULL);
    node_live_unref(NULL);
    cluster_live_unref(NULL);
}

static void roles_and_conditions_have_names(void **state)
{
    (void)state;
    assert_string_equal(node_role_name(ROLE_UNKNOWN), "unknown");
    assert_string_equal(node_role_name(ROLE_PRIMARY), "primary");
    assert_string_equal(node_role_name(ROLE_REPLICA), "replica");
    assert_string_equal(node_role_name(ROLE_MASTER), "master");
    assert_string_equal(node_condition_name(CONDITION_UP), "up");
    assert_string_equal(node_condition_name(CONDITION_SUSPECT), "suspect");
    assert_string_equal(node_condition_name(CONDITION_DOWN), "down");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_snapshot_has_no_primary),
        cmocka_unit_test(a_node_is_found_by_its_record),
        cmocka_unit_test(a_record_outlives_the_snapshot_that_named_it),
        cmocka_unit_test(a_new_node_has_replayed_nothing_and_its_lag_is_not_known),
        cmocka_unit_test(a_name_that_is_too_long_is_cut),
        cmocka_unit_test(null_may_be_dropped),
        cmocka_unit_test(roles_and_conditions_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
