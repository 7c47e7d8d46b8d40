/*
 * Classes one statement; see statement.h.
 *
 * The first key word picks a row of the table: a fixed verdict, or a function that reads on (queries,
 * EXPLAIN, COPY, transaction blocks, SET, DO ...). What the functions called in a statement leave in the
 * session is collected by the walk for every statement that runs what it holds. Words that begin no statement
 * of PostgreSQL's are utilities for the primary, which will refuse them.
 */
#include "router/sql/reading.h"

/* How the rest of a statement with a fixed verdict is read. */
enum rest {
    REST_SKIP,  /* its names and calls are not run by it */
    REST_CALLS, /* what it calls may leave something in the session */
};

struct rule {
    enum statement_class class;
    enum reason reason;
    uint32_t flags, pins, frees;
    enum rest rest;
    void (*read)(struct reading *reading); /* refines the verdict; reads as far as it likes */
};

enum keyword reading_word(const struct reading *reading)
{
    return reading->tokens->now.keyword;
}

bool reading_accept(struct reading *reading, enum keyword keyword)
{
    return tokens_accept(reading->tokens, keyword);
}

void reading_verdict(
    struct reading *reading, enum statement_class class, enum reason reason, struct slice culprit)
{
    reading->out->class = class;
    reading->out->reason = reason;
    reading->out->culprit = culprit;
}

void reading_broken(struct reading *reading, struct slice culprit)
{
    reading_verdict(reading, STATEMENT_WRITE, REASON_NOT_LEXED, culprit);
    reading->out->broken = true;
    reading->out->hintable = false;
}

void reading_take(struct reading *reading, const struct findings *findings)
{
    struct statement *out = reading->out;
    effect_add(&out->effect, &findings->effect);
    if (findings->error.data) {
        reading_broken(reading, findings->error);
        return;
    }
    const struct cause *cause = findings->sure.reason != REASON_READ ? &findings->sure : &findings->maybe;
    out->hintable = findings->sure.reason == REASON_READ && findings->effect.pins == 0;
    if (cause->reason != REASON_READ)
        reading_verdict(reading, STATEMENT_WRITE, cause->reason, cause->culprit);
    else if (findings->effect
                 .pins) /* a function of the read_functions list that changes the session all the same */
        reading_verdict(reading, STATEMENT_WRITE, REASON_FUNCTION_SPECIAL, out->culprit);
    else
        reading_verdict(reading, STATEMENT_READ, REASON_READ, out->culprit);
}

void reading_calls(struct reading *reading, enum walk_kind kind)
{
    struct findings findings;
    walk(reading->tokens, reading->catalogue, kind, false, &findings);
    effect_add(&reading->out->effect, &findings.effect);
    if (findings.error.data)
        reading_broken(reading, findings.error);
}

void reading_rest(struct reading *reading)
{
    struct findings findings;
    walk(reading->tokens, reading->catalogue, WALK_CREATE, false, &findings);
    if (findings.error.data)
        reading_broken(reading, findings.error);
}

#define QUERY                                                                                                \
    {                                                                                                        \
        .class = STATEMENT_WRITE, .reason = REASON_WRITE, .read = read_query                                 \
    }
#define CHANGE                                                                                               \
    {                                                                                                        \
        .class = STATEMENT_WRITE, .reason = REASON_WRITE, .rest = REST_CALLS                                 \
    }
#define SESSION(...)                                                                                         \
    {                                                                                                        \
        .class = STATEMENT_WRITE, .reason = REASON_SESSION, __VA_ARGS__                                      \
    }
#define UTILITY                                                                                              \
    {                                                                                                        \
        .class = STATEMENT_WRITE, .reason = REASON_UTILITY                                                   \
    }
#define DDL(...)                                                                                             \
    {                                                                                                        \
        .class = STATEMENT_WRITE, .reason = REASON_DDL, __VA_ARGS__                                          \
    }
#define TRANSACTION(...)                                                                                     \
    {                                                                                                        \
        .class = STATEMENT_TRANSACTION, .reason = REASON_TRANSACTION, __VA_ARGS__                            \
    }
#define ROUTINE(reader)                                                                                      \
    {                                                                                                        \
        .class = STATEMENT_WRITE, .reason = REASON_WRITE, .flags = STATEMENT_CALL, .read = reader            \
    }

