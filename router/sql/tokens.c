/*
 * One token of lookahead over the lexer; see tokens.h. A UESCAPE clause that PostgreSQL would refuse gives
 * TOKEN_ERROR.
 */
#include "router/sql/tokens.h"

#include <string.h>

static struct token error_at(struct lexer *lexer, struct slice text)
{
    lexer->end = lexer->at; /* nothing more is read */
    return (struct token){.kind = TOKEN_ERROR, .text = text};
}

/* 'x' with an x that can escape: no hexadecimal digit, plus, quote or blank. */
static bool is_escape_character(struct slice text)
{
    return text.len == 3 && text.data[0] == '\'' &&
           !strchr("+'\" \t\n\r\f0123456789abcdefABCDEF", text.data[1]) && (unsigned char)text.data[1] < 0x80;
}

static struct token read(struct lexer *lexer)
{
    struct token token = lex_next(lexer);
    if (token.kind != TOKEN_UNICODE && token.kind != TOKEN_UNICODE_STRING)
        return token;
    struct lexer ahead = *lexer;
    if (lex_next(&ahead).keyword != KEYWORD_UESCAPE)
        return token;
    struct token string = lex_next(&ahead);
    if (string.kind != TOKEN_STRING || !is_escape_character(string.text))
        return error_at(lexer, string.text);
    token.escape = string.text.data[1];
    *lexer = ahead;
    return token;
}

void tokens_init(struct tokens *tokens, struct slice text, bool standard_strings)
{
    lex_init(&tokens->lexer, text, standard_strings);
    tokens->now = read(&tokens->lexer);
    tokens->next = tokens->now.kind == TOKEN_ERROR ? tokens->now : read(&tokens->lexer);
}

void tokens_advance(struct tokens *tokens)
{
    tokens->now = tokens->next;
    if (tokens->now.kind != TOKEN_ERROR)
        tokens->next = read(&tokens->lexer);
}

bool tokens_at_end(const struct tokens *tokens)
{
    return tokens->now.kind == TOKEN_END || tokens->now.kind == TOKEN_ERROR || token_is(&tokens->now, ';');
}

bool tokens_accept(struct tokens *tokens, enum keyword keyword)
{
    if (tokens->now.keyword != keyword)
        return false;
    tokens_advance(tokens);
    return true;
}

struct slice tokens_name_as_written(const struct tokens *tokens)
{
    struct slice text = tokens->now.text;
    struct lexer lexer = tokens->lexer;
    lexer.at = text.data + text.len;
    if (tokens->now.kind != TOKEN_UNICODE || lex_next(&lexer).keyword != KEYWORD_UESCAPE)
        return text;
    lex_next(&lexer);
    return slice_of(text.data, (size_t)(lexer.at - text.data));
}
