/* Timeline histories: read as PostgreSQL writes them, and compared. */
#include "health/history.h"

#include "tests/unit/health/unit.h"

static const char three[] = "1\t0/6DEB418\tno recovery target specified\n"
                            "\n# a comment\n"
                            "2\t0/8000000\tbefore 2026-11-20 10:00:00+00\n";

static void a_history_file_gives_its_forks_oldest_first(void **state)
{
    (void)state;
    struct history history;
    assert_true(history_parse(three, 3, &history));
    assert_true(history.known);
    assert_int_equal(history.timeline, 3);
    assert_int_equal(history.n, 2);
    assert_int_equal(history.forks[0].timeline, 1);
    assert_int_equal(history.forks[0].lsn, 0x6DEB418);
    assert_int_equal(history.forks[1].timeline, 2);
    assert_int_equal(history.forks[1].lsn, 0x8000000);
}

static void what_is_no_history_is_not_known(void **state)
{
    (void)state;
    static const char *const bad[] = {NULL, "", "\n", "# nothing\n", "x\t0/1\t\n", "1 0/1\n",
        "1\tnowhere\t\n", "1\t\n", "0\t0/1\tx\n", "99999999999\t0/1\tx\n", "1\t0/1\tx\nrubbish\n",
        "-1\t0/1\tx\n"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct history history;
        assert_false(history_parse(bad[i], 2, &history));
        assert_false(history.known);
        assert_int_equal(history.n, 0);
    }
}

static void two_timelines_of_one_number_with_other_forks_differ(void **state)
{
    (void)state;
    struct history a, b, c, unknown = {0};
    history_parse("1\t0/6DEB418\tx\n", 2, &a);
    history_parse("1\t0/8000000\tx\n", 2, &b);
    history_parse("1\t0/6DEB418\tanother reason\n", 2, &c);
    assert_true(history_differs(&a, &b));
    assert_false(history_same(&a, &b));
    assert_true(history_same(&a, &c));
    assert_false(history_differs(&a, &c));
    assert_false(history_differs(&a, &unknown));
    assert_false(history_same(&a, &unknown));
}

static void a_history_says_where_a_timeline_was_left(void **state)
{
    (void)state;
    struct history history, first;
    uint64_t lsn = 0;
    history_parse(three, 3, &history);
    assert_true(history_left(&history, 1, &lsn));
    assert_int_equal(lsn, 0x6DEB418);
    assert_false(history_left(&history, 3, &lsn));
    history_first(&first);
    assert_true(first.known);
    assert_false(history_left(&first, 1, &lsn));
}

static void the_newest_forks_of_a_long_history_are_kept(void **state)
{
    (void)state;
    char text[4096] = "";
    struct history history;
    uint64_t lsn;
    for (int i = 1; i <= 50; i++)
        sprintf(text + strlen(text), "%d\t0/%X\tx\n", i, i * 256);
    assert_true(history_parse(text, 51, &history));
    assert_int_equal(history.n, HISTORY_MAX_FORKS);
    assert_true(history_left(&history, 50, &lsn));
    assert_int_equal(lsn, 50 * 256);
    assert_false(history_left(&history, 18, &lsn));
    assert_true(history_left(&history, 19, &lsn));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_file_gives_its_forks_oldest_first),
        cmocka_unit_test(what_is_no_history_is_not_known),
        cmocka_unit_test(two_timelines_of_one_number_with_other_forks_differ),
        cmocka_unit_test(a_history_says_where_a_timeline_was_left),
        cmocka_unit_test(the_newest_forks_of_a_long_history_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
