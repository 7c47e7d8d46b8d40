/*
 * Classes one statement; see statement.h.
 *
 * The first key word picks a row of the table: a fixed verdict, or a function that reads on (queries,
 * EXPLAIN, COPY, transaction blocks, SET, ...). What the functions called in a statement leave in the session
 * is collected by the walk for every statement that runs what it holds. Words that begin no statement of
 * PostgreSQL's are utilities for the primary, which will refuse them.
 */
#include "router/sql/statement.h"
#include "router/sql/name.h"
#include "router/sql/walk.h"

#include <strings.h>

struct reading {
    struct tokens *tokens;
    const struct catalogue *catalogue;
    struct statement *out;
};

/* How the rest of a statement with a fixed verdict is read. */
enum rest {
    REST_SKIP,  /* its names and calls are not run by it */
    REST_CALLS, /* what it calls may leave something in the session */
    REST_CREATE
};

struct rule {
    enum statement_class class;
    enum reason reason;
    uint32_t flags, pins;
    enum rest rest;
    void (*read)(struct reading *reading); /* refines the verdict; reads as far as it likes */
};

static enum keyword now(const struct reading *reading)
{
    return reading->tokens->now.keyword;
}

static bool accept(struct reading *reading, enum keyword keyword)
{
    return tokens_accept(reading->tokens, keyword);
}

static void verdict(
    struct reading *reading, enum statement_class class, enum reason reason, struct slice culprit)
{
    reading->out->class = class;
    reading->out->reason = reason;
    reading->out->culprit = culprit;
}

static void broken(struct reading *reading, struct slice culprit)
{
    verdict(reading, STATEMENT_WRITE, REASON_NOT_LEXED, culprit);
    reading->out->broken = true;
    reading->out->hintable = false;
}

/* The verdict of a walk over a query. */
static void take_findings(struct reading *reading, const struct findings *findings)
{
    struct statement *out = reading->out;
    out->pins |= findings->pins;
    out->flags |= findings->flags;
    if (findings->error.data) {
        broken(reading, findings->error);
        return;
    }
    const struct cause *cause = findings->sure.reason != REASON_READ ? &findings->sure : &findings->maybe;
    out->hintable = findings->sure.reason == REASON_READ && findings->pins == 0;
    if (cause->reason != REASON_READ)
        verdict(reading, STATEMENT_WRITE, cause->reason, cause->culprit);
    else if (findings->pins) /* a function of the read_functions list that changes the session all the same */
        verdict(reading, STATEMENT_WRITE, REASON_FUNCTION_SPECIAL, out->culprit);
    else
        verdict(reading, STATEMENT_READ, REASON_READ, out->culprit);
}

static bool begins_query(enum keyword word)
{
    return word == KEYWORD_SELECT || word == KEYWORD_VALUES || word == KEYWORD_TABLE || word == KEYWORD_WITH;
}

static bool begins_change(enum keyword word)
{
    return word == KEYWORD_INSERT || word == KEYWORD_UPDATE || word == KEYWORD_DELETE ||
           word == KEYWORD_MERGE;
}

static void read_query_as(struct reading *reading, enum walk_kind kind)
{
    struct findings findings;
    walk(reading->tokens, reading->catalogue, kind, false, &findings);
    enum keyword first = findings.first.keyword;
    if (!begins_query(first) && !(kind == WALK_PLAN && begins_change(first))) {
        enum reason reason = begins_change(first) ? REASON_WRITE : REASON_UTILITY;
        findings.sure = (struct cause){reason, findings.first.text};
    }
    if (kind == WALK_PLAN)
        findings.pins = 0; /* nothing is called */
    take_findings(reading, &findings);
}

static void read_query(struct reading *reading)
{
    read_query_as(reading, WALK_QUERY);
}

/* The rest of a statement whose verdict stands: only pins count. */
static void read_calls(struct reading *reading, enum walk_kind kind)
{
    struct findings findings;
    walk(reading->tokens, reading->catalogue, kind, false, &findings);
    reading->out->pins |= findings.pins;
    if (findings.error.data)
        broken(reading, findings.error);
}

/* The rest of a statement of which nothing is wanted. */
static void read_rest(struct reading *reading)
{
    uint32_t pins = reading->out->pins;
    read_calls(reading, WALK_CREATE);
    reading->out->pins = pins;
}

