/* md5 passwords against hashes that PostgreSQL made, both ways. */
#include "proxy/auth/md5.h"

#include "auth_test.h"

static const unsigned char salt[4] = {0x01, 0x02, 0x03, 0xff};
/* "md5" + md5("d504967f44e0c6062c7e5c2a8d42aac1" + 01 02 03 ff), computed with md5sum. */
#define RESPONSE "md56208975c14bb0b0b91ba7afb13937664"

static void the_stored_form_is_postgresqls(void **state)
{
    (void)state;
    char stored[MD5_TEXT_LEN + 1];
    assert_true(md5_stored(slice_from("pencil"), slice_from("mdu"), stored));
    assert_string_equal(stored, PENCIL_MD5_OF_MDU);
}

static void the_answer_is_the_same_from_password_and_stored_form(void **state)
{
    (void)state;
    static const char *const secrets[] = {"pencil", PENCIL_MD5_OF_MDU};
    for (size_t i = 0; i < 2; i++) {
        char response[MD5_TEXT_LEN + 1];
        struct secret secret = secret_from(secrets[i]);
        assert_true(md5_response(&secret, slice_from("mdu"), salt, response));
        assert_string_equal(response, RESPONSE);
        assert_true(md5_verify(&secret, slice_from("mdu"), salt, slice_from(RESPONSE)));
    }
}

static void a_wrong_answer_is_refused(void **state)
{
    (void)state;
    struct secret secret = secret_from(PENCIL_MD5_OF_MDU), wrong = secret_from("pencil2");
    const unsigned char other_salt[4] = {1, 2, 3, 4};
    assert_false(md5_verify(&secret, slice_from("mdu"), other_salt, slice_from(RESPONSE)));
    assert_false(md5_verify(&wrong, slice_from("mdu"), salt, slice_from(RESPONSE)));
    assert_false(md5_verify(&secret, slice_from("mdu"), salt, slice_of(RESPONSE, 34)));
    assert_false(md5_verify(&secret, slice_from("mdu"), salt, slice_from(RESPONSE "0")));
    assert_false(md5_verify(&secret, slice_from("mdu"), salt, slice_from("")));
}

static void other_secrets_cannot_do_md5(void **state)
{
    (void)state;
    char response[MD5_TEXT_LEN + 1];
    struct secret verifier = secret_from(PENCIL_VERIFIER), none = secret_from("");
    assert_false(md5_response(&verifier, slice_from("mdu"), salt, response));
    assert_false(md5_response(&none, slice_from("mdu"), salt, response));
    assert_false(md5_verify(&none, slice_from("mdu"), salt, slice_from(RESPONSE)));
    assert_false(md5_verify(NULL, slice_from("mdu"), salt, slice_from(RESPONSE)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stored_form_is_postgresqls),
        cmocka_unit_test(the_answer_is_the_same_from_password_and_stored_form),
        cmocka_unit_test(a_wrong_answer_is_refused),
        cmocka_unit_test(other_secrets_cannot_do_md5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
