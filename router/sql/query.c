/*
 * Reads what may be a read: queries, EXPLAIN, COPY to the client; and DECLARE, which holds a query.
 *
 * The walk over the tokens finds what speaks against it; here is decided which part of the statement is
 * walked, and whether it is run or only planned. What is neither is a write or a utility.
 */
#include "router/sql/name.h"
#include "router/sql/reading.h"

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
    if (kind == WALK_PLAN) { /* nothing is run, but planning may call a stable function */
        findings.effect.pins &= PIN_FUNCTION;
        findings.effect.frees = 0;
    }
    reading_take(reading, &findings);
}

void read_query(struct reading *reading)
{
    read_query_as(reading, WALK_QUERY);
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
        bool named = reading_word(reading) == KEYWORD_ANALYZE || reading_word(reading) == KEYWORD_ANALYSE ||
                     slice_is(name, "analyze");
        if (named && !is_off(&tokens->next))
            analyze = true;
    }
    if (token_is(&tokens->now, ')'))
        tokens_advance(tokens);
    return analyze;
}

void read_explain(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    bool analyze = false;
    tokens_advance(tokens);
    if (token_is(&tokens->now, '(') && !token_is(&tokens->next, '(') && !begins_query(tokens->next.keyword)) {
        analyze = read_explain_options(reading);
    } else {
        analyze = reading_accept(reading, KEYWORD_ANALYZE) || reading_accept(reading, KEYWORD_ANALYSE);
        reading_accept(reading, KEYWORD_VERBOSE);
    }
    struct slice word = tokens->now.text;
    if (begins_query(reading_word(reading)) || token_is(&tokens->now, '(') ||
        (!analyze && begins_change(reading_word(reading)))) {
        read_query_as(reading, analyze ? WALK_QUERY : WALK_PLAN);
        return;
    }
    reading_verdict(
        reading, STATEMENT_WRITE, begins_change(reading_word(reading)) ? REASON_WRITE : REASON_UTILITY, word);
    if (analyze && reading_word(reading) == KEYWORD_EXECUTE)
        read_execute(reading);
    else if (analyze && reading_word(reading) == KEYWORD_CREATE)
        read_create(reading);
    else if (analyze)
        reading_calls(reading, WALK_QUERY);
    else
        reading_rest(reading);
}

/* COPY FROM: the options, then perhaps WHERE with calls in it. */
static void read_copy_condition(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    while (!tokens_at_end(tokens) && reading_word(reading) != KEYWORD_WHERE)
        tokens_advance(tokens);
    reading_calls(reading, WALK_QUERY);
}

/* TO STDOUT sends to the client; a file or a program is the node's. `write`: what COPY FROM runs beside. */
static void read_copy_target(struct reading *reading, enum name_kind write)
{
    struct tokens *tokens = reading->tokens;
    if (reading_word(reading) == KEYWORD_FROM) {
        reading_verdict(reading, STATEMENT_WRITE, REASON_WRITE, tokens->now.text);
        reading->out->hintable = false;
        if (tokens->next.keyword == KEYWORD_STDIN ||
            tokens->next.keyword == KEYWORD_STDOUT) /* a synonym here */
            reading->out->effect.flags |= STATEMENT_COPY_FROM;
        effect_of_kind(&reading->out->effect, write);
        read_copy_condition(reading);
    } else if (reading_word(reading) != KEYWORD_TO ||
               (tokens->next.keyword != KEYWORD_STDOUT && tokens->next.keyword != KEYWORD_STDIN)) {
        reading_verdict(reading, STATEMENT_WRITE, REASON_UTILITY, tokens->next.text);
        reading->out->hintable = false;
    }
    if (!reading->out->broken)
        reading_rest(reading);
}

/* Behind COPY: ( query ), or a table with columns. */
void read_copy(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    struct findings findings;
    enum name_kind write = NAME_UNKNOWN;
    tokens_advance(tokens);
    if (token_is(&tokens->now, '(')) {
        walk(tokens, reading->catalogue, WALK_QUERY, true, &findings);
        if (!begins_query(findings.first.keyword) && findings.sure.reason == REASON_READ)
            findings.sure = (struct cause){REASON_WRITE, findings.first.text};
        reading_take(reading, &findings);
    } else {
        if (reading_word(reading) == KEYWORD_BINARY)
            tokens_advance(tokens);
        if (!walk_relation(tokens, reading->catalogue, &findings))
            findings.sure = (struct cause){REASON_UTILITY, tokens->now.text};
        reading_take(reading, &findings);
        write = findings.write;
        if (token_is(&tokens->now, '(')) {
            walk(tokens, reading->catalogue, WALK_QUERY, true, &findings);
            if (findings.error.data)
                reading_broken(reading, findings.error);
        }
    }
    if (!reading->out->broken)
        read_copy_target(reading, write);
}

void read_declare(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    while (!tokens_at_end(tokens) && reading_word(reading) != KEYWORD_FOR) {
        if (reading_word(reading) == KEYWORD_WITH && tokens->next.keyword == KEYWORD_HOLD)
            reading->out->effect.pins |= PIN_CURSOR;
        tokens_advance(tokens);
    }
    reading_accept(reading, KEYWORD_FOR);
    reading_calls(reading, WALK_QUERY);
}
