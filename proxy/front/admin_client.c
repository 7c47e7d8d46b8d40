/*
 * A client of the admin socket; see admin_client.h.
 *
 * All well: client_step turns bytes into commands and answers until more input is needed; half of a
 * connection that is shut (a pipe into socat) is answered to the end. Failure: whatever goes wrong with the
 * socket closes it; a client that does not finish what it began to say, does not read, or says nothing for an
 * hour is dismissed.
 */
#include "proxy/front/admin_client.h"

#include "proxy/front/account.h"
#include "proxy/front/admin_script.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLUSH_BYTES ((size_t)16 * 1024) /* of answers; then the loop may serve others */
#define IDLE_MS 3600000
#define STALLED_MS 60000

static uint64_t now_ms(const struct client *client)
{
    return uv_now(client->pipe.loop);
}

/* ---- output ---- */

static void on_written(uv_write_t *write, int status)
{
    struct client *client = write->data;
    if (client->state == CLIENT_CLOSED)
        return;
    assert(client->state == CLIENT_WRITING);
    client->state = CLIENT_READING;
    client->out.len = 0;
    if (client->out.cap > FLUSH_BYTES)
        output_fini(&client->out);
    client->since_ms = now_ms(client);
    if (status != 0 || client->ending)
        client_close(client);
    else
        client_step(client);
}

static void flush(struct client *client)
{
    uv_buf_t buffer = uv_buf_init(client->out.data, (unsigned)client->out.len);
    client->state = CLIENT_WRITING;
    client->since_ms = now_ms(client);
    client->unwritten = client->out.len;
    client->write.data = client;
    if (client->out.failed ||
        uv_write(&client->write, (uv_stream_t *)&client->pipe, &buffer, 1, on_written) != 0)
        client_close(client);
}

/* ---- input ---- */

static size_t unread(const struct client *client)
{
    return client->in_len - client->in_at;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct client *client = handle->data;
    (void)suggested;
    if (!client->in)
        client->in = malloc(CLIENT_INPUT_MAX);
    if (client->in_at > 0) {
        client->in_len = unread(client);
        memmove(client->in, client->in + client->in_at, client->in_len);
        client->in_at = 0;
    }
    *buffer = uv_buf_init(client->in ? client->in + client->in_len : NULL,
        client->in ? (unsigned)(CLIENT_INPUT_MAX - client->in_len) : 0);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct client *client = stream->data;
    (void)buffer;
    if (n == 0)
        return;
    if (n < 0 && n != UV_EOF) {
        client_close(client);
        return;
    }
    if (unread(client) == 0 && client->welcomed)
        client->since_ms = now_ms(client);
    client->in_len += n > 0 ? (size_t)n : 0;
    client->in_ended = n < 0;
    if (client->in_ended || client->in_len == CLIENT_INPUT_MAX)
        uv_read_stop(stream);
    if (client->state == CLIENT_READING)
        client_step(client);
}

/* One line or message; false when more is needed. */
static bool consume(struct client *client)
{
    if (unread(client) == 0)
        return false;
    if (!client->language)
        client->language = client->in[client->in_at] == 0 ? &wire_language : &text_language;
    size_t used = client->language->consume(client, client->in + client->in_at, unread(client));
    assert(used <= unread(client));
    client->in_at += used;
    if (used && client->welcomed)
        client->since_ms = now_ms(client);
    return used > 0;
}

static void want_input(struct client *client)
{
    if (client->in_ended || unread(client) == CLIENT_INPUT_MAX) { /* languages refuse what is longer */
        client_close(client);
        return;
    }
    if (unread(client) == 0) {
        free(client->in);
        client->in = NULL;
        client->in_at = client->in_len = 0;
    }
    int code = uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
    if (code != 0 && code != UV_EALREADY)
        client_close(client);
}

void client_step(struct client *client)
{
    while (client->state == CLIENT_READING) {
        if (client->script)
            script_next(client);
        else if (client->out.len >= FLUSH_BYTES || client->out.failed)
            flush(client);
        else if (!client->ending && consume(client))
            continue;
        else if (client->out.len > 0)
            flush(client);
        else if (client->ending)
            client_close(client);
        else {
            want_input(client);
            return;
        }
    }
}

