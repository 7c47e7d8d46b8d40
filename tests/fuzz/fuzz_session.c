/*
 * Random client bytes in random pieces into a session: before a cluster of which nothing is known, and before
 * a node that answers. The client may be refused and closed; nothing may crash, hang or be left behind. The
 * first bytes of an input choose the mode, the pieces, and what the node says instead of an answer.
 */
#include "proxy/session/explain.h"
#include "tests/unit/session/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = {"Q:select~1", "Q:begin", "Q:commit", "Q:rollback",
    "Q:insert~into~t~values(1)", "Q:copy~t~from~stdin", "Q:listen~a", "Q:discard~all", "Q:", "P:=select~1",
    "P:a=select~1", "P:a=insert~into~t~select", "P:b=begin", "B:", "B:a", "B:b", "Ds:", "Ds:a",
    "Dp:", "E:", "Cs:a", "Cp:", "S", "S", "S", "H", "F", "d:data", "c", "f:no", "Q:show~rolecall.node",
    "Q:execute~a", "Q:deallocate~a", "Q:set~rolecall.route~=~primary", "X"};

static const char *const scripts[] = {"EOF", "E:42601 Z:I", "F:57P01 EOF", "N:57P02 EOF", "G", "T D:1",
    "C:X Z:T", "E:25P02 Z:E", "1 2 EOF", "Z:I", "C:X F:57P01", "S:a=b A:x N:01000 C:X Z:I",
    "H d:1 c C:COPY~1 Z:I", "1 2 3 s I n"};

static struct world world;
static bool opened;

/* Its nodes have folders. */
static void close_world(void)
{
    world_close(&world);
}

static void open_world(void)
{
    static const char *const listeners[] = {"pool = transaction", "pool = session", "pool = statement"};
    static unsigned turn;
    if (!opened)
        atexit(close_world);
    world_open(&world, listeners[turn++ % 3], "request_buffer = 4kB\nmax_prepared_statements = 2");
    opened = true;
}

/* Nodes accept a bounded number of connections: a new world now and then. */
static void refresh_world(void)
{
    if (opened && world.nodes[0].n_peers + world.nodes[1].n_peers < FAKE_PEERS / 4 &&
        world.nodes[0].n_scripts < FAKE_SCRIPTS - 4)
        return;
    if (opened)
        close_world();
    open_world();
}

static void give(struct client *client, const char *bytes, size_t len, size_t step)
{
    while (len > 0 && !client->closed) {
        size_t part = step && step < len ? step : len;
        client_send(client, bytes, part);
        bytes += part;
        len -= part;
        world_turn(&world);
        client_hear(client);
    }
}

/* In whatever state they are, sessions tell what they would do, and stay what they are. */
static void explain_all(void)
{
    static const char *const statements[] = {
        "select 1", "begin", "commit", "execute a", "listen x", "set rolecall.route = any", "'", ""};
    static struct session before;
    for (struct session *session = world.sessions.first; session; session = session->next)
        for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
            struct explanation told;
            before = *session;
            explain_session(&world.sessions, session->serial, slice_from(statements[i]), &told);
            assert(told.found && memcmp(&before, session, sizeof before) == 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[TALK_MAX];
    struct client client;
    if (size < 4)
        return 0;
    refresh_world();
    bool with_node = data[0] & 1;
    size_t step = data[1] % 64, len = 0;
    if (with_node)
        world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    client_open(&world, &client);
    if (!(data[0] & 2))
        len = talk_startup("user=ann database=shop", out, sizeof out);
    if (data[0] & 4) {
        memcpy(out + len, data + 4, size - 4 < 4096 ? size - 4 : 4096);
        len += size - 4 < 4096 ? size - 4 : 4096;
    } else {
        for (size_t i = 4; i < size && len + 256 < 16384; i++)
            len +=
                talk_frontend(words[data[i] % (sizeof words / sizeof *words)], out + len, sizeof out - len);
        if ((data[0] & 8) && len > 0)
            out[data[3] * 131u % len] ^= (char)(1 + data[2] % 127);
    }
    if (with_node && data[0] & 16)
        fake_node_script(&world.nodes[0], scripts[data[2] % (sizeof scripts / sizeof *scripts)]);
    give(&client, out, len, step);
    world_turns(&world, 3);
    explain_all();
    if (data[0] & 32)
        world_down(&world, 0);
    explain_all();
    sessions_tick(&world.sessions);
    world_turns(&world, 2);
    client_close(&client);
    for (int i = 0; i < 20 && world.sessions.first; i++)
        world_turn(&world);
    assert(!world.sessions.first && world.clients == 0 && world.sessions.held.n == 0);
    return 0;
}
