/*
 * Prepared statements whose meaning has changed on the way: parsed before a change of the schema, or gone
 * from a server. The session's thread.
 */
#ifndef ROLECALL_SESSION_STALE_H
#define ROLECALL_SESSION_STALE_H

#include "proxy/session/session.h"

/* A server described a statement: to the client, or (hidden) to rolecall alone. */
void stale_on_description(struct session *session, const struct answer *answer, bool hidden);

/* False as long as nothing has changed since the session was first told of columns. */
bool stale_is_possible(const struct session *session);
/* The client was told of this statement's columns before the schema changed, and will not be told again in
   this batch. */
bool stale_is_suspect(struct session *session, const struct name *name);
/* ... and they are others now: the client gets what a connection of its own would say. */
bool stale_is_other(struct session *session, struct slice name, const struct prepared *prepared);

/* An error says that a statement is stale or gone: no server uses it any more. True: the request will run
   again when the server is ready, and the error goes nowhere. */
bool stale_on_error(struct session *session, struct server *server, const struct answer *answer);

#endif
