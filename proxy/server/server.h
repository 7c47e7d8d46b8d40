/*
 * One connection to a node: connect, TLS, login, then exchanges on behalf of one session at a time.
 *
 *     connecting -> asking -> handshake -> login -> setup -> idle <-> active
 *                                                             ^  -> resetting
 *
 * The server parses what the node says, keeps account of what it still owes (expect.h), of the transaction
 * status, of its parameters and its prepared statements, and hands the answers to whoever uses it. It knows
 * nothing of pools and sessions: its owner (the pool) hears on_ready and on_end, its user (a session) the
 * answers. One thread; it may move to another worker while idle (server_detach, server_attach).
 */
#ifndef ROLECALL_SERVER_SERVER_H
#define ROLECALL_SERVER_SERVER_H

#include "conf/base/error.h"
#include "conf/base/slice.h"
#include "proxy/auth/scram_client.h"
#include "proxy/auth/secret.h"
#include "proxy/server/expect.h"
#include "proxy/server/params.h"
#include "proxy/server/settings.h"
#include "proxy/server/statements.h"
#include "proxy/stream/stream.h"
#include "proxy/wire/backend.h"
#include "router/topology.h"

#include <stdbool.h>
#include <stdint.h>

enum server_state {
    SERVER_CONNECTING,
    SERVER_ASKING,    /* SSLRequest sent */
    SERVER_HANDSHAKE, /* TLS */
    SERVER_LOGIN,
    SERVER_SETUP, /* connect_query runs */
    SERVER_IDLE,
    SERVER_ACTIVE,    /* a session uses it */
    SERVER_RESETTING, /* ROLLBACK / DISCARD ALL runs */
    SERVER_RAW,       /* a relay: bytes are passed on unparsed */
    SERVER_CLOSED
};

/* What the node said, one message or a part of one; `bytes` are to be passed on as they are. */
struct answer {
    char type;
    const char *bytes; /* with the header when `first` */
    size_t len;
    bool first, last;      /* of a message that comes in parts; both true when whole (or a run of rows) */
    bool followed;         /* more of what the node said is here already */
    bool hidden;           /* belongs to an injected request: not for the client */
    bool inquiry;          /* ... of INJECTED_INQUIRY */
    bool injected;         /* an error of a hidden message, told in place of what the client hears next */
    bool ahead;            /* ... which precedes the client's request */
    bool within;           /* ... which is of what the client runs: its Bind has done well */
    enum expect_kind kind; /* of what it answers */
    uint64_t about;        /* the user's word for the statement that is run or described; 0: none */
    bool copy_ended;       /* CopyInResponse: the client has sent all data already */
    char status;           /* ReadyForQuery */
    const struct backend_error *error; /* ErrorResponse and NoticeResponse that were whole */
};

struct server;

/* Requests of rolecall's own among those of a session. */
enum injected {
    INJECTED_PREFIX, /* its rows are of no interest */
    INJECTED_INQUIRY /* its rows are for the user: on_inquiry */
};

struct server_owner_events {
    void (*on_ready)(struct server *server);
    /* The connection failed or broke; state tells how far it was. The owner closes it. */
    void (*on_end)(struct server *server, enum stream_end end, const struct error *error);
};

struct server_user_events {
    void (*on_answer)(void *user, struct server *server, const struct answer *answer);
    void (*on_raw)(void *user, struct server *server, const char *bytes, size_t len);
    void (*on_drained)(void *user, struct server *server);
    /* A DataRow of INJECTED_INQUIRY, or a part of one. */
    void (*on_inquiry)(void *user, struct server *server, const struct answer *answer);
    /* A RowDescription or NoData of a hidden Describe; may be NULL. */
    void (*on_described)(void *user, struct server *server, const struct answer *answer);
    /* An injected query is through (server.prefix_failed tells how). */
    void (*on_prefix_done)(void *user, struct server *server);
};

/* How to reach and enter a node. Everything is copied or referenced by server_open. */
struct server_target {
    const struct topology_node *node;
    struct tls_context *tls; /* NULL = none */
    bool tls_required;       /* false: go on without when the node declines */
    const char *user, *database;
    const struct params *settings; /* extra startup parameters; may be NULL */
    const struct secret *secret;   /* lives as long as the server (the pool's) */
    struct secret *cached_keys;    /* the pool's: derived SCRAM keys are left here; may be NULL */
    const char *connect_query;     /* NULL = none; copied */
    const char *replication;       /* value of the `replication` startup parameter; NULL = none */
    uint64_t connect_timeout_ms, login_timeout_ms;
    uint64_t keepalive_ms, user_timeout_ms;
    size_t high_water;
    /* The node itself asks the client: StartupMessage is `startup`, and after it the server is RAW. */
    struct slice startup; /* .data NULL = log in as `user` */
};

