/* Every mistake is one line with the file, the line, the section and what to do. */
#include "try.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct mistake {
    const char *text, *error; /* the error without PATH */
};

static void check(const struct mistake *mistakes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct error error;
        char want[ERROR_TEXT_MAX];
        struct config *config = try_text(mistakes[i].text, &error);
        snprintf(want, sizeof want, "%s%s", PATH, mistakes[i].error);
        if (config)
            fail_msg("accepted, wanted \"%s\" for\n%s", want, mistakes[i].text);
        assert_string_equal(error.text, want);
        assert_string_equal(error.sqlstate, SQLSTATE_CONFIG_FILE_ERROR);
    }
}

#define CHECK(mistakes) check(mistakes, sizeof(mistakes) / sizeof(mistakes)[0])
#define DURATION "expected a duration with its unit (us ms s min h d), "

static void syntax_is_checked_line_by_line(void **context)
{
    (void)context;
    static const struct mistake mistakes[] = {
        {"", ": there is no [cluster NAME] section"},
        {"\n# only\n  ; comments\n", ": there is no [cluster NAME] section"},
        {"a = b\n", ":1: \"a\" stands before the first [section]"},
        {"[rolecall]\n\nworkers\n", ":3: expected key = value, [section] or a comment"},
        {"[rolecall]\nworkers = 1\n  2\n", ":3: expected key = value, [section] or a comment"},
        {"[rolecall]\noops\nworkers = 1\n[cluster\n", ":2: expected key = value, [section] or a comment"},
        {"[rolecall\n", ":1: a section begins with [ and ends with ]"},
        {"[rolecall] # the process\n", ":1: nothing may follow the ] of a section"},
        {"[rolecal]\n", ":1: unknown section [rolecal]; did you mean [rolecall]?"},
        {"\n[lisener main]\n", ":2: unknown section [lisener]; did you mean [listener NAME]?"},
        {"[pgbouncer]\n", ":1: unknown section [pgbouncer]"},
        {"[]\n", ":1: unknown section []"},
        {"[rolecall main]\n", ":1: [rolecall] takes no name"},
        {"[htp]\n", ":1: unknown section [htp]; did you mean [http]?"},
        {"[http a]\n", ":1: [http] takes no name"},
        {"[cluster]\n", ":1: [cluster] needs a name: [cluster NAME]"},
        {"[cluster  ]\n", ":1: [cluster] needs a name: [cluster NAME]"},
        {"[cluster a b]\n", ":1: the name of a cluster has 1 to 63 of the characters a-z A-Z 0-9 _ . -"},
        {"[node a\tb]\n", ":1: the name of a node has 1 to 63 of the characters a-z A-Z 0-9 _ . -"},
        {"[user \x01]\n", ":1: the name of a user has 1 to 63 bytes and no control characters"},
        {"[cluster c]\n[node n]\nhost=h\n\n[cluster c]\n", ":5: [cluster c] is already defined at line 1"},
        {"[rolecall]\n[rolecall]\n", ":2: [rolecall] is already defined at line 1"},
        {GOOD "[listener l]\n", ":6: [listener l] is already defined at line 4"},
        {GOOD "route = any\nroute = any\n", ":7: [listener l] \"route\" is already set at line 6"},
        {CLUSTER_LINES "port = 1\nport = 1\n[listener l]\naddress = *:1\n",
            ":5: [node n] \"port\" is already set at line 4"},
    };
    CHECK(mistakes);
}

