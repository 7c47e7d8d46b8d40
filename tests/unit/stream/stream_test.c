/* Streams over socket pairs: one send a turn, what is kept and in which order, every kind of end, moving,
 * TLS. */
#include "proxy/stream/stream.h"

#include "certificates.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#include <cmocka.h>

#define GOT_MAX (1 << 20)

struct loop {
    uv_loop_t loop;
    struct reactor reactor;
};

/* An owner that records what it is told. */
struct owner {
    struct stream stream;
    char *got;
    size_t len;
    int calls, opens, drains, ends, first_bytes;
    enum stream_end end;
    struct error error;
    size_t out_len_at_end;
    size_t take;    /* at most so many bytes a call; 0 = all */
    bool lines;     /* takes whole lines only */
    bool hold_each; /* holds after each call */
    bool close_in_data, close_in_end;
    size_t takes_nothing; /* calls that leave everything */
    struct stream *fills; /* on_drained */
};

static void loop_open(struct loop *loop)
{
    assert_int_equal(uv_loop_init(&loop->loop), 0);
    assert_int_equal(reactor_open(&loop->reactor, &loop->loop), 0);
}

static void loop_close(struct loop *loop)
{
    reactor_close(&loop->reactor);
    uv_run(&loop->loop, UV_RUN_DEFAULT);
    reactor_fini(&loop->reactor);
    assert_int_equal(uv_loop_close(&loop->loop), 0);
}

static void turn(struct loop *loop)
{
    uv_run(&loop->loop, UV_RUN_NOWAIT);
}

static void turns(struct loop *loop, int n)
{
    while (n-- > 0)
        turn(loop);
}

static size_t line_bytes(const char *bytes, size_t len)
{
    const char *end = memrchr(bytes, '\n', len);
    return end ? (size_t)(end - bytes) + 1 : 0;
}

static size_t on_data(void *user, const char *bytes, size_t len)
{
    struct owner *owner = user;
    owner->calls++;
    size_t take = owner->take && owner->take < len ? owner->take : len;
    if (owner->lines)
        take = line_bytes(bytes, len);
    if (owner->takes_nothing > 0) {
        owner->takes_nothing--;
        take = 0;
    }
    assert_true(owner->len + take <= GOT_MAX);
    memcpy(owner->got + owner->len, bytes, take);
    owner->len += take;
    if (owner->hold_each)
        stream_hold(&owner->stream);
    if (owner->close_in_data)
        stream_close(&owner->stream);
    return take;
}

static void on_open(void *user)
{
    ((struct owner *)user)->opens++;
}

static void on_drained(void *user)
{
    ((struct owner *)user)->drains++;
}

static void on_end(void *user, enum stream_end end, const struct error *error)
{
    struct owner *owner = user;
    owner->ends++;
    owner->end = end;
    owner->error = *error;
    owner->out_len_at_end = owner->stream.out.len;
    if (owner->close_in_end)
        stream_close(&owner->stream);
}

static bool on_first_byte(void *user, unsigned char byte)
{
    struct owner *owner = user;
    (void)byte;
    owner->first_bytes++;
    return false;
}

static const struct stream_events events = {on_first_byte, on_data, on_open, on_drained, on_end};

static void owner_init(struct owner *owner)
{
    *owner = (struct owner){.got = malloc(GOT_MAX), .close_in_end = true};
}

static void owner_fini(struct owner *owner)
{
    stream_close(&owner->stream);
    free(owner->got);
}

/* The owner's stream on one end; the other, blocking, is returned. */
static int accept_pair(struct loop *loop, struct owner *owner, size_t high_water)
{
    int fds[2];
    owner_init(owner);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    assert_true(stream_accept(&owner->stream, &loop->reactor, &events, owner, fds[0], high_water));
    return fds[1];
}

