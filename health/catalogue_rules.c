/*
 * Deciding which names are special; see catalogue_rules.h.
 *
 * Objects are nodes of a graph, "stands on" is an edge. Everything begins harmless but what is special by
 * itself or changes the session; then both spread against the edges until nothing changes. Edges of views,
 * policies, aggregates and partitions come from the catalogue by oid; edges of function bodies come from
 * their text by name, a namesake in any schema counting when no schema is written. What is not known is
 * special; what may do anything changes the session, too.
 */
#include "health/catalogue_rules.h"

#include "health/memory.h"
#include "router/classify.h"
#include "router/sql/builtins.h"
#include "router/sql/function_text.h"

#include <assert.h>

struct object {
    bool is_function, forced;
    enum name_kind kind; /* never UNKNOWN */
    uint32_t oid;
    char *schema, *name, *text;
    size_t first_user; /* head of its list in `edges`, SIZE_MAX = none */
};

/* `user` stands on the object whose list this is in. */
struct edge {
    size_t user, next;
};

struct dependency {
    bool from_function, to_function;
    uint32_t from, to;
    enum name_kind to_kind; /* if `to` is none of ours */
};

struct catalogue_rules {
    struct object *objects;
    size_t n_objects, objects_size;
    struct dependency *dependencies;
    size_t n_dependencies, dependencies_size;
    struct edge *edges;
    size_t n_edges, edges_size;
    size_t *by_name; /* indexes into objects; made when deciding */
    size_t *worklist, n_work;
    bool decided;
};

static void *grow(void *array, size_t n, size_t *size, size_t item)
{
    if (n < *size)
        return array;
    *size = *size ? *size * 2 : 64;
    return memory_resize(array, *size, item);
}

struct catalogue_rules *catalogue_rules_new(void)
{
    return memory_new(1, sizeof(struct catalogue_rules));
}

void catalogue_rules_free(struct catalogue_rules *rules)
{
    if (!rules)
        return;
    for (size_t i = 0; i < rules->n_objects; i++) {
        free(rules->objects[i].schema);
        free(rules->objects[i].name);
        free(rules->objects[i].text);
    }
    free(rules->objects);
    free(rules->dependencies);
    free(rules->edges);
    free(rules->by_name);
    free(rules->worklist);
    free(rules);
}

static void raise_to(struct object *object, enum name_kind kind)
{
    if (kind > object->kind)
        object->kind = kind;
}

/* Of PostgreSQL's own functions; set_config() is left to those who see its arguments, and currval() and
 * lastval() leave nothing behind. */
static enum name_kind shipped_function(struct slice name)
{
    const struct builtin *builtin = builtin_find(name);
    if (builtin && (builtin->pins & ~(unsigned)(PIN_SETTING | PIN_SEQUENCE)))
        return NAME_SESSION;
    return builtin_function(name);
}

static struct object *add(
    struct catalogue_rules *rules, bool is_function, uint32_t oid, const char *schema, const char *name)
{
    assert(!rules->decided);
    rules->objects = grow(rules->objects, rules->n_objects, &rules->objects_size, sizeof *rules->objects);
    struct object *object = &rules->objects[rules->n_objects++];
    *object = (struct object){.is_function = is_function,
        .kind = NAME_HARMLESS,
        .oid = oid,
        .schema = memory_copy(schema),
        .name = memory_copy(name),
        .first_user = SIZE_MAX};
    return object;
}

void catalogue_rules_function(struct catalogue_rules *rules, uint32_t oid, const char *schema,
    const char *name, enum rule_body body, const char *text)
{
    struct object *object = add(rules, true, oid, schema, name);
    switch (body) {
    case RULE_BODY_SESSION: object->kind = NAME_SESSION; break;
    case RULE_BODY_SPECIAL:
        object->kind = NAME_SPECIAL;
        object->text = memory_copy(text);
        break;
    case RULE_BODY_TEXT:
        object->text = memory_copy(text);
        object->kind = text ? NAME_HARMLESS : NAME_SPECIAL;
        break;
    case RULE_BODY_BUILTIN:
        if (builtin_function(slice_from(text)) != NAME_HARMLESS)
            object->kind = NAME_SPECIAL;
        break;
    case RULE_BODY_DEPENDENT: break;
    }
}

