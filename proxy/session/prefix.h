/*
 * Hidden queries of a session's own: what must be in place on a server before a request, and how such texts
 * are put together. The session's thread.
 */
#ifndef ROLECALL_SESSION_PREFIX_H
#define ROLECALL_SESSION_PREFIX_H

#include "proxy/server/server.h"
#include "proxy/server/settings.h"
#include "proxy/session/buffer.h"

struct session;

/* A text being put together. Zeroed but for `spares`; running out of memory is told at the end. */
struct sql {
    struct buffer text;
    struct buffer_spares *spares;
    bool failed;
};

void sql_add(struct sql *sql, const char *text);
void sql_add_bytes(struct sql *sql, const char *bytes, size_t len);
/* As a literal that means the same whatever standard_conforming_strings says. */
void sql_add_literal(struct sql *sql, struct slice text);
/* SET name TO 'value'; */
void prefix_add_set(struct sql *sql, const char *name, const char *value);
/* Sends it as a hidden query and releases it; false when memory is out. */
bool sql_send(struct sql *sql, struct server *server, enum injected injected);

/* Puts the session's settings in place on a server outside of a transaction; true when something was sent. */
bool prefix_settings(struct session *session, struct server *server);
/* The same, where it takes away what the server holds prepared: before that is looked at. */
void prefix_before_statements(struct session *session, struct server *server);
/* It was answered with an ERROR, not with the end of the connection: what was sent behind it runs with the
 * settings of before. Cuts the connection; the session is told by lost_server. */
void prefix_refused(struct session *session, struct server *server);
/* The node had trouble of its own (it went away, a conflict with recovery, a timeout), not with what was to
 * be put in place. */
bool prefix_may_succeed_elsewhere(const struct error *error);
/* Settings could not be put in place: true when the session is better off without the one that the error
 * names.
 */
bool prefix_forgives(struct session *session, const struct error *error);
/* Just these values, without a look at what is in place. */
bool prefix_put(struct session *session, struct server *server, const struct params *values);
/* The same for any set, and whatever the transaction's state. */
bool prefix_change(struct session *session, struct server *server, const struct settings *wanted);
/* The settings that a statement is parsed under, but for the one that would take away what is prepared: that
   stays the session's, as PostgreSQL forgets what was parsed under another one. */
bool prefix_change_to_parse(struct session *session, struct server *server, const struct settings *then);

#endif
