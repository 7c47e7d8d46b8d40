/* Secrets: what a text is, comparing, wiping, and checking a clear-text password. */
#include "auth_test.h"

#define PENCIL_VERIFIER_OF_4097                                                                              \
    "SCRAM-SHA-256$4097:rjEy740u8wNq1/ugwVpKBA==$dhaabIJ3dbZKmKfJ7dSK5AAiSsLC5IRTRtsPNDu7rHM=:+TzNRK+"       \
    "LkYBoXgDkKMCX5rJ2REKHX5kjQC56DpdDPBQ="

static void a_text_says_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum secret_kind kind;
    } cases[] = {{"", SECRET_NONE}, {"pencil", SECRET_PLAIN}, {PENCIL_MD5_OF_MDU, SECRET_MD5},
        {PENCIL_VERIFIER, SECRET_SCRAM}, {"md5", SECRET_PLAIN}, {PENCIL_MD5_OF_MDU "0", SECRET_PLAIN},
        {"md5D504967F44E0C6062C7E5C2A8D42AAC1", SECRET_PLAIN},
        {"md5g504967f44e0c6062c7e5c2a8d42aac1", SECRET_PLAIN}, {"SCRAM-SHA-256", SECRET_PLAIN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct secret secret = secret_from(cases[i].text);
        assert_int_equal(secret.kind, cases[i].kind);
    }
}

static void a_broken_verifier_is_no_password(void **state)
{
    (void)state;
    struct secret secret;
    struct slice verifier = slice_from(PENCIL_VERIFIER);
    for (size_t len = strlen("SCRAM-SHA-256$"); len < verifier.len; len++) {
        assert_false(secret_parse(slice_of(verifier.data, len), &secret));
        assert_int_equal(secret.kind, SECRET_NONE);
    }
    assert_true(secret_parse(verifier, &secret));
}

static void a_password_is_bounded_and_has_no_nul(void **state)
{
    (void)state;
    static char text[SECRET_PLAIN_MAX + 1];
    struct secret secret;
    memset(text, 'x', sizeof text);
    assert_true(secret_parse(slice_of(text, SECRET_PLAIN_MAX), &secret));
    assert_int_equal(secret.plain.len, SECRET_PLAIN_MAX);
    assert_int_equal(strlen(secret.plain.text), SECRET_PLAIN_MAX);
    assert_false(secret_parse(slice_of(text, SECRET_PLAIN_MAX + 1), &secret));
    assert_false(secret_parse(LITERAL("a\0b"), &secret));
    assert_int_equal(secret.kind, SECRET_NONE);
}

static void wiping_leaves_nothing(void **state)
{
    (void)state;
    static const struct secret empty;
    struct secret secret = secret_from("pencil");
    secret_wipe(&secret);
    assert_int_equal(secret.kind, SECRET_NONE);
    assert_memory_equal(&secret, &empty, sizeof secret);
}

static void secrets_are_the_same_by_kind_and_contents(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "pencil", "pencil2", PENCIL_MD5_OF_MDU,
        "md5d504967f44e0c6062c7e5c2a8d42aac2", PENCIL_VERIFIER, PENCIL_VERIFIER_OF_4097};
    size_t n = sizeof texts / sizeof texts[0];
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            struct secret a = secret_from(texts[i]), b = secret_from(texts[j]);
            assert_int_equal(secret_same(&a, &b), i == j);
        }
    }
}

static void a_clear_password_is_checked_against_every_kind(void **state)
{
    (void)state;
    static const char *const texts[] = {"pencil", PENCIL_MD5_OF_MDU, PENCIL_VERIFIER};
    for (size_t i = 0; i < 3; i++) {
        struct secret secret = secret_from(texts[i]);
        assert_true(secret_check_password(&secret, slice_from("mdu"), slice_from("pencil")));
        assert_false(secret_check_password(&secret, slice_from("mdu"), slice_from("pencil2")));
        assert_false(secret_check_password(&secret, slice_from("mdu"), slice_from("penci")));
        assert_false(secret_check_password(&secret, slice_from("mdu"), slice_from("")));
    }
    struct secret none = secret_from(""), md5 = secret_from(PENCIL_MD5_OF_MDU);
    assert_false(secret_check_password(&none, slice_from("mdu"), slice_from("")));
    assert_false(secret_check_password(&none, slice_from("mdu"), slice_from("pencil")));
    assert_false(secret_check_password(&md5, slice_from("other"), slice_from("pencil")));
    assert_false(secret_check_password(&md5, slice_from("mdu"), slice_from(PENCIL_MD5_OF_MDU)));
}

static void kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(secret_kind_name(SECRET_PLAIN), "plain");
    assert_string_equal(secret_kind_name(SECRET_SCRAM), "scram-sha-256 verifier");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_says_what_it_is),
        cmocka_unit_test(a_broken_verifier_is_no_password),
        cmocka_unit_test(a_password_is_bounded_and_has_no_nul),
        cmocka_unit_test(wiping_leaves_nothing),
        cmocka_unit_test(secrets_are_the_same_by_kind_and_contents),
        cmocka_unit_test(a_clear_password_is_checked_against_every_kind),
        cmocka_unit_test(kinds_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
