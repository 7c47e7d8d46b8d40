/* Values from the environment and secrets from files; and that no secret shows up in an error. */
#include "conf/base/log.h"
#include "try.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], path[96], config_path[96];

static int make_folder(void **context)
{
    (void)context;
    strcpy(folder, "/tmp/rolecall-secrets-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/secret", folder);
    snprintf(config_path, sizeof config_path, "%s/r.conf", folder);
    return 0;
}

static int remove_folder(void **context)
{
    (void)context;
    unlink(path);
    return rmdir(folder);
}

static void write_secret(const char *data, size_t len, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static struct config *load(const char *text, struct error *error)
{
    error->text[0] = '\0';
    return config_parse_text(config_path, text, strlen(text), error);
}

static void refused(const char *text, const char *want)
{
    struct error error;
    char full[ERROR_TEXT_MAX];
    assert_null(load(text, &error));
    snprintf(full, sizeof full, "%s%s", config_path, want);
    assert_string_equal(error.text, full);
}

static void variables_are_expanded_in_every_kind_of_value(void **context)
{
    (void)context;
    struct error error;
    setenv("ROLECALL_TEST_PORT", "5433", 1);
    setenv("ROLECALL_TEST_PASSWORD", "s3cret # ;$x", 1);
    setenv("ROLECALL_TEST_CLUSTER", "c", 1);
    struct config *config =
        load(CLUSTER_LINES "port = ${ROLECALL_TEST_PORT}\ncluster = ${ROLECALL_TEST_CLUSTER}\n"
                           "[listener l]\naddress = *:${ROLECALL_TEST_PORT}\n"
                           "[database d]\npassword = a${ROLECALL_TEST_PASSWORD}b\n"
                           "connect_query = SELECT $1, $$2, $$$$, 3$\n",
            &error);
    assert_string_equal(error.text, "");
    assert_int_equal(config->clusters[0].nodes[0].port, 5433);
    assert_string_equal(config->listeners[0].address, "*:5433");
    assert_string_equal(config->databases[0].password, "as3cret # ;$xb");
    assert_string_equal(config->databases[0].connect_query, "SELECT $1, $2, $$, 3$");
    config_unref(config);
}

static void an_unset_or_misspelt_variable_is_an_error(void **context)
{
    (void)context;
    unsetenv("ROLECALL_TEST_UNSET");
    refused(GOOD "[rolecall]\nuser = ${ROLECALL_TEST_UNSET}\n",
        ":7: [rolecall] user: the environment variable ROLECALL_TEST_UNSET is not set");
    refused(GOOD "cluster = ${ROLECALL_TEST_UNSET}\n",
        ":6: [listener l] cluster: the environment variable ROLECALL_TEST_UNSET is not set");
    static const char *const bad[] = {"${}", "${A", "${A-b}", "${1A}", "${ A}", "${"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, GOOD "[rolecall]\nuser = x%s\n", bad[i]);
        refused(text,
            ":7: [rolecall] user: ${ must be followed by the name of an environment variable and }; a $ "
            "itself is written $$");
    }
}

static void an_expanded_value_is_bounded(void **context)
{
    (void)context;
    static char big[70000];
    memset(big, 'x', sizeof big - 1);
    setenv("ROLECALL_TEST_BIG", big, 1);
    refused(GOOD "[database d]\nconnect_query = ${ROLECALL_TEST_BIG}\n",
        ":7: [database d] connect_query: the value is longer than 65535 bytes");
    big[65535] = '\0';
    setenv("ROLECALL_TEST_BIG", big, 1);
    struct error error;
    struct config *config = load(GOOD "[database d]\nconnect_query = ${ROLECALL_TEST_BIG}\n", &error);
    assert_non_null(config);
    assert_int_equal(strlen(config->databases[0].connect_query), 65535);
    config_unref(config);
    unsetenv("ROLECALL_TEST_BIG");
}

static void a_secret_may_come_from_a_file_beside_the_configuration(void **context)
{
    (void)context;
    struct error error;
    static const char *const contents[] = {"p$${w} ;#", "p$${w} ;#\n", "p$${w} ;#\r\n"};
    for (size_t i = 0; i < 3; i++) {
        write_secret(contents[i], strlen(contents[i]), 0600);
        struct config *config =
            load("[cluster c]\nprobe_password_file = secret\nauth_password_file = ./secret\n"
                 "[node n]\nhost = h\n[listener l]\naddress = *:1\n"
                 "[database d]\npassword_file = secret\n",
                &error);
        assert_string_equal(error.text, "");
        assert_string_equal(config->clusters[0].probe_password, "p$${w} ;#");
        assert_string_equal(config->clusters[0].auth_password, "p$${w} ;#");
        assert_string_equal(config->databases[0].password, "p$${w} ;#");
        config_unref(config);
    }
}

static void check_file_refused(const char *data, size_t len, const char *what)
{
    char want[256];
    write_secret(data, len, 0600);
    snprintf(want, sizeof want, ":7: [database d] password_file: %s %s", path, what);
    refused(GOOD "[database d]\npassword_file = secret\n", want);
}

