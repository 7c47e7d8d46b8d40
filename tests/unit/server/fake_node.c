/* A scripted node; see fake_node.h. */
#include "tests/unit/server/fake_node.h"

#include "proxy/wire/frame.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LOGIN "R:0 S:server_version=15.0 S:in_hot_standby=off S:client_encoding=UTF8 K Z:I"

static void path_of(const struct fake_node *node, struct sockaddr_un *un)
{
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(un->sun_path, sizeof un->sun_path, "%s/.s.PGSQL.5432", node->folder);
}

void fake_node_listen(struct fake_node *node)
{
    struct sockaddr_un un;
    path_of(node, &un);
    node->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int bound = bind(node->listener, (struct sockaddr *)&un, sizeof un);
    int listening = listen(node->listener, 64);
    assert(bound == 0 && listening == 0);
}

void fake_node_refuse(struct fake_node *node)
{
    struct sockaddr_un un;
    if (node->listener < 0)
        return;
    path_of(node, &un);
    close(node->listener);
    unlink(un.sun_path);
    node->listener = -1;
}

void fake_node_open(struct fake_node *node)
{
    *node = (struct fake_node){.login = LOGIN, .accepts = true};
    snprintf(node->folder, sizeof node->folder, "/tmp/rolecall-test-XXXXXX");
    char *made = mkdtemp(node->folder);
    assert(made);
    fake_node_listen(node);
}

void fake_node_drop(struct fake_node *node, int peer)
{
    if (node->peers[peer].fd >= 0)
        close(node->peers[peer].fd);
    node->peers[peer].fd = -1;
}

void fake_node_close(struct fake_node *node)
{
    for (int i = 0; i < node->n_peers; i++) {
        fake_node_drop(node, i);
        free(node->peers[i].in);
    }
    fake_node_refuse(node);
    rmdir(node->folder);
    for (int i = node->first_script; i < node->n_scripts; i++)
        free(node->scripts[i]);
}

void fake_node_script(struct fake_node *node, const char *words)
{
    assert(node->n_scripts < FAKE_SCRIPTS);
    node->scripts[node->n_scripts++] = strdup(words);
}

/* Tests send little: what does not fit into the socket's buffer is waited for. */
void fake_node_send(struct fake_node *node, int peer, const void *bytes, size_t len)
{
    const char *at = bytes;
    int fd = node->peers[peer].fd;
    while (fd >= 0 && len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0)
            return;
        at += sent;
        len -= (size_t)sent;
    }
}

void fake_node_say(struct fake_node *node, int peer, const char *words)
{
    static char out[TALK_MAX], plain[TALK_MAX];
    const char *end = strstr(words, "EOF"), *reset = strstr(words, "RST");
    const char *stop = end ? end : reset;
    snprintf(plain, sizeof plain, "%.*s", stop ? (int)(stop - words) : (int)strlen(words), words);
    fake_node_send(node, peer, out, talk_backend(plain, out, sizeof out));
    if (stop)
        fake_node_drop(node, peer);
}

/* ---- answers ---- */

static bool begins(const char *text, size_t len, const char *with)
{
    size_t n = strlen(with);
    return len >= n && strncasecmp(text, with, n) == 0;
}

static void answer_by_script(struct fake_node *node, int peer, const char *otherwise)
{
    if (node->first_script == node->n_scripts) {
        fake_node_say(node, peer, otherwise);
        return;
    }
    char *script = node->scripts[node->first_script++], *skip = strstr(script, "SKIP");
    if (skip) {
        *skip = 0;
        node->peers[peer].skipping = true;
        node->peers[peer].status = 'I';
    }
    fake_node_say(node, peer, script);
    free(script);
}

/* What rolecall itself sends between requests takes no script. */
static bool is_housekeeping(const char *text, size_t len)
{
    return begins(text, len, "select pg_catalog.set_config") || begins(text, len, "discard all") ||
           begins(text, len, "set exit_on_error=on;") || begins(text, len, "discard sequences");
}

/* What a transaction left in its session is asked for: it is there when one thing alone is looked for. */
static bool answer_inquiry(struct fake_node *node, int peer, const char *text, size_t len)
{
    static const char *const pins[] = {"listen", "temporary", "cursor", "advisory_lock", "prepare"};
    if (!begins(text, len, "select 's',") && !begins(text, len, "select 'p',"))
        return false;
    if (node->tells_nothing) {
        fake_node_say(node, peer, "E:57014 Z:I");
        return true;
    }
    bool of_all = memmem(text, len, "'listen' WHERE", 14) && memmem(text, len, "'cursor' WHERE", 14);
    for (size_t i = 0; !of_all && i < sizeof pins / sizeof *pins; i++) {
        char wanted[32], row[64] = {'D', 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 'p', 0, 0, 0, 0, 0, 0, 0, 0};
        size_t pin_len = strlen(pins[i]), at = 20;
        int wanted_len = snprintf(wanted, sizeof wanted, "'%s' WHERE", pins[i]);
        if (!memmem(text, len, wanted, (size_t)wanted_len))
            continue;
        row[at - 1] = (char)pin_len;
        memcpy(row + at, pins[i], pin_len);
        row[4] = (char)(at + pin_len - 1);
        fake_node_send(node, peer, row, at + pin_len);
    }
    char answer[64];
    snprintf(answer, sizeof answer, "C:SELECT~1 Z:%c", node->peers[peer].status);
    fake_node_say(node, peer, answer);
    return true;
}

