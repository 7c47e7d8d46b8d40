/*
 * HTTP spoken by libmicrohttpd on the main thread's loop: connections, their deadlines and their number. What
 * is asked and answered is its owner's matter (http.c).
 *
 * It accepts by itself and gives the sockets to the library, whose epoll descriptor the loop polls; nothing
 * here blocks. A connection has timeout_ms for sending a request, for taking the answer, and between two
 * requests. Main thread.
 */
#ifndef ROLECALL_FRONT_HTTP_SERVER_H
#define ROLECALL_FRONT_HTTP_SERVER_H

#include "conf/base/error.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct http_server;

struct http_server_options {
    uv_loop_t *loop;
    int fd; /* listening, non-blocking; owned by the server from http_server_open on, also when that fails */
    uint32_t max_connections;
    uint64_t timeout_ms;
    const char *certificate, *key; /* PEM, only read by http_server_open; NULL = plain HTTP */
    void *context;
    /* The library's access handler: *exchange is NULL at first and the owner's from then on. */
    enum MHD_Result (*on_request)(void *context, struct MHD_Connection *connection, const char *method,
        const char *path, bool has_body, void **exchange);
    /* The request is over, however it ended; `exchange` may be NULL. */
    void (*on_over)(void *context, void *exchange);
};

/* NULL fills the error. */
struct http_server *http_server_open(const struct http_server_options *options, struct error *error);

/* From outside of the library's callbacks only. A suspended connection must be resumed before the server is
   closed. */
void http_server_resume(struct http_server *server, struct MHD_Connection *connection);
/* Lets the library work on what was resumed. */
void http_server_run(struct http_server *server);

/* A second descriptor of the listening socket, -1 when there are no more. */
int http_server_dup(const struct http_server *server);

/* Ends every connection; frees itself when the loop has let go of it. on_over is called for each exchange. */
void http_server_close(struct http_server *server);

#endif
