/* auth_query before a real server: answered, cached, refreshed, and answered from memory during an outage. */
#include "tests/unit/health/postgres.h"
#include "tests/unit/health/unit.h"
#include "tests/unit/health/watcher.h"

struct stage {
    struct postgres postgres;
    struct watcher watcher;
};

static const char quick[] = "probe_interval = 200ms\nprobe_timeout = 300ms\nobservation_ttl = 1500ms\n"
                            "server_login_timeout = 2s\n";

static void begin(struct stage *stage, int n, const char *extra)
{
    if (!postgres_available())
        skip();
    char lines[1024];
    snprintf(lines, sizeof lines, "%s%s", quick, extra);
    postgres_start(&stage->postgres, n);
    postgres_sql(&stage->postgres, 0, "postgres",
        "CREATE ROLE alice LOGIN PASSWORD 'one'; CREATE ROLE nologin; CREATE ROLE nopass LOGIN;"
        "CREATE ROLE \"o'brien\" LOGIN PASSWORD 'x'; CREATE ROLE past LOGIN PASSWORD 'x' VALID UNTIL "
        "'2001-01-01'");
    watcher_start(&stage->watcher, watcher_config(&stage->postgres, lines));
}

static void end(struct stage *stage)
{
    watcher_stop(&stage->watcher);
    postgres_end(&stage->postgres);
}

static uint64_t ask(struct stage *stage, const char *user, bool refresh, uint64_t limit_ms)
{
    static uint64_t ticket = 100;
    int before = (int)stage->watcher.replies;
    watcher_ask_secret(&stage->watcher, user, ++ticket, refresh);
    uint64_t took_ms = watcher_until(&stage->watcher, limit_ms, user, replies_at_least, before + 1);
    assert_int_equal(stage->watcher.ticket, ticket);
    return took_ms;
}

static void the_verifier_of_a_role_that_may_log_in_is_found(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 1, "");
    ask(&stage, "alice", false, 2000); /* asked before the first look has ended: it waits */
    assert_true(stage.watcher.answered);
    assert_true(stage.watcher.found);
    assert_non_null(strstr(stage.watcher.secret, "SCRAM-SHA-256$"));
    ask(&stage, "o'brien", false, 1000);
    assert_true(stage.watcher.found);
    static const char *const unknown[] = {"nologin", "nopass", "past", "nobody", ""};
    for (size_t i = 0; i < COUNT(unknown); i++) {
        ask(&stage, unknown[i], false, 1000);
        assert_true(stage.watcher.answered);
        assert_false(stage.watcher.found);
        assert_string_equal(stage.watcher.secret, "");
    }
    end(&stage);
}

static void an_answer_is_cached_and_a_refresh_asks_again(void **state)
{
    (void)state;
    struct stage stage;
    char before[MESSAGE_SECRET_MAX];
    begin(&stage, 1, "");
    ask(&stage, "alice", false, 2000);
    ask(&stage, "later", false, 1000);
    memcpy(before, stage.watcher.secret, sizeof before);
    ask(&stage, "alice", false, 1000);
    memcpy(before, stage.watcher.secret, sizeof before);
    postgres_sql(&stage.postgres, 0, "postgres",
        "ALTER ROLE alice PASSWORD 'two'; CREATE ROLE later LOGIN PASSWORD 'x'");
    ask(&stage, "alice", false, 1000);
    assert_string_equal(stage.watcher.secret, before);
    ask(&stage, "later", false, 1000);
    assert_false(stage.watcher.found);
    watcher_run(&stage.watcher, 250);
    ask(&stage, "alice", true, 1000);
    assert_string_not_equal(stage.watcher.secret, before);
    memcpy(before, stage.watcher.secret, sizeof before);
    ask(&stage, "alice", false, 1000);
    assert_string_equal(stage.watcher.secret, before);
    ask(&stage, "later", true, 1000);
    assert_true(stage.watcher.found);
    end(&stage);
}

static void what_is_known_is_answered_during_an_outage_and_nothing_else(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 1, "auth_cache_ttl = 100ms\n");
    ask(&stage, "alice", false, 2000);
    ask(&stage, "nobody", false, 2000);
    watcher_run(&stage.watcher, 300);
    postgres_stop(&stage.postgres, 0);
    watcher_until(&stage.watcher, 2000, "down", node_is_down, 0);
    assert_true(ask(&stage, "alice", false, 1000) < 100);
    assert_true(stage.watcher.answered);
    assert_true(stage.watcher.found);
    ask(&stage, "nobody", false, 1000);
    assert_true(stage.watcher.answered);
    assert_false(stage.watcher.found);
    uint64_t took_ms = ask(&stage, "bob", false, 4000);
    assert_false(stage.watcher.answered);
    assert_true(took_ms > 1500); /* it waited for a node until the login's own deadline */
    end(&stage);
}

static void a_replica_answers_while_there_is_no_primary(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 2, "");
    watcher_until(&stage.watcher, 2000, "all roles", all_settled, 0);
    ask(&stage, "alice", false, 2000);
    postgres_stop(&stage.postgres, 0);
    watcher_until(&stage.watcher, 2000, "down", node_is_down, 0);
    ask(&stage, "o'brien", false, 1000);
    assert_true(stage.watcher.answered);
    assert_true(stage.watcher.found);
    end(&stage);
}

static void a_frozen_primary_is_passed_over(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 2, "");
    watcher_until(&stage.watcher, 2000, "all roles", all_settled, 0);
    ask(&stage, "alice", false, 2000);
    postgres_freeze(&stage.postgres, 0, true);
    ask(&stage, "o'brien", false, 3000);
    assert_true(stage.watcher.answered);
    assert_true(stage.watcher.found);
    end(&stage);
}

static void many_requests_for_one_user_are_all_answered(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 1, "");
    for (uint64_t i = 0; i < 500; i++)
        watcher_ask_secret(&stage.watcher, "alice", i, i % 7 == 0);
    watcher_until(&stage.watcher, 4000, "all", replies_at_least, 500);
    watcher_run(&stage.watcher, 100);
    assert_int_equal(stage.watcher.replies, 500);
    assert_true(stage.watcher.found);
    end(&stage);
}

static void a_query_that_fails_or_gives_too_much_is_no_answer(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, 1, "auth_query = SELECT rolname, rolname FROM pg_roles WHERE $1 = $1\n");
    ask(&stage, "alice", false, 2000);
    assert_false(stage.watcher.answered);
    watcher_reload(
        &stage.watcher, watcher_config(&stage.postgres,
                            "auth_query = SELECT no_such_thing FROM pg_roles WHERE rolname = $1\n"));
    ask(&stage, "alice", false, 2000);
    assert_false(stage.watcher.answered);
    watcher_reload(
        &stage.watcher, watcher_config(&stage.postgres,
                            "auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1\n"));
    ask(&stage, "alice", false, 2000); /* as PgBouncer's: name and secret */
    assert_true(stage.watcher.found);
    assert_non_null(strstr(stage.watcher.secret, "SCRAM-SHA-256$"));
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_verifier_of_a_role_that_may_log_in_is_found),
        cmocka_unit_test(an_answer_is_cached_and_a_refresh_asks_again),
        cmocka_unit_test(what_is_known_is_answered_during_an_outage_and_nothing_else),
        cmocka_unit_test(a_replica_answers_while_there_is_no_primary),
        cmocka_unit_test(a_frozen_primary_is_passed_over),
        cmocka_unit_test(many_requests_for_one_user_are_all_answered),
        cmocka_unit_test(a_query_that_fails_or_gives_too_much_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
