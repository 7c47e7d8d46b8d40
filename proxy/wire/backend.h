/*
 * What a server says: parsed on the node's side, built on the client's. Pure; any thread.
 *
 * Parsers take a whole body and return slices into it; false means malformed. Builders return builder_end's
 * answer: false when the message did not fit.
 */
#ifndef ROLECALL_WIRE_BACKEND_H
#define ROLECALL_WIRE_BACKEND_H

#include "conf/base/error.h"
#include "conf/base/slice.h"
#include "proxy/wire/builder.h"
#include "proxy/wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ordered: everything from SEVERITY_ERROR on ends the statement, from SEVERITY_FATAL on the session. */
enum severity {
    SEVERITY_UNKNOWN,
    SEVERITY_DEBUG,
    SEVERITY_LOG,
    SEVERITY_INFO,
    SEVERITY_NOTICE,
    SEVERITY_WARNING,
    SEVERITY_ERROR,
    SEVERITY_FATAL,
    SEVERITY_PANIC
};
const char *severity_name(enum severity severity);

/* ErrorResponse and NoticeResponse. Fields that were not sent are empty (.data NULL). */
struct backend_error {
    enum severity severity; /* from V, which is never localized, else from S */
    char sqlstate[6];       /* "XX000" when there is none */
    struct slice message, detail, hint;
};
bool backend_parse_error(struct slice body, struct backend_error *out);
/* detail and hint may be NULL. */
bool backend_build_error(struct builder *builder, enum severity severity, const char *sqlstate,
    const char *message, const char *detail, const char *hint);
bool backend_build_notice(struct builder *builder, enum severity severity, const char *sqlstate,
    const char *message, const char *detail, const char *hint);

/* ReadyForQuery: 'I' idle, 'T' in a transaction, 'E' in a failed one. */
bool backend_parse_ready(struct slice body, char *status);
bool backend_build_ready(struct builder *builder, char status);

bool backend_parse_parameter_status(struct slice body, struct slice *name, struct slice *value);
bool backend_build_parameter_status(struct builder *builder, struct slice name, struct slice value);

/* The secret has 4 to 256 bytes. */
bool backend_parse_key_data(struct slice body, uint32_t *pid, struct slice *secret);
bool backend_build_key_data(struct builder *builder, uint32_t pid, struct slice secret);

/* Authentication requests, by PostgreSQL's codes. */
enum auth_request {
    AUTH_REQUEST_OK = 0,
    AUTH_REQUEST_KRB5 = 2,
    AUTH_REQUEST_CLEARTEXT = 3,
    AUTH_REQUEST_MD5 = 5,
    AUTH_REQUEST_GSS = 7,
    AUTH_REQUEST_GSS_CONTINUE = 8,
    AUTH_REQUEST_SSPI = 9,
    AUTH_REQUEST_SASL = 10,
    AUTH_REQUEST_SASL_CONTINUE = 11,
    AUTH_REQUEST_SASL_FINAL = 12
};
struct backend_authentication {
    uint32_t code;         /* one of auth_request, or something newer */
    unsigned char salt[4]; /* MD5 */
    struct slice data;     /* SASL: the list of mechanisms; CONTINUE, FINAL: the mechanism's bytes */
};
bool backend_parse_authentication(struct slice body, struct backend_authentication *out);
/* Mechanisms of a SASL request, in order of preference: start with *at = 0; false at the end. */
bool backend_next_mechanism(const struct backend_authentication *request, size_t *at, struct slice *name);
bool backend_build_authentication_ok(struct builder *builder);
bool backend_build_authentication_cleartext(struct builder *builder);
bool backend_build_authentication_md5(struct builder *builder, const unsigned char salt[4]);
/* SCRAM-SHA-256-PLUS first when `plus`, then SCRAM-SHA-256. */
bool backend_build_authentication_sasl(struct builder *builder, bool plus);
bool backend_build_authentication_sasl_continue(struct builder *builder, struct slice data);
bool backend_build_authentication_sasl_final(struct builder *builder, struct slice data);

bool backend_parse_command_complete(struct slice body, struct slice *tag);
bool backend_build_command_complete(struct builder *builder, struct slice tag);

/* ParseComplete, BindComplete, CloseComplete, EmptyQueryResponse, NoData, PortalSuspended: builder_empty. */

/* NegotiateProtocolVersion: the version that the server will speak, and how many _pq_ options it does not
 * know. */
bool backend_parse_negotiate(struct slice body, uint32_t *version, uint32_t *n_unknown);
bool backend_build_negotiate(
    struct builder *builder, uint32_t version, const struct slice *unknown, size_t n_unknown);

/* Results made here (SHOW, the admin console): all columns are text. A value with .data NULL is NULL. */
bool backend_build_text_columns(struct builder *builder, const char *const *names, size_t n);
bool backend_build_text_row(struct builder *builder, const struct slice *values, size_t n);

#endif
