/* userlist files: what is understood, what is refused and on which line. */
#include "proxy/auth/userlist.h"

#include "auth_test.h"

static struct userlist *load(const char *text)
{
    struct error error = {"", ""};
    struct userlist *list = userlist_parse(slice_from(text), "users.txt", &error);
    if (list == NULL)
        fail_msg("%s", error.text);
    return list;
}

static void assert_secret(
    const struct userlist *list, const char *user, enum secret_kind kind, const char *plain)
{
    struct secret secret;
    assert_true(userlist_find(list, slice_from(user), &secret));
    assert_int_equal(secret.kind, kind);
    if (plain != NULL)
        assert_string_equal(secret.plain.text, plain);
}

static void users_and_secrets_of_every_kind_are_found(void **state)
{
    (void)state;
    struct userlist *list = load("\"ann\" \"pencil\"\n"
                                 "\"verified\" \"" PENCIL_VERIFIER "\"\n"
                                 "\"hashed\" \"" PENCIL_MD5_OF_MDU "\" \"ignored\" as well\n"
                                 "\"empty\" \"\"\n");
    assert_int_equal(userlist_count(list), 4);
    assert_secret(list, "ann", SECRET_PLAIN, "pencil");
    assert_secret(list, "verified", SECRET_SCRAM, NULL);
    assert_secret(list, "hashed", SECRET_MD5, NULL);
    assert_secret(list, "empty", SECRET_NONE, NULL);
    userlist_unref(list);
}

static void comments_blank_lines_and_line_ends_do_not_matter(void **state)
{
    (void)state;
    struct userlist *list =
        load("; a comment \"x\" \"y\"\r\n# another\r\n\r\n   \t\"ann\"\t\t\"one\"\r\n\"bob\" \"two\"");
    assert_int_equal(userlist_count(list), 2);
    assert_secret(list, "ann", SECRET_PLAIN, "one");
    assert_secret(list, "bob", SECRET_PLAIN, "two");
    userlist_unref(list);
}

static void quotes_are_written_twice(void **state)
{
    (void)state;
    struct userlist *list = load("\"a\"\"b\" \"say \"\"hi\"\"; # no comment\"\n\"\"\"\" \"\"\"\"\n");
    assert_secret(list, "a\"b", SECRET_PLAIN, "say \"hi\"; # no comment");
    assert_secret(list, "\"", SECRET_PLAIN, "\"");
    userlist_unref(list);
}

static void names_are_compared_as_they_are(void **state)
{
    (void)state;
    struct userlist *list = load("\"ann\" \"1\"\n\"Ann\" \"2\"\n\"anna\" \"3\"\n\"an\" \"4\"\n");
    struct secret secret;
    assert_secret(list, "ann", SECRET_PLAIN, "1");
    assert_secret(list, "Ann", SECRET_PLAIN, "2");
    assert_secret(list, "anna", SECRET_PLAIN, "3");
    assert_secret(list, "an", SECRET_PLAIN, "4");
    assert_false(userlist_find(list, slice_from("annab"), &secret));
    assert_false(userlist_find(list, slice_from("a"), &secret));
    assert_false(userlist_find(list, slice_of(NULL, 0), &secret));
    assert_int_equal(secret.kind, SECRET_NONE);
    assert_false(userlist_find(NULL, slice_from("ann"), &secret));
    userlist_unref(list);
}

static void a_long_list_is_searched(void **state)
{
    (void)state;
    enum { USERS = 5000 };
    char *text = malloc(USERS * 40), name[20];
    size_t at = 0;
    for (int i = 0; i < USERS; i++)
        at += (size_t)snprintf(text + at, 40, "\"user%d\" \"p%d\"\n", i * 7919 % USERS, i * 7919 % USERS);
    struct userlist *list = userlist_parse(slice_of(text, at), "users.txt", NULL);
    free(text);
    assert_non_null(list);
    for (int i = 0; i < USERS; i += 7) {
        char password[20];
        snprintf(name, sizeof name, "user%d", i);
        snprintf(password, sizeof password, "p%d", i);
        assert_secret(list, name, SECRET_PLAIN, password);
    }
    userlist_unref(list);
}

static void mistakes_are_told_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"\"ann\" \"x\"\nbob \"y\"\n", "users.txt line 2: a user's name in double quotes was expected"},
        {"\n\n\"ann\" x\n", "users.txt line 3: the user's secret in double quotes was expected"},
        {"\"ann\"", "users.txt line 1: the user's secret in double quotes was expected"},
        {"\"ann\n\" \"x\"", "users.txt line 1: the quotes around the user's name are not closed"},
        {"\"ann\" \"x\n", "users.txt line 1: the quotes around the user's secret are not closed"},
        {"\"ann\" \"x\"\"\n", "users.txt line 1: the quotes around the user's secret are not closed"},
        {"\"\" \"x\"", "users.txt line 1: a user's name has 1 to 63 bytes"},
        {"\"0123456789012345678901234567890123456789012345678901234567890123\" \"x\"",
            "users.txt line 1: a user's name has 1 to 63 bytes"},
        {"\"bob\" \"y\"\n\"ann\" \"x\"\n\"bob\" \"z\"\n",
            "users.txt line 3: user \"bob\" is listed already on line 1"},
        {"\"ann\" \"SCRAM-SHA-256$x\"",
            "users.txt line 1: the secret is too long, or begins like a SCRAM-SHA-256 "
            "verifier and is not one"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error;
        assert_null(userlist_parse(slice_from(cases[i].text), "users.txt", &error));
        assert_string_equal(error.text, cases[i].error);
        assert_string_equal(error.sqlstate, "F0000");
    }
}

static void an_error_never_shows_a_secret(void **state)
{
    (void)state;
    static const char *const texts[] = {"\"ann\" \"hunter2", "\"ann\" hunter2\"",
        "\"ann\" \"x\"\n\"ann\" \"hunter2\"", "\"ann\" \"SCRAM-SHA-256$hunter2\""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error error;
        assert_null(userlist_parse(slice_from(texts[i]), "users.txt", &error));
        assert_null(strstr(error.text, "hunter2"));
    }
}

static void a_binary_file_is_refused(void **state)
{
    (void)state;
    struct error error;
    assert_null(userlist_parse(LITERAL("\"ann\" \"a\0b\""), "users.txt", &error));
    assert_non_null(strstr(error.text, "NUL"));
}

static void an_empty_file_has_nobody(void **state)
{
    (void)state;
    struct userlist *list = userlist_parse(slice_of(NULL, 0), "users.txt", NULL);
    struct secret secret;
    assert_non_null(list);
    assert_int_equal(userlist_count(list), 0);
    assert_false(userlist_find(list, slice_from("ann"), &secret));
    assert_ptr_equal(userlist_ref(list), list);
    userlist_unref(list);
    assert_int_equal(userlist_count(list), 0);
    userlist_unref(list);
    userlist_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_and_secrets_of_every_kind_are_found),
        cmocka_unit_test(comments_blank_lines_and_line_ends_do_not_matter),
        cmocka_unit_test(quotes_are_written_twice),
        cmocka_unit_test(names_are_compared_as_they_are),
        cmocka_unit_test(a_long_list_is_searched),
        cmocka_unit_test(mistakes_are_told_with_their_line),
        cmocka_unit_test(an_error_never_shows_a_secret),
        cmocka_unit_test(a_binary_file_is_refused),
        cmocka_unit_test(an_empty_file_has_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
