/*
 * Prepared statements whose meaning has changed on the way: parsed before a change of the schema, or gone
 * from a server. The session's thread.
 */
#ifndef ROLECALL_SESSION_STALE_H
#define ROLECALL_SESSION_STALE_H

#include "proxy/session/session.h"

/* In place of a statement's key, for what is asked about the unnamed one. */
#define ABOUT_UNNAMED UINT64_MAX

enum stale {
    STALE_NOT,    /* the client was told of nothing else than the server has, or will be told anew */
    STALE_UNSURE, /* the server says on the way whether it is */
    STALE_HELD,   /* they differ, the client will be told anew: what the server holds may be the older one */
    STALE_TOLD    /* they differ: the client gets what a connection of its own would say */
};

/* A server described a statement: to the client, or (hidden) to rolecall alone. */
void stale_on_description(
    struct session *session, struct server *server, const struct answer *answer, bool hidden);

/* While a request is collected: the client binds a statement, or is told of a portal's columns. */
void stale_note_bind(struct session *session, const struct frontend_bind *bind);
void stale_note_describe(struct session *session, const struct frontend_target *target);

/* The server must be asked for the columns of this statement before it is bound: what it lacks would be
   parsed there now, and could have others than those that the client relies on. */
bool stale_must_ask(const struct session *session, const struct server *server, const struct name *name);
bool stale_must_ask_unnamed(const struct session *session, const struct server *server);
/* ... and what has come of it. */
enum stale stale_look(const struct session *session, const struct server *server, struct slice name,
    const struct prepared *prepared);
bool stale_is_other_unnamed(const struct session *session);

/* An error says that a statement is stale or gone: no server uses it any more. True: the request will run
   again when the server is ready, and the error goes nowhere. */
bool stale_on_error(struct session *session, struct server *server, const struct answer *answer);

#endif
