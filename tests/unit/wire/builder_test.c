/* Building messages: lengths, and that nothing partial is left when the buffer is full. */
#include "proxy/wire/builder.h"

#include "proxy/wire/reader.h"
#include "wire_test.h"

static void put_message(struct builder *builder)
{
    builder_begin(builder, 'M');
    builder_u8(builder, 1);
    builder_u16(builder, 0x0203);
    builder_u32(builder, 0x04050607);
    builder_cstring(builder, slice_from("ab"));
    builder_bytes(builder, "cd", 2);
}

static const char message[] = "M\0\0\0\x10\1\2\3\4\5\6\7ab\0cd";
#define MESSAGE_LEN (sizeof message - 1)

static void a_message_has_its_type_length_and_parts(void **state)
{
    (void)state;
    char buffer[64];
    struct builder builder = builder_of(buffer, sizeof buffer);
    put_message(&builder);
    assert_true(builder_end(&builder));
    assert_slice_bytes(slice_of(buffer, builder.len), message, MESSAGE_LEN);
}

static void a_packet_without_a_type_has_length_and_parts(void **state)
{
    (void)state;
    char buffer[64];
    struct builder builder = builder_of(buffer, sizeof buffer);
    builder_begin_untyped(&builder);
    builder_u32(&builder, 80877103);
    assert_true(builder_end(&builder));
    assert_slice(slice_of(buffer, builder.len), "\0\0\0\x08\x04\xd2\x16\x2f");
}

static void a_message_that_does_not_fit_leaves_nothing_behind(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < MESSAGE_LEN; cap++) {
        char *buffer = exact_copy("", 0);
        buffer = realloc(buffer, cap ? cap : 1);
        struct builder builder = builder_of(buffer, cap);
        put_message(&builder);
        assert_false(builder_end(&builder));
        assert_true(builder.overflow);
        assert_int_equal(builder.len, 0);
        free(buffer);
    }
}

static void after_an_overflow_no_later_message_is_written_until_it_is_cleared(void **state)
{
    (void)state;
    char buffer[MESSAGE_LEN + 6];
    struct builder builder = builder_of(buffer, sizeof buffer);
    put_message(&builder);
    assert_true(builder_end(&builder));
    put_message(&builder);
    assert_false(builder_end(&builder));
    assert_false(builder_empty(&builder, 'S'));
    assert_int_equal(builder.len, MESSAGE_LEN);
    builder.overflow = false;
    assert_true(builder_empty(&builder, 'S'));
    assert_slice_bytes(slice_of(buffer + MESSAGE_LEN, builder.len - MESSAGE_LEN), "S\0\0\0\x04", 5);
}

static void bytes_that_follow_are_counted_in_the_length(void **state)
{
    (void)state;
    char buffer[64];
    struct builder builder = builder_of(buffer, sizeof buffer);
    builder_begin(&builder, 'B');
    builder_cstring(&builder, slice_from("x"));
    assert_true(builder_end_plus(&builder, 1000000));
    assert_int_equal(builder.len, 7);
    struct reader reader = reader_of(slice_of(buffer + 1, 4));
    assert_int_equal(reader_u32(&reader), 1000006);
    builder_begin(&builder, 'B');
    assert_false(builder_end_plus(&builder, 0x3fffffff));
    assert_int_equal(builder.len, 7);
}

static void a_text_is_cut_at_an_embedded_nul(void **state)
{
    (void)state;
    char buffer[64];
    struct builder builder = builder_of(buffer, sizeof buffer);
    builder_begin(&builder, 'Q');
    builder_cstring(&builder, LITERAL("ab\0cd"));
    assert_true(builder_end(&builder));
    assert_slice(slice_of(buffer, builder.len), "Q\0\0\0\x07"
                                                "ab\0");
}

static void a_reader_fails_once_and_for_good(void **state)
{
    (void)state;
    struct reader reader = reader_of(LITERAL("\1\2\3"));
    assert_int_equal(reader_u16(&reader), 0x0102);
    assert_int_equal(reader_u16(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(reader_u8(&reader), 0);
    assert_int_equal(reader_left(&reader), 0);
    assert_false(reader_done(&reader));
}

static void a_reader_takes_texts_only_with_their_nul(void **state)
{
    (void)state;
    struct reader reader = reader_of(LITERAL("ab\0\0cd"));
    assert_slice(reader_cstring(&reader), "ab");
    assert_slice(reader_cstring(&reader), "");
    assert_slice(reader_cstring(&reader), "");
    assert_true(reader.failed);
    struct reader empty = reader_of(slice_of(NULL, 0));
    assert_true(reader_done(&empty));
    assert_slice(reader_rest(&empty), "");
    assert_false(empty.failed);
    reader_cstring(&empty);
    assert_true(empty.failed);
}

static void a_reader_knows_negative_numbers(void **state)
{
    (void)state;
    struct reader reader = reader_of(LITERAL("\xff\xff\xff\xfe"));
    assert_int_equal(reader_i32(&reader), -2);
    assert_true(reader_done(&reader));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_has_its_type_length_and_parts),
        cmocka_unit_test(a_packet_without_a_type_has_length_and_parts),
        cmocka_unit_test(a_message_that_does_not_fit_leaves_nothing_behind),
        cmocka_unit_test(after_an_overflow_no_later_message_is_written_until_it_is_cleared),
        cmocka_unit_test(bytes_that_follow_are_counted_in_the_length),
        cmocka_unit_test(a_text_is_cut_at_an_embedded_nul),
        cmocka_unit_test(a_reader_fails_once_and_for_good),
        cmocka_unit_test(a_reader_takes_texts_only_with_their_nul),
        cmocka_unit_test(a_reader_knows_negative_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
