/*
 * PostgreSQL's lexical rules (src/backend/parser/scan.l of PostgreSQL 15) by hand: a query string becomes
 * tokens that point into it. Nothing is copied, nothing allocated; each byte is looked at a fixed number of
 * times. Any thread.
 *
 * The text is taken as an encoding in which no byte of a multi-byte character is ASCII (all server encodings
 * are so; SJIS, BIG5, GBK, UHC, JOHAB and GB18030, which are for clients only, are not).
 */
#ifndef ROLECALL_ROUTER_SQL_LEX_H
#define ROLECALL_ROUTER_SQL_LEX_H

#include "conf/base/slice.h"
#include "router/sql/keywords.h"

#include <stdbool.h>

/* PostgreSQL's NAMEDATALEN: longer names are cut to one byte less. */
#define LEX_NAME_MAX 64

enum token_kind {
    TOKEN_END,            /* the end of the text */
    TOKEN_ERROR,          /* something unterminated, or no token of SQL; the lexer stays there */
    TOKEN_WORD,           /* an identifier without quotes; `keyword` says whether it is a key word */
    TOKEN_QUOTED,         /* "..." */
    TOKEN_UNICODE,        /* U&"..." */
    TOKEN_STRING,         /* '...', E'...', $$...$$, continued over lines too */
    TOKEN_UNICODE_STRING, /* U&'...' */
    TOKEN_BITS,           /* B'...', X'...' */
    TOKEN_NUMBER,
    TOKEN_PARAMETER,      /* $1 */
    TOKEN_OPERATOR,       /* of the characters + - * / < > = ~ ! @ # % ^ & | ` ? */
    TOKEN_TYPECAST,       /* :: */
    TOKEN_DOT_DOT,        /* .. */
    TOKEN_COLON_EQUALS,   /* := */
    TOKEN_EQUALS_GREATER, /* => */
    TOKEN_CHARACTER       /* one of , ( ) [ ] . ; : or a one-character operator: see `character` */
};

struct token {
    enum token_kind kind;
    char character;       /* TOKEN_CHARACTER: which; else 0 */
    char escape;          /* TOKEN_UNICODE: the escape character; see tokens.h for UESCAPE */
    enum keyword keyword; /* TOKEN_WORD: or NO_KEYWORD. N'...' gives the key word nchar, then a string */
    struct slice text;    /* as written, quotes included */
};

struct lexer {
    const char *at, *end;
    bool standard_strings; /* standard_conforming_strings */
};

void lex_init(struct lexer *lexer, struct slice text, bool standard_strings);
struct token lex_next(struct lexer *lexer);

/* Skips blanks and one comment at most; true with the block or line comment, false when a token (or the end,
   or an unterminated comment) comes next. Only for those who read comments: lex_next skips them all. */
bool lex_comment(struct lexer *lexer, struct slice *comment);

/* True for the token that is just this character. */
static inline bool token_is(const struct token *token, char character)
{
    return token->character == character;
}

#endif