/* FALSE, OFF or 0 behind an option; every other value switches it on. */
static bool is_off(const struct token *value)
{
    char storage[LEX_NAME_MAX];
    struct slice name;
    if (value->kind == TOKEN_NUMBER)
        return slice_is(value->text, "0");
    if (value->keyword == KEYWORD_FALSE || value->keyword == KEYWORD_OFF)
        return true;
    return value->kind == TOKEN_QUOTED && name_of(value, storage, &name) &&
           (slice_is(name, "off") || slice_is(name, "false"));
}

/* The options of EXPLAIN ( ... ), from the parenthesis on; true when ANALYZE is among them. */
static bool read_explain_options(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    bool analyze = false;
    for (tokens_advance(tokens); !tokens_at_end(tokens) && !token_is(&tokens->now, ')');
         tokens_advance(tokens)) {
        char storage[LEX_NAME_MAX];
        struct slice name = {NULL, 0};
        bool quoted = tokens->now.kind == TOKEN_QUOTED || tokens->now.kind == TOKEN_UNICODE;
        if (quoted && !name_of(&tokens->now, storage, &name))
            name = slice_from("analyze"); /* not known: the worse case */
        bool named =
            now(reading) == KEYWORD_ANALYZE || now(reading) == KEYWORD_ANALYSE || slice_is(name, "analyze");
        if (named && !is_off(&tokens->next))
            analyze = true;
    }
    if (token_is(&tokens->now, ')'))
        tokens_advance(tokens);
    return analyze;
}

static void read_explain(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    bool analyze = false;
    tokens_advance(tokens);
    if (token_is(&tokens->now, '(') && !token_is(&tokens->next, '(') && !begins_query(tokens->next.keyword)) {
        analyze = read_explain_options(reading);
    } else {
        analyze = accept(reading, KEYWORD_ANALYZE) || accept(reading, KEYWORD_ANALYSE);
        accept(reading, KEYWORD_VERBOSE);
    }
    struct slice word = tokens->now.text;
    if (begins_query(now(reading)) || token_is(&tokens->now, '(') ||
        (!analyze && begins_change(now(reading)))) {
        read_query_as(reading, analyze ? WALK_QUERY : WALK_PLAN);
        return;
    }
    verdict(reading, STATEMENT_WRITE, begins_change(now(reading)) ? REASON_WRITE : REASON_UTILITY, word);
    if (analyze)
        read_calls(reading, WALK_QUERY);
    else
        read_rest(reading);
}

/* TO STDOUT sends to the client; a file or a program is the node's. */
static void read_copy_target(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    if (now(reading) == KEYWORD_FROM) {
        verdict(reading, STATEMENT_WRITE, REASON_WRITE, tokens->now.text);
        reading->out->hintable = false;
        if (tokens->next.keyword == KEYWORD_STDIN ||
            tokens->next.keyword == KEYWORD_STDOUT) /* a synonym here */
            reading->out->flags |= STATEMENT_COPY_FROM;
    } else if (now(reading) != KEYWORD_TO ||
               (tokens->next.keyword != KEYWORD_STDOUT && tokens->next.keyword != KEYWORD_STDIN)) {
        verdict(reading, STATEMENT_WRITE, REASON_UTILITY, tokens->next.text);
        reading->out->hintable = false;
    }
    if (!reading->out->broken)
        read_rest(reading); /* options; or the expressions of COPY FROM ... WHERE, which allow no subquery */
}

/* Behind COPY: ( query ), or a table with columns. */
static void read_copy(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    struct findings findings;
    tokens_advance(tokens);
    if (token_is(&tokens->now, '(')) {
        walk(tokens, reading->catalogue, WALK_QUERY, true, &findings);
        if (!begins_query(findings.first.keyword) && findings.sure.reason == REASON_READ)
            findings.sure = (struct cause){REASON_WRITE, findings.first.text};
        take_findings(reading, &findings);
    } else {
        if (now(reading) == KEYWORD_BINARY)
            tokens_advance(tokens);
        if (!walk_relation(tokens, reading->catalogue, &findings))
            findings.sure = (struct cause){REASON_UTILITY, tokens->now.text};
        take_findings(reading, &findings);
        if (token_is(&tokens->now, '(')) {
            walk(tokens, reading->catalogue, WALK_QUERY, true, &findings);
            if (findings.error.data)
                broken(reading, findings.error);
        }
    }
    if (!reading->out->broken)
        read_copy_target(reading);
}

