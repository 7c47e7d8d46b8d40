/*
 * Deciding which names are special; see catalogue_rules.h.
 *
 * Objects, edges and the spreading are catalogue_graph's. Edges of views, policies, triggers, casts ... come
 * from the catalogue by oid; those of function bodies come from their text by name, a namesake in any schema
 * counting when no schema is written. What is not known is special; what may do anything changes the session,
 * too.
 *
 * Settings with a dot that texts set are collected up to a bound; whatever sets more is opaque.
 */
#include "health/catalogue_rules.h"

#include "health/catalogue_extension.h"
#include "health/memory.h"
#include "router/classify.h"
#include "router/sql/builtins.h"
#include "router/sql/function_text.h"

#include <assert.h>
#include <string.h>

/* PostgreSQL gives its own objects lower ones. */
#define FIRST_OWN_OID 16384

struct rule_text {
    enum rule_class class;
    uint32_t oid;
    char *text;
};

struct catalogue_rules {
    struct catalogue_graph graph;
    struct rule_text *texts;
    size_t n_texts, texts_size;
    char *settings[CATALOGUE_MAX_SETTINGS];
    size_t n_settings;
    bool asks_sequences, decided;
};

struct catalogue_rules *catalogue_rules_new(void)
{
    return memory_new(1, sizeof(struct catalogue_rules));
}

void catalogue_rules_free(struct catalogue_rules *rules)
{
    if (!rules)
        return;
    catalogue_graph_fini(&rules->graph);
    for (size_t i = 0; i < rules->n_texts; i++)
        free(rules->texts[i].text);
    free(rules->texts);
    for (size_t i = 0; i < rules->n_settings; i++)
        free(rules->settings[i]);
    free(rules);
}

/* --- PostgreSQL's own --- */

/* Of its functions; what set_config() does is told by the text that calls it. To take something away changes
 * the session, too. */
static enum name_kind shipped_function(const char *name)
{
    const struct builtin *builtin = builtin_find(slice_from(name));
    unsigned pins = builtin ? builtin->pins & ~(unsigned)(PIN_SETTING | PIN_SEQUENCE) : 0;
    if (pins & ~(unsigned)PIN_ASKABLE)
        return NAME_OPAQUE;
    return pins || (builtin && builtin->frees) ? NAME_SESSION : builtin_function(slice_from(name));
}

static bool shipped_asks_sequences(const char *name)
{
    const struct builtin *builtin = builtin_find(slice_from(name));
    return builtin && (builtin->pins & PIN_SEQUENCE);
}

/* The names that SQL has for types beside those of pg_type. */
static const char *const type_names[][2] = {{"bool", "boolean"}, {"bpchar", "char"}, {"bpchar", "character"},
    {"float4", "real"}, {"float8", "double"}, {"float8", "float"}, {"int2", "smallint"}, {"int4", "int"},
    {"int4", "integer"}, {"int8", "bigint"}, {"numeric", "dec"}, {"numeric", "decimal"},
    {"timestamptz", "timestamp"}, {"timetz", "time"}, {"varbit", "bit"}, {"varchar", "char"},
    {"varchar", "character"}};
#define N_TYPE_NAMES (sizeof type_names / sizeof *type_names)

/* --- adding --- */

/* Of a function whose text is not read. */
static enum name_kind kind_unread(const struct rule_function *function)
{
    enum name_kind listed = catalogue_extension(function->extension, function->name);
    enum name_kind shipped = NAME_UNKNOWN;
    if (listed >= NAME_SESSION)
        return listed;
    if (function->language == RULE_LANGUAGE_INTERNAL && function->text)
        shipped = shipped_function(function->text);
    if (shipped == NAME_HARMLESS && function->volatility == RULE_VOLATILE)
        return NAME_SPECIAL;
    if (shipped != NAME_UNKNOWN)
        return shipped;
    if (function->suspicious)
        return NAME_OPAQUE;
    return function->volatility == RULE_VOLATILE && listed == NAME_UNKNOWN ? NAME_SESSION : NAME_SPECIAL;
}

static enum name_kind kind_by_itself(const struct rule_function *function)
{
    if (function->aggregate)
        return NAME_HARMLESS;
    if (function->language != RULE_LANGUAGE_TEXT)
        return kind_unread(function);
    if (!function->text)
        return function->suspicious ? NAME_OPAQUE : NAME_SESSION;
    return function->volatility == RULE_VOLATILE ? NAME_SPECIAL : NAME_HARMLESS;
}

/* Immutable is a promise to answer alike everywhere, and of code that nobody can read the best we have; a
 * stable one of an extension that we know depends on tables and settings, which are alike, too. */
static bool is_quiet(const struct rule_function *function, enum name_kind kind)
{
    bool promises = function->volatility == RULE_IMMUTABLE ||
                    (function->volatility == RULE_STABLE &&
                        catalogue_extension(function->extension, function->name) == NAME_HARMLESS);
    return kind == NAME_SPECIAL && promises && function->language != RULE_LANGUAGE_TEXT &&
           !(function->language == RULE_LANGUAGE_INTERNAL && function->text &&
               shipped_function(function->text) != NAME_UNKNOWN);
}