/* ---- time ---- */

bool client_is_idle(const struct client *client)
{
    return client->state == CLIENT_READING && unread(client) == 0 && client->welcomed;
}

static const char *why_late(struct client *client, uint64_t login_timeout_ms)
{
    uint64_t waited = now_ms(client) - client->since_ms;
    switch (client->state) {
    case CLIENT_READING:
        if (client_is_idle(client))
            return waited > IDLE_MS ? "no command for an hour" : NULL;
        return waited > login_timeout_ms ? "login_timeout: what was begun was not finished in time" : NULL;
    case CLIENT_WRITING:
        if (client->pipe.write_queue_size < client->unwritten) {
            client->unwritten = client->pipe.write_queue_size;
            client->since_ms = now_ms(client);
            return NULL;
        }
        return waited > STALLED_MS ? "the answer was not read" : NULL;
    case CLIENT_RUNNING:
    case CLIENT_CLOSED: return NULL;
    }
    return NULL;
}

void client_tick(struct client *client, uint64_t login_timeout_ms)
{
    struct error error;
    if (client->state == CLIENT_RUNNING) {
        script_tick(client);
        return;
    }
    const char *why = why_late(client, login_timeout_ms);
    if (!why)
        return;
    error_set(&error, SQLSTATE_IDLE_SESSION_TIMEOUT, "%s", why);
    client_dismiss(client, &error);
}

void client_dismiss(struct client *client, const struct error *error)
{
    if (client->state != CLIENT_READING || !client->language || client->ending) {
        client_close(client);
        return;
    }
    client->language->fatal(client, error);
    client->ending = true;
    client_step(client);
}

/* ---- beginning and end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    script_leave(client);
    if (client->language)
        client->language->fini(client);
    free(client->script);
    free(client->in);
    output_fini(&client->out);
    client->owner->on_gone(client->owner->context, client);
    free(client);
}

void client_close(struct client *client)
{
    if (client->state == CLIENT_CLOSED)
        return;
    client->state = CLIENT_CLOSED;
    survey_free(client->survey);
    client->survey = NULL;
    uv_close((uv_handle_t *)&client->pipe, on_closed);
}

static bool learn_peer(struct client *client)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&client->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    snprintf(client->who, sizeof client->who, "on the admin socket by uid %u", peer.uid);
    enum access access = access_of_account(client->owner->view->config, peer.uid);
    client->is_admin = access == ACCESS_ADMIN;
    client->may_look = access != ACCESS_NONE;
    return true;
}

static struct client *client_new(uv_loop_t *loop, const struct client_owner *owner)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        abort(); /* the connection cannot even be dropped without a handle */
    client->owner = owner;
    uv_pipe_init(loop, &client->pipe, 0);
    client->pipe.data = client;
    client->since_ms = uv_now(loop);
    return client;
}

struct client *client_adopt(
    uv_loop_t *loop, struct message *console, const struct client_owner *owner, const struct error *refusal)
{
    struct client *client = client_new(loop, owner);
    client->remote = client->may_look = true;
    client->is_admin = console->console.is_admin;
    client->language = &wire_language;
    snprintf(
        client->who, sizeof client->who, "from %s by user %s", console->console.from, console->console.user);
    client->key.pid = console->console.pid;
    client->key.secret_len = console->console.secret_len;
    memcpy(client->key.secret, console->console.secret, console->console.secret_len);
    if (uv_pipe_open(&client->pipe, console->console.fd) != 0) {
        client_close(client);
        return client;
    }
    console->console.fd = -1;
    client->ending = refusal != NULL;
    if (refusal)
        client->language->fatal(client, refusal);
    else
        client->language->greet(client);
    client_step(client);
    return client;
}

struct client *client_accept(uv_stream_t *listening, const struct client_owner *owner)
{
    struct client *client = client_new(listening->loop, owner);
    if (uv_accept(listening, (uv_stream_t *)&client->pipe) != 0 || !learn_peer(client)) {
        client_close(client);
        return client;
    }
    client_step(client);
    return client;
}
