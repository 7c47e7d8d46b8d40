/*
 * Streams; see stream.h.
 *
 * Input: the reactor's buffer is filled once per readiness event, what was kept back goes in front, the
 * owner's parser is called, and the rest (an unfinished message) is kept. A held stream keeps bytes without
 * calling the owner; reading stops only when much is kept, so that the usual request-answer traffic changes
 * no poll mask. Output: pages are filled by stream_write and sent once at the end of the turn; only a short
 * send asks for writability. A full output tells its owner to stop the other side, on_drained to go on.
 * Failure: on_end is called once with what happened; the owner answers with stream_close.
 */
#include "proxy/stream/stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define KEPT_MAX REACTOR_READ_BUFFER /* kept-back input above this stops reading */

static void on_poll(uv_poll_t *poll, int status, int events);

/* ---- polling ---- */

static void poll_closed(uv_handle_t *handle)
{
    struct reactor *reactor = handle->data;
    reactor->handles--;
    free(handle);
}

static void poll_for(struct stream *stream)
{
    int wanted = 0;
    if (stream->state == STREAM_CONNECTING)
        wanted = UV_WRITABLE;
    else if (stream->state == STREAM_HANDSHAKE)
        wanted = UV_READABLE | (stream->blocked ? UV_WRITABLE : 0);
    else if (stream->state == STREAM_OPEN)
        wanted = (stream->choked || stream->eof_seen ? 0 : UV_READABLE) | (stream->blocked ? UV_WRITABLE : 0);
    if (wanted == stream->polled || !stream->poll)
        return;
    stream->polled = wanted;
    if (wanted)
        uv_poll_start(stream->poll, wanted, on_poll);
    else
        uv_poll_stop(stream->poll);
}

static bool poll_open(struct stream *stream)
{
    stream->poll = calloc(1, sizeof *stream->poll);
    if (!stream->poll)
        return false;
    if (uv_poll_init(stream->reactor->loop, stream->poll, stream->fd) != 0) {
        free(stream->poll);
        stream->poll = NULL;
        return false;
    }
    stream->reactor->handles++;
    stream->poll->data = stream;
    stream->polled = 0;
    return true;
}

static void poll_close(struct stream *stream)
{
    if (!stream->poll)
        return;
    stream->poll->data = stream->reactor;
    uv_close((uv_handle_t *)stream->poll, poll_closed);
    stream->poll = NULL;
}

static void end(struct stream *stream, enum stream_end why, const struct error *error)
{
    if (stream->state != STREAM_CLOSED)
        stream->events->on_end(stream->owner, why, error);
}

static void end_errno(struct stream *stream, int code)
{
    struct error error;
    enum stream_end why = STREAM_END_OTHER;
    if (code == ECONNREFUSED || code == ENOENT || code == EHOSTUNREACH || code == ENETUNREACH)
        why = STREAM_END_REFUSED;
    else if (code == ECONNRESET || code == EPIPE || code == ETIMEDOUT)
        why = STREAM_END_RESET;
    error_set(&error, SQLSTATE_CONNECTION_FAILURE, "%s", strerror(code));
    end(stream, why, &error);
}

/* ---- opening ---- */

static void init(struct stream *stream, struct reactor *reactor, const struct stream_events *events,
    void *owner, int fd, size_t high_water)
{
    *stream = (struct stream){
        .reactor = reactor, .events = events, .owner = owner, .fd = fd, .high_water = high_water};
}

bool stream_accept(struct stream *stream, struct reactor *reactor, const struct stream_events *events,
    void *owner, int fd, size_t high_water)
{
    init(stream, reactor, events, owner, fd, high_water);
    if (!poll_open(stream))
        return false;
    stream->state = STREAM_OPEN;
    poll_for(stream);
    return true;
}

bool stream_connect(struct stream *stream, struct reactor *reactor, const struct stream_events *events,
    void *owner, const struct sockaddr *address, socklen_t address_len, size_t high_water,
    struct error *error)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(error, SQLSTATE_CONNECTION_FAILURE, "socket: %s", strerror(errno));
    init(stream, reactor, events, owner, fd, high_water);
    if (connect(fd, address, address_len) != 0 && errno != EINPROGRESS) {
        error_set(error, SQLSTATE_CONNECTION_FAILURE, "connect: %s", strerror(errno));
        close(fd);
        stream->fd = -1;
        return false;
    }
    if (!poll_open(stream)) {
        close(fd);
        stream->fd = -1;
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    }
    stream->state = STREAM_CONNECTING;
    poll_for(stream);
    return true;
}

