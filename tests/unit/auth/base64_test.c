/* Base64: RFC 4648's vectors, and that nothing has two spellings. */
#include "proxy/auth/base64.h"

#include "auth_test.h"

static void texts_are_encoded_and_decoded(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "+//+"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char text[20];
        unsigned char bytes[20];
        size_t len = base64_encode(pairs[i][0], strlen(pairs[i][0]), text), back;
        assert_int_equal(len, strlen(pairs[i][1]));
        assert_memory_equal(text, pairs[i][1], len);
        assert_true(base64_decode(slice_of(text, len), bytes, sizeof bytes, &back));
        assert_int_equal(back, strlen(pairs[i][0]));
        assert_memory_equal(bytes, pairs[i][0], back);
    }
}

static void malformed_texts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"Zg=", "Zg", "Z", "Zg==Zg==", "Z===", "====", "Zm9v\n", "Zm 9", "Zm9-",
        "=Zg=", "Zh==", "Zm9=", "Zm\x80v"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned char bytes[20];
        size_t len;
        assert_false(base64_decode(slice_from(bad[i]), bytes, sizeof bytes, &len));
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    unsigned char bytes[3];
    size_t len;
    assert_true(base64_decode(LITERAL("Zm9v"), bytes, 3, &len));
    assert_false(base64_decode(LITERAL("Zm9v"), bytes, 2, &len));
    assert_true(base64_decode(LITERAL("Zm8="), bytes, 2, &len));
    assert_false(base64_decode(LITERAL("Zm9vYg=="), bytes, 3, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_encoded_and_decoded),
        cmocka_unit_test(malformed_texts_are_refused),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
