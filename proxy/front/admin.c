/*
 * The admin socket's door; see admin.h: listening, who is there, and what the main thread hears.
 *
 * All well: a connection becomes a client (admin_client.c), and a clock looks at the clients' deadlines.
 * Failure: when CLIENTS_MAX are there the one that has said nothing for the longest gives way; when all are
 * busy new ones wait in the kernel's queue. Without admin_socket in the configuration there is only the view.
 */
#include "proxy/front/admin.h"

#include "conf/base/log.h"
#include "proxy/front/admin_client.h"
#include "proxy/front/admin_script.h"
#include "proxy/worker/listener.h"

#include <assert.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_MAX 64
#define CONSOLES_MAX 32 /* clients of listeners, beside those */
#define BACKLOG 128
#define TICK_MS 100

struct admin {
    uv_loop_t *loop;
    struct admin_view view;
    struct surveys surveys;
    struct client_owner owner;
    char *path; /* NULL = no socket */
    uv_pipe_t socket;
    uv_timer_t tick;
    bool closed;
    bool waiting; /* a connection waits to be accepted */
    struct client *first;
    uint32_t n_clients, n_consoles; /* of the socket; of listeners */
};

/* ---- clients ---- */

static void link_client(struct admin *admin, struct client *client)
{
    client->next = admin->first;
    if (admin->first)
        admin->first->prev = client;
    admin->first = client;
}

static void accept_waiting(struct admin *admin)
{
    if (admin->closed || !admin->waiting || admin->n_clients >= CLIENTS_MAX)
        return;
    admin->waiting = false;
    admin->n_clients++;
    link_client(admin, client_accept((uv_stream_t *)&admin->socket, &admin->owner));
}

static void on_gone(void *context, struct client *client)
{
    struct admin *admin = context;
    if (client->prev)
        client->prev->next = client->next;
    else
        admin->first = client->next;
    if (client->next)
        client->next->prev = client->prev;
    if (client->remote)
        admin->n_consoles--;
    else
        admin->n_clients--;
    accept_waiting(admin);
}

/* The one that was idle longest has to go; false: nobody is idle. */
static bool make_room(struct admin *admin, bool remote)
{
    struct client *oldest = NULL;
    struct error error;
    for (struct client *client = admin->first; client; client = client->next)
        if (client->remote == remote && client_is_idle(client) && !client->ending &&
            (!oldest || client->since_ms < oldest->since_ms))
            oldest = client;
    if (!oldest)
        return false;
    error_set(&error, SQLSTATE_TOO_MANY_CONNECTIONS,
        "too many clients on the admin socket; this one was idle longest");
    client_dismiss(oldest, &error);
    return true;
}

static void adopt(struct admin *admin, struct message *console)
{
    struct error error;
    if (admin->closed)
        return;
    bool room = admin->n_consoles < CONSOLES_MAX || make_room(admin, true);
    error_set(&error, SQLSTATE_TOO_MANY_CONNECTIONS, "too many administrators are busy");
    admin->n_consoles++;
    link_client(admin, client_adopt(admin->loop, console, &admin->owner, room ? NULL : &error));
}

static void on_cancel(void *context, uint32_t pid, struct slice secret)
{
    struct admin *admin = context;
    for (struct client *client = admin->first; client; client = client->next)
        if (client->key.secret_len && client->key.pid == pid && cancel_key_equal(&client->key, secret)) {
            script_cancel(client);
            return;
        }
}

static void on_connection(uv_stream_t *socket, int status)
{
    struct admin *admin = socket->data;
    if (status < 0) {
        log_event(LOG_WARNING, "admin_accept_failed", "error=%s", uv_strerror(status));
        return;
    }
    admin->waiting = true; /* libuv listens no further until it is accepted */
    if (admin->n_clients >= CLIENTS_MAX)
        make_room(admin, false);
    accept_waiting(admin);
}

static void on_tick(uv_timer_t *timer)
{
    struct admin *admin = timer->data;
    for (struct client *client = admin->first; client; client = client->next)
        client_tick(client, admin->view.config->login_timeout_ms);
    if (admin->waiting && admin->n_clients >= CLIENTS_MAX)
        make_room(admin, false);
}

/* ---- opening ---- */

