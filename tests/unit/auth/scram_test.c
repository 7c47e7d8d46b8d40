/* SCRAM's arithmetic against verifiers that PostgreSQL made, and the text form of verifiers. */
#include "proxy/auth/scram.h"

#include "auth_test.h"

static void passwords_give_the_verifiers_that_postgresql_stores(void **state)
{
    (void)state;
    /* create role ... password U&'...' on PostgreSQL 15 with a UTF-8 database. */
    static const struct {
        const char *what, *password, *verifier;
    } cases[] = {
        {"ascii", "pencil", PENCIL_VERIFIER},
        {"soft hyphen vanishes", "I\xc2\xadX",
            "SCRAM-SHA-256$4096:66yNoYiJodGRgQpkRpREAA==$3ZSK9zZuT3CUbVWgPQGNkW6mbaYimIZ3LWH60tJs86U=:"
            "Abun+o40U9/h7sAst+Gfi9aJnlXxs0qihGL1EeFQxBQ="},
        {"ligature, roman nine, angstrom: composed", "\xef\xac\x81 \xe2\x85\xa8 \xe2\x84\xab",
            "SCRAM-SHA-256$4096:+cnjLGoXkqXXHYv9SB9lPA==$XNENk0APaQJo/lQPRG31YGJBP0/RmrQ35o/iPLozUhk=:"
            "VXDnLtJgGNzjUoHXbWXqCVnqA0ZrZoWpTNF4ibs/s6c="},
        {"tone mark: prohibited, so raw",
            "a\xcd\x80"
            "b",
            "SCRAM-SHA-256$4096:j03EufWV53RmDfM0DBDAPQ==$4GAPJzSrMo/RkOjgdgymV2ltKuusmDflhcUG3eWBawA=:"
            "YV0ch6Ea8l3U23yYOgD9XhVPizWE/TcWoRwmbwnu7JE="},
        {"unassigned: raw", "x\xc8\xa1y",
            "SCRAM-SHA-256$4096:s9GsY7/VYrRbJkYqEfIhAQ==$W718coEsezAJ/8Ygw3LGRKwzxItwVahO5bEVbjAqr08=:"
            "QAABdGxn1OcfgHhGJn0dKqnH5QZkVmIzUex0PNERtmw="},
        {"right-to-left, then a digit: raw",
            "\xd8\xa7"
            "1",
            "SCRAM-SHA-256$4096:IUy8YAYAGxNj6ABe1tXlXg==$1KtLZZhxqygz56M0fg2L9hxX+uYEtvkCP5l06n8w5O8=:"
            "EvO9bz55OKbO75ahA3zFaf47TDBQ5+a5eBMqiLfdrcI="},
        {"no-break space becomes a space",
            "a\xc2\xa0"
            "b",
            "SCRAM-SHA-256$4096:yo3Sa4sALRXnu0DX6dXRBg==$1NZV26/sBhKeKGdxFzM7nzwGAHhKm0CPxxBGdUBOSJs=:"
            "jiyTLPZI5S5MVvNaqQJn9723vwnRH0i0FAuYefhXI+k="},
        {"control character: raw",
            "a\xc2\x85"
            "b",
            "SCRAM-SHA-256$4096:ogJsZIxuQ4eXPBRCZZzbng==$OojDRubklZQv39VSe6p9P9mV+uLnP3vWW6UkySR8L9Y=:"
            "xf+F1yIbdTLl39YoCSSLiUdxj9Z197T8iCIn214HQbA="},
        {"nothing left: raw", "\xc2\xad",
            "SCRAM-SHA-256$4096:iQs8mFZmLSbl5xHTmvkRiA==$Bs1DA+W6xTpaRoUnCYA1hbX60RfuAfgR681KETBffBc=:"
            "k5vyYs3rBh8jiX6GNU/LARVArIsJVslS7k7S8zDRVOs="},
        {"hangul is composed", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8",
            "SCRAM-SHA-256$4096:+p8r5YUV85rdmAnUs5Brwg==$yg/+7PHN072AE2+yyFyF8jX9Zo70ofzwyKjkR7KZIJA=:"
            "ITOisTiUrwctwkbJGIAI4ALs5tJ4+D7iK/R3HqX6sbk="},
        {"both directions: raw",
            "\xd7\x90"
            "b",
            "SCRAM-SHA-256$4096:a95cym5/6lpvLnszzx4BUw==$bHWCwBzRU8TfrhG8vHu94TjWzGfDFJQq/rgWrYbJcyA=:"
            "99JoKfUtiznMk0HTMWZeSDw2xCh7wNDuGU0R84C/Bw4="},
        {"letter like a right-to-left one: composed", "\xc3\xa9\xe2\x84\xb8",
            "SCRAM-SHA-256$4096:HljbdfaGJruvLStu2KWBMQ==$NEhXKsMXll1lhcQUVvZkSD5CXN8hR+4cG7mXwPjUpX4=:"
            "caUZ2BPhasQWfjKDNpUih1bo1tPGo6p+TuMjUdIyODQ="},
        {"ligature that becomes a space and marks: composed", "\xef\xb1\xa3",
            "SCRAM-SHA-256$4096:9tf+d9gVXaua98O4RFlnqA==$9PYTXcrac6wCDY7Bxrk25rwfVd2uo9igsVJEhooyhgo=:ln/"
            "kdJeTLP0GkqYA604bgWhhzWVE0gIIjRlrh/xTeJ8="},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scram_keys keys;
        char verifier[SCRAM_VERIFIER_MAX];
        assert_true(scram_parse_verifier(slice_from(cases[i].verifier), &keys));
        memset(keys.stored_key, 0, SCRAM_KEY_LEN);
        memset(keys.server_key, 0, SCRAM_KEY_LEN);
        assert_true(scram_derive(slice_from(cases[i].password), &keys));
        assert_int_equal(scram_format_verifier(&keys, verifier), strlen(cases[i].verifier));
        if (strcmp(verifier, cases[i].verifier) != 0)
            print_message("differs: %s\n", cases[i].what);
        assert_string_equal(verifier, cases[i].verifier);
    }
}

