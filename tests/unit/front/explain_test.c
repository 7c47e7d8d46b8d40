/* EXPLAIN ROUTE, by table: the verdict that a session would get. */
#include "front_test.h"

static struct front *front_with_catalogue(void)
{
    struct front *front = front_new();
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_add_function(catalogue, "public", "careful", NAME_SPECIAL);
    catalogue_add_function(catalogue, "public", "plain", NAME_HARMLESS);
    catalogue_add_relation(catalogue, "public", "seq", NAME_SPECIAL);
    admin_view_set_catalogue(&front->view, catalogue);
    front_set_topology(front, 0);
    return front;
}

static void statements_go_where_sessions_would_send_them(void **state)
{
    static const struct {
        const char *arguments, *verdict, *node, *class, *reason, *culprit;
    } table[] = {
        {"'select 1' database shop", "read", "b", "read", "read", NULL},
        {"'insert into t values (1)' database shop", "write", "a", "write", "write", "insert"},
        {"'select careful()' database shop", "function_special", "a", "write", "function_special", "careful"},
        {"'select nobody_knows()' database shop", "function_unknown", "a", "write", "function_unknown",
            "nobody_knows"},
        {"'select plain()' database shop", "read", "b", "read", "read", NULL},
        {"'select * from seq' database shop", "relation_special", "a", "write", "relation_special", "seq"},
        {"'select 1; drop table t' database shop", "multiple", "a", "write", "multiple", NULL},
        {"'begin' database shop", "transaction", "a", "transaction", "transaction", NULL},
        {"commit database shop", "transaction", "a", "transaction", "transaction",
            NULL}, /* one word needs no quotes */
        {"'begin read only' database shop", "read", "b", "transaction", "transaction", NULL},
        {"'/* rolecall: primary */ select 1' database shop", "hint_primary", "a", "write", "hint_primary",
            NULL},
        {"'show work_mem' database shop", "show", "a", "write", "show", NULL},
        {"'select 1' database alias", "read", "b", "read", "read", NULL},
        {"'select 1'", "read", "b", "read", "read", NULL}, /* the only database that is known */
        {"$$select 'it''s'$$", "read", "b", "read", "read", NULL},
        {"'select 1' listener rw", "listener", "a", "read", "read", NULL},
        {"'select 1' database elsewhere", "no_catalogue", "a", "read", "read", NULL},
        {"'select ''' database shop", "not_lexed", "a", "write", "not_lexed", NULL},
    };
    struct front *front = front_with_catalogue();
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char command[256] = "explain route ";
        struct result result;
        if (!front_run(front, strcat(command, table[i].arguments), false, &result))
            fail_msg("%s: %s", table[i].arguments, front->error);
        assert_int_equal(result_rows(&result), 1);
        assert_string_equal(front_cell(&result, 0, "verdict"), table[i].verdict);
        assert_string_equal(front_cell(&result, 0, "node"), table[i].node);
        assert_string_equal(front_cell(&result, 0, "class"), table[i].class);
        assert_string_equal(front_cell(&result, 0, "reason"), table[i].reason);
        if (table[i].culprit)
            assert_string_equal(front_cell(&result, 0, "culprit"), table[i].culprit);
        result_fini(&result);
    }
    front_free(front);
}

static void a_catalogue_that_is_missing_is_asked_for(void **state)
{
    struct front *front = front_with_catalogue();
    struct result result;
    (void)state;
    assert_non_null(front_run(front, "explain route 'select 1' database shop", false, &result));
    assert_int_equal(front->asked, 0);
    result_fini(&result);
    assert_non_null(front_run(front, "explain route 'select 1' database elsewhere", false, &result));
    assert_int_equal(front->asked, 1);
    assert_string_equal(front->asked_for, "main/elsewhere");
    assert_string_equal(front_cell(&result, 0, "catalogue"), "not known yet, has been asked for");
    result_fini(&result);
    front_free(front);
}

static void with_several_databases_known_one_must_be_named(void **state)
{
    struct front *front = front_with_catalogue();
    struct result result;
    (void)state;
    admin_view_set_catalogue(&front->view, catalogue_new("main", "more"));
    assert_non_null(front_run(front, "explain route 'select plain()'", false, &result));
    assert_string_equal(front_cell(&result, 0, "verdict"), "function_unknown");
    assert_string_equal(front_cell(&result, 0, "catalogue"), "built-in names only; name a DATABASE");
    assert_string_equal(front_cell(&result, 0, "database"), "NULL");
    result_fini(&result);
    front_free(front);
}

