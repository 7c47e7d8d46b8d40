/* Addresses of listeners: what is one, and which two cannot be had at once. */
#include "conf/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void good_addresses_are_taken_apart(void **context)
{
    (void)context;
    struct address address;
    const char *why;
    assert_true(address_parse("db.example.org:5000", &address, &why));
    assert_false(address.is_unix);
    assert_string_equal(address.host, "db.example.org");
    assert_int_equal(address.port, 5000);
    assert_true(address_parse("*:65535", &address, &why));
    assert_string_equal(address.host, "*");
    assert_int_equal(address.port, 65535);
    assert_true(address_parse("[fe80::1%eth0]:1", &address, &why));
    assert_string_equal(address.host, "fe80::1%eth0");
    assert_true(address_parse("[::]:6432", &address, &why));
    assert_string_equal(address.host, "::");
    assert_true(address_parse("unix:/run/rolecall/.s.PGSQL.6432", &address, &why));
    assert_true(address.is_unix);
    assert_string_equal(address.path, "/run/rolecall/.s.PGSQL.6432");
}

static void bad_addresses_are_refused_with_a_reason(void **context)
{
    (void)context;
    static const char *const cases[][2] = {
        {"", "expected host:port, [IPv6]:port, *:port or unix:/path"},
        {"localhost", "expected host:port, [IPv6]:port, *:port or unix:/path"},
        {":5432", "the host is missing; *:port means every interface"},
        {"h:", "expected a port from 1 to 65535 at its end"},
        {"h:54x", "expected a port from 1 to 65535 at its end"},
        {"h:123456", "expected a port from 1 to 65535 at its end"},
        {"h:0", "the port must be from 1 to 65535"},
        {"h:65536", "the port must be from 1 to 65535"},
        {"::1:5432", "an IPv6 address is written [address]:port"},
        {"[::1]", "expected [IPv6 address]:port"},
        {"[::1]5432", "expected [IPv6 address]:port"},
        {"[host]:1", "expected an IPv6 address between [ and ]"},
        {"a b:1", "an address holds no blanks"},
        {"/run/x", "a Unix socket is written unix:/path"},
        {"unix:x", "the path of a Unix socket must begin with /"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address;
        const char *why = NULL;
        assert_false(address_parse(cases[i][0], &address, &why));
        assert_string_equal(why, cases[i][1]);
    }
}

static void a_path_or_host_of_any_length_is_bounded(void **context)
{
    (void)context;
    struct address address;
    const char *why;
    char text[600] = "unix:/";
    memset(text + 6, 'p', 106);
    assert_true(address_parse(text, &address, &why));
    assert_int_equal(strlen(address.path), 107);
    text[112] = 'p';
    assert_false(address_parse(text, &address, &why));
    memset(text, 'h', 590);
    strcpy(text + 590, ":1");
    assert_false(address_parse(text, &address, &why));
    assert_string_equal(why, "the host is too long");
    text[0] = '[';
    strcpy(text + 580, "]:1");
    assert_false(address_parse(text, &address, &why));
}

static bool collide(const char *a, const char *b)
{
    struct address left, right;
    const char *why;
    assert_true(address_parse(a, &left, &why));
    assert_true(address_parse(b, &right, &why));
    assert_int_equal(address_collides(&left, &right), address_collides(&right, &left));
    return address_collides(&left, &right);
}

static void only_addresses_that_cannot_coexist_collide(void **context)
{
    (void)context;
    assert_true(collide("*:1", "10.0.0.1:1"));
    assert_true(collide("0.0.0.0:1", "10.0.0.1:1"));
    assert_true(collide("[::]:1", "[::1]:1"));
    assert_true(collide("[::1]:1", "[0:0::1]:1"));
    assert_true(collide("Host:1", "host:1"));
    assert_true(collide("*:1", "[::]:1"));
    assert_true(collide("unix:/a", "unix:/a"));
    assert_false(collide("*:1", "*:2"));
    assert_false(collide("10.0.0.1:1", "10.0.0.2:1"));
    assert_false(collide("0.0.0.0:1", "[::]:1"));
    assert_false(collide("0.0.0.0:1", "[::1]:1"));
    assert_false(collide("unix:/a", "unix:/b"));
    assert_false(collide("unix:/a", "*:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses_are_taken_apart),
        cmocka_unit_test(bad_addresses_are_refused_with_a_reason),
        cmocka_unit_test(a_path_or_host_of_any_length_is_bounded),
        cmocka_unit_test(only_addresses_that_cannot_coexist_collide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