static void a_password_that_is_not_utf8_is_hashed_as_it_is(void **state)
{
    (void)state;
    /* PBKDF2 of the raw bytes 61 ff, as Python's hashlib computes it: salt "salt", one iteration. */
    struct scram_keys keys = {.iterations = 1, .salt_len = 4, .salt = "salt"}, other = keys;
    char verifier[SCRAM_VERIFIER_MAX];
    assert_true(scram_derive(slice_from("a\xff"), &keys));
    scram_format_verifier(&keys, verifier);
    assert_string_equal(verifier, "SCRAM-SHA-256$1:c2FsdA==$auxpnM945S7e8yyp9uYwKS9jL76ab1cs+EIvaprYluA=:"
                                  "tTQhaPHvkxzbjbRZed2dU+Bt5S22qq3zXpffz+BPs+I=");
    assert_true(scram_derive(slice_from("a"), &other));
    assert_memory_not_equal(keys.stored_key, other.stored_key, SCRAM_KEY_LEN);
}

static void malformed_verifiers_are_refused(void **state)
{
    (void)state;
    static const char key[] = "dhaabIJ3dbZKmKfJ7dSK5AAiSsLC5IRTRtsPNDu7rHM=";
    static const struct {
        const char *format;
        bool good;
    } cases[] = {
        {"SCRAM-SHA-256$4096:c2FsdA==$%s:%s", true},
        {"SCRAM-SHA-256$1:c2FsdA==$%s:%s", true},
        {"SCRAM-SHA-256$1000000:c2FsdA==$%s:%s", true},
        {"SCRAM-SHA-256$1000001:c2FsdA==$%s:%s", false},
        {"SCRAM-SHA-256$4294967297:c2FsdA==$%s:%s", false},
        {"SCRAM-SHA-256$0:c2FsdA==$%s:%s", false},
        {"SCRAM-SHA-256$-1:c2FsdA==$%s:%s", false},
        {"SCRAM-SHA-256$:c2FsdA==$%s:%s", false},
        {"SCRAM-SHA-256$4096:$%s:%s", false},
        {"SCRAM-SHA-256$4096:c2FsdA=$%s:%s", false},
        {"SCRAM-SHA-256$4096:c2FsdA==$x%s:%s", false},
        {"SCRAM-SHA-256$4096:c2FsdA==$%s:%s=", false},
        {"SCRAM-SHA-256$4096:c2FsdA==$%s", false},
        {"SCRAM-SHA-1$4096:c2FsdA==$%s:%s", false},
        {"SCRAM-SHA-256$4096:c2FsdA==$c2FsdA==:%s", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[300];
        struct scram_keys keys;
        snprintf(text, sizeof text, cases[i].format, key, key);
        assert_int_equal(scram_parse_verifier(slice_from(text), &keys), cases[i].good);
    }
}

static void a_salt_longer_than_the_bound_is_refused(void **state)
{
    (void)state;
    char text[400];
    struct scram_keys keys;
    for (int groups = 42; groups <= 44; groups++) {
        size_t at = (size_t)snprintf(text, sizeof text, "SCRAM-SHA-256$4096:");
        for (int i = 0; i < groups; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "AAAA");
        snprintf(text + at, sizeof text - at, "$%s", strrchr(PENCIL_VERIFIER, '$') + 1);
        assert_int_equal(scram_parse_verifier(slice_from(text), &keys), groups * 3 <= SCRAM_SALT_MAX);
    }
}

static void attributes_are_taken_one_by_one(void **state)
{
    (void)state;
    struct slice rest = LITERAL("r=ab,s=,i=5"), value;
    assert_false(scram_attribute(&rest, 's', &value));
    assert_true(scram_attribute(&rest, 'r', &value));
    assert_true(slice_is(value, "ab"));
    assert_true(scram_attribute(&rest, '\0', &value));
    assert_int_equal(value.len, 0);
    assert_true(scram_attribute(&rest, 'i', &value));
    assert_true(slice_is(value, "5"));
    assert_int_equal(rest.len, 0);
    assert_false(scram_attribute(&rest, '\0', &value));
    rest = LITERAL("1=x");
    assert_false(scram_attribute(&rest, '\0', &value));
    rest = LITERAL("rr=x");
    assert_false(scram_attribute(&rest, 'r', &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_give_the_verifiers_that_postgresql_stores),
        cmocka_unit_test(a_password_that_is_not_utf8_is_hashed_as_it_is),
        cmocka_unit_test(malformed_verifiers_are_refused),
        cmocka_unit_test(a_salt_longer_than_the_bound_is_refused),
        cmocka_unit_test(attributes_are_taken_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