static void sections_that_are_needed_are_asked_for(void **context)
{
    (void)context;
    static const struct mistake mistakes[] = {
        {"[listener l]\naddress = *:1\n", ": there is no [cluster NAME] section"},
        {CLUSTER_LINES, ": there is no [listener NAME] section"},
        {"[cluster c]\n[listener l]\naddress = *:1\n", ":1: [cluster c] has no nodes; add a [node NAME]"},
        {"[cluster c]\nmanager = monitor\n[listener l]\naddress = *:1\n",
            ":1: [cluster c] manager = monitor needs monitor_host"},
        {CLUSTER_LINES "[listener l]\n", ":4: [listener l] \"address\" is missing"},
        {"[cluster c]\n[node n]\n[listener l]\naddress = *:1\n", ":2: [node n] \"host\" is missing"},
        {"[cluster c]\n[node n]\nhost =\n[listener l]\naddress = *:1\n",
            ":3: [node n] bad value \"\" for host: the value is empty"},
        {"[cluster a]\n[cluster b]\n[node n]\nhost = h\n[listener l]\naddress = *:1\n",
            ":3: [node n] \"cluster\" is missing; there is more than one [cluster]"},
        {"[cluster a]\n[cluster b]\n[node n]\nhost = h\ncluster = a\n[node m]\nhost = i\ncluster = b\n"
         "[listener l]\naddress = *:1\n",
            ":9: [listener l] \"cluster\" is missing; there is more than one [cluster]"},
        {"[cluster shop]\n[node n]\nhost = h\ncluster = shp\n[listener l]\naddress = *:1\n",
            ":4: [node n] there is no [cluster shp]; did you mean \"shop\"?"},
        {CLUSTER_LINES "[listener l]\naddress = *:1\ncluster = other\n",
            ":6: [listener l] there is no [cluster other]"},
        {GOOD "[database d]\ncluster = cc\n",
            ":7: [database d] there is no [cluster cc]; did you mean \"c\"?"},
    };
    CHECK(mistakes);
}

static void an_unknown_key_names_the_nearest_or_its_section(void **context)
{
    (void)context;
    static const struct mistake mistakes[] = {
        {GOOD "rout = split\n", ":6: [listener l] unknown key \"rout\"; did you mean \"route\"?"},
        {GOOD "pol = session\n", ":6: [listener l] unknown key \"pol\"; did you mean \"pool\"?"},
        {GOOD "probe_interval = 1s\n",
            ":6: [listener l] unknown key \"probe_interval\"; it belongs in [cluster NAME]"},
        {GOOD "pool_size = 1\n", ":6: [listener l] unknown key \"pool_size\"; it belongs in [rolecall] or "
                                 "[database NAME] or [user NAME]"},
        {GOOD "[rolecall]\nworker = 1\n", ":7: [rolecall] unknown key \"worker\"; did you mean \"workers\"?"},
        {GOOD "[rolecall]\nlisten_addr = x\n", ":7: [rolecall] unknown key \"listen_addr\""},
        {GOOD "[rolecall]\nwokrers = 1\n",
            ":7: [rolecall] unknown key \"wokrers\"; did you mean \"workers\"?"},
        {GOOD "= 1\n", ":6: [listener l] unknown key \"\""},
        {GOOD "Route = split\n", ":6: [listener l] unknown key \"Route\"; did you mean \"route\"?"},
        {GOOD "[user u]\npassword = x\n",
            ":7: [user u] unknown key \"password\"; it belongs in [database NAME] or [http]"},
        {GOOD "[database d]\npasword = x\n",
            ":7: [database d] unknown key \"pasword\"; did you mean \"password\"?"},
    };
    CHECK(mistakes);
}

