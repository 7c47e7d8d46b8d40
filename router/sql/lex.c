/*
 * Cuts a query string into tokens as PostgreSQL's scanner does; see lex.h. The comments name the rules of
 * scan.l.
 *
 * When all is well each call skips blanks and comments and returns the longest token that begins there. What
 * is unterminated (a comment, a quote, a dollar quote) or no token at all gives TOKEN_ERROR from then on:
 * PostgreSQL would refuse the whole string, since it scans a query string to its end before it runs any of
 * it.
 */
#include "router/sql/lex.h"

#include <stdint.h>
#include <string.h>

enum {
    SPACE = 1, /* space: blank, tab, newline, return, form feed */
    DIGIT = 2,
    NAME_START = 4,    /* ident_start: letters, underscore, every byte from 0x80 on */
    NAME_CONTINUE = 8, /* ident_cont: those, digits and the dollar sign */
    OPERATOR = 16,     /* op_chars */
    SELF = 32,         /* self: characters that are tokens by themselves */
    HEX = 64
};

#define LETTER (NAME_START | NAME_CONTINUE)

/* clang-format off */
static const uint8_t classes[256] = {
    [' '] = SPACE, ['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE, ['\f'] = SPACE,
    ['0' ... '9'] = DIGIT | NAME_CONTINUE | HEX,
    ['a' ... 'f'] = LETTER | HEX, ['A' ... 'F'] = LETTER | HEX,
    ['g' ... 'z'] = LETTER, ['G' ... 'Z'] = LETTER, ['_'] = LETTER, [0x80 ... 0xFF] = LETTER,
    ['$'] = NAME_CONTINUE,
    ['~'] = OPERATOR, ['!'] = OPERATOR, ['@'] = OPERATOR, ['#'] = OPERATOR, ['&'] = OPERATOR, ['|'] = OPERATOR,
    ['`'] = OPERATOR, ['?'] = OPERATOR,
    ['+'] = OPERATOR | SELF, ['-'] = OPERATOR | SELF, ['*'] = OPERATOR | SELF, ['/'] = OPERATOR | SELF,
    ['%'] = OPERATOR | SELF, ['^'] = OPERATOR | SELF, ['<'] = OPERATOR | SELF, ['>'] = OPERATOR | SELF,
    ['='] = OPERATOR | SELF,
    [','] = SELF, ['('] = SELF, [')'] = SELF, ['['] = SELF, [']'] = SELF, ['.'] = SELF, [';'] = SELF, [':'] = SELF,
};
/* clang-format on */

static unsigned class_of(char c)
{
    return classes[(unsigned char)c];
}

static bool is(char c, unsigned class)
{
    return (class_of(c) & class) != 0;
}

/* The byte `offset` places on; 0 past the end (a NUL in the text is no token either way). */
static char peek(const struct lexer *lexer, size_t offset)
{
    return offset < (size_t)(lexer->end - lexer->at) ? lexer->at[offset] : '\0';
}

static const char *skip_class(const char *at, const char *end, unsigned class)
{
    while (at < end && is(*at, class))
        at++;
    return at;
}

static const char *end_of_line(const char *at, const char *end)
{
    while (at < end && *at != '\n' && *at != '\r')
        at++;
    return at;
}

/* Behind a block comment that begins at `at`; comments nest. NULL when it does not end. */
static const char *end_of_block(const char *at, const char *end)
{
    size_t depth = 0;
    while (end - at >= 2) {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at += 2;
        } else if (at[0] == '*' && at[1] == '/') {
            at += 2;
            if (--depth == 0)
                return at;
        } else {
            at++;
        }
    }
    return NULL;
}

void lex_init(struct lexer *lexer, struct slice text, bool standard_strings)
{
    lexer->at = text.data ? text.data : "";
    lexer->end = lexer->at + text.len;
    lexer->standard_strings = standard_strings;
}

