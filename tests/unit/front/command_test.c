/* The table of commands, finding one, and those that need nothing but the view. */
#include "front_test.h"

#include "proxy/front/command_handlers.h"

#include <ctype.h>

static void every_entry_of_the_table_is_complete(void **state)
{
    size_t n;
    const struct command *table = command_table(&n);
    (void)state;
    assert_true(n > 10);
    for (size_t i = 0; i < n; i++) {
        assert_true(table[i].words[0] && table[i].run && table[i].shape);
        assert_true(!table[i].arguments || table[i].arguments[0]);
        assert_true(!table[i].prepare || table[i].arguments);
        for (const char *at = table[i].words; *at; at++)
            assert_true(
                isupper((unsigned char)*at) || ((*at == ' ' || *at == '_') && isupper((unsigned char)at[1])));
        assert_true(table[i].shape->n <= RESULT_COLUMNS_MAX);
        for (size_t other = 0; other < i; other++)
            assert_string_not_equal(table[i].words, table[other].words);
        for (uint32_t column = 0; column < table[i].shape->n; column++)
            for (uint32_t other = 0; other < column; other++)
                assert_string_not_equal(
                    table[i].shape->columns[column].name, table[i].shape->columns[other].name);
    }
}

static void help_lists_every_command_but_those_of_drivers(void **state)
{
    struct front *front = front_new();
    struct result result;
    size_t n, shown = 0;
    const struct command *table = command_table(&n);
    (void)state;
    assert_non_null(front_run(front, "show help", false, &result));
    for (size_t i = 0; i < n; i++)
        if (table[i].help)
            assert_string_equal(front_cell(&result, shown++, "command"), table[i].words);
    assert_int_equal(result_rows(&result), shown);
    result_fini(&result);
    front_free(front);
}

static void commands_are_found_in_any_case_and_spacing(void **state)
{
    static const char *const spellings[] = {
        "show nodes", "SHOW NODES", "Show   Nodes", "/* x */ show -- y\n nodes"};
    struct front *front = front_new();
    struct result result;
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        assert_non_null(front_run(front, spellings[i], false, &result));
        result_fini(&result);
    }
    front_free(front);
}

static void what_cannot_be_run_is_refused_clearly(void **state)
{
    static const struct {
        const char *command;
        bool is_admin;
        const char *sqlstate, *text;
    } table[] = {
        {"show node", true, "42601", "did you mean SHOW NODES?"},
        {"show clinets", true, "42601", "did you mean SHOW CLIENTS?"},
        {"show nods please", true, "42601", "did you mean SHOW NODES?"},
        {"show nothing", true, "42601", "unknown command \"SHOW NOTHING\"; HELP lists all"},
        {"shwo nodes", true, "42601", "did you mean SHOW NODES?"},
        {"reloda", true, "42601", "did you mean RELOAD?"},
        {"select 1", true, "42601", "unknown command \"SELECT 1\"; HELP lists all"},
        {"'show' nodes", true, "42601", "unknown command"},
        {"\xff\xfe\n", true, "42601", "unknown command \"??\""},
        {"show", true, "42601", "unknown command \"SHOW\""},
        {"show nodes now", true, "42601", "SHOW NODES takes no argument"},
        {"reload", false, "42501", "permission denied: RELOAD"},
        {"shutdown", false, "42501", "permission denied: SHUTDOWN"},
        {"log level info", false, "42501", "permission denied: LOG LEVEL"},
        {"log level", true, "22023", "wants one of error | warning | info | debug"},
        {"log level loud", true, "22023", "wants one of"},
        {"log level info debug", true, "22023", "wants one of"},
        {"explain route select 1", true, "42601", "wants the statement in quotes"},
        {"explain route", true, "42601", "wants the statement in quotes"},
        {"explain route 'select 1' database", true, "42601", "[DATABASE name] [LISTENER name]"},
        {"explain route 'select 1' with x", true, "42601", "[DATABASE name] [LISTENER name] [FOR session]"},
        {"explain route 'select 1' for x", true, "42601", "FOR wants the id of a session"},
        {"explain route 'select 1' for 0.1 listener x", true, "42601", "a session has its database"},
        {"explain route 'select 1' listener x", true, "22023", "there is no listener \"x\""},
    };
    struct front *front = front_new();
    struct result result;
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_null(front_run(front, table[i].command, table[i].is_admin, &result));
        assert_string_equal(front->sqlstate, table[i].sqlstate);
        if (!strstr(front->error, table[i].text))
            fail_msg("%s: %s", table[i].command, front->error);
    }
    assert_int_equal(front->reloads + front->stops, 0);
    front_free(front);
}

