/* Reading libpq's words: it tells of a failed login in a text only. Pure; any thread. */
#ifndef ROLECALL_HEALTH_PGCONN_ERROR_H
#define ROLECALL_HEALTH_PGCONN_ERROR_H

#include "conf/base/error.h"
#include "health/pgconn.h"

/* The SQLSTATE in an error text made with PQERRORS_VERBOSE ("FATAL:  28P01: password ..."); "" when there is
 * none. */
void pgconn_error_sqlstate(const char *text, char out[6]);

/* Its first line, for people: without what stands before the message, SQLSTATE and control characters. */
void pgconn_error_text(const char *text, char *out, size_t size);

/* What a failed connect was: by errno when the socket told one (0 = none), else by the text. */
enum pgconn_outcome pgconn_error_connect(int socket_errno, const char *text, struct error *error);

#endif
