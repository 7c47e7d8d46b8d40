/* SHOW, SET and RESET of rolecall's own settings; see own_statement.h. */
#include "router/own_statement.h"

#include "router/sql/literal.h"
#include "router/sql/name.h"
#include "router/sql/tokens.h"

#include <string.h>

static bool take_name(struct tokens *tokens, char out[LEX_NAME_MAX], size_t *len)
{
    char storage[LEX_NAME_MAX];
    struct slice name;
    if (!name_is_token(&tokens->now) || !name_of(&tokens->now, storage, &name) || name.len >= LEX_NAME_MAX)
        return false;
    memcpy(out, name.data, name.len);
    *len = name.len;
    tokens_advance(tokens);
    return true;
}

/* `rolecall.name` */
static bool take_own(struct tokens *tokens, struct own_statement *out)
{
    if (!take_name(tokens, out->name, &out->name_len) ||
        !slice_is(slice_of(out->name, out->name_len), "rolecall") || !token_is(&tokens->now, '.'))
        return false;
    tokens_advance(tokens);
    return take_name(tokens, out->name, &out->name_len);
}

static void take_text(struct slice text, struct own_statement *out)
{
    out->value_len = text.len < sizeof out->value ? text.len : sizeof out->value - 1;
    memcpy(out->value, text.data, out->value_len);
}

/* One literal or word; more of them (a list, a number with a unit) as they are written. */
static void take_value(struct tokens *tokens, struct own_statement *out)
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

static bool read_set(struct tokens *tokens, struct own_statement *out)
{
    out->local = tokens_accept(tokens, KEYWORD_LOCAL);
    if (!out->local)
        tokens_accept(tokens, KEYWORD_SESSION);
    if (!take_own(tokens, out) || (!token_is(&tokens->now, '=') && tokens->now.keyword != KEYWORD_TO))
        return false;
    tokens_advance(tokens);
    out->verb = tokens->now.keyword == KEYWORD_DEFAULT ? OWN_RESET : OWN_SET;
    take_value(tokens, out);
    return true;
}

static bool read_word(struct tokens *tokens, enum own_verb verb, struct own_statement *out)
{
    out->verb = verb;
    return take_own(tokens, out);
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

bool own_statement(struct slice text, bool standard_strings, struct own_statement *out)
{
    struct tokens tokens;
    bool found = false;
    tokens_init(&tokens, text, standard_strings);
    *out = (struct own_statement){0};
    if (tokens_accept(&tokens, KEYWORD_SET))
        found = read_set(&tokens, out);
    else if (tokens_accept(&tokens, KEYWORD_RESET))
        found = read_word(&tokens, OWN_RESET, out);
    else if (tokens_accept(&tokens, KEYWORD_SHOW))
        found = read_word(&tokens, OWN_SHOW, out);
    return found && is_last(&tokens);
}
