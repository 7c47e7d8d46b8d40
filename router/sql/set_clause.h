/*
 * What SET and RESET say, read from their first word on. Pure; any thread.
 */
#ifndef ROLECALL_ROUTER_SQL_SET_CLAUSE_H
#define ROLECALL_ROUTER_SQL_SET_CLAUSE_H

#include "conf/base/slice.h"
#include "router/sql/tokens.h"

#include <stdbool.h>
#include <stddef.h>

/* Longer names, of several parts, are not known here; PostgreSQL takes any length. */
#define SETTING_NAME_MAX 256

enum set_form {
    SET_NONE,        /* SET CONSTRAINTS, or no SET at all */
    SET_TRANSACTION, /* SET TRANSACTION ...: of the running transaction */
    SET_VALUE,       /* SET name = value, SET TIME ZONE, SET ROLE, ... */
    SET_DEFAULT,     /* RESET name, SET name TO DEFAULT */
    SET_ALL,         /* RESET ALL */
    SET_UNTOLD       /* a setting whose name is not known: too long, or no UTF-8 */
};

struct set_clause {
    enum set_form form;
    bool local;           /* SET LOCAL */
    bool characteristics; /* SET SESSION CHARACTERISTICS AS TRANSACTION */
    struct slice name;    /* VALUE, DEFAULT: folded to lower case, as pg_settings has it; in `storage` */
    char storage[SETTING_NAME_MAX];
};

/* The current token is the word SET or RESET; afterwards it is the first of the value, or what stands there.
 */
void set_clause_read(struct tokens *tokens, struct set_clause *out);

/* The names of what VALUE and DEFAULT change: SESSION CHARACTERISTICS are three settings. Valid during the
 * call. */
void set_clause_names(
    const struct set_clause *clause, void *context, void (*named)(void *context, struct slice name));

/* Folds a name as PostgreSQL compares settings: letters in any case, and old names by their new ones. False
   when there is no room. */
bool setting_name_fold(struct slice name, char storage[SETTING_NAME_MAX], struct slice *folded);

#endif
