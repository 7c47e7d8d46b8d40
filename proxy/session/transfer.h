/*
 * A READ ONLY transaction leaves its replica in the middle, when a statement comes that belongs to the
 * primary; the story is in transfer.c. The session's thread.
 */
#ifndef ROLECALL_SESSION_TRANSFER_H
#define ROLECALL_SESSION_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

struct request;
struct server;
struct session;

enum transfer {
    TRANSFER_NEVER,    /* no transaction, or one that nobody has to move, or may */
    TRANSFER_POSSIBLE, /* on a replica, and whatever it consists of can be done again */
    TRANSFER_DUE       /* on its way to the primary, or there */
};

/* The transaction's BEGIN has been sent to this server; what else precedes its next statement follows it.
   False: out of memory. */
bool transfer_on_begin(struct session *session, struct server *server);

/* What the request does to its transaction could be done again on the primary. */
bool transfer_may_keep(const struct session *session);

/* The request belongs to the primary, and its transaction is on a replica and can be moved. */
bool transfer_is_due(const struct session *session);
/* Before the request is routed: when it belongs to the primary and its transaction is on a replica, the
   replica is given back and the BEGIN is owed again. */
void transfer_look(struct session *session);

/* A request has ended with this status of its transaction. */
void transfer_settle(struct session *session, char status);

/* Transactions that begin with this request have been moved before. */
bool transfer_is_likely(struct session *session);

#endif
