/* DateStyle, given twice. */
#include "router/date_style.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const char *before, const char *after, const char *expected)
{
    char out[DATE_STYLE_MAX];
    struct slice made = date_style_then(slice_from(before), slice_from(after), out);
    if (!slice_is(made, expected))
        fail_msg("%s, then %s, is %.*s", before, after, (int)made.len, made.data);
}

static void what_the_later_one_does_not_tell_stays(void **state)
{
    (void)state;
    check("German", "ISO", "ISO, DMY");
    check("SQL, YMD", "iso", "ISO, YMD");
    check("ISO", "dmy", "ISO, DMY");
    check("SQL", "European", "SQL, DMY");
    check("german", "MDY", "German, MDY");
    check("ISO, DMY", "SQL,US", "SQL, MDY");
    check("ISO", "Postgres", "Postgres");
    check("DMY", "NonEuropean", "MDY");
}

static void what_is_not_understood_is_left_to_the_node(void **state)
{
    (void)state;
    check("German", "nonsense", "nonsense");
    check("nonsense", "ISO", "ISO");
    check("German", "", "");
    check("German", "ISO,", "ISO,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_later_one_does_not_tell_stays),
        cmocka_unit_test(what_is_not_understood_is_left_to_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
