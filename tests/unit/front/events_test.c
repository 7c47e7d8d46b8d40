/* The ring of events, and how the doors show it. */
#include "front_test.h"
#include "proxy/front/events_json.h"
#include "proxy/front/stats_json.h"

#include <jansson.h>

static void add(struct events *events, int n)
{
    for (int i = 0; i < n; i++) {
        struct event event = {.kind = EVENT_NODE_DOWN, .cluster = "main", .node = "a"};
        event_say(event.text, sizeof event.text, "number %d", (int)events_newest(events) + 1);
        events_add(events, &event);
    }
}

static void numbers_rise_by_one_and_the_oldest_are_forgotten(void **state)
{
    (void)state;
    struct events *events = events_new();
    assert_null(events_after(events, 0));
    add(events, 3);
    assert_int_equal(events_after(events, 0)->id, 1);
    assert_string_equal(events_after(events, 2)->text, "number 3");
    assert_true(events_after(events, 2)->at_ms > UINT64_C(1700000000000));
    assert_null(events_after(events, 3));
    assert_null(events_after(events, UINT64_MAX));
    add(events, (int)EVENTS_KEPT);
    assert_int_equal(events_newest(events), EVENTS_KEPT + 3);
    assert_int_equal(events_after(events, 0)->id, 4);
    uint64_t id = 0, n = 0;
    for (const struct event *event; (event = events_after(events, id)); id = event->id)
        n++;
    assert_int_equal(n, EVENTS_KEPT);
    events_free(events);
}

static json_t *ask(struct front *front, const char *since, unsigned want)
{
    const struct http_asked asked = {.view = &front->view, .since = since};
    struct output body = {0};
    assert_int_equal(events_json_answer(&asked, &body), want);
    json_t *root = json_loadb(body.data, body.len, 0, NULL);
    assert_non_null(root);
    output_fini(&body);
    return root;
}

static size_t told(struct front *front, const char *since)
{
    json_t *root = ask(front, since, 200);
    size_t n = json_array_size(json_object_get(root, "events"));
    json_decref(root);
    return n;
}

static void a_client_asks_for_what_is_new(void **state)
{
    (void)state;
    struct front *front = front_new();
    front->view.events = events_new();
    assert_int_equal(told(front, NULL), 0);
    add(front->view.events, 5);
    assert_int_equal(told(front, NULL), 5);
    assert_int_equal(told(front, "3"), 2);
    assert_int_equal(told(front, "5"), 0);
    assert_int_equal(told(front, "6"), 5); /* of an earlier process */
    json_t *root = ask(front, "4", 200);
    assert_int_equal(json_integer_value(json_object_get(root, "newest")), 5);
    json_t *event = json_array_get(json_object_get(root, "events"), 0);
    assert_string_equal(json_string_value(json_object_get(event, "kind")), "node_down");
    assert_string_equal(json_string_value(json_object_get(event, "weight")), "trouble");
    assert_string_equal(json_string_value(json_object_get(event, "text")), "number 5");
    assert_true(json_is_null(json_object_get(event, "reason")));
    assert_true(json_is_null(json_object_get(event, "count")));
    json_decref(root);
    static const char *const bad[] = {"", "x", "-1", "+1", " 1", "1x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        json_decref(ask(front, bad[i], 400));
    events_free(front->view.events);
    front_free(front);
}

static void what_is_no_utf8_is_told_with_question_marks(void **state)
{
    (void)state;
    struct front *front = front_new();
    front->view.events = events_new();
    struct event event = {.kind = EVENT_LOGIN_FAILURES, .count = 7, .evidence = "user \"\xff<b>\""};
    events_add(front->view.events, &event);
    json_t *root = ask(front, NULL, 200);
    json_t *shown = json_array_get(json_object_get(root, "events"), 0);
    assert_string_equal(json_string_value(json_object_get(shown, "evidence")), "user \"?<b>\"");
    assert_int_equal(json_integer_value(json_object_get(shown, "count")), 7);
    json_decref(root);
    events_free(front->view.events);
    front_free(front);
}

static void show_events_tells_the_same_and_checks_its_argument(void **state)
{
    (void)state;
    struct front *front = front_new();
    struct result result;
    assert_non_null(front_run(front, "SHOW EVENTS", false, &result));
    assert_int_equal(result_rows(&result), 0);
    result_fini(&result);
    front->view.events = events_new();
    add(front->view.events, 3);
    assert_non_null(front_run(front, "SHOW EVENTS", false, &result));
    assert_int_equal(result_rows(&result), 3);
    assert_string_equal(front_cell(&result, 2, "id"), "3");
    assert_string_equal(front_cell(&result, 2, "kind"), "node_down");
    assert_string_equal(front_cell(&result, 2, "text"), "number 3");
    assert_string_equal(front_cell(&result, 2, "reason"), "NULL");
    result_fini(&result);
    assert_non_null(front_run(front, "show events since 2", false, &result));
    assert_int_equal(result_rows(&result), 1);
    result_fini(&result);
    static const char *const bad[] = {"show events 2", "show events since", "show events since x",
        "show events since 1 2", "show events since -1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(front_run(front, bad[i], false, &result));
        assert_non_null(strstr(front->error, "[SINCE id]"));
    }
    events_free(front->view.events);
    front_free(front);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_rise_by_one_and_the_oldest_are_forgotten),
        cmocka_unit_test(a_client_asks_for_what_is_new),
        cmocka_unit_test(what_is_no_utf8_is_told_with_question_marks),
        cmocka_unit_test(show_events_tells_the_same_and_checks_its_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
