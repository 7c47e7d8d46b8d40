/* What a good configuration becomes: defaults, values, references, limits, references counted. */
#include "try.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct config *load(const char *text)
{
    struct error error;
    struct config *config = try_text(text, &error);
    if (!config)
        fail_msg("%s", error.text);
    return config;
}

static void the_defaults_are_those_that_operators_expect(void **context)
{
    (void)context;
    struct config *config = load(GOOD);
    assert_string_equal(config->path, PATH);
    assert_int_equal(config->workers, 0);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_int_equal(config->log_format, LOG_LOGFMT);
    assert_null(config->admin_socket);
    assert_int_equal(config->admin_socket_mode, 0600);
    assert_null(config->user);
    assert_null(config->state_dir);
    assert_int_equal(config->max_clients, 10000);
    assert_int_equal(config->login_timeout_ms, 15000);
    assert_int_equal(config->shutdown_timeout_ms, 30000);
    assert_int_equal(config->request_buffer_bytes, 1024 * 1024);
    assert_int_equal(config->stream_buffer_bytes, 256 * 1024);
    assert_int_equal(config->tcp_user_timeout_ms, 10000);
    assert_int_equal(config->tcp_keepalive_ms, 10000);
    assert_int_equal(config->max_prepared_statements, 1000);
    assert_non_null(config->ignore_startup_parameters);
    assert_null(config->ignore_startup_parameters[0]);
    assert_false(config->application_name_add_host);
    assert_int_equal(config->limits.pool_size, 20);
    assert_int_equal(config->limits.min_pool_size, 0);
    assert_int_equal(config->limits.reserve_pool_size, 0);
    assert_int_equal(config->limits.reserve_pool_timeout_ms, 5000);
    assert_int_equal(config->limits.max_clients, 0);
    assert_int_equal(config->limits.server_lifetime_ms, 3600000);
    assert_int_equal(config->limits.server_idle_timeout_ms, 600000);
    assert_int_equal(config->limits.query_wait_timeout_ms, 120000);
    assert_int_equal(config->limits.query_timeout_ms, 0);
    assert_int_equal(config->limits.idle_transaction_timeout_ms, 0);
    assert_int_equal(config->limits.client_idle_timeout_ms, 0);
    config_unref(config);
}

static void a_cluster_a_node_and_a_listener_have_defaults_too(void **context)
{
    (void)context;
    struct config *config = load(GOOD);
    const struct config_cluster *cluster = &config->clusters[0];
    assert_int_equal(config->n_clusters, 1);
    assert_string_equal(cluster->name, "c");
    assert_string_equal(cluster->probe_user, "postgres");
    assert_null(cluster->probe_password);
    assert_string_equal(cluster->probe_database, "postgres");
    assert_int_equal(cluster->probe_interval_ms, 500);
    assert_int_equal(cluster->probe_timeout_ms, 1000);
    assert_int_equal(cluster->observation_ttl_ms, 3000);
    assert_int_equal(cluster->down_after, 3);
    assert_int_equal(cluster->max_lag_bytes, 0);
    assert_int_equal(cluster->max_lag_ms, 10000);
    assert_int_equal(cluster->fallback, FALLBACK_PRIMARY);
    assert_int_equal(cluster->consistency, CONSISTENCY_SESSION);
    assert_null(cluster->read_functions[0]);
    assert_null(cluster->write_functions[0]);
    assert_int_equal(cluster->hold_timeout_ms, 30000);
    assert_int_equal(cluster->hold_limit, 10000);
    assert_int_equal(cluster->server_connect_timeout_ms, 3000);
    assert_int_equal(cluster->server_login_timeout_ms, 10000);
    assert_int_equal(cluster->tls.mode, TLS_DISABLE);
    assert_string_equal(cluster->auth_query,
        "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin AND "
        "(rolvaliduntil IS NULL OR rolvaliduntil > now())");
    assert_int_equal(cluster->auth_cache_ttl_ms, 60000);
    assert_int_equal(cluster->n_nodes, 1);
    assert_int_equal(cluster->nodes[0].port, 5432);
    assert_int_equal(cluster->nodes[0].weight, 100);
    assert_int_equal(cluster->nodes[0].max_connections, 0);
    const struct config_listener *listener = &config->listeners[0];
    assert_int_equal(listener->route, ROUTE_PRIMARY);
    assert_int_equal(listener->pool, POOL_SESSION);
    assert_int_equal(listener->auth, AUTH_SCRAM);
    assert_int_equal(listener->tls.mode, TLS_DISABLE);
    assert_false(listener->proxy_protocol);
    assert_int_equal(listener->max_clients, 0);
    assert_int_equal(listener->unix_socket_mode, 0777);
    assert_int_equal(listener->backlog, 1024);
    assert_null(listener->auth_file);
    config_unref(config);
}

