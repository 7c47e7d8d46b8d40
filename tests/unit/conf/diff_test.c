/* What a reload would change: each key once, with whether it takes effect. */
#include "try.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct changes {
    char text[2048];
};

static void note(void *context, const char *section, const char *key, bool reloadable)
{
    struct changes *changes = context;
    size_t used = strlen(changes->text);
    snprintf(changes->text + used, sizeof changes->text - used, "%s: %s%s\n", section, key,
        reloadable ? "" : " *");
}

/* Compares the changes from one text to another with what is wanted. */
static void check(const char *before, const char *after, const char *want)
{
    struct error error;
    struct changes changes = {""};
    struct config *a = try_text(before, &error);
    assert_string_equal(error.text, "");
    struct config *b = try_text(after, &error);
    assert_string_equal(error.text, "");
    config_diff(a, b, &changes, note);
    assert_string_equal(changes.text, want);
    config_unref(a);
    config_unref(b);
}

static void the_same_file_changes_nothing(void **context)
{
    (void)context;
    check(GOOD, GOOD, "");
    check(GOOD, "# a comment\n[rolecall]\npool_size = 20\n" GOOD, "");
}

static void each_kind_of_value_is_compared(void **context)
{
    (void)context;
    check(GOOD,
        GOOD
        "route = any\nproxy_protocol = on\nmax_clients = 5\nunix_socket_mode = 0700\n"
        "[rolecall]\nuser = x\nlogin_timeout = 20s\nrequest_buffer = 8kB\nignore_startup_parameters = a\n",
        "rolecall: user *\nrolecall: login_timeout\nrolecall: request_buffer\nrolecall: "
        "ignore_startup_parameters\n"
        "listener l: route\nlistener l: proxy_protocol\nlistener l: max_clients\nlistener l: "
        "unix_socket_mode *\n");
}

static void text_lists_and_secrets_are_compared_by_content(void **context)
{
    (void)context;
#define CLUSTER(lines) "[cluster c]\n" lines "[node n]\nhost = h\n[listener l]\naddress = *:1\n"
    check(CLUSTER("probe_password = a\nread_functions = f, g\n"),
        CLUSTER("probe_password = b\nread_functions = f\n"),
        "cluster c: probe_password\ncluster c: read_functions\ncluster c: auth_password\n");
    check(CLUSTER("tls_ca_file = /dev/null\nwrite_functions = f\n"),
        CLUSTER("tls_ca_file = /dev/zero\nwrite_functions = g\n"),
        "cluster c: write_functions\ncluster c: tls_ca_file\n");
    check(CLUSTER("read_functions = f\n"), CLUSTER("read_functions =   f  \n"), "");
}

#define TWO "[cluster a]\n[cluster b]\n[node x]\nhost = x\ncluster = a\n[node y]\nhost = y\ncluster = b\n"
#define TURNED "[cluster b]\n[cluster a]\n[node y]\nhost = y\ncluster = b\n[node x]\nhost = x\ncluster = a\n"

static void sections_that_come_and_go_are_told_once(void **context)
{
    (void)context;
    check(GOOD "[user u]\npool_size = 3\n",
        GOOD "[listener m]\naddress = *:2\n[node o]\nhost = o\n[database d]\n",
        "user u: (removed)\nnode o: (added)\nlistener m: (added) *\ndatabase d: (added)\n");
    check("[cluster a]\n[node x]\nhost = x\n[listener l]\naddress = *:1\n",
        TWO "[listener l]\naddress = *:1\ncluster = a\n", "cluster b: (added) *\nnode y: (added)\n");
}

static void the_http_door_may_come_and_go(void **context)
{
    (void)context;
    check(GOOD, GOOD "[http]\n", "http: (added)\n");
    check(GOOD "[http]\nuser = a\npassword = b\n", GOOD, "http: (removed)\n");
    check(GOOD "[http]\n",
        GOOD
        "[http]\naddress = [::1]:8404\ntimeout = 1s\ntls_cert_file = /dev/null\ntls_key_file = /dev/null\n",
        "http: address\nhttp: tls_cert_file\nhttp: tls_key_file\nhttp: timeout\n");
}

static void limits_are_told_where_they_are_set(void **context)
{
    (void)context;
    check(GOOD "[rolecall]\npool_size = 5\n[database d]\n[user u]\n",
        GOOD "[rolecall]\npool_size = 6\n[database d]\n[user u]\n", "rolecall: pool_size\n");
    check(GOOD "[database d]\n", GOOD "[database d]\npool_size = 20\n", "database d: pool_size\n");
    check(GOOD "[database d]\npool_size = 4\n[user u]\nquery_timeout = 1s\npool = session\n",
        GOOD "[database d]\npool_size = 5\n[user u]\nquery_timeout = 2s\n",
        "database d: pool_size\nuser u: pool\nuser u: query_timeout\n");
}

static void the_order_of_sections_does_not_matter(void **context)
{
    (void)context;
    check(TWO "[listener l]\naddress = *:1\ncluster = a\n",
        TURNED "[listener l]\naddress = *:1\ncluster = a\n", "");
}

static void a_listener_that_changes_its_cluster_is_told(void **context)
{
    (void)context;
    check(TWO "[listener l]\naddress = *:1\ncluster = a\n", TWO "[listener l]\naddress = *:1\ncluster = b\n",
        "listener l: cluster\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_file_changes_nothing),
        cmocka_unit_test(each_kind_of_value_is_compared),
        cmocka_unit_test(text_lists_and_secrets_are_compared_by_content),
        cmocka_unit_test(sections_that_come_and_go_are_told_once),
        cmocka_unit_test(the_http_door_may_come_and_go),
        cmocka_unit_test(limits_are_told_where_they_are_set),
        cmocka_unit_test(the_order_of_sections_does_not_matter),
        cmocka_unit_test(a_listener_that_changes_its_cluster_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
