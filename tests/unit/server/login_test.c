/* The way into a node, before one that says what it likes. */
#include "tests/unit/server/rig.h"

#include "proxy/auth/md5.h"

#include <netinet/in.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct secret plain(const char *text)
{
    struct secret secret;
    assert_true(secret_parse(slice_from(text), &secret));
    return secret;
}

static void a_trusting_node_is_entered(void **state)
{
    (void)state;
    rig_open();
    rig_connect();
    assert_int_equal(rig.readies, 1);
    assert_int_equal(rig.server->state, SERVER_IDLE);
    assert_string_equal(params_get(&rig.server->params, "server_version"), "15.0");
    assert_int_equal(rig.server->key_pid, 4711);
    assert_int_equal(rig.server->key_len, 4);
    assert_int_equal(rig.server->generation, 7);
    assert_null(rig.server->login);
    assert_int_equal(rig.server->deadline_ms, 0);
    rig_close();
}

static void a_node_of_protocol_3_0_is_entered(void **state)
{
    (void)state;
    rig_open();
    rig.node.login = "v R:0 N:01000 K Z:I";
    rig_connect();
    assert_int_equal(rig.readies, 1);
    rig_close();
}

static void every_split_of_a_login_is_the_same_login(void **state)
{
    (void)state;
    char bytes[512];
    size_t len = talk_backend("R:0 S:a=b N:01000 K Z:T", bytes, sizeof bytes);
    for (size_t split = 1; split < len; split++) {
        rig_open();
        rig.node.login = "";
        rig_connect();
        rig_turns(3);
        fake_node_send(&rig.node, 0, bytes, split);
        rig_turns(3);
        assert_int_equal(rig.readies, 0);
        fake_node_send(&rig.node, 0, bytes + split, len - split);
        rig_turns(3);
        assert_int_equal(rig.readies, 1);
        assert_int_equal(rig.server->tx_status, 'T');
        assert_string_equal(params_get(&rig.server->params, "a"), "b");
        rig_close();
    }
}

/* The peer keeps silent, so that the bytes stay readable here. */
static void a_password_is_sent_as_it_is_asked_for(void **state)
{
    (void)state;
    static const char *const asked[] = {"R:3", "R:5"};
    for (int i = 0; i < 2; i++) {
        struct secret secret = plain("sesame");
        char hashed[MD5_TEXT_LEN + 1], words[64], expected[64], got[64];
        rig_open();
        rig.target.secret = &secret;
        rig.node.login = "";
        rig_connect();
        rig.node.peers[0].silent = true;
        fake_node_say(&rig.node, 0, asked[i]);
        rig_turns(3);
        assert_true(md5_response(&secret, slice_from("ann"), (const unsigned char *)"\1\2\3\4", hashed));
        snprintf(words, sizeof words, "p:%s", i == 0 ? "sesame" : hashed);
        size_t len = talk_frontend(words, expected, sizeof expected);
        assert_int_equal(recv(rig.node.peers[0].fd, got, sizeof got, MSG_DONTWAIT), (ssize_t)len);
        assert_memory_equal(got, expected, len);
        fake_node_say(&rig.node, 0, "R:0 K Z:I");
        rig_turns(3);
        assert_int_equal(rig.readies, 1);
        rig_close();
    }
}

struct refusal {
    const char *login, *secret, *sqlstate, *text;
};

static void what_a_node_may_not_say_ends_the_login(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"F:28P01 EOF", NULL, "28P01", "the end"},
        {"F:53300", NULL, "53300", "the end"},
        {"R:3", NULL, "28P01", "no fitting secret"},
        {"R:5", NULL, "28P01", "no fitting secret"},
        {"R:10", NULL, "28P01", "no fitting secret"},
        {"R:3", "md500000000000000000000000000000000", "28P01", "no fitting secret"},
        {"R:10", "md500000000000000000000000000000000", "28P01", "no fitting secret"},
        {"R:7", NULL, "0A000", "method 7"},
        {"R:11", NULL, "08P01", "SASL"},
        {"R:12", NULL, "08P01", "SASL"},
        {"R:10 R:0", "sesame", "28P01", "did not prove"},
        {"D:1", NULL, "08P01", "unexpected DataRow"},
        {"R:0 C:SELECT~1", NULL, "08P01", "unexpected CommandComplete"},
        {"R:0 Z:?", NULL, "08P01", "ReadyForQuery"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct secret secret = {0};
        rig_open();
        if (cases[i].secret) {
            secret = plain(cases[i].secret);
            rig.target.secret = &secret;
        }
        rig.node.login = cases[i].login;
        rig_connect();
        assert_int_equal(rig.ends, 1);
        assert_int_equal(rig.readies, 0);
        assert_string_equal(rig.error.sqlstate, cases[i].sqlstate);
        if (!strstr(rig.error.text, cases[i].text))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].text, rig.error.text);
        rig_close();
    }
}