struct server {
    struct stream stream;
    struct reactor *reactor;
    enum server_state state;
    const struct server_owner_events *owner_events;
    const struct server_user_events *user_events; /* NULL when nobody uses it */
    void *user;

    struct node_live *node;
    uint32_t generation, moves; /* of its node's entry then */
    enum node_role role;        /* of the node when the connection was made */

    char tx_status;
    struct expect_queue expect;
    size_t passing; /* bytes of the current large message still to come */
    char passing_type;
    bool passing_hidden, passing_inquiry;
    bool shutdown_warned;   /* WARNING 57P01 / 57P02 was seen */
    char fatal_sqlstate[6]; /* of a FATAL; "" = none */
    bool prefix_failed;     /* an injected query was answered by an error */
    struct error prefix_error;

    struct params params;           /* ParameterStatus, as the node last said */
    struct params native;           /* startup settings that it was opened with */
    const struct settings *applied; /* settings put in place since; one reference; NULL: none */
    struct params carried;          /* the same while it moves between workers */
    struct statements statements;
    bool has_temporary; /* somebody has made something temporary here: a schema for that is searched since */
    bool dirty;         /* session state may be left on it: reset before anybody else uses it */
    bool spent;         /* nobody else uses it: no reset takes away its state, or the administrator said so */
    uint64_t writer;    /* the session whose work may have left values of sequences here; 0: nobody's */

    uint32_t key_pid;
    size_t key_len;
    unsigned char key[256];
    struct sockaddr_storage address;
    socklen_t address_len;

    struct login *login; /* only until it is idle for the first time */
    uint32_t cancels;    /* cancel requests on their way for it: not to be given to anybody else, nor freed */
    bool buried;         /* closed, and freed when the last cancel request is through */
    uint64_t opened_ms, used_ms, deadline_ms; /* uv_now of the reactor's loop */

    /* The pool's. */
    struct server *prev, *next;
    uint64_t opening_us; /* when it was opened */
    int placed;          /* in which list; -1 = none */
    void *pool;
    void *ledger;
    void *claim;
};

/* Starts connecting. NULL fills the error (no address known, out of memory, refused at once). */
struct server *server_open(struct reactor *reactor, const struct server_target *target,
    const struct server_owner_events *events, struct error *error);
/* Idempotent; the memory is freed when the turn is over. */
void server_close(struct server *server);

/* tx_status is this now; the node's count of open transactions follows. */
void server_note_transaction(struct server *server, char status);

/* One cancel request less; frees a server that was closed meanwhile. */
void server_cancel_done(struct server *server);

/* Gives an idle server to a session, and takes it back. */
void server_link(struct server *server, const struct server_user_events *events, void *user);
void server_unlink(struct server *server);

/* Sends bytes that were already accounted for with expect_push. */
void server_send(struct server *server, const void *bytes, size_t len);
/* Sends an injected simple query whose answer is hidden. */
bool server_inject_query(struct server *server, const char *query, enum injected injected);
/* Sends BEGIN ahead of a statement, as extended protocol without a Sync; its answers are hidden, its error is
   the user's. tx_status is T as soon as it is through. */
bool server_inject_begin(struct server *server, const char *text);
/* Cleans an unlinked server: ROLLBACK when in a transaction, DISCARD ALL; on_ready follows. */
void server_reset(struct server *server);

/* Idle, owes nothing, nothing buffered: may move to another worker. */
bool server_is_movable(const struct server *server);
void server_detach(struct server *server);
/* Ends a detached server that no loop polls. */
void server_abandon(struct server *server);
void server_attach(struct server *server, struct reactor *reactor, const struct server_owner_events *events);

/* Address of a node for connect(2). False when it is not known yet. */
bool server_address(const struct topology_node *node, struct sockaddr_storage *out, socklen_t *len);

/* The node's name stands for other addresses by now. */
static inline bool server_is_elsewhere(const struct server *server, const struct topology_node *node)
{
    return server->moves != node->moves;
}

const char *server_state_name(enum server_state state);

#endif