/* Root binds it, then becomes another account: which must be able to use it. */
static bool give_away(const struct config *config, struct error *error)
{
    if (geteuid() != 0 || !config->user)
        return true;
    const struct passwd *account = getpwnam(config->user);
    if (account && chown(config->admin_socket, account->pw_uid, account->pw_gid) == 0)
        return true;
    return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
        "[rolecall] admin_socket: it cannot be given to \"%s\": %s", config->user,
        account ? strerror(errno) : "no such account");
}

static bool open_socket(struct admin *admin, const struct config *config, struct error *error)
{
    int fd = listener_bind_unix(config->admin_socket, config->admin_socket_mode, BACKLOG, error);
    if (fd < 0)
        return false;
    admin->path = strdup(config->admin_socket);
    if (!give_away(config, error) || !admin->path) {
        close(fd);
        return false;
    }
    uv_pipe_init(admin->loop, &admin->socket, 0);
    admin->socket.data = admin;
    int code = uv_pipe_open(&admin->socket, fd);
    if (code == 0)
        code = uv_listen((uv_stream_t *)&admin->socket, BACKLOG, on_connection);
    if (code != 0)
        return error_set(
            error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", config->admin_socket, uv_strerror(code));
    return true;
}

struct admin *admin_open(const struct admin_host *host, struct error *error)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (!admin || !admin_view_init(&admin->view, host->config, host->workers, host->n_workers)) {
        free(admin);
        error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    admin->loop = host->loop;
    admin->view.actions = host->actions;
    admin->view.context = host->context;
    surveys_init(&admin->surveys, host->workers, host->n_workers, host->mailbox);
    admin->owner = (struct client_owner){.view = &admin->view,
        .surveys = &admin->surveys,
        .context = admin,
        .on_gone = on_gone,
        .on_cancel = on_cancel};
    if (host->config->admin_socket && !open_socket(admin, host->config, error)) {
        admin_view_fini(&admin->view);
        free(admin->path);
        free(admin); /* the program ends: its loop is run no more */
        return NULL;
    }
    uv_timer_init(admin->loop, &admin->tick);
    admin->tick.data = admin;
    uv_timer_start(&admin->tick, on_tick, TICK_MS, TICK_MS);
    return admin;
}

/* ---- what the main thread hears ---- */

void admin_on_message(struct admin *admin, struct message *message)
{
    if (message->kind == MESSAGE_TOPOLOGY && message->topology) {
        atomic_fetch_add_explicit(&message->topology->echo.heard, 1, memory_order_release);
        admin_view_set_topology(&admin->view, message->topology);
        message->topology = NULL;
    } else if (message->kind == MESSAGE_CATALOGUE && message->catalogue) {
        admin_view_set_catalogue(&admin->view, message->catalogue);
        message->catalogue = NULL;
    } else if (message->kind == MESSAGE_NODE_ORDER_REPLY) {
        for (struct client *client = admin->first, *next; client; client = next) {
            next = client->next;
            script_on_reply(client, message);
        }
    } else if (message->kind == MESSAGE_CONSOLE) {
        adopt(admin, message);
    } else if (message->kind == MESSAGE_CANCEL) {
        on_cancel(admin, message->cancel.pid,
            slice_of((const char *)message->cancel.secret, message->cancel.secret_len));
    } else if (message->kind == MESSAGE_STATUS_REPLY) {
        surveys_on_reply(&admin->surveys, message->status.request);
    }
}

void admin_set_config(struct admin *admin, struct config *config)
{
    if (!admin_view_set_config(&admin->view, config))
        log_event(LOG_ERROR, "admin_reload_failed", "error=%s", "out of memory");
}

struct admin_view *admin_view(struct admin *admin)
{
    return &admin->view;
}

struct surveys *admin_surveys(struct admin *admin)
{
    return &admin->surveys;
}

/* ---- the end ---- */

void admin_close(struct admin *admin)
{
    if (admin->closed)
        return;
    admin->closed = true;
    if (admin->path) {
        unlink(admin->path);
        uv_close((uv_handle_t *)&admin->socket, NULL);
    }
    uv_close((uv_handle_t *)&admin->tick, NULL);
    for (struct client *client = admin->first; client; client = client->next)
        client_close(client);
}

void admin_free(struct admin *admin)
{
    if (!admin)
        return;
    assert(admin->n_clients == 0 && admin->n_consoles == 0);
    surveys_fini(&admin->surveys);
    admin_view_fini(&admin->view);
    free(admin->path);
    free(admin);
}