static void a_bad_value_says_what_is_allowed(void **context)
{
    (void)context;
    static const struct mistake mistakes[] = {
        {GOOD "proxy_protocol = maybe\n",
            ":6: [listener l] bad value \"maybe\" for proxy_protocol: expected on | off"},
        {GOOD "route = both\n",
            ":6: [listener l] bad value \"both\" for route: expected primary | replica | any | split"},
        {GOOD "route =\n",
            ":6: [listener l] bad value \"\" for route: expected primary | replica | any | split"},
        {GOOD "unix_socket_mode = 0888\n", ":6: [listener l] bad value \"0888\" for unix_socket_mode: "
                                           "expected permissions in octal, 0 to 0777"},
        {GOOD "unix_socket_mode = 1777\n", ":6: [listener l] bad value \"1777\" for unix_socket_mode: "
                                           "expected permissions in octal, 0 to 0777"},
        {GOOD "backlog = 0\n",
            ":6: [listener l] bad value \"0\" for backlog: expected a whole number, 1 to 65535"},
        {GOOD "max_clients = -1\n",
            ":6: [listener l] bad value \"-1\" for max_clients: expected a whole number, "
            "1 to 1000000, or 0 for no limit"},
        {GOOD "max_clients = 99999999999999999999\n",
            ":6: [listener l] bad value \"99999999999999999999\" for max_clients: expected a whole number, "
            "1 to 1000000, or 0 for no limit"},
        {GOOD "backlog = 5 # enough\n",
            ":6: [listener l] bad value \"5 # enough\" for backlog: expected a whole number, 1 to 65535"},
        {CLUSTER_LINES "port = 65536\n[listener l]\naddress = *:1\n",
            ":4: [node n] bad value \"65536\" for port: expected a port, 1 to 65535"},
        {CLUSTER_LINES "port = 0\n[listener l]\naddress = *:1\n",
            ":4: [node n] bad value \"0\" for port: expected a port, 1 to 65535"},
        {GOOD "[rolecall]\nlogin_timeout = 15\n",
            ":7: [rolecall] bad value \"15\" for login_timeout: " DURATION "1s to 1h"},
        {GOOD "[rolecall]\nlogin_timeout = 0\n",
            ":7: [rolecall] bad value \"0\" for login_timeout: " DURATION "1s to 1h"},
        {GOOD "[rolecall]\nlogin_timeout = 2h\n",
            ":7: [rolecall] bad value \"2h\" for login_timeout: " DURATION "1s to 1h"},
        {GOOD "[rolecall]\nlogin_timeout = 15sec\n",
            ":7: [rolecall] bad value \"15sec\" for login_timeout: " DURATION "1s to 1h"},
        {GOOD "[rolecall]\nlogin_timeout = 1.5s\n",
            ":7: [rolecall] bad value \"1.5s\" for login_timeout: " DURATION "1s to 1h"},
        {GOOD "[rolecall]\nquery_timeout = 1500us\n",
            ":7: [rolecall] bad value \"1500us\" for query_timeout: expected whole milliseconds"},
        {GOOD "[rolecall]\nquery_timeout = 18446744073709551615d\n",
            ":7: [rolecall] bad value \"18446744073709551615d\" for query_timeout: " DURATION
            "1ms to 365d, or 0 for no limit"},
        {GOOD "[rolecall]\nquery_timeout = 999999999999999d\n",
            ":7: [rolecall] bad value \"999999999999999d\" for query_timeout: " DURATION
            "1ms to 365d, or 0 for no limit"},
        {GOOD "[rolecall]\nrequest_buffer = 1kB\n", ":7: [rolecall] bad value \"1kB\" for request_buffer: "
                                                    "expected a size in B, kB, MB or GB, 4kB to 16MB"},
        {GOOD "[rolecall]\nrequest_buffer = 64KB\n", ":7: [rolecall] bad value \"64KB\" for request_buffer: "
                                                     "expected a size in B, kB, MB or GB, 4kB to 16MB"},
        {GOOD "[rolecall]\nuser = rolecall ; the account\n",
            ":7: [rolecall] bad value \"rolecall ; the account\" for user: a comment must stand on a line of "
            "its own"},
        {GOOD "[rolecall]\nignore_startup_parameters = a,,b\n",
            ":7: [rolecall] bad value \"a,,b\" for ignore_startup_parameters: an item of the list is empty"},
        {GOOD "[rolecall]\nuser = a\x1b[31mb\n",
            ":7: [rolecall] bad value \"a?[31mb\" for user: control characters are not allowed"},
        {GOOD "route = 0123456789012345678901234567890123456789012345678901234567890123456789\n",
            ":6: [listener l] bad value "
            "\"012345678901234567890123456789012345678901234567890123456789...\x22 "
            "for route: "
            "expected primary | replica | any | split"},
    };
    CHECK(mistakes);
}

static void addresses_are_checked_and_must_not_collide(void **context)
{
    (void)context;
    static const struct mistake mistakes[] = {
        {CLUSTER_LINES "[listener l]\naddress = 5432\n",
            ":5: [listener l] bad address \"5432\": expected host:port, [IPv6]:port, *:port or unix:/path"},
        {CLUSTER_LINES "[listener l]\naddress = *:70000\n",
            ":5: [listener l] bad address \"*:70000\": the port must be from 1 to 65535"},
        {GOOD "[listener m]\naddress = 127.0.0.1:6432\n",
            ":7: [listener m] address 127.0.0.1:6432 collides with *:6432 of [listener l]"},
        {GOOD "[listener m]\naddress = unix:/tmp/a\n[listener o]\naddress = unix:/tmp/a\n",
            ":9: [listener o] address unix:/tmp/a collides with unix:/tmp/a of [listener m]"},
        {"[rolecall]\nadmin_socket = /run/a\n" CLUSTER_LINES "[listener l]\naddress = unix:/run/a\n",
            ":7: [listener l] the same address as admin_socket"},
        {"[rolecall]\nadmin_socket = "
         "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" GOOD,
            ":2: [rolecall] admin_socket: the path of a Unix socket is longer than 107 bytes"},
    };
    CHECK(mistakes);
}

