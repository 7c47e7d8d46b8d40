/* Parses what a logged-in node says and settles it against what it owes. Used by server.c. */
#ifndef ROLECALL_SERVER_ANSWER_H
#define ROLECALL_SERVER_ANSWER_H

#include "proxy/server/server.h"

/* For stream_events.on_data. */
size_t answer_parse(struct server *server, const char *bytes, size_t len);

/* Gives the answers that rolecall itself owes now (EXPECT_LOCAL at the head of the queue). */
void answer_local(struct server *server);

#endif
