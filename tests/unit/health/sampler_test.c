/* Epochs before a real primary and replica: they advance, quickly when wanted, and fall when they must. */
#include "conf/base/clock.h"
#include "tests/unit/health/postgres.h"
#include "tests/unit/health/unit.h"
#include "tests/unit/health/watcher.h"

#include <signal.h>
#include <stdatomic.h>

struct stage {
    struct postgres postgres;
    struct watcher watcher;
};

static void begin(struct stage *stage, const char *config)
{
    if (!postgres_available())
        skip();
    postgres_start(&stage->postgres, 2);
    watcher_start(&stage->watcher, watcher_config(&stage->postgres, config));
    watcher_until(&stage->watcher, 2000, "all roles", all_settled, 0);
}

static void end(struct stage *stage)
{
    watcher_stop(&stage->watcher);
    postgres_end(&stage->postgres);
}

static uint64_t started(struct watcher *watcher)
{
    return atomic_load(&watcher->topology->live->started);
}

static uint64_t replayed(struct watcher *watcher, int node)
{
    return atomic_load(&watcher->topology->nodes[node].live->replayed_epoch);
}

static void want(struct watcher *watcher)
{
    atomic_store(&watcher->topology->live->wanted_at_us, clock_now_us());
}

static uint64_t needed;

static bool replica_has_it(struct watcher *watcher, int node)
{
    return replayed(watcher, node) >= needed;
}

static bool wanted_and_has_it(struct watcher *watcher, int node)
{
    want(watcher);
    return replica_has_it(watcher, node);
}

static bool replica_has_none(struct watcher *watcher, int node)
{
    return replayed(watcher, node) == 0;
}

static const char slow[] = "probe_interval = 300ms\nobservation_ttl = 5s\n";
static const char very_slow[] = "probe_interval = 1h\nobservation_ttl = 2h\n";

static void ordinary_looks_let_the_epoch_advance(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, slow);
    for (int i = 0; i < 3; i++) {
        postgres_sql(
            &stage.postgres, 0, "postgres", i ? "INSERT INTO t VALUES (1)" : "CREATE TABLE t (a int)");
        needed = started(&stage.watcher) + 1;
        watcher_until(&stage.watcher, 2500, "epoch", replica_has_it, 1);
    }
    assert_int_equal(replayed(&stage.watcher, 0), 0); /* the primary has none: it is no replica */
    end(&stage);
}

static void a_wanted_epoch_comes_within_milliseconds_and_holds_what_was_written(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, very_slow);
    postgres_sql(&stage.postgres, 0, "postgres", "CREATE TABLE t (a int)");
    want(&stage.watcher);
    watcher_run(&stage.watcher, 300); /* its connections are made */
    for (int i = 1; i <= 30; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%d)", i);
        postgres_sql(&stage.postgres, 0, "postgres", sql);
        needed = started(&stage.watcher) + 1;
        watcher_until(&stage.watcher, 2000, "epoch", wanted_and_has_it, 1);
        assert_int_equal(atoi(postgres_sql(&stage.postgres, 1, "postgres", "SELECT max(a) FROM t")), i);
    }
    end(&stage);
}

static void an_open_transaction_whose_tail_is_not_flushed_does_not_stop_the_epoch(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, very_slow);
    postgres_sql(&stage.postgres, 0, "postgres", "ALTER SYSTEM SET wal_writer_delay = '10s'");
    postgres_sql(&stage.postgres, 0, "postgres", "SELECT pg_reload_conf()");
    want(&stage.watcher);
    watcher_run(&stage.watcher, 200);
    for (int i = 0; i < 5; i++) {
        postgres_sql(&stage.postgres, 0, "postgres",
            "SET synchronous_commit = off; CREATE TABLE IF NOT EXISTS t (a int); INSERT INTO t VALUES (1)");
        needed = started(&stage.watcher) + 1;
        watcher_until(&stage.watcher, 1000, "epoch", wanted_and_has_it, 1);
    }
    end(&stage);
}