#define NODE(value) "[cluster c]\n[node n]\nhost = " value "\n[listener l]\naddress = *:1\n"

static void hosts_are_plain_names_addresses_or_folders(void **context)
{
    (void)context;
    static const struct mistake mistakes[] = {
        {NODE("a, b"), ":3: [node n] host is one name, address or folder, without blanks and commas"},
        {NODE("10.0.0.1:5433"), ":3: [node n] host holds no port; write port = 5433"},
        {NODE("unix:/run/a"), ":3: [node n] host of a Unix socket is the folder alone, beginning with /"},
        {NODE("[::1]"), ":3: [node n] host is an IPv6 address without [ and ]"},
        {"[cluster c]\n[node n]\nhost = h\n[node m]\nhost = H\n[listener l]\naddress = *:1\n",
            ":5: [node m] the same host and port as [node n]"},
    };
    CHECK(mistakes);
}

#define LISTENER(lines) CLUSTER_LINES "[listener l]\naddress = *:1\n" lines

static void listeners_whose_parts_do_not_fit_are_refused(void **context)
{
    (void)context;
    static const struct mistake mistakes[] = {
        {LISTENER("route = split\npool = none\n"), ":7: [listener l] pool = none makes a relay, which cannot "
                                                   "be split; choose another route than split"},
        {LISTENER("route = split\nauth = passthrough\n"),
            ":7: [listener l] auth = passthrough makes a relay, which cannot be split; choose another route "
            "than split"},
        {LISTENER("auth = passthrough\npool = session\n"),
            ":7: [listener l] auth = passthrough needs pool = none, not session"},
        {LISTENER("auth = cert\n"), ":6: [listener l] auth = cert needs tls = verify-ca or verify-full"},
        {LISTENER("auth = cert\ntls = require\ntls_cert_file = /dev/null\ntls_key_file = /dev/null\n"),
            ":6: [listener l] auth = cert needs tls = verify-ca or verify-full"},
        {LISTENER("auth = hba\n"), ":6: [listener l] auth = hba needs hba_file"},
        {LISTENER("hba_file = /dev/null\n"),
            ":6: [listener l] hba_file is only read with auth = hba, not with auth = scram-sha-256"},
        {"[cluster c]\nauth_query =\n[node n]\nhost = h\n[listener l]\naddress = *:1\n",
            ":5: [listener l] auth = scram-sha-256 needs an auth_file or the cluster's auth_query"},
        {LISTENER("tls = allow\n"), ":6: [listener l] tls = allow needs tls_cert_file and tls_key_file"},
        {LISTENER("tls_cert_file = /dev/null\n"), ":6: [listener l] tls_cert_file needs tls_key_file"},
        {LISTENER("tls_key_file = /dev/null\n"), ":6: [listener l] tls_key_file needs tls_cert_file"},
        {LISTENER("tls = verify-full\ntls_cert_file = /dev/null\ntls_key_file = /dev/null\n"),
            ":6: [listener l] tls = verify-full needs tls_ca_file"},
        {CLUSTER_LINES "[listener l]\naddress = unix:/s\ntls = require\ntls_cert_file = "
                       "/dev/null\ntls_key_file = /dev/null\n",
            ":6: [listener l] tls = require: clients speak no TLS over a Unix socket"},
        {LISTENER("auth_file = missing.txt\n"),
            ":6: [listener l] auth_file: cannot read /etc/missing.txt: No such file or directory"},
    };
    CHECK(mistakes);
}

#define PATRONI(keys) "[cluster c]\nmanager = patroni\n" keys "[listener l]\naddress = *:1\n"

