/*
 * Prepared statements on the way to a server: the session's names turned into the server's, and what the
 * server lacks prepared there first. Everything here writes to the server and accounts for it; false: memory
 * is out. The session's thread.
 */
#ifndef ROLECALL_SESSION_PREPARE_H
#define ROLECALL_SESSION_PREPARE_H

#include "proxy/session/buffer.h"
#include "proxy/session/session.h"

/* The name of a statement that is never there. Who sends it answers with an error of his own; see wording.h.
 */
#define PREPARE_STALE_ID 0
/* One that is there, and does nothing, to be run into by a client that gives a name for the second time. */
#define PREPARE_TAKEN_ID UINT64_MAX

/* The statement is there afterwards, unless the node refuses it: hidden. */
bool prepare_ensure(struct session *session, struct server *server, const struct prepared *prepared);
/* The server says what columns it has there (stale.c): hidden. */
bool prepare_describe(struct server *server, const struct prepared *prepared);
/* It is not there any more afterwards: the next prepare_ensure parses it anew. */
bool prepare_forget(struct server *server, const struct prepared *prepared);
/* The client's own Parse of a shared statement. */
bool prepare_parse(struct session *session, struct server *server, const struct prepared *prepared);
/* One that fails since the name is taken, unless its text is at fault, and changes nothing. */
bool prepare_duplicate(struct server *server, const struct frontend_parse *parse);
/* The same under the client's own name first: where the node has names that the session does not know of, it
   shall say whether this is one. */
bool prepare_parse_by_name(struct session *session, struct server *server, const struct frontend_parse *parse,
    const struct prepared *prepared);
/* The client closes a statement that only the node may know. */
bool prepare_close_by_name(struct server *server, struct slice name);
/* The session's unnamed statement is there afterwards: hidden. */
bool prepare_unnamed(struct session *session, struct server *server);
/* The same for a statement whose text names others, under the names that these have now. */
bool prepare_renamed(
    struct session *session, struct server *server, struct slice query, uint16_t n_types, struct slice types);
/* A simple Query whose text names prepared statements. */
bool prepare_query(struct session *session, struct server *server, struct slice query);

/* A name that the session does not know, as it may be sent: it must not meet one of rolecall's own. The
   result lies in `out`, or is the name itself. */
struct slice prepare_unknown(struct slice name, char out[STATEMENT_NAME_MAX + 8]);

/* In a stream: the server is asked for the columns of what this Bind binds, where they could be others than
   the client was told. True: the Bind must wait until it has said so (request.probing). */
bool prepare_asks(struct session *session, struct server *server, struct slice statement, bool *fine);

/* What must be on the server before the request, but cannot be put there within it: statements that were
   parsed under other settings, and a look at what has changed since the client was told. True: the answer
   must be waited for; dispatch_go_on follows. False with `*fine` false: memory is out. */
bool prepare_ahead(struct session *session, struct server *server, bool *fine);

#endif
