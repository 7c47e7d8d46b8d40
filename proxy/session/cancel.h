/*
 * Cancel requests: from a client's key to the session, from the session to its node.
 *
 * A request reaches a server only while that server runs a query of the very session: until the node has
 * closed the cancel connection (it has sent the signal by then), the server is given to nobody else. Failures
 * are counted and slowed down, since a key of protocol 3.0 has few bits. One thread (the worker's).
 */
#ifndef ROLECALL_SESSION_CANCEL_H
#define ROLECALL_SESSION_CANCEL_H

#include "proxy/session/sessions.h"

void cancels_tick(struct sessions *sessions);
void cancels_close(struct sessions *sessions);

#endif
