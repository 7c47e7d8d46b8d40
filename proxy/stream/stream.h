/*
 * A connected socket as its owner sees it: bytes are handed to the owner's parser, and written bytes leave
 * once a turn.
 *
 * The owner embeds the struct. It is told of data, of readiness (connected, TLS done), of drained output and
 * of the end; it never calls read. After stream_close nothing is called any more. A stream is polled
 * (uv_poll), not read by libuv, so that stream_detach / stream_attach can move it to another worker's loop.
 * One thread at a time.
 */
#ifndef ROLECALL_STREAM_STREAM_H
#define ROLECALL_STREAM_STREAM_H

#include "conf/base/error.h"
#include "proxy/stream/outbox.h"
#include "proxy/stream/reactor.h"
#include "proxy/stream/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum stream_state { STREAM_CLOSED, STREAM_CONNECTING, STREAM_HANDSHAKE, STREAM_OPEN };

enum stream_end {
    STREAM_END_EOF,     /* the peer closed in order */
    STREAM_END_REFUSED, /* connect refused, or no such host or socket */
    STREAM_END_RESET,   /* reset, broken pipe, timed out by TCP */
    STREAM_END_TLS,     /* handshake or record failure */
    STREAM_END_OTHER
};

struct stream_events {
    /* After stream_sniff: the first byte, before it is read. True: the owner has begun TLS. May be NULL. */
    bool (*on_first_byte)(void *owner, unsigned char byte);
    /*
     * Bytes have arrived. Returns how many were used up; the rest is kept and given again in front of what
     * comes next. The rest must be small (an unfinished message below half the read buffer) unless the owner
     * holds the stream.
     */
    size_t (*on_data)(void *owner, const char *bytes, size_t len);
    void (*on_open)(void *owner);    /* connected; or the TLS handshake is done */
    void (*on_drained)(void *owner); /* output fell below half of `high_water` after having been above it */
    void (*on_end)(void *owner, enum stream_end end, const struct error *error);
};

struct stream {
    struct reactor *reactor;
    const struct stream_events *events;
    void *owner;
    uv_poll_t *poll;
    int fd;
    enum stream_state state;
    int polled; /* events polled for now */
    struct tls *tls;
    /* input kept back */
    char *in;
    uint32_t in_start, in_end, in_cap;
    /* output */
    struct outbox out;
    size_t high_water;
    struct stream *dirty_next, *again_next;
    unsigned dirty : 1, in_again : 1, held : 1, choked : 1, blocked : 1, in_data : 1, eof_seen : 1, sniff : 1,
        released : 1, broken : 1, end_kept : 1;
    /* The owner wants what was kept back before the end; else the end is told at once. */
    unsigned keeps_end : 1;
};

/* Takes an accepted, non-blocking descriptor. */
bool stream_accept(struct stream *stream, struct reactor *reactor, const struct stream_events *events,
    void *owner, int fd, size_t high_water);

/* Begins a connect. address is a sockaddr_in, _in6 or _un; false fills error (nothing to close then). */
bool stream_connect(struct stream *stream, struct reactor *reactor, const struct stream_events *events,
    void *owner, const struct sockaddr *address, socklen_t address_len, size_t high_water,
    struct error *error);

/* Starts TLS on an open stream: the next on_open or on_end tells how it went. Input kept back must be empty.
 */
bool stream_start_tls(struct stream *stream, struct tls_context *context, bool accept, const char *host);

/* Appends to the output, which is flushed at the end of the turn. Nothing happens on a closed stream. */
void stream_write(struct stream *stream, const void *data, size_t len);

/* True when the output has passed high_water: stop producing until on_drained. */
bool stream_is_full(const struct stream *stream);

/* Hold: arriving bytes are kept back (bounded) instead of being given to on_data. Release gives them at once.
 */
void stream_hold(struct stream *stream);
void stream_release(struct stream *stream);

/* Nothing more is sent, at the close neither: what is waiting stays counted. For an owner that takes it for
 * not sent. */
void stream_stop_sending(struct stream *stream);

/* Sends what is waiting as far as the kernel takes it now, then closes. Idempotent. */
void stream_close(struct stream *stream);

/* Moves between loops: output and input must be empty. */
void stream_detach(struct stream *stream);
/* Closes a detached stream. */
void stream_abandon(struct stream *stream);
void stream_attach(
    struct stream *stream, struct reactor *reactor, const struct stream_events *events, void *owner);

/* Asks for on_first_byte when input arrives next (direct TLS is told from PostgreSQL's own packets by it). */
void stream_sniff(struct stream *stream);

/* TCP_NODELAY, keepalive and TCP_USER_TIMEOUT (milliseconds; 0 = the system's); ignored on Unix sockets. */
void stream_set_tcp(struct stream *stream, uint64_t keepalive_ms, uint64_t user_timeout_ms);

/* For the reactor. */
void stream_flush_dirty(struct reactor *reactor);
void stream_serve_again(struct reactor *reactor);

#endif
