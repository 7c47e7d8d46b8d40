/*
 * The lexer against PostgreSQL's rules, token by token. A case is a text and its tokens written down as one
 * letter each and their texts: w word, k key word, q quoted, u Unicode name, s string, S Unicode string, b
 * bits, n number, p parameter, o operator, t ::, r .., a :=, g =>, c character, ! error.
 */
#include "router/sql/lex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char letter_of(const struct token *token)
{
    switch (token->kind) {
    case TOKEN_END: return '.';
    case TOKEN_ERROR: return '!';
    case TOKEN_WORD: return token->keyword == NO_KEYWORD ? 'w' : 'k';
    case TOKEN_QUOTED: return 'q';
    case TOKEN_UNICODE: return 'u';
    case TOKEN_STRING: return 's';
    case TOKEN_UNICODE_STRING: return 'S';
    case TOKEN_BITS: return 'b';
    case TOKEN_NUMBER: return 'n';
    case TOKEN_PARAMETER: return 'p';
    case TOKEN_OPERATOR: return 'o';
    case TOKEN_TYPECAST: return 't';
    case TOKEN_DOT_DOT: return 'r';
    case TOKEN_COLON_EQUALS: return 'a';
    case TOKEN_EQUALS_GREATER: return 'g';
    case TOKEN_CHARACTER: return 'c';
    }
    return '?';
}

/* "k<select> n<1>"; the error's own text is left out. */
static void describe(const char *text, bool standard_strings, char *out, size_t size)
{
    /* a copy of exactly that length, so that the sanitizer sees a look past the end */
    size_t len = strlen(text), used = 0;
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    struct lexer lexer;
    lex_init(&lexer, slice_of(copy, len), standard_strings);
    out[0] = '\0';
    for (;;) {
        struct token token = lex_next(&lexer);
        if (token.kind == TOKEN_END)
            break;
        const char *gap = used ? " " : "";
        if (token.kind == TOKEN_ERROR) {
            snprintf(out + used, size - used, "%s!", gap);
            break;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%c<%.*s>", gap, letter_of(&token),
            (int)token.text.len, token.text.data);
    }
    free(copy);
}

struct lex_case {
    const char *text, *tokens;
};

static void check(const struct lex_case *cases, size_t count, bool standard_strings)
{
    char tokens[1024];
    for (size_t i = 0; i < count; i++) {
        describe(cases[i].text, standard_strings, tokens, sizeof tokens);
        if (strcmp(tokens, cases[i].tokens) != 0)
            fail_msg("%s\n  is       %s\n  expected %s", cases[i].text, tokens, cases[i].tokens);
    }
}

#define CHECK(cases, standard) check(cases, sizeof(cases) / sizeof *(cases), standard)

static void comments_nest_and_end_where_postgres_ends_them(void **state)
{
    (void)state;
    static const struct lex_case cases[] = {
        {"", ""},
        {" \t\r\n\f", ""},
        {"-- all of it", ""},
        {"1 -- one\n2", "n<1> n<2>"},
        {"1 -- one\r2", "n<1> n<2>"},
        {"1/* a /* b */ c */2", "n<1> n<2>"},
        {"/*/*/*/**/*/*/*/1", "n<1>"},
        {"/**/1", "n<1>"},
        {"/*/ 1 */2", "n<2>"},
        {"/***/1", "n<1>"},
        {"/* '*/1", "n<1>"},
        {"1 /* open", "n<1> !"},
        {"1 /* a /* b */", "n<1> !"},
        {"/*", "!"},
        {"/", "c</>"},
        {"-", "c<->"},
    };
    CHECK(cases, true);
}

static void strings_end_at_their_own_quote(void **state)
{
    (void)state;
    static const struct lex_case cases[] = {
        {"'a''b'c", "s<'a''b'> w<c>"},
        {"''", "s<''>"},
        {"'a\\'", "s<'a\\'>"},
        {"'a\\' 'b'", "s<'a\\'> s<'b'>"},
        {"'a", "!"},
        {"e'a\\'b'", "s<e'a\\'b'>"},
        {"E'a\\\\'b", "s<E'a\\\\'> w<b>"},
        {"E'a''b'", "s<E'a''b'>"},
        {"E'a\\", "!"},
        {"E'\\", "!"},
        {"B'01'x'1F'X''", "b<B'01'> b<x'1F'> b<X''>"},
        {"b'01''10'", "b<b'01'> s<'10'>"},
        {"n'a'", "k<n> s<'a'>"},
        {"N 'a'", "w<N> s<'a'>"},
        {"bu'x'", "w<bu> s<'x'>"},
        {"U&'a\\0061'", "S<U&'a\\0061'>"},
        {"u&'a''b'", "S<u&'a''b'>"},
        {"U&x", "w<U> o<&> w<x>"},
        {"U& 'x'", "w<U> o<&> s<'x'>"},
        {"U&'x", "!"},
    };
    CHECK(cases, true);
}

