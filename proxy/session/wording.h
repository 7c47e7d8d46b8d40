/* Errors and notices of a node in the client's words: its names of prepared statements instead of the
 * server's, and positions in its own text. The session's thread. */
#ifndef ROLECALL_SESSION_WORDING_H
#define ROLECALL_SESSION_WORDING_H

#include "conf/base/slice.h"
#include "proxy/session/session.h"

/* Writes a whole ErrorResponse or NoticeResponse to the client; `kind` is of what the node was doing. */
void wording_write(struct session *session, struct slice message, enum expect_kind kind);

#endif
