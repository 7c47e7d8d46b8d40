/* Questions by HTTP, before a server that answers as it is told to: in the same loop, on a free port. */
#include "health/manager/rest.h"

#include "tests/unit/health/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

/* What the server does with every question. */
struct script {
    const char *answer; /* NULL: it never answers */
    size_t padding;     /* bytes behind it */
};

struct stage {
    uv_loop_t loop;
    uv_tcp_t server;
    struct script script;
    char heard[4096];
    struct rest *rest;
    char url[64];
    unsigned answers;
    struct rest_answer answer;
    char body[64];
};

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    static char bytes[4096];
    (void)handle;
    (void)size;
    *buffer = uv_buf_init(bytes, sizeof bytes);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write->data);
    if (!uv_is_closing((uv_handle_t *)write->handle))
        uv_close((uv_handle_t *)write->handle, free_handle);
    free(write);
}

static void answer_peer(struct stage *stage, uv_stream_t *peer)
{
    size_t len = strlen(stage->script.answer);
    uv_write_t *write = calloc(1, sizeof *write);
    char *text = calloc(1, len + stage->script.padding + 1);
    memcpy(text, stage->script.answer, len);
    memset(text + len, 'x', stage->script.padding);
    uv_buf_t buffer = uv_buf_init(text, (unsigned)(len + stage->script.padding));
    write->data = text;
    uv_write(write, peer, &buffer, 1, on_written);
}

static void on_read(uv_stream_t *peer, ssize_t n, const uv_buf_t *buffer)
{
    struct stage *stage = peer->data;
    if (n < 0) {
        if (!uv_is_closing((uv_handle_t *)peer))
            uv_close((uv_handle_t *)peer, free_handle);
        return;
    }
    snprintf(stage->heard, sizeof stage->heard, "%.*s", (int)n, buffer->base);
    if (stage->script.answer)
        answer_peer(stage, peer);
}

static void on_connection(uv_stream_t *server, int status)
{
    uv_tcp_t *peer = calloc(1, sizeof *peer);
    assert_int_equal(status, 0);
    uv_tcp_init(server->loop, peer);
    peer->data = server->data;
    uv_accept(server, (uv_stream_t *)peer);
    uv_read_start((uv_stream_t *)peer, on_alloc, on_read);
}

static void begin(struct stage *stage, const char *answer, size_t padding)
{
    struct sockaddr_in address;
    int len = sizeof address;
    memset(stage, 0, sizeof *stage);
    stage->script = (struct script){answer, padding};
    uv_loop_init(&stage->loop);
    uv_tcp_init(&stage->loop, &stage->server);
    stage->server.data = stage;
    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(&stage->server, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&stage->server, 8, on_connection), 0);
    uv_tcp_getsockname(&stage->server, (struct sockaddr *)&address, &len);
    snprintf(stage->url, sizeof stage->url, "http://127.0.0.1:%u/primary", ntohs(address.sin_port));
    stage->rest = rest_open(&stage->loop);
    assert_non_null(stage->rest);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    struct stage *stage = context;
    if (!uv_is_closing(handle))
        uv_close(handle, handle == (uv_handle_t *)&stage->server ? NULL : free_handle);
}

static void end(struct stage *stage)
{
    rest_close(stage->rest);
    uv_run(&stage->loop, UV_RUN_NOWAIT);
    uv_walk(&stage->loop, close_handle, stage);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
}

static void on_done(void *context, const struct rest_answer *answer)
{
    struct stage *stage = context;
    stage->answers++;
    stage->answer = *answer;
    snprintf(
        stage->body, sizeof stage->body, "%.*s", (int)(answer->len < 60 ? answer->len : 60), answer->body);
}

static struct rest_call *get(struct stage *stage, uint64_t deadline_ms, const char *user)
{
    const struct rest_manners manners = {
        .verify = REST_VERIFY_FULL, .deadline_ms = deadline_ms, .user = user, .password = user ? "pw" : NULL};
    return rest_get(stage->rest, stage->url, &manners, stage, on_done);
}

static void wait_for(struct stage *stage, unsigned answers)
{
    uint64_t limit = uv_hrtime() + UINT64_C(20000000000);
    while (stage->answers < answers && uv_hrtime() < limit)
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_int_equal(stage->answers, answers);
}