static void nodes_and_listeners_find_their_clusters(void **context)
{
    (void)context;
    struct config *config =
        load("[node b1]\nhost = h\ncluster = b\n[cluster a]\n[node a1]\ncluster = a\nhost = 10.0.0.1\n"
             "port = 5433\nweight = 7\n[node b2]\ncluster = b\nhost = /run/pg\n[cluster b]\n"
             "[listener x]\naddress = *:1\ncluster = b\n[listener y]\naddress = *:2\ncluster = a\n");
    assert_int_equal(config->n_clusters, 2);
    assert_int_equal(config->clusters[0].n_nodes, 1);
    assert_string_equal(config->clusters[0].nodes[0].name, "a1");
    assert_string_equal(config->clusters[0].nodes[0].host, "10.0.0.1");
    assert_int_equal(config->clusters[0].nodes[0].port, 5433);
    assert_int_equal(config->clusters[0].nodes[0].weight, 7);
    assert_int_equal(config->clusters[1].n_nodes, 2);
    assert_string_equal(config->clusters[1].nodes[0].name, "b1");
    assert_string_equal(config->clusters[1].nodes[0].host, "h");
    assert_string_equal(config->clusters[1].nodes[1].host, "/run/pg");
    assert_int_equal(config->listeners[0].cluster, 1);
    assert_int_equal(config->listeners[1].cluster, 0);
    config_unref(config);
}

static void every_kind_of_value_is_read(void **context)
{
    (void)context;
    struct config *config =
        load("[rolecall]\nuser: rolecall\nworkers = 4\nrequest_buffer = 8192\nstream_buffer = 1 MB\n"
             "ignore_startup_parameters = extra_float_digits , options\n"
             "application_name_add_host = yes\nadmin_socket_mode = 660\nlog_format=json\r\n"
             "state_dir = state\nquery_timeout = 90s\nserver_lifetime = 2d\ntcp_keepalive = 0\n" GOOD
             "[database d]\nconnect_query = SET a = 'x'; -- # not a comment ;\n");
    assert_string_equal(config->user, "rolecall");
    assert_int_equal(config->workers, 4);
    assert_int_equal(config->request_buffer_bytes, 8192);
    assert_int_equal(config->stream_buffer_bytes, 1024 * 1024);
    assert_string_equal(config->ignore_startup_parameters[0], "extra_float_digits");
    assert_string_equal(config->ignore_startup_parameters[1], "options");
    assert_null(config->ignore_startup_parameters[2]);
    assert_true(config->application_name_add_host);
    assert_int_equal(config->admin_socket_mode, 0660);
    assert_int_equal(config->log_format, LOG_JSON);
    assert_string_equal(config->state_dir, "/etc/state");
    assert_int_equal(config->limits.query_timeout_ms, 90000);
    assert_int_equal(config->limits.server_lifetime_ms, 172800000);
    assert_int_equal(config->tcp_keepalive_ms, 0);
    assert_string_equal(config->databases[0].connect_query, "SET a = 'x'; -- # not a comment ;");
    config_unref(config);
}

static void windows_line_ends_and_a_byte_order_mark_do_no_harm(void **context)
{
    (void)context;
    struct config *config = load("\xEF\xBB\xBF[cluster c]\r\n[node n]\r\nhost = h\r\n  [listener l]  \r\n "
                                 "address = *:1 \r\nroute = any");
    assert_string_equal(config->clusters[0].nodes[0].host, "h");
    assert_string_equal(config->listeners[0].address, "*:1");
    assert_int_equal(config->listeners[0].route, ROUTE_ANY);
    config_unref(config);
}

static void what_is_left_out_is_taken_from_where_the_documentation_says(void **context)
{
    (void)context;
    struct config *config =
        load("[rolecall]\nauth_file = /dev/null\n"
             "[cluster a]\nprobe_user = watcher\nprobe_password = wp\nprobe_database = w\n"
             "[cluster b]\nprobe_password = wp\nauth_user = asker\n"
             "[node n]\nhost = h\ncluster = a\n[node m]\nhost = i\ncluster = b\n"
             "[listener l]\naddress = *:1\ncluster = a\nauth = passthrough\n"
             "[listener m]\naddress = *:2\ncluster = b\nauth_file = /dev/zero\n");
    assert_string_equal(config->clusters[0].auth_user, "watcher");
    assert_string_equal(config->clusters[0].auth_password, "wp");
    assert_string_equal(config->clusters[0].auth_database, "w");
    assert_string_equal(config->clusters[1].auth_user, "asker");
    assert_null(config->clusters[1].auth_password); /* the probe's password is not the asker's */
    assert_string_equal(config->listeners[0].auth_file, "/dev/null");
    assert_string_equal(config->listeners[1].auth_file, "/dev/zero");
    assert_int_equal(config->listeners[0].pool, POOL_NONE);
    config_unref(config);
}