static void nothing_is_asked_while_nobody_wants(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, very_slow);
    watcher_run(&stage.watcher, 200);
    uint64_t before = started(&stage.watcher);
    watcher_run(&stage.watcher, 500);
    assert_int_equal(started(&stage.watcher), before);
    want(&stage.watcher);
    needed = before + 1;
    watcher_until(&stage.watcher, 2000, "epoch", replica_has_it, 1);
    assert_true(started(&stage.watcher) <= before + 3); /* one, and some more for what was not flushed */
    end(&stage);
}

static void whoever_always_wants_gets_a_bounded_number_of_samples(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, very_slow);
    want(&stage.watcher);
    watcher_run(&stage.watcher, 300); /* its connections are made */
    uint64_t before = started(&stage.watcher), began_us = clock_now_us();
    for (int i = 0; i < 500; i++) {
        want(&stage.watcher);
        watcher_run(&stage.watcher, 2);
    }
    uint64_t samples = started(&stage.watcher) - before;
    uint64_t most = (clock_now_us() - began_us) / 10000 + 10;
    assert_in_range(samples, 20, most);
    end(&stage);
}

static uint32_t incarnation(struct watcher *watcher, int node)
{
    return atomic_load(&watcher->topology->nodes[node].live->incarnation);
}

static uint32_t incarnation_before;

static bool is_another_incarnation(struct watcher *watcher, int node)
{
    return incarnation(watcher, node) != incarnation_before;
}

static void the_epoch_falls_to_none_when_the_replica_goes(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, slow);
    needed = started(&stage.watcher) + 1;
    watcher_until(&stage.watcher, 2500, "epoch", replica_has_it, 1);
    incarnation_before = incarnation(&stage.watcher, 1);
    watcher_run(&stage.watcher, 700);
    assert_false(is_another_incarnation(&stage.watcher, 1)); /* as long as nothing happens */
    postgres_kill(&stage.postgres, 1);
    watcher_until(&stage.watcher, 500, "none", replica_has_none, 1);
    assert_true(is_another_incarnation(&stage.watcher, 1));
    postgres_run(&stage.postgres, 1);
    needed = started(&stage.watcher) + 1;
    watcher_until(&stage.watcher, 2500, "again", replica_has_it, 1);
    end(&stage);
}

static void the_epoch_falls_when_a_server_connection_is_lost_and_comes_back_with_the_next_look(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, slow);
    needed = 1;
    watcher_until(&stage.watcher, 2500, "epoch", replica_has_it, 1);
    incarnation_before = incarnation(&stage.watcher, 1);
    watcher_hint(&stage.watcher, 1, HINT_LOST);
    watcher_until(&stage.watcher, 1000, "another incarnation", is_another_incarnation, 1);
    watcher_until(&stage.watcher, 1000, "again", replica_has_it, 1);
    end(&stage);
}

/* Its backends die, the postmaster lives: every answer from before is void although it was not started anew.
 */
