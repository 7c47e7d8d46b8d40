/*
 * Names of prepared statements in a query string; see statement_names.h.
 *
 * Statement after statement is looked at from its first word; what is none of these is skipped to its
 * semicolon. EXECUTE is no reserved word and may be a name elsewhere, so only the places where PostgreSQL's
 * grammar has an ExecuteStmt count. Failure: a text that the lexer cannot read to its end has no names that
 * could be told.
 */
#include "router/statement_names.h"

#include "router/sql/name.h"
#include "router/sql/tokens.h"

#include <string.h>

struct finding {
    struct tokens tokens;
    struct statement_name *out;
    size_t n;
    bool full;
};

/* Takes the name at hand; NULL when there is none. */
static struct statement_name *take(struct finding *finding, enum statement_verb verb)
{
    struct tokens *tokens = &finding->tokens;
    char storage[LEX_NAME_MAX];
    struct slice name;
    if (!name_is_token(&tokens->now) || !name_of(&tokens->now, storage, &name) || name.len >= LEX_NAME_MAX)
        return NULL;
    if (finding->n == STATEMENT_NAMES_MAX) {
        finding->full = true;
        return NULL;
    }
    struct statement_name *out = &finding->out[finding->n++];
    *out =
        (struct statement_name){.verb = verb, .token = tokens_name_as_written(tokens), .name_len = name.len};
    memcpy(out->name, name.data, name.len);
    tokens_advance(tokens);
    return out;
}

/* Past (...), if that is what stands here. */
static void skip_group(struct tokens *tokens)
{
    unsigned depth = 0;
    if (!token_is(&tokens->now, '('))
        return;
    do {
        depth += token_is(&tokens->now, '(');
        depth -= token_is(&tokens->now, ')');
        tokens_advance(tokens);
    } while (depth > 0 && !tokens_at_end(tokens));
}

static void skip_statement(struct tokens *tokens)
{
    while (!tokens_at_end(tokens))
        tokens_advance(tokens);
}

static bool is_constant(const struct token *token)
{
    switch (token->kind) {
    case TOKEN_STRING:
    case TOKEN_NUMBER:
    case TOKEN_BITS:
    case TOKEN_PARAMETER: return true;
    case TOKEN_WORD:
        return token->keyword == KEYWORD_NULL || token->keyword == KEYWORD_TRUE ||
               token->keyword == KEYWORD_FALSE;
    case TOKEN_CHARACTER:
        return token_is(token, '(') || token_is(token, ')') || token_is(token, ',') || token_is(token, '-') ||
               token_is(token, '+');
    case TOKEN_END:
    case TOKEN_ERROR:
    case TOKEN_QUOTED:
    case TOKEN_UNICODE:
    case TOKEN_UNICODE_STRING:
    case TOKEN_OPERATOR:
    case TOKEN_TYPECAST:
    case TOKEN_DOT_DOT:
    case TOKEN_COLON_EQUALS:
    case TOKEN_EQUALS_GREATER: return false;
    }
    return false;
}

/* Behind the word EXECUTE. */
static void take_execute(struct finding *finding)
{
    struct tokens *tokens = &finding->tokens;
    struct statement_name *out = take(finding, VERB_EXECUTE);
    bool plain = true;
    for (; !tokens_at_end(tokens); tokens_advance(tokens))
        plain &= is_constant(&tokens->now);
    if (out)
        out->plain = plain;
}

static void read_prepare(struct finding *finding)
{
    struct tokens *tokens = &finding->tokens;
    if (tokens->now.keyword == KEYWORD_TRANSACTION && tokens->next.kind == TOKEN_STRING)
        return;
    struct statement_name *out = take(finding, VERB_PREPARE);
    skip_group(tokens);
    bool prepares = tokens_accept(tokens, KEYWORD_AS) && !tokens_at_end(tokens);
    const char *start = tokens->now.text.data;
    skip_statement(tokens);
    if (!out)
        return;
    if (prepares)
        out->statement = slice_of(start, (size_t)(tokens->now.text.data - start));
    else
        finding->n--;
}

