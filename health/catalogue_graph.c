/*
 * Objects, edges and the spreading of kinds; see catalogue_graph.h.
 *
 * Everything begins harmless but what is worse by itself; then the worst kind spreads against the edges until
 * nothing changes, then the next: each edge is walked once per kind, so cycles end. Edges known by oid are
 * kept as dependencies until all objects are there. What does not exist in the end (no trigger, no default:
 * no WRITE) has no edges, and costs nothing.
 */
#include "health/catalogue_graph.h"

#include "health/memory.h"

/* `user` stands on the object whose list this is in. */
struct graph_edge {
    size_t user, next;
};

struct graph_dependency {
    enum rule_class from, to;
    uint32_t from_oid, to_oid;
    enum name_kind to_kind; /* if `to` is none of ours */
};

struct graph_need {
    enum rule_class class;
    uint32_t oid;
};

static void *grow(void *array, size_t n, size_t *size, size_t item)
{
    if (n < *size)
        return array;
    *size = *size ? *size * 2 : 64;
    return memory_resize(array, *size, item);
}

void catalogue_graph_fini(struct catalogue_graph *graph)
{
    for (size_t i = 0; i < graph->n_objects; i++) {
        free(graph->objects[i].schema);
        free(graph->objects[i].name);
    }
    free(graph->objects);
    free(graph->needs);
    free(graph->dependencies);
    free(graph->edges);
    free(graph->by_name);
    free(graph->worklist);
    *graph = (struct catalogue_graph){0};
}

void catalogue_graph_raise(struct graph_object *object, enum name_kind kind)
{
    if (kind > object->kind && !object->forced)
        object->kind = kind;
}

struct graph_object *catalogue_graph_add(
    struct catalogue_graph *graph, enum rule_class class, uint32_t oid, const char *schema, const char *name)
{
    graph->objects = grow(graph->objects, graph->n_objects, &graph->objects_size, sizeof *graph->objects);
    struct graph_object *object = &graph->objects[graph->n_objects++];
    *object = (struct graph_object){.class = class,
        .kind = NAME_HARMLESS,
        .oid = oid,
        .schema = memory_copy(schema),
        .name = memory_copy(name),
        .first_user = SIZE_MAX,
        .namesakes = SIZE_MAX};
    return object;
}

/* The class whose object of the same oid has the name; the same class for those with rows of their own. */
static enum rule_class named_by(enum rule_class class)
{
    switch (class) {
    case RULE_WRITE: return RULE_RELATION;
    case RULE_VALUE: return RULE_TYPE;
    case RULE_FUNCTION:
    case RULE_RELATION:
    case RULE_OPERATOR:
    case RULE_TYPE:
    case RULE_DDL: break;
    }
    return class;
}

void catalogue_graph_need(struct catalogue_graph *graph, enum rule_class class, uint32_t oid)
{
    if (class != RULE_DDL && named_by(class) == class)
        return;
    graph->needs = grow(graph->needs, graph->n_needs, &graph->needs_size, sizeof *graph->needs);
    graph->needs[graph->n_needs++] = (struct graph_need){class, oid};
}

void catalogue_graph_depends(struct catalogue_graph *graph, enum rule_class from, uint32_t from_oid,
    enum rule_class to, uint32_t to_oid, enum name_kind to_kind)
{
    catalogue_graph_need(graph, from, from_oid);
    graph->dependencies = grow(
        graph->dependencies, graph->n_dependencies, &graph->dependencies_size, sizeof *graph->dependencies);
    graph->dependencies[graph->n_dependencies++] =
        (struct graph_dependency){from, to, from_oid, to_oid, to_kind};
}

/* --- the index --- */

static int compare_key(enum rule_class class, uint32_t oid, enum rule_class to_class, uint32_t to_oid)
{
    if (class != to_class)
        return class < to_class ? -1 : 1;
    return oid < to_oid ? -1 : oid > to_oid;
}

