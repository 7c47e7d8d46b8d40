/*
 * A call of set_config(name, value, is_local) as it is met by who goes over tokens: which setting, and
 * whether for the session. Pure; any thread.
 */
#ifndef ROLECALL_ROUTER_SQL_SET_CONFIG_H
#define ROLECALL_ROUTER_SQL_SET_CONFIG_H

#include "conf/base/slice.h"
#include "router/sql/set_clause.h"
#include "router/sql/tokens.h"

#include <stdbool.h>

struct set_config {
    unsigned depth; /* of parentheses in its arguments; 0: we are in no such call */
    unsigned commas;
    bool named;        /* by a plain literal */
    struct slice name; /* ... folded; in `storage` or constant */
    char storage[SETTING_NAME_MAX];
};

/* The current token is the function's name, the next one its parenthesis; `depth` is what we are in there. */
void set_config_open(struct set_config *call, const struct tokens *tokens, unsigned depth);

/* At every comma. */
static inline void set_config_comma(struct set_config *call, unsigned depth)
{
    call->commas += call->depth != 0 && call->depth == depth;
}

/* At the closing parenthesis that ends the arguments, with the two tokens before it: whether the third one is
   TRUE. The caller sets `depth` to 0 then. */
bool set_config_is_local(
    const struct set_config *call, const struct token *before, const struct token *before_that);

#endif
