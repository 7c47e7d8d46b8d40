/* TLS towards a real server: what each mode of the configuration means for libpq. */
#include "conf/base/clock.h"
#include "health/pgconn.h"
#include "tests/unit/health/postgres.h"
#include "tests/unit/health/unit.h"

#include <sys/stat.h>
#include <unistd.h>

struct stage {
    struct postgres postgres;
    uv_loop_t loop;
    char ca[128], other[128];
    bool opened;
    struct pgconn *conn;
    struct pgconn_answer answer;
    char value[32];
};

/* A self-signed certificate for localhost, as `name`.crt and .key in the servers' folder. */
static void make_certificate(const struct stage *stage, const char *name)
{
    char command[512];
    snprintf(command, sizeof command,
        "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
        "subjectAltName=DNS:localhost -keyout %s.key -out %s.crt >/dev/null 2>&1 && chmod 600 %s.key && "
        "chown --reference=n0 %s.key %s.crt",
        stage->postgres.folder, name, name, name, name, name);
    assert_int_equal(system(command), 0);
}

static void begin(struct stage *stage, bool tls)
{
    if (!postgres_available() || system("openssl version >/dev/null 2>&1") != 0)
        skip();
    memset(stage, 0, sizeof *stage);
    postgres_start(&stage->postgres, 1);
    make_certificate(stage, "server");
    make_certificate(stage, "other");
    snprintf(stage->ca, sizeof stage->ca, "%s/server.crt", stage->postgres.folder);
    snprintf(stage->other, sizeof stage->other, "%s/other.crt", stage->postgres.folder);
    if (tls) {
        postgres_append(&stage->postgres, 0, "postgresql.conf",
            "ssl = on\nssl_cert_file = '../server.crt'\nssl_key_file = '../server.key'");
        postgres_stop(&stage->postgres, 0);
        postgres_run(&stage->postgres, 0);
    }
    assert_int_equal(uv_loop_init(&stage->loop), 0);
}

static void end(struct stage *stage)
{
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
    postgres_end(&stage->postgres);
}

static void on_done(void *context, const struct pgconn_answer *answer)
{
    struct stage *stage = context;
    const char *value = pgconn_value(answer, 0, 0);
    snprintf(stage->value, sizeof stage->value, "%s", value ? value : "?");
    pgconn_close(stage->conn);
    stage->conn = NULL;
}

static void on_opened(void *context, const struct pgconn_answer *answer)
{
    struct stage *stage = context;
    stage->answer = *answer;
    if (answer->outcome == PGCONN_OK) {
        pgconn_query(stage->conn, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", NULL, 0, 2000,
            stage, on_done);
        return;
    }
    snprintf(stage->value, sizeof stage->value, "-");
    pgconn_close(stage->conn);
    stage->conn = NULL;
}

/* "t" or "f": connected with or without TLS; "-": not connected. */
static const char *try(struct stage *stage, const char *host, enum tls_mode mode, const char *ca)
{
    struct endpoint endpoint;
    struct config_tls tls = {.mode = mode, .ca_file = (char *)(uintptr_t)ca};
    endpoint_init(&endpoint, host, stage->postgres.servers[0].port);
    const struct pgconn_params params = {.endpoint = &endpoint,
        .user = "postgres",
        .database = "postgres",
        .tls = &tls,
        .connect_timeout_ms = 3000,
        .context = stage,
        .opened = on_opened};
    stage->conn = pgconn_open(&stage->loop, &params);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    endpoint_fini(&endpoint);
    return stage->value;
}

static void each_mode_does_what_it_says_before_a_server_with_tls(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, true);
    assert_string_equal(try(&stage, "127.0.0.1", TLS_DISABLE, NULL), "f");
    assert_string_equal(try(&stage, "127.0.0.1", TLS_ALLOW, NULL), "t");
    assert_string_equal(try(&stage, "127.0.0.1", TLS_REQUIRE, NULL), "t");
    assert_string_equal(
        try(&stage, "127.0.0.1", TLS_REQUIRE, stage.other), "t"); /* require does not verify */
    assert_string_equal(try(&stage, "127.0.0.1", TLS_VERIFY_CA, stage.ca), "t");
    assert_string_equal(try(&stage, "localhost", TLS_VERIFY_FULL, stage.ca), "t");
    assert_string_equal(try(&stage, "127.0.0.1", TLS_VERIFY_FULL, stage.ca), "-");
    assert_int_equal(stage.answer.outcome, PGCONN_UNUSABLE);
    assert_string_equal(try(&stage, "127.0.0.1", TLS_VERIFY_CA, stage.other), "-");
    assert_int_equal(stage.answer.outcome, PGCONN_UNUSABLE);
    assert_non_null(strstr(stage.answer.error.text, "certificate verify failed"));
    assert_string_equal(try(&stage, "127.0.0.1", TLS_VERIFY_CA, "/nonexistent/ca.crt"), "-");
    assert_int_equal(stage.answer.outcome, PGCONN_UNUSABLE);
    assert_string_equal(
        try(&stage, stage.postgres.folder, TLS_VERIFY_FULL, NULL), "f"); /* a socket needs none */
    end(&stage);
}

static void only_lax_modes_connect_to_a_server_without_tls(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, false);
    assert_string_equal(try(&stage, "127.0.0.1", TLS_DISABLE, NULL), "f");
    assert_string_equal(try(&stage, "127.0.0.1", TLS_ALLOW, NULL), "f");
    assert_string_equal(try(&stage, "127.0.0.1", TLS_REQUIRE, NULL), "-");
    assert_int_equal(stage.answer.outcome, PGCONN_UNUSABLE);
    assert_non_null(strstr(stage.answer.error.text, "does not support SSL"));
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mode_does_what_it_says_before_a_server_with_tls),
        cmocka_unit_test(only_lax_modes_connect_to_a_server_without_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
