/*
 * Listening; see listener.h.
 *
 * All well: each readiness is answered with a bounded number of accepts. Failure: out of descriptors pauses
 * accepting for a moment instead of spinning; the reason is logged once a pause.
 */
#include "proxy/worker/listener.h"

#include "conf/base/log.h"
#include "router/message.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
#define PAUSE_MS 200

struct listener {
    uv_poll_t poll;
    uv_timer_t pause;
    int fd;
    int open_handles;
    struct config *config;
    size_t index;
    char *name;
    struct address address;
    struct worker *workers;
    uint32_t n_workers, next;
};

/* ---- the socket ---- */

static bool remove_stale(const char *path, struct error *error)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = probe >= 0 && connect(probe, (struct sockaddr *)&un, sizeof un) == 0;
    if (probe >= 0)
        close(probe);
    if (alive)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: somebody listens there already", path);
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode))
        unlink(path);
    return true;
}

int listener_bind_unix(const char *path, uint32_t mode, uint32_t backlog, struct error *error)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof un.sun_path) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: the path is too long for a socket", path);
        return -1;
    }
    if (!remove_stale(path, error))
        return -1;
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) != 0 || chmod(path, (mode_t)mode) != 0 ||
        listen(fd, (int)backlog) != 0) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static int bind_tcp(const struct addrinfo *info, uint32_t backlog)
{
    int on = 1, off = 0;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, (int)backlog) == 0)
        return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

int listener_bind_tcp(const char *text, const struct address *address, uint32_t backlog, struct error *error)
{
    char port[8];
    bool any = strcmp(address->host, "*") == 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    snprintf(port, sizeof port, "%u", address->port);
    int code = getaddrinfo(any ? NULL : address->host, port, &hints, &found);
    if (code != 0) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", text, gai_strerror(code));
        return -1;
    }
    int fd = -1;
    for (int pass = 0; pass < 2 && fd < 0; pass++) /* "*": IPv6 with IPv4 in it, or IPv4 alone */
        for (struct addrinfo *info = found; info && fd < 0; info = info->ai_next)
            if (!any || (info->ai_family == AF_INET6) == (pass == 0))
                fd = bind_tcp(info, backlog);
    freeaddrinfo(found);
    if (fd < 0)
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", text, strerror(errno));
    return fd;
}

/* ---- accepting ---- */

static struct worker *least_loaded(struct listener *listener)
{
    struct worker *best = NULL;
    uint64_t fewest = UINT64_MAX;
    for (uint32_t i = 0; i < listener->n_workers; i++) { /* ties go round */
        struct worker *worker = &listener->workers[(listener->next + i) % listener->n_workers];
        uint64_t clients = worker_load(worker);
        if (clients < fewest) {
            fewest = clients;
            best = worker;
        }
    }
    listener->next++;
    return best;
}

static void hand_over(struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
    struct message *message = message_new(MESSAGE_CONNECTION);
    message->connection.fd = fd;
    message->connection.listener = listener->index;
    message->connection.config = config_ref(listener->config);
    message->connection.peer = *peer;
    if (listener->address.is_unix)
        message->connection.peer.ss_family = AF_UNIX;
    struct worker *worker = least_loaded(listener);
    worker->handed++;
    mailbox_post(&worker->mailbox, &message->letter);
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof peer;
        int fd = accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            hand_over(listener, fd, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_event(LOG_ERROR, "accept_failed", "listener=%s error=%s", listener->name, strerror(errno));
            uv_poll_stop(poll);
            uv_timer_start(&listener->pause, on_pause_over, PAUSE_MS, 0);
        }
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

/* ---- opening and closing ---- */

struct listener *listener_open(uv_loop_t *loop, struct config *config, size_t index, struct worker *workers,
    uint32_t n_workers, struct error *error)
{
    const struct config_listener *settings = &config->listeners[index];
    struct listener *listener = calloc(1, sizeof *listener);
    const char *why = "";
    if (!listener || !(listener->name = strdup(settings->name))) {
        error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        goto fail;
    }
    if (!address_parse(settings->address, &listener->address, &why)) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "[listener %s] address: %s", settings->name, why);
        goto fail;
    }
    listener->fd =
        listener->address.is_unix
            ? listener_bind_unix(listener->address.path, settings->unix_socket_mode, settings->backlog, error)
            : listener_bind_tcp(settings->address, &listener->address, settings->backlog, error);
    if (listener->fd < 0)
        goto fail;
    listener->config = config_ref(config);
    listener->index = index;
    listener->workers = workers;
    listener->n_workers = n_workers;
    uv_poll_init(loop, &listener->poll, listener->fd);
    uv_timer_init(loop, &listener->pause);
    listener->poll.data = listener->pause.data = listener;
    listener->open_handles = 2;
    return listener;
fail:
    if (listener)
        free(listener->name);
    free(listener);
    return NULL;
}

void listener_start(struct listener *listener)
{
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

void listener_set_config(struct listener *listener, struct config *config)
{
    for (size_t i = 0; i < config->n_listeners; i++)
        if (strcmp(config->listeners[i].name, listener->name) == 0) {
            config_unref(listener->config);
            listener->config = config_ref(config);
            listener->index = i;
            return;
        }
}

const char *listener_name(const struct listener *listener)
{
    return listener->name;
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    if (--listener->open_handles > 0)
        return;
    config_unref(listener->config);
    free(listener->name);
    free(listener);
}

void listener_close(struct listener *listener)
{
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    uv_close((uv_handle_t *)&listener->pause, on_closed);
    close(listener->fd);
    if (listener->address.is_unix)
        unlink(listener->address.path);
}
