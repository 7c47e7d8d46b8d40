/* How scripts are divided into commands and commands into words. */
#include "proxy/front/command_words.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The commands of a script, joined with |. */
static const char *divided(const char *text, char out[256])
{
    struct slice script = slice_from(text), command;
    size_t len = 0;
    while (words_next_command(&script, &command)) {
        memcpy(out + len, command.data, command.len);
        len += command.len;
        out[len++] = '|';
    }
    out[len] = 0;
    assert_int_equal(script.len, 0);
    return out;
}

static void a_script_is_divided_at_its_semicolons(void **state)
{
    char out[256];
    (void)state;
    assert_string_equal(divided("show nodes", out), "show nodes|");
    assert_string_equal(divided("show nodes;show pools ; csv", out), "show nodes|show pools |csv|");
    assert_string_equal(divided(" ;; ; ", out), "");
    assert_string_equal(divided("", out), "");
    assert_string_equal(divided("-- nothing\n /* at; all */ ;", out), "");
}

static void a_semicolon_inside_a_quote_or_comment_divides_nothing(void **state)
{
    static const char *const whole[] = {"a 'x;y''z;'", "a E'\\';' b", "a \"x;\"", "a $$x;$$",
        "a $t$;$$;$t$ b", "a /* ; */ b", "a /* /* ; */ ; */ b", "a -- ;\nb"};
    char out[256], expected[256];
    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        strcat(strcpy(expected, whole[i]), "|");
        assert_string_equal(divided(whole[i], out), expected);
    }
}

/* The words, joined with |; quoted ones in <>. */
static const char *parsed(const char *text, char out[512])
{
    struct words words;
    struct error error = {0};
    out[0] = 0;
    if (!words_parse(slice_from(text), &words, &error)) {
        assert_string_equal(error.sqlstate, "42601");
        return strcpy(out, error.text);
    }
    for (size_t i = 0; i < words.n; i++) {
        assert_int_equal(strlen(words.list[i].text), words.list[i].len);
        strcat(out, i ? "|" : "");
        strcat(out, words.list[i].quoted ? "<" : "");
        strcat(out, words.list[i].text);
        strcat(out, words.list[i].quoted ? ">" : "");
    }
    words_fini(&words);
    return out;
}

static void words_are_unquoted(void **state)
{
    static const struct {
        const char *text, *words;
    } table[] = {
        {"show  nodes\t", "show|nodes"},
        {"a 'it''s' b", "a|<it's>|b"},
        {"a ''", "a|<>"},
        {"a E'x\\ny\\'\\\\z'", "a|<x\ny'\\z>"},
        {"a 'no\\escape'", "a|<no\\escape>"},
        {"a $$it's$$", "a|<it's>"},
        {"a $q$ $$ $q$", "a|< $$ >"},
        {"a \"My \"\"db\"", "a|My \"db"},
        {"a'b'c", "a|<b>|c"},
        {"a $1 $x", "a|$1|$x"},
        {"a -- b", "a"},
        {"a /* b */ c", "a|c"},
        {"\xc3\xa9", "\xc3\xa9"},
        {"", ""},
    };
    char out[512];
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(parsed(table[i].text, out), table[i].words);
}

static void what_is_not_closed_is_refused(void **state)
{
    char out[512];
    (void)state;
    assert_string_equal(parsed("a 'x", out), "a quote is not closed");
    assert_string_equal(parsed("a E'x\\'", out), "a quote is not closed");
    assert_string_equal(parsed("a \"x", out), "a quote is not closed");
    assert_string_equal(parsed("a $t$ x $$", out), "a quote is not closed");
    assert_string_equal(parsed("a /* x", out), "a comment is not closed");
    assert_string_equal(parsed("a /* /* */", out), "a comment is not closed");
}

static void more_words_than_fit_are_refused(void **state)
{
    char text[4 * WORDS_MAX] = "", out[512];
    (void)state;
    for (int i = 0; i < WORDS_MAX; i++)
        strcat(text, "w ");
    assert_int_equal(strlen(parsed(text, out)), 2 * WORDS_MAX - 1);
    strcat(text, "w");
    assert_non_null(strstr(parsed(text, out), "at most 32 words"));
}

static void a_quoted_word_is_no_keyword(void **state)
{
    struct words words;
    (void)state;
    assert_true(words_parse(slice_from("Csv 'csv' \"csv\""), &words, NULL));
    assert_true(words_are(&words, 0, "csv"));
    assert_false(words_are(&words, 1, "csv"));
    assert_true(words_are(&words, 2, "CSV"));
    assert_false(words_are(&words, 3, "csv"));
    words_fini(&words);
}

static void bytes_of_any_value_are_taken(void **state)
{
    (void)state;
    srand(1);
    for (int run = 0; run < 20000; run++) {
        static const char likely[] = "'\"$;-/*\\ Ea\0\n";
        size_t len = (size_t)rand() % 40;
        char *text = malloc(len + 1); /* exactly: a sanitizer sees a step too far */
        for (size_t i = 0; i < len; i++)
            text[i] = rand() % 4 ? likely[(size_t)rand() % (sizeof likely - 1)] : (char)rand();
        struct slice script = slice_of(text, len), command;
        while (words_next_command(&script, &command)) {
            struct words words;
            assert_true(command.len > 0 && command.data >= text && command.data + command.len <= text + len);
            if (words_parse(command, &words, NULL))
                words_fini(&words);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_is_divided_at_its_semicolons),
        cmocka_unit_test(a_semicolon_inside_a_quote_or_comment_divides_nothing),
        cmocka_unit_test(words_are_unquoted),
        cmocka_unit_test(what_is_not_closed_is_refused),
        cmocka_unit_test(more_words_than_fit_are_refused),
        cmocka_unit_test(a_quoted_word_is_no_keyword),
        cmocka_unit_test(bytes_of_any_value_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
