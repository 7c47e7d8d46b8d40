/* Lines are well-formed whatever the values hold. */
#include "conf/base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];
static char line[65536];

static int open_pipe(void **context)
{
    (void)context;
    if (pipe(ends) != 0)
        return -1;
    log_set_fd(ends[1]);
    return 0;
}

static int close_pipe(void **context)
{
    (void)context;
    log_set_fd(STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static int fresh(void **context)
{
    (void)context;
    log_set_level(LOG_INFO);
    log_set_format(LOG_LOGFMT);
    line[0] = '\0';
    return 0;
}

/* The line written last, without its end. One read gives it all, since it was one write. */
static char *read_line(void)
{
    ssize_t len = read(ends[0], line, sizeof line - 1);
    assert_true(len > 0);
    line[len] = '\0';
    assert_int_equal(line[len - 1], '\n');
    assert_ptr_equal(strchr(line, '\n'), line + len - 1);
    line[len - 1] = '\0';
    return line;
}

/* What follows the event. */
static const char *pairs_of(const char *text)
{
    const char *event = strstr(text, "event");
    assert_non_null(event);
    const char *at = strpbrk(event, " ,");
    return at ? at + 1 : "";
}

/* A strict reader of one flat JSON object; a duplicate of no code in the library, so that the two check each
 * other. */
static const char *skip_string(const char *at)
{
    assert_int_equal(*at, '"');
    for (at++; *at != '"'; at++) {
        unsigned char c = (unsigned char)*at;
        assert_true(c >= 0x20);
        if (c == '\\') {
            at++;
            assert_non_null(strchr("\"\\/bfnrtu", *at));
            if (*at == 'u') {
                assert_int_equal(strspn(at + 1, "0123456789abcdef") >= 4, 1);
                at += 4;
            }
        } else if (c >= 0x80) { /* two to four bytes of UTF-8 */
            int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
            assert_true(c >= 0xC2 && c <= 0xF4);
            for (; more > 0; more--)
                assert_int_equal((unsigned char)*++at & 0xC0, 0x80);
        }
    }
    return at + 1;
}

static void check_json(const char *text)
{
    const char *at = text;
    assert_int_equal(*at++, '{');
    while (1) {
        at = skip_string(at);
        assert_int_equal(*at++, ':');
        if (*at == '"')
            at = skip_string(at);
        else if (strncmp(at, "true", 4) == 0)
            at += 4;
        else {
            size_t len = strspn(at, "-0123456789.");
            assert_true(len > 0);
            at += len;
        }
        if (*at == '}')
            break;
        assert_int_equal(*at++, ',');
    }
    assert_int_equal(at[1], '\0');
}

static void a_line_begins_with_time_level_and_event(void **context)
{
    (void)context;
    log_event(LOG_WARNING, "role_changed", "node=%s", "n1");
    read_line();
    assert_int_equal(strncmp(line, "ts=2", 4), 0);
    assert_int_equal(line[3 + 24], ' ');
    assert_string_equal(line + 3 + 25, "level=warning event=role_changed node=n1");
}

static void every_listed_conversion_prints_as_printf_does(void **context)
{
    (void)context;
    log_event(LOG_INFO, "e",
        "s=%s cut=%.*s c=%c d=%d i=%i u=%u x=%x ld=%ld lu=%lu lld=%lld llu=%llu zu=%zu zd=%zd f=%f two=%.2f",
        "abc", 2, "abcdef", 'z', -5, INT32_MIN, 4000000000u, 0xbeefu, -1L, 7ul, INT64_MIN + 0LL,
        UINT64_MAX + 0ULL, (size_t)9, (ssize_t)-9, 0.5, 3.14159);
    assert_string_equal(pairs_of(read_line()),
        "s=abc cut=ab c=z d=-5 i=-2147483648 u=4000000000 x=beef ld=-1 lu=7 lld=-9223372036854775808 "
        "llu=18446744073709551615 zu=9 zd=-9 f=0.500000 two=3.14");
}

static void a_null_string_leaves_its_pair_out(void **context)
{
    (void)context;
    const char *volatile none = NULL; /* the compiler would see through a plain one */
    log_event(LOG_INFO, "e", "a=%s b=%d c=%s", none, 1, "x");
    assert_string_equal(pairs_of(read_line()), "b=1 c=x");
}

static void an_empty_string_is_quoted(void **context)
{
    (void)context;
    log_event(LOG_INFO, "e", "a=%s b=%s", "", "x");
    assert_string_equal(pairs_of(read_line()), "a=\"\" b=x");
}

static void a_value_cannot_forge_a_field_or_a_line(void **context)
{
    (void)context;
    log_event(LOG_INFO, "e", "a=%s", "x level=error\nts=1 \"q\" \\ \t\r\x1b[31m");
    assert_string_equal(pairs_of(read_line()), "a=\"x level=error\\nts=1 \\\"q\\\" \\\\ \\t\\r\\u001b[31m\"");
    log_event(LOG_INFO, "e", "a=%s", "k=v");
    assert_string_equal(pairs_of(read_line()), "a=\"k=v\"");
    log_event(LOG_INFO, "e", "a=%c", '\n');
    assert_string_equal(pairs_of(read_line()), "a=\"\\n\"");
}

static void good_utf8_passes_and_bad_bytes_are_replaced(void **context)
{
    (void)context;
    log_event(LOG_INFO, "e", "a=%s", "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x90\x98");
    assert_string_equal(pairs_of(read_line()), "a=\"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x90\x98\"");
    /* a lone continuation, an overlong slash, a surrogate, beyond Unicode, a cut character */
    log_event(LOG_INFO, "e", "a=%s", "\x80|\xC0\xAF|\xED\xA0\x80|\xF4\x90\x80\x80|\xE2\x82");
    assert_string_equal(pairs_of(read_line()),
        "a=\"\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\"");
    /* C1 control characters and line separators move terminals and split lines too */
    log_event(LOG_INFO, "e", "a=%s", "\xC2\x9B|\xE2\x80\xA8|\x7F");
    assert_string_equal(pairs_of(read_line()), "a=\"\\u009b|\\u2028|\\u007f\"");
}

static void a_precision_cuts_a_string_that_has_no_end(void **context)
{
    (void)context;
    char bytes[4] = {'a', 'b', 'c', 'd'};
    log_event(LOG_INFO, "e", "a=%.*s b=%.*s c=%.3s", 4, bytes, 0, bytes, bytes);
    assert_string_equal(pairs_of(read_line()), "a=abcd b=\"\" c=abc");
}

static void a_value_of_several_pieces_is_quoted_as_one(void **context)
{
    (void)context;
    log_event(LOG_INFO, "e", "at=%s:%d share=%d%% word=plain", "a b", 5432, 50);
    assert_string_equal(pairs_of(read_line()), "at=\"a b:5432\" share=50% word=plain");
}

static void a_log_position_is_written_as_postgresql_does(void **context)
{
    (void)context;
    log_event(LOG_INFO, "e", "lsn=%X/%08X padded=%03d", 0x16u, 0xB374D8u, 7);
    assert_string_equal(pairs_of(read_line()), "lsn=16/00B374D8 padded=007");
}

static void a_format_that_breaks_the_rules_is_shown_and_not_guessed(void **context)
{
    (void)context;
    log_event(LOG_INFO, "e", "a=%d b=%g c=%d", 1, 2.0, 3);
    assert_string_equal(pairs_of(read_line()), "a=1 bad_format=\"b=%g c=%d\"");
    log_event(LOG_INFO, "e", "it happened a=%d", 1);
    assert_string_equal(pairs_of(read_line()), "bad_format=\"it happened a=%d\"");
}

static void json_numbers_stand_bare_and_everything_else_in_quotes(void **context)
{
    (void)context;
    log_set_format(LOG_JSON);
    log_event(LOG_ERROR, "e", "n=%d z=%zu f=%.1f x=%x s=%s at=%s:%d bad=%f", -3, (size_t)4, 2.5, 255u, "7",
        "h", 1, 0.0 / strtod("0", NULL));
    read_line();
    check_json(line);
    assert_int_equal(strncmp(line, "{\"ts\":\"2", 8), 0);
    assert_non_null(strstr(line,
        "\"level\":\"error\",\"event\":\"e\",\"n\":-3,\"z\":4,\"f\":2.5,\"x\":\"ff\",\"s\":\"7\","
        "\"at\":\"h:1\",\"bad\":\""));
}

static void json_stays_valid_with_any_bytes(void **context)
{
    (void)context;
    log_set_format(LOG_JSON);
    unsigned seed = 1;
    for (int run = 0; run < 20000; run++) {
        char bytes[64];
        size_t len = (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(rand_r(&seed) >> 7);
        log_event(LOG_INFO, "e", "a=%.*s n=%d", (int)len, bytes, run);
        check_json(read_line());
    }
}

static void logfmt_keeps_to_printable_characters_and_one_line_with_any_bytes(void **context)
{
    (void)context;
    unsigned seed = 2;
    for (int run = 0; run < 5000; run++) {
        char bytes[64];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)(rand_r(&seed) >> 7);
        log_event(LOG_INFO, "e", "a=%.*s n=%d", (int)sizeof bytes, bytes, run);
        for (const char *at = read_line(); *at; at++)
            assert_true((unsigned char)*at >= ' ' && *at != 0x7F);
    }
}

static void a_line_of_any_length_is_cut_in_one_piece_and_says_so(void **context)
{
    (void)context;
    static char text[12000];
    for (size_t len = 3900; len < 4200; len++) {
        memset(text, 'x', len);
        text[len] = '\0';
        for (int i = 0; i < 2; i++) {
            log_set_format(i ? LOG_JSON : LOG_LOGFMT);
            log_event(LOG_INFO, "e", "a=%s after=%d", text, 12345);
            read_line();
            if (i)
                check_json(line);
            assert_true(strlen(line) < 4096);
            bool cut = strstr(line, "truncated") != NULL;
            assert_int_equal(cut, strstr(line, "12345") == NULL);
        }
    }
    memset(text, '\n', sizeof text - 1);
    log_event(LOG_INFO, "e", "a=%s", text);
    check_json(read_line());
    assert_non_null(strstr(line, "\\n\",\"truncated\":true}"));
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = "\xE2\x82\xAC"[i % 3];
    log_event(LOG_INFO, "e", "a=%s", text);
    check_json(read_line());
    assert_null(strstr(line, "ufffd"));
}

static void events_above_the_level_are_not_written(void **context)
{
    (void)context;
    log_set_level(LOG_WARNING);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARNING));
    assert_int_equal(log_get_level(), LOG_WARNING);
    log_event(LOG_INFO, "hidden", "a=%d", 1);
    log_event(LOG_ERROR, "shown", "a=%d", 1);
    assert_non_null(strstr(read_line(), "event=shown"));
}

