/* What clients do not get, and why. */
#include "front_test.h"
#include "proxy/front/refusals.h"

static json_t *refused(struct front *front, struct pool_report *pools, size_t n, bool stopping)
{
    const struct survey survey = {.kind = SURVEY_POOLS, .pools = pools, .n = n};
    const struct http_asked asked = {.view = &front->view, .pools = &survey, .stopping = stopping};
    return refusals_json(&asked);
}

static const char *text(json_t *array, size_t i, const char *key)
{
    const char *value = json_string_value(json_object_get(json_array_get(array, i), key));
    return value ? value : "null";
}

static void nothing_is_refused_while_all_is_well(void **state)
{
    (void)state;
    struct front *front = front_new();
    front_set_topology(front, 0);
    json_t *array = refused(front, NULL, 0, false);
    assert_int_equal(json_array_size(array), 0);
    json_decref(array);
    front_free(front);
}

static void without_a_primary_writes_wait_and_the_reason_is_told(void **state)
{
    (void)state;
    struct front *front = front_new();
    json_t *array = refused(front, NULL, 0, false);
    assert_int_equal(json_array_size(array), 1);
    assert_string_equal(text(array, 0, "reason"), "no node has been probed yet");
    json_decref(array);
    front_set_topology(front, -1);
    array = refused(front, NULL, 0, false);
    assert_int_equal(json_array_size(array), 1);
    assert_string_equal(text(array, 0, "cluster"), "main");
    assert_string_equal(text(array, 0, "node"), "null");
    assert_string_equal(
        text(array, 0, "what"), "writes wait up to 30 s (hold_timeout), then they fail with 57P03");
    assert_string_equal(text(array, 0, "reason"), "nobody came");
    assert_string_equal(text(array, 0, "weight"), "trouble");
    json_decref(array);
    front_free(front);
}

static void a_replica_says_why_it_gets_no_reads(void **state)
{
    (void)state;
    struct front *front = front_new();
    front_set_topology(front, 0);
    struct topology *topology = front->view.topologies[0];
    struct topology_node *node = &topology->nodes[1];
    topology->max_lag_bytes = 100; /* it is 512 bytes behind */
    json_t *array = refused(front, NULL, 0, false);
    assert_string_equal(text(array, 0, "node"), "b");
    assert_string_equal(
        text(array, 0, "reason"), "it is 0 ms behind, 512 bytes of WAL; max_lag is 100 bytes");
    assert_string_equal(text(array, 0, "weight"), "note");
    json_decref(array);
    atomic_store(&node->live->lag_ms, UINT64_MAX);
    atomic_store(&node->live->lag_bytes, UINT64_MAX);
    array = refused(front, NULL, 0, false);
    assert_non_null(strstr(text(array, 0, "reason"), "how far it is behind is not known"));
    json_decref(array);
    topology->max_lag_bytes = 0;
    node->weight = 0;
    array = refused(front, NULL, 0, false);
    assert_string_equal(text(array, 0, "reason"), "its weight is 0");
    json_decref(array);
    node->weight = 1;
    node->condition = CONDITION_DOWN;
    array = refused(front, NULL, 0, false);
    assert_string_equal(text(array, 0, "reason"), "as told");
    json_decref(array);
    node->role = ROLE_UNKNOWN;
    array = refused(front, NULL, 0, false);
    assert_string_equal(text(array, 0, "what"), "nothing is sent to this node");
    json_decref(array);
    front_free(front);
}

static void long_waits_and_a_stop_are_told_and_the_list_is_bounded(void **state)
{
    (void)state;
    struct front *front = front_new();
    front_set_topology(front, 0);
    struct pool_report pools[200] = {{.cluster = "main"}};
    for (size_t i = 0; i < 200; i++) {
        pools[i] = (struct pool_report){
            .cluster = "main", .user = "u\xff", .node = "a", .waiting = 2, .active = 20, .pool_size = 20};
        snprintf(pools[i].database, sizeof pools[i].database, "d%zu", i);
        pools[i].oldest_wait_us = i ? 3100000 : 900000;
    }
    json_t *array = refused(front, pools, 2, true);
    assert_int_equal(json_array_size(array), 2);
    assert_string_equal(text(array, 0, "reason"), "rolecall is stopping");
    assert_string_equal(
        text(array, 1, "what"), "2 of user u? in database d1 wait for a connection, the first for 3.1 s");
    assert_string_equal(text(array, 1, "reason"), "20 connections are in use, pool_size is 20");
    json_decref(array);
    assert_true(pauses_add(&front->view.pauses, "shop"));
    array = refused(front, NULL, 0, false);
    assert_string_equal(text(array, 0, "what"), "requests of database shop wait");
    json_decref(array);
    front->view.topologies[0]->nodes[1].duty = DUTY_DRAINED;
    array = refused(front, NULL, 0, false);
    assert_string_equal(text(array, 1, "reason"), "an operator said so: it is drained");
    json_decref(array);
    array = refused(front, pools, 200, false);
    assert_int_equal(json_array_size(array), REFUSALS_MAX);
    json_decref(array);
    front_free(front);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_refused_while_all_is_well),
        cmocka_unit_test(without_a_primary_writes_wait_and_the_reason_is_told),
        cmocka_unit_test(a_replica_says_why_it_gets_no_reads),
        cmocka_unit_test(long_waits_and_a_stop_are_told_and_the_list_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
