/*
 * What stands on what in a database, and how kinds spread along that. A part of catalogue_rules.h, which see.
 * Pure; one owner.
 *
 * First everything is added, then catalogue_graph_index is called once, then come look-ups and references, at
 * last catalogue_graph_spread. Pointers to objects are valid until the next one is added, or the index made.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_GRAPH_H
#define ROLECALL_HEALTH_CATALOGUE_GRAPH_H

#include "router/catalogue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rule_class {
    RULE_FUNCTION,
    RULE_RELATION, /* reading it */
    RULE_WRITE,    /* what a write to the relation of that oid runs */
    RULE_OPERATOR,
    RULE_TYPE,  /* making a value of it: casts to it, the constraints of a domain */
    RULE_VALUE, /* having a value of the type of that oid: implicit casts from it, its operator class */
    RULE_DDL    /* what DDL runs: one object, oid 0 */
};

struct graph_object {
    enum rule_class class;
    enum name_kind kind; /* never UNKNOWN */
    bool forced;         /* the operator has said so: nothing changes it */
    bool quiet;          /* a function that is special only when its name is written: behind an operator or a
                            cast it is harmless */
    bool hidden;         /* a function that cannot be called by its name */
    bool writes;         /* a function whose text may write to what it names */
    uint32_t oid;
    char *schema, *name;
    size_t first_user; /* private: head of its list in `edges`, SIZE_MAX = none */
    size_t namesakes;  /* private: the object that stands on all of this name, SIZE_MAX = none */
};

struct catalogue_graph {
    struct graph_object *objects; /* after the index: by class and oid, then sums of namesakes */
    size_t n_objects, objects_size;
    size_t n_indexed; /* how many are in the index: all but the sums */
    struct graph_need *needs;
    size_t n_needs, needs_size;
    struct graph_dependency *dependencies;
    size_t n_dependencies, dependencies_size;
    struct graph_edge *edges;
    size_t n_edges, edges_size;
    size_t *by_name, *worklist; /* indexes into objects */
    size_t n_work;
};

void catalogue_graph_fini(struct catalogue_graph *graph);

/* Harmless until somebody raises it. The strings are copied. */
struct graph_object *catalogue_graph_add(
    struct catalogue_graph *graph, enum rule_class class, uint32_t oid, const char *schema, const char *name);

/* The index shall make the WRITE, VALUE or DDL object of that oid, which is named as its relation or type is;
 * other classes are only added by their own rows. */
void catalogue_graph_need(struct catalogue_graph *graph, enum rule_class class, uint32_t oid);

/* `from` stands on `to`, and is needed; if no such `to` is added, that is of to_kind. */
void catalogue_graph_depends(struct catalogue_graph *graph, enum rule_class from, uint32_t from_oid,
    enum rule_class to, uint32_t to_oid, enum name_kind to_kind);

void catalogue_graph_index(struct catalogue_graph *graph);
struct graph_object *catalogue_graph_find(struct catalogue_graph *graph, enum rule_class class, uint32_t oid);

/* `user` stands on all objects of that class and name, and of that schema unless it is ""; returns whether
 * there is any. */
bool catalogue_graph_refer(struct catalogue_graph *graph, struct graph_object *user, enum rule_class class,
    const char *schema, const char *name);

void catalogue_graph_raise(struct graph_object *object, enum name_kind kind);
/* Whoever stands on something is of its kind at least. */
void catalogue_graph_spread(struct catalogue_graph *graph);

#endif