void catalogue_rules_relation(
    struct catalogue_rules *rules, uint32_t oid, const char *schema, const char *name, bool special)
{
    raise_to(add(rules, false, oid, schema, name), special ? NAME_SPECIAL : NAME_HARMLESS);
}

/* Of what may be none of ours. */
static enum name_kind kind_by_name(const struct rule_object *object)
{
    struct slice name = slice_from(object->name);
    if (!object->is_function)
        return builtin_relation(name);
    const struct builtin *builtin = builtin_find(name);
    if (builtin && builtin->pins & PIN_SETTING) /* the arguments are not seen */
        return NAME_SESSION;
    enum name_kind kind = shipped_function(name);
    return kind == NAME_UNKNOWN ? NAME_SPECIAL : kind;
}

void catalogue_rules_depends(
    struct catalogue_rules *rules, const struct rule_object *from, const struct rule_object *to)
{
    enum name_kind kind = kind_by_name(to);
    rules->dependencies = grow(
        rules->dependencies, rules->n_dependencies, &rules->dependencies_size, sizeof *rules->dependencies);
    rules->dependencies[rules->n_dependencies++] =
        (struct dependency){from->is_function, to->is_function, from->oid, to->oid, kind};
}

static bool is_named(const struct object *object, const char *name)
{
    size_t schema_len = strlen(object->schema);
    if (strcmp(object->name, name) == 0)
        return true;
    return strncmp(object->schema, name, schema_len) == 0 && name[schema_len] == '.' &&
           strcmp(object->name, name + schema_len + 1) == 0;
}

void catalogue_rules_override(struct catalogue_rules *rules, const char *name, enum name_kind kind)
{
    for (size_t i = 0; i < rules->n_objects; i++) {
        struct object *object = &rules->objects[i];
        if (!object->is_function || !is_named(object, name))
            continue;
        object->forced = true;
        object->kind = kind;
    }
}

/* --- lookups --- */

static int compare_oid(const void *a, const void *b)
{
    const struct object *one = a, *other = b;
    if (one->is_function != other->is_function)
        return one->is_function ? 1 : -1;
    return one->oid < other->oid ? -1 : one->oid > other->oid;
}

static struct object *find_oid(struct catalogue_rules *rules, bool is_function, uint32_t oid)
{
    struct object key = {.is_function = is_function, .oid = oid};
    if (rules->n_objects == 0)
        return NULL;
    return bsearch(&key, rules->objects, rules->n_objects, sizeof key, compare_oid);
}

static int compare_name(const void *a, const void *b, void *context)
{
    const struct object *objects = context;
    return strcmp(objects[*(const size_t *)a].name, objects[*(const size_t *)b].name);
}

