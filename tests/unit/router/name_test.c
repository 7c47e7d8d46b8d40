/* Names as the catalogue stores them: folded, unquoted, unescaped, cut to 63 bytes at a character's border.
 */
#include "router/sql/name.h"
#include "router/sql/tokens.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The name of the text's first token; NULL when it has none. */
static const char *name(const char *text)
{
    static char out[LEX_NAME_MAX];
    char storage[LEX_NAME_MAX];
    struct tokens tokens;
    struct slice slice;
    tokens_init(&tokens, slice_from(text), true);
    if (tokens.now.kind == TOKEN_ERROR || !name_of(&tokens.now, storage, &slice))
        return NULL;
    assert_true(slice.len < sizeof out);
    memcpy(out, slice.data, slice.len);
    out[slice.len] = '\0';
    return out;
}

static void words_are_folded_and_quoted_names_are_not(void **state)
{
    (void)state;
    assert_string_equal(name("Now"), "now");
    assert_string_equal(name("a_1$"), "a_1$");
    assert_string_equal(name("\"Now\""), "Now");
    assert_string_equal(name("\"a\"\"b\""), "a\"b");
    assert_string_equal(name("\xC3\x84X"), "\xC3\x84x"); /* only ASCII is folded */
}

static void unicode_names_are_unescaped(void **state)
{
    (void)state;
    assert_string_equal(name("U&\"d\\0061t\\+000061\""), "data");
    assert_string_equal(name("u&\"\\00E4\\20ac\""), "\xC3\xA4\xE2\x82\xAC");
    assert_string_equal(name("U&\"\\D83D\\DE00\""), "\xF0\x9F\x98\x80");
    assert_string_equal(name("U&\"a\\\\b\""), "a\\b");
    assert_string_equal(name("U&\"d!0061ta\" UESCAPE '!'"), "data");
    assert_string_equal(name("U&\"d!0061ta\" /* x */ uescape -- y\n '!'"), "data");
    assert_string_equal(name("U&\"n\"\"o\""), "n\"o");
}

static void a_wrong_escape_gives_no_name(void **state)
{
    (void)state;
    assert_null(name("U&\"\\006\""));
    assert_null(name("U&\"\\00G1\""));
    assert_null(name("U&\"\\+00006\""));
    assert_null(name("U&\"\\D83D\""));
    assert_null(name("U&\"\\D83Dx\""));
    assert_null(name("U&\"\\DE00\""));
    assert_null(name("U&\"\\0000\""));
    assert_null(name("U&\"\\+110000\""));
    assert_null(name("U&\"a\" UESCAPE 'ab'"));
    assert_null(name("U&\"a\" UESCAPE '+'"));
    assert_null(name("U&\"a\" UESCAPE 'f'"));
    assert_null(name("U&\"a\" UESCAPE x"));
}

static void what_is_no_utf8_gives_no_name(void **state)
{
    (void)state;
    assert_null(name("\xE4h"));
    assert_null(name("\"\xC3\""));
    assert_null(name("\"\xFF\""));
    assert_null(name("\"\xC0\x80\""));
}

static void long_names_are_cut_between_characters(void **state)
{
    (void)state;
    char text[200], expected[LEX_NAME_MAX];
    memset(text, 'A', 100);
    text[100] = '\0';
    memset(expected, 'a', 63);
    expected[63] = '\0';
    assert_string_equal(name(text), expected);
    memset(text, 'a', 62);
    strcpy(text + 62, "\xC3\xA4xyz"); /* the two-byte letter does not fit into 63 */
    expected[62] = '\0';
    assert_string_equal(name(text), expected);
    strcpy(text + 61, "\xC3\xA4xyz");
    memcpy(expected + 61, "\xC3\xA4", 3);
    assert_string_equal(name(text), expected);
}

static void the_schemas_of_temporary_objects_are_known(void **state)
{
    (void)state;
    assert_true(name_is_temporary_schema(slice_from("pg_temp")));
    assert_true(name_is_temporary_schema(slice_from("pg_temp_12")));
    assert_true(name_is_temporary_schema(slice_from("pg_toast_temp_1")));
    assert_false(name_is_temporary_schema(slice_from("pg_temporary")));
    assert_false(name_is_temporary_schema(slice_from("pg_temp_")));
    assert_false(name_is_temporary_schema(slice_from("public")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_folded_and_quoted_names_are_not),
        cmocka_unit_test(unicode_names_are_unescaped),
        cmocka_unit_test(a_wrong_escape_gives_no_name),
        cmocka_unit_test(what_is_no_utf8_gives_no_name),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(the_schemas_of_temporary_objects_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
