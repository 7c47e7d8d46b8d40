/* Evidence in words. */
#include "health/evidence.h"

#include "tests/unit/health/unit.h"

#include <string.h>

static struct evidence replica(void)
{
    struct evidence evidence = {
        .name = "n1", .finding = FINDING_ANSWER, .error = "", .answered = true, .age_ms = 12};
    evidence.seen = (struct observation){.in_recovery = true,
        .receiver = true,
        .receiver_status = "streaming",
        .timeline = 3,
        .lsn = 0x5000060};
    return evidence;
}

static void an_answer_says_what_was_seen(void **state)
{
    (void)state;
    char out[256];
    struct evidence evidence = replica();
    size_t len = evidence_describe(&evidence, out, sizeof out);
    assert_string_equal(
        out, "answered 12 ms ago: in recovery on timeline 3, replayed 0/5000060, receives WAL (streaming)");
    assert_int_equal(len, strlen(out));
    evidence.seen = (struct observation){.timeline = 3, .lsn = 0x5000060};
    evidence_describe(&evidence, out, sizeof out);
    assert_string_equal(out, "answered 12 ms ago: takes writes on timeline 3, at 0/5000060");
    evidence.seen.read_only = true;
    evidence_describe(&evidence, out, sizeof out);
    assert_non_null(strstr(out, "out of recovery, but read-only by default on timeline 3"));
}

static void trouble_comes_before_the_last_answer(void **state)
{
    (void)state;
    char out[256];
    struct evidence evidence = replica();
    evidence.finding = FINDING_SILENT;
    evidence.silent = 3;
    evidence.error = "timeout";
    evidence_describe(&evidence, out, sizeof out);
    assert_non_null(strstr(out, "3 looks in a row got no answer: timeout; answered 12 ms ago: in recovery"));
    evidence.answered = false;
    evidence.finding = FINDING_GONE;
    evidence.error = "Connection refused";
    evidence_describe(&evidence, out, sizeof out);
    assert_string_equal(out, "nobody is there: Connection refused");
    evidence.finding = FINDING_NONE;
    evidence_describe(&evidence, out, sizeof out);
    assert_string_equal(out, "not probed yet");
}

static void many_nodes_are_cut_at_the_end_of_the_room(void **state)
{
    (void)state;
    struct evidence all[64];
    char out[300], small[1];
    for (size_t i = 0; i < 64; i++)
        all[i] = replica();
    memset(out, 'x', sizeof out);
    evidence_describe_all(all, 2, out, sizeof out);
    assert_non_null(strstr(out, "receives WAL (streaming); n1: answered 12 ms ago"));
    evidence_describe_all(all, 64, out, sizeof out);
    assert_int_equal(strlen(out), sizeof out - 1);
    evidence_describe_all(all, 64, small, sizeof small);
    assert_string_equal(small, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_says_what_was_seen),
        cmocka_unit_test(trouble_comes_before_the_last_answer),
        cmocka_unit_test(many_nodes_are_cut_at_the_end_of_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
