/*
 * The tokens of a query string with one token of lookahead, and U&"..." UESCAPE 'x' put together into one
 * token, as PostgreSQL's parser does between its scanner and its grammar. Pure; any thread.
 */
#ifndef ROLECALL_ROUTER_SQL_TOKENS_H
#define ROLECALL_ROUTER_SQL_TOKENS_H

#include "router/sql/lex.h"

#include <stdbool.h>

struct tokens {
    struct lexer lexer;
    struct token now, next; /* END and ERROR repeat for ever */
};

void tokens_init(struct tokens *tokens, struct slice text, bool standard_strings);
void tokens_advance(struct tokens *tokens);

/* True when the current token ends a statement: a semicolon, the end, an error. */
bool tokens_at_end(const struct tokens *tokens);

/* Goes past the current token when it is this key word. */
bool tokens_accept(struct tokens *tokens, enum keyword keyword);

/* The name at hand as written, with its UESCAPE clause. */
struct slice tokens_name_as_written(const struct tokens *tokens);

#endif