static void a_very_long_word_is_named_in_part(void **state)
{
    char *text = malloc(60001);
    struct front *front = front_new();
    struct result result;
    (void)state;
    memset(text, 'x', 60000);
    text[60000] = 0;
    assert_null(front_run(front, text, true, &result));
    assert_true(strlen(front->error) < 120);
    free(text);
    front_free(front);
}

static void what_drivers_send_does_nothing(void **state)
{
    static const char *const commands[] = {"BEGIN", "begin transaction read only", "start transaction",
        "COMMIT", "rollback", "set client_encoding to 'UTF8'", "SET a = 'b'", "deallocate all", "discard all",
        "reset all"};
    struct front *front = front_new();
    struct result result;
    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        assert_non_null(front_run(front, commands[i], false, &result));
        assert_int_equal(result_rows(&result), 0);
        result_fini(&result);
    }
    front_free(front);
}

static void reload_and_shutdown_reach_the_program(void **state)
{
    struct front *front = front_new();
    struct result result;
    (void)state;
    assert_non_null(front_run(front, "reload", true, &result));
    assert_null(front_run(front, "reload", true, &result));
    assert_string_equal(front->error, "a bad file");
    assert_non_null(front_run(front, "shutdown", true, &result));
    assert_int_equal(front->stops, 1);
    assert_int_equal(front->stop, STOP_DRAIN);
    assert_non_null(front_run(front, "shutdown wait", true, &result));
    assert_int_equal(front->stop, STOP_WAIT);
    assert_non_null(front_run(front, "SHUTDOWN IMMEDIATE", true, &result));
    assert_int_equal(front->stop, STOP_NOW);
    assert_null(front_run(front, "shutdown later", true, &result));
    assert_null(front_run(front, "shutdown wait immediate", true, &result));
    assert_int_equal(front->stops, 3);
    front_free(front);
}

static void log_level_is_set(void **state)
{
    struct front *front = front_new();
    struct result result;
    enum log_level before = log_get_level();
    (void)state;
    assert_non_null(front_run(front, "log level ERROR", true, &result));
    assert_int_equal(log_get_level(), LOG_ERROR);
    assert_non_null(front_run(front, "log level debug", true, &result));
    assert_int_equal(log_get_level(), LOG_DEBUG);
    log_set_level(before);
    front_free(front);
}

static void nodes_are_shown_as_the_newest_topology_has_them(void **state)
{
    struct front *front = front_new();
    struct result result;
    (void)state;
    assert_non_null(front_run(front, "show nodes", false, &result));
    assert_int_equal(result_rows(&result), 0);
    front_set_topology(front, 1);
    front_set_topology(front, 0);
    assert_non_null(front_run(front, "show nodes", false, &result));
    assert_int_equal(result_rows(&result), 2);
    assert_string_equal(front_cell(&result, 0, "role"), "primary");
    assert_string_equal(front_cell(&result, 0, "lag_bytes"), "NULL");
    assert_string_equal(front_cell(&result, 1, "node"), "b");
    assert_string_equal(front_cell(&result, 1, "role"), "replica");
    assert_string_equal(front_cell(&result, 1, "lag_bytes"), "512");
    assert_string_equal(front_cell(&result, 1, "host"), "hb");
    assert_string_equal(front_cell(&result, 1, "max_connections"), "NULL");
    assert_string_equal(front_cell(&result, 1, "reason"), "as told");
    result_fini(&result);
    front_free(front);
}

static void a_cluster_without_a_primary_says_why(void **state)
{
    struct front *front = front_new();
    struct result result;
    (void)state;
    assert_non_null(front_run(front, "show clusters", false, &result));
    assert_string_equal(front_cell(&result, 0, "reason"), "no node has been probed yet");
    result_fini(&result);
    front_set_topology(front, -1);
    assert_non_null(front_run(front, "show clusters", false, &result));
    assert_string_equal(front_cell(&result, 0, "primary"), "NULL");
    assert_string_equal(front_cell(&result, 0, "reason"), "nobody came");
    assert_string_equal(front_cell(&result, 0, "replicas"), "2");
    result_fini(&result);
    front_free(front);
}

static void the_configuration_is_shown_without_secrets(void **state)
{
    struct front *front = front_new();
    struct result result;
    size_t secrets = 0;
    (void)state;
    assert_non_null(front_run(front, "show config", false, &result));
    for (size_t row = 0; row < result_rows(&result); row++) {
        assert_null(strstr(front_cell(&result, row, "value"), "hush"));
        secrets += strcmp(front_cell(&result, row, "value"), "********") == 0;
    }
    assert_int_equal(secrets, 3); /* the probe's, auth_password filled in from it, the database's */
    result_fini(&result);
    front_free(front);
}