bool lex_comment(struct lexer *lexer, struct slice *comment)
{
    lexer->at = skip_class(lexer->at, lexer->end, SPACE);
    const char *start = lexer->at, *after = NULL;
    if (peek(lexer, 0) == '-' && peek(lexer, 1) == '-')
        after = end_of_line(start, lexer->end);
    else if (peek(lexer, 0) == '/' && peek(lexer, 1) == '*')
        after = end_of_block(start, lexer->end);
    if (!after)
        return false;
    *comment = slice_of(start, (size_t)(after - start));
    lexer->at = after;
    return true;
}

static struct token make(struct lexer *lexer, enum token_kind kind, const char *after)
{
    struct token token = {
        .kind = kind, .escape = '\\', .text = slice_of(lexer->at, (size_t)(after - lexer->at))};
    lexer->at = after;
    return token;
}

/* The lexer stays where it is, so that the next call gives the same. */
static struct token error_here(const struct lexer *lexer)
{
    size_t rest = (size_t)(lexer->end - lexer->at);
    return (struct token){.kind = TOKEN_ERROR, .text = slice_of(lexer->at, rest < 20 ? rest : 20)};
}

/*
 * quotecontinue: behind a closing quote, blanks and line comments with at least one newline among them, then
 * another quote: the string goes on. Returns the place behind that quote, or NULL.
 */
static const char *continued(const char *at, const char *end)
{
    bool newline = false;
    while (at < end) {
        if (*at == '\n' || *at == '\r') {
            newline = true;
            at++;
        } else if (is(*at, SPACE)) {
            at++;
        } else if (*at == '-' && end - at >= 2 && at[1] == '-') {
            at = end_of_line(at, end);
            if (at == end) /* special_whitespace wants a newline behind the comment */
                return NULL;
        } else {
            return newline && *at == '\'' ? at + 1 : NULL;
        }
    }
    return NULL;
}

/* How a quote inside a quoted string is written. */
enum quoting {
    QUOTING_DOUBLED,   /* '' */
    QUOTING_BACKSLASH, /* '' or \', and \ before anything */
    QUOTING_NONE       /* not at all: bit strings */
};

/* Behind a string whose contents begin at `at`, with all its continuations; NULL when it does not end. */
static const char *end_of_string(const char *at, const char *end, enum quoting quoting)
{
    while (at < end) {
        if (*at == '\\' && quoting == QUOTING_BACKSLASH) {
            if (end - at < 2)
                return NULL;
            at += 2;
        } else if (*at != '\'') {
            at++;
        } else if (quoting != QUOTING_NONE && end - at >= 2 && at[1] == '\'') {
            at += 2;
        } else {
            const char *more = continued(at + 1, end);
            if (!more)
                return at + 1;
            at = more;
        }
    }
    return NULL;
}

/* `prefix` bytes (the letter, the &, the quote) come before the contents. */
static struct token lex_string(struct lexer *lexer, size_t prefix, enum token_kind kind, enum quoting quoting)
{
    const char *after = end_of_string(lexer->at + prefix, lexer->end, quoting);
    return after ? make(lexer, kind, after) : error_here(lexer);
}

/* "..." or U&"...": "" inside is a quote; an empty name is refused. */
static struct token lex_quoted(struct lexer *lexer, size_t prefix, enum token_kind kind)
{
    const char *start = lexer->at + prefix, *at = start;
    for (; at < lexer->end; at++) {
        if (*at != '"')
            continue;
        if (lexer->end - at >= 2 && at[1] == '"')
            at++;
        else
            return at > start ? make(lexer, kind, at + 1) : error_here(lexer);
    }
    return error_here(lexer);
}

/* dolqdelim: $tag$ ... $tag$. The tag holds no dollar sign, so looking for its end never goes back. */
static struct token lex_dollar_quote(struct lexer *lexer, size_t delimiter)
{
    const char *at = lexer->at + delimiter;
    while ((at = memchr(at, '$', (size_t)(lexer->end - at)))) {
        if ((size_t)(lexer->end - at) < delimiter)
            break;
        if (memcmp(at, lexer->at, delimiter) == 0)
            return make(lexer, TOKEN_STRING, at + delimiter);
        at++;
    }
    return error_here(lexer);
}

