/*
 * Names as the catalogue stores them: folded, unquoted, unescaped and cut as PostgreSQL does. Pure; any
 * thread.
 */
#ifndef ROLECALL_ROUTER_SQL_NAME_H
#define ROLECALL_ROUTER_SQL_NAME_H

#include "conf/base/slice.h"
#include "router/sql/lex.h"

#include <stdbool.h>

/* A token that name_of() understands. */
static inline bool name_is_token(const struct token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED || token->kind == TOKEN_UNICODE;
}

/*
 * The name that a TOKEN_WORD, TOKEN_QUOTED or TOKEN_UNICODE stands for. It lies in `storage` or in the
 * token's own text. ASCII letters are folded, others not, as in every multi-byte database encoding. False
 * when there is none: an invalid Unicode escape, or bytes that are no UTF-8 (then the client's encoding is
 * another, and what the database makes of the name is not known here).
 */
bool name_of(const struct token *token, char storage[LEX_NAME_MAX], struct slice *name);

/* True for the schemas of temporary objects: pg_temp, pg_temp_7, pg_toast_temp_7. */
bool name_is_temporary_schema(struct slice name);

#endif