static void put(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void assert_got(const struct owner *owner, const char *text)
{
    assert_int_equal(owner->len, strlen(text));
    assert_memory_equal(owner->got, text, owner->len);
}

/* ---- output ---- */

static void writes_of_a_turn_leave_in_one_send(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    int fds[2];
    char got[64];
    loop_open(&loop);
    owner_init(&owner);
    /* A sequenced-packet socket shows each send as a packet of its own. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_true(stream_accept(&owner.stream, &loop.reactor, &events, &owner, fds[0], 1024));
    stream_write(&owner.stream, "one ", 4);
    stream_write(&owner.stream, "two ", 4);
    assert_int_equal(recv(fds[1], got, sizeof got, 0), -1);
    stream_write(&owner.stream, "three", 5);
    turn(&loop);
    assert_int_equal(recv(fds[1], got, sizeof got, 0), 13);
    assert_memory_equal(got, "one two three", 13);
    assert_int_equal(recv(fds[1], got, sizeof got, 0), -1);
    owner_fini(&owner);
    close(fds[1]);
    loop_close(&loop);
}

static void output_of_many_pages_arrives_in_order_and_drains_once(void **state)
{
    (void)state;
    enum { SIZE = 700 * 1000, HIGH = 64 * 1024 };
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, HIGH);
    unsigned char *sent = malloc(SIZE), *got = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (unsigned char)(i * 7 >> 2);
    assert_false(stream_is_full(&owner.stream));
    for (size_t at = 0; at < SIZE; at += 1000)
        stream_write(&owner.stream, sent + at, 1000);
    assert_true(stream_is_full(&owner.stream));
    turn(&loop);
    assert_true(owner.stream.out.len > HIGH);
    assert_int_equal(owner.drains, 0);
    size_t len = 0;
    for (int i = 0; i < 100000 && len < SIZE; i++) {
        ssize_t n = recv(peer, got + len, SIZE - len < 5000 ? SIZE - len : 5000, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
        turn(&loop);
        assert_int_equal(owner.drains, owner.stream.out.len <= HIGH / 2);
    }
    assert_int_equal(len, SIZE);
    assert_memory_equal(sent, got, SIZE);
    assert_int_equal(owner.drains, 1);
    assert_int_equal(owner.stream.out.len, 0);
    free(sent);
    free(got);
    owner_fini(&owner);
    close(peer);
    loop_close(&loop);
}

static void what_was_written_before_close_still_leaves(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    char got[16];
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    stream_write(&owner.stream, "farewell", 8);
    stream_close(&owner.stream);
    stream_close(&owner.stream);
    stream_write(&owner.stream, "more", 4);
    turns(&loop, 3);
    assert_int_equal(recv(peer, got, sizeof got, 0), 8);
    assert_int_equal(recv(peer, got, sizeof got, 0), 0);
    assert_int_equal(owner.ends, 0);
    owner_fini(&owner);
    close(peer);
    loop_close(&loop);
}

/* The owner decides by it whether a request has left (session/lost.c). */
static void what_could_not_be_sent_is_still_counted_when_the_end_is_told(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    turn(&loop);
    close(peer);
    stream_write(&owner.stream, "never sent", 10);
    turns(&loop, 5);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.out_len_at_end, 10);
    owner_fini(&owner);
    loop_close(&loop);
}

/* ---- input ---- */

static void a_rest_is_given_again_in_front_of_what_comes_next(void **state)
{
    (void)state;
    static const char text[] = "first line\nsecond\n\nthe third and last\n";
    for (size_t split = 1; split < sizeof text - 1; split++) {
        struct loop loop;
        struct owner owner;
        loop_open(&loop);
        int peer = accept_pair(&loop, &owner, 1024);
        owner.lines = true;
        put(peer, text, split);
        turns(&loop, 3);
        assert_int_equal(owner.len, line_bytes(text, split));
        put(peer, text + split, sizeof text - 1 - split);
        turns(&loop, 3);
        assert_got(&owner, text);
        assert_null(owner.stream.in);
        owner_fini(&owner);
        close(peer);
        loop_close(&loop);
    }
}

static void bytes_one_at_a_time_are_a_message_at_its_last(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    owner.lines = true;
    for (const char *c = "a line\n"; *c; c++) {
        assert_int_equal(owner.len, 0);
        put(peer, c, 1);
        turns(&loop, 2);
    }
    assert_got(&owner, "a line\n");
    owner_fini(&owner);
    close(peer);
    loop_close(&loop);
}

static void an_owner_that_takes_a_part_is_asked_again_at_once(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    owner.take = 3;
    put(peer, "0123456789", 10);
    turn(&loop);
    turn(&loop);
    assert_got(&owner, "0123456789");
    assert_int_equal(owner.calls, 4);
    owner_fini(&owner);
    close(peer);
    loop_close(&loop);
}

static void a_held_stream_keeps_bytes_in_order(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    stream_hold(&owner.stream);
    for (int i = 0; i < 10; i++) {
        char c = (char)('0' + i);
        put(peer, &c, 1);
        turns(&loop, 2);
    }
    assert_int_equal(owner.calls, 0);
    stream_release(&owner.stream);
    put(peer, "tail", 4);
    turns(&loop, 4);
    assert_got(&owner, "0123456789tail");
    owner_fini(&owner);
    close(peer);
    loop_close(&loop);
}

static void holding_inside_on_data_stops_at_that_byte(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    owner.take = 2;
    owner.hold_each = true;
    put(peer, "aabbcc", 6);
    turns(&loop, 3);
    assert_got(&owner, "aa");
    stream_release(&owner.stream);
    turns(&loop, 3);
    assert_got(&owner, "aabb");
    stream_release(&owner.stream);
    turns(&loop, 3);
    assert_got(&owner, "aabbcc");
    owner_fini(&owner);
    close(peer);
    loop_close(&loop);
}

static void a_held_stream_reads_a_bounded_amount(void **state)
{
    (void)state;
    enum { SIZE = 600 * 1000 };
    struct loop loop;
    struct owner owner;
    char *sent = malloc(SIZE);
    size_t put_len = 0;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    fcntl(peer, F_SETFL, O_NONBLOCK);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (char)(i * 13 >> 3);
    stream_hold(&owner.stream);
    for (int i = 0; i < 50; i++) { /* small pieces first, so that the kept bytes grow to their most */
        ssize_t n = send(peer, sent + put_len, i < 20 ? 1500 : SIZE - put_len, MSG_NOSIGNAL);
        put_len += n > 0 ? (size_t)n : 0;
        turn(&loop);
        assert_true(owner.stream.in_end - owner.stream.in_start <= REACTOR_READ_BUFFER);
    }
    assert_true(put_len < SIZE);
    assert_int_equal(owner.calls, 0);
    stream_release(&owner.stream);
    for (int i = 0; i < 100 && owner.len < SIZE; i++) {
        ssize_t n = put_len < SIZE ? send(peer, sent + put_len, SIZE - put_len, MSG_NOSIGNAL) : 0;
        put_len += n > 0 ? (size_t)n : 0;
        turn(&loop);
    }
    assert_int_equal(owner.len, SIZE);
    assert_memory_equal(owner.got, sent, SIZE);
    free(sent);
    owner_fini(&owner);
    close(peer);
    loop_close(&loop);
}

/* A client that pipelines, does not read, and goes: its stream is held, full, and broken. */
static void a_full_held_stream_survives_a_send_that_fails(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    char block[REACTOR_READ_BUFFER];
    memset(block, 'x', sizeof block);
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    stream_hold(&owner.stream);
    put(peer, block, 20000);
    turns(&loop, 2);
    put(peer, block, 60000);
    turns(&loop, 2);
    assert_int_equal(owner.stream.in_end - owner.stream.in_start, REACTOR_READ_BUFFER);
    close(peer);
    stream_write(&owner.stream, "answer", 6);
    turns(&loop, 5);
    stream_release(&owner.stream);
    turns(&loop, 5);
    assert_int_equal(owner.ends, 1);
    owner_fini(&owner);
    loop_close(&loop);
}

static void closing_inside_on_data_is_the_last_that_happens(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    owner.take = 1;
    owner.close_in_data = true;
    put(peer, "abc", 3);
    close(peer);
    turns(&loop, 4);
    assert_got(&owner, "a");
    assert_int_equal(owner.calls, 1);
    assert_int_equal(owner.ends, 0);
    owner_fini(&owner);
    loop_close(&loop);
}

/* ---- ends ---- */

static void an_eof_is_told_once_after_the_data(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    put(peer, "last words", 10);
    close(peer);
    turns(&loop, 6);
    assert_got(&owner, "last words");
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end, STREAM_END_EOF);
    assert_string_equal(owner.error.sqlstate, "08006");
    owner_fini(&owner);
    loop_close(&loop);
}

