/*
 * Reads the body of an SQL or PL/pgSQL function for the names in it: what it calls, and what may be a
 * relation; and for what it leaves in the session. Pure; any thread.
 *
 * A stable or immutable function cannot write by a statement of its own (PostgreSQL refuses that wherever it
 * runs), but it can call one that does, or ask something that only the primary knows. So only names matter
 * for that. Statements that change the session (SET, LISTEN, PREPARE ...) are allowed in any function.
 */
#ifndef ROLECALL_ROUTER_SQL_FUNCTION_TEXT_H
#define ROLECALL_ROUTER_SQL_FUNCTION_TEXT_H

#include "conf/base/slice.h"

#include <stdbool.h>

struct function_text_events {
    void *context;
    /* A name before a parenthesis; schema "" when none is written. may_be_syntax: where PL/pgSQL's or SQL's
       grammar may mean something else than a call ("over (", "return ("). Strings are valid during the call.
     */
    void (*call)(void *context, const char *schema, const char *name, bool may_be_syntax);
    /* Any other name: perhaps a relation. */
    void (*name)(void *context, const char *schema, const char *name);
    /* A statement of its own changes the session: SET but for SET LOCAL, CREATE TEMP, LISTEN, WITH HOLD ...;
       set_config() whose third argument is not TRUE, too. Other functions are told by call alone. */
    void (*session)(void *context);
    /* Dynamic SQL, or text that is not understood: it may do anything. */
    void (*unreadable)(void *context);
    /* NULL, or: what it leaves in the session cannot be asked for afterwards: LOAD; set_config() for the
       session with a name that is no literal. setseed() is told by call. */
    void (*opaque)(void *context);
    /* NULL, or: a name with a dot that is set here (SET a.b, set_config('a.b', ...)), or that stands in a
       string literal of a text with dynamic SQL; folded. It may come more than once. */
    void (*setting)(void *context, const char *name);
};

void function_text_read(struct slice text, const struct function_text_events *events);

#endif
