/*
 * Goes once over the tokens of a statement and finds what keeps it from being a read on a replica:
 * data-modifying words, row locks, INTO, functions, relations, operators and types that are special or
 * unknown, and what the statement leaves in the server's session. It parses nothing: it knows where a name
 * followed by a parenthesis is no call. Pure; any thread.
 */
#ifndef ROLECALL_ROUTER_SQL_WALK_H
#define ROLECALL_ROUTER_SQL_WALK_H

#include "router/catalogue.h"
#include "router/classify.h"
#include "router/sql/effect.h"
#include "router/sql/tokens.h"

#include <stdbool.h>
#include <stdint.h>

enum walk_kind {
    WALK_QUERY, /* a query, or any other statement of which only the effect is wanted */
    WALK_PLAN, /* a statement that is only planned (EXPLAIN): data-modifying words and row locks do no harm */
    WALK_CREATE /* CREATE: semicolons inside BEGIN ATOMIC ... END and inside parentheses belong to the
                   statement, and only behind AS there is a query */
};

/* Why a statement is no read: the first cause of each strength. REASON_READ: there is none. */
struct cause {
    enum reason reason;
    struct slice culprit;
};

struct findings {
    struct cause sure;      /* it changes something, or might well: never for a replica */
    struct cause maybe;     /* not known to answer alike; a hint may send it to a replica nevertheless */
    struct slice error;     /* where the text stopped being SQL; data NULL: it did not */
    struct token first;     /* the first token that is no opening parenthesis */
    struct slice temporary; /* the name of a temporary schema; data NULL: none */
    enum name_kind write;   /* walk_relation(): what a write to it runs; UNKNOWN: nothing of interest */
    struct effect effect;
};

/*
 * Walks from the current token to the end of the statement (tokens_at_end). With `group` the current token is
 * an opening parenthesis and the walk ends behind the one that closes it. `catalogue` may be NULL.
 */
void walk(struct tokens *tokens, const struct catalogue *catalogue, enum walk_kind kind, bool group,
    struct findings *findings);

/* Looks up one relation by its name, [schema.]name, at the current token and goes past it. False when there
 * is no name. */
bool walk_relation(struct tokens *tokens, const struct catalogue *catalogue, struct findings *findings);

#endif