static void read_deallocate(struct finding *finding)
{
    struct tokens *tokens = &finding->tokens;
    tokens_accept(tokens, KEYWORD_PREPARE);
    take(finding, tokens->now.keyword == KEYWORD_ALL ? VERB_DEALLOCATE_ALL : VERB_DEALLOCATE);
}

static void read_discard(struct finding *finding)
{
    if (finding->tokens.now.keyword == KEYWORD_ALL)
        take(finding, VERB_DEALLOCATE_ALL);
}

static void read_explain(struct finding *finding)
{
    struct tokens *tokens = &finding->tokens;
    skip_group(tokens);
    while (tokens_accept(tokens, KEYWORD_ANALYZE) || tokens_accept(tokens, KEYWORD_ANALYSE) ||
           tokens_accept(tokens, KEYWORD_VERBOSE))
        continue;
    if (tokens_accept(tokens, KEYWORD_EXECUTE))
        take_execute(finding);
}

/* CREATE [...] TABLE name [...] AS EXECUTE ..., also behind EXPLAIN: the first AS outside of parentheses. */
static void read_create(struct finding *finding)
{
    struct tokens *tokens = &finding->tokens;
    bool table = false;
    while (!tokens_at_end(tokens)) {
        if (token_is(&tokens->now, '(')) {
            skip_group(tokens);
            continue;
        }
        table |= tokens->now.keyword == KEYWORD_TABLE;
        if (tokens_accept(tokens, KEYWORD_AS)) {
            if (table && tokens_accept(tokens, KEYWORD_EXECUTE))
                take_execute(finding);
            return;
        }
        tokens_advance(tokens);
    }
}

static void read_statement(struct finding *finding)
{
    struct tokens *tokens = &finding->tokens;
    if (tokens_accept(tokens, KEYWORD_EXPLAIN)) {
        read_explain(finding);
        if (tokens_accept(tokens, KEYWORD_CREATE))
            read_create(finding);
    } else if (tokens_accept(tokens, KEYWORD_EXECUTE)) {
        take_execute(finding);
        return;
    } else if (tokens_accept(tokens, KEYWORD_PREPARE)) {
        read_prepare(finding);
    } else if (tokens_accept(tokens, KEYWORD_DEALLOCATE)) {
        read_deallocate(finding);
    } else if (tokens_accept(tokens, KEYWORD_DISCARD)) {
        read_discard(finding);
    } else if (tokens_accept(tokens, KEYWORD_CREATE)) {
        read_create(finding);
    }
}

size_t statement_names(
    struct slice text, bool standard_strings, struct statement_name out[STATEMENT_NAMES_MAX])
{
    struct finding finding = {.out = out};
    struct tokens *tokens = &finding.tokens;
    uint32_t statements = 0;
    tokens_init(tokens, text, standard_strings);
    while (token_is(&tokens->now, ';')) /* PostgreSQL answers nothing to an empty statement beside others */
        tokens_advance(tokens);
    while (tokens->now.kind != TOKEN_END && tokens->now.kind != TOKEN_ERROR) {
        size_t before = finding.n;
        bool executes = tokens->now.keyword == KEYWORD_EXECUTE;
        read_statement(&finding);
        skip_statement(tokens);
        if (finding.n > before) {
            out[before].ordinal = statements;
            out[before].plain &= executes;
        }
        statements++;
        while (token_is(&tokens->now, ';'))
            tokens_advance(tokens);
    }
    if (finding.full || tokens->now.kind == TOKEN_ERROR)
        return SIZE_MAX;
    for (size_t i = 0; i < finding.n; i++) {
        out[i].alone = statements == 1;
        out[i].plain &= statements == 1;
    }
    return finding.n;
}

struct slice statement_take(struct slice *rest, bool standard_strings)
{
    struct slice all = *rest;
    struct tokens tokens;
    tokens_init(&tokens, all, standard_strings);
    while (!tokens_at_end(&tokens))
        tokens_advance(&tokens);
    size_t len = token_is(&tokens.now, ';') ? (size_t)(tokens.now.text.data - all.data) : all.len;
    size_t behind = len < all.len ? len + 1 : all.len;
    *rest = slice_of(all.data + behind, all.len - behind);
    return slice_of(all.data, len);
}
