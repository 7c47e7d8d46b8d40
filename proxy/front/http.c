/*
 * The HTTP door; see http.h: who may ask, what is answered, opening and reload.
 *
 * All well: a request is checked (method, body, path, login) and answered at once from memory; one that wants
 * to know of the workers is suspended, a survey is made for everybody who waits, and its answers serve all of
 * them. Failure: what is wrong with a request is its answer; a
 * worker that is silent is left out after two seconds. An answer lives until the last client has taken it or
 * timed out, so memory is bounded by max_connections.
 */
#include "proxy/front/http.h"

#include "conf/base/log.h"
#include "proxy/front/http_login.h"
#include "proxy/front/http_routes.h"
#include "proxy/front/http_server.h"
#include "proxy/worker/listener.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 128
#define CHECK_MS 250
#define PEM_MAX ((size_t)256 * 1024)
#define NO_POLICY "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

struct exchange {
    struct MHD_Connection *connection;
    const struct http_route *route;
    bool waiting;
    struct exchange *prev, *next; /* those that wait */
};

struct document {
    struct MHD_Response *response; /* NULL: not made yet, or memory was out */
    unsigned status;
    bool wanted;
};

/* What the open server was made from. */
struct opened {
    char *address, *certificate, *key; /* the last two are PEM; NULL = plain HTTP */
    uint32_t max_connections;
    uint64_t timeout_ms;
};

struct http {
    struct http_host host;
    struct http_server *server; /* NULL: the door is shut */
    struct opened opened;
    uv_timer_t check;
    struct survey *survey; /* on its way, for those that wait */
    struct exchange *first;
    struct document documents[HTTP_ROUTES_MAX]; /* as http_routes */
    struct login_failures failures;
    bool stopping;
};

/* ---- answers ---- */

static void add_headers(struct MHD_Response *response, const char *type, const char *policy)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "Content-Security-Policy", policy ? policy : NO_POLICY);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
}

/* Takes the body over. NULL: memory is out. */
static struct MHD_Response *respond(struct output *body, const char *type, const char *policy)
{
    struct MHD_Response *response = NULL;
    if (!body->failed)
        response = MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        output_fini(body);
        return NULL;
    }
    *body = (struct output){0};
    add_headers(response, type, policy);
    return response;
}

/* An answer of one line that ends the connection, so that nothing behind it is taken for a request. */
static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct output body = {0};
    output_text(&body, text);
    struct MHD_Response *response = respond(&body, HTTP_TYPE_TEXT, NULL);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD, OPTIONS");
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static struct http_asked asked(const struct http *http)
{
    return (struct http_asked){.view = http->host.view, .stopping = http->stopping};
}

static enum MHD_Result answer_now(
    struct http *http, struct MHD_Connection *connection, const struct http_route *route, bool only_status)
{
    struct output body = {0};
    struct http_asked what = asked(http);
    what.cluster = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "cluster");
    what.since = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "since");
    unsigned status = route->surveys ? MHD_HTTP_OK : route->answer(&what, &body);
    if (only_status)
        output_fini(&body);
    struct MHD_Response *response = respond(&body, route->type, route->policy);
    if (!response)
        return MHD_NO;
    if (only_status)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD, OPTIONS");
    if (route->location)
        MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, route->location);
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

/* ---- answers that need a survey ---- */

static struct document *document_of(struct http *http, const struct http_route *route)
{
    size_t n;
    return &http->documents[route - http_routes(&n)];
}

static void forget_documents(struct http *http)
{
    for (size_t i = 0; i < HTTP_ROUTES_MAX; i++) {
        if (http->documents[i].response)
            MHD_destroy_response(http->documents[i].response);
        http->documents[i] = (struct document){0};
    }
}

static void make_document(
    struct document *document, const struct http_route *route, const struct http_asked *what)
{
    struct output body = {0};
    if (document->response)
        MHD_destroy_response(document->response);
    *document = (struct document){.status = route->answer(what, &body)};
    document->response = respond(&body, route->type, route->policy);
}

static void end_wait(struct http *http, struct exchange *exchange)
{
    if (!exchange->waiting)
        return;
    exchange->waiting = false;
    if (exchange->prev)
        exchange->prev->next = exchange->next;
    else
        http->first = exchange->next;
    if (exchange->next)
        exchange->next->prev = exchange->prev;
    exchange->prev = exchange->next = NULL;
}

static void resume_all(struct http *http)
{
    while (http->first) {
        struct exchange *exchange = http->first;
        end_wait(http, exchange);
        http_server_resume(http->server, exchange->connection);
    }
}

