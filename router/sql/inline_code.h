/* The program of a DO statement. Pure; any thread. */
#ifndef ROLECALL_ROUTER_SQL_INLINE_CODE_H
#define ROLECALL_ROUTER_SQL_INLINE_CODE_H

#include "conf/base/slice.h"
#include "router/sql/tokens.h"

#include <stdbool.h>

struct inline_code {
    bool readable;     /* in PL/pgSQL or SQL, and `text` is all of it */
    struct slice text; /* in the query string, or in `storage` */
    char storage[8192];
};

/* The current token is the word DO; afterwards it is the end of the statement. */
void inline_code_read(struct tokens *tokens, struct inline_code *out);

#endif
