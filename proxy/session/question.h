/*
 * What an inquiry (inquiry.c) asks a server: one hidden query that answers in rows of (kind, name, value).
 *
 *     's', a setting, its value    NULL: it is not set
 *     'p', '', a pin's name        something is there that pins
 *     't', '', ''                  the connection has a schema for temporary objects
 *
 * The session's thread.
 */
#ifndef ROLECALL_SESSION_QUESTION_H
#define ROLECALL_SESSION_QUESTION_H

#include "proxy/server/server.h"

struct session;

enum depth { DEPTH_NONE, DEPTH_NAMED, DEPTH_ALL }; /* how much of the settings is asked for */

struct question {
    enum depth depth;
    const struct params *names; /* the settings that texts have named; values are of no interest */
    uint32_t pins;              /* enum pin, of PIN_ASKABLE */
};

/* DEPTH_NAMED makes a named setting, if it is not one of the server's already, one that is set to the value
   that it has: only outside of a transaction. False when memory is out. */
bool question_send(struct session *session, struct server *server, const struct question *question);

#endif
