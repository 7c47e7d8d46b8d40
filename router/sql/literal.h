/*
 * What a string literal stands for: '...', E'...', $$...$$. Pure; any thread.
 */
#ifndef ROLECALL_ROUTER_SQL_LITERAL_H
#define ROLECALL_ROUTER_SQL_LITERAL_H

#include "conf/base/slice.h"
#include "router/sql/lex.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The contents of a TOKEN_STRING. They lie in the token's own text where nothing is escaped, else in
 * `storage`. False when they are not known here: another kind of token, a string continued on the next line,
 * a numeric or Unicode escape, or no room.
 */
bool literal_of(
    const struct token *token, bool standard_strings, char *storage, size_t size, struct slice *contents);

#endif
