/* primary_conninfo that points elsewhere: what stays, what is replaced, what is no such text. */
#include "unit.h"

#include "health/failover/conninfo.h"

static char out[CONNINFO_MAX];

static void becomes(const char *text, const char *name, const char *wanted)
{
    if (!conninfo_repoint(text, "10.0.0.2", 5433, name, out))
        fail_msg("refused: %s", text);
    assert_string_equal(out, wanted);
}

static void host_and_port_are_replaced_and_the_rest_stays(void **context)
{
    (void)context;
    becomes("user=r password=s host=10.0.0.1 port=5432 sslmode=prefer", NULL,
        "user=r password=s sslmode=prefer host='10.0.0.2' port='5433'");
    becomes("hostaddr = 10.0.0.1  host = a,b user = r", NULL, "user=r host='10.0.0.2' port='5433'");
    becomes("", NULL, "host='10.0.0.2' port='5433'");
    becomes("  application_name=a ", NULL, "application_name=a host='10.0.0.2' port='5433'");
    becomes("application_name=a user=r", "b", "user=r host='10.0.0.2' port='5433' application_name='b'");
}

static void it_does_not_grow_with_each_failover(void **context)
{
    (void)context;
    char before[CONNINFO_MAX];
    becomes("user=r host=a", NULL, "user=r host='10.0.0.2' port='5433'");
    strcpy(before, out);
    becomes(before, NULL, "user=r host='10.0.0.2' port='5433'");
}

static void quoted_values_stay_as_they_are(void **context)
{
    (void)context;
    becomes("password='a b=c \\' \\\\' user=x\\ y", NULL,
        "password='a b=c \\' \\\\' user=x\\ y host='10.0.0.2' port='5433'");
    becomes(
        "options='-c host=evil' user=r", NULL, "options='-c host=evil' user=r host='10.0.0.2' port='5433'");
    becomes("user=r password=", NULL, "user=r password='' host='10.0.0.2' port='5433'");
    assert_true(conninfo_repoint("user=r", "/tmp/it's", 5432, NULL, out));
    assert_string_equal(out, "user=r host='/tmp/it\\'s' port='5432'");
}

static void what_is_no_such_text_is_refused(void **context)
{
    (void)context;
    static const char *const bad[] = {
        "postgresql://u@h/db", "user", "=r", "user='r", "user=r\\", "user=r password", "user='r\\"};
    char longer[CONNINFO_MAX + 16];
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (conninfo_repoint(bad[i], "h", 1, NULL, out))
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(out, "");
    }
    memset(longer, 'x', sizeof longer);
    memcpy(longer, "user=", 5);
    longer[sizeof longer - 1] = '\0';
    assert_false(conninfo_repoint(longer, "h", 1, NULL, out));
    assert_string_equal(out, "");
}

static void a_server_is_recognised_by_host_and_port(void **context)
{
    (void)context;
    assert_true(conninfo_names("host=a port=5433 user=r", "a", 5433));
    assert_true(conninfo_names("user=r host='a'", "a", 5432));
    assert_true(conninfo_names("hostaddr=10.0.0.1 port='5433'", "10.0.0.1", 5433));
    assert_false(conninfo_names("host=a port=5433", "a", 5432));
    assert_false(conninfo_names("host=ab port=5433", "a", 5433));
    assert_false(conninfo_names("host=a port=5433", "ab", 5433));
    assert_false(conninfo_names("user=a", "a", 5432));
}

static void a_literal_doubles_its_quotes(void **context)
{
    (void)context;
    char literal[2 * CONNINFO_MAX + 3];
    assert_true(conninfo_literal("a'b\\c", literal));
    assert_string_equal(literal, "'a''b\\c'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_and_port_are_replaced_and_the_rest_stays),
        cmocka_unit_test(it_does_not_grow_with_each_failover),
        cmocka_unit_test(quoted_values_stay_as_they_are),
        cmocka_unit_test(what_is_no_such_text_is_refused),
        cmocka_unit_test(a_server_is_recognised_by_host_and_port),
        cmocka_unit_test(a_literal_doubles_its_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
