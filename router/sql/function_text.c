/*
 * Names in the text of a function; see function_text.h. The router's lexer skips comments and strings; a name
 * followed by "(" is a call unless the grammar forbids that. What is wrongly taken for a call makes the
 * function unknown, and its callers go to the primary, which is always right.
 *
 * A command that changes the session is a word where a statement begins: at the start, after a semicolon, or
 * after a word of PL/pgSQL behind which statements stand. So the SET of an UPDATE is none. A variable of such
 * a name may be taken for a command, which costs a pinned connection and harms nothing.
 */
#include "router/sql/function_text.h"

#include "router/sql/name.h"
#include "router/sql/tokens.h"

#include <stdio.h>
#include <strings.h>

struct reader {
    struct tokens tokens;
    const struct function_text_events *events;
    char schema[LEX_NAME_MAX]; /* the part before the last dot; "" when there is none */
    bool after_as;
    struct token before, before_that; /* TOKEN_END at the start of the text */
    /* set_config(name, value, is_local), as router/sql/walk.c reads it */
    unsigned depth, setting_depth, setting_commas; /* setting_depth 0: not inside one */
};

static bool is_name(const struct token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED || token->kind == TOKEN_UNICODE;
}

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && token->text.len == strlen(word) &&
           strncasecmp(token->text.data, word, token->text.len) == 0;
}

static bool is_any_word(const struct token *token, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_word(token, words[i]))
            return true;
    }
    return false;
}

#define IS_ANY_WORD(token, ...)                                                                              \
    is_any_word((token), (const char *const[]){__VA_ARGS__},                                                 \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

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

static bool begins_statement(const struct reader *reader)
{
    const struct token *before = &reader->before;
    return before->kind == TOKEN_END || token_is(before, ';') ||
           slice_is(before->text, ">>") || /* <<label>> */
           IS_ANY_WORD(before, "begin", "then", "else", "loop");
}

/* The word at hand, with those around it, is of a statement that changes the session. */
static bool changes_session(const struct reader *reader)
{
    const struct token *word = &reader->tokens.now, *next = &reader->tokens.next;
    if (is_word(word, "hold"))
        return is_word(&reader->before, "with");
    if (IS_ANY_WORD(word, "temp", "temporary"))
        return IS_ANY_WORD(&reader->before, "create", "replace", "local", "global") ||
               (is_word(&reader->before, "into") && (is_name(next) && !is_word(next, "from")));
    if (!begins_statement(reader) || next->kind == TOKEN_COLON_EQUALS || token_is(next, '='))
        return false; /* an assignment is none */
    if (is_word(word, "set"))
        return !IS_ANY_WORD(next, "local", "constraints", "transaction");
    return IS_ANY_WORD(word, "reset", "listen", "unlisten", "prepare", "deallocate", "load", "discard", "do");
}

/* set_config() is decided at its closing parenthesis; one inside another's arguments is not told apart. */
static void on_setting(struct reader *reader)
{
    if (reader->setting_depth != 0) {
        reader->events->session(reader->events->context);
        return;
    }
    reader->setting_depth = reader->depth + 1;
    reader->setting_commas = 0;
}

static void on_close(struct reader *reader)
{
    if (reader->depth == 0)
        return;
    if (reader->depth == reader->setting_depth) {
        bool local = reader->setting_commas == 2 && is_word(&reader->before, "true") &&
                     token_is(&reader->before_that, ',');
        if (!local)
            reader->events->session(reader->events->context);
        reader->setting_depth = 0;
    }
    reader->depth--;
}

static void on_call(struct reader *reader, const char *name)
{
    bool shipped = !reader->schema[0] || strcmp(reader->schema, "pg_catalog") == 0;
    if (shipped && strcmp(name, "set_config") == 0)
        on_setting(reader);
    reader->events->call(
        reader->events->context, reader->schema, name, may_be_syntax(reader, &reader->tokens.now, name));
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
        if (name_is_temporary_schema(found))
            reader->events->session(reader->events->context);
        snprintf(reader->schema, sizeof reader->schema, "%s", name);
        return;
    }
    if (!reader->schema[0] && changes_session(reader))
        reader->events->session(reader->events->context);
    bool dynamic = token.kind == TOKEN_WORD && !reader->schema[0] && strcmp(name, "execute") == 0;
    if (dynamic)
        reader->events->unreadable(reader->events->context);
    else if (token_is(&reader->tokens.next, '('))
        on_call(reader, name);
    else
        reader->events->name(reader->events->context, reader->schema, name);
    reader->after_as = token.kind == TOKEN_WORD && strcmp(name, "as") == 0;
    reader->schema[0] = '\0';
}

static void read_other(struct reader *reader)
{
    switch (reader->tokens.now.character) {
    case '.': return; /* of a dotted name */
    case '(': reader->depth++; break;
    case ')': on_close(reader); break;
    case ',': reader->setting_commas += reader->depth == reader->setting_depth; break;
    default: break;
    }
    reader->schema[0] = '\0';
    reader->after_as = false;
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
        if (is_name(token))
            read_name(&reader);
        else
            read_other(&reader);
        reader.before_that = reader.before;
        reader.before = *token;
    }
    if (reader.setting_depth != 0)
        events->session(events->context);
}
