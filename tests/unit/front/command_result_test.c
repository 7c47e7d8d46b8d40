/* Tables of text and how they are printed. */
#include "proxy/front/command_print.h"
#include "proxy/front/command_result.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct result_column columns[] = {
    {"name", COLUMN_TEXT}, {"lag_bytes", COLUMN_NUMBER}, {"fit", COLUMN_BOOL}};
static const struct result_shape shape = {columns, 3};
static const struct result_shape nothing = {NULL, 0};

static void add_row(struct result *result, const char *name, int lag, bool fit)
{
    result_text(result, name);
    if (lag < 0)
        result_null(result);
    else
        result_number(result, (uint64_t)lag);
    result_bool(result, fit);
}

static void expect(struct result *result, enum print_format format, const char *text)
{
    struct output out = {0};
    print_result(&out, format, result, "DONE");
    output_bytes(&out, "", 1);
    assert_string_equal(out.data, text);
    output_fini(&out);
    result_fini(result);
}

static void columns_are_aligned_and_numbers_stand_right(void **state)
{
    struct result result;
    (void)state;
    result_init(&result, &shape);
    add_row(&result, "a", 7, true);
    add_row(&result, "longer", 1234567890, false);
    add_row(&result, NULL, -1, true);
    expect(&result, PRINT_TEXT,
        "name     lag_bytes  fit\n"
        "a                7  t\n"
        "longer  1234567890  f\n"
        "-                -  t\n");
}

static void letters_of_several_bytes_take_one_column(void **state)
{
    struct result result;
    (void)state;
    result_init(&result, &shape);
    add_row(&result, "\xc3\xa9\xe2\x82\xac", 1, true);
    add_row(&result, "abcd", 1, true);
    expect(&result, PRINT_TEXT,
        "name  lag_bytes  fit\n\xc3\xa9\xe2\x82\xac            1  t\nabcd          1  t\n");
}

static void no_cell_can_forge_a_line(void **state)
{
    struct result result;
    (void)state;
    result_init(&result, &shape);
    add_row(&result, "a\n\nerror: b\x1b\x7f", 1, true);
    expect(&result, PRINT_TEXT,
        "name                   lag_bytes  fit\na\\n\\nerror: b\\x1b\\x7f          1  t\n");
    result_init(&result, &shape);
    add_row(&result, "a\n\nb", 1, true);
    expect(&result, PRINT_CSV, "name,lag_bytes,fit\na\\n\\nb,1,t\n");
    result_init(&result, &shape);
    add_row(&result, "a\n\"\\", 1, true);
    expect(&result, PRINT_JSON, "[\n {\"name\": \"a\\u000a\\\"\\\\\", \"lag_bytes\": 1, \"fit\": true}\n]\n");
}

static void csv_quotes_what_needs_it_and_tells_null_from_empty(void **state)
{
    struct result result;
    (void)state;
    result_init(&result, &shape);
    add_row(&result, "a,b", -1, false);
    add_row(&result, "say \"hi\"", 0, false);
    add_row(&result, "", 0, false);
    add_row(&result, NULL, 0, false);
    expect(&result, PRINT_CSV, "name,lag_bytes,fit\n\"a,b\",,f\n\"say \"\"hi\"\"\",0,f\n\"\",0,f\n,0,f\n");
}

static void an_empty_table_has_its_heading(void **state)
{
    struct result result;
    (void)state;
    result_init(&result, &shape);
    expect(&result, PRINT_TEXT, "name  lag_bytes  fit\n");
    result_init(&result, &shape);
    expect(&result, PRINT_CSV, "name,lag_bytes,fit\n");
    result_init(&result, &shape);
    expect(&result, PRINT_JSON, "[]\n");
}

static void a_command_without_a_table_says_that_it_is_done(void **state)
{
    struct result result;
    (void)state;
    result_init(&result, &nothing);
    expect(&result, PRINT_TEXT, "DONE\n");
    result_init(&result, &nothing);
    expect(&result, PRINT_JSON, "{\"done\": \"DONE\"}\n");
}

static void errors_are_told_in_each_format(void **state)
{
    struct output out = {0};
    struct error error;
    (void)state;
    error_set(&error, "42601", "unknown \"x\"\n");
    print_failure(&out, PRINT_TEXT, &error);
    print_failure(&out, PRINT_JSON, &error);
    output_bytes(&out, "", 1);
    assert_string_equal(out.data,
        "error: 42601 unknown \"x\"\\n\n"
        "{\"error\": {\"sqlstate\": \"42601\", \"message\": \"unknown \\\"x\\\"\\u000a\"}}\n");
    output_fini(&out);
}

static void what_is_no_utf8_is_made_so(void **state)
{
    static const struct {
        const char *bytes, *text;
    } table[] = {
        {"\xff", "?"},
        {"a\xc3", "a?"},
        {"\xc3\xa9", "\xc3\xa9"},
        {"\xc0\x80", "??"},           /* overlong */
        {"\xe0\x9f\x80", "???"},      /* overlong */
        {"\xed\xa0\x80", "???"},      /* a surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
        {"\xf0\x9f\x90\x98", "\xf0\x9f\x90\x98"},
        {"\xe2\x82", "??"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct result result;
        result_init(&result, &shape);
        add_row(&result, table[i].bytes, 0, true);
        struct slice cell = result_cell(&result, 0, 0);
        assert_true(slice_is(cell, table[i].text));
        result_fini(&result);
    }
}

static void numbers_of_any_size_are_written(void **state)
{
    struct result result;
    (void)state;
    result_init(&result, &shape);
    result_number(&result, 0);
    result_number(&result, UINT64_MAX);
    result_format(&result, "%u.%u", 1, 2);
    assert_true(slice_is(result_cell(&result, 0, 0), "0"));
    assert_true(slice_is(result_cell(&result, 0, 1), "18446744073709551615"));
    assert_true(slice_is(result_cell(&result, 0, 2), "1.2"));
    result_fini(&result);
}

static void a_table_that_grows_too_large_ends_with_a_whole_row(void **state)
{
    static char large[1024 * 1024];
    struct result result;
    (void)state;
    memset(large, 'x', sizeof large);
    result_init(&result, &shape);
    for (int i = 0; i < 100 && !result.truncated; i++) {
        result_slice(&result, slice_of(large, sizeof large));
        result_slice(&result, slice_of(large, sizeof large));
        result_slice(&result, slice_of(large, sizeof large));
    }
    assert_true(result.truncated);
    assert_int_equal(result_rows(&result), RESULT_BYTES_MAX / sizeof large / 3);
    result_text(&result, "no more");
    assert_int_equal(result_rows(&result), RESULT_BYTES_MAX / sizeof large / 3);
    result_fini(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_and_numbers_stand_right),
        cmocka_unit_test(letters_of_several_bytes_take_one_column),
        cmocka_unit_test(no_cell_can_forge_a_line),
        cmocka_unit_test(csv_quotes_what_needs_it_and_tells_null_from_empty),
        cmocka_unit_test(an_empty_table_has_its_heading),
        cmocka_unit_test(a_command_without_a_table_says_that_it_is_done),
        cmocka_unit_test(errors_are_told_in_each_format),
        cmocka_unit_test(what_is_no_utf8_is_made_so),
        cmocka_unit_test(numbers_of_any_size_are_written),
        cmocka_unit_test(a_table_that_grows_too_large_ends_with_a_whole_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