static void a_reset_is_told_once(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    stream_write(&owner.stream, "unread", 6);
    turn(&loop);
    close(peer); /* with unread input: ECONNRESET */
    turns(&loop, 6);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end, STREAM_END_RESET);
    owner_fini(&owner);
    loop_close(&loop);
}

/* libuv stops a poll that reports an error: what is there must be read and the end must still be found. */
static void last_words_before_a_reset_are_given_and_then_the_end(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    stream_write(&owner.stream, "unread", 6);
    turn(&loop);
    put(peer, "last words", 10);
    close(peer);
    turns(&loop, 6);
    assert_got(&owner, "last words");
    assert_int_equal(owner.ends, 1);
    owner_fini(&owner);
    loop_close(&loop);
}

/* Neither side would be looked at again: a client that went would keep its server for ever. */
static void a_reset_is_found_while_held_full_and_blocked(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    static char block[900 * 1000];
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    stream_hold(&owner.stream);
    put(peer, block, 50000);
    turns(&loop, 3);
    stream_write(&owner.stream, block, sizeof block);
    turns(&loop, 3);
    assert_true(owner.stream.out.len > 0);
    close(peer);
    turns(&loop, 10);
    assert_int_equal(owner.ends, 1);
    owner_fini(&owner);
    loop_close(&loop);
}