#define LIMITED                                                                                              \
    GOOD "pool = transaction\n"                                                                              \
         "[rolecall]\npool_size = 10\nquery_timeout = 1s\nserver_lifetime = 5min\n"                          \
         "[database d]\npool_size = 11\nmax_clients = 5\nquery_timeout = 2s\n"                               \
         "[database *]\npool_size = 12\n"                                                                    \
         "[user u]\nquery_timeout = 3s\nmax_clients = 9\npool_size = 0\n"                                    \
         "[user p]\npool = statement\n"

static void limits_come_from_the_user_then_the_database_then_the_process(void **context)
{
    (void)context;
    struct config *config = load(LIMITED);
    struct limits limits;
    config_limits(config, &config->listeners[0], "d", "nobody", &limits);
    assert_int_equal(limits.pool_size, 11);
    assert_int_equal(limits.max_clients, 5);
    assert_int_equal(limits.query_timeout_ms, 2000);
    assert_int_equal(limits.server_lifetime_ms, 300000);
    assert_int_equal(limits.pool, POOL_TRANSACTION);
    config_limits(config, &config->listeners[0], "d", "u", &limits);
    assert_int_equal(limits.pool_size, 0);
    assert_int_equal(limits.max_clients, 5);
    assert_int_equal(limits.query_timeout_ms, 3000);
    assert_int_equal(limits.server_lifetime_ms, 300000);
    config_limits(config, &config->listeners[0], "other", "nobody", &limits);
    assert_int_equal(limits.pool_size, 12);
    assert_int_equal(limits.query_timeout_ms, 1000);
    assert_int_equal(config_user(config, "u")->limits.max_clients, 9);
    config_unref(config);
}

static void the_pool_is_the_listeners_unless_a_database_or_user_says_otherwise(void **context)
{
    (void)context;
    struct config *config =
        load(LIMITED "[database e]\npool = session\n[listener r]\naddress = *:2\nauth = passthrough\n");
    struct limits limits;
    config_limits(config, &config->listeners[0], "d", "p", &limits);
    assert_int_equal(limits.pool, POOL_STATEMENT);
    config_limits(config, &config->listeners[0], "e", "nobody", &limits);
    assert_int_equal(limits.pool, POOL_SESSION);
    config_limits(config, &config->listeners[0], "e", "p", &limits);
    assert_int_equal(limits.pool, POOL_STATEMENT);
    config_limits(config, &config->listeners[1], "e", "p", &limits);
    assert_int_equal(limits.pool, POOL_NONE);
    config_unref(config);
}

static void without_database_sections_the_process_wide_limits_hold(void **context)
{
    (void)context;
    struct config *config = load(GOOD);
    struct limits limits;
    config_limits(config, &config->listeners[0], "d", "u", &limits);
    assert_int_equal(limits.pool_size, 20);
    assert_int_equal(limits.pool, POOL_SESSION);
    assert_null(config_database(config, "d"));
    assert_null(config_user(config, "u"));
    config_unref(config);
}

static void a_database_is_found_by_name_and_else_by_the_star(void **context)
{
    (void)context;
    struct config *config =
        load(GOOD "[database *]\n[database My Shop]\ndbname = shop\nuser = u\ncluster = c\n");
    assert_string_equal(config_database(config, "My Shop")->dbname, "shop");
    assert_string_equal(config_database(config, "My Shop")->user, "u");
    assert_string_equal(config_database(config, "my shop")->name, "*");
    assert_null(config_database(config, "x")->dbname);
    config_unref(config);
}

static void a_reference_keeps_a_config_alive(void **context)
{
    (void)context;
    struct config *config = load(GOOD);
    assert_ptr_equal(config_ref(config), config);
    config_unref(config);
    assert_string_equal(config->listeners[0].name, "l"); /* the address sanitizer watches */
    config_unref(config);
    config_unref(NULL);
}

static void names_are_those_of_the_file(void **context)
{
    (void)context;
    assert_string_equal(route_name(ROUTE_SPLIT), "split");
    assert_string_equal(pool_mode_name(POOL_NONE), "none");
    assert_string_equal(auth_method_name(AUTH_SCRAM), "scram-sha-256");
    assert_string_equal(tls_mode_name(TLS_VERIFY_FULL), "verify-full");
}

