/* The monitor's table: what is taken over from an answer, what is refused, and the words that come of it. */
#include "health/manager/monitor_table.h"
#include "tests/unit/health/unit.h"

#include <libpq-fe.h>

#define GRACE_US 5000000u

/* An answer as pgconn gives it, of rows "name host port goal reported age"; "-" is NULL. */
struct made {
    PGresult *result;
    struct pgconn_answer answer;
};

static void make(struct made *made, const char *const *rows, int n)
{
    static const char *const names[MONITOR_COLUMNS] = {"a", "b", "c", "d", "e", "f"};
    PGresAttDesc columns[MONITOR_COLUMNS] = {{0}};
    for (int i = 0; i < MONITOR_COLUMNS; i++)
        columns[i].name = (char *)names[i];
    made->result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_true(PQsetResultAttrs(made->result, MONITOR_COLUMNS, columns));
    for (int row = 0; row < n; row++) {
        char text[512], *rest = text;
        snprintf(text, sizeof text, "%s", rows[row]);
        for (int column = 0; column < MONITOR_COLUMNS; column++) {
            char *field = strsep(&rest, " ");
            int len = strcmp(field, "-") == 0 ? -1 : (int)strlen(field);
            assert_true(PQsetvalue(made->result, row, column, field, len));
        }
    }
    made->answer = (struct pgconn_answer){
        .outcome = PGCONN_OK, .rows = n, .columns = MONITOR_COLUMNS, .result = made->result};
}

static bool read_at(
    struct monitor_table *table, const char *const *rows, int n, uint64_t now_us, struct error *error)
{
    struct made made;
    make(&made, rows, n);
    bool good = monitor_table_read(table, &made.answer, now_us, error);
    PQclear(made.result);
    return good;
}

static void must_read(struct monitor_table *table, const char *const *rows, int n, uint64_t now_us)
{
    struct error error;
    if (!read_at(table, rows, n, now_us, &error))
        fail_msg("%s", error.text);
}

static const char *const three[] = {"n1 h1 5001 primary primary 500", "n2 h2 5002 secondary secondary 500",
    "n3 h2 5003 secondary secondary 500"};

static void rows_become_nodes(void **state)
{
    (void)state;
    struct monitor_table table = {0};
    must_read(&table, three, 3, 1);
    assert_int_equal(table.n, 3);
    assert_string_equal(table.nodes[2].member.name, "n3");
    assert_string_equal(table.nodes[2].member.host, "h2");
    assert_int_equal(table.nodes[2].member.port, 5003);
    assert_int_equal(table.nodes[0].goal, MONITOR_PRIMARY);
    assert_ptr_equal(monitor_table_find(&table, "h2", 5003), &table.nodes[2]);
    assert_null(monitor_table_find(&table, "h2", 5001));
    assert_null(monitor_table_find(&table, "h3", 5003));
}

static void a_node_that_is_being_dropped_is_none(void **state)
{
    (void)state;
    static const char *const rows[] = {"n1 h1 5001 primary primary 500", "n2 h2 5002 dropped secondary 500"};
    struct monitor_table table = {0};
    must_read(&table, rows, 2, 1);
    assert_int_equal(table.n, 1);
    assert_null(monitor_table_find(&table, "h2", 5002));
}

static void what_cannot_be_used_changes_nothing(void **state)
{
    (void)state;
    static char long_name[200], long_host[400];
    snprintf(long_name, sizeof long_name, "%0*d h 1 primary primary 0", NODE_NAME_MAX, 0);
    snprintf(long_host, sizeof long_host, "n %0*d 1 primary primary 0", MANAGER_HOST_MAX, 0);
    const char *const bad[] = {"- h 1 primary primary 0", "n - 1 primary primary 0",
        "n h - primary primary 0", "n h 0 primary primary 0", "n h 65536 primary primary 0",
        "n h 1x primary primary 0", "n h -1 primary primary 0", "n h 99999999999999999999 primary primary 0",
        long_name, long_host, "n1 h1 5001 dropped primary 0"};
    struct monitor_table table = {0}, before;
    must_read(&table, three, 3, 1);
    before = table;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct error error = {0};
        assert_false(read_at(&table, &bad[i], 1, 2, &error));
        assert_true(error.text[0]);
        assert_memory_equal(&table, &before, sizeof table);
    }
    struct error error;
    assert_false(read_at(&table, NULL, 0, 2, &error));
    assert_non_null(strstr(error.text, "monitor_formation"));
    assert_memory_equal(&table, &before, sizeof table);
}

