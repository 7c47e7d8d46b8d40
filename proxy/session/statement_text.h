/*
 * The text of what a session has prepared. Lies in the session; the session's thread.
 */
#ifndef ROLECALL_SESSION_STATEMENT_TEXT_H
#define ROLECALL_SESSION_STATEMENT_TEXT_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct session;

/* Of the statement with this name ("" is the unnamed one), as of all that was collected. False: there is
 * none. */
bool statement_text(const struct session *session, struct slice name, struct slice *text);

/* What the n-th Execute of the request runs, as far as the request's own messages tell it, or the text of its
   one Query. */
bool statement_text_run(const struct session *session, uint32_t nth_execute, struct slice *text);

#endif
