/*
 * What the router must know of a database's functions and relations: which names answer otherwise on a
 * replica than on the primary. Made by the control thread from pg_proc, pg_class, pg_rewrite and pg_operator
 * of the primary through a builder, then immutable, reference-counted, read by every worker without a lock.
 *
 * The built-in functions of pg_catalog come from one generated list (router/sql/builtins.h); a catalogue adds
 * what the database's users made.
 */
#ifndef ROLECALL_ROUTER_CATALOGUE_H
#define ROLECALL_ROUTER_CATALOGUE_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum name_kind {
    NAME_UNKNOWN = 0,
    NAME_HARMLESS, /* a function that answers on a replica as on the primary */
    NAME_SPECIAL,  /* function or relation that belongs to the primary */
    NAME_SESSION,  /* the same, and what it calls may change the session it runs in, in ways that can be asked
                      for afterwards */
    NAME_OPAQUE    /* ... in ways that cannot (setseed, LOAD, settings whose names only running it tells) */
};

#define CATALOGUE_MAX_SETTINGS 256
#define CATALOGUE_SETTING_MAX_BYTES 128

struct catalogue;

/* Builder: the control thread. Names are as the catalogue stores them (already case-folded). */
struct catalogue *catalogue_new(const char *cluster, const char *database);
/* When one (schema, name) is added as several, the later in enum name_kind wins. */
void catalogue_add_function(
    struct catalogue *catalogue, const char *schema, const char *name, enum name_kind kind);
void catalogue_add_relation(
    struct catalogue *catalogue, const char *schema, const char *name, enum name_kind kind);
/* What a write to this relation runs beside itself (triggers, defaults, rules, constraints), when that may
   change the session: NAME_SESSION or NAME_OPAQUE. */
void catalogue_add_write(
    struct catalogue *catalogue, const char *schema, const char *name, enum name_kind kind);
/* An operator (its symbol, in any schema) or a type (through its casts, domain constraints ...) that leads to
   a function of that kind, special or worse. */
void catalogue_add_operator(struct catalogue *catalogue, const char *symbol, enum name_kind kind);
void catalogue_add_type(
    struct catalogue *catalogue, const char *schema, const char *name, enum name_kind kind);
/* What any DDL runs (event triggers), when that may change the session: NAME_SESSION or NAME_OPAQUE. */
void catalogue_set_ddl(struct catalogue *catalogue, enum name_kind kind);
/* A default, trigger, rule, view or function asks for currval or lastval. */
void catalogue_set_reads_sequences(struct catalogue *catalogue);
/* A setting with a dot in its name (`app.tenant`) that some function sets; those are not in pg_settings.
   False: it is too long or one too many and was not added: whatever sets it is to be added as NAME_OPAQUE. */
bool catalogue_add_setting(struct catalogue *catalogue, const char *name);
/* Lists of the configuration: "name" or "schema.name"; they override what pg_proc says. */
void catalogue_override_function(struct catalogue *catalogue, const char *name, enum name_kind kind);

struct catalogue *catalogue_ref(struct catalogue *catalogue);
void catalogue_unref(struct catalogue *catalogue); /* NULL is allowed */

const char *catalogue_cluster(const struct catalogue *catalogue);
const char *catalogue_database(const struct catalogue *catalogue);

/* Lookups, any thread. schema.len == 0: any schema (session, then special, in any schema wins). catalogue
 * NULL: built-ins only. */
enum name_kind catalogue_function(const struct catalogue *catalogue, struct slice schema, struct slice name);
/* The same without the built-in ones, in any schema: what may be meant by row.name. */
enum name_kind catalogue_own_function(const struct catalogue *catalogue, struct slice name);
enum name_kind catalogue_relation(const struct catalogue *catalogue, struct slice schema, struct slice name);
/* NAME_UNKNOWN: nothing was added of it, or no catalogue. */
enum name_kind catalogue_write(const struct catalogue *catalogue, struct slice schema, struct slice name);
enum name_kind catalogue_operator(const struct catalogue *catalogue, struct slice symbol);
enum name_kind catalogue_type(const struct catalogue *catalogue, struct slice schema, struct slice name);
enum name_kind catalogue_ddl(const struct catalogue *catalogue);   /* NAME_UNKNOWN: it changes no session */
bool catalogue_reads_sequences(const struct catalogue *catalogue); /* NULL: false */
/* How many; *names is borrowed, as long as the catalogue. NULL: none. */
size_t catalogue_settings(const struct catalogue *catalogue, const char *const **names);

#endif