static void more_nodes_than_can_be_watched_are_refused(void **state)
{
    (void)state;
    static char texts[TOPOLOGY_MAX_NODES + 1][64];
    const char *rows[TOPOLOGY_MAX_NODES + 1];
    struct monitor_table table = {0};
    struct error error;
    for (int i = 0; i <= TOPOLOGY_MAX_NODES; i++) {
        snprintf(texts[i], sizeof texts[i], "n%d h %d secondary secondary 0", i, i + 1);
        rows[i] = texts[i];
    }
    must_read(&table, rows, TOPOLOGY_MAX_NODES, 1);
    assert_int_equal(table.n, TOPOLOGY_MAX_NODES);
    assert_false(read_at(&table, rows, TOPOLOGY_MAX_NODES + 1, 1, &error));
    assert_int_equal(table.n, TOPOLOGY_MAX_NODES);
}

static void only_what_the_judge_should_know_is_a_difference(void **state)
{
    (void)state;
    static const char *const others[] = {"n9 h1 5001 primary primary 500", "n1 h9 5001 primary primary 500",
        "n1 h1 5009 primary primary 500", "n1 h1 5001 draining primary 500",
        "n1 h1 5001 primary wait_primary 500", "n1 h1 5001 primary primary 10001"};
    struct monitor_table table = {0}, later = {0};
    must_read(&table, three, 1, 1);
    static const char *const same[] = {"n1 h1 5001 primary primary 9000"};
    must_read(&later, same, 1, 2);
    assert_false(monitor_table_differs(&table, &later));
    for (size_t i = 0; i < COUNT(others); i++) {
        must_read(&later, &others[i], 1, 2);
        assert_true(monitor_table_differs(&table, &later));
    }
    must_read(&later, three, 2, 2);
    assert_true(monitor_table_differs(&table, &later));
}

static struct manager_word word_of(
    const struct monitor_table *table, size_t node, uint64_t now_us, uint64_t silent_us)
{
    const struct monitor_rules rules = {.grace_us = GRACE_US};
    struct manager_word word;
    monitor_table_word(node < table->n ? &table->nodes[node] : NULL, now_us, silent_us, &rules, &word);
    return word;
}

static void a_word_stands_until_there_is_another(void **state)
{
    (void)state;
    struct monitor_table table = {0};
    must_read(&table, three, 3, 1);
    struct manager_word word = word_of(&table, 0, 100000000, GRACE_US - 1);
    assert_true(word.heard);
    assert_int_equal(word.role, MANAGER_PRIMARY);
    assert_int_equal(word.age_ms, 0);
    assert_int_equal(word_of(&table, 1, 100000000, GRACE_US - 1).role, MANAGER_REPLICA);
}

static void a_silent_monitor_leaves_the_choice_to_postgresql(void **state)
{
    (void)state;
    static const char *const rows[] = {"n1 h1 5001 draining primary 0", "n2 h2 5002 secondary secondary 0"};
    struct monitor_table table = {0};
    must_read(&table, rows, 2, 1);
    assert_int_equal(word_of(&table, 0, 2, GRACE_US).role, MANAGER_NONE);
    assert_int_equal(word_of(&table, 1, 2, GRACE_US).role, MANAGER_ABSTAINS);
    assert_int_equal(word_of(&table, 1, 2, GRACE_US).age_ms, 0);
}

static void of_a_node_that_it_does_not_list_it_says_nothing_but_by_silence(void **state)
{
    (void)state;
    struct monitor_table table = {0};
    struct manager_word word = word_of(&table, 0, 2, 0);
    assert_false(word.heard);
    assert_int_equal(word.role, MANAGER_NONE);
    word = word_of(&table, 0, 2, GRACE_US); /* rolecall was started while the monitor was down */
    assert_true(word.heard);
    assert_int_equal(word.role, MANAGER_ABSTAINS);
}

