/*
 * The state of a walk over a statement's tokens (walk.h). Private to walk.c and syntax.c.
 */
#ifndef ROLECALL_ROUTER_SQL_WALKER_H
#define ROLECALL_ROUTER_SQL_WALKER_H

#include "router/sql/name.h"
#include "router/sql/set_config.h"
#include "router/sql/walk.h"

#define WALKER_DEPTHS 64 /* deeper parentheses are walked, too, but nothing is remembered of them */

struct walker {
    struct tokens *tokens;
    const struct catalogue *catalogue;
    struct findings *findings;
    enum walk_kind kind;
    struct token before, before_that; /* the tokens before the current one */
    unsigned depth;
    uint64_t with_list; /* bit d: at depth d we are in the list of a WITH clause */
    uint64_t openings;  /* bit d: an expression may follow the parenthesis that ends depth d: see on_open() */
    uint64_t group_list; /* bit d: at depth d we are in a GROUP BY list, or in its GROUPING SETS */
    bool closed_opening; /* the last closing parenthesis was such a one */
    bool compound;       /* the ATOMIC body of a function: semicolons are inside */
    unsigned blocks;     /* BEGIN and CASE without their END, in such a body */
    /* a dotted name: a.b.c */
    struct token before_name; /* the token before its first word */
    struct slice qualifier;   /* the word before the last dot; len 0: none */
    char storage[2][LEX_NAME_MAX];
    unsigned turn;
    struct set_config setting; /* the call of set_config() that we are in */
    bool writes;               /* names may be of relations that are written */
    bool query;                /* WALK_CREATE: behind AS */
};

static inline bool walker_bit(uint64_t bits, unsigned depth)
{
    return depth < WALKER_DEPTHS && bits >> depth & 1;
}

static inline void walker_set_bit(uint64_t *bits, unsigned depth, bool on)
{
    if (depth < WALKER_DEPTHS)
        *bits = (*bits & ~(UINT64_C(1) << depth)) | (uint64_t)on << depth;
}

/* True when the name at hand, though a parenthesis follows, is no call of a function. `word` is its key word,
 * if any. */
bool walker_is_syntax(const struct walker *walker, enum keyword word);

#endif