static void read_declare(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    while (!tokens_at_end(tokens) && now(reading) != KEYWORD_FOR) {
        if (now(reading) == KEYWORD_WITH && tokens->next.keyword == KEYWORD_HOLD)
            reading->out->pins |= PIN_CURSOR;
        tokens_advance(tokens);
    }
    accept(reading, KEYWORD_FOR);
    read_calls(reading, WALK_QUERY);
}

/* READ ONLY, READ WRITE, ISOLATION LEVEL ..., SNAPSHOT: up to the end. Gives STATEMENT_BEGIN_READ_ONLY when
 * it applies. */
static uint32_t read_transaction_modes(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    bool read_only = false, read_write = false;
    uint32_t flags = 0;
    for (; !tokens_at_end(tokens); tokens_advance(tokens)) {
        enum keyword word = now(reading), next = tokens->next.keyword;
        if (word == KEYWORD_READ) {
            read_only |= next == KEYWORD_ONLY;
            read_write |= next == KEYWORD_WRITE;
        } else if (word == KEYWORD_SERIALIZABLE || word == KEYWORD_REPEATABLE || word == KEYWORD_SNAPSHOT) {
            flags |= STATEMENT_ISOLATION;
        }
    }
    return read_only && !read_write && !flags ? STATEMENT_BEGIN_READ_ONLY : flags;
}

static void read_begin(struct reading *reading)
{
    reading->out->flags |= read_transaction_modes(reading);
}

static void read_commit(struct reading *reading)
{
    tokens_advance(reading->tokens);
    if (now(reading) == KEYWORD_PREPARED) /* stands outside every transaction block */
        reading->out->class = STATEMENT_WRITE;
}

static void read_rollback(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    tokens_advance(tokens);
    if (now(reading) == KEYWORD_PREPARED) {
        reading->out->class = STATEMENT_WRITE;
        return;
    }
    if (now(reading) == KEYWORD_WORK || now(reading) == KEYWORD_TRANSACTION)
        tokens_advance(tokens);
    if (now(reading) != KEYWORD_TO)
        reading->out->flags |= STATEMENT_ROLLBACK;
}

/* SET search_path TO pg_temp, ...: what is created then is temporary, without a word about it. */
static bool puts_temporary_first(const struct reading *reading)
{
    const struct tokens *tokens = reading->tokens;
    struct token name = tokens->now;
    struct lexer ahead = tokens->lexer;
    struct token value = lex_next(&ahead);
    char storage[LEX_NAME_MAX];
    struct slice schema;
    if (name.kind != TOKEN_WORD || name.text.len != strlen("search_path") ||
        strncasecmp(name.text.data, "search_path", name.text.len) != 0)
        return false;
    if (value.kind == TOKEN_STRING)
        return memmem(value.text.data, value.text.len, "pg_temp", 7) != NULL;
    return (value.kind == TOKEN_WORD || value.kind == TOKEN_QUOTED || value.kind == TOKEN_UNICODE) &&
           name_of(&value, storage, &schema) && name_is_temporary_schema(schema);
}

static void read_set(struct reading *reading)
{
    struct statement *out = reading->out;
    tokens_advance(reading->tokens);
    if (now(reading) == KEYWORD_LOCAL || now(reading) == KEYWORD_CONSTRAINTS)
        return;
    if (now(reading) == KEYWORD_TRANSACTION) {
        out->class = STATEMENT_TRANSACTION;
        out->reason = REASON_TRANSACTION;
        out->flags |= read_transaction_modes(reading) & STATEMENT_ISOLATION;
        return;
    }
    out->pins |= PIN_SETTING;
    accept(reading, KEYWORD_SESSION);
    if (now(reading) == KEYWORD_CHARACTERISTICS)
        out->flags |= read_transaction_modes(reading) & STATEMENT_ISOLATION;
    else if (puts_temporary_first(reading))
        out->pins |= PIN_TEMPORARY;
}

static void read_discard(struct reading *reading)
{
    tokens_advance(reading->tokens);
    if (now(reading) == KEYWORD_ALL)
        reading->out->flags |= STATEMENT_RESET_ALL;
}

