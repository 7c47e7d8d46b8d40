/*
 * rolecall's own settings, named "rolecall.*": SHOW, SET and RESET of them as statements of their own, and at
 * connection start. They belong to the session and never reach a server. The session's thread.
 */
#ifndef ROLECALL_SESSION_OWN_SETTINGS_H
#define ROLECALL_SESSION_OWN_SETTINGS_H

#include "conf/base/error.h"
#include "conf/base/slice.h"

#include <stdbool.h>

struct session;

/* Sets one, named without the prefix; "default" resets it. */
bool own_set(struct session *session, struct slice name, struct slice value, struct error *error);

/* Answers the request when it is SHOW, SET or RESET of one; true when it did. */
bool own_answer(struct session *session);

#endif