static void on_query(struct fake_node *node, int peer, const char *text, size_t len)
{
    struct fake_peer *at = &node->peers[peer];
    char answer[64];
    if (begins(text, len, "begin"))
        at->status = 'T';
    else if (begins(text, len, "commit") ||
             (begins(text, len, "rollback") && !begins(text, len, "rollback to")))
        at->status = 'I';
    if (answer_inquiry(node, peer, text, len))
        return;
    if (is_housekeeping(text, len)) {
        snprintf(answer, sizeof answer, "C:SELECT~1 Z:%c", at->status);
        fake_node_say(node, peer, node->refuses ? node->refuses : answer);
        node->refuses = NULL;
        return;
    }
    snprintf(answer, sizeof answer, "C:OK Z:%c", at->status);
    answer_by_script(node, peer, answer);
}

static void owe(struct fake_peer *peer, const char *words)
{
    size_t at = strlen(peer->owed);
    snprintf(peer->owed + at, sizeof peer->owed - at, "%s ", words);
}

static bool next_skips(const struct fake_node *node)
{
    return node->first_script < node->n_scripts && strstr(node->scripts[node->first_script], "SKIP");
}

static void on_message(struct fake_node *node, int peer, const struct frame *frame)
{
    struct fake_peer *at = &node->peers[peer];
    char ready[8];
    if (at->skipping) {
        at->skipping = frame->type != 'S';
        if (!at->skipping)
            fake_node_say(node, peer, "Z:I");
        return;
    }
    switch (frame->type) {
    case 'Q':
        if (!next_skips(node))
            fake_node_say(node, peer, at->owed);
        at->owed[0] = 0;
        on_query(node, peer, frame->body, frame->body_len);
        return;
    case 'P':
        at->begins = frame->body_len > 6 && memcmp(frame->body, "\0BEGIN", 6) == 0;
        owe(at, "1");
        return;
    case 'B': owe(at, "2"); return;
    case 'D':
        if (frame->body[0] == 'S')
            owe(at, "t");
        owe(at, node->columns ? node->columns : "n");
        return;
    case 'E':
        owe(at, at->begins ? "C:BEGIN" : "C:SELECT~1");
        at->status = at->begins ? 'T' : at->status;
        at->begins = false;
        return;
    case 'C': owe(at, "3"); return;
    case 'F': answer_by_script(node, peer, "V Z:I"); return;
    case 'c':
    case 'f': answer_by_script(node, peer, frame->type == 'c' ? "C:COPY~1 Z:I" : "E:57014 Z:I"); return;
    case 'S':
        snprintf(ready, sizeof ready, "Z:%c", at->status);
        owe(at, ready);
        answer_by_script(node, peer, at->owed);
        at->owed[0] = 0;
        return;
    case 'X': fake_node_drop(node, peer); return;
    default: return;
    }
}

static uint32_t number(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The first packets. Returns the bytes used up. */
static size_t on_startup(struct fake_node *node, int peer)
{
    struct fake_peer *at = &node->peers[peer];
    if (at->in_len < 8 || at->in_len < number(at->in))
        return 0;
    uint32_t len = number(at->in), code = number(at->in + 4);
    if (code == 80877103) {
        if (node->ssl_answer)
            fake_node_send(node, peer, &node->ssl_answer, 1);
        return len;
    }
    if (code == 80877102) {
        node->cancels++;
        fake_node_drop(node, peer);
        return len;
    }
    at->started = true;
    fake_node_say(node, peer, node->login);
    return len;
}

static void on_bytes(struct fake_node *node, int peer)
{
    struct fake_peer *at = &node->peers[peer];
    size_t used = 0;
    while (at->fd >= 0 && !at->started) {
        size_t took = on_startup(node, peer);
        if (took == 0)
            return;
        memmove(at->in, at->in + took, at->in_len - took);
        at->in_len -= took;
    }
    struct frame frame;
    while (at->fd >= 0 && frame_parse(at->in + used, at->in_len - used, &frame) == FRAME_OK && frame.whole) {
        talk_hear_frontend(at->in + used, frame.total, at->heard, sizeof at->heard);
        used += frame.total;
        on_message(node, peer, &frame);
    }
    memmove(at->in, at->in + used, at->in_len - used);
    at->in_len -= used;
}

static bool read_peer(struct fake_node *node, int peer)
{
    struct fake_peer *at = &node->peers[peer];
    if (at->fd < 0 || at->silent)
        return false;
    ssize_t got = recv(at->fd, at->in + at->in_len, TALK_MAX - at->in_len, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0) {
        fake_node_drop(node, peer);
        return true;
    }
    at->in_len += (size_t)got;
    on_bytes(node, peer);
    return true;
}

bool fake_node_serve(struct fake_node *node)
{
    bool busy = false;
    while (node->accepts && node->listener >= 0) {
        int fd = accept4(node->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        assert(node->n_peers < FAKE_PEERS);
        struct fake_peer *peer = &node->peers[node->n_peers++];
        *peer = (struct fake_peer){.fd = fd, .in = malloc(TALK_MAX), .silent = node->silent, .status = 'I'};
        busy = true;
    }
    for (int i = 0; i < node->n_peers; i++)
        busy |= read_peer(node, i);
    return busy;
}

int fake_node_open_peers(const struct fake_node *node)
{
    int open = 0;
    for (int i = 0; i < node->n_peers; i++)
        open += node->peers[i].fd >= 0;
    return open;
}

int fake_node_count(const struct fake_node *node, const char *word)
{
    int count = 0;
    for (int i = 0; i < node->n_peers; i++)
        for (const char *at = node->peers[i].heard; (at = strstr(at, word)); at += strlen(word))
            count++;
    return count;
}