static void bad_lengths_end_the_login(void **state)
{
    (void)state;
    static const char *const bytes[] = {"R\0\0\0\3", "R\x40\0\0\0", "R\0\1\0\0"};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        rig_open();
        rig.node.login = "";
        rig_connect();
        fake_node_send(&rig.node, 0, bytes[i], 5);
        rig_turns(4);
        assert_int_equal(rig.ends, 1);
        assert_string_equal(rig.error.sqlstate, "08P01");
        rig_close();
    }
}

static void the_connect_query_runs_before_the_server_is_ready(void **state)
{
    (void)state;
    rig_open();
    rig.target.connect_query = "set a = 1";
    rig_connect();
    assert_int_equal(rig.readies, 1);
    assert_string_equal(rig.node.peers[0].heard, "Q:set~a~=~1");
    rig_close();
    rig_open();
    rig.target.connect_query = "nonsense";
    fake_node_script(&rig.node, "E:42601 Z:I");
    rig_connect();
    assert_int_equal(rig.ends, 1);
    assert_int_equal(rig.readies, 0);
    assert_int_equal(rig.end_state, SERVER_SETUP);
    assert_string_equal(rig.error.sqlstate, "42601");
    rig_close();
}

/* No TLS over Unix sockets: so this needs a node by address. */
static int listen_tcp(uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    assert_int_equal(listen(fd, 4), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

static void ask_for_tls(bool required, const char *answer, size_t answer_len)
{
    struct error error;
    struct config_tls config = {.mode = TLS_REQUIRE};
    rig.node.ssl_answer = 0;
    rig.entry.host = (char *)"localhost";
    rig.entry.hostaddr = (char *)"127.0.0.1";
    close(rig.node.listener);
    char path[128];
    snprintf(path, sizeof path, "%s/.s.PGSQL.5432", rig.node.folder);
    unlink(path);
    rig.node.listener = listen_tcp(&rig.entry.port);
    rig.target.tls = tls_context_connect(&config, &error);
    rig.target.tls_required = required;
    rig_connect();
    for (int i = 0; i < 200 && rig.node.n_peers == 0; i++)
        rig_turns(1);
    fake_node_send(&rig.node, 0, answer, answer_len);
    for (int i = 0; i < 200 && !rig.readies && !rig.ends; i++) {
        rig_turns(1);
        usleep(500);
    }
    tls_context_unref(rig.target.tls);
}

static void a_node_without_tls_is_refused_only_when_tls_is_required(void **state)
{
    (void)state;
    rig_open();
    ask_for_tls(true, "N", 1);
    assert_int_equal(rig.ends, 1);
    assert_int_equal(rig.end, STREAM_END_TLS);
    assert_non_null(strstr(rig.error.text, "required"));
    rig_close();
    rig_open();
    ask_for_tls(false, "N", 1);
    assert_int_equal(rig.readies, 1);
    rig_close();
}

static void bytes_behind_the_answer_to_ssl_request_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } answers[] = {{"SR", 2}, {"E", 1}, {"NR\0\0\0\10\0\0\0\0", 10}};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        rig_open();
        ask_for_tls(false, answers[i].bytes, answers[i].len);
        assert_int_equal(rig.ends, 1);
        assert_string_equal(rig.error.sqlstate, "08P01");
        rig_close();
    }
}

static void the_node_may_go_at_any_point_of_a_login(void **state)
{
    (void)state;
    static const char *const logins[] = {
        "EOF", "R:0 EOF", "R:3 EOF", "R:10 EOF", "R:0 S:a=b EOF", "R:0 K EOF"};
    for (size_t i = 0; i < sizeof logins / sizeof *logins; i++) {
        struct secret secret = plain("sesame");
        rig_open();
        rig.target.secret = &secret;
        rig.node.login = logins[i];
        rig_connect();
        assert_int_equal(rig.ends, 1);
        assert_int_equal(rig.readies, 0);
        rig_close();
    }
}

static void closing_during_the_login_tells_nothing(void **state)
{
    (void)state;
    for (int turns = 0; turns < 4; turns++) {
        struct error error;
        rig_open();
        rig.node.login = "R:3";
        rig.server = server_open(&rig.reactor, &rig.target, &rig_owner, &error);
        assert_non_null(rig.server);
        rig.target.secret = NULL;
        rig_turns(turns > 1 ? 1 : turns);
        if (rig.server)
            server_close(rig.server);
        rig.server = NULL;
        int told = rig.ends;
        rig_turns(5);
        assert_int_equal(rig.ends, told);
        rig_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trusting_node_is_entered),
        cmocka_unit_test(a_node_of_protocol_3_0_is_entered),
        cmocka_unit_test(every_split_of_a_login_is_the_same_login),
        cmocka_unit_test(a_password_is_sent_as_it_is_asked_for),
        cmocka_unit_test(what_a_node_may_not_say_ends_the_login),
        cmocka_unit_test(bad_lengths_end_the_login),
        cmocka_unit_test(the_connect_query_runs_before_the_server_is_ready),
        cmocka_unit_test(a_node_without_tls_is_refused_only_when_tls_is_required),
        cmocka_unit_test(bytes_behind_the_answer_to_ssl_request_are_refused),
        cmocka_unit_test(the_node_may_go_at_any_point_of_a_login),
        cmocka_unit_test(closing_during_the_login_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