/* The value of a key; "absent" when it is not shown. */
static const char *shown(const struct result *result, const char *key, const char *column)
{
    for (size_t row = 0; row < result_rows(result); row++)
        if (strcmp(front_cell(result, row, "key"), key) == 0)
            return front_cell(result, row, column);
    return "absent";
}

static void values_are_shown_as_they_would_be_written(void **state)
{
    struct front *front = front_new();
    struct result result;
    (void)state;
    assert_non_null(front_run(front, "show config", false, &result));
    assert_string_equal(shown(&result, "login_timeout", "value"), "15s");
    assert_string_equal(shown(&result, "login_timeout", "changeable"), "yes");
    assert_string_equal(shown(&result, "workers", "changeable"), "no");
    assert_string_equal(shown(&result, "query_timeout", "value"), "0");
    assert_string_equal(shown(&result, "stream_buffer", "value"), "256kB");
    assert_string_equal(shown(&result, "[node b] cluster", "value"), "main");
    assert_string_equal(shown(&result, "[node b] port", "value"), "2");
    assert_string_equal(shown(&result, "[listener split] route", "value"), "split");
    assert_string_equal(shown(&result, "[listener split] route", "default"), "primary");
    assert_string_equal(shown(&result, "[listener split] unix_socket_mode", "value"), "0777");
    assert_string_equal(shown(&result, "[user u] pool_size", "value"), "3");
    assert_string_equal(shown(&result, "[user u] min_pool_size", "value"), "absent");
    result_fini(&result);
    front_free(front);
}

static void a_reload_forgets_clusters_that_are_gone(void **state)
{
    static const char other[] = "[cluster other]\n[node x]\nhost = h\n[listener l]\naddress = *:1\n";
    struct front *front = front_new();
    struct error error = {0};
    struct config *config = config_parse_text("/c", other, strlen(other), &error);
    (void)state;
    front_set_topology(front, 0);
    admin_view_set_catalogue(&front->view, catalogue_new("main", "shop"));
    admin_view_set_catalogue(&front->view, catalogue_new("other", "shop"));
    assert_true(admin_view_set_config(&front->view, config));
    config_unref(config);
    assert_int_equal(admin_view_cluster(&front->view, "main"), -1);
    assert_int_equal(admin_view_cluster(&front->view, "other"), 0);
    assert_null(front->view.topologies[0]);
    assert_null(admin_view_catalogue(&front->view, "main", "shop"));
    assert_non_null(admin_view_catalogue(&front->view, "other", "shop"));
    front_set_topology(front, 0); /* comes late, is dropped */
    assert_null(front->view.topologies[0]);
    front_free(front);
}

static void the_id_of_a_session_is_read_or_refused(void **state)
{
    static const char *const bad[] = {
        "", ".", "1", "1.", ".1", "1.x", "1.1x", "-1.1", "1.-1", " 1.1", "1.1 ", "4294967296.1", "a.b"};
    uint32_t worker;
    uint64_t serial;
    (void)state;
    assert_true(session_id_parse("3.18446744073709551615", &worker, &serial));
    assert_int_equal(worker, 3);
    assert_true(session_id_parse("0.17", &worker, &serial));
    assert_int_equal(serial, 17);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(session_id_parse(bad[i], &worker, &serial));
}

static void listeners_are_shown(void **state)
{
    struct front *front = front_new();
    struct result result;
    (void)state;
    assert_non_null(front_run(front, "show listeners", false, &result));
    assert_int_equal(result_rows(&result), 2);
    assert_string_equal(front_cell(&result, 1, "listener"), "split");
    assert_string_equal(front_cell(&result, 1, "route"), "split");
    assert_string_equal(front_cell(&result, 1, "clients"), "0");
    result_fini(&result);
    front_free(front);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_of_the_table_is_complete),
        cmocka_unit_test(help_lists_every_command_but_those_of_drivers),
        cmocka_unit_test(commands_are_found_in_any_case_and_spacing),
        cmocka_unit_test(what_cannot_be_run_is_refused_clearly),
        cmocka_unit_test(a_very_long_word_is_named_in_part),
        cmocka_unit_test(what_drivers_send_does_nothing),
        cmocka_unit_test(reload_and_shutdown_reach_the_program),
        cmocka_unit_test(log_level_is_set),
        cmocka_unit_test(nodes_are_shown_as_the_newest_topology_has_them),
        cmocka_unit_test(a_cluster_without_a_primary_says_why),
        cmocka_unit_test(the_configuration_is_shown_without_secrets),
        cmocka_unit_test(values_are_shown_as_they_would_be_written),
        cmocka_unit_test(a_reload_forgets_clusters_that_are_gone),
        cmocka_unit_test(the_id_of_a_session_is_read_or_refused),
        cmocka_unit_test(listeners_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