/* A slow client behind a server that has answered and gone: the answer is whole, and comes before the end. */
static void what_was_kept_is_given_before_the_end_is_told(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    owner.stream.keeps_end = 1;
    stream_hold(&owner.stream);
    put(peer, "the whole answer", 16);
    turns(&loop, 2);
    close(peer);
    turns(&loop, 4);
    stream_release(&owner.stream);
    turns(&loop, 4);
    assert_got(&owner, "the whole answer");
    assert_int_equal(owner.ends, 1);
    owner_fini(&owner);
    loop_close(&loop);
}

static socklen_t unix_address(struct sockaddr_un *un, char *folder)
{
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(folder, "/tmp/rolecall-stream-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(un->sun_path, sizeof un->sun_path, "%s/s", folder);
    return sizeof *un;
}

static int listen_tcp(struct sockaddr_in *in)
{
    socklen_t len = sizeof *in;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)in, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)in, &len), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void a_connect_to_nobody_says_so(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    struct sockaddr_un un;
    struct sockaddr_in in;
    struct error error;
    char folder[64];
    loop_open(&loop);
    owner_init(&owner);
    socklen_t len = unix_address(&un, folder);
    assert_false(stream_connect(
        &owner.stream, &loop.reactor, &events, &owner, (struct sockaddr *)&un, len, 1024, &error));
    assert_string_equal(error.sqlstate, "08006");
    rmdir(folder);
    close(listen_tcp(&in)); /* a port that nobody listens on any more */
    if (stream_connect(
            &owner.stream, &loop.reactor, &events, &owner, (struct sockaddr *)&in, sizeof in, 1024, &error)) {
        for (int i = 0; i < 1000 && owner.ends == 0; i++) {
            turn(&loop);
            usleep(1000);
        }
        assert_int_equal(owner.ends, 1);
        assert_int_equal(owner.end, STREAM_END_REFUSED);
        assert_int_equal(owner.opens, 0);
    }
    owner_fini(&owner);
    loop_close(&loop);
}

