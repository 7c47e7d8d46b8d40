/* What the HTTP door answers, made from a view and a survey alone. */
#include "front_test.h"
#include "proxy/front/http_routes.h"
#include "proxy/front/metrics.h"
#include "proxy/front/stats_json.h"
#include "proxy/pool/meter.h"

#include <jansson.h>

/* The body, valid until the next call. */
static const char *ask(struct front *front, unsigned (*answer)(const struct http_asked *, struct output *),
    const char *cluster, bool stopping, unsigned want)
{
    static char text[256 * 1024];
    struct pool_report pools[2] = {
        {.cluster = "main", .database = "d\"\\\n", .user = "\xff\xfe", .node = "a", .waiting = 1},
        {.cluster = "main",
            .database = "d\"\\\n",
            .user = "\xff\xfe",
            .node = "a",
            .waiting = 2,
            .idle = 3,
            .active = 4,
            .resetting = 1}};
    const struct survey survey = {.kind = SURVEY_POOLS, .pools = pools, .n = 2, .silent = 1};
    const struct http_asked asked = {
        .view = &front->view, .pools = &survey, .cluster = cluster, .stopping = stopping};
    struct output body = {0};
    unsigned status = answer(&asked, &body);
    assert_false(body.failed);
    assert_true(body.len < sizeof text);
    memcpy(text, body.data, body.len);
    text[body.len] = '\0';
    output_fini(&body);
    if (status != want)
        fail_msg("%u instead of %u: %s", status, want, text);
    return text;
}

static void health_says_what_the_router_would_do(void **context)
{
    (void)context;
    struct front *front = front_new();
    assert_string_equal(
        ask(front, http_answer_primary, NULL, false, 503), "main: no primary: no node has been probed yet\n");
    assert_non_null(strstr(ask(front, http_answer_replica, NULL, false, 503), "no node has been probed yet"));
    assert_non_null(strstr(ask(front, http_answer_readyz, NULL, false, 503), "listener split cannot serve"));
    front_set_topology(front, 0);
    assert_string_equal(ask(front, http_answer_primary, "main", false, 200), "main: a is primary\n");
    assert_string_equal(ask(front, http_answer_replica, NULL, false, 200), "main: b is a fit replica\n");
    assert_string_equal(ask(front, http_answer_readyz, NULL, false, 200), "ready\n");
    front_set_topology(front, -1);
    assert_string_equal(ask(front, http_answer_primary, NULL, false, 503), "main: no primary: nobody came\n");
    front_free(front);
}

static void a_replica_beyond_the_lag_bound_is_not_fit(void **context)
{
    (void)context;
    struct front *front = front_new();
    front_set_topology(front, 0);
    front->view.topologies[0]->max_lag_bytes = 100; /* b is 512 bytes behind */
    assert_string_equal(ask(front, http_answer_replica, NULL, false, 503),
        "main: no fit replica: b is replica, up: as told\n");
    assert_string_equal(ask(front, http_answer_primary, NULL, false, 200), "main: a is primary\n");
    front_free(front);
}

static void a_stopping_rolecall_is_not_ready_but_lives(void **context)
{
    (void)context;
    struct front *front = front_new();
    front_set_topology(front, 0);
    ask(front, http_answer_readyz, NULL, true, 503);
    ask(front, http_answer_primary, NULL, true, 503);
    ask(front, http_answer_replica, NULL, true, 503);
    assert_string_equal(ask(front, http_answer_healthz, NULL, true, 200), "ok\n");
    front_free(front);
}

static void labels_are_escaped_and_never_broken_text(void **context)
{
    (void)context;
    struct front *front = front_new();
    front_set_topology(front, 0);
    histogram_add(&meter_share("main", "d\"\\\n", "\xff\xfe", "a", 0)->phases[METER_NODE], 64);
    const char *text = ask(front, metrics_answer, NULL, false, 200);
    assert_non_null(strstr(text, "\nrolecall_pool_connections{cluster=\"main\",database=\"d\\\"\\\\\\n\","
                                 "user=\"??\",node=\"a\",state=\"idle\"} 3\n"));
    assert_non_null(strstr(text, "rolecall_node_seconds_bucket{cluster=\"main\",database=\"d\\\"\\\\\\n\","
                                 "user=\"??\",node=\"a\",le=\"0.000064\"} 0\n"));
    assert_non_null(strstr(text, "rolecall_node_seconds_bucket{cluster=\"main\",database=\"d\\\"\\\\\\n\","
                                 "user=\"??\",node=\"a\",le=\"0.000128\"} 1\n"));
    assert_non_null(strstr(text, "rolecall_node_seconds_sum{cluster=\"main\",database=\"d\\\"\\\\\\n\",user="
                                 "\"??\",node=\"a\"} 0.000064\n"));
    front_free(front);
}

static void the_json_is_whole_and_adds_the_workers_pools(void **context)
{
    (void)context;
    struct front *front = front_new();
    front_set_topology(front, -1);
    json_t *root = json_loads(ask(front, stats_json_answer, NULL, true, 200), 0, NULL);
    json_t *pools = json_object_get(root, "pools"), *pool = json_array_get(pools, 0);
    json_t *cluster = json_array_get(json_object_get(root, "clusters"), 0);
    assert_int_equal(json_array_size(pools), 1);
    assert_string_equal(json_string_value(json_object_get(pool, "database")), "d\"\\\n");
    assert_string_equal(json_string_value(json_object_get(pool, "user")), "??");
    assert_int_equal(json_integer_value(json_object_get(pool, "clients_waiting")), 3);
    assert_int_equal(json_integer_value(json_object_get(pool, "servers_active")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "totals"), "waiting")), 3);
    assert_int_equal(json_integer_value(json_object_get(root, "silent_workers")), 1);
    assert_true(json_is_true(json_object_get(root, "stopping")));
    assert_true(json_is_null(json_object_get(cluster, "primary")));
    assert_string_equal(json_string_value(json_object_get(cluster, "no_primary_reason")), "nobody came");
    assert_int_equal(json_array_size(json_object_get(cluster, "nodes")), 2);
    json_decref(root);
    front_free(front);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_says_what_the_router_would_do),
        cmocka_unit_test(a_replica_beyond_the_lag_bound_is_not_fit),
        cmocka_unit_test(a_stopping_rolecall_is_not_ready_but_lives),
        cmocka_unit_test(labels_are_escaped_and_never_broken_text),
        cmocka_unit_test(the_json_is_whole_and_adds_the_workers_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