static struct token lex_dollar(struct lexer *lexer)
{
    if (is(peek(lexer, 1), DIGIT)) {
        const char *after = skip_class(lexer->at + 1, lexer->end, DIGIT);
        return after < lexer->end && is(*after, NAME_START) ? error_here(lexer) : /* param_junk */
                   make(lexer, TOKEN_PARAMETER, after);
    }
    const char *at = lexer->at + 1;
    if (is(peek(lexer, 1), NAME_START)) {
        while (at < lexer->end && *at != '$' && is(*at, NAME_CONTINUE))
            at++;
    }
    if (at == lexer->end || *at != '$')
        return error_here(lexer); /* dolqfailed: a dollar sign alone is no token */
    return lex_dollar_quote(lexer, (size_t)(at + 1 - lexer->at));
}

/* 0x1F, 0o17, 0b11 (PostgreSQL 16): behind the digits, or NULL. Underscores divide digits there too. */
static const char *end_of_radix(const struct lexer *lexer)
{
    char radix = peek(lexer, 1) | 0x20;
    if (peek(lexer, 0) != '0' || (radix != 'x' && radix != 'o' && radix != 'b') || !is(peek(lexer, 2), HEX))
        return NULL;
    const char *at = lexer->at + 2;
    while (at < lexer->end && (is(*at, HEX) || *at == '_'))
        at++;
    return at;
}

static const char *end_of_digits(const char *at, const char *end)
{
    while (at < end && (is(*at, DIGIT) || (*at == '_' && end - at >= 2 && is(at[1], DIGIT))))
        at++;
    return at;
}

/* integer, decimal, real. 1..10 is the number 1, then two dots (decimalfail). */
static struct token lex_number(struct lexer *lexer)
{
    const char *end = lexer->end, *at = end_of_radix(lexer);
    if (!at) {
        at = end_of_digits(lexer->at, end);
        if (at < end && *at == '.' && !(end - at >= 2 && at[1] == '.'))
            at = end_of_digits(at + 1, end);
        if (at < end && (*at | 0x20) == 'e') {
            const char *exponent = at + 1;
            if (exponent < end && (*exponent == '+' || *exponent == '-'))
                exponent++;
            if (exponent < end && is(*exponent, DIGIT))
                at = end_of_digits(exponent, end);
        }
    }
    if (at < end &&
        is(*at, NAME_START)) /* integer_junk and its like: PostgreSQL 15 refuses what 14 took as two */
        return error_here(lexer);
    return make(lexer, TOKEN_NUMBER, at);
}

/* True when an operator may end in + or -: one of these is in it. */
static bool has_odd_character(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (strchr("~!@#^&|`?%", at[i]))
            return true;
    }
    return false;
}

/* The length of the operator here: the longest run, cut where a comment begins, without trailing + and -. */
static size_t operator_length(const struct lexer *lexer)
{
    const char *at = lexer->at;
    size_t len = (size_t)(skip_class(at, lexer->end, OPERATOR) - at);
    for (size_t i = 1; i + 1 < len; i++) {
        if ((at[i] == '/' && at[i + 1] == '*') || (at[i] == '-' && at[i + 1] == '-'))
            len = i;
    }
    if (len > 1 && (at[len - 1] == '+' || at[len - 1] == '-') && !has_odd_character(at, len - 1)) {
        while (len > 1 && (at[len - 1] == '+' || at[len - 1] == '-'))
            len--;
    }
    return len;
}

static struct token lex_character(struct lexer *lexer)
{
    char character = *lexer->at;
    struct token token = make(lexer, TOKEN_CHARACTER, lexer->at + 1);
    token.character = character;
    return token;
}

