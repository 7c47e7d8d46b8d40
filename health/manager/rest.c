/*
 * libcurl's multi interface on libuv; see rest.h.
 *
 *     rest_get -> curl -> "watch this socket", "wake me then" -> uv_poll, uv_timer -> curl -> done
 *
 * Every call has a deadline in libcurl itself, so each ends: with an answer, or with the error in words. A
 * body that grows past REST_BODY_MAX ends its call. Proxies of the environment are not used, redirects not
 * followed: the manager is where the configuration says.
 */
#include "health/manager/rest.h"

#include "health/memory.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>

struct rest {
    CURLM *multi;
    uv_timer_t timer;
    unsigned handles; /* that the loop has not closed yet */
    unsigned calls;   /* that have neither ended nor been dropped */
    bool closed;
};

struct rest_call {
    struct rest *rest;
    CURL *easy;
    struct curl_slist *headers; /* of a POST */
    void *context;
    rest_done *done;
    char *body;
    size_t len, size;
    bool too_long;
    char error[CURL_ERROR_SIZE];
};

/* A socket of libcurl's while it is watched. */
struct watched {
    struct rest *rest;
    curl_socket_t socket;
    uv_poll_t poll;
};

/* --- calls --- */

static size_t on_body(char *bytes, size_t one, size_t n, void *context)
{
    struct rest_call *call = context;
    size_t len = one * n;
    call->too_long = len > REST_BODY_MAX - call->len;
    if (call->too_long)
        return 0;
    if (call->len + len > call->size) {
        call->size = call->len + len + 4096;
        call->body = memory_resize(call->body, call->size, 1);
    }
    memcpy(call->body + call->len, bytes, len);
    call->len += len;
    return len;
}

static void end_call(struct rest_call *call)
{
    curl_multi_remove_handle(call->rest->multi, call->easy);
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    assert(call->rest->calls > 0);
    call->rest->calls--;
    free(call->body);
    free(call);
}

static void finish(struct rest_call *call, CURLcode code)
{
    long status = 0;
    struct rest_answer answer = {.body = call->body ? call->body : "", .len = call->len};
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = (int)status;
    answer.came = code == CURLE_OK && status > 0;
    if (!answer.came)
        snprintf(answer.error, sizeof answer.error, "%s",
            call->too_long   ? "the answer is too long"
            : call->error[0] ? call->error
                             : curl_easy_strerror(code));
    /* The call ends first: `done` may begin another. */
    void *context = call->context;
    rest_done *done = call->done;
    char *body = call->body;
    call->body = NULL;
    end_call(call);
    done(context, &answer);
    free(body);
}

static void take_ended(struct rest *rest)
{
    CURLMsg *message;
    int left;
    while (!rest->closed && (message = curl_multi_info_read(rest->multi, &left))) {
        struct rest_call *call;
        CURLcode code = message->data.result;
        assert(message->msg == CURLMSG_DONE);
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        finish(call, code);
    }
}

/* --- the loop --- */

static void free_when_closed(struct rest *rest)
{
    if (rest->closed && rest->handles == 0)
        free(rest);
}

static void on_watched_closed(uv_handle_t *handle)
{
    struct watched *watched = handle->data;
    struct rest *rest = watched->rest;
    free(watched);
    rest->handles--;
    free_when_closed(rest);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct rest *rest = handle->data;
    rest->handles--;
    free_when_closed(rest);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watched *watched = poll->data;
    struct rest *rest = watched->rest;
    int flags = 0, running;
    if (status < 0)
        flags |= CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(rest->multi, watched->socket, flags, &running);
    take_ended(rest);
}

static void on_timeout(uv_timer_t *timer)
{
    struct rest *rest = timer->data;
    int running;
    curl_multi_socket_action(rest->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_ended(rest);
}

static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct rest *rest = context;
    (void)multi;
    if (timeout_ms < 0)
        uv_timer_stop(&rest->timer);
    else
        uv_timer_start(&rest->timer, on_timeout, (uint64_t)timeout_ms, 0);
    return 0;
}