static void clusters_and_limits_that_contradict_themselves_are_refused(void **context)
{
    (void)context;
    static const struct mistake mistakes[] = {
        {"[cluster c]\nobservation_ttl = 1500ms\n[node n]\nhost = h\n[listener l]\naddress = *:1\n",
            ":2: [cluster c] observation_ttl must be longer than probe_interval and probe_timeout together "
            "(1500ms)"},
        {"[cluster c]\nauth_query = SELECT 1\n[node n]\nhost = h\n[listener l]\naddress = *:1\n",
            ":2: [cluster c] auth_query must hold $1, the name of the user"},
        {"[cluster c]\ntls_key_file = /dev/null\n[node n]\nhost = h\n[listener l]\naddress = *:1\n",
            ":2: [cluster c] tls_key_file needs tls_cert_file"},
        {PATRONI(""), ":2: [cluster c] manager = patroni needs patroni_urls, where its REST API answers"},
        {PATRONI("patroni_urls = h:8008\n"), ":3: [cluster c] patroni_urls: \"h:8008\" is not of the form "
                                             "http://host:8008 or https://host:8008"},
        {PATRONI("patroni_urls = http://h:8008, http:///x\n"),
            ":3: [cluster c] patroni_urls: \"http:///x\" is not of the form http://host:8008 or "
            "https://host:8008"},
        {PATRONI("patroni_urls = http://h:1\npatroni_cert_file = /dev/null\n"),
            ":4: [cluster c] patroni_cert_file and patroni_key_file need each other"},
        {PATRONI("patroni_urls = http://h:1\npatroni_password = x\n"),
            ":4: [cluster c] patroni_password needs patroni_user"},
        {"[cluster c]\npatroni_urls = http://h:1\n[node n]\nhost = h\n[listener l]\naddress = *:1\n",
            ":2: [cluster c] patroni_urls needs manager = patroni"},
        {GOOD "[rolecall]\nmin_pool_size = 21\n",
            ":7: [rolecall] min_pool_size = 21 is more than pool_size = 20"},
        {GOOD "[rolecall]\nmin_pool_size = 5\n[database d]\npool_size = 4\n",
            ":9: [database d] min_pool_size = 5 is more than pool_size = 4"},
        {GOOD "[user u]\npool_size = 4\nmin_pool_size = 5\n",
            ":8: [user u] min_pool_size = 5 is more than pool_size = 4"},
        {GOOD "route = split\n[database d]\npool = none\n",
            ":8: [database d] pool = none makes a relay, which route = split of [listener l] cannot split"},
        {GOOD "route = split\n[user u]\npool = none\n",
            ":8: [user u] pool = none makes a relay, which route = split of [listener l] cannot split"},
    };
    CHECK(mistakes);
}

/* A text of `len` bytes: a comment of the right length, then `tail`. */
static struct config *try_line(size_t len, struct error *error)
{
    static const char start[] = GOOD "[database d]\nconnect_query = ";
    size_t used = strlen(start), value = len - strlen("connect_query = ");
    char *text = malloc(used + value + 2);
    assert_non_null(text);
    memcpy(text, start, used);
    memset(text + used, 'x', value);
    text[used + value] = '\n';
    struct config *config = config_parse_text(PATH, text, used + value + 1, error);
    free(text);
    return config;
}

static void a_line_is_kept_whole_or_refused(void **context)
{
    (void)context;
    struct error error;
    struct config *config = try_line(PARSE_LINE_MAX, &error);
    assert_non_null(config);
    assert_int_equal(strlen(config->databases[0].connect_query), PARSE_LINE_MAX - strlen("connect_query = "));
    config_unref(config);
    assert_null(try_line(PARSE_LINE_MAX + 1, &error));
    assert_string_equal(error.text, PATH ":7: the line is too long (at most 16384 bytes)");
}

static void a_long_name_is_not_cut(void **context)
{
    (void)context;
    struct error error;
    char text[512], name[65] = "";
    memset(name, 'd', 63);
    snprintf(text, sizeof text, GOOD "[database %s]\n[database %.62s]\n", name, name);
    struct config *config = try_text(text, &error);
    assert_non_null(config);
    assert_string_equal(config->databases[0].name, name);
    config_unref(config);
    name[63] = 'd';
    snprintf(text, sizeof text, GOOD "[database %s]\n", name);
    assert_null(try_text(text, &error));
    assert_string_equal(
        error.text, PATH ":6: the name of a database has 1 to 63 bytes and no control characters");
}

static void a_nul_byte_is_refused(void **context)
{
    (void)context;
    struct error error;
    static const char text[] = GOOD "route = any\0thing\n";
    assert_null(config_parse_text(PATH, text, sizeof text - 1, &error));
    assert_string_equal(error.text, PATH ":6: the line holds a NUL byte; is this a configuration file?");
}

static void a_huge_text_is_refused(void **context)
{
    (void)context;
    struct error error;
    size_t len = PARSE_FILE_MAX + 1;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, '\n', len);
    assert_null(config_parse_text(PATH, text, len, &error));
    assert_string_equal(error.text, PATH ": larger than 1048576 bytes");
    free(text);
}