void catalogue_rules_function(struct catalogue_rules *rules, const struct rule_function *function)
{
    assert(!rules->decided);
    struct graph_object *object =
        catalogue_graph_add(&rules->graph, RULE_FUNCTION, function->oid, function->schema, function->name);
    object->kind = kind_by_itself(function);
    object->quiet = is_quiet(function, object->kind);
    object->hidden = function->hidden;
    object->writes = function->volatility == RULE_VOLATILE;
    bool read = function->language == RULE_LANGUAGE_TEXT && function->text && !function->aggregate;
    if (read)
        catalogue_rules_text(rules, RULE_FUNCTION, function->oid, function->text);
    rules->asks_sequences |= function->asks_sequences;
    if (read)
        rules->asks_sequences |=
            strcasestr(function->text, "currval") != NULL || strcasestr(function->text, "lastval") != NULL;
}

void catalogue_rules_relation(
    struct catalogue_rules *rules, uint32_t oid, const char *schema, const char *name, bool special)
{
    struct graph_object *object = catalogue_graph_add(&rules->graph, RULE_RELATION, oid, schema, name);
    catalogue_graph_raise(object, special ? NAME_SPECIAL : NAME_HARMLESS);
}

void catalogue_rules_operator(struct catalogue_rules *rules, uint32_t oid, const char *symbol)
{
    catalogue_graph_add(&rules->graph, RULE_OPERATOR, oid, "", symbol);
}

void catalogue_rules_type(struct catalogue_rules *rules, uint32_t oid, const char *schema, const char *name)
{
    catalogue_graph_add(&rules->graph, RULE_TYPE, oid, schema, name);
}

/* Of what may be none of ours. */
static enum name_kind kind_by_name(const struct rule_object *object)
{
    enum name_kind kind;
    switch (object->class) {
    case RULE_FUNCTION: kind = shipped_function(object->name); return kind ? kind : NAME_SPECIAL;
    case RULE_RELATION: return builtin_relation(slice_from(object->name));
    case RULE_WRITE:
    case RULE_OPERATOR:
    case RULE_TYPE:
    case RULE_VALUE:
    case RULE_DDL: break;
    }
    return NAME_UNKNOWN; /* PostgreSQL's own, or nothing is known to go wrong with it */
}

void catalogue_rules_depends(
    struct catalogue_rules *rules, const struct rule_object *from, const struct rule_object *to)
{
    assert(!rules->decided);
    if (to->class == RULE_FUNCTION && to->oid < FIRST_OWN_OID && shipped_asks_sequences(to->name))
        rules->asks_sequences = true;
    catalogue_graph_depends(&rules->graph, from->class, from->oid, to->class, to->oid, kind_by_name(to));
}

void catalogue_rules_text(
    struct catalogue_rules *rules, enum rule_class class, uint32_t oid, const char *text)
{
    if (rules->n_texts == rules->texts_size) {
        rules->texts_size = rules->texts_size ? rules->texts_size * 2 : 64;
        rules->texts = memory_resize(rules->texts, rules->texts_size, sizeof *rules->texts);
    }
    rules->texts[rules->n_texts++] = (struct rule_text){class, oid, memory_copy(text)};
    catalogue_graph_need(&rules->graph, class, oid);
}

static bool is_named(const struct graph_object *object, const char *name)
{
    size_t schema_len = strlen(object->schema);
    if (strcmp(object->name, name) == 0)
        return true;
    return strncmp(object->schema, name, schema_len) == 0 && name[schema_len] == '.' &&
           strcmp(object->name, name + schema_len + 1) == 0;
}

void catalogue_rules_override(struct catalogue_rules *rules, const char *name, enum name_kind kind)
{
    for (size_t i = 0; i < rules->graph.n_objects; i++) {
        struct graph_object *object = &rules->graph.objects[i];
        if (object->class != RULE_FUNCTION || !is_named(object, name))
            continue;
        object->forced = true;
        object->kind = kind;
    }
}

/* --- reading texts --- */

struct reading {
    struct catalogue_rules *rules;
    struct graph_object *object;
};

static void refer(struct reading *reading, enum rule_class class, const char *schema, const char *name)
{
    catalogue_graph_refer(&reading->rules->graph, reading->object, class, schema, name);
}

/* A name that is written may be a relation's, or a type's. */
static void refer_to_any(struct reading *reading, const char *schema, const char *name)
{
    refer(reading, RULE_RELATION, schema, name);
    refer(reading, RULE_TYPE, schema, name);
    if (reading->object->writes)
        refer(reading, RULE_WRITE, schema, name);
    for (size_t i = 0; i < N_TYPE_NAMES; i++) {
        if (strcmp(type_names[i][1], name) == 0)
            refer(reading, RULE_TYPE, "pg_catalog", type_names[i][0]);
    }
}

