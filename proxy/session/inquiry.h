/*
 * What a transaction left in its session, asked of the server that ran it.
 *
 *     collecting -> (ReadyForQuery outside of a transaction) -> asking -> restoring -> gone
 *
 * Statements that may change the session are noted while they are collected. When the transaction is over,
 * before the client hears ReadyForQuery, one hidden query asks the server for the settings that the session
 * now has, and whether anything is there that keeps the session on this server (enum pin). So what was rolled
 * back, set by a function, or written in a way that only PostgreSQL understands is known as it is. Nothing is
 * asked of a transaction in which nothing was noted. The session's thread.
 */
#ifndef ROLECALL_SESSION_INQUIRY_H
#define ROLECALL_SESSION_INQUIRY_H

#include "proxy/server/server.h"
#include "router/classify.h"

struct session;
struct inquiry;

/* A statement of the request that is being collected. */
void inquiry_note(struct session *session, const struct classification *class, struct slice text);

/* A text is run, not only parsed: it may give settings back. `has_null`: one of its parameters is NULL. */
void inquiry_runs(struct session *session, struct slice text, bool has_null);

/* The statement was noted by what may be no longer right: it is to be noted anew when the catalogue is read.
   Until then the session keeps its server. */
void inquiry_doubt(struct session *session, struct slice text);

/* The session's catalogue was read: what was in doubt may be settled, and the server given back. */
void inquiry_on_catalogue(struct session *session);

/* True while a setting that matters when parsing may be other than the session's set says. */
bool inquiry_unsure(const struct session *session);

/* The server may hold statements that SQL has prepared there and that the session's names do not tell of. */
bool inquiry_may_have_prepared(const struct session *session);

/* A command tag of the answer, or one of its errors, was seen. */
void inquiry_saw_tag(struct session *session, struct slice tag);

/* The answer is whole but for its ReadyForQuery. True: that must wait until inquiry_on_done says so. */
bool inquiry_begin(struct session *session, struct server *server, char status);
void inquiry_on_row(struct session *session, const struct answer *answer);
/* An injected query of a inquiry is through. True: it is over, and *status is the transaction's status. */
bool inquiry_on_done(struct session *session, struct server *server, char *status);
bool inquiry_is_asking(const struct session *session);

/* Forgets all, for instance when the server is gone. */
void inquiry_free(struct session *session);

/* The settings that the session falls back to: what it asked for when it began, unless its connections were
   opened with them. */
const struct settings *session_base(const struct session *session);
/* Takes over the reference. */
void session_set_settings(struct session *session, const struct settings *settings);

#endif
