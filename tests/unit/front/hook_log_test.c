/* What is remembered of hooks that have run. */
#include "proxy/front/hook_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void each_hook_of_each_cluster_is_counted_for_itself(void **context)
{
    (void)context;
    static const struct event events[] = {
        {.kind = EVENT_HOOK, .cluster = "a", .hook = "on_split", .text = "on_split ended well", .at_ms = 5},
        {.kind = EVENT_HOOK_FAILED,
            .cluster = "a",
            .hook = "on_split",
            .text = "on_split failed",
            .reason = "status 1",
            .at_ms = 7},
        {.kind = EVENT_HOOK, .cluster = "b", .hook = "on_split", .text = "on_split ended well"},
        {.kind = EVENT_SPLIT, .cluster = "a", .hook = "rejoin"},
    };
    struct hook_log *log = hook_log_new();
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        hook_log_add(log, &events[i]);
    struct hook_record record = hook_log_find(log, "a", "on_split");
    assert_int_equal(record.runs, 2);
    assert_int_equal(record.failures, 1);
    assert_int_equal(record.last_ms, 7);
    assert_string_equal(record.last, "on_split failed: status 1");
    record = hook_log_find(log, "b", "on_split");
    assert_int_equal(record.runs, 1);
    assert_int_equal(record.failures, 0);
    assert_true(record.last_ms > 0);
    assert_int_equal(hook_log_find(log, "a", "rejoin").runs, 0);
    assert_int_equal(hook_log_find(NULL, "a", "on_split").runs, 0);
    hook_log_free(log);
    hook_log_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_hook_of_each_cluster_is_counted_for_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
