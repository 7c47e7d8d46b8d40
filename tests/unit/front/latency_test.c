/* Quantiles since the start and over the last minute, by node and by pool. */
#include "front_test.h"
#include "proxy/front/latency.h"

static struct latency_row *row(struct latency_row *rows, size_t n, const char *node, const char *user)
{
    for (size_t i = 0; i < n; i++)
        if ((!node || (rows[i].node && strcmp(rows[i].node, node) == 0)) &&
            (!user || (rows[i].user && strcmp(rows[i].user, user) == 0)))
            return &rows[i];
    fail_msg("no row of %s %s among %zu", node ? node : "", user ? user : "", n);
    return NULL;
}

static void end(uv_loop_t *loop, struct latency *latency)
{
    latency_close(latency);
    uv_run(loop, UV_RUN_DEFAULT);
    latency_free(latency);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void the_last_minute_forgets_what_is_older(void **context)
{
    (void)context;
    uv_loop_t loop;
    struct latency_row *rows;
    uv_loop_init(&loop);
    struct latency *latency = latency_open(&loop);
    struct meter_share *share = meter_share("c", "d", "u", "minute", 0);
    for (int i = 0; i < 100; i++)
        histogram_add(&share->phases[METER_NODE], 1000);
    for (int note = 0; note < 5; note++)
        latency_note(latency);
    size_t n = latency_rows(latency, LATENCY_NODES, &rows);
    assert_int_equal(row(rows, n, "minute", NULL)->of[METER_NODE][LATENCY_MINUTE].count, 100);
    free(rows);
    latency_note(latency); /* the sixth: what was counted before the first is older than a minute */
    histogram_add(&share->phases[METER_NODE], 8);
    n = latency_rows(latency, LATENCY_NODES, &rows);
    const struct latency_row *of = row(rows, n, "minute", NULL);
    assert_int_equal(of->of[METER_NODE][LATENCY_MINUTE].count, 1);
    assert_int_equal(of->of[METER_NODE][LATENCY_MINUTE].p999_us, 8);
    assert_int_equal(of->of[METER_NODE][LATENCY_START].count, 101);
    assert_in_range(of->of[METER_NODE][LATENCY_START].p50_us, 970, 1030);
    assert_int_equal(of->max_us[METER_NODE], 1000);
    free(rows);
    end(&loop, latency);
}

static void nodes_and_pools_are_added_up_each_for_itself(void **context)
{
    (void)context;
    uv_loop_t loop;
    struct latency_row *rows;
    uv_loop_init(&loop);
    struct latency *latency = latency_open(&loop);
    histogram_add(&meter_share("c", "shop", "ann", "n1", 0)->phases[METER_WAIT], 3);
    histogram_add(&meter_share("c", "shop", "ann", "n2", 1)->phases[METER_WAIT], 5);
    histogram_add(&meter_share("c", "shop", "bob", "n1", 1)->phases[METER_WAIT], 7);
    size_t n = latency_rows(latency, LATENCY_POOLS, &rows);
    assert_int_equal(row(rows, n, NULL, "ann")->of[METER_WAIT][LATENCY_START].count, 2);
    assert_int_equal(row(rows, n, NULL, "bob")->of[METER_WAIT][LATENCY_START].p50_us, 7);
    assert_null(row(rows, n, NULL, "ann")->node);
    free(rows);
    n = latency_rows(latency, LATENCY_NODES, &rows);
    assert_int_equal(row(rows, n, "n1", NULL)->max_us[METER_WAIT], 7);
    assert_int_equal(row(rows, n, "n2", NULL)->of[METER_WAIT][LATENCY_START].count, 1);
    assert_null(row(rows, n, "n1", NULL)->user);
    free(rows);
    assert_int_equal(latency_rows(latency, LATENCY_ALL, &rows), 1);
    assert_int_equal(rows[0].of[METER_WAIT][LATENCY_START].count, 3);
    free(rows);
    end(&loop, latency);
}

static void what_came_in_the_last_minute_is_told_in_sums(void **context)
{
    (void)context;
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct latency *latency = latency_open(&loop);
    struct meter_share *share = meter_share("c", "d", "u", "sums", 0);
    const struct meter *meter = meters_first();
    while (strcmp(meter->node, "sums") != 0)
        meter = meter->next;
    histogram_add(&share->phases[METER_NODE], 1000);
    meter_add(share, METER_BINDS, 3);
    struct latency_minute minute = {0};
    latency_minute(latency, meter, &minute); /* nothing was noted yet: all since the start */
    assert_int_equal(minute.counts[METER_NODE], 1);
    assert_int_equal(minute.us[METER_NODE], 1000);
    assert_int_equal(minute.sums[METER_BINDS], 3);
    for (int note = 0; note < 6; note++)
        latency_note(latency);
    histogram_add(&share->phases[METER_NODE], 10);
    meter_add(share, METER_BINDS, 2);
    minute = (struct latency_minute){0};
    latency_minute(latency, meter, &minute);
    latency_minute(latency, meter, &minute); /* adds */
    assert_int_equal(minute.counts[METER_NODE], 2);
    assert_int_equal(minute.us[METER_NODE], 20);
    assert_int_equal(minute.sums[METER_BINDS], 4);
    assert_in_range(minute.period_us, 0, 1000000);
    end(&loop, latency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_minute_forgets_what_is_older),
        cmocka_unit_test(nodes_and_pools_are_added_up_each_for_itself),
        cmocka_unit_test(what_came_in_the_last_minute_is_told_in_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
