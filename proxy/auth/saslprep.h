/* Passwords as PostgreSQL prepares them for SCRAM: SASLprep (RFC 4013) where it applies. Any thread. */
#ifndef ROLECALL_AUTH_SASLPREP_H
#define ROLECALL_AUTH_SASLPREP_H

#include "conf/base/slice.h"

/*
 * The prepared text in a new NUL-terminated block that the caller wipes and frees, or NULL when the bytes are
 * to be used as they are: pure ASCII, not UTF-8, refused by the profile, or nothing left of it.
 */
char *saslprep(struct slice password);

#endif