static void a_connect_opens_once_and_carries_bytes_both_ways(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    struct sockaddr_in in;
    struct error error;
    char got[8];
    loop_open(&loop);
    owner_init(&owner);
    int listener = listen_tcp(&in);
    assert_true(stream_connect(
        &owner.stream, &loop.reactor, &events, &owner, (struct sockaddr *)&in, sizeof in, 1024, &error));
    stream_set_tcp(&owner.stream, 1500, 2500);
    int peer = accept(listener, NULL, NULL);
    turns(&loop, 3);
    assert_int_equal(owner.opens, 1);
    stream_write(&owner.stream, "ping", 4);
    turn(&loop);
    assert_int_equal(recv(peer, got, sizeof got, 0), 4);
    put(peer, "pong", 4);
    for (int i = 0; i < 100 && owner.len < 4; i++) {
        turn(&loop);
        usleep(1000);
    }
    assert_got(&owner, "pong");
    owner_fini(&owner);
    close(peer);
    close(listener);
    loop_close(&loop);
}

static void closing_during_connect_tells_nothing(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    struct sockaddr_in in;
    struct error error;
    loop_open(&loop);
    owner_init(&owner);
    int listener = listen_tcp(&in);
    assert_true(stream_connect(
        &owner.stream, &loop.reactor, &events, &owner, (struct sockaddr *)&in, sizeof in, 1024, &error));
    stream_close(&owner.stream);
    turns(&loop, 5);
    assert_int_equal(owner.opens + owner.ends + owner.calls, 0);
    owner_fini(&owner);
    close(listener);
    loop_close(&loop);
}

/* ---- moving, sniffing ---- */

static void a_stream_moves_to_another_loop_and_loses_nothing(void **state)
{
    (void)state;
    struct loop from, to;
    struct owner owner, other;
    char got[8];
    loop_open(&from);
    loop_open(&to);
    int peer = accept_pair(&from, &owner, 1024);
    put(peer, "before", 6);
    turns(&from, 2);
    stream_detach(&owner.stream);
    put(peer, "between", 7);
    turns(&from, 3);
    assert_got(&owner, "before");
    owner_init(&other);
    other.stream = owner.stream;
    stream_attach(&other.stream, &to.reactor, &events, &other);
    turns(&from, 2);
    turns(&to, 3);
    assert_got(&other, "between");
    stream_write(&other.stream, "after", 5);
    turn(&to);
    assert_int_equal(recv(peer, got, sizeof got, 0), 5);
    free(owner.got);
    owner_fini(&other);
    close(peer);
    loop_close(&from);
    loop_close(&to);
}

static void an_abandoned_stream_is_closed(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    char byte;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    turn(&loop);
    stream_detach(&owner.stream);
    stream_abandon(&owner.stream);
    assert_int_equal(recv(peer, &byte, 1, 0), 0);
    free(owner.got);
    close(peer);
    loop_close(&loop);
}

static void the_first_byte_is_shown_once_and_stays(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    stream_sniff(&owner.stream);
    turns(&loop, 2);
    assert_int_equal(owner.first_bytes, 0);
    put(peer, "ab", 2);
    turns(&loop, 2);
    put(peer, "cd", 2);
    turns(&loop, 2);
    assert_int_equal(owner.first_bytes, 1);
    assert_got(&owner, "abcd");
    owner_fini(&owner);
    close(peer);
    loop_close(&loop);
}

