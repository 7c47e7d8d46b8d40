/* Log positions: read, written, and taken back before a page header. */
#include "health/lsn.h"

#include "tests/unit/health/unit.h"

#define SEGMENT (UINT64_C(16) << 20)

static void a_position_is_read_and_written_alike(void **state)
{
    (void)state;
    uint64_t lsn;
    char text[LSN_TEXT_MAX];
    assert_true(lsn_parse("16/B374D848", &lsn));
    assert_int_equal(lsn, UINT64_C(0x16B374D848));
    assert_string_equal(lsn_format(lsn, text), "16/B374D848");
    assert_true(lsn_parse("FFFFFFFF/FFFFFFFF", &lsn));
    assert_int_equal(lsn, UINT64_MAX);
    assert_string_equal(lsn_format(lsn, text), "FFFFFFFF/FFFFFFFF");
    assert_true(lsn_parse("0/6deb418", &lsn));
    assert_int_equal(lsn, UINT64_C(0x6DEB418));
}

static void what_is_no_position_is_refused_and_gives_zero(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "/", "0/", "/0", "0", "0/0/0", "G/0", "0/G", " 0/0", "0/0 ",
        "123456789/0", "0/123456789", "-1/0", NULL};
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t lsn = 7;
        assert_false(lsn_parse(bad[i], &lsn));
        assert_int_equal(lsn, 0);
    }
}

static void an_insert_position_behind_a_page_header_is_the_pages_start(void **state)
{
    (void)state;
    assert_int_equal(lsn_without_page_header(3 * SEGMENT + 40, 8192, SEGMENT), 3 * SEGMENT);
    assert_int_equal(lsn_without_page_header(3 * SEGMENT + 8192 + 24, 8192, SEGMENT), 3 * SEGMENT + 8192);
}

static void other_positions_stay_as_they_are(void **state)
{
    (void)state;
    const uint64_t kept[] = {3 * SEGMENT, 3 * SEGMENT + 24, 3 * SEGMENT + 8192 + 40, 3 * SEGMENT + 8192,
        3 * SEGMENT + 32, 3 * SEGMENT + 16384 + 104};
    for (size_t i = 0; i < COUNT(kept); i++)
        assert_int_equal(lsn_without_page_header(kept[i], 8192, SEGMENT), kept[i]);
    assert_int_equal(lsn_without_page_header(3 * SEGMENT + 40, 0, 0), 3 * SEGMENT + 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_position_is_read_and_written_alike),
        cmocka_unit_test(what_is_no_position_is_refused_and_gives_zero),
        cmocka_unit_test(an_insert_position_behind_a_page_header_is_the_pages_start),
        cmocka_unit_test(other_positions_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
