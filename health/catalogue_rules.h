/*
 * What a database's names lead to: from what pg_proc, pg_class and their friends say, through all calls,
 * views, triggers, casts ..., to the kinds that a catalogue holds. Pure; one owner.
 *
 * Add everything, then decide once, then fill. A function whose body decides is harmless when its text calls
 * only harmless functions and names no special relation; a relation is special by itself (a sequence ...) or
 * through what it stands on. Cycles count as harmless unless something special is in them. In the same way a
 * function of any volatility, a write, an operator or a type is found to change its session (NAME_SESSION, or
 * NAME_OPAQUE where that cannot be asked for): by a statement in a text, by dynamic SQL, by a call.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_RULES_H
#define ROLECALL_HEALTH_CATALOGUE_RULES_H

#include "health/catalogue_graph.h"
#include "router/catalogue.h"

#include <stdbool.h>
#include <stdint.h>

struct catalogue_rules;

enum rule_language {
    RULE_LANGUAGE_TEXT,     /* SQL or PL/pgSQL: the text decides */
    RULE_LANGUAGE_INTERNAL, /* the text is the name of a built-in one */
    RULE_LANGUAGE_OTHER     /* C, or one that is not read */
};

enum rule_volatility { RULE_IMMUTABLE, RULE_STABLE, RULE_VOLATILE };

struct rule_function {
    uint32_t oid;
    const char *schema, *name;
    enum rule_language language;
    enum rule_volatility volatility; /* procedures are volatile */
    bool aggregate;                  /* what it depends on decides */
    bool hidden;                     /* a trigger's: no statement can call it */
    bool suspicious;       /* a text that is not given has words of what cannot be asked for afterwards */
    bool asks_sequences;   /* a text that is not given has currval or lastval */
    const char *extension; /* NULL: of none */
    const char *text;      /* NULL: there is none, or it is too long */
};

struct catalogue_rules *catalogue_rules_new(void);
void catalogue_rules_free(struct catalogue_rules *rules); /* NULL is allowed */

/* All strings are copied. */
void catalogue_rules_function(struct catalogue_rules *rules, const struct rule_function *function);
void catalogue_rules_relation(
    struct catalogue_rules *rules, uint32_t oid, const char *schema, const char *name, bool special);
void catalogue_rules_operator(struct catalogue_rules *rules, uint32_t oid, const char *symbol);
void catalogue_rules_type(struct catalogue_rules *rules, uint32_t oid, const char *schema, const char *name);

/* The object `from` stands on the object `to`; either may have been added or not. Functions and relations
 * that were not are taken for PostgreSQL's own, which are known by name. */
struct rule_object {
    enum rule_class class;
    uint32_t oid;
    const char *name; /* of `to`: needed when it was not added */
};
void catalogue_rules_depends(
    struct catalogue_rules *rules, const struct rule_object *from, const struct rule_object *to);

/* What else the object does, as SQL: the definition of a view, a default, a constraint ... For set_config()
 * alone, whose arguments matter; what else is in it is told by dependencies. */
void catalogue_rules_text(
    struct catalogue_rules *rules, enum rule_class class, uint32_t oid, const char *text);

/* What the configuration says of "name" or "schema.name"; wins over everything, for callers too. Before
 * deciding. */
void catalogue_rules_override(struct catalogue_rules *rules, const char *name, enum name_kind kind);

void catalogue_rules_decide(struct catalogue_rules *rules);
/* All functions that can be called, the relations, operators and types that are special, writes that may
 * change the session, settings. */
void catalogue_rules_fill(const struct catalogue_rules *rules, struct catalogue *catalogue);

#endif