static void a_primary_leaves_no_longer_than_the_grace(void **state)
{
    (void)state;
    static const char *const rows[] = {"n1 h1 5001 draining primary 0"};
    struct monitor_table table = {0};
    must_read(&table, rows, 1, 1000000);
    must_read(&table, rows, 1, 3000000); /* read again: it leaves since the first */
    struct manager_word word = word_of(&table, 0, 5000000, 0);
    assert_int_equal(word.role, MANAGER_LEAVING);
    assert_int_equal(word.age_ms, 4000);
    word = word_of(&table, 0, 6000000, 0);
    assert_int_equal(word.role, MANAGER_NONE);
    assert_int_equal(word.age_ms, 0);
    must_read(&table, three, 1, 7000000); /* called off */
    must_read(&table, rows, 1, 8000000);
    assert_int_equal(word_of(&table, 0, 8000000, 0).role, MANAGER_LEAVING);
}

static void a_draining_primary_may_be_served_until_it_stops(void **state)
{
    (void)state;
    static const char *const lines[] = {"n1 h1 5001 draining primary 0",
        "n2 h2 5002 demote_timeout primary 0", "n3 h3 5003 draining primary 60000",
        "n4 h4 5004 draining draining 0"};
    const enum manager_role during[] = {MANAGER_PRIMARY, MANAGER_LEAVING, MANAGER_LEAVING, MANAGER_NONE};
    const struct monitor_rules rules = {.grace_us = GRACE_US, .serve_draining = true};
    struct monitor_table table = {0};
    must_read(&table, lines, 4, 1000000);
    for (size_t i = 0; i < COUNT(during); i++) {
        struct manager_word word;
        monitor_table_word(&table.nodes[i], 1000000 + GRACE_US - 1, 0, &rules, &word);
        assert_int_equal(word.role, during[i]);
        monitor_table_word(&table.nodes[i], 1000000 + GRACE_US, 0, &rules, &word);
        assert_int_equal(word.role, MANAGER_NONE);
    }
}

static void a_silent_keeper_is_told_and_takes_nothing_away(void **state)
{
    (void)state;
    static const char *const rows[] = {"n1 h1 5001 primary primary 60000"};
    struct monitor_table table = {0};
    must_read(&table, rows, 1, 1);
    struct manager_word word = word_of(&table, 0, 2, 0);
    assert_int_equal(word.role, MANAGER_PRIMARY);
    assert_string_equal(word.why, "the monitor has it as primary, its pg_autoctl is silent");
}

static void a_relation_is_quoted_whatever_is_in_it(void **state)
{
    (void)state;
    char query[MONITOR_QUERY_MAX], name[300];
    monitor_table_query("pgautofailover.node", query);
    assert_non_null(strstr(query, " FROM \"pgautofailover\".\"node\" WHERE"));
    monitor_table_query("node", query);
    assert_non_null(strstr(query, " FROM \"node\" WHERE"));
    monitor_table_query("a\"b; drop.c\"; --", query);
    assert_non_null(strstr(query, " FROM \"a\"\"b; drop\".\"c\"\"; --\" WHERE"));
    memset(name, '"', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    monitor_table_query(name, query); /* cut off, and closed */
    assert_true(strlen(query) < MONITOR_QUERY_MAX);
    assert_non_null(strstr(query, "\" WHERE formationid = $1"));
    name[140] = '.';
    monitor_table_query(name, query);
    assert_non_null(strstr(query, "\" WHERE formationid = $1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_nodes),
        cmocka_unit_test(a_node_that_is_being_dropped_is_none),
        cmocka_unit_test(what_cannot_be_used_changes_nothing),
        cmocka_unit_test(more_nodes_than_can_be_watched_are_refused),
        cmocka_unit_test(only_what_the_judge_should_know_is_a_difference),
        cmocka_unit_test(a_word_stands_until_there_is_another),
        cmocka_unit_test(a_silent_monitor_leaves_the_choice_to_postgresql),
        cmocka_unit_test(of_a_node_that_it_does_not_list_it_says_nothing_but_by_silence),
        cmocka_unit_test(a_primary_leaves_no_longer_than_the_grace),
        cmocka_unit_test(a_draining_primary_may_be_served_until_it_stops),
        cmocka_unit_test(a_silent_keeper_is_told_and_takes_nothing_away),
        cmocka_unit_test(a_relation_is_quoted_whatever_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
