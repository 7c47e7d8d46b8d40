/*
 * What RESET gives back: not the server's default but what the client asked for when it began, which servers
 * know nothing of. Texts that may give something back are noted when they are run; what then is no longer set
 * on the server is put in place (inquiry.c). The session's thread.
 */
#ifndef ROLECALL_SESSION_RESETS_H
#define ROLECALL_SESSION_RESETS_H

#include "proxy/server/settings.h"

struct server;
struct session;

/* Zeroed at first. */
struct resets {
    bool spoken;        /* a text that was run since speaks of giving settings back */
    struct params mute; /* ... of these among others, whose value would not show it; values are empty */
};

void resets_fini(struct resets *resets);
/* What was given back is in place, as a part of the transaction, or was undone. */
void resets_forget(struct resets *resets);
/* The word stands in the text, whatever it means there. */
bool resets_mentions(struct slice text, const char *word);
/* A text is run. `base` is what the client asked for; `has_null`: a parameter of it is NULL. */
void resets_note(struct resets *resets, const struct settings *base, struct slice text, bool standard_strings,
    bool has_null);

/* The setting has gone back to the server's default, as far as `found`, what is set there, tells. */
bool resets_gave_back(const struct resets *resets, const struct params *found, const char *name);

enum resets_put { RESETS_UNTOLD, RESETS_NOTHING, RESETS_SENT };

/* In a transaction, behind a request that is one RESET and nothing else: puts in place what it gave back,
   hidden, with no snapshot taken, so that the transaction's modes may still be set. UNTOLD: what must be put
   there is not known, or cannot be by SET. */
enum resets_put resets_put_by_name(struct session *session, struct server *server);

#endif