/* The first place in by_name whose name is not smaller. */
static size_t first_named(const struct catalogue_rules *rules, const char *name)
{
    size_t low = 0, high = rules->n_objects;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(rules->objects[rules->by_name[middle]].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_edge(struct catalogue_rules *rules, struct object *used, struct object *user)
{
    rules->edges = grow(rules->edges, rules->n_edges, &rules->edges_size, sizeof *rules->edges);
    rules->edges[rules->n_edges] = (struct edge){(size_t)(user - rules->objects), used->first_user};
    used->first_user = rules->n_edges++;
}

/* --- the text of functions --- */

struct reading {
    struct catalogue_rules *rules;
    struct object *object;
};

/* Edges to all objects of that kind and name; returns whether there is any. */
static bool refer(struct reading *reading, const char *schema, const char *name, bool is_function)
{
    struct catalogue_rules *rules = reading->rules;
    bool any = false;
    for (size_t i = first_named(rules, name); i < rules->n_objects; i++) {
        struct object *object = &rules->objects[rules->by_name[i]];
        if (strcmp(object->name, name) != 0)
            break;
        if (object->is_function != is_function || (schema[0] && strcmp(object->schema, schema) != 0))
            continue;
        add_edge(rules, object, reading->object);
        any = true;
    }
    return any;
}

static void on_call(void *context, const char *schema, const char *name, bool may_be_syntax)
{
    struct reading *reading = context;
    bool ours = refer(reading, schema, name, true);
    enum name_kind shipped = NAME_UNKNOWN;
    if (!schema[0] || strcmp(schema, "pg_catalog") == 0 || strcmp(schema, "information_schema") == 0)
        shipped = shipped_function(slice_from(name));
    if (shipped == NAME_UNKNOWN && !ours && !may_be_syntax)
        shipped = NAME_SPECIAL;
    raise_to(reading->object, shipped);
}

static void on_name(void *context, const char *schema, const char *name)
{
    struct reading *reading = context;
    refer(reading, schema, name, false);
    raise_to(reading->object, builtin_relation(slice_from(name)));
}

static void on_session(void *context)
{
    struct reading *reading = context;
    raise_to(reading->object, NAME_SESSION);
}

static void read_text(struct catalogue_rules *rules, struct object *object)
{
    struct reading reading = {rules, object};
    const struct function_text_events events = {.context = &reading,
        .call = on_call,
        .name = on_name,
        .session = on_session,
        .unreadable = on_session};
    if (object->text && !object->forced)
        function_text_read(slice_from(object->text), &events);
}

/* --- deciding --- */

static void index_names(struct catalogue_rules *rules)
{
    rules->by_name = memory_new(rules->n_objects, sizeof *rules->by_name);
    for (size_t i = 0; i < rules->n_objects; i++)
        rules->by_name[i] = i;
    qsort_r(rules->by_name, rules->n_objects, sizeof *rules->by_name, compare_name, rules->objects);
}

static void link_dependencies(struct catalogue_rules *rules)
{
    for (size_t i = 0; i < rules->n_dependencies; i++) {
        const struct dependency *dependency = &rules->dependencies[i];
        struct object *from = find_oid(rules, dependency->from_function, dependency->from);
        struct object *to = find_oid(rules, dependency->to_function, dependency->to);
        if (!from || from->forced)
            continue;
        if (to)
            add_edge(rules, to, from);
        else
            raise_to(from, dependency->to_kind);
    }
}

/* Whoever stands on what is of at least that kind is so itself. */
static void spread(struct catalogue_rules *rules, enum name_kind kind)
{
    for (size_t i = 0; i < rules->n_objects; i++) {
        if (rules->objects[i].kind >= kind)
            rules->worklist[rules->n_work++] = i;
    }
    while (rules->n_work > 0) {
        size_t next = rules->objects[rules->worklist[--rules->n_work]].first_user;
        for (; next != SIZE_MAX; next = rules->edges[next].next) {
            struct object *user = &rules->objects[rules->edges[next].user];
            if (user->kind >= kind || user->forced)
                continue;
            user->kind = kind;
            rules->worklist[rules->n_work++] = rules->edges[next].user;
        }
    }
}

void catalogue_rules_decide(struct catalogue_rules *rules)
{
    assert(!rules->decided);
    rules->decided = true;
    if (rules->n_objects == 0)
        return;
    qsort(rules->objects, rules->n_objects, sizeof *rules->objects, compare_oid);
    index_names(rules);
    link_dependencies(rules);
    for (size_t i = 0; i < rules->n_objects; i++)
        read_text(rules, &rules->objects[i]);
    rules->worklist = memory_new(rules->n_objects, sizeof *rules->worklist);
    spread(rules, NAME_SESSION);
    spread(rules, NAME_SPECIAL);
}

void catalogue_rules_fill(const struct catalogue_rules *rules, struct catalogue *catalogue)
{
    assert(rules->decided);
    for (size_t i = 0; i < rules->n_objects; i++) {
        const struct object *object = &rules->objects[i];
        if (object->is_function)
            catalogue_add_function(catalogue, object->schema, object->name, object->kind);
        else if (object->kind >= NAME_SPECIAL)
            catalogue_add_relation(catalogue, object->schema, object->name, object->kind);
    }
}
