/* Which sample a replica has replayed. */
#include "health/sample_ring.h"

#include "tests/unit/health/unit.h"

static struct sample_ring ring;

static void add(uint64_t number, uint64_t lsn)
{
    const struct sample sample = {number, lsn, number * 100};
    sample_ring_add(&ring, &sample);
}

/* The number; 0 for none. */
static uint64_t reached(uint64_t replayed)
{
    const struct sample *sample = sample_ring_reached(&ring, replayed);
    if (sample)
        assert_int_equal(sample->asked_at_us, sample->number * 100);
    return sample ? sample->number : 0;
}

static void the_highest_sample_at_or_below_the_position_is_reached(void **state)
{
    (void)state;
    sample_ring_clear(&ring);
    assert_int_equal(reached(UINT64_MAX), 0);
    add(1, 100);
    add(2, 200);
    add(5, 300);
    assert_int_equal(reached(99), 0);
    assert_int_equal(reached(100), 1);
    assert_int_equal(reached(299), 2);
    assert_int_equal(reached(300), 5);
    assert_int_equal(reached(UINT64_MAX), 5);
}

static void an_idle_primary_lets_the_number_rise_at_one_position(void **state)
{
    (void)state;
    sample_ring_clear(&ring);
    for (uint64_t i = 1; i <= 100000; i++)
        add(i, 100);
    assert_int_equal(ring.n, 1);
    assert_int_equal(reached(100), 100000);
    assert_int_equal(reached(99), 0);
}

static void an_answer_that_was_overtaken_says_nothing_new(void **state)
{
    (void)state;
    sample_ring_clear(&ring);
    add(2, 200);
    add(1, 250);
    assert_int_equal(reached(200), 2);
    assert_int_equal(reached(199), 0);
    assert_int_equal(ring.n, 1);
}

static void a_newer_sample_at_a_lower_position_covers_the_older_ones(void **state)
{
    (void)state;
    sample_ring_clear(&ring);
    add(1, 100);
    add(2, 300);
    add(3, 200);
    assert_int_equal(reached(250), 3);
    assert_int_equal(reached(150), 1);
}

static void a_full_ring_is_thinned_and_never_says_too_much(void **state)
{
    (void)state;
    sample_ring_clear(&ring);
    for (uint64_t i = 1; i <= 50000; i++) {
        add(i, i * 10);
        assert_true(ring.n <= SAMPLE_RING_SIZE);
        assert_int_equal(reached(i * 10), i);
    }
    uint64_t oldest = 0;
    for (uint64_t i = 1; i <= 50000; i++) {
        uint64_t number = reached(i * 10);
        assert_true(number <= i);
        if (number > 0 && oldest == 0)
            oldest = i;
    }
    assert_true(oldest > 0 && oldest < 25000); /* one that is far behind still finds a sample */
}

static void the_first_sample_beyond_the_position_is_missed(void **state)
{
    (void)state;
    sample_ring_clear(&ring);
    assert_null(sample_ring_missed(&ring, 0));
    add(1, 100);
    add(2, 200);
    assert_int_equal(sample_ring_missed(&ring, 99)->number, 1);
    assert_int_equal(sample_ring_missed(&ring, 100)->number, 2);
    assert_int_equal(sample_ring_missed(&ring, 199)->number, 2);
    assert_null(sample_ring_missed(&ring, 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_sample_at_or_below_the_position_is_reached),
        cmocka_unit_test(the_first_sample_beyond_the_position_is_missed),
        cmocka_unit_test(an_idle_primary_lets_the_number_rise_at_one_position),
        cmocka_unit_test(an_answer_that_was_overtaken_says_nothing_new),
        cmocka_unit_test(a_newer_sample_at_a_lower_position_covers_the_older_ones),
        cmocka_unit_test(a_full_ring_is_thinned_and_never_says_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