static struct token lex_operator(struct lexer *lexer)
{
    size_t len = operator_length(lexer);
    if (len >= LEX_NAME_MAX)
        return error_here(lexer);
    if (len == 1 && is(*lexer->at, SELF))
        return lex_character(lexer);
    bool arrow = len == 2 && memcmp(lexer->at, "=>", 2) == 0;
    return make(lexer, arrow ? TOKEN_EQUALS_GREATER : TOKEN_OPERATOR, lexer->at + len);
}

static struct token lex_word(struct lexer *lexer)
{
    struct token token = make(lexer, TOKEN_WORD, skip_class(lexer->at, lexer->end, NAME_CONTINUE));
    char folded[LEX_NAME_MAX];
    if (token.text.len < sizeof folded) {
        for (size_t i = 0; i < token.text.len; i++) {
            char c = token.text.data[i];
            folded[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
        }
        token.keyword = keyword_find(slice_of(folded, token.text.len));
    }
    return token;
}

/* N'...' is the key word nchar and then a string. */
static struct token lex_national(struct lexer *lexer)
{
    struct token token = make(lexer, TOKEN_WORD, lexer->at + 1);
    token.keyword = KEYWORD_NCHAR;
    return token;
}

/* A letter: a word, or the prefix of a quoted thing. */
static struct token lex_letter(struct lexer *lexer)
{
    char next = peek(lexer, 1);
    if (next == '\'') {
        switch (*lexer->at) {
        case 'b':
        case 'B':
        case 'x':
        case 'X': return lex_string(lexer, 2, TOKEN_BITS, QUOTING_NONE);
        case 'e':
        case 'E': return lex_string(lexer, 2, TOKEN_STRING, QUOTING_BACKSLASH);
        case 'n':
        case 'N': return lex_national(lexer);
        default: break;
        }
    }
    if (next == '&' && (*lexer->at | 0x20) == 'u') {
        if (peek(lexer, 2) == '"')
            return lex_quoted(lexer, 3, TOKEN_UNICODE);
        if (peek(lexer, 2) == '\'') /* refused when standard_conforming_strings is off */
            return lexer->standard_strings ? lex_string(lexer, 3, TOKEN_UNICODE_STRING, QUOTING_DOUBLED)
                                           : error_here(lexer);
    }
    return lex_word(lexer);
}

static struct token lex_punctuation(struct lexer *lexer)
{
    char first = *lexer->at, next = peek(lexer, 1);
    if (first == ':' && next == ':')
        return make(lexer, TOKEN_TYPECAST, lexer->at + 2);
    if (first == ':' && next == '=')
        return make(lexer, TOKEN_COLON_EQUALS, lexer->at + 2);
    if (first == '.' && next == '.')
        return make(lexer, TOKEN_DOT_DOT, lexer->at + 2);
    if (first == '.' && is(next, DIGIT))
        return lex_number(lexer);
    return lex_character(lexer);
}

struct token lex_next(struct lexer *lexer)
{
    struct slice comment;
    while (lex_comment(lexer, &comment))
        ;
    if (lexer->at == lexer->end)
        return make(lexer, TOKEN_END, lexer->at);
    char first = *lexer->at;
    unsigned class = class_of(first);
    if (first == '/' && peek(lexer, 1) == '*') /* lex_comment found no end */
        return error_here(lexer);
    if (class & NAME_START)
        return lex_letter(lexer);
    if (class & DIGIT)
        return lex_number(lexer);
    if (class & OPERATOR)
        return lex_operator(lexer);
    if (class & SELF)
        return lex_punctuation(lexer);
    switch (first) {
    case '\'':
        return lex_string(
            lexer, 1, TOKEN_STRING, lexer->standard_strings ? QUOTING_DOUBLED : QUOTING_BACKSLASH);
    case '"': return lex_quoted(lexer, 1, TOKEN_QUOTED);
    case '$': return lex_dollar(lexer);
    default: return error_here(lexer);
    }
}