static int compare_oid(const void *a, const void *b)
{
    const struct graph_object *one = a, *other = b;
    return compare_key(one->class, one->oid, other->class, other->oid);
}

static int compare_need(const void *a, const void *b)
{
    const struct graph_need *one = a, *other = b;
    return compare_key(one->class, one->oid, other->class, other->oid);
}

static int compare_names(const struct graph_object *object, enum rule_class class, const char *name)
{
    int names = strcmp(object->name, name);
    return names ? names : (object->class > class) - (object->class < class);
}

static int compare_name(const void *a, const void *b, void *context)
{
    const struct graph_object *objects = context;
    const struct graph_object *one = &objects[*(const size_t *)a], *other = &objects[*(const size_t *)b];
    int names = compare_names(one, other->class, other->name);
    return names ? names : strcmp(one->schema, other->schema);
}

static struct graph_object *search(
    struct catalogue_graph *graph, size_t n, enum rule_class class, uint32_t oid)
{
    struct graph_object key = {.class = class, .oid = oid};
    return n ? bsearch(&key, graph->objects, n, sizeof key, compare_oid) : NULL;
}

static void sort_objects(struct catalogue_graph *graph)
{
    if (graph->n_objects > 0)
        qsort(graph->objects, graph->n_objects, sizeof *graph->objects, compare_oid);
}

/* A need without a relation or type of that oid is of one that PostgreSQL brought along: nothing is known. */
static void add_needed(struct catalogue_graph *graph)
{
    size_t n_rows = graph->n_objects; /* those are sorted */
    if (graph->n_needs > 0)
        qsort(graph->needs, graph->n_needs, sizeof *graph->needs, compare_need);
    for (size_t i = 0; i < graph->n_needs; i++) {
        const struct graph_need *need = &graph->needs[i];
        if (i > 0 && compare_need(need, need - 1) == 0)
            continue;
        const struct graph_object *row = search(graph, n_rows, named_by(need->class), need->oid);
        if (need->class == RULE_DDL)
            catalogue_graph_add(graph, RULE_DDL, need->oid, "", "");
        else if (row)
            catalogue_graph_add(graph, need->class, need->oid, row->schema, row->name);
    }
}

static void add_edge(struct catalogue_graph *graph, struct graph_object *used, struct graph_object *user)
{
    graph->edges = grow(graph->edges, graph->n_edges, &graph->edges_size, sizeof *graph->edges);
    graph->edges[graph->n_edges] = (struct graph_edge){(size_t)(user - graph->objects), used->first_user};
    used->first_user = graph->n_edges++;
}

/* Nobody has written the function's name. */
static bool is_implicit(enum rule_class class)
{
    return class == RULE_OPERATOR || class == RULE_TYPE || class == RULE_VALUE;
}

static void link_dependencies(struct catalogue_graph *graph)
{
    for (size_t i = 0; i < graph->n_dependencies; i++) {
        const struct graph_dependency *dependency = &graph->dependencies[i];
        struct graph_object *from = catalogue_graph_find(graph, dependency->from, dependency->from_oid);
        struct graph_object *to = catalogue_graph_find(graph, dependency->to, dependency->to_oid);
        if (!from || from->forced)
            continue;
        if (!to)
            catalogue_graph_raise(from, dependency->to_kind);
        else if (!(to->quiet && !to->forced && is_implicit(from->class)))
            add_edge(graph, to, from);
    }
}

/* A write reads, too (policies, what a view is made of); who makes a value has it. */
static void link_needed(struct catalogue_graph *graph)
{
    for (size_t i = 0; i < graph->n_objects; i++) {
        struct graph_object *object = &graph->objects[i], *other = NULL;
        if (object->class == RULE_WRITE)
            other = catalogue_graph_find(graph, RULE_RELATION, object->oid);
        else if (object->class == RULE_TYPE)
            other = catalogue_graph_find(graph, RULE_VALUE, object->oid);
        if (other)
            add_edge(graph, other, object);
    }
}

