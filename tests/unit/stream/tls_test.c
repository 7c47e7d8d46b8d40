/* TLS over a socketpair: handshakes that succeed and fail, data of every size, closing, and what was found
 * out. */
#include "proxy/stream/tls.h"

#include "certificates.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct certificates certificates;

static char *path_of(const char *file)
{
    static char paths[64][128];
    static size_t next;
    char *path = paths[next++ % 64];
    if (file == NULL)
        return NULL;
    certificates_path(&certificates, file, path);
    return path;
}

/* Files by name in the directory, NULL for none. */
static struct config_tls config_of(enum tls_mode mode, const char *ca, const char *cert, const char *key)
{
    return (struct config_tls){mode, path_of(ca), path_of(cert), path_of(key)};
}

static struct config_tls server_config(enum tls_mode mode, const char *ca, const char *name)
{
    char cert[32], key[32];
    snprintf(cert, sizeof cert, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    return config_of(mode, ca, cert, key);
}

/* Both ends of a connection. */
struct pair {
    int fds[2];
    struct tls *server, *client;
    enum tls_result server_result, client_result;
    struct error server_error, client_error;
};

static void pair_open(
    struct pair *pair, const struct config_tls *server, const struct config_tls *client, const char *host)
{
    struct error error;
    memset(pair, 0, sizeof *pair);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fds), 0);
    struct tls_context *accepting = tls_context_accept(server, &error);
    if (accepting == NULL)
        fail_msg("%s", error.text);
    struct tls_context *connecting = tls_context_connect(client, &error);
    if (connecting == NULL)
        fail_msg("%s", error.text);
    pair->server = tls_accept(accepting, pair->fds[0]);
    pair->client = tls_connect(connecting, pair->fds[1], host);
    assert_non_null(pair->server);
    assert_non_null(pair->client);
    /* The connections keep their contexts. */
    tls_context_unref(accepting);
    tls_context_unref(connecting);
}

static bool waiting(enum tls_result result)
{
    return result == TLS_WANT_READ || result == TLS_WANT_WRITE;
}

/* Both handshakes, step by step, until neither waits for the other. */
static void pair_shake(struct pair *pair)
{
    pair->server_result = pair->client_result = TLS_WANT_READ;
    for (int i = 0; i < 20; i++) {
        if (waiting(pair->client_result))
            pair->client_result = tls_handshake(pair->client, &pair->client_error);
        if (waiting(pair->server_result))
            pair->server_result = tls_handshake(pair->server, &pair->server_error);
    }
}

static void pair_close(struct pair *pair)
{
    tls_free(pair->client);
    tls_free(pair->server);
    for (int i = 0; i < 2; i++)
        if (pair->fds[i] >= 0)
            close(pair->fds[i]);
}

static void pair_ready(struct pair *pair)
{
    struct config_tls server = server_config(TLS_ALLOW, NULL, "server");
    struct config_tls client = config_of(TLS_VERIFY_FULL, "ca.pem", NULL, NULL);
    pair_open(pair, &server, &client, "db.example");
    pair_shake(pair);
    assert_int_equal(pair->client_result, TLS_DONE);
    assert_int_equal(pair->server_result, TLS_DONE);
}

/* The handshake of a client with these rules against the server of that name; its error, or "" when it
 * succeeded. */