static void an_eof_before_the_first_byte_is_an_end(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    loop_open(&loop);
    int peer = accept_pair(&loop, &owner, 1024);
    stream_sniff(&owner.stream);
    close(peer);
    turns(&loop, 4);
    assert_int_equal(owner.first_bytes, 0);
    assert_int_equal(owner.ends, 1);
    owner_fini(&owner);
    loop_close(&loop);
}

/* ---- the turn ---- */

static int freed;

static void note_free(void *object)
{
    freed++;
    free(object);
}

static void what_is_buried_lives_until_the_turn_is_over(void **state)
{
    (void)state;
    struct loop loop;
    loop_open(&loop);
    freed = 0;
    reactor_bury(&loop.reactor, malloc(1), note_free);
    reactor_bury(&loop.reactor, malloc(1), note_free);
    assert_int_equal(freed, 0);
    turn(&loop);
    assert_int_equal(freed, 2);
    loop_close(&loop);
}

/* ---- TLS ---- */

static struct certificates certificates;

static void open_contexts(struct tls_context **accepting, struct tls_context **connecting)
{
    char cert[128], key[128];
    struct error error;
    certificates_path(&certificates, "server.pem", cert);
    certificates_path(&certificates, "server.key", key);
    struct config_tls server = {TLS_REQUIRE, NULL, cert, key}, client = {TLS_REQUIRE, NULL, NULL, NULL};
    *accepting = tls_context_accept(&server, &error);
    *connecting = tls_context_connect(&client, &error);
    assert_non_null(*accepting);
    assert_non_null(*connecting);
}

/* Both ends are streams of one loop, with TLS between them. */
static void open_tls_pair(struct loop *loop, struct owner *server, struct owner *client)
{
    int fds[2];
    struct tls_context *accepting, *connecting;
    open_contexts(&accepting, &connecting);
    owner_init(server);
    owner_init(client);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_true(stream_accept(&server->stream, &loop->reactor, &events, server, fds[0], 1 << 20));
    assert_true(stream_accept(&client->stream, &loop->reactor, &events, client, fds[1], 1 << 20));
    assert_true(stream_start_tls(&server->stream, accepting, true, NULL));
    assert_true(stream_start_tls(&client->stream, connecting, false, "db.example"));
    turns(loop, 10);
    assert_int_equal(server->opens, 1);
    assert_int_equal(client->opens, 1);
    tls_context_unref(accepting);
    tls_context_unref(connecting);
}

static void tls_carries_much_both_ways(void **state)
{
    (void)state;
    enum { SIZE = 400 * 1000 };
    struct loop loop;
    struct owner server, client;
    char *sent = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (char)(i * 11 >> 2);
    loop_open(&loop);
    open_tls_pair(&loop, &server, &client);
    stream_write(&client.stream, sent, SIZE);
    stream_write(&server.stream, sent, SIZE);
    for (int i = 0; i < 1000 && (server.len < SIZE || client.len < SIZE); i++)
        turn(&loop);
    assert_int_equal(server.len, SIZE);
    assert_int_equal(client.len, SIZE);
    assert_memory_equal(server.got, sent, SIZE);
    assert_memory_equal(client.got, sent, SIZE);
    free(sent);
    owner_fini(&server);
    owner_fini(&client);
    loop_close(&loop);
}

static void decrypted_bytes_wait_while_held_and_come_at_release(void **state)
{
    (void)state;
    enum { SIZE = 120 * 1000 };
    struct loop loop;
    struct owner server, client;
    char *sent = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (char)(i * 3 >> 1);
    loop_open(&loop);
    open_tls_pair(&loop, &server, &client);
    stream_hold(&server.stream);
    stream_write(&client.stream, sent, SIZE);
    turns(&loop, 20);
    assert_int_equal(server.calls, 0);
    assert_true(server.stream.in_end - server.stream.in_start <= REACTOR_READ_BUFFER);
    stream_release(&server.stream);
    for (int i = 0; i < 200 && server.len < SIZE; i++)
        turn(&loop);
    assert_int_equal(server.len, SIZE);
    assert_memory_equal(server.got, sent, SIZE);
    free(sent);
    owner_fini(&server);
    owner_fini(&client);
    loop_close(&loop);
}

