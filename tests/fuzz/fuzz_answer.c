/*
 * What a node says after its login, random and mutated: the connection may be ended, the user may close it,
 * but nothing may crash, hang or be delivered in pieces that do not make messages. The first bytes of an
 * input choose what is owed and where the bytes are cut.
 */
#include "proxy/server/answer.h"
#include "proxy/server/server.h"
#include "tests/unit/server/talk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    uv_loop_t loop;
    struct reactor reactor;
    struct server *server;
    size_t due; /* bytes of the message that is being delivered still to come; 0 = between messages */
    bool in_message;
    bool close_early;
    unsigned answers;
} rig;

static void on_ready(struct server *server)
{
    assert(server->state == SERVER_IDLE);
}

static void on_end(struct server *server, enum stream_end end, const struct error *error)
{
    (void)end;
    assert(strlen(error->sqlstate) == 5); /* the text is the node's, and may be empty */
    rig.server = NULL;
    server_close(server);
}

static void on_answer(void *user, struct server *server, const struct answer *answer)
{
    (void)user;
    assert(answer->first != rig.in_message);
    assert(!answer->hidden && answer->len > 0);
    rig.in_message = !answer->last;
    if (++rig.answers == 7 && rig.close_early) {
        rig.server = NULL;
        server_close(server);
    }
}

static void on_raw(void *user, struct server *server, const char *bytes, size_t len)
{
    (void)user;
    (void)server;
    (void)bytes;
    (void)len;
    abort();
}

static void nothing(void *user, struct server *server)
{
    (void)user;
    (void)server;
}

static void on_inquiry(void *user, struct server *server, const struct answer *answer)
{
    (void)user;
    (void)server;
    (void)answer;
}

static const struct server_owner_events owner = {on_ready, on_end};
static const struct server_user_events user_events = {.on_answer = on_answer,
    .on_raw = on_raw,
    .on_drained = nothing,
    .on_inquiry = on_inquiry,
    .on_prefix_done = nothing};
static const struct stream_events stream_events;

static size_t on_data(void *user, const char *bytes, size_t len)
{
    return answer_parse(user, bytes, len);
}

static void on_stream_end(void *user, enum stream_end end, const struct error *error)
{
    on_end(user, end, error);
}

static const struct stream_events stream_events = {.on_data = on_data, .on_end = on_stream_end};

static void open_rig(void)
{
    static bool opened;
    if (opened)
        return;
    opened = true;
    log_set_level(LOG_ERROR);
    int looped = uv_loop_init(&rig.loop), reacting = reactor_open(&rig.reactor, &rig.loop);
    assert(looped == 0 && reacting == 0);
}

/* A server that is linked to a user and owes what the byte says. */
static int open_server(uint8_t owed)
{
    static const enum expect_kind kinds[] = {EXPECT_QUERY, EXPECT_PARSE, EXPECT_BIND, EXPECT_DESCRIBE,
        EXPECT_EXECUTE, EXPECT_CLOSE, EXPECT_SYNC, EXPECT_COPY_END, EXPECT_LOCAL};
    int fds[2];
    int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
    struct server *server = calloc(1, sizeof *server);
    assert(made == 0 && server);
    rig.server = server;
    rig.in_message = false;
    rig.answers = 0;
    server->reactor = &rig.reactor;
    server->owner_events = &owner;
    server->node = node_live_new("one");
    server->tx_status = 'I';
    bool accepted = stream_accept(&server->stream, &rig.reactor, &stream_events, server, fds[0], 4096);
    assert(accepted);
    server->state = SERVER_IDLE;
    if (owed % 8 == 0) {
        server->tx_status = 'T';
        server_reset(server);
    } else if (owed % 8 != 1) {
        server_link(server, &user_events, NULL);
    }
    for (unsigned i = 0; i < owed % 31u; i++)
        expect_push(&server->expect, (struct expect){.kind = kinds[(owed * 7u + i * i) % 9],
                                         .hidden = (owed + i) % 5 == 0,
                                         .local = '1',
                                         .about = i});
    answer_local(server);
    return fds[1];
}

static void turn(void)
{
    uv_run(&rig.loop, UV_RUN_NOWAIT);
}

static void give(int fd, const uint8_t *data, size_t size, size_t step)
{
    while (size > 0 && rig.server) {
        size_t part = step && step < size ? step : size;
        ssize_t sent = send(fd, data, part, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        data += sent;
        size -= (size_t)sent;
        turn();
    }
}

/* Random bytes are seldom messages: the same as letters of messages that are well formed. */
static size_t as_messages(const uint8_t *data, size_t size, char *out, size_t cap)
{
    static const char *const words[] = {"T", "D:x", "C:SELECT~1", "E:42601", "F:57P01", "N:57P01", "N:01000",
        "1", "2", "3", "n", "s", "I", "t", "G", "H", "d:x", "c", "V", "A:x", "S:a=b", "Z:I", "Z:T", "Z:E",
        "K", "R:0"};
    size_t len = 0;
    for (size_t i = 0; i < size && len + 256 < cap; i++)
        len += talk_backend(words[data[i] % (sizeof words / sizeof *words)], out + len, cap - len);
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char messages[64 * 1024];
    if (size < 3)
        return 0;
    open_rig();
    int fd = open_server(data[0]);
    rig.close_early = data[1] & 1;
    size_t step = data[1] >> 3;
    if (data[1] & 2) {
        give(fd, data + 3, size - 3, step);
    } else {
        size_t len = as_messages(data + 3, size - 3, messages, sizeof messages);
        if (data[1] & 4) /* one byte is another */
            messages[data[2] * 97u % (len ? len : 1)] ^= (char)(1 + data[2] % 127);
        give(fd, (const uint8_t *)messages, len, step);
    }
    turn();
    close(fd);
    for (int i = 0; i < 4 && rig.server; i++)
        turn();
    assert(!rig.server); /* the end is always found */
    turn();
    return 0;
}