static void read_prepare(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    tokens_advance(tokens);
    if (now(reading) == KEYWORD_TRANSACTION && tokens->next.kind == TOKEN_STRING) {
        verdict(reading, STATEMENT_TRANSACTION, REASON_TRANSACTION, reading->out->culprit);
        reading->out->flags |= STATEMENT_COMMIT;
    } else {
        reading->out->pins |= PIN_PREPARE;
    }
}

/* Objects that no catalogue of names knows of: their CREATE, ALTER and DROP change nothing that the router
 * knows. */
static bool is_no_name(enum keyword word)
{
    static const enum keyword words[] = {KEYWORD_INDEX, KEYWORD_UNIQUE, KEYWORD_ROLE, KEYWORD_USER,
        KEYWORD_GROUP, KEYWORD_DATABASE, KEYWORD_SYSTEM, KEYWORD_TABLESPACE, KEYWORD_SUBSCRIPTION,
        KEYWORD_PUBLICATION, KEYWORD_POLICY, KEYWORD_TRIGGER, KEYWORD_STATISTICS};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (word == words[i])
            return true;
    }
    return false;
}

static void read_ddl(struct reading *reading)
{
    tokens_advance(reading->tokens);
    if (!is_no_name(now(reading)))
        reading->out->flags |= STATEMENT_DDL;
}

static void read_create(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    struct statement *out = reading->out;
    tokens_advance(tokens);
    if (accept(reading, KEYWORD_OR))
        accept(reading, KEYWORD_REPLACE);
    bool local = accept(reading, KEYWORD_LOCAL) || accept(reading, KEYWORD_GLOBAL);
    bool temporary = local || now(reading) == KEYWORD_TEMP || now(reading) == KEYWORD_TEMPORARY;
    bool runs = temporary || now(reading) == KEYWORD_TABLE || now(reading) == KEYWORD_UNLOGGED ||
                now(reading) == KEYWORD_MATERIALIZED;
    bool names = !is_no_name(now(reading));
    struct findings findings;
    walk(tokens, reading->catalogue, WALK_CREATE, false, &findings);
    if (runs) /* CREATE TABLE AS runs its query */
        out->pins |= findings.pins;
    if (temporary || findings.temporary.data)
        out->pins |= PIN_TEMPORARY;
    else if (names)
        out->flags |= STATEMENT_DDL;
    if (findings.error.data)
        broken(reading, findings.error);
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
#define CALLS                                                                                                \
    {                                                                                                        \
        .class = STATEMENT_WRITE, .reason = REASON_WRITE, .flags = STATEMENT_CALL, .pins = PIN_FUNCTION      \
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
    [KEYWORD_CALL] = CALLS,
    [KEYWORD_DO] = CALLS,
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
    [KEYWORD_RESET] = SESSION(.pins = PIN_SETTING),
    [KEYWORD_DISCARD] = SESSION(.read = read_discard),
    [KEYWORD_LISTEN] = SESSION(.pins = PIN_LISTEN),
    [KEYWORD_UNLISTEN] = SESSION(.pins = 0),
    [KEYWORD_LOAD] = SESSION(.pins = PIN_LOAD),
    [KEYWORD_PREPARE] = SESSION(.read = read_prepare),
    [KEYWORD_EXECUTE] = SESSION(.rest = REST_CALLS),
    [KEYWORD_DEALLOCATE] = SESSION(.pins = 0),
    [KEYWORD_DECLARE] = SESSION(.read = read_declare),
    [KEYWORD_FETCH] = SESSION(.pins = 0),
    [KEYWORD_MOVE] = SESSION(.pins = 0),
    [KEYWORD_CLOSE] = SESSION(.pins = 0),
    [KEYWORD_CREATE] = DDL(.read = read_create),
    [KEYWORD_ALTER] = DDL(.read = read_ddl),
    [KEYWORD_DROP] = DDL(.read = read_ddl),
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
        .flags = rule.flags,
        .pins = rule.pins};
    if (rule.read)
        rule.read(&reading);
    if (out->broken)
        return;
    if (rule.rest == REST_CALLS)
        read_calls(&reading, WALK_QUERY);
    else
        read_rest(&reading);
}
