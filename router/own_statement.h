/*
 * SHOW, SET and RESET of rolecall's own settings. Pure; any thread.
 *
 * Only a string that holds one such statement and nothing else is recognized; inside longer strings they are
 * the server's.
 */
#ifndef ROLECALL_ROUTER_OWN_STATEMENT_H
#define ROLECALL_ROUTER_OWN_STATEMENT_H

#include "conf/base/slice.h"
#include "router/sql/lex.h"

#include <stdbool.h>

enum own_verb {
    OWN_SHOW, /* SHOW rolecall.name */
    OWN_SET,  /* SET [SESSION | LOCAL] rolecall.name TO value */
    OWN_RESET /* RESET rolecall.name, SET [SESSION | LOCAL] rolecall.name TO DEFAULT */
};

struct own_statement {
    enum own_verb verb;
    bool local;      /* SET LOCAL: until the transaction ends */
    size_t name_len; /* of `name`: folded and unquoted, without the prefix */
    char name[LEX_NAME_MAX];
    size_t value_len;
    char value[LEX_NAME_MAX]; /* OWN_SET; longer values are cut */
};

/* True when it is one of them. */
bool own_statement(struct slice text, bool standard_strings, struct own_statement *out);

#endif