static void assert_connects(
    const char *server_name, enum tls_mode mode, const char *ca, const char *host, const char *expected)
{
    struct config_tls server = server_config(TLS_REQUIRE, NULL, server_name);
    struct config_tls client = config_of(mode, ca, NULL, NULL);
    struct pair pair;
    pair_open(&pair, &server, &client, host);
    pair_shake(&pair);
    assert_int_equal(pair.client_result, expected[0] ? TLS_FAILED : TLS_DONE);
    if (strstr(pair.client_error.text, expected) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", expected, pair.client_error.text);
    if (expected[0])
        assert_string_equal(pair.client_error.sqlstate, "08006");
    pair_close(&pair);
}

static void a_node_is_verified_as_its_mode_says(void **state)
{
    (void)state;
    assert_connects("server", TLS_VERIFY_FULL, "ca.pem", "db.example", "");
    assert_connects("server", TLS_VERIFY_FULL, "ca.pem", "127.0.0.1", "");
    assert_connects("server", TLS_VERIFY_FULL, "ca.pem", "other.example", "hostname mismatch");
    assert_connects("server", TLS_VERIFY_FULL, "ca.pem", "127.0.0.2", "IP address mismatch");
    assert_connects("server", TLS_VERIFY_FULL, "ca.pem", NULL, "needs the node's host name");
    assert_connects("server", TLS_VERIFY_FULL, "ca.pem", "/run/postgresql", "needs the node's host name");
    assert_connects(
        "server", TLS_VERIFY_FULL, "other.pem", "db.example", "unable to get local issuer certificate");
    assert_connects("server", TLS_VERIFY_FULL, NULL, "db.example", "unable to get local issuer certificate");
    assert_connects("expired", TLS_VERIFY_FULL, "ca.pem", "db.example", "certificate has expired");
    assert_connects("server", TLS_VERIFY_CA, "ca.pem", "other.example", "");
    assert_connects("server", TLS_VERIFY_CA, "ca.pem", NULL, "");
    assert_connects(
        "other-server", TLS_VERIFY_CA, "ca.pem", "db.example", "unable to get local issuer certificate");
    assert_connects("expired", TLS_VERIFY_CA, "ca.pem", "db.example", "certificate has expired");
    assert_connects("expired", TLS_REQUIRE, NULL, "db.example", "");
    assert_connects("other-server", TLS_ALLOW, "ca.pem", "other.example", "");
}

/* A client with that certificate (NULL: none) at a listener with these rules; the server's error, or "". */
static void assert_accepts(
    enum tls_mode mode, const char *ca, const char *client_name, const char *expected, const char *name)
{
    struct config_tls server = server_config(mode, ca, "server");
    struct config_tls client = client_name ? server_config(TLS_REQUIRE, NULL, client_name)
                                           : config_of(TLS_REQUIRE, NULL, NULL, NULL);
    struct pair pair;
    char found[64] = "";
    pair_open(&pair, &server, &client, "db.example");
    pair_shake(&pair);
    assert_int_equal(pair.server_result, expected[0] ? TLS_FAILED : TLS_DONE);
    if (strstr(pair.server_error.text, expected) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", expected, pair.server_error.text);
    assert_int_equal(tls_peer_common_name(pair.server, found, sizeof found), name != NULL);
    if (name != NULL)
        assert_string_equal(found, name);
    pair_close(&pair);
}

static void a_client_is_verified_as_the_listeners_mode_says(void **state)
{
    (void)state;
    assert_accepts(TLS_VERIFY_CA, "ca.pem", "client", "", "ann");
    assert_accepts(TLS_VERIFY_FULL, "ca.pem", "client", "", "ann");
    assert_accepts(TLS_VERIFY_CA, "ca.pem", NULL, "peer did not return a certificate", NULL);
    assert_accepts(TLS_VERIFY_CA, "ca.pem", "other-client", "unable to get local issuer certificate", NULL);
    assert_accepts(TLS_ALLOW, "ca.pem", NULL, "", NULL);
    assert_accepts(TLS_ALLOW, "ca.pem", "client", "", "ann");
    assert_accepts(TLS_REQUIRE, "ca.pem", "other-client", "unable to get local issuer certificate", NULL);
    /* Not asked for, so not known. */
    assert_accepts(TLS_REQUIRE, NULL, "client", "", NULL);
}

static void a_common_name_with_a_nul_or_too_long_is_no_name(void **state)
{
    (void)state;
    char small[3];
    assert_accepts(TLS_VERIFY_CA, "ca.pem", "nul-client", "", NULL);
    struct config_tls server = server_config(TLS_VERIFY_CA, "ca.pem", "server");
    struct config_tls client = server_config(TLS_REQUIRE, NULL, "client");
    struct pair pair;
    pair_open(&pair, &server, &client, NULL);
    pair_shake(&pair);
    assert_int_equal(pair.server_result, TLS_DONE);
    assert_false(tls_peer_common_name(pair.server, small, sizeof small));
    pair_close(&pair);
}

static void a_refused_client_is_told_at_its_first_read(void **state)
{
    (void)state;
    struct config_tls server = server_config(TLS_VERIFY_CA, "ca.pem", "server");
    struct config_tls client = config_of(TLS_REQUIRE, NULL, NULL, NULL);
    struct pair pair;
    struct error error;
    char byte;
    size_t done;
    pair_open(&pair, &server, &client, NULL);
    pair_shake(&pair);
    assert_int_equal(pair.server_result, TLS_FAILED);
    assert_int_equal(pair.client_result, TLS_DONE);
    assert_int_equal(tls_read(pair.client, &byte, 1, &done, &error), TLS_FAILED);
    assert_non_null(strstr(error.text, "certificate required"));
    assert_int_equal(tls_read(pair.client, &byte, 1, &done, &error), TLS_FAILED);
    assert_int_equal(tls_write(pair.client, &byte, 1, &done, &error), TLS_FAILED);
    pair_close(&pair);
}

static void contexts_name_the_file_that_they_cannot_load(void **state)
{
    (void)state;
    struct error error;
    struct config_tls disabled = config_of(TLS_DISABLE, NULL, NULL, NULL);
    strcpy(error.sqlstate, "XXXXX");
    assert_null(tls_context_accept(&disabled, &error));
    assert_string_equal(error.sqlstate, "");
    const struct {
        struct config_tls config;
        const char *text;
    } cases[] = {
        {config_of(TLS_ALLOW, NULL, "missing.pem", "server.key"), "missing.pem"},
        {config_of(TLS_ALLOW, NULL, "server.pem", "missing.key"), "missing.key"},
        {config_of(TLS_ALLOW, NULL, "server.pem", "client.key"), "client.key"},
        {config_of(TLS_ALLOW, "missing.pem", "server.pem", "server.key"), "missing.pem"},
        {config_of(TLS_ALLOW, "server.key", "server.pem", "server.key"), "server.key"},
        {config_of(TLS_ALLOW, NULL, "server.key", "server.key"), "server.key"},
        {config_of(TLS_ALLOW, NULL, NULL, NULL), "cert_file"},
        {config_of(TLS_ALLOW, NULL, "server.pem", NULL), "key_file"},
        {config_of(TLS_VERIFY_CA, NULL, "server.pem", "server.key"), "ca_file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(tls_context_accept(&cases[i].config, &error));
        assert_string_equal(error.sqlstate, "F0000");
        if (strstr(error.text, cases[i].text) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", cases[i].text, error.text);
    }
    struct config_tls no_ca = config_of(TLS_VERIFY_CA, "missing.pem", NULL, NULL);
    assert_null(tls_context_connect(&no_ca, &error));
    assert_non_null(strstr(error.text, "missing.pem"));
}

static void a_megabyte_arrives_whole_in_parts(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    unsigned char *sent = malloc(SIZE), *got = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (unsigned char)(i * 31 >> 3);
    struct pair pair;
    struct error error;
    size_t written = 0, read = 0, done, waits = 0, partial = 0;
    pair_ready(&pair);
    while (read < SIZE) {
        if (written < SIZE) {
            enum tls_result result = tls_write(pair.client, sent + written, SIZE - written, &done, &error);
            assert_true(result == TLS_DONE || result == TLS_WANT_WRITE);
            waits += result == TLS_WANT_WRITE;
            partial += result == TLS_DONE && done < SIZE - written;
            written += done;
            if (result == TLS_DONE)
                continue;
        }
        enum tls_result result = tls_read(pair.server, got + read, SIZE - read, &done, &error);
        assert_true(result == TLS_DONE || result == TLS_WANT_READ);
        read += done;
    }
    assert_memory_equal(sent, got, SIZE);
    assert_true(waits > 0);
    assert_true(partial > 0);
    pair_close(&pair);
    free(sent);
    free(got);
}

static void decrypted_bytes_that_are_left_are_pending(void **state)
{
    (void)state;
    struct pair pair;
    struct error error;
    char buffer[10];
    size_t done;
    pair_ready(&pair);
    assert_false(tls_pending(pair.server));
    assert_int_equal(tls_read(pair.server, buffer, 10, &done, &error), TLS_WANT_READ);
    assert_int_equal(tls_write(pair.client, "0123456789", 10, &done, &error), TLS_DONE);
    assert_int_equal(done, 10);
    assert_int_equal(tls_read(pair.server, buffer, 4, &done, &error), TLS_DONE);
    assert_int_equal(done, 4);
    assert_true(tls_pending(pair.server));
    assert_int_equal(tls_read(pair.server, buffer, 10, &done, &error), TLS_DONE);
    assert_memory_equal(buffer, "456789", 6);
    assert_int_equal(done, 6);
    assert_false(tls_pending(pair.server));
    assert_int_equal(tls_write(pair.client, "", 0, &done, &error), TLS_DONE);
    assert_int_equal(done, 0);
    pair_close(&pair);
}

static void both_kinds_of_end_are_a_close(void **state)
{
    (void)state;
    for (int orderly = 0; orderly < 2; orderly++) {
        struct pair pair;
        struct error error;
        char buffer[10];
        size_t done;
        pair_ready(&pair);
        assert_int_equal(tls_write(pair.client, "last", 4, &done, &error), TLS_DONE);
        if (orderly) {
            tls_free(pair.client);
            pair.client = NULL;
        }
        close(pair.fds[1]);
        pair.fds[1] = -1;
        assert_int_equal(tls_read(pair.server, buffer, 10, &done, &error), TLS_DONE);
        assert_int_equal(done, 4);
        assert_int_equal(tls_read(pair.server, buffer, 10, &done, &error), TLS_CLOSED);
        assert_int_equal(done, 0);
        pair_close(&pair);
    }
}

static void writing_to_a_peer_that_is_gone_fails_without_a_signal(void **state)
{
    (void)state;
    struct pair pair;
    struct error error;
    size_t done;
    signal(SIGPIPE, SIG_DFL);
    pair_ready(&pair);
    close(pair.fds[1]);
    pair.fds[1] = -1;
    assert_int_equal(tls_write(pair.server, "x", 1, &done, &error), TLS_FAILED);
    assert_non_null(strstr(error.text, "Broken pipe"));
    assert_string_equal(error.sqlstate, "08006");
    pair_close(&pair);
}

static void a_handshake_with_no_tls_at_the_other_end_fails(void **state)
{
    (void)state;
    struct config_tls server = server_config(TLS_ALLOW, NULL, "server");
    struct config_tls client = config_of(TLS_REQUIRE, NULL, NULL, NULL);
    struct pair pair;
    pair_open(&pair, &server, &client, NULL);
    assert_int_equal(write(pair.fds[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
    assert_int_equal(tls_handshake(pair.server, &pair.server_error), TLS_FAILED);
    assert_non_null(strstr(pair.server_error.text, "TLS handshake: "));
    pair_close(&pair);
    pair_open(&pair, &server, &client, NULL);
    assert_int_equal(tls_handshake(pair.server, &pair.server_error), TLS_WANT_READ);
    close(pair.fds[1]);
    pair.fds[1] = -1;
    assert_int_equal(tls_handshake(pair.server, &pair.server_error), TLS_FAILED);
    assert_non_null(strstr(pair.server_error.text, "closed the connection"));
    pair_close(&pair);
}

static void every_byte_of_a_handshake_may_come_alone(void **state)
{
    (void)state;
    struct config_tls server = server_config(TLS_ALLOW, NULL, "server");
    struct config_tls client = config_of(TLS_REQUIRE, NULL, NULL, NULL);
    struct pair pair;
    int wire[2];
    pair_open(&pair, &server, &client, NULL);
    /* The client talks to another socket, whose bytes are handed on one by one. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, wire), 0);
    assert_int_equal(dup2(wire[0], pair.fds[1]), pair.fds[1]);
    int far = dup(pair.fds[0]);
    int near[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, near), 0);
    assert_int_equal(dup2(near[0], pair.fds[0]), pair.fds[0]);
    enum tls_result client_result = TLS_WANT_READ, server_result = TLS_WANT_READ;
    size_t moved = 0;
    for (int idle = 0; idle < 3 && (waiting(client_result) || waiting(server_result));) {
        char byte;
        idle++;
        if (waiting(client_result))
            client_result = tls_handshake(pair.client, &pair.client_error);
        if (read(wire[1], &byte, 1) == 1 && write(near[1], &byte, 1) == 1)
            idle = 0, moved++;
        if (waiting(server_result))
            server_result = tls_handshake(pair.server, &pair.server_error);
        if (read(near[1], &byte, 1) == 1 && write(wire[1], &byte, 1) == 1)
            idle = 0, moved++;
    }
    assert_int_equal(client_result, TLS_DONE);
    assert_int_equal(server_result, TLS_DONE);
    assert_true(moved > 500);
    close(wire[0]);
    close(wire[1]);
    close(near[0]);
    close(near[1]);
    close(far);
    pair_close(&pair);
}

static void both_sides_know_the_same_end_point(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t len;
    } cases[] = {{"server", 32}, {"strong", 48}};
    unsigned char seen[2][64];
    for (size_t i = 0; i < 2; i++) {
        struct config_tls server = server_config(TLS_ALLOW, NULL, cases[i].name);
        struct config_tls client = config_of(TLS_REQUIRE, NULL, NULL, NULL);
        unsigned char here[64], expected[64];
        unsigned int len;
        struct pair pair;
        pair_open(&pair, &server, &client, NULL);
        pair_shake(&pair);
        assert_int_equal(tls_server_end_point(pair.server, here), cases[i].len);
        assert_int_equal(tls_server_end_point(pair.client, seen[i]), cases[i].len);
        assert_memory_equal(here, seen[i], cases[i].len);
        FILE *file = fopen(server.cert_file, "r");
        X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
        fclose(file);
        X509_digest(certificate, i == 0 ? EVP_sha256() : EVP_sha384(), expected, &len);
        X509_free(certificate);
        assert_memory_equal(here, expected, cases[i].len);
        pair_close(&pair);
    }
}

static void the_protocol_is_new_and_named_by_alpn(void **state)
{
    (void)state;
    struct pair pair;
    pair_ready(&pair);
    assert_string_equal(tls_version(pair.server), "TLSv1.3");
    assert_true(tls_alpn_postgresql(pair.server));
    assert_true(tls_alpn_postgresql(pair.client));
    pair_close(&pair);
}

/* A client made by hand, for offers that ours never makes. `offer`: ALPN's list, NULL for none. */
static enum tls_result accept_stranger(const char *offer, int max_version, struct error *error, bool *alpn)
{
    struct config_tls config = server_config(TLS_ALLOW, NULL, "server");
    struct tls_context *context = tls_context_accept(&config, error);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct tls *server = tls_accept(context, fds[0]);
    tls_context_unref(context);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *client = SSL_new(ctx);
    SSL_set_max_proto_version(client, max_version);
    SSL_set_min_proto_version(client, TLS1_VERSION);
    SSL_set_security_level(client, 0);
    if (offer != NULL)
        SSL_set_alpn_protos(client, (const unsigned char *)offer, (unsigned)strlen(offer));
    SSL_set_fd(client, fds[1]);
    enum tls_result result = TLS_WANT_READ;
    for (int i = 0; i < 20 && waiting(result); i++) {
        SSL_connect(client);
        result = tls_handshake(server, error);
    }
    *alpn = result == TLS_DONE && tls_alpn_postgresql(server);
    SSL_free(client);
    SSL_CTX_free(ctx);
    tls_free(server);
    close(fds[0]);
    close(fds[1]);
    return result;
}

static void strangers_are_accepted_or_refused_by_alpn_and_version(void **state)
{
    (void)state;
    struct error error;
    bool alpn;
    assert_int_equal(accept_stranger(NULL, 0, &error, &alpn), TLS_DONE);
    assert_false(alpn);
    assert_int_equal(accept_stranger("\x0apostgresql", 0, &error, &alpn), TLS_DONE);
    assert_true(alpn);
    assert_int_equal(accept_stranger("\x02h2\x0apostgresql", 0, &error, &alpn), TLS_DONE);
    assert_true(alpn);
    assert_int_equal(accept_stranger("\x02h2\x08http/1.1", 0, &error, &alpn), TLS_FAILED);
    assert_int_equal(accept_stranger(NULL, TLS1_2_VERSION, &error, &alpn), TLS_DONE);
    assert_int_equal(accept_stranger(NULL, TLS1_1_VERSION, &error, &alpn), TLS_FAILED);
    assert_non_null(strstr(error.text, "unsupported protocol"));
}

static int make_certificates(void **state)
{
    (void)state;
    certificates_make(&certificates);
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    certificates_remove(&certificates);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_verified_as_its_mode_says),
        cmocka_unit_test(a_client_is_verified_as_the_listeners_mode_says),
        cmocka_unit_test(a_common_name_with_a_nul_or_too_long_is_no_name),
        cmocka_unit_test(a_refused_client_is_told_at_its_first_read),
        cmocka_unit_test(contexts_name_the_file_that_they_cannot_load),
        cmocka_unit_test(a_megabyte_arrives_whole_in_parts),
        cmocka_unit_test(decrypted_bytes_that_are_left_are_pending),
        cmocka_unit_test(both_kinds_of_end_are_a_close),
        cmocka_unit_test(writing_to_a_peer_that_is_gone_fails_without_a_signal),
        cmocka_unit_test(a_handshake_with_no_tls_at_the_other_end_fails),
        cmocka_unit_test(every_byte_of_a_handshake_may_come_alone),
        cmocka_unit_test(both_sides_know_the_same_end_point),
        cmocka_unit_test(the_protocol_is_new_and_named_by_alpn),
        cmocka_unit_test(strangers_are_accepted_or_refused_by_alpn_and_version),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
