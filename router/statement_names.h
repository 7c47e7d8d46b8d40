/*
 * Where the names of prepared statements stand in a query string: PREPARE, EXECUTE, DEALLOCATE, DISCARD ALL,
 * and EXECUTE behind EXPLAIN or CREATE TABLE ... AS; several statements in one string too. What functions and
 * DO run is not looked into. Pure; any thread.
 */
#ifndef ROLECALL_ROUTER_STATEMENT_NAMES_H
#define ROLECALL_ROUTER_STATEMENT_NAMES_H

#include "conf/base/slice.h"
#include "router/sql/lex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATEMENT_NAMES_MAX 16

enum statement_verb { VERB_PREPARE, VERB_EXECUTE, VERB_DEALLOCATE, VERB_DEALLOCATE_ALL };

struct statement_name {
    enum statement_verb verb;
    bool alone;             /* in a string that holds nothing else */
    bool plain;             /* VERB_EXECUTE alone, and its arguments are constants or parameters */
    uint32_t ordinal;       /* of its statement in the string */
    struct slice token;     /* the name as written, inside the text; VERB_DEALLOCATE_ALL: the word ALL */
    struct slice statement; /* VERB_PREPARE: what is prepared, inside the text */
    size_t name_len;        /* of `name`, folded and unquoted */
    char name[LEX_NAME_MAX];
};

/* How many there are: SIZE_MAX when there are more than STATEMENT_NAMES_MAX or the text cannot be read. */
size_t statement_names(
    struct slice text, bool standard_strings, struct statement_name out[STATEMENT_NAMES_MAX]);

/* The first statement of *rest, which is what follows it then, a semicolon left out; all of it when it cannot
   be read. */
struct slice statement_take(struct slice *rest, bool standard_strings);

#endif