static void a_replica_whose_backend_crashed_proves_itself_anew(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, slow);
    for (int i = 0; i < 20; i++) { /* the sampler's own connection is there too */
        want(&stage.watcher);
        watcher_run(&stage.watcher, 20);
    }
    incarnation_before = incarnation(&stage.watcher, 1);
    char pid[32];
    snprintf(pid, sizeof pid, "%s",
        postgres_sql(&stage.postgres, 1, "postgres",
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'rolecall sampler'"));
    assert_true(atoi(pid) > 1);
    kill(atoi(pid), SIGKILL);
    watcher_until(&stage.watcher, 2000, "another incarnation", is_another_incarnation, 1);
    needed = started(&stage.watcher) + 1;
    watcher_until(&stage.watcher, 10000, "again", replica_has_it, 1);
    end(&stage);
}

static void a_failover_begins_a_new_history_and_numbers_go_on(void **state)
{
    (void)state;
    struct stage stage;
    if (!postgres_available())
        skip();
    postgres_start(&stage.postgres, 3);
    watcher_start(&stage.watcher, watcher_config(&stage.postgres, slow));
    watcher_until(&stage.watcher, 2000, "all roles", all_settled, 0);
    needed = started(&stage.watcher) + 1;
    watcher_until(&stage.watcher, 2500, "epoch", replica_has_it, 2);
    uint64_t before = started(&stage.watcher);
    postgres_stop(&stage.postgres, 0);
    postgres_sql(&stage.postgres, 1, "postgres", "SELECT pg_promote(true)");
    watcher_until(&stage.watcher, 2000, "promoted", primary_is, 1);
    assert_int_equal(replayed(&stage.watcher, 1), 0);
    assert_int_equal(replayed(&stage.watcher, 2), 0); /* still on the old timeline */
    char conninfo[256];
    snprintf(conninfo, sizeof conninfo, "ALTER SYSTEM SET primary_conninfo = 'host=%s port=%d user=postgres'",
        stage.postgres.folder, stage.postgres.servers[1].port);
    postgres_sql(&stage.postgres, 2, "postgres", conninfo);
    postgres_sql(&stage.postgres, 2, "postgres", "SELECT pg_reload_conf()");
    postgres_sql(&stage.postgres, 1, "postgres", "CREATE TABLE t (a int)");
    needed = started(&stage.watcher) + 1;
    assert_true(needed > before);
    watcher_until(&stage.watcher, 8000, "on the new timeline", replica_has_it, 2);
    assert_string_equal(
        postgres_sql(&stage.postgres, 2, "postgres", "SELECT to_regclass('t') IS NOT NULL"), "t");
    end(&stage);
}

static uint64_t lag_bytes(struct watcher *watcher, int node)
{
    return atomic_load(&watcher->topology->nodes[node].live->lag_bytes);
}

static uint64_t lag_ms(struct watcher *watcher, int node)
{
    return atomic_load(&watcher->topology->nodes[node].live->lag_ms);
}

static bool is_behind(struct watcher *watcher, int node)
{
    return lag_bytes(watcher, node) > 0;
}

static bool has_caught_up(struct watcher *watcher, int node)
{
    return lag_bytes(watcher, node) == 0 && lag_ms(watcher, node) == 0;
}

static void lag_is_what_is_missing_and_since_when_not_how_long_nothing_was_written(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "probe_interval = 50ms\nobservation_ttl = 5s\n");
    watcher_until(&stage.watcher, 2000, "caught up", has_caught_up, 1);
    watcher_run(&stage.watcher, 1500); /* nothing is written meanwhile */
    postgres_sql(&stage.postgres, 1, "postgres", "SELECT pg_wal_replay_pause()");
    watcher_run(&stage.watcher, 100);
    postgres_sql(&stage.postgres, 0, "postgres", "CREATE TABLE t (a int)");
    watcher_until(&stage.watcher, 1000, "behind", is_behind, 1);
    assert_true(lag_ms(&stage.watcher, 1) < 1000);
    watcher_run(&stage.watcher, 1500);
    assert_true(lag_ms(&stage.watcher, 1) > 1000 && lag_ms(&stage.watcher, 1) < 4000);
    assert_true(replica_has_none(&stage.watcher, 1) || replayed(&stage.watcher, 1) < started(&stage.watcher));
    postgres_sql(&stage.postgres, 1, "postgres", "SELECT pg_wal_replay_resume()");
    watcher_until(&stage.watcher, 2000, "caught up", has_caught_up, 1);
    assert_int_equal(lag_bytes(&stage.watcher, 0), 0);
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_looks_let_the_epoch_advance),
        cmocka_unit_test(a_wanted_epoch_comes_within_milliseconds_and_holds_what_was_written),
        cmocka_unit_test(an_open_transaction_whose_tail_is_not_flushed_does_not_stop_the_epoch),
        cmocka_unit_test(nothing_is_asked_while_nobody_wants),
        cmocka_unit_test(whoever_always_wants_gets_a_bounded_number_of_samples),
        cmocka_unit_test(lag_is_what_is_missing_and_since_when_not_how_long_nothing_was_written),
        cmocka_unit_test(the_epoch_falls_to_none_when_the_replica_goes),
        cmocka_unit_test(the_epoch_falls_when_a_server_connection_is_lost_and_comes_back_with_the_next_look),
        cmocka_unit_test(a_replica_whose_backend_crashed_proves_itself_anew),
        cmocka_unit_test(a_failover_begins_a_new_history_and_numbers_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
