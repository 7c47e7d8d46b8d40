/* Frames: header, length bounds, and every number of bytes that may have arrived. */
#include "proxy/wire/frame.h"

#include "wire_test.h"

static void a_whole_message_is_told_with_its_body(void **state)
{
    (void)state;
    static const char bytes[] = "Q\0\0\0\x0dSELECT 1";
    struct frame frame;
    assert_int_equal(frame_parse(bytes, sizeof bytes, &frame), FRAME_OK);
    assert_int_equal(frame.type, FRONTEND_QUERY);
    assert_int_equal(frame.body_len, 9);
    assert_int_equal(frame.total, 14);
    assert_true(frame.whole);
    assert_slice_bytes(frame_body(&frame), "SELECT 1", 9);
}

static void every_split_of_a_message_waits_or_tells_the_header(void **state)
{
    (void)state;
    static const char bytes[] = "Q\0\0\0\x0dSELECT 1";
    for (size_t len = 0; len <= 14; len++) {
        char *copy = exact_copy(bytes, len);
        struct frame frame;
        enum frame_result result = frame_parse(copy, len, &frame);
        assert_int_equal(result, len < 5 ? FRAME_MORE : FRAME_OK);
        if (result == FRAME_OK) {
            assert_int_equal(frame.total, 14);
            assert_int_equal(frame.whole, len == 14);
        }
        free(copy);
    }
}

static void bytes_of_the_next_message_are_not_counted(void **state)
{
    (void)state;
    static const char bytes[] = "S\0\0\0\x04X\0\0\0\x04";
    struct frame frame;
    assert_int_equal(frame_parse(bytes, 10, &frame), FRAME_OK);
    assert_int_equal(frame.total, 5);
    assert_int_equal(frame.body_len, 0);
    assert_true(frame.whole);
}

static void a_length_below_itself_or_above_a_gigabyte_is_bad(void **state)
{
    (void)state;
    struct frame frame;
    assert_int_equal(frame_parse("Q\0\0\0\x03", 5, &frame), FRAME_BAD);
    assert_int_equal(frame_parse("Q\0\0\0\0", 5, &frame), FRAME_BAD);
    assert_int_equal(frame_parse("Q\xff\xff\xff\xff", 5, &frame), FRAME_BAD);
    assert_int_equal(frame_parse("Q\x40\0\0\0", 5, &frame), FRAME_BAD);
    assert_int_equal(frame_parse("Q\x3f\xff\xff\xff", 5, &frame), FRAME_OK);
    assert_int_equal(frame.body_len, 0x3ffffffb);
    assert_false(frame.whole);
}

static void letters_have_names_by_direction(void **state)
{
    (void)state;
    assert_string_equal(frame_frontend_name('D'), "Describe");
    assert_string_equal(frame_backend_name('D'), "DataRow");
    assert_string_equal(frame_frontend_name('!'), "unknown message");
    assert_string_equal(frame_backend_name('!'), "unknown message");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_message_is_told_with_its_body),
        cmocka_unit_test(every_split_of_a_message_waits_or_tells_the_header),
        cmocka_unit_test(bytes_of_the_next_message_are_not_counted),
        cmocka_unit_test(a_length_below_itself_or_above_a_gigabyte_is_bad),
        cmocka_unit_test(letters_have_names_by_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
