/*
 * Which of a database's functions and relations answer on a replica as on the primary: from what pg_proc,
 * pg_class and their friends say, through all calls and views, to the kinds that a catalogue holds. Pure; one
 * owner.
 *
 * Add everything, then decide once, then fill. A function whose body decides is harmless when its text calls
 * only harmless functions and names no special relation; a relation is special by itself (a sequence ...) or
 * through what it stands on. Cycles count as harmless unless something special is in them. In the same way
 * a function of any volatility is found to change its session (NAME_SESSION): by a statement in its text, by
 * dynamic SQL, by a call.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_RULES_H
#define ROLECALL_HEALTH_CATALOGUE_RULES_H

#include "router/catalogue.h"

#include <stdbool.h>
#include <stdint.h>

struct catalogue_rules;

enum rule_body {
    RULE_BODY_SESSION,  /* its text, if there is one, is too long to be read: it may do anything */
    RULE_BODY_SPECIAL,  /* volatile, a procedure, or in a language that cannot be read; a text, if given, says
                           whether it changes the session */
    RULE_BODY_TEXT,     /* SQL or PL/pgSQL: the text decides */
    RULE_BODY_BUILTIN,  /* language internal: the text is the name of a built-in one */
    RULE_BODY_DEPENDENT /* an aggregate: what it depends on decides */
};

struct catalogue_rules *catalogue_rules_new(void);
void catalogue_rules_free(struct catalogue_rules *rules); /* NULL is allowed */

/* text may be NULL where it says nothing. Strings are copied. */
void catalogue_rules_function(struct catalogue_rules *rules, uint32_t oid, const char *schema,
    const char *name, enum rule_body body, const char *text);
void catalogue_rules_relation(
    struct catalogue_rules *rules, uint32_t oid, const char *schema, const char *name, bool special);

/* The object `from` stands on the object `to`; either may have been added or not: built-in ones are known by
 * name. */
struct rule_object {
    bool is_function;
    uint32_t oid;
    const char *name; /* of `to`: needed when it was not added */
};
void catalogue_rules_depends(
    struct catalogue_rules *rules, const struct rule_object *from, const struct rule_object *to);

/* What the configuration says of "name" or "schema.name"; wins over everything, for callers too. Before
 * deciding. */
void catalogue_rules_override(struct catalogue_rules *rules, const char *name, enum name_kind kind);

void catalogue_rules_decide(struct catalogue_rules *rules);
/* All functions, and the relations that are special. */
void catalogue_rules_fill(const struct catalogue_rules *rules, struct catalogue *catalogue);

#endif