static void a_secret_file_holds_one_short_line(void **context)
{
    (void)context;
    static char big[5000];
    memset(big, 'x', sizeof big);
    check_file_refused("", 0, "is empty");
    check_file_refused("\n", 1, "is empty");
    check_file_refused("a\nb\n", 4, "must hold the secret alone, in one line");
    check_file_refused("a\0b", 3, "must hold the secret alone, in one line");
    check_file_refused(big, sizeof big, "is longer than 4096 bytes");
    struct error error;
    write_secret(big, 4096, 0600);
    struct config *config = load(GOOD "[database d]\npassword_file = secret\n", &error);
    assert_non_null(config);
    assert_int_equal(strlen(config->databases[0].password), 4096);
    config_unref(config);
}

static void a_secret_file_that_cannot_be_read_is_an_error(void **context)
{
    (void)context;
    refused(GOOD "[database d]\npassword_file = /nowhere/x\n",
        ":7: [database d] password_file: cannot read /nowhere/x: No such file or directory");
    refused(GOOD "[database d]\npassword_file = /dev/zero\n",
        ":7: [database d] password_file: /dev/zero is not a regular file");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not block */
    char want[256];
    snprintf(want, sizeof want, ":7: [database d] password_file: %s is not a regular file", path);
    refused(GOOD "[database d]\npassword_file = secret\n", want);
}

static void a_secret_is_given_once(void **context)
{
    (void)context;
    write_secret("x", 1, 0600);
    refused(GOOD "[database d]\npassword = y\npassword_file = secret\n",
        ":8: [database d] \"password_file\" is already set at line 7");
}

static void only_secrets_have_a_file_form(void **context)
{
    (void)context;
    refused(GOOD "[database d]\nconnect_query_file = x\n",
        ":7: [database d] unknown key \"connect_query_file\"; did you mean \"connect_query\"?");
}

static void a_file_that_others_may_read_is_warned_of(void **context)
{
    (void)context;
    struct error error;
    int ends[2];
    char line[512] = "";
    assert_int_equal(pipe(ends), 0);
    log_set_fd(ends[1]);
    write_secret("hush", 4, 0644);
    struct config *config = load(GOOD "[database d]\npassword_file = secret\n", &error);
    log_set_fd(STDERR_FILENO);
    close(ends[1]);
    assert_non_null(config);
    config_unref(config);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    close(ends[0]);
    assert_non_null(strstr(line, "level=warning event=secret_file_open_to_others path="));
    assert_non_null(strstr(line, "/secret mode=readable\n"));
    assert_null(strstr(line, "hush"));
}

static void no_error_shows_a_secret(void **context)
{
    (void)context;
    struct error error;
    assert_null(load(GOOD "[database d]\npassword = hush${X\n", &error));
    assert_null(strstr(error.text, "hush"));
    assert_null(
        load("[cluster c]\nprobe_password = hush\nprobe_password = hush\n[node n]\nhost = h\n[listener l]\n"
             "address = *:1\n",
            &error));
    assert_null(strstr(error.text, "hush"));
}

/* Linked in place of explicit_bzero: counts how often the secret was wiped before it is. */
static int wiped;

void __real_explicit_bzero(void *data, size_t len);
void __wrap_explicit_bzero(void *data, size_t len);

void __wrap_explicit_bzero(void *data, size_t len)
{
    wiped += len >= 8 && memmem(data, len, "hushhush", 8) != NULL;
    __real_explicit_bzero(data, len);
}

static void a_secret_is_wiped_from_the_text_and_with_the_last_reference(void **context)
{
    (void)context;
    struct error error;
    wiped = 0;
    struct config *config = load(GOOD "[database d]\npassword = hushhush\n", &error);
    assert_non_null(config);
    assert_int_equal(wiped, 4); /* inih's line, the document's copy, the expansion's scratch and result */
    wiped = 0;
    config_ref(config);
    config_unref(config);
    assert_int_equal(wiped, 0);
    config_unref(config);
    assert_int_equal(wiped, 1);
}

static void a_secret_is_wiped_after_a_mistake_too(void **context)
{
    (void)context;
    struct error error;
    wiped = 0;
    assert_null(load(GOOD "[database d]\npassword = hushhush\nx\n", &error));
    assert_int_equal(wiped, 2); /* inih's line, of which the next one left most, and the document's copy */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_expanded_in_every_kind_of_value),
        cmocka_unit_test(an_unset_or_misspelt_variable_is_an_error),
        cmocka_unit_test(an_expanded_value_is_bounded),
        cmocka_unit_test(a_secret_may_come_from_a_file_beside_the_configuration),
        cmocka_unit_test(a_secret_file_holds_one_short_line),
        cmocka_unit_test(a_secret_file_that_cannot_be_read_is_an_error),
        cmocka_unit_test(a_secret_is_given_once),
        cmocka_unit_test(only_secrets_have_a_file_form),
        cmocka_unit_test(a_file_that_others_may_read_is_warned_of),
        cmocka_unit_test(no_error_shows_a_secret),
        cmocka_unit_test(a_secret_is_wiped_from_the_text_and_with_the_last_reference),
        cmocka_unit_test(a_secret_is_wiped_after_a_mistake_too),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