static void without_standard_strings_a_backslash_escapes(void **state)
{
    (void)state;
    static const struct lex_case cases[] = {
        {"'a\\'b'", "s<'a\\'b'>"},
        {"'a\\\\'b", "s<'a\\\\'> w<b>"},
        {"'a\\'", "!"},
        {"U&'x'", "!"},
        {"U&\"x\"", "u<U&\"x\">"},
        {"\"a\\\"", "q<\"a\\\">"},
    };
    CHECK(cases, false);
}

static void a_string_goes_on_behind_a_newline_only(void **state)
{
    (void)state;
    static const struct lex_case cases[] = {
        {"'a'\n'b'", "s<'a'\n'b'>"},
        {"'a' \t\n \n 'b'c", "s<'a' \t\n \n 'b'> w<c>"},
        {"'a' 'b'", "s<'a'> s<'b'>"},
        {"'a' -- x\n'b'", "s<'a' -- x\n'b'>"},
        {"'a'\n-- x\n-- y\n'b'", "s<'a'\n-- x\n-- y\n'b'>"},
        {"'a' -- 'b'", "s<'a'>"},
        {"'a'\n/* x */'b'", "s<'a'> s<'b'>"},
        {"'a'\nE'b'", "s<'a'> s<E'b'>"},
        {"E'a'\n'\\'b'", "s<E'a'\n'\\'b'>"},
        {"'a'\n'b", "!"},
        {"b'0'\n'1'", "b<b'0'\n'1'>"},
        {"\"a\"\n\"b\"", "q<\"a\"> q<\"b\">"},
        {"'a'\n- 1", "s<'a'> c<-> n<1>"},
        {"'a'\n-- x", "s<'a'>"},
    };
    CHECK(cases, true);
}

static void dollar_quotes_end_at_the_same_tag(void **state)
{
    (void)state;
    static const struct lex_case cases[] = {
        {"$$a'b$$c", "s<$$a'b$$> w<c>"},
        {"$t$ $$ $T$ $t$", "s<$t$ $$ $T$ $t$>"},
        {"$t$$t$", "s<$t$$t$>"},
        {"$t$ $t $t$", "s<$t$ $t $t$>"},
        {"$a$b$a$a$", "s<$a$b$a$> w<a$>"},
        {"$_1$x$_1$", "s<$_1$x$_1$>"},
        {"a$b$c", "w<a$b$c>"},
        {"$1", "p<$1>"},
        {"$12,$3", "p<$12> c<,> p<$3>"},
        {"$1a", "!"},
        {"$t$ x", "!"},
        {"$$", "!"},
        {"$", "!"},
        {"$t", "!"},
        {"$t$ $t", "!"},
    };
    CHECK(cases, true);
}

static void names_are_words_or_quoted(void **state)
{
    (void)state;
    static const struct lex_case cases[] = {
        {"Select _a b$1 \xC3\xA4", "k<Select> w<_a> w<b$1> w<\xC3\xA4>"},
        {"\"a\"\"b\"", "q<\"a\"\"b\">"},
        {"\"\"\"\"", "q<\"\"\"\">"},
        {"\"\"", "!"},
        {"\"a", "!"},
        {"U&\"a\"\"b\"", "u<U&\"a\"\"b\">"},
        {"U&\"\"", "!"},
        {"a.b.\"c\"", "w<a> c<.> w<b> c<.> q<\"c\">"},
        {"\"select\"", "q<\"select\">"},
    };
    CHECK(cases, true);
}