static void on_surveyed(void *user, struct survey *survey)
{
    struct http *http = user;
    size_t n;
    const struct http_route *routes = http_routes(&n);
    struct http_asked what = asked(http);
    what.pools = survey;
    for (size_t i = 0; i < n; i++)
        if (http->documents[i].wanted)
            make_document(&http->documents[i], &routes[i], &what);
    http->survey = NULL;
    survey_free(survey);
    uv_timer_stop(&http->check);
    resume_all(http);
    http_server_run(http->server);
}

static void on_check(uv_timer_t *timer)
{
    struct http *http = timer->data;
    survey_check(http->survey);
}

static enum MHD_Result wait_for_survey(struct http *http, struct exchange *exchange)
{
    if (!http->survey) {
        http->survey = survey_start(http->host.surveys, SURVEY_POOLS, NULL, on_surveyed, http);
        if (!http->survey)
            return refuse(exchange->connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
        uv_timer_start(&http->check, on_check, CHECK_MS, CHECK_MS);
    }
    document_of(http, exchange->route)->wanted = true;
    exchange->waiting = true;
    exchange->next = http->first;
    if (http->first)
        http->first->prev = exchange;
    http->first = exchange;
    MHD_suspend_connection(exchange->connection);
    return MHD_YES;
}

static enum MHD_Result answer_document(struct http *http, const struct exchange *exchange)
{
    const struct document *document = document_of(http, exchange->route);
    if (!document->response)
        return refuse(exchange->connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
    return MHD_queue_response(exchange->connection, document->status, document->response);
}

static enum MHD_Result begin_document(
    struct http *http, struct MHD_Connection *connection, const struct http_route *route, void **place)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        return MHD_NO;
    *exchange = (struct exchange){.connection = connection, .route = route};
    *place = exchange;
    return wait_for_survey(http, exchange);
}

/* ---- requests ---- */

static const struct http_route *find_route(const char *path)
{
    size_t n;
    const struct http_route *routes = http_routes(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

/* Asks for a login. */
static enum MHD_Result ask_login(struct MHD_Connection *connection)
{
    struct output body = {0};
    output_text(&body, "a login is needed\n");
    struct MHD_Response *response = respond(&body, HTTP_TYPE_TEXT, NULL);
    if (!response)
        return MHD_NO;
    enum MHD_Result queued = MHD_queue_basic_auth_fail_response(connection, "rolecall", response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *method,
    const char *path, bool has_body, void **place)
{
    struct http *http = context;
    const struct config_http *config = &http->host.view->config->http;
    bool options = strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0;
    if (*place)
        return answer_document(http, *place);
    if (!options && strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET, HEAD and OPTIONS are served\n");
    if (has_body)
        return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "a request here has no body\n");
    const struct http_route *route = find_route(path);
    if (!route && !(options && strcmp(path, "*") == 0))
        return refuse(connection, MHD_HTTP_NOT_FOUND, "there is no such page; / lists what there is\n");
    if (!route)
        route = find_route("/");
    if (!route->open && !login_is_good(config, connection, &http->failures))
        return ask_login(connection);
    if (route->surveys && !options)
        return begin_document(http, connection, route, place);
    return answer_now(http, connection, route, options);
}

static void on_over(void *context, void *place)
{
    struct exchange *exchange = place;
    if (!exchange)
        return;
    end_wait(context, exchange);
    free(exchange);
}

/* ---- opening ---- */

static void opened_fini(struct opened *opened)
{
    if (opened->key)
        explicit_bzero(opened->key, strlen(opened->key));
    free(opened->address);
    free(opened->certificate);
    free(opened->key);
    *opened = (struct opened){0};
}

/* A file as a string; NULL fills the error. */
static char *read_pem(const char *path, const char *key, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *text = calloc(1, PEM_MAX + 1);
    ssize_t len = fd < 0 || !text ? -1 : read(fd, text, PEM_MAX);
    if (len < 0 || len == (ssize_t)PEM_MAX) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "[http] %s: %.200s: %s", key, path,
            len < 0 ? strerror(errno) : "the file is too large");
        free(text);
        text = NULL;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

/* What [http] wants, with its files read. False fills the error. */
static bool read_wanted(const struct config_http *config, struct opened *wanted, struct error *error)
{
    *wanted = (struct opened){.address = strdup(config->address),
        .max_connections = config->max_connections,
        .timeout_ms = config->timeout_ms};
    bool good = wanted->address || error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    if (good && config->tls.cert_file) {
        wanted->certificate = read_pem(config->tls.cert_file, "tls_cert_file", error);
        wanted->key = wanted->certificate ? read_pem(config->tls.key_file, "tls_key_file", error) : NULL;
        good = wanted->key != NULL;
    }
    if (!good)
        opened_fini(wanted);
    return good;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_opened(const struct opened *a, const struct opened *b)
{
    return same_text(a->address, b->address) && same_text(a->certificate, b->certificate) &&
           same_text(a->key, b->key) && a->max_connections == b->max_connections &&
           a->timeout_ms == b->timeout_ms;
}

static int listen_at(const char *text, struct error *error)
{
    struct address address;
    const char *why;
    if (address_parse(text, &address, &why))
        return listener_bind_tcp(text, &address, BACKLOG, error);
    error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "[http] address: %s", why);
    return -1;
}

static bool is_loopback(const char *text)
{
    struct address address;
    const char *why;
    return address_parse(text, &address, &why) &&
           (strncmp(address.host, "127.", 4) == 0 || strcmp(address.host, "::1") == 0 ||
               strcmp(address.host, "localhost") == 0);
}

static void tell(const struct http *http)
{
    const struct config_http *config = &http->host.view->config->http;
    log_event(LOG_INFO, "http_listening", "address=%s tls=%s login=%s", config->address,
        config->tls.cert_file ? "on" : "off", config->user ? "on" : "off");
    if (!config->user && !is_loopback(config->address))
        log_event(LOG_WARNING, "http_without_login", "address=%s advice=%s", config->address,
            "set user and password in [http]");
}

static void shut(struct http *http)
{
    survey_free(http->survey);
    http->survey = NULL;
    uv_timer_stop(&http->check);
    if (!http->server)
        return;
    resume_all(http);
    http_server_close(http->server);
    http->server = NULL;
    opened_fini(&http->opened);
}

/* Opens the door as wanted, and shuts the one that was open; takes `wanted` over. False fills the error and
   leaves all as it was. */
static bool open_as(struct http *http, struct opened *wanted, struct error *error)
{
    bool same_address = http->server && same_text(http->opened.address, wanted->address);
    int fd = same_address ? http_server_dup(http->server) : listen_at(wanted->address, error);
    const struct http_server_options options = {.loop = http->host.loop,
        .fd = fd,
        .max_connections = wanted->max_connections,
        .timeout_ms = wanted->timeout_ms,
        .certificate = wanted->certificate,
        .key = wanted->key,
        .context = http,
        .on_request = on_request,
        .on_over = on_over};
    if (fd < 0 && same_address)
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "[http] %s", strerror(errno));
    struct http_server *server = fd < 0 ? NULL : http_server_open(&options, error);
    if (!server) {
        opened_fini(wanted);
        return false;
    }
    shut(http);
    http->server = server;
    http->opened = *wanted;
    tell(http);
    return true;
}

struct http *http_open(const struct http_host *host, struct error *error)
{
    const struct config_http *config = &host->view->config->http;
    struct opened wanted;
    struct http *http = calloc(1, sizeof *http);
    if (!http) {
        error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    http->host = *host;
    uv_timer_init(host->loop, &http->check);
    http->check.data = http;
    if (!config->on || (read_wanted(config, &wanted, error) && open_as(http, &wanted, error)))
        return http;
    return NULL; /* the program ends: its loop, which knows the timer, is run no more */
}

void http_reload(struct http *http)
{
    const struct config_http *config = &http->host.view->config->http;
    struct error error = {0};
    struct opened wanted;
    if (!config->on) {
        if (http->server)
            log_event(LOG_INFO, "http_closed", "address=%s", http->opened.address);
        shut(http);
        return;
    }
    bool good = read_wanted(config, &wanted, &error);
    if (good && http->server && same_opened(&http->opened, &wanted))
        opened_fini(&wanted);
    else if (good)
        good = open_as(http, &wanted, &error);
    if (!good)
        log_event(LOG_ERROR, "http_reload_failed", "error=%s", error.text);
}

void http_drain(struct http *http)
{
    http->stopping = true;
}

void http_close(struct http *http)
{
    if (uv_is_closing((uv_handle_t *)&http->check))
        return;
    shut(http);
    forget_documents(http);
    uv_close((uv_handle_t *)&http->check, NULL);
}

void http_free(struct http *http)
{
    if (!http)
        return;
    assert(!http->server && !http->first);
    free(http);
}