static void errno_survives_a_line_that_cannot_be_written(void **context)
{
    (void)context;
    log_set_fd(-1);
    errno = ENOENT;
    log_event(LOG_INFO, "e", "a=%d", 1);
    assert_int_equal(errno, ENOENT);
    log_set_fd(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_begins_with_time_level_and_event, fresh),
        cmocka_unit_test_setup(every_listed_conversion_prints_as_printf_does, fresh),
        cmocka_unit_test_setup(a_null_string_leaves_its_pair_out, fresh),
        cmocka_unit_test_setup(an_empty_string_is_quoted, fresh),
        cmocka_unit_test_setup(a_value_cannot_forge_a_field_or_a_line, fresh),
        cmocka_unit_test_setup(good_utf8_passes_and_bad_bytes_are_replaced, fresh),
        cmocka_unit_test_setup(a_precision_cuts_a_string_that_has_no_end, fresh),
        cmocka_unit_test_setup(a_value_of_several_pieces_is_quoted_as_one, fresh),
        cmocka_unit_test_setup(a_log_position_is_written_as_postgresql_does, fresh),
        cmocka_unit_test_setup(a_format_that_breaks_the_rules_is_shown_and_not_guessed, fresh),
        cmocka_unit_test_setup(json_numbers_stand_bare_and_everything_else_in_quotes, fresh),
        cmocka_unit_test_setup(json_stays_valid_with_any_bytes, fresh),
        cmocka_unit_test_setup(logfmt_keeps_to_printable_characters_and_one_line_with_any_bytes, fresh),
        cmocka_unit_test_setup(a_line_of_any_length_is_cut_in_one_piece_and_says_so, fresh),
        cmocka_unit_test_setup(events_above_the_level_are_not_written, fresh),
        cmocka_unit_test_setup(errno_survives_a_line_that_cannot_be_written, fresh),
    };
    return cmocka_run_group_tests(tests, open_pipe, close_pipe);
}
