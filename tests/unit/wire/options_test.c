/* The `options` startup parameter, as a table of texts and the settings that they hold. */
#include "proxy/wire/startup.h"

#include "wire_test.h"

#include <stdio.h>

/* All settings as "name=value;"; "!" and the SQLSTATE when the list ends with an error. */
static void join(const char *text, char *out, size_t size)
{
    struct startup_options options;
    struct slice name, value;
    struct error error;
    size_t at = 0;
    startup_options_init(&options, slice_from(text));
    enum startup_option option;
    out[0] = '\0';
    while ((option = startup_options_next(&options, &name, &value, &error)) == OPTION_SETTING)
        at += (size_t)snprintf(out + at, size - at, "%s=%s;", name.data, value.data);
    if (option == OPTION_BAD)
        snprintf(out + at, size - at, "!%s", error.sqlstate);
}

static void settings_are_found_in_every_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"   ", ""},
        {"-c a=b", "a=b;"},
        {"-ca=b", "a=b;"},
        {"--a=b", "a=b;"},
        {"  -c  a=b\t--c=d\n", "a=b;c=d;"},
        {"-c a=", "a=;"},
        {"-c a=b=c", "a=b=c;"},
        {"--statement-timeout=5", "statement_timeout=5;"},
        {"-c search-path=x-y", "search_path=x-y;"},
        {"-c search_path=a,\\ b", "search_path=a, b;"},
        {"-c a=b\\\\c", "a=b\\c;"},
        {"-c a=\\\\\\ b -c c=d", "a=\\ b;c=d;"},
        {"-c a=b\\", "a=b;"},
        {"-c a=b -c", "a=b;!42601"},
        {"-c ab", "!42601"},
        {"--ab", "!42601"},
        {"-c =b", "!42601"},
        {"--", "!42601"},
        {"-", "!42601"},
        {"-d 5", "!42601"},
        {"a=b", "!42601"},
        {"-c a=b x", "a=b;!42601"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char found[200];
        join(cases[i].text, found, sizeof found);
        assert_string_equal(found, cases[i].expected);
    }
}

static void a_text_longer_than_a_packet_is_refused(void **state)
{
    (void)state;
    static char text[STARTUP_PACKET_MAX + 10];
    memset(text, 'x', sizeof text - 1);
    char found[50];
    join(text, found, sizeof found);
    assert_string_equal(found, "!54000");
    memcpy(text, "-c a=", 5);
    text[STARTUP_PACKET_MAX - 1] = '\0';
    struct startup_options options;
    struct slice name, value;
    struct error error;
    startup_options_init(&options, slice_from(text));
    assert_int_equal(startup_options_next(&options, &name, &value, &error), OPTION_SETTING);
    assert_int_equal(value.len, STARTUP_PACKET_MAX - 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_found_in_every_spelling),
        cmocka_unit_test(a_text_longer_than_a_packet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
