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

/* Any of them may be NULL. Strings are valid during the call. */
struct function_text_events {
    void *context;
    /* A name before a parenthesis; schema "" when none is written. may_be_syntax: where PL/pgSQL's or SQL's
       grammar may mean something else than a call ("over (", "return ("). */
    void (*call)(void *context, const char *schema, const char *name, bool may_be_syntax);
    /* Any other name: perhaps a relation, or a type. */
    void (*name)(void *context, const char *schema, const char *name);
    /* An operator, by its symbol. */
    void (*operate)(void *context, const char *symbol);
    /* A statement of its own changes the session: SET but for SET LOCAL, CREATE TEMP, LISTEN, WITH HOLD ...;
       set_config() whose third argument is not TRUE, too. Other functions are told by call alone. */
    void (*session)(void *context);
    /* Dynamic SQL, or text that is not understood: it may do anything. */
    void (*unreadable)(void *context);
    /* What it leaves in the session cannot be asked for afterwards: LOAD; SET seed; set_config() for the
       session with a name that is no literal; the same in a string literal of a text with dynamic SQL, where
       it shows. setseed() is told by call. */
    void (*opaque)(void *context);
    /* SET, RESET or set_config(): the setting's name folded, "" where the text does not tell it. `local`:
       only until the transaction ends. */
    void (*set)(void *context, const char *name, bool local);
    /* A name with a dot that is set for the session here (SET a.b, set_config('a.b', ...)), or that may be
       set by a string literal of a text with dynamic SQL ('a.b', 'set a.b = 1'); folded. It may come more
       than once. */
    void (*setting)(void *context, const char *name);
};

void function_text_read(struct slice text, const struct function_text_events *events);

#endif
