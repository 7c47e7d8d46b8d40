/*
 * The one statement of a request, when that is all there is in it: what rolecall may answer itself. Pure; the
 * session's thread.
 */
#ifndef ROLECALL_SESSION_LONE_H
#define ROLECALL_SESSION_LONE_H

#include "conf/base/slice.h"

#include <stdbool.h>

struct session;

/*
 * True when the request is a Query, or a whole batch with one Parse or Bind or both of the same statement,
 * and at most one Execute. *text lies in the request or in the session's names; *runs: it is executed, not
 * only prepared or described. A string of several statements is told as it is.
 */
bool lone_statement(const struct session *session, struct slice *text, bool *runs);

#endif
