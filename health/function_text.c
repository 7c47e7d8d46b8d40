/*
 * Names in the text of a function; see function_text.h. The router's lexer skips comments and strings; a name
 * followed by "(" is a call unless the grammar forbids that. What is wrongly taken for a call makes the
 * function unknown, and its callers go to the primary, which is always right.
 */
#include "health/function_text.h"

#include "router/sql/name.h"
#include "router/sql/tokens.h"

#include <stdio.h>

struct reader {
    struct tokens tokens;
    const struct function_text_events *events;
    char schema[LEX_NAME_MAX]; /* the part before the last dot; "" when there is none */
    bool after_as;
};

static bool is_name(const struct token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED || token->kind == TOKEN_UNICODE;
}

/* Words that stand before a parenthesis without calling: of PL/pgSQL, and unreserved ones of SQL. */
static bool is_listed(const char *word)
{
    static const char *const words[] = {"assert", "atomic", "by", "cube", "elseif", "elsif", "escape",
        "exclude", "exit", "filter", "foreach", "groups", "if", "loop", "materialized", "next", "over",
        "partition", "perform", "query", "raise", "range", "return", "rollup", "rows", "sets", "slice",
        "values", "while", "within", "zone"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    return false;
}

static bool may_be_syntax(const struct reader *reader, const struct token *token, const char *name)
{
    if (reader->schema[0] || token->kind != TOKEN_WORD)
        return false;
    if (reader->after_as || is_listed(name))
        return true;
    return token->keyword != NO_KEYWORD && keyword_category(token->keyword) != CATEGORY_UNRESERVED;
}

static void read_name(struct reader *reader)
{
    const struct token token = reader->tokens.now;
    char storage[LEX_NAME_MAX], name[LEX_NAME_MAX];
    struct slice found;
    if (!name_of(&token, storage, &found)) {
        reader->events->unreadable(reader->events->context);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)found.len, found.data);
    if (token_is(&reader->tokens.next, '.')) {
        snprintf(reader->schema, sizeof reader->schema, "%s", name);
        return;
    }
    bool dynamic = token.kind == TOKEN_WORD && !reader->schema[0] && strcmp(name, "execute") == 0;
    if (dynamic)
        reader->events->unreadable(reader->events->context);
    else if (token_is(&reader->tokens.next, '('))
        reader->events->call(
            reader->events->context, reader->schema, name, may_be_syntax(reader, &token, name));
    else
        reader->events->name(reader->events->context, reader->schema, name);
    reader->after_as = token.kind == TOKEN_WORD && strcmp(name, "as") == 0;
    reader->schema[0] = '\0';
}

void function_text_read(struct slice text, const struct function_text_events *events)
{
    struct reader reader = {.events = events};
    tokens_init(&reader.tokens, text, true);
    for (; reader.tokens.now.kind != TOKEN_END; tokens_advance(&reader.tokens)) {
        const struct token *token = &reader.tokens.now;
        if (token->kind == TOKEN_ERROR) {
            events->unreadable(events->context);
            return;
        }
        if (is_name(token)) {
            read_name(&reader);
        } else if (!token_is(token, '.')) {
            reader.schema[0] = '\0';
            reader.after_as = false;
        }
    }
}
