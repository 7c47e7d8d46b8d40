/*
 * One statement of a query string: what it is by its first words, and by the walk over the rest. Pure; any
 * thread.
 */
#ifndef ROLECALL_ROUTER_SQL_STATEMENT_H
#define ROLECALL_ROUTER_SQL_STATEMENT_H

#include "router/catalogue.h"
#include "router/classify.h"
#include "router/sql/effect.h"
#include "router/sql/tokens.h"

#include <stdbool.h>
#include <stdint.h>

struct statement {
    enum statement_class class;
    enum reason reason;
    struct slice culprit;
    struct effect effect;
    bool hintable; /* a read by its shape: a hint may send it to a replica though names in it are not known */
    bool broken;   /* no SQL from `culprit` on: nothing behind it can be told apart */
};

/*
 * Reads the statement that begins with the current token, which is not its end; afterwards the current token
 * is the semicolon or the end of the text, unless it is broken.
 */
void statement_read(struct tokens *tokens, const struct catalogue *catalogue, struct statement *out);

#endif
