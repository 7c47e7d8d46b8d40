/*
 * Statements that rolecall must look at itself, beyond routing: those that name a prepared statement (whose
 * name on the server is another), those that give settings back, and rolecall's own settings. Pure; any
 * thread.
 *
 * Only a string that holds one such statement and nothing else is recognized; inside longer strings they are
 * the server's.
 */
#ifndef ROLECALL_ROUTER_SPECIAL_STATEMENT_H
#define ROLECALL_ROUTER_SPECIAL_STATEMENT_H

#include "conf/base/slice.h"
#include "router/sql/lex.h"

#include <stdbool.h>

enum special_kind {
    SPECIAL_NONE,
    SPECIAL_PREPARE,    /* PREPARE name [(types)] AS statement */
    SPECIAL_EXECUTE,    /* EXECUTE name ... */
    SPECIAL_DEALLOCATE, /* DEALLOCATE [PREPARE] name */
    SPECIAL_DEALLOCATE_ALL,
    SPECIAL_RESET, /* RESET name */
    SPECIAL_RESET_ALL,
    SPECIAL_OWN_SHOW, /* SHOW rolecall.name */
    SPECIAL_OWN_SET,  /* SET [SESSION | LOCAL] rolecall.name TO value */
    SPECIAL_OWN_RESET /* RESET rolecall.name, SET [SESSION | LOCAL] rolecall.name TO DEFAULT */
};

struct special_statement {
    enum special_kind kind;
    bool local;             /* SET LOCAL: until the transaction ends */
    struct slice token;     /* the name as written, inside the text */
    struct slice statement; /* SPECIAL_PREPARE: what is prepared, inside the text, with comments behind it */
    size_t name_len;        /* of `name`: folded and unquoted; for rolecall's settings without the prefix */
    char name[LEX_NAME_MAX];
    size_t value_len;
    char value[LEX_NAME_MAX]; /* SPECIAL_OWN_SET; longer values are cut */
};

/* True when it is one of them. */
bool special_statement(struct slice text, bool standard_strings, struct special_statement *out);

#endif
