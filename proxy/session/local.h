/* Answers that rolecall gives itself to a whole request, in either protocol, as a server would. */
#ifndef ROLECALL_SESSION_LOCAL_H
#define ROLECALL_SESSION_LOCAL_H

#include "proxy/session/session.h"

struct local_result {
    const char *tag;    /* of CommandComplete; NULL = fail with `error` */
    const char *column; /* one row of one text column; NULL = no rows */
    const char *value;
    struct error error;
};

/* Writes the answers to every message of the request up to, but without, its ReadyForQuery. False when the
   result was an error (the rest of a batch is then skipped). */
bool local_answer(struct session *session, const struct local_result *result);

/* The same and the end of the request: ReadyForQuery with this status, and the next one. */
void local_finish(struct session *session, const struct local_result *result, char status);

#endif
