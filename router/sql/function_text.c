/*
 * Names in the text of a function; see function_text.h. The router's lexer skips comments and strings; a name
 * followed by "(" is a call unless the grammar forbids that. What is wrongly taken for a call makes the
 * function unknown, and its callers go to the primary, which is always right.
 *
 * A command that changes the session is a word where a statement begins: at the start, after a semicolon, or
 * after a word of PL/pgSQL behind which statements stand. So the SET of an UPDATE is none. A variable of such
 * a name may be taken for a command, which costs a question to the server and harms nothing.
 *
 * What EXECUTE runs is put together from string literals, often before the word: when there was one, the
 * literals of the whole text are gone over for settings with a dot, which nobody can ask for without their
 * names, and for what cannot be asked for at all.
 */
#include "router/sql/function_text.h"

#include "router/setting.h"
#include "router/sql/name.h"
#include "router/sql/set_config.h"
#include "router/sql/tokens.h"

#include <stdio.h>
#include <strings.h>

struct reader {
    struct tokens tokens;
    const struct function_text_events *events;
    char schema[LEX_NAME_MAX]; /* the part before the last dot; "" when there is none */
    bool after_as;
    struct token before, before_that; /* TOKEN_END at the start of the text */
    unsigned depth;
    struct set_config call;
    bool dynamic; /* there was dynamic SQL */
};

static void tell(const struct reader *reader, void (*event)(void *context))
{
    if (event)
        event(reader->events->context);
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

/* ---- what changes the session ---- */

/* `name` "": not known. */
static void on_setting(struct reader *reader, const char *name, bool local)
{
    const struct function_text_events *events = reader->events;
    if (setting_ends_with_transaction(slice_from(name)))
        return;
    if (events->set)
        events->set(events->context, name, local);
    bool seed = strcmp(name, "seed") == 0; /* setseed() by another name */
    if (seed || (!local && !name[0]))
        tell(reader, events->opaque);
    if (local)
        return;
    tell(reader, events->session);
    if (events->setting && strchr(name, '.'))
        events->setting(events->context, name);
}

struct setter {
    struct reader *reader;
    bool local;
};

static void on_set_name(void *context, struct slice name)
{
    const struct setter *setter = context;
    char text[SETTING_NAME_MAX];
    snprintf(text, sizeof text, "%.*s", (int)name.len, name.data);
    on_setting(setter->reader, text, setter->local);
}

/* SET or RESET where a statement begins. */
static void on_set(struct reader *reader)
{
    struct tokens ahead = reader->tokens;
    struct set_clause clause;
    set_clause_read(&ahead, &clause);
    struct setter setter = {reader, clause.local};
    switch (clause.form) {
    case SET_NONE:
    case SET_TRANSACTION: return;
    case SET_ALL: tell(reader, reader->events->session); return;
    case SET_UNTOLD: on_setting(reader, "", clause.local); return;
    case SET_VALUE:
    case SET_DEFAULT: set_clause_names(&clause, &setter, on_set_name); return;
    }
}

/* The word at hand, with those around it, is of a statement that changes the session; SET and RESET apart. */
static bool changes_session(const struct reader *reader)
{
    const struct token *word = &reader->tokens.now, *next = &reader->tokens.next;
    if (is_word(word, "hold"))
        return is_word(&reader->before, "with");
    if (IS_ANY_WORD(word, "temp", "temporary"))
        return IS_ANY_WORD(&reader->before, "create", "replace", "local", "global") ||
               (is_word(&reader->before, "into") && (name_is_token(next) && !is_word(next, "from")));
    return begins_statement(reader) &&
           IS_ANY_WORD(word, "listen", "unlisten", "prepare", "deallocate", "load", "discard", "do");
}

/* A word that is no part of a dotted name. */
static void on_word(struct reader *reader)
{
    const struct token *word = &reader->tokens.now, *next = &reader->tokens.next;
    if (next->kind == TOKEN_COLON_EQUALS || token_is(next, '='))
        return; /* an assignment is none */
    if (IS_ANY_WORD(word, "set", "reset") && begins_statement(reader))
        on_set(reader);
    if (!changes_session(reader))
        return;
    tell(reader, reader->events->session);
    if (is_word(word, "load"))
        tell(reader, reader->events->opaque);
    reader->dynamic |= is_word(word, "do");
}

static void end_call(struct reader *reader, const struct set_config *call, bool local)
{
    char name[SETTING_NAME_MAX] = "";
    if (call->named)
        snprintf(name, sizeof name, "%.*s", (int)call->name.len, call->name.data);
    on_setting(reader, name, local);
}

/* set_config() is decided at its closing parenthesis; one inside another's arguments is not told apart: it is
 * taken to be for the session. */
static void begin_call(struct reader *reader)
{
    struct set_config inner;
    bool nested = reader->call.depth != 0;
    set_config_open(nested ? &inner : &reader->call, &reader->tokens, reader->depth);
    if (nested)
        end_call(reader, &inner, false);
}

static void on_close(struct reader *reader)
{
    if (reader->depth == 0)
        return;
    if (reader->depth == reader->call.depth) {
        end_call(
            reader, &reader->call, set_config_is_local(&reader->call, &reader->before, &reader->before_that));
        reader->call.depth = 0;
    }
    reader->depth--;
}

/* ---- names ---- */

static void on_call(struct reader *reader, const char *name)
{
    const struct function_text_events *events = reader->events;
    bool shipped = !reader->schema[0] || strcmp(reader->schema, "pg_catalog") == 0;
    if (shipped && strcmp(name, "set_config") == 0)
        begin_call(reader);
    if (events->call)
        events->call(events->context, reader->schema, name, may_be_syntax(reader, &reader->tokens.now, name));
}

static void on_operator(struct reader *reader)
{
    char symbol[LEX_NAME_MAX];
    struct slice text = reader->tokens.now.text;
    snprintf(symbol, sizeof symbol, "%.*s", (int)text.len, text.data);
    if (reader->events->operate)
        reader->events->operate(reader->events->context, strcmp(symbol, "!=") == 0 ? "<>" : symbol);
}

static void read_name(struct reader *reader)
{
    const struct token token = reader->tokens.now;
    char storage[LEX_NAME_MAX], name[LEX_NAME_MAX];
    struct slice found;
    if (!name_of(&token, storage, &found)) {
        tell(reader, reader->events->unreadable);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)found.len, found.data);
    if (token_is(&reader->tokens.next, '.')) {
        if (name_is_temporary_schema(found))
            tell(reader, reader->events->session);
        snprintf(reader->schema, sizeof reader->schema, "%s", name);
        return;
    }
    if (!reader->schema[0] && token.kind == TOKEN_WORD)
        on_word(reader);
    bool dynamic = token.kind == TOKEN_WORD && !reader->schema[0] && strcmp(name, "execute") == 0;
    reader->dynamic |= dynamic;
    if (dynamic)
        tell(reader, reader->events->unreadable);
    else if (token_is(&reader->tokens.next, '('))
        on_call(reader, name);
    else if (reader->events->name)
        reader->events->name(reader->events->context, reader->schema, name);
    reader->after_as = token.kind == TOKEN_WORD && strcmp(name, "as") == 0;
    reader->schema[0] = '\0';
}

