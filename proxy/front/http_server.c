/*
 * HTTP on the loop; see http_server.h.
 *
 * All well: a readable listening socket is accepted from and the connection handed to libmicrohttpd; when its
 * epoll descriptor is readable, or a timeout of its own is over, it is run for a turn. Failure: at
 * max_connections the connection that has been idle longest gives way, and further ones wait in the kernel's
 * queue until one has ended; a connection whose deadline is over is shut down, which the library sees as its
 * end; out of descriptors pauses accepting for a moment.
 */
#include "proxy/front/http_server.h"

#include "conf/base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 16
#define PAUSE_MS 200
#define TICK_MS 250
#define CONNECTION_MEMORY ((size_t)16 * 1024) /* for a request's line and headers */
#define TLS_PRIORITIES "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"

enum connection_phase {
    CONNECTION_IDLE,     /* nothing of a request has come yet */
    CONNECTION_ASKING,   /* the request's line has come */
    CONNECTION_ANSWERING /* its headers too */
};

struct connection {
    struct http_server *server;
    struct connection *prev, *next;
    int fd; /* the library's */
    enum connection_phase phase;
    bool suspended; /* the owner prepares the answer: no deadline */
    bool ended;     /* shut down already */
    uint64_t since_ms;
};

struct http_server {
    struct http_server_options options;
    struct MHD_Daemon *daemon;
    uv_poll_t listening, library;
    uv_timer_t turn, tick, pause;
    int open_handles;
    bool running; /* inside the library */
    bool full;    /* nothing is accepted until a connection has ended */
    struct connection *first;
    uint32_t n_connections;
};

/* ---- running the library ---- */

static void on_turn(uv_timer_t *timer)
{
    http_server_run(timer->data);
}

void http_server_run(struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    assert(!server->running);
    server->running = true;
    MHD_run(server->daemon);
    server->running = false;
    if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
        uv_timer_start(&server->turn, on_turn, wait_ms, 0);
    else
        uv_timer_stop(&server->turn);
}

static void on_library(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    http_server_run(poll->data);
}

static void on_log(void *context, const char *format, va_list args)
{
    char text[256];
    (void)context;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_event(LOG_DEBUG, "http_library", "text=%s", text);
}

/* ---- connections ---- */

static uint64_t now_ms(const struct http_server *server)
{
    return uv_now(server->options.loop);
}

static void end(struct connection *connection)
{
    if (!connection->ended)
        shutdown(connection->fd, SHUT_RDWR);
    connection->ended = true;
}

/* The connection that has been idle for the longest is ended for the sake of one that waits. */
static void make_room(struct http_server *server)
{
    struct connection *oldest = NULL;
    for (struct connection *each = server->first; each; each = each->next)
        if (each->phase == CONNECTION_IDLE && !each->ended && (!oldest || each->since_ms < oldest->since_ms))
            oldest = each;
    if (oldest)
        end(oldest);
}

/* The library misses an end that came together with the last bytes. */
static bool has_left(const struct connection *connection)
{
    char byte;
    return connection->phase != CONNECTION_ANSWERING &&
           recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void on_tick(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    uint64_t now = now_ms(server);
    for (struct connection *each = server->first; each; each = each->next)
        if (!each->suspended && (now - each->since_ms >= server->options.timeout_ms || has_left(each)))
            end(each);
    if (server->full)
        make_room(server);
}

static void begin(struct http_server *server, struct MHD_Connection *mhd, void **place)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection || !info)
        abort();
    *connection = (struct connection){
        .server = server, .next = server->first, .fd = info->connect_fd, .since_ms = now_ms(server)};
    if (server->first)
        server->first->prev = connection;
    else
        uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS);
    server->first = connection;
    server->n_connections++;
    *place = connection;
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void forget(struct http_server *server, struct connection *connection)
{
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        server->first = connection->next;
    if (connection->next)
        connection->next->prev = connection->prev;
    if (!server->first)
        uv_timer_stop(&server->tick);
    server->n_connections--;
    free(connection);
    if (server->full && !uv_is_closing((uv_handle_t *)&server->listening)) {
        server->full = false;
        uv_poll_start(&server->listening, UV_READABLE, on_acceptable);
    }
}