static void too_many_sections_or_nodes_are_refused(void **context)
{
    (void)context;
    struct error error;
    char *text = malloc(200000);
    assert_non_null(text);
    size_t len = (size_t)sprintf(text, "[cluster c]\n[listener l]\naddress = *:1\n");
    for (int i = 0; i < 65; i++)
        len += (size_t)sprintf(text + len, "[node n%d]\nhost = h%d\n", i, i);
    assert_null(try_text(text, &error));
    assert_string_equal(error.text, PATH ":132: [node n64] a cluster has at most 64 nodes");
    for (int i = 0; i < 4097; i++)
        len += (size_t)sprintf(text + len, "[user u%d]\n", i);
    assert_null(try_text(text, &error));
    assert_non_null(strstr(error.text, "more than 4096 sections"));
    free(text);
}

static void a_file_that_cannot_be_read_is_named(void **context)
{
    (void)context;
    struct error error;
    assert_null(config_load("/nowhere/rolecall.conf", &error));
    assert_string_equal(error.text, "/nowhere/rolecall.conf: cannot be read: No such file or directory");
    assert_null(config_load("/tmp", &error));
    assert_string_equal(error.text, "/tmp: not a regular file");
    assert_null(config_load("/dev/zero", &error));
    assert_string_equal(error.text, "/dev/zero: not a regular file");
}

static void the_http_door_is_checked(void **context)
{
    (void)context;
    static const struct mistake mistakes[] = {
        {GOOD "[http]\naddress = 8404\n", ":7: [http] bad address \"8404\": expected host:port, "
                                          "[IPv6]:port, *:port or unix:/path"},
        {GOOD "[http]\naddress = unix:/run/x\n", ":7: [http] HTTP is served over TCP: host:port"},
        {GOOD "[http]\naddress = 127.0.0.1:6432\n",
            ":7: [http] address 127.0.0.1:6432 collides with *:6432 of [listener l]"},
        {GOOD "[http]\nuser = me\n", ":7: [http] user needs password or password_file"},
        {GOOD "[http]\npassword = x\n", ":7: [http] password needs user"},
        {GOOD "[http]\nuser = a:b\npassword = x\n", ":7: [http] HTTP allows no colon in the name of a user"},
        {GOOD "[http]\ntls_cert_file = /dev/null\n", ":7: [http] tls_cert_file needs tls_key_file"},
        {GOOD "[http]\nmax_connections = 0\n",
            ":7: [http] bad value \"0\" for max_connections: expected a whole number, 1 to 10000"},
        {GOOD "[http]\ntls = require\n",
            ":7: [http] unknown key \"tls\"; it belongs in [cluster NAME] or [listener NAME]"},
    };
    CHECK(mistakes);
}

static void the_administrators_database_is_checked(void **context)
{
    (void)context;
    static const struct mistake mistakes[] = {
        {"[rolecall]\nadmin_database = on\nstats_users =\n" GOOD,
            ":2: [rolecall] admin_database: nobody may use it while admin_users and stats_users name nobody"},
        {"[rolecall]\nadmin_database = on\nadmin_users = me\n" GOOD "[database rolecall]\npool_size = 2\n",
            ":9: [database rolecall] with admin_database = on the name rolecall means rolecall itself"},
    };
    CHECK(mistakes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syntax_is_checked_line_by_line),
        cmocka_unit_test(sections_that_are_needed_are_asked_for),
        cmocka_unit_test(an_unknown_key_names_the_nearest_or_its_section),
        cmocka_unit_test(a_bad_value_says_what_is_allowed),
        cmocka_unit_test(addresses_are_checked_and_must_not_collide),
        cmocka_unit_test(hosts_are_plain_names_addresses_or_folders),
        cmocka_unit_test(listeners_whose_parts_do_not_fit_are_refused),
        cmocka_unit_test(clusters_and_limits_that_contradict_themselves_are_refused),
        cmocka_unit_test(a_line_is_kept_whole_or_refused),
        cmocka_unit_test(a_long_name_is_not_cut),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(a_huge_text_is_refused),
        cmocka_unit_test(too_many_sections_or_nodes_are_refused),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(the_http_door_is_checked),
        cmocka_unit_test(the_administrators_database_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
