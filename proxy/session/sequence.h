/*
 * What a session may ask of its sequences (currval, lastval) on servers that it shares. The session's thread.
 */
#ifndef ROLECALL_SESSION_SEQUENCE_H
#define ROLECALL_SESSION_SEQUENCE_H

#include <stdbool.h>

struct session;
struct server;

/* Before the request: sends what makes the server forget another session's values, if need be. False when
 * memory is out. */
bool sequence_guard(struct session *session, struct server *server);
/* After it. */
void sequence_settle(struct session *session, struct server *server);

#endif