static struct watched *watch(struct rest *rest, curl_socket_t socket)
{
    struct watched *watched = memory_new(1, sizeof *watched);
    watched->rest = rest;
    watched->socket = socket;
    if (uv_poll_init_socket(rest->timer.loop, &watched->poll, socket) != 0) {
        free(watched);
        return NULL;
    }
    watched->poll.data = watched;
    rest->handles++;
    curl_multi_assign(rest->multi, socket, watched);
    return watched;
}

static int set_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *of_socket)
{
    struct rest *rest = context;
    struct watched *watched = of_socket;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watched) {
            curl_multi_assign(rest->multi, socket, NULL);
            uv_close((uv_handle_t *)&watched->poll, on_watched_closed);
        }
        return 0;
    }
    if (!watched && !(watched = watch(rest, socket)))
        return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&watched->poll, events, on_ready);
    return 0;
}

/* --- what the owner calls --- */

struct rest *rest_open(uv_loop_t *loop)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return NULL;
    struct rest *rest = memory_new(1, sizeof *rest);
    rest->multi = memory_must(curl_multi_init());
    uv_timer_init(loop, &rest->timer);
    rest->timer.data = rest;
    rest->handles = 1;
    curl_multi_setopt(rest->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(rest->multi, CURLMOPT_SOCKETDATA, rest);
    curl_multi_setopt(rest->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(rest->multi, CURLMOPT_TIMERDATA, rest);
    return rest;
}

static void set_tls(CURL *easy, const struct rest_manners *manners)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, manners->verify >= REST_VERIFY_CA ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, manners->verify == REST_VERIFY_FULL ? 2L : 0L);
    if (manners->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, manners->ca_file);
    if (manners->cert_file)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, manners->cert_file);
    if (manners->key_file)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, manners->key_file);
}

static void set_manners(CURL *easy, const struct rest_manners *manners)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "rolecall");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)manners->deadline_ms);
    set_tls(easy, manners);
    if (manners->user) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, manners->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, manners->password ? manners->password : "");
    }
}

static struct rest_call *new_call(
    struct rest *rest, const char *url, const struct rest_manners *manners, void *context, rest_done *done)
{
    assert(!rest->closed && manners->deadline_ms > 0);
    struct rest_call *call = memory_new(1, sizeof *call);
    *call = (struct rest_call){.rest = rest, .context = context, .done = done};
    call->easy = memory_must(curl_easy_init());
    set_manners(call->easy, manners);
    curl_easy_setopt(call->easy, CURLOPT_URL, url);
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
    return call;
}

static struct rest_call *begin(struct rest_call *call)
{
    CURLMcode added = curl_multi_add_handle(call->rest->multi, call->easy);
    assert(added == CURLM_OK);
    (void)added;
    call->rest->calls++;
    return call;
}

struct rest_call *rest_get(
    struct rest *rest, const char *url, const struct rest_manners *manners, void *context, rest_done *done)
{
    return begin(new_call(rest, url, manners, context, done));
}

struct rest_call *rest_post(struct rest *rest, const char *url, const char *json,
    const struct rest_manners *manners, void *context, rest_done *done)
{
    struct rest_call *call = new_call(rest, url, manners, context, done);
    call->headers = memory_must(curl_slist_append(NULL, "Content-Type: application/json"));
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, json);
    return begin(call);
}

void rest_drop(struct rest_call *call)
{
    if (call)
        end_call(call);
}

void rest_close(struct rest *rest)
{
    if (!rest)
        return;
    assert(!rest->closed && rest->calls == 0);
    curl_multi_cleanup(rest->multi);
    curl_global_cleanup();
    rest->closed = true;
    uv_close((uv_handle_t *)&rest->timer, on_timer_closed);
}
