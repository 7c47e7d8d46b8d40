/*
 * A node that says what a test wants: a Unix socket in a folder of its own, served from the test's thread.
 *
 * Logins are answered with `login`. Each Query, Sync, CopyDone and CopyFail takes the next scripted answer
 * (words of talk.h, and EOF: close; RST: close with unread input; SKIP: what comes before a Sync is skipped),
 * or, when no script is left, an answer that fits what was asked. What every connection heard stands in
 * `heard`.
 */
#ifndef ROLECALL_TESTS_FAKE_NODE_H
#define ROLECALL_TESTS_FAKE_NODE_H

#include "tests/unit/server/talk.h"

#include <stdbool.h>
#include <stdint.h>

#define FAKE_PEERS 32
#define FAKE_SCRIPTS 64

struct fake_peer {
    int fd; /* -1 = closed */
    bool started;
    bool silent;   /* reads and answers nothing */
    bool begins;   /* the last Parse was a BEGIN */
    bool skipping; /* up to Sync, after an error */
    char *in;      /* TALK_MAX bytes */
    size_t in_len;
    char heard[32 * 1024];
    char owed[1024]; /* answers to the extended protocol's messages since the last Sync */
    char status;
};

struct fake_node {
    char folder[64];
    int listener; /* -1 = refuses */
    struct fake_peer peers[FAKE_PEERS];
    int n_peers; /* ever accepted */
    int cancels; /* CancelRequests heard */
    const char *login;
    char ssl_answer;     /* to SSLRequest; 0 = none */
    const char *columns; /* word that answers Describe; NULL: n */
    char *scripts[FAKE_SCRIPTS];
    int first_script, n_scripts;
    const char *refuses; /* says this, once, to a change of settings; NULL: nothing */
    bool silent;         /* for connections to come */
    bool tells_nothing;  /* what a transaction left in its session: the question is cancelled */
    bool accepts;        /* false: connections stay in the backlog */
};

void fake_node_open(struct fake_node *node);
void fake_node_close(struct fake_node *node);
/* Stops listening (connects are refused) and begins again. */
void fake_node_refuse(struct fake_node *node);
void fake_node_listen(struct fake_node *node);
/* Accepts, reads and answers whatever there is; never waits. True when something happened. */
bool fake_node_serve(struct fake_node *node);
void fake_node_script(struct fake_node *node, const char *words);
/* Says it now to the peer. */
void fake_node_say(struct fake_node *node, int peer, const char *words);
void fake_node_send(struct fake_node *node, int peer, const void *bytes, size_t len);
void fake_node_drop(struct fake_node *node, int peer);
int fake_node_open_peers(const struct fake_node *node);
/* Of all connections together. */
int fake_node_count(const struct fake_node *node, const char *word);

#endif