static void without_a_node_it_says_what_would_be_waited_for(void **state)
{
    struct front *front = front_with_catalogue();
    struct result result;
    (void)state;
    front_set_topology(front, -1);
    assert_non_null(
        front_run(front, "explain route 'insert into t values (1)' database shop", false, &result));
    assert_string_equal(front_cell(&result, 0, "node"), "NULL");
    assert_string_equal(front_cell(&result, 0, "wait"), "nobody came");
    result_fini(&result);
    front_free(front);
    front = front_new();
    assert_non_null(front_run(front, "explain route 'select 1'", false, &result));
    assert_string_equal(front_cell(&result, 0, "wait"), "no node has been probed yet");
    result_fini(&result);
    front_free(front);
}

static void what_a_statement_leaves_is_named(void **state)
{
    struct front *front = front_with_catalogue();
    struct result result;
    (void)state;
    assert_non_null(front_run(
        front, "explain route 'listen x; unlisten y; set App.B = 1' database shop", false, &result));
    assert_string_equal(front_cell(&result, 0, "pins"), "listen");
    assert_string_equal(front_cell(&result, 0, "frees"), "listen");
    assert_string_equal(front_cell(&result, 0, "flags"), "multiple,sets");
    assert_string_equal(front_cell(&result, 0, "settings"), "app.b");
    assert_string_equal(front_cell(&result, 0, "statements"), "3");
    result_fini(&result);
    assert_non_null(front_run(front, "explain route 'select 1' database shop", false, &result));
    assert_string_equal(front_cell(&result, 0, "pins"), "NULL");
    assert_string_equal(front_cell(&result, 0, "frees"), "NULL");
    assert_string_equal(front_cell(&result, 0, "flags"), "NULL");
    assert_string_equal(front_cell(&result, 0, "settings"), "NULL");
    result_fini(&result);
    front_free(front);
}

/* What a worker has told, as a row. */
static void of_a_session_everything_is_told_that_its_worker_said(void **state)
{
    struct front *front = front_with_catalogue();
    struct result result;
    const struct word words[] = {{(char *)"select now()", 12, true}};
    struct explanation told[2] = {
        {.found = false}, {.found = true,
                              .has_verdict = true,
                              .verdict = REASON_CONSISTENCY,
                              .has_node = true,
                              .role = ROLE_PRIMARY,
                              .node = "a",
                              .class = {.class = STATEMENT_READ, .statements = 1, .culprit = {NULL, 3}},
                              .culprit_at = 7,
                              .state = "idle",
                              .tx_status = 'T',
                              .owes_begin = true,
                              .pins = PIN_LISTEN,
                              .listener = "rw",
                              .route = "any",
                              .write_epoch = 5,
                              .replayed_epoch = 4,
                              .search_path = "x"}};
    struct survey survey = {.kind = SURVEY_ROUTE, .routes = told, .n = 2};
    struct command_call call = {.view = &front->view,
        .asks = SURVEY_ROUTE,
        .arguments = words,
        .n_arguments = 1,
        .survey = &survey,
        .errand = {.worker = 1, .serial = 9}};
    struct error error = {0};
    size_t n;
    static const char *const cells[][2] = {{"verdict", "consistency"}, {"role", "primary"}, {"node", "a"},
        {"wait", "NULL"}, {"class", "read"}, {"culprit", "now"}, {"listener", "rw"}, {"answered_by", "node"},
        {"session", "1.9"}, {"state", "idle"}, {"transaction", "begun"}, {"session_pins", "listen"},
        {"route", "any"}, {"consistency", "NULL"}, {"write_epoch", "5"}, {"seen_epoch", "0"},
        {"replayed_epoch", "4"}, {"search_path", "x"}};
    (void)state;
    for (call.command = command_table(&n); strcmp(call.command->words, "EXPLAIN ROUTE") != 0;)
        call.command++;
    result_init(&call.result, call.command->shape);
    assert_true(command_run(&call, &error));
    result = call.result;
    assert_int_equal(result_rows(&result), 1);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        assert_string_equal(front_cell(&result, 0, cells[i][0]), cells[i][1]);
    result_fini(&result);
    survey.n = 1;
    assert_false(command_run(&call, &error));
    assert_string_equal(error.text, "there is no session 1.9");
    survey.silent = 1;
    assert_false(command_run(&call, &error));
    assert_string_equal(error.text, "the session's worker did not answer in time");
    front_free(front);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_go_where_sessions_would_send_them),
        cmocka_unit_test(a_catalogue_that_is_missing_is_asked_for),
        cmocka_unit_test(with_several_databases_known_one_must_be_named),
        cmocka_unit_test(without_a_node_it_says_what_would_be_waited_for),
        cmocka_unit_test(what_a_statement_leaves_is_named),
        cmocka_unit_test(of_a_session_everything_is_told_that_its_worker_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
