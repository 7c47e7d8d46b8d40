/* Statements that rolecall must look at itself; see special_statement.h. */
#include "router/special_statement.h"

#include "router/sql/literal.h"
#include "router/sql/name.h"
#include "router/sql/tokens.h"

#include <string.h>

static bool take_name(struct tokens *tokens, struct special_statement *out)
{
    char storage[LEX_NAME_MAX];
    struct slice name;
    if (!name_is_token(&tokens->now) || !name_of(&tokens->now, storage, &name) ||
        name.len >= sizeof out->name)
        return false;
    out->token = tokens_name_as_written(tokens);
    memcpy(out->name, name.data, name.len);
    out->name_len = name.len;
    tokens_advance(tokens);
    return true;
}

/* The rest of a dotted name. True when it is rolecall's own: `rolecall.name`. */
static bool take_own(struct tokens *tokens, struct special_statement *out)
{
    bool prefix = slice_is(slice_of(out->name, out->name_len), "rolecall");
    if (!prefix || !token_is(&tokens->now, '.'))
        return false;
    tokens_advance(tokens);
    return take_name(tokens, out);
}

static void take_text(struct slice text, struct special_statement *out)
{
    out->value_len = text.len < sizeof out->value ? text.len : sizeof out->value - 1;
    memcpy(out->value, text.data, out->value_len);
}

/* One literal or word; more of them (a list, a number with a unit) as they are written. */
static void take_value(struct tokens *tokens, struct special_statement *out)
{
    char storage[LEX_NAME_MAX];
    struct slice first = tokens->now.text, last = first, text;
    if (!literal_of(&tokens->now, tokens->lexer.standard_strings, storage, sizeof storage, &text))
        text = first;
    take_text(text, out);
    tokens_advance(tokens);
    if (tokens_at_end(tokens))
        return;
    for (; !tokens_at_end(tokens); tokens_advance(tokens))
        last = tokens->now.text;
    take_text(slice_of(first.data, (size_t)(last.data + last.len - first.data)), out);
}

static enum special_kind read_set(struct tokens *tokens, struct special_statement *out)
{
    out->local = tokens_accept(tokens, KEYWORD_LOCAL);
    if (!out->local)
        tokens_accept(tokens, KEYWORD_SESSION);
    if (!take_name(tokens, out) || !take_own(tokens, out))
        return SPECIAL_NONE;
    if (!token_is(&tokens->now, '=') && tokens->now.keyword != KEYWORD_TO)
        return SPECIAL_NONE;
    tokens_advance(tokens);
    bool to_default = tokens->now.keyword == KEYWORD_DEFAULT;
    take_value(tokens, out);
    return to_default ? SPECIAL_OWN_RESET : SPECIAL_OWN_SET;
}

static enum special_kind read_reset(struct tokens *tokens, struct special_statement *out)
{
    if (tokens_accept(tokens, KEYWORD_ALL))
        return SPECIAL_RESET_ALL;
    if (tokens->now.keyword == KEYWORD_SESSION || !take_name(tokens, out))
        return SPECIAL_NONE;
    return take_own(tokens, out) ? SPECIAL_OWN_RESET : SPECIAL_RESET;
}

/* Past (type, ...), if that is what stands here. */
static void skip_types(struct tokens *tokens)
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

static enum special_kind read_prepare(struct tokens *tokens, struct special_statement *out)
{
    if (!take_name(tokens, out))
        return SPECIAL_NONE;
    skip_types(tokens);
    if (!tokens_accept(tokens, KEYWORD_AS) || tokens_at_end(tokens))
        return SPECIAL_NONE;
    const char *start = tokens->now.text.data;
    while (!tokens_at_end(tokens))
        tokens_advance(tokens);
    out->statement = slice_of(start, (size_t)(tokens->now.text.data - start));
    return SPECIAL_PREPARE;
}

static enum special_kind read_deallocate(struct tokens *tokens, struct special_statement *out)
{
    tokens_accept(tokens, KEYWORD_PREPARE);
    if (tokens_accept(tokens, KEYWORD_ALL))
        return SPECIAL_DEALLOCATE_ALL;
    return take_name(tokens, out) ? SPECIAL_DEALLOCATE : SPECIAL_NONE;
}

/* The statement must be the only one, whatever follows the words that were read. */
static bool is_last(struct tokens *tokens)
{
    while (!tokens_at_end(tokens))
        tokens_advance(tokens);
    while (token_is(&tokens->now, ';'))
        tokens_advance(tokens);
    return tokens->now.kind == TOKEN_END;
}

bool special_statement(struct slice text, bool standard_strings, struct special_statement *out)
{
    struct tokens tokens;
    tokens_init(&tokens, text, standard_strings);
    *out = (struct special_statement){.kind = SPECIAL_NONE};
    if (tokens_accept(&tokens, KEYWORD_EXECUTE))
        out->kind = take_name(&tokens, out) ? SPECIAL_EXECUTE : SPECIAL_NONE;
    else if (tokens_accept(&tokens, KEYWORD_PREPARE))
        out->kind = read_prepare(&tokens, out);
    else if (tokens_accept(&tokens, KEYWORD_DEALLOCATE))
        out->kind = read_deallocate(&tokens, out);
    else if (tokens_accept(&tokens, KEYWORD_RESET))
        out->kind = read_reset(&tokens, out);
    else if (tokens_accept(&tokens, KEYWORD_SET))
        out->kind = read_set(&tokens, out);
    else if (tokens_accept(&tokens, KEYWORD_SHOW))
        out->kind = take_name(&tokens, out) && take_own(&tokens, out) ? SPECIAL_OWN_SHOW : SPECIAL_NONE;
    if (out->kind != SPECIAL_NONE && !is_last(&tokens))
        out->kind = SPECIAL_NONE;
    return out->kind != SPECIAL_NONE;
}
