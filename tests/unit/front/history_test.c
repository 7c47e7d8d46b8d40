/* The last ten minutes in numbers. */
#include "front_test.h"
#include "proxy/front/history.h"

#include <jansson.h>

static json_t *ask(struct front *front)
{
    const struct http_asked asked = {.view = &front->view};
    struct output body = {0};
    assert_int_equal(history_answer(&asked, &body), 200);
    json_t *root = json_loadb(body.data, body.len, 0, NULL);
    assert_non_null(root);
    output_fini(&body);
    return root;
}

static size_t rows(struct front *front)
{
    json_t *root = ask(front);
    size_t n = json_array_size(json_object_get(root, "rows"));
    json_decref(root);
    return n;
}

static void the_oldest_rows_are_forgotten_and_each_has_every_column(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct front *front = front_new();
    assert_int_equal(rows(front), 0); /* none is kept */
    uv_loop_init(&loop);
    struct history *history = history_open(&loop, &front->view);
    assert_int_equal(rows(front), 0);
    front_set_topology(front, 0);
    atomic_store(&front->view.topologies[0]->live->holding, 5);
    atomic_store(&front->view.topologies[0]->nodes[0].live->connections, 3);
    atomic_store(&front->view.topologies[0]->nodes[1].live->connections, 4);
    history_note(history);
    json_t *root = ask(front), *columns = json_object_get(root, "columns");
    json_t *row = json_array_get(json_object_get(root, "rows"), 0);
    assert_int_equal(json_array_size(row), json_array_size(columns));
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const char *name = json_string_value(json_array_get(columns, i));
        json_int_t value = json_integer_value(json_array_get(row, i));
        if (strcmp(name, "holding") == 0)
            assert_int_equal(value, 5);
        if (strcmp(name, "connections") == 0)
            assert_int_equal(value, 7);
        if (strcmp(name, "at_ms") == 0)
            assert_true(value > INT64_C(1700000000000));
    }
    json_decref(root);
    for (unsigned i = 0; i < HISTORY_ROWS + 10; i++)
        history_note(history);
    assert_int_equal(rows(front), HISTORY_ROWS);
    history_close(history);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    history_free(history);
    front->view.history = NULL;
    front_free(front);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_rows_are_forgotten_and_each_has_every_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