static void read_other(struct reader *reader)
{
    const struct token *token = &reader->tokens.now;
    switch (token->character) {
    case '.': return; /* of a dotted name */
    case '(': reader->depth++; break;
    case ')': on_close(reader); break;
    case ',': set_config_comma(&reader->call, reader->depth); break;
    default: break;
    }
    if (token->kind == TOKEN_OPERATOR || (token->character && strchr("+-*/%^<>=", token->character)))
        on_operator(reader);
    reader->schema[0] = '\0';
    reader->after_as = false;
}

/* ---- string literals of dynamic SQL ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

/* The name here, with its dots: what follows a dot begins like a name, too. */
static size_t name_length(struct slice text)
{
    size_t len = 0;
    while (len < text.len) {
        char c = text.data[len];
        bool dot = c == '.' && len + 1 < text.len && is_letter(text.data[len + 1]);
        if (!is_letter(c) && !(c >= '0' && c <= '9') && !dot)
            break;
        len++;
    }
    return len;
}

static void on_literal_name(struct reader *reader, struct slice name)
{
    char storage[SETTING_NAME_MAX];
    if (reader->events->setting && setting_name_fold(name, storage, &name))
        reader->events->setting(reader->events->context, name.data);
}

/* 'a.b', 'set a.b = 1', 'select set_config(''a.b'', ...'; 'load ...', 'select setseed(...' */
static void read_literal(struct reader *reader, struct slice text)
{
    struct token before = {.kind = TOKEN_END}; /* as a word; TOKEN_STRING: a quote */
    for (size_t at = 0; at < text.len;) {
        struct slice rest = slice_of(text.data + at, text.len - at);
        size_t len = is_letter(rest.data[0]) ? name_length(rest) : 0;
        struct token word = {.kind = TOKEN_WORD, .text = slice_of(rest.data, len)};
        char first = rest.data[0];
        at += len ? len : 1;
        if (len == 0 && (first == ' ' || first == '\t' || first == '\n' || first == '\r'))
            continue;
        if (len == 0) {
            bool begins = first == '\'' || first == '$' || first == ';';
            before = (struct token){.kind = begins ? TOKEN_STRING : TOKEN_CHARACTER};
            continue;
        }
        bool dotted = memchr(word.text.data, '.', len) != NULL;
        if (dotted &&
            (before.kind == TOKEN_STRING || IS_ANY_WORD(&before, "set", "session", "local", "reset")))
            on_literal_name(reader, word.text);
        if (is_word(&word, "setseed") || (is_word(&word, "load") && before.kind == TOKEN_STRING))
            tell(reader, reader->events->opaque);
        before = word;
    }
}

static void read_literals(struct reader *reader, struct slice text)
{
    struct tokens tokens;
    for (tokens_init(&tokens, text, true); tokens.now.kind != TOKEN_END && tokens.now.kind != TOKEN_ERROR;
         tokens_advance(&tokens)) {
        if (tokens.now.kind == TOKEN_STRING)
            read_literal(reader, tokens.now.text);
    }
}

void function_text_read(struct slice text, const struct function_text_events *events)
{
    struct reader reader = {.events = events};
    tokens_init(&reader.tokens, text, true);
    for (; reader.tokens.now.kind != TOKEN_END; tokens_advance(&reader.tokens)) {
        const struct token *token = &reader.tokens.now;
        if (token->kind == TOKEN_ERROR) {
            tell(&reader, events->unreadable);
            break;
        }
        if (name_is_token(token))
            read_name(&reader);
        else
            read_other(&reader);
        reader.before_that = reader.before;
        reader.before = *token;
    }
    if (reader.call.depth != 0)
        end_call(&reader, &reader.call, false);
    if (reader.dynamic)
        read_literals(&reader, text);
}