void stream_set_tcp(struct stream *stream, uint64_t keepalive_ms, uint64_t user_timeout_ms)
{
    int on = 1;
    if (setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        return;
    if (keepalive_ms) {
        int seconds = keepalive_ms < 1000 ? 1 : (int)(keepalive_ms / 1000);
        setsockopt(stream->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
        setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
    }
    if (user_timeout_ms) {
        unsigned milliseconds = (unsigned)user_timeout_ms;
        setsockopt(stream->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
    }
}

void stream_sniff(struct stream *stream)
{
    stream->sniff = 1;
}

/* True when the owner took the first byte as the start of TLS. */
static bool sniffed(struct stream *stream)
{
    unsigned char byte;
    if (!stream->sniff || recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return false;
    stream->sniff = 0;
    return stream->events->on_first_byte(stream->owner, byte);
}

/* ---- TLS ---- */

static void schedule_again(struct stream *stream)
{
    if (stream->in_again)
        return;
    stream->in_again = 1;
    stream->again_next = stream->reactor->again;
    stream->reactor->again = stream;
}

static void handshake(struct stream *stream)
{
    struct error error;
    enum tls_result result = tls_handshake(stream->tls, &error);
    if (result == TLS_WANT_READ || result == TLS_WANT_WRITE) {
        stream->blocked = result == TLS_WANT_WRITE;
        poll_for(stream);
        return;
    }
    stream->blocked = 0;
    if (result != TLS_DONE) {
        if (result == TLS_CLOSED)
            error_set(&error, SQLSTATE_CONNECTION_FAILURE, "the peer closed during the TLS handshake");
        end(stream, STREAM_END_TLS, &error);
        return;
    }
    stream->state = STREAM_OPEN;
    poll_for(stream);
    stream->events->on_open(stream->owner);
    if (stream->state == STREAM_OPEN && tls_pending(stream->tls))
        schedule_again(stream);
}

static void flush(struct stream *stream);

bool stream_start_tls(struct stream *stream, struct tls_context *context, bool accept, const char *host)
{
    assert(stream->state == STREAM_OPEN && !stream->tls);
    flush(stream); /* the byte that grants or asks for TLS goes out in the clear */
    if (stream->state != STREAM_OPEN || stream->out.len > 0)
        return false;
    stream->tls = accept ? tls_accept(context, stream->fd) : tls_connect(context, stream->fd, host);
    if (!stream->tls)
        return false;
    stream->state = STREAM_HANDSHAKE;
    poll_for(stream);
    if (!accept)
        handshake(stream);
    return true;
}

/* ---- input ---- */

static bool keep(struct stream *stream, const char *bytes, size_t len)
{
    if (len == 0) {
        free(stream->in);
        stream->in = NULL;
        stream->in_start = stream->in_end = stream->in_cap = 0;
        return true;
    }
    if (stream->in_cap < len) {
        char *room = malloc(len + 256);
        if (!room)
            return false;
        memcpy(room, bytes, len);
        free(stream->in);
        stream->in = room;
        stream->in_cap = (uint32_t)len + 256;
    } else {
        memmove(stream->in, bytes, len);
    }
    stream->in_start = 0;
    stream->in_end = (uint32_t)len;
    return true;
}

/* The peer has said all it will. What it said before, and the owner has not yet seen, comes first. */
static void end_in_order(struct stream *stream)
{
    struct error error;
    if (stream->keeps_end && stream->in && stream->held) {
        stream->end_kept = 1;
        poll_for(stream);
        return;
    }
    error_set(&error, SQLSTATE_CONNECTION_FAILURE, "closed by the peer");
    end(stream, STREAM_END_EOF, &error);
}

/* One read into the reactor's buffer behind `kept` bytes. Returns the bytes read, 0 = nothing more now, -1 =
 * ended. */
static ssize_t fill(struct stream *stream, size_t kept)
{
    char *room = stream->reactor->read_buffer + kept;
    size_t size = REACTOR_READ_BUFFER - kept;
    if (!stream->tls) {
        ssize_t got = recv(stream->fd, room, size, 0);
        if (got > 0)
            return got;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return 0;
        int code = errno;
        stream->eof_seen = 1;
        if (got == 0)
            end_in_order(stream);
        else
            end_errno(stream, code);
        return -1;
    }
    struct error error;
    size_t got = 0;
    enum tls_result result = tls_read(stream->tls, room, size, &got, &error);
    if (result == TLS_DONE)
        return (ssize_t)got;
    if (result == TLS_WANT_READ || result == TLS_WANT_WRITE)
        return 0;
    stream->eof_seen = 1;
    if (result == TLS_CLOSED)
        end_in_order(stream);
    else
        end(stream, STREAM_END_RESET, &error);
    return -1;
}

static void give(struct stream *stream, const char *bytes, size_t len)
{
    size_t used = 0;
    while (used < len && !stream->held && stream->state == STREAM_OPEN) {
        stream->in_data = 1;
        stream->released = 0;
        size_t took = stream->events->on_data(stream->owner, bytes + used, len - used);
        stream->in_data = 0;
        assert(took <= len - used);
        if (took == 0 && !stream->released) /* else the owner's state has changed: it may use them now */
            break;
        used += took;
    }
    if (stream->state == STREAM_CLOSED || stream->fd < 0)
        return;
    if ((used < len || stream->in) && !keep(stream, bytes + used, len - used)) {
        end_errno(stream, ENOMEM);
        return;
    }
    stream->choked = stream->held && stream->in_end >= KEPT_MAX / 2;
    poll_for(stream);
}

static void readable(struct stream *stream)
{
    size_t kept = stream->in_end - stream->in_start;
    assert(kept < REACTOR_READ_BUFFER);
    if (stream->sniff && sniffed(stream))
        return;
    ssize_t got = fill(stream, kept);
    if (got <= 0)
        return;
    if (kept)
        memcpy(stream->reactor->read_buffer, stream->in + stream->in_start, kept);
    give(stream, stream->reactor->read_buffer, kept + (size_t)got);
    if (stream->state == STREAM_OPEN && stream->tls && !stream->choked && tls_pending(stream->tls))
        schedule_again(stream);
}

void stream_hold(struct stream *stream)
{
    stream->held = 1;
}

void stream_release(struct stream *stream)
{
    if (!stream->held)
        return;
    stream->held = 0;
    stream->released = 1;
    if (stream->in_data || stream->state != STREAM_OPEN)
        return; /* give() goes on by itself */
    if (stream->in || stream->end_kept) {
        schedule_again(stream);
    } else if (stream->choked) {
        stream->choked = 0;
        poll_for(stream);
    }
    if (stream->tls && tls_pending(stream->tls))
        schedule_again(stream);
}

void stream_serve_again(struct reactor *reactor)
{
    struct stream *stream = reactor->again;
    reactor->again = stream->again_next;
    stream->again_next = NULL;
    stream->in_again = 0;
    if (stream->state != STREAM_OPEN || stream->held)
        return;
    if (stream->in) {
        size_t kept = stream->in_end - stream->in_start;
        memcpy(reactor->read_buffer, stream->in + stream->in_start, kept);
        give(stream, reactor->read_buffer, kept);
    }
    if (stream->state != STREAM_OPEN || stream->held)
        return;
    if (stream->end_kept)
        end_in_order(stream);
    else if (stream->tls && tls_pending(stream->tls))
        readable(stream);
}

/* ---- output ---- */

bool stream_is_full(const struct stream *stream)
{
    return stream->out.len > stream->high_water;
}

void stream_write(struct stream *stream, const void *data, size_t len)
{
    if (stream->state == STREAM_CLOSED)
        return;
    outbox_append(&stream->out, stream->reactor, data, len);
    if (!stream->dirty && !stream->blocked) {
        stream->dirty = 1;
        stream->dirty_next = stream->reactor->dirty;
        stream->reactor->dirty = stream;
    }
}

static void drop_sent(struct stream *stream, size_t sent)
{
    outbox_drop(&stream->out, stream->reactor, sent);
}

/* One attempt to send. Returns bytes sent, 0 = would block, -1 = failed with *code. */
static ssize_t send_some(struct stream *stream, int *code)
{
    if (stream->tls) {
        struct error error;
        size_t done = 0;
        struct page *page = stream->out.head;
        enum tls_result result =
            tls_write(stream->tls, page->data + page->start, page->end - page->start, &done, &error);
        if (result == TLS_DONE)
            return (ssize_t)done;
        *code = ECONNRESET;
        return result == TLS_WANT_READ || result == TLS_WANT_WRITE ? 0 : -1;
    }
    struct iovec iov[OUTBOX_IOV];
    size_t n = outbox_iov(&stream->out, iov);
    ssize_t sent;
    if (n == 1) {
        sent = send(stream->fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL);
    } else {
        struct msghdr message = {.msg_iov = iov, .msg_iovlen = n};
        sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    }
    if (sent >= 0)
        return sent;
    *code = errno;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

static void flush(struct stream *stream)
{
    bool was_full = stream->out.len > stream->high_water / 2;
    if (stream->broken)
        return;
    stream->blocked = 0;
    while (stream->out.head) {
        int code = 0;
        ssize_t sent = send_some(stream, &code);
        if (sent < 0) {
            /* What the peer said before it went may still wait in the socket: let reading find the end. What
               was not sent stays counted until then. */
            stream->broken = 1;
            if (stream->eof_seen || stream->choked)
                end_errno(stream, code);
            else
                poll_for(stream);
            return;
        }
        drop_sent(stream, (size_t)sent);
        if (sent == 0) {
            stream->blocked = 1;
            break;
        }
    }
    poll_for(stream);
    if (was_full && stream->out.len <= stream->high_water / 2)
        stream->events->on_drained(stream->owner);
}

void stream_flush_dirty(struct reactor *reactor)
{
    while (reactor->dirty) {
        struct stream *stream = reactor->dirty;
        reactor->dirty = stream->dirty_next;
        stream->dirty_next = NULL;
        stream->dirty = 0;
        if (stream->state == STREAM_OPEN)
            flush(stream);
    }
}

/* ---- events ---- */

static void connected(struct stream *stream)
{
    int code = 0;
    socklen_t size = sizeof code;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0)
        code = errno;
    if (code != 0) {
        end_errno(stream, code);
        return;
    }
    stream->state = STREAM_OPEN;
    poll_for(stream);
    stream->events->on_open(stream->owner);
}

static void socket_failed(struct stream *stream)
{
    int code = 0;
    socklen_t size = sizeof code;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0 || code == 0)
        code = ECONNRESET;
    end_errno(stream, code);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream *stream = poll->data;
    if (stream->state == STREAM_CONNECTING) {
        connected(stream);
        return;
    }
    if (stream->state == STREAM_HANDSHAKE) {
        handshake(stream);
        return;
    }
    if (status < 0) { /* the socket has failed, and libuv has stopped polling it */
        stream->polled = 0;
        if (stream->choked) {
            socket_failed(stream);
            return;
        }
        poll_for(stream);
        events = UV_READABLE; /* what came before the failure, then the failure itself */
    }
    if ((events & UV_READABLE) && !stream->choked)
        readable(stream);
    if ((events & UV_WRITABLE) && stream->state == STREAM_OPEN && stream->blocked)
        flush(stream);
}

/* ---- the end ---- */

static void unlink_from(struct stream **list, struct stream *stream, bool dirty)
{
    while (*list && *list != stream)
        list = dirty ? &(*list)->dirty_next : &(*list)->again_next;
    if (*list)
        *list = dirty ? stream->dirty_next : stream->again_next;
}

static void leave_lists(struct stream *stream)
{
    if (stream->dirty)
        unlink_from(&stream->reactor->dirty, stream, true);
    if (stream->in_again)
        unlink_from(&stream->reactor->again, stream, false);
    stream->dirty = stream->in_again = 0;
    stream->dirty_next = stream->again_next = NULL;
}

void stream_stop_sending(struct stream *stream)
{
    stream->broken = 1;
}

void stream_close(struct stream *stream)
{
    if (stream->state == STREAM_CLOSED)
        return;
    if (stream->state == STREAM_OPEN && !stream->broken) {
        int code;
        while (stream->out.head) {
            ssize_t sent = send_some(stream, &code);
            if (sent <= 0)
                break;
            drop_sent(stream, (size_t)sent);
        }
    }
    stream->state = STREAM_CLOSED;
    drop_sent(stream, stream->out.len);
    leave_lists(stream);
    keep(stream, NULL, 0);
    tls_free(stream->tls);
    stream->tls = NULL;
    poll_close(stream);
    close(stream->fd);
    stream->fd = -1;
}

void stream_detach(struct stream *stream)
{
    assert(stream->state == STREAM_OPEN && stream->out.len == 0 && !stream->in && !stream->blocked);
    leave_lists(stream);
    poll_close(stream);
    stream->reactor = NULL;
    stream->polled = 0;
}

void stream_attach(
    struct stream *stream, struct reactor *reactor, const struct stream_events *events, void *owner)
{
    assert(stream->state == STREAM_OPEN && !stream->poll);
    stream->reactor = reactor;
    stream->events = events;
    stream->owner = owner;
    bool opened = poll_open(stream);
    assert(opened);
    poll_for(stream);
}

void stream_abandon(struct stream *stream)
{
    assert(stream->state == STREAM_OPEN && !stream->poll);
    tls_free(stream->tls);
    close(stream->fd);
    *stream = (struct stream){.fd = -1};
}
