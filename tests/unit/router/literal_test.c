/* What string literals stand for, and which are left alone. */
#include "router/sql/literal.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text;
    bool standard_strings;
    const char *contents; /* NULL: not known */
} rows[] = {
    {"''", true, ""},
    {"'a b'", true, "a b"},
    {"'it''s'", true, "it's"},
    {"''''", true, "'"},
    {"'a\\b'", true, "a\\b"},
    {"'a\\\\b\\'c'", false, "a\\b'c"},
    {"E'a\\n\\t\\\\\\'''b'", true, "a\n\t\\''b"},
    {"e'plain'", true, "plain"},
    {"E'\\x41'", true, NULL},
    {"E'\\101'", true, NULL},
    {"E'\\u0041'", true, NULL},
    {"'a'\n 'b'", true, NULL},
    {"'a' -- '\n 'b'", true, NULL},
    {"$$a'b\\$$", true, "a'b\\"},
    {"$$$$", true, ""},
    {"$x$ $$ $x$", true, " $$ "},
    {"U&'a'", true, NULL},
    {"B'1'", true, NULL},
    {"abc", true, NULL},
    {"\"abc\"", true, NULL},
    {"'0123456789012345678901234567890'", true, "0123456789012345678901234567890"},
    {"'it''s longer than there is room'", true, NULL},
};

static void quotes_and_escapes_are_taken_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char storage[16];
        char *copy = strndup(rows[i].text, strlen(rows[i].text));
        struct slice contents = {NULL, 0};
        struct lexer lexer;
        lex_init(&lexer, slice_of(copy, strlen(copy)), rows[i].standard_strings);
        struct token token = lex_next(&lexer);
        assert_int_equal(token.text.len, strlen(copy));
        bool known = literal_of(&token, rows[i].standard_strings, storage, sizeof storage, &contents);
        if (known != (rows[i].contents != NULL) || (known && !slice_is(contents, rows[i].contents)))
            fail_msg("%s gives %d '%.*s'", rows[i].text, known, (int)contents.len, contents.data);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(quotes_and_escapes_are_taken_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
