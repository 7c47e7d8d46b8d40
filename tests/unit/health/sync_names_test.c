/* synchronous_standby_names: what can be written, what it means, and what is not understood. */
#include "unit.h"

#include "health/failover/sync_names.h"

static struct sync_names names;

static void is_read(const char *text, uint32_t acknowledge, size_t n, bool any)
{
    if (!sync_names_parse(text, &names))
        fail_msg("not read: %s", text);
    assert_int_equal(names.acknowledge, acknowledge);
    assert_int_equal(names.n, n);
    assert_int_equal(names.any, any);
}

static void nobody_is_waited_for_when_it_is_empty(void **context)
{
    (void)context;
    is_read("", 0, 0, false);
    is_read("  \t", 0, 0, false);
    assert_false(sync_names_list(&names, "a"));
}

static void a_plain_list_waits_for_one(void **context)
{
    (void)context;
    is_read("a", 1, 1, false);
    is_read(" a , b,c ", 1, 3, false);
    assert_string_equal(names.names[2], "c");
    is_read("*", 1, 0, true);
    assert_true(sync_names_list(&names, "whoever"));
    is_read("first", 1, 1, false); /* a name like any other, without a number behind it */
    is_read("any, first", 1, 2, false);
}

static void a_number_says_how_many(void **context)
{
    (void)context;
    is_read("2 (a, b, c)", 2, 3, false);
    is_read("FIRST 3 (a,b,c)", 3, 3, false);
    is_read("any 2(a,b)", 2, 2, false);
    is_read("ANY 1 (*)", 1, 0, true);
    is_read("2, 3", 1, 2, false); /* names of digits */
}

static void names_are_quoted_or_not_and_case_does_not_matter(void **context)
{
    (void)context;
    is_read("\"a-b c\", \"d\"\"e\"", 1, 2, false);
    assert_string_equal(names.names[0], "a-b c");
    assert_string_equal(names.names[1], "d\"e");
    assert_true(sync_names_list(&names, "A-B C"));
    assert_false(sync_names_list(&names, "a-b"));
}

static void what_is_not_understood_is_not_guessed(void **context)
{
    (void)context;
    static const char *const bad[] = {",", "a,", "a b", "2 (a", "ANY 2 a", "ANY 0 (a)", "\"a", "2 (a) b",
        "a;b", "ANY 99999999999999999999 (a)", "(a)", "\"\""};
    char many[512] = "a0", longer[128];
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (sync_names_parse(bad[i], &names))
            fail_msg("read: %s", bad[i]);
    }
    for (int i = 1; i <= SYNC_NAMES_LIST_MAX; i++)
        sprintf(many + strlen(many), ",a%d", i);
    assert_false(sync_names_parse(many, &names));
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_false(sync_names_parse(longer, &names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_waited_for_when_it_is_empty),
        cmocka_unit_test(a_plain_list_waits_for_one),
        cmocka_unit_test(a_number_says_how_many),
        cmocka_unit_test(names_are_quoted_or_not_and_case_does_not_matter),
        cmocka_unit_test(what_is_not_understood_is_not_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
