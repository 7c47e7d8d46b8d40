/*
 * What the messages of a request do to the session's names of prepared statements: applied when they are
 * collected, known in their order while they are sent, and taken back as far as the node did not do them. The
 * session's thread.
 */
#ifndef ROLECALL_SESSION_CHANGES_H
#define ROLECALL_SESSION_CHANGES_H

#include "proxy/session/session.h"

/* A name is given to a statement (takes over the reference); a taken one is noted as a duplicate. False when
   memory is out. */
bool changes_add(struct session *session, enum name_cause cause, uint32_t ordinal, struct slice name,
    struct prepared *prepared);
/* A name is given up; noted also when there is none. */
bool changes_remove(struct session *session, enum name_cause cause, uint32_t ordinal, struct slice name);
bool changes_remove_all(struct session *session, uint32_t ordinal);

/* What a name stands for at the point up to which the request has been sent; NULL: nothing. */
struct prepared *changes_find(struct session *session, struct slice name);
/* What the n-th message of this kind gave a name to; NULL when it did not. */
const struct name_change *changes_nth(const struct request *request, enum name_cause cause, uint32_t ordinal);
/* The PREPARE of this name that is sent next; NULL when there is none. */
const struct name_change *changes_next_prepare(const struct request *request, struct slice name);

/* Takes back what was not done. `server` (may be NULL) forgets statements that were not prepared. */
void changes_undo(struct session *session, struct server *server);
/* The same of a batch without an error: what was bound and not run. */
void changes_undo_bound(struct session *session, struct server *server);

/* The client's name for the statement with this id; false when it has none. */
bool changes_client_name(const struct session *session, uint64_t id, struct slice *name);

#endif