static void an_answer_comes_with_status_and_body(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/json\r\n\r\n{\"a\":1}", 0);
    get(&stage, 10000, NULL);
    wait_for(&stage, 1);
    assert_true(stage.answer.came);
    assert_int_equal(stage.answer.status, 503);
    assert_string_equal(stage.body, "{\"a\":1}");
    assert_non_null(strstr(stage.heard, "GET /primary HTTP/"));
    assert_null(strstr(stage.heard, "Authorization"));
    end(&stage);
}

static void a_login_is_sent_when_there_is_one(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "HTTP/1.0 200 OK\r\n\r\n", 0);
    get(&stage, 10000, "ann");
    wait_for(&stage, 1);
    assert_int_equal(stage.answer.status, 200);
    assert_non_null(strstr(stage.heard, "Authorization: Basic YW5uOnB3"));
    end(&stage);
}

static void a_post_carries_its_json(void **state)
{
    (void)state;
    struct stage stage;
    const struct rest_manners manners = {.deadline_ms = 10000};
    begin(&stage, "HTTP/1.0 412 Precondition Failed\r\n\r\nno good candidates", 0);
    rest_post(stage.rest, stage.url, "{\"leader\":\"db1\"}", &manners, &stage, on_done);
    wait_for(&stage, 1);
    assert_int_equal(stage.answer.status, 412);
    assert_string_equal(stage.body, "no good candidates");
    assert_non_null(strstr(stage.heard, "POST /primary HTTP/"));
    assert_non_null(strstr(stage.heard, "Content-Type: application/json"));
    assert_non_null(strstr(stage.heard, "Content-Length: 16"));
    assert_null(strstr(stage.heard, "Expect"));
    end(&stage);
}

static void nobody_there_is_an_error_in_words(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, NULL, 0);
    uv_close((uv_handle_t *)&stage.server, NULL);
    uv_run(&stage.loop, UV_RUN_NOWAIT);
    get(&stage, 10000, NULL);
    wait_for(&stage, 1);
    assert_false(stage.answer.came);
    assert_non_null(strstr(stage.answer.error, "connect"));
    end(&stage);
}

static void silence_ends_at_the_deadline(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, NULL, 0);
    uint64_t began = uv_hrtime();
    get(&stage, 150, NULL);
    wait_for(&stage, 1);
    assert_false(stage.answer.came);
    assert_true(uv_hrtime() - began >= UINT64_C(140000000));
    assert_string_not_equal(stage.answer.error, "");
    end(&stage);
}

static void what_is_no_http_is_an_error(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "SSH-2.0-OpenSSH\r\n", 0);
    get(&stage, 10000, NULL);
    wait_for(&stage, 1);
    assert_false(stage.answer.came);
    end(&stage);
}

static void a_body_without_end_is_an_error(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "HTTP/1.0 200 OK\r\n\r\n", REST_BODY_MAX + 1);
    get(&stage, 10000, NULL);
    wait_for(&stage, 1);
    assert_false(stage.answer.came);
    assert_string_equal(stage.answer.error, "the answer is too long");
    stage.script.padding = REST_BODY_MAX;
    get(&stage, 10000, NULL);
    wait_for(&stage, 2);
    assert_true(stage.answer.came);
    assert_int_equal(stage.answer.len, REST_BODY_MAX);
    end(&stage);
}

static void redirects_are_not_followed(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, "HTTP/1.0 302 Found\r\nLocation: /elsewhere\r\n\r\n", 0);
    get(&stage, 10000, NULL);
    wait_for(&stage, 1);
    assert_int_equal(stage.answer.status, 302);
    end(&stage);
}

static void a_call_that_hangs_delays_no_other_and_can_be_dropped(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage, NULL, 0);
    struct rest_call *hanging = get(&stage, 60000, NULL);
    while (!stage.heard[0])
        uv_run(&stage.loop, UV_RUN_ONCE);
    stage.script.answer = "HTTP/1.0 200 OK\r\n\r\n";
    get(&stage, 10000, NULL);
    wait_for(&stage, 1);
    assert_int_equal(stage.answer.status, 200);
    rest_drop(hanging);
    rest_drop(get(&stage, 10000, NULL)); /* before anything of it was done */
    end(&stage);
    assert_int_equal(stage.answers, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_with_status_and_body),
        cmocka_unit_test(a_login_is_sent_when_there_is_one),
        cmocka_unit_test(a_post_carries_its_json),
        cmocka_unit_test(nobody_there_is_an_error_in_words),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(what_is_no_http_is_an_error),
        cmocka_unit_test(a_body_without_end_is_an_error),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(a_call_that_hangs_delays_no_other_and_can_be_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
