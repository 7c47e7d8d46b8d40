/*
 * What is known of PostgreSQL's own functions, views and sequences: which answer on a replica as on the
 * primary.
 *
 * The tables are generated (builtins_table.c) from the catalogue of a PostgreSQL server and from the lists
 * and reasons written by hand in tests/oracle/builtins.py. Constant data; any thread. Names are as the
 * catalogue stores them.
 */
#ifndef ROLECALL_ROUTER_SQL_BUILTINS_H
#define ROLECALL_ROUTER_SQL_BUILTINS_H

#include "conf/base/slice.h"
#include "router/catalogue.h"

#include <stddef.h>
#include <stdint.h>

enum builtin_kind {
    BUILTIN_UNKNOWN,  /* no built-in function has this name */
    BUILTIN_HARMLESS, /* answers on a replica as on the primary */
    BUILTIN_SPECIAL,  /* changes something, or runs what the statement does not show */
    BUILTIN_LOCAL     /* only reads, but the answer is the node's or the session's own */
};

struct builtin {
    const char *name;
    uint8_t kind;   /* enum builtin_kind */
    uint16_t pins;  /* enum pin: what a call leaves behind in the server's session */
    uint16_t frees; /* enum pin: what a call takes away there */
};

/* The function, procedure or aggregate of pg_catalog or information_schema; NULL when there is none of that
 * name. */
const struct builtin *builtin_find(struct slice name);

/* The same as a catalogue says it. */
enum name_kind builtin_function(struct slice name);
/* SPECIAL for the views of pg_catalog and information_schema over something special; UNKNOWN for every other
 * name. */
enum name_kind builtin_relation(struct slice name);

/* The tables, sorted by memcmp. Private to builtins.c and its test. */
extern const struct builtin builtin_functions[];
extern const size_t builtin_functions_count;
extern const char *const builtin_relations[];
extern const size_t builtin_relations_count;

#endif