static void a_handshake_with_somebody_else_ends_once(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    struct tls_context *accepting, *connecting;
    loop_open(&loop);
    open_contexts(&accepting, &connecting);
    int peer = accept_pair(&loop, &owner, 1024);
    assert_true(stream_start_tls(&owner.stream, accepting, true, NULL));
    put(peer, "this is no handshake, and long enough to be told", 48);
    turns(&loop, 5);
    assert_int_equal(owner.ends, 1);
    assert_int_equal(owner.end, STREAM_END_TLS);
    assert_int_equal(owner.opens, 0);
    tls_context_unref(accepting);
    tls_context_unref(connecting);
    owner_fini(&owner);
    close(peer);
    loop_close(&loop);
}

static void closing_during_the_handshake_tells_nothing(void **state)
{
    (void)state;
    struct loop loop;
    struct owner owner;
    struct tls_context *accepting, *connecting;
    loop_open(&loop);
    open_contexts(&accepting, &connecting);
    int peer = accept_pair(&loop, &owner, 1024);
    assert_true(stream_start_tls(&owner.stream, connecting, false, "db.example"));
    stream_close(&owner.stream);
    turns(&loop, 3);
    assert_int_equal(owner.ends + owner.opens, 0);
    tls_context_unref(accepting);
    tls_context_unref(connecting);
    owner_fini(&owner);
    close(peer);
    loop_close(&loop);
}

static int set_up(void **state)
{
    (void)state;
    certificates_make(&certificates);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    certificates_remove(&certificates);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_of_a_turn_leave_in_one_send),
        cmocka_unit_test(output_of_many_pages_arrives_in_order_and_drains_once),
        cmocka_unit_test(what_was_written_before_close_still_leaves),
        cmocka_unit_test(what_could_not_be_sent_is_still_counted_when_the_end_is_told),
        cmocka_unit_test(a_rest_is_given_again_in_front_of_what_comes_next),
        cmocka_unit_test(bytes_one_at_a_time_are_a_message_at_its_last),
        cmocka_unit_test(an_owner_that_takes_a_part_is_asked_again_at_once),
        cmocka_unit_test(a_held_stream_keeps_bytes_in_order),
        cmocka_unit_test(holding_inside_on_data_stops_at_that_byte),
        cmocka_unit_test(a_held_stream_reads_a_bounded_amount),
        cmocka_unit_test(a_full_held_stream_survives_a_send_that_fails),
        cmocka_unit_test(closing_inside_on_data_is_the_last_that_happens),
        cmocka_unit_test(an_eof_is_told_once_after_the_data),
        cmocka_unit_test(a_reset_is_told_once),
        cmocka_unit_test(last_words_before_a_reset_are_given_and_then_the_end),
        cmocka_unit_test(a_reset_is_found_while_held_full_and_blocked),
        cmocka_unit_test(what_was_kept_is_given_before_the_end_is_told),
        cmocka_unit_test(a_connect_to_nobody_says_so),
        cmocka_unit_test(a_connect_opens_once_and_carries_bytes_both_ways),
        cmocka_unit_test(closing_during_connect_tells_nothing),
        cmocka_unit_test(a_stream_moves_to_another_loop_and_loses_nothing),
        cmocka_unit_test(an_abandoned_stream_is_closed),
        cmocka_unit_test(the_first_byte_is_shown_once_and_stays),
        cmocka_unit_test(an_eof_before_the_first_byte_is_an_end),
        cmocka_unit_test(what_is_buried_lives_until_the_turn_is_over),
        cmocka_unit_test(tls_carries_much_both_ways),
        cmocka_unit_test(decrypted_bytes_wait_while_held_and_come_at_release),
        cmocka_unit_test(a_handshake_with_somebody_else_ends_once),
        cmocka_unit_test(closing_during_the_handshake_tells_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
