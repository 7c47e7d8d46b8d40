/*
 * Rows of the system catalogues as rules; see catalogue_query.h. The SQL is in catalogue_sql.c, which says
 * what the columns are. What cannot be had (NULL) reads as "", 0, false.
 */
#include "health/catalogue_query.h"

#include "health/catalogue_sql.h"
#include "health/memory.h"

const char *catalogue_question_text(enum catalogue_question question, int server_version)
{
    switch (question) {
    case CATALOGUE_PREPARE: return catalogue_sql_prepare;
    case CATALOGUE_LOOK: return "EXECUTE rolecall_look";
    case CATALOGUE_BEGIN: return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    case CATALOGUE_FINGERPRINT: return "EXECUTE rolecall_fingerprint";
    case CATALOGUE_FUNCTIONS:
        return server_version >= 140000 ? catalogue_sql_functions : catalogue_sql_functions_12;
    case CATALOGUE_RELATIONS: return catalogue_sql_relations;
    case CATALOGUE_DEPENDENCIES: return catalogue_sql_dependencies;
    case CATALOGUE_TYPES: return catalogue_sql_types;
    case CATALOGUE_CALLS: return catalogue_sql_calls;
    case CATALOGUE_END: return "COMMIT";
    case CATALOGUE_QUESTIONS: break;
    }
    return NULL;
}

static const char *value(const struct pgconn_answer *answer, int row, int column)
{
    const char *text = pgconn_value(answer, row, column);
    return text ? text : "";
}

static uint32_t oid(const struct pgconn_answer *answer, int row, int column)
{
    return (uint32_t)strtoul(value(answer, row, column), NULL, 10);
}

static bool yes(const struct pgconn_answer *answer, int row, int column)
{
    return value(answer, row, column)[0] == 't';
}

void catalogue_look_read(const struct pgconn_answer *answer, struct catalogue_look *look)
{
    look->snapshot = value(answer, 0, 0);
    look->written = value(answer, 0, 1);
}

void catalogue_fingerprint_read(const struct pgconn_answer *answer, struct catalogue_fingerprint *fingerprint)
{
    double seconds = strtod(value(answer, 0, 2), NULL);
    fingerprint->server_version = atoi(value(answer, 0, 0));
    fingerprint->text = value(answer, 0, 1);
    fingerprint->cost_us = seconds > 0 && seconds < 1000 ? (uint64_t)(seconds * 1e6) : 0;
}

static enum rule_language language_of(const char *word)
{
    if (strcmp(word, "text") == 0)
        return RULE_LANGUAGE_TEXT;
    return strcmp(word, "internal") == 0 ? RULE_LANGUAGE_INTERNAL : RULE_LANGUAGE_OTHER;
}

static enum rule_volatility volatility_of(char letter)
{
    if (letter == 'i')
        return RULE_IMMUTABLE;
    return letter == 's' ? RULE_STABLE : RULE_VOLATILE;
}

static void read_function(const struct pgconn_answer *answer, int row, struct catalogue_rules *rules)
{
    const struct rule_function function = {.oid = oid(answer, row, 0),
        .schema = value(answer, row, 1),
        .name = value(answer, row, 2),
        .language = language_of(value(answer, row, 3)),
        .volatility = volatility_of(value(answer, row, 4)[0]),
        .aggregate = yes(answer, row, 5),
        .hidden = yes(answer, row, 6),
        .suspicious = yes(answer, row, 7),
        .asks_sequences = yes(answer, row, 8),
        .extension = pgconn_value(answer, row, 9),
        .text = pgconn_value(answer, row, 10)};
    catalogue_rules_function(rules, &function);
}

static enum rule_class class_of(char letter)
{
    switch (letter) {
    case 'r': return RULE_RELATION;
    case 'w': return RULE_WRITE;
    case 'o': return RULE_OPERATOR;
    case 't': return RULE_TYPE;
    case 'v': return RULE_VALUE;
    case 'd': return RULE_DDL;
    default: return RULE_FUNCTION;
    }
}

static void read_dependency(const struct pgconn_answer *answer, int row, struct catalogue_rules *rules)
{
    const struct rule_object from = {class_of(value(answer, row, 0)[0]), oid(answer, row, 1), NULL};
    char to_class = value(answer, row, 2)[0];
    const char *name = value(answer, row, 4);
    if (to_class != '=') {
        const struct rule_object to = {class_of(to_class), oid(answer, row, 3), name};
        catalogue_rules_depends(rules, &from, &to);
    } else if (from.class == RULE_OPERATOR) {
        catalogue_rules_operator(rules, from.oid, name);
    } else {
        catalogue_rules_type(rules, from.oid, value(answer, row, 5), name);
    }
}

/* A call of a built-in function: with a text, that says what it does. */
static void read_call(const struct pgconn_answer *answer, int row, struct catalogue_rules *rules)
{
    const struct rule_object from = {class_of(value(answer, row, 0)[0]), oid(answer, row, 1), NULL};
    const struct rule_object to = {RULE_FUNCTION, 0, value(answer, row, 2)};
    const char *text = pgconn_value(answer, row, 3);
    if (text)
        catalogue_rules_text(rules, from.class, from.oid, text);
    else
        catalogue_rules_depends(rules, &from, &to);
}

static void read_row(enum catalogue_question question, const struct pgconn_answer *answer, int row,
    struct catalogue_rules *rules)
{
    switch (question) {
    case CATALOGUE_FUNCTIONS: read_function(answer, row, rules); return;
    case CATALOGUE_RELATIONS:
        catalogue_rules_relation(
            rules, oid(answer, row, 0), value(answer, row, 1), value(answer, row, 2), yes(answer, row, 3));
        return;
    case CATALOGUE_DEPENDENCIES:
    case CATALOGUE_TYPES: read_dependency(answer, row, rules); return;
    case CATALOGUE_CALLS: read_call(answer, row, rules); return;
    case CATALOGUE_PREPARE:
    case CATALOGUE_LOOK:
    case CATALOGUE_BEGIN:
    case CATALOGUE_FINGERPRINT:
    case CATALOGUE_END:
    case CATALOGUE_QUESTIONS: return;
    }
}

bool catalogue_answer_read(
    enum catalogue_question question, const struct pgconn_answer *answer, struct catalogue_rules *rules)
{
    if (answer->rows >= CATALOGUE_MAX_ROWS)
        return false;
    for (int row = 0; row < answer->rows; row++)
        read_row(question, answer, row, rules);
    return true;
}