static const struct rule rules[KEYWORD_COUNT] = {
    [NO_KEYWORD] = UTILITY,
    [KEYWORD_SELECT] = QUERY,
    [KEYWORD_VALUES] = QUERY,
    [KEYWORD_TABLE] = QUERY,
    [KEYWORD_WITH] = QUERY,
    [KEYWORD_EXPLAIN] = {.class = STATEMENT_WRITE, .reason = REASON_UTILITY, .read = read_explain},
    [KEYWORD_COPY] = {.class = STATEMENT_WRITE, .reason = REASON_WRITE, .read = read_copy},
    [KEYWORD_INSERT] = CHANGE,
    [KEYWORD_UPDATE] = CHANGE,
    [KEYWORD_DELETE] = CHANGE,
    [KEYWORD_MERGE] = CHANGE,
    [KEYWORD_TRUNCATE] = CHANGE,
    [KEYWORD_NOTIFY] = CHANGE,
    [KEYWORD_CALL] = ROUTINE(read_call),
    [KEYWORD_DO] = ROUTINE(read_do),
    [KEYWORD_BEGIN] = TRANSACTION(.flags = STATEMENT_BEGIN, .read = read_begin),
    [KEYWORD_START] = TRANSACTION(.flags = STATEMENT_BEGIN, .read = read_begin),
    [KEYWORD_COMMIT] = TRANSACTION(.flags = STATEMENT_COMMIT, .read = read_commit),
    [KEYWORD_END] = TRANSACTION(.flags = STATEMENT_COMMIT),
    [KEYWORD_ROLLBACK] = TRANSACTION(.read = read_rollback),
    [KEYWORD_ABORT] = TRANSACTION(.read = read_rollback),
    [KEYWORD_SAVEPOINT] = TRANSACTION(.flags = 0),
    [KEYWORD_RELEASE] = TRANSACTION(.flags = 0),
    [KEYWORD_SHOW] = {.class = STATEMENT_WRITE, .reason = REASON_SHOW},
    [KEYWORD_SET] = SESSION(.read = read_set),
    [KEYWORD_RESET] = SESSION(.read = read_set),
    [KEYWORD_DISCARD] = SESSION(.read = read_discard),
    [KEYWORD_LISTEN] = SESSION(.pins = PIN_LISTEN),
    [KEYWORD_UNLISTEN] = SESSION(.frees = PIN_LISTEN),
    [KEYWORD_LOAD] = SESSION(.pins = PIN_LOAD),
    [KEYWORD_PREPARE] = SESSION(.read = read_prepare),
    [KEYWORD_EXECUTE] = SESSION(.read = read_execute),
    [KEYWORD_DEALLOCATE] = SESSION(.frees = PIN_PREPARE),
    [KEYWORD_DECLARE] = SESSION(.read = read_declare),
    [KEYWORD_FETCH] = SESSION(.pins = 0),
    [KEYWORD_MOVE] = SESSION(.pins = 0),
    [KEYWORD_CLOSE] = SESSION(.frees = PIN_CURSOR),
    [KEYWORD_CREATE] = DDL(.read = read_create),
    [KEYWORD_ALTER] = DDL(.read = read_ddl),
    /* Names that are gone do no harm in a catalogue; temporary tables are dropped all the time. */
    [KEYWORD_DROP] = DDL(.frees = PIN_TEMPORARY),
    [KEYWORD_IMPORT] = DDL(.flags = STATEMENT_DDL),
    [KEYWORD_GRANT] = DDL(.flags = 0),
    [KEYWORD_REVOKE] = DDL(.flags = 0),
    [KEYWORD_COMMENT] = DDL(.flags = 0),
    [KEYWORD_SECURITY] = DDL(.flags = 0),
    [KEYWORD_REASSIGN] = DDL(.flags = 0),
    [KEYWORD_REFRESH] = DDL(.flags = 0),
};

/* Words without a row (LOCK, VACUUM, ANALYZE, ...) are utilities too. */
static struct rule rule_of(const struct token *first)
{
    static const struct rule query = QUERY, utility = UTILITY;
    if (token_is(first, '('))
        return query;
    const struct rule *rule = &rules[first->keyword];
    return rule->reason == REASON_READ ? utility : *rule; /* no row has REASON_READ, which is 0 */
}

void statement_read(struct tokens *tokens, const struct catalogue *catalogue, struct statement *out)
{
    struct rule rule = rule_of(&tokens->now);
    struct reading reading = {tokens, catalogue, out};
    *out = (struct statement){.class = rule.class,
        .reason = rule.reason,
        .culprit = tokens->now.text,
        .effect = {rule.flags, rule.pins, rule.frees}};
    if (rule.reason == REASON_DDL && catalogue)
        effect_of_kind(&out->effect, catalogue_ddl(catalogue));
    if (rule.read)
        rule.read(&reading);
    if (out->broken)
        return;
    if (rule.rest == REST_CALLS)
        reading_calls(&reading, WALK_QUERY);
    else
        reading_rest(&reading);
}