static void numbers_stop_before_two_dots(void **state)
{
    (void)state;
    static const struct lex_case cases[] = {
        {"1 1. .5 1.5 1e10 1.e-3 .5E+2", "n<1> n<1.> n<.5> n<1.5> n<1e10> n<1.e-3> n<.5E+2>"},
        {"1..10", "n<1> r<..> n<10>"},
        {"1.5.2", "n<1.5> n<.2>"},
        {"0x1F 0o17 0b11 1_000", "n<0x1F> n<0o17> n<0b11> n<1_000>"},
        {"1a", "!"},
        {"1e", "!"},
        {"1e+", "!"},
        {"-1", "c<-> n<1>"},
        {"a[1:2]", "w<a> c<[> n<1> c<:> n<2> c<]>"},
    };
    CHECK(cases, true);
}

static void operators_stop_where_a_comment_begins(void **state)
{
    (void)state;
    static const struct lex_case cases[] = {
        {"a<=b", "w<a> o<<=> w<b>"},
        {"a::b:=c=>d", "w<a> t<::> w<b> a<:=> w<c> g<=>> w<d>"},
        {"1+-2", "n<1> c<+> c<-> n<2>"},
        {"1*-2", "n<1> c<*> c<-> n<2>"},
        {"a @-b", "w<a> o<@-> w<b>"},
        {"a @+- b", "w<a> o<@+-> w<b>"},
        {"a<>-1", "w<a> o<<>> c<-> n<1>"},
        {"a+--b\n1", "w<a> c<+> n<1>"},
        {"a*/*x*/b", "w<a> c<*> w<b>"},
        {"a@/*x*/b", "w<a> o<@> w<b>"},
        {"a->>'b'#>c", "w<a> o<->>> s<'b'> o<#>> w<c>"},
        {"=", "c<=>"},
        {"=-1", "c<=> c<-> n<1>"},
        {"?|", "o<?|>"},
        {"{", "!"},
        {"\\", "!"},
    };
    CHECK(cases, true);
}

static void an_operator_is_shorter_than_a_name_may_be(void **state)
{
    (void)state;
    char text[70] = {0}, tokens[200];
    memset(text, '@', 63);
    describe(text, true, tokens, sizeof tokens);
    assert_memory_equal(tokens, "o<@", 3);
    text[63] = '@';
    describe(text, true, tokens, sizeof tokens);
    assert_string_equal(tokens, "!");
}

static void an_error_repeats_for_ever(void **state)
{
    (void)state;
    struct lexer lexer;
    lex_init(&lexer, slice_from("1 'open"), true);
    assert_int_equal(lex_next(&lexer).kind, TOKEN_NUMBER);
    for (int i = 0; i < 3; i++)
        assert_int_equal(lex_next(&lexer).kind, TOKEN_ERROR);
    lex_init(&lexer, slice_of(NULL, 0), true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(lex_next(&lexer).kind, TOKEN_END);
}

static void a_nul_is_no_blank(void **state)
{
    (void)state;
    struct lexer lexer;
    lex_init(&lexer, slice_of("1 \0 2", 5), true);
    assert_int_equal(lex_next(&lexer).kind, TOKEN_NUMBER);
    assert_int_equal(lex_next(&lexer).kind, TOKEN_ERROR);
}

static void comments_can_be_read_one_by_one(void **state)
{
    (void)state;
    struct lexer lexer;
    struct slice comment;
    lex_init(&lexer, slice_from(" /* a */ -- b\n/* c"), true);
    assert_true(lex_comment(&lexer, &comment));
    assert_true(slice_is(comment, "/* a */"));
    assert_true(lex_comment(&lexer, &comment));
    assert_true(slice_is(comment, "-- b"));
    assert_false(lex_comment(&lexer, &comment));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_nest_and_end_where_postgres_ends_them),
        cmocka_unit_test(strings_end_at_their_own_quote),
        cmocka_unit_test(without_standard_strings_a_backslash_escapes),
        cmocka_unit_test(a_string_goes_on_behind_a_newline_only),
        cmocka_unit_test(dollar_quotes_end_at_the_same_tag),
        cmocka_unit_test(names_are_words_or_quoted),
        cmocka_unit_test(numbers_stop_before_two_dots),
        cmocka_unit_test(operators_stop_where_a_comment_begins),
        cmocka_unit_test(an_operator_is_shorter_than_a_name_may_be),
        cmocka_unit_test(an_error_repeats_for_ever),
        cmocka_unit_test(a_nul_is_no_blank),
        cmocka_unit_test(comments_can_be_read_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