static void a_file_loads_like_a_text_and_paths_begin_at_its_folder(void **context)
{
    (void)context;
    struct error error;
    char folder[] = "/tmp/rolecall-load-XXXXXX", path[64], want[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/r.conf", folder);
    snprintf(want, sizeof want, "%s/state", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(GOOD "[rolecall]\nstate_dir = state\n", file);
    fclose(file);
    struct config *config = config_load(path, &error);
    assert_non_null(config);
    assert_string_equal(config->state_dir, want);
    config_unref(config);
    unlink(path);
    rmdir(folder);
}

static void every_auth_method_has_an_accepted_configuration(void **context)
{
    (void)context;
#define CERTIFICATE "tls_cert_file = /dev/null\ntls_key_file = /dev/null\n"
    static const struct {
        const char *lines;
        enum auth_method auth;
        enum pool_mode pool;
        enum tls_mode tls;
    } cases[] = {
        {"auth = scram-sha-256\npool = transaction\nroute = split\n", AUTH_SCRAM, POOL_TRANSACTION,
            TLS_DISABLE},
        {"auth = md5\ntls = allow\n" CERTIFICATE, AUTH_MD5, POOL_SESSION, TLS_ALLOW},
        {"auth = password\ntls = require\n" CERTIFICATE, AUTH_PASSWORD, POOL_SESSION, TLS_REQUIRE},
        {"auth = trust\npool = statement\n", AUTH_TRUST, POOL_STATEMENT, TLS_DISABLE},
        {"auth = cert\ntls = verify-full\ntls_ca_file = /dev/null\n" CERTIFICATE, AUTH_CERT, POOL_SESSION,
            TLS_VERIFY_FULL},
        {"auth = hba\nhba_file = /dev/null\n", AUTH_HBA, POOL_SESSION, TLS_DISABLE},
        {"auth = passthrough\n", AUTH_PASSTHROUGH, POOL_NONE, TLS_DISABLE},
        {"auth = passthrough\npool = none\nroute = replica\n", AUTH_PASSTHROUGH, POOL_NONE, TLS_DISABLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, GOOD "%s", cases[i].lines);
        struct config *config = load(text);
        assert_int_equal(config->listeners[0].auth, cases[i].auth);
        assert_int_equal(config->listeners[0].pool, cases[i].pool);
        assert_int_equal(config->listeners[0].tls.mode, cases[i].tls);
        config_unref(config);
    }
}

static void an_empty_auth_query_is_enough_with_an_auth_file(void **context)
{
    (void)context;
    struct config *config = load("[rolecall]\nauth_file = /dev/null\n[cluster c]\nauth_query =\n"
                                 "[node n]\nhost = h\n[listener l]\naddress = *:1\n");
    assert_null(config->clusters[0].auth_query);
    config_unref(config);
}

static void a_relative_configuration_path_begins_at_the_working_folder(void **context)
{
    (void)context;
    struct error error;
    static const char text[] = GOOD "[rolecall]\nstate_dir = state\n";
    char here[4096], want[4200];
    assert_non_null(getcwd(here, sizeof here));
    struct config *config = config_parse_text("r.conf", text, strlen(text), &error);
    snprintf(want, sizeof want, "%s/state", here);
    assert_string_equal(config->state_dir, want);
    config_unref(config);
    config = config_parse_text("etc/r.conf", text, strlen(text), &error);
    snprintf(want, sizeof want, "%s/etc/state", here);
    assert_string_equal(config->state_dir, want);
    config_unref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_that_operators_expect),
        cmocka_unit_test(a_cluster_a_node_and_a_listener_have_defaults_too),
        cmocka_unit_test(nodes_and_listeners_find_their_clusters),
        cmocka_unit_test(every_kind_of_value_is_read),
        cmocka_unit_test(windows_line_ends_and_a_byte_order_mark_do_no_harm),
        cmocka_unit_test(what_is_left_out_is_taken_from_where_the_documentation_says),
        cmocka_unit_test(limits_come_from_the_user_then_the_database_then_the_process),
        cmocka_unit_test(the_pool_is_the_listeners_unless_a_database_or_user_says_otherwise),
        cmocka_unit_test(without_database_sections_the_process_wide_limits_hold),
        cmocka_unit_test(a_database_is_found_by_name_and_else_by_the_star),
        cmocka_unit_test(a_reference_keeps_a_config_alive),
        cmocka_unit_test(names_are_those_of_the_file),
        cmocka_unit_test(every_auth_method_has_an_accepted_configuration),
        cmocka_unit_test(an_empty_auth_query_is_enough_with_an_auth_file),
        cmocka_unit_test(a_relative_configuration_path_begins_at_the_working_folder),
        cmocka_unit_test(a_file_loads_like_a_text_and_paths_begin_at_its_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
