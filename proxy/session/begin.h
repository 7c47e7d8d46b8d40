/*
 * BEGIN, answered before a server is chosen; the story is in begin.c. The session's thread.
 */
#ifndef ROLECALL_SESSION_BEGIN_H
#define ROLECALL_SESSION_BEGIN_H

#include "proxy/session/transfer.h"
#include "router/classify.h"
#include "router/transaction_statement.h"

#include <stdbool.h>

struct answer;
struct error;
struct request;
struct server;
struct session;

enum begin_state {
    BEGIN_NONE,   /* no transaction is open, or it is where the server says */
    BEGIN_OWED,   /* answered; no server has heard of it */
    BEGIN_SENT,   /* at a server, ahead of the first statement; the client has nothing of that yet */
    BEGIN_REFUSED /* the server gave an error to the BEGIN itself, and has run nothing behind it */
};

/* default_transaction_isolation of a session that has not set it. */
enum default_isolation { DEFAULT_ISOLATION_UNKNOWN, DEFAULT_ISOLATION_COMMITTED, DEFAULT_ISOLATION_ABOVE };

struct begin {
    enum begin_state state;
    struct transaction_modes modes; /* of the open transaction, as far as it began here */
    bool reads_only;                /* READ ONLY, and nothing in it may have changed that */
    enum transfer transfer;         /* whether it may leave its replica, or has */
    bool has_read;                  /* there: it may have taken a snapshot */
    bool suspended;                 /* there: the portal without a name may be open */
    uint64_t shape;                 /* of its first statement */
};

/* SAVEPOINT, SET LOCAL: it changes the transaction alone, wherever that is. Not PREPARE, whose name is the
   session's and no server's. */
bool begin_is_of_transaction(const struct request *request);

/* Answers the request when it begins a transaction, or shapes or ends one of which no server has heard. */
bool begin_answer(struct session *session);
/* ... would do so. */
bool begin_answers(const struct session *session);
/* Answers a BEGIN READ ONLY that is all there is of its batch so far. True: what is coming is another
 * request. */
bool begin_answer_ahead(struct session *session);

/* The transaction may be put on a replica by its first statement, which is this request. */
bool begin_leaves_primary(const struct session *session);
/* A BEGIN READ ONLY that is sent as it is may go to a replica. */
bool begin_is_read_committed(const struct session *session, const struct transaction_modes *modes);

/* Sends the BEGIN that is owed; true when there is none, or it was sent. To be called where nothing but the
   first statement follows up to its Sync. */
bool begin_send(struct session *session, struct server *server);

/* What the first statement brought: an error; something that goes to the client; nothing, since it is run
   again elsewhere. */
void begin_on_error(struct session *session, struct server *server, const struct answer *answer);
void begin_on_answer(struct session *session);
void begin_again(struct session *session);

/* The status for the client at the end of a request, when the server says `status`. */
char begin_status(struct session *session, char status);
/* A request has ended with this status. */
void begin_settle(struct session *session, char status);
/* The transaction has failed without a server, until ROLLBACK. */
void begin_fail(struct session *session);

/* The request adds nothing to what the session has written. */
bool begin_only_reads(const struct session *session);

/* The request would leave something on a replica's connection that belongs to the primary. */
bool begin_forbids(const struct session *session, struct error *error);

#endif