static void on_call(void *context, const char *schema, const char *name, bool may_be_syntax)
{
    struct reading *reading = context;
    bool ours = catalogue_graph_refer(&reading->rules->graph, reading->object, RULE_FUNCTION, schema, name);
    enum name_kind shipped = NAME_UNKNOWN;
    refer(reading, RULE_TYPE, schema, name); /* float8(x) */
    if (reading->object->writes)
        refer(reading, RULE_WRITE, schema, name); /* INSERT INTO t (a) */
    if (!schema[0] || strcmp(schema, "pg_catalog") == 0 || strcmp(schema, "information_schema") == 0) {
        shipped = shipped_function(name);
        reading->rules->asks_sequences |= shipped_asks_sequences(name);
    }
    if (shipped == NAME_UNKNOWN && !ours && !may_be_syntax)
        shipped = NAME_SPECIAL;
    catalogue_graph_raise(reading->object, shipped);
}

static void on_name(void *context, const char *schema, const char *name)
{
    struct reading *reading = context;
    refer_to_any(reading, schema, name);
    catalogue_graph_raise(reading->object, builtin_relation(slice_from(name)));
}

static void on_operator(void *context, const char *symbol)
{
    refer(context, RULE_OPERATOR, "", symbol);
}

static void on_session(void *context)
{
    struct reading *reading = context;
    catalogue_graph_raise(reading->object, NAME_SESSION);
}

static void on_opaque(void *context)
{
    struct reading *reading = context;
    catalogue_graph_raise(reading->object, NAME_OPAQUE);
}

static bool add_setting(struct catalogue_rules *rules, const char *name)
{
    for (size_t i = 0; i < rules->n_settings; i++) {
        if (strcmp(rules->settings[i], name) == 0)
            return true;
    }
    if (rules->n_settings == CATALOGUE_MAX_SETTINGS || strlen(name) > CATALOGUE_SETTING_MAX_BYTES)
        return false;
    rules->settings[rules->n_settings++] = memory_copy(name);
    return true;
}

static void on_setting(void *context, const char *name)
{
    struct reading *reading = context;
    if (!add_setting(reading->rules, name))
        on_opaque(reading);
}

static void read_text(struct catalogue_rules *rules, const struct rule_text *text)
{
    struct reading reading = {rules, catalogue_graph_find(&rules->graph, text->class, text->oid)};
    const struct function_text_events events = {.context = &reading,
        .call = on_call,
        .name = on_name,
        .operate = on_operator,
        .session = on_session,
        .unreadable = on_session,
        .opaque = on_opaque,
        .setting = on_setting};
    if (reading.object && !reading.object->forced)
        function_text_read(slice_from(text->text), &events);
}

void catalogue_rules_decide(struct catalogue_rules *rules)
{
    assert(!rules->decided);
    rules->decided = true;
    catalogue_graph_index(&rules->graph);
    for (size_t i = 0; i < rules->n_texts; i++)
        read_text(rules, &rules->texts[i]);
    catalogue_graph_spread(&rules->graph);
}

/* --- telling --- */

static void fill_type(const struct graph_object *type, struct catalogue *catalogue)
{
    catalogue_add_type(catalogue, type->schema, type->name, type->kind);
    if (strcmp(type->schema, "pg_catalog") != 0)
        return;
    for (size_t i = 0; i < N_TYPE_NAMES; i++) {
        if (strcmp(type_names[i][0], type->name) == 0)
            catalogue_add_type(catalogue, "pg_catalog", type_names[i][1], type->kind);
    }
}

static void fill_object(const struct graph_object *object, struct catalogue *catalogue)
{
    bool special = object->kind >= NAME_SPECIAL;
    switch (object->class) {
    case RULE_FUNCTION:
        if (!object->hidden)
            catalogue_add_function(catalogue, object->schema, object->name, object->kind);
        return;
    case RULE_RELATION:
        if (special)
            catalogue_add_relation(catalogue, object->schema, object->name, object->kind);
        return;
    case RULE_WRITE:
        if (object->kind >= NAME_SESSION)
            catalogue_add_write(catalogue, object->schema, object->name, object->kind);
        return;
    case RULE_OPERATOR:
        if (special)
            catalogue_add_operator(catalogue, object->name, object->kind);
        return;
    case RULE_TYPE:
        if (special)
            fill_type(object, catalogue);
        return;
    case RULE_DDL:
        if (object->kind >= NAME_SESSION)
            catalogue_set_ddl(catalogue, object->kind);
        return;
    case RULE_VALUE: return;
    }
}

void catalogue_rules_fill(const struct catalogue_rules *rules, struct catalogue *catalogue)
{
    assert(rules->decided);
    for (size_t i = 0; i < rules->graph.n_indexed; i++)
        fill_object(&rules->graph.objects[i], catalogue);
    for (size_t i = 0; i < rules->n_settings; i++) {
        bool added = catalogue_add_setting(catalogue, rules->settings[i]);
        assert(added);
        (void)added;
    }
    if (rules->asks_sequences)
        catalogue_set_reads_sequences(catalogue);
}