void catalogue_graph_index(struct catalogue_graph *graph)
{
    sort_objects(graph);
    add_needed(graph);
    sort_objects(graph);
    graph->n_indexed = graph->n_objects;
    graph->by_name = memory_new(graph->n_objects, sizeof *graph->by_name);
    for (size_t i = 0; i < graph->n_objects; i++)
        graph->by_name[i] = i;
    qsort_r(graph->by_name, graph->n_objects, sizeof *graph->by_name, compare_name, graph->objects);
    /* Room for a sum of each name: adding those moves nothing. */
    graph->objects_size = graph->n_objects * 2;
    graph->objects = memory_resize(graph->objects, graph->objects_size, sizeof *graph->objects);
    link_dependencies(graph);
    link_needed(graph);
}

/* --- look-ups --- */

struct graph_object *catalogue_graph_find(struct catalogue_graph *graph, enum rule_class class, uint32_t oid)
{
    return search(graph, graph->n_indexed, class, oid);
}

static struct graph_object *named(struct catalogue_graph *graph, size_t place)
{
    return &graph->objects[graph->by_name[place]];
}

/* The first place in by_name that is not before class, name, schema. */
static size_t first_named(
    struct catalogue_graph *graph, enum rule_class class, const char *name, const char *schema)
{
    size_t low = 0, high = graph->n_indexed;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_names(named(graph, middle), class, name);
        if (order == 0)
            order = strcmp(named(graph, middle)->schema, schema);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The object that stands on all namesakes from this place on: where many schemas hold the same names, each
 * mention costs one edge. */
static struct graph_object *sum_of(struct catalogue_graph *graph, size_t place)
{
    struct graph_object *first = named(graph, place);
    if (first->namesakes == SIZE_MAX) {
        first->namesakes = graph->n_objects;
        struct graph_object *sum = catalogue_graph_add(graph, first->class, 0, "", "");
        sum->hidden = true;
        for (; place < graph->n_indexed && compare_names(named(graph, place), first->class, first->name) == 0;
             place++)
            add_edge(graph, named(graph, place), sum);
    }
    return &graph->objects[first->namesakes];
}

bool catalogue_graph_refer(struct catalogue_graph *graph, struct graph_object *user, enum rule_class class,
    const char *schema, const char *name)
{
    bool any_schema = !schema[0];
    size_t first = first_named(graph, class, name, schema), n = 0;
    while (first + n < graph->n_indexed && !(any_schema && n == 2)) {
        const struct graph_object *object = named(graph, first + n);
        if (compare_names(object, class, name) != 0 || !(any_schema || strcmp(object->schema, schema) == 0))
            break;
        n++;
    }
    if (any_schema && n == 2)
        add_edge(graph, sum_of(graph, first), user);
    else
        for (size_t i = 0; i < n; i++)
            add_edge(graph, named(graph, first + i), user);
    return n > 0;
}

/* --- spreading --- */

static void spread_kind(struct catalogue_graph *graph, enum name_kind kind)
{
    for (size_t i = 0; i < graph->n_objects; i++) {
        if (graph->objects[i].kind >= kind)
            graph->worklist[graph->n_work++] = i;
    }
    while (graph->n_work > 0) {
        size_t next = graph->objects[graph->worklist[--graph->n_work]].first_user;
        for (; next != SIZE_MAX; next = graph->edges[next].next) {
            struct graph_object *user = &graph->objects[graph->edges[next].user];
            if (user->kind >= kind || user->forced)
                continue;
            user->kind = kind;
            graph->worklist[graph->n_work++] = graph->edges[next].user;
        }
    }
}

void catalogue_graph_spread(struct catalogue_graph *graph)
{
    graph->worklist = memory_new(graph->n_objects, sizeof *graph->worklist);
    spread_kind(graph, NAME_OPAQUE);
    spread_kind(graph, NAME_SESSION);
    spread_kind(graph, NAME_SPECIAL);
}
