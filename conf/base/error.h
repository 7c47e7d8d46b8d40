/*
 * What went wrong, as a client can be told it: an SQLSTATE and one line of text.
 *
 * Functions that can fail return false and fill a struct error that the caller owns. Library codes are
 * translated where the library is called; an error is logged once, where it is handled.
 */
#ifndef ROLECALL_BASE_ERROR_H
#define ROLECALL_BASE_ERROR_H

#include <stdbool.h>

#define ERROR_TEXT_MAX 512

struct error {
    char sqlstate[6];
    char text[ERROR_TEXT_MAX];
};

/* Fills `error` (NULL is allowed) and returns false, so that `return error_set(...)` reads well. */
bool error_set(struct error *error, const char *sqlstate, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* SQLSTATEs that rolecall itself reports (PostgreSQL documentation, appendix A). */
#define SQLSTATE_CONNECTION_EXCEPTION "08000"
#define SQLSTATE_CONNECTION_FAILURE "08006"
#define SQLSTATE_OUTCOME_UNKNOWN "08007"
#define SQLSTATE_PROTOCOL_VIOLATION "08P01"
#define SQLSTATE_FEATURE_NOT_SUPPORTED "0A000"
#define SQLSTATE_INVALID_PARAMETER "22023"
#define SQLSTATE_IN_FAILED_TRANSACTION "25P02"
#define SQLSTATE_IDLE_IN_TRANSACTION "25P03"
#define SQLSTATE_INVALID_STATEMENT_NAME "26000"
#define SQLSTATE_INVALID_AUTHORIZATION "28000"
#define SQLSTATE_INVALID_PASSWORD "28P01"
#define SQLSTATE_INVALID_DATABASE "3D000"
#define SQLSTATE_SERIALIZATION_FAILURE "40001"
#define SQLSTATE_INSUFFICIENT_PRIVILEGE "42501"
#define SQLSTATE_DUPLICATE_STATEMENT "42P05"
#define SQLSTATE_OUT_OF_MEMORY "53200"
#define SQLSTATE_TOO_MANY_CONNECTIONS "53300"
#define SQLSTATE_LIMIT_EXCEEDED "53400"
#define SQLSTATE_PROGRAM_LIMIT_EXCEEDED "54000"
#define SQLSTATE_QUERY_CANCELED "57014"
#define SQLSTATE_ADMIN_SHUTDOWN "57P01"
#define SQLSTATE_OBJECT_NOT_IN_STATE "55000"
#define SQLSTATE_CANNOT_CONNECT_NOW "57P03"
#define SQLSTATE_IDLE_SESSION_TIMEOUT "57P05"
#define SQLSTATE_CONFIG_FILE_ERROR "F0000"
#define SQLSTATE_INTERNAL_ERROR "XX000"

#endif