static void on_connection(
    void *context, struct MHD_Connection *mhd, void **place, enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        begin(context, mhd, place);
    else if (*place)
        forget(context, *place);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void enter(struct connection *connection, enum connection_phase phase)
{
    connection->phase = phase;
    connection->since_ms = now_ms(connection->server);
}

/* ---- requests ---- */

/* The request's line has come; what is returned is the exchange at first. */
static void *on_line(void *context, const char *uri, struct MHD_Connection *mhd)
{
    (void)context;
    (void)uri;
    enter(connection_of(mhd), CONNECTION_ASKING);
    return NULL;
}

/* No request of ours has a body: its bytes must not be taken for the next request. */
static bool has_body(struct MHD_Connection *mhd, const char *upload, size_t uploaded)
{
    const char *length = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return upload || uploaded > 0 || (length && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *mhd, const char *path,
    const char *method, const char *version, const char *upload, size_t *uploaded, void **exchange)
{
    struct http_server *server = context;
    struct connection *connection = connection_of(mhd);
    bool body = has_body(mhd, upload, *uploaded);
    (void)version;
    *uploaded = 0;
    if (connection->phase == CONNECTION_ASKING) {
        connection->phase = CONNECTION_ANSWERING;
        if (!body)
            return MHD_YES; /* it comes again; answered now, the connection would be closed */
    }
    enum MHD_Result result =
        server->options.on_request(server->options.context, mhd, method, path, body, exchange);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);
    connection->suspended = info->suspended == MHD_YES;
    return result;
}

static void on_completed(
    void *context, struct MHD_Connection *mhd, void **exchange, enum MHD_RequestTerminationCode why)
{
    struct http_server *server = context;
    struct connection *connection = connection_of(mhd);
    (void)why;
    if (connection)
        enter(connection, CONNECTION_IDLE);
    server->options.on_over(server->options.context, *exchange);
    *exchange = NULL;
}

void http_server_resume(struct http_server *server, struct MHD_Connection *mhd)
{
    struct connection *connection = connection_of(mhd);
    (void)server;
    assert(connection->suspended);
    connection->suspended = false;
    connection->since_ms = now_ms(server);
    MHD_resume_connection(mhd);
}

/* ---- accepting ---- */

static void on_pause_over(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    if (!server->full)
        uv_poll_start(&server->listening, UV_READABLE, on_acceptable);
}

static void accept_failed(struct http_server *server, int code)
{
    if (code != EMFILE && code != ENFILE && code != ENOBUFS && code != ENOMEM)
        return;
    log_event(LOG_ERROR, "http_accept_failed", "error=%s", strerror(code));
    uv_poll_stop(&server->listening);
    uv_timer_start(&server->pause, on_pause_over, PAUSE_MS, 0);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct http_server *server = poll->data;
    (void)status;
    (void)events;
    if (server->n_connections >= server->options.max_connections) {
        server->full = true;
        uv_poll_stop(poll);
        make_room(server);
    }
    for (int i = 0; i < ACCEPTS_A_TURN && server->n_connections < server->options.max_connections; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof peer;
        int fd = accept4(server->options.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
            continue;
        if (fd < 0) {
            accept_failed(server, errno);
            break;
        }
        MHD_add_connection(server->daemon, fd, (struct sockaddr *)&peer, len);
    }
    http_server_run(server);
}

/* ---- opening and closing ---- */

static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    const struct http_server_options *options = &server->options;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (options->certificate ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)options->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)options->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(flags, 0, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_line, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)options->max_connections + 1, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, options->certificate ? tls : none, MHD_OPTION_END);
}

static void watch(struct http_server *server, int library_fd)
{
    uv_loop_t *loop = server->options.loop;
    uv_poll_init(loop, &server->listening, server->options.fd);
    uv_poll_init(loop, &server->library, library_fd);
    uv_timer_init(loop, &server->turn);
    uv_timer_init(loop, &server->tick);
    uv_timer_init(loop, &server->pause);
    server->listening.data = server->library.data = server;
    server->turn.data = server->tick.data = server->pause.data = server;
    server->open_handles = 5;
    uv_poll_start(&server->listening, UV_READABLE, on_acceptable);
    uv_poll_start(&server->library, UV_READABLE, on_library);
}

struct http_server *http_server_open(const struct http_server_options *options, struct error *error)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server) {
        error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        goto fail;
    }
    server->options = *options;
    server->daemon = start_daemon(server);
    server->options.certificate = server->options.key = NULL;
    if (!server->daemon) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "[http] %s",
            options->certificate ? "the certificate or its key cannot be used"
                                 : "libmicrohttpd did not start");
        goto fail;
    }
    watch(server, MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    return server;
fail:
    free(server);
    close(options->fd);
    return NULL;
}

int http_server_dup(const struct http_server *server)
{
    return fcntl(server->options.fd, F_DUPFD_CLOEXEC, 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    if (--server->open_handles == 0)
        free(server);
}

void http_server_close(struct http_server *server)
{
    uv_close((uv_handle_t *)&server->listening, on_closed);
    uv_close((uv_handle_t *)&server->library, on_closed);
    uv_close((uv_handle_t *)&server->pause, on_closed);
    MHD_stop_daemon(server->daemon);
    close(server->options.fd);
    uv_close((uv_handle_t *)&server->turn, on_closed);
    uv_close((uv_handle_t *)&server->tick, on_closed);
}
