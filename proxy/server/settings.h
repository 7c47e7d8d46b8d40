/*
 * The settings of a session: immutable sets of name/value pairs, each kept once per worker, so that two sets
 * are the same when their pointers are.
 *
 * A session points to what it wants, a server connection to what was put in place on it; a request needs no
 * look at names and values while the two are equal. One table per worker, one thread; a set lives until its
 * last reference is dropped, and never longer than its table.
 */
#ifndef ROLECALL_SERVER_SETTINGS_H
#define ROLECALL_SERVER_SETTINGS_H

#include "proxy/server/params.h"

struct settings_table;

struct settings {
    uint64_t parsing;     /* hash of those that matter when a statement is parsed; 0: there are none */
    bool read_only;       /* default_transaction_read_only is on */
    bool serializable;    /* default_transaction_isolation is that: a standby refuses to run anything */
    bool isolated;        /* default_transaction_isolation is above READ COMMITTED */
    bool as_other;        /* role or session_authorization is among them */
    struct params params; /* sorted by name */
};

struct settings_table *settings_table_new(void);
void settings_table_free(struct settings_table *table); /* every reference must have been dropped */

/* The set of these pairs; one reference is the caller's. NULL when out of memory. */
const struct settings *settings_get(struct settings_table *table, const struct params *params);
/* The empty set; one reference is the caller's. */
const struct settings *settings_none(struct settings_table *table);
const struct settings *settings_ref(const struct settings *settings);
void settings_unref(const struct settings *settings); /* NULL is allowed */

/* Replaces what *at points to; takes over the reference. */
void settings_replace(const struct settings **at, const struct settings *settings);

/* NULL when it is not there. */
const char *settings_value(const struct settings *settings, const char *name);
bool settings_is_empty(const struct settings *settings);

#endif
