/*
 * Where a name before a parenthesis is no call: lists of columns behind aliases, types with modifiers,
 * clauses.
 *
 * Each place is one where PostgreSQL's grammar allows no function call, so that none is overlooked; where the
 * words at hand do not suffice to tell, the answer is "a call". tests/oracle/lexer_oracle.c tries calls in
 * every place.
 */
#include "router/sql/walker.h"

#include <string.h>

#include <strings.h>

/* A name that introduces no expression: what follows it can only be an alias. Key words are not trusted. */
static bool is_plain_name(const struct token *token)
{
    if (token->kind != TOKEN_WORD)
        return name_is_token(token);
    /* XMLTABLE(... COLUMNS a text PATH f(x)): the one word that is no key word and introduces an expression
     */
    return token->keyword == NO_KEYWORD &&
           !(token->text.len == 4 && strncasecmp(token->text.data, "path", 4) == 0);
}

/* OPERATOR(schema.+): behind the parenthesis names with dots, then an operator. (*) alone may be an
 * aggregate's. */
static bool is_operator_clause(const struct tokens *tokens)
{
    struct lexer ahead = tokens->lexer;
    struct token token = lex_next(&ahead);
    int names = 0;
    for (; names < 3 && name_is_token(&token); names++) {
        token = lex_next(&ahead);
        if (!token_is(&token, '.'))
            return false;
        token = lex_next(&ahead);
    }
    if (token.kind == TOKEN_CHARACTER)
        return strchr(names > 0 ? "+-*/%^<>=" : "+-/%^<>=", token.character) != NULL;
    return token.kind == TOKEN_OPERATOR;
}

/* A closing parenthesis behind which no expression may begin. */
static bool closes(const struct walker *walker)
{
    return token_is(&walker->before_name, ')') && walker->depth < WALKER_DEPTHS && !walker->closed_opening;
}

/* A literal or a parameter: JSON_TABLE(x, '$' COLUMNS (, LIKE 'x' ESCAPE (, interval '1' second(3). */
static bool is_literal(const struct token *token)
{
    return token->kind == TOKEN_STRING || token->kind == TOKEN_UNICODE_STRING || token->kind == TOKEN_BITS ||
           token->kind == TOKEN_NUMBER || token->kind == TOKEN_PARAMETER;
}

/* day to second, hour to second, minute to second */
static bool ends_range(const struct token *field)
{
    return field->keyword == KEYWORD_DAY || field->keyword == KEYWORD_HOUR ||
           field->keyword == KEYWORD_MINUTE;
}

struct clause {
    enum keyword word;      /* before the parenthesis */
    enum keyword before[7]; /* any of these before it */
};

static const struct clause clauses[] = {
    {KEYWORD_BY, {KEYWORD_ORDER, KEYWORD_GROUP, KEYWORD_PARTITION}},
    {KEYWORD_SETS, {KEYWORD_GROUPING}},
    {KEYWORD_ZONE, {KEYWORD_TIME}}, /* AT TIME ZONE ( */
    {KEYWORD_FIRST, {KEYWORD_FETCH}},
    {KEYWORD_NEXT, {KEYWORD_FETCH}},
    {KEYWORD_SET, {KEYWORD_UPDATE}}, /* ON CONFLICT DO UPDATE SET (, of MERGE too */
    {KEYWORD_VARYING, {KEYWORD_CHARACTER, KEYWORD_CHAR, KEYWORD_NCHAR, KEYWORD_BIT}},
    {KEYWORD_SECOND, {KEYWORD_INTERVAL}},
    {KEYWORD_JOIN, {KEYWORD_CROSS, KEYWORD_NATURAL, KEYWORD_INNER, KEYWORD_LEFT, KEYWORD_RIGHT, KEYWORD_FULL,
                       KEYWORD_OUTER}},
};

static bool is_clause_of(const struct clause *clause, enum keyword before)
{
    for (size_t i = 0; i < sizeof clause->before / sizeof *clause->before; i++) {
        if (before != NO_KEYWORD && clause->before[i] == before)
            return true;
    }
    return false;
}

/* Key words that are no function before a parenthesis, given what is before them. */
static bool is_clause_word(const struct walker *walker, enum keyword word)
{
    const struct token *before = &walker->before_name;
    for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++) {
        if (clauses[i].word == word && is_clause_of(&clauses[i], before->keyword))
            return true;
    }
    if (word == KEYWORD_ROLLUP || word == KEYWORD_CUBE)
        return walker_bit(walker->group_list, walker->depth) &&
               (before->keyword == KEYWORD_BY || before->keyword == KEYWORD_ALL ||
                   before->keyword == KEYWORD_DISTINCT || token_is(before, ',') || token_is(before, '('));
    if (word == KEYWORD_JOIN || word == KEYWORD_ILIKE || word == KEYWORD_ESCAPE)
        return token_is(before, ']') || before->keyword == KEYWORD_TRUE || before->keyword == KEYWORD_FALSE ||
               before->keyword == KEYWORD_NULL;
    if (word == KEYWORD_SECOND) /* interval '1' day to second(3) */
        return before->keyword == KEYWORD_TO && ends_range(&walker->before_that);
    enum keyword first = walker->findings->first.keyword;
    if (word == KEYWORD_CONFLICT) /* INSERT ... ON CONFLICT (; but JOIN ... ON conflict(a) is a call */
        return before->keyword == KEYWORD_ON && (first == KEYWORD_INSERT || walker->writes);
    if (word == KEYWORD_INSERT) /* WHEN NOT MATCHED THEN INSERT ( */
        return before->keyword == KEYWORD_THEN && (first == KEYWORD_MERGE || walker->writes);
    return word == KEYWORD_OPERATOR && is_operator_clause(walker->tokens);
}

bool walker_is_syntax(const struct walker *walker, enum keyword word)
{
    const struct token *before = &walker->before_name;
    if (before->kind == TOKEN_TYPECAST)
        return true; /* x::numeric(10,2), x::public.geometry(Point) */
    if (before->keyword == KEYWORD_AS || before->keyword == KEYWORD_INTO)
        return true; /* AS t(a, b), CAST(x AS numeric(10)), AS MATERIALIZED (, INSERT INTO t(a) */
    if (walker_bit(walker->with_list, walker->depth))
        return true; /* WITH x(a) AS, NOT MATERIALIZED (: no expression stands in the list itself */
    if (before->keyword == KEYWORD_EXECUTE && walker->kind == WALK_CREATE)
        return true; /* CREATE TABLE AS EXECUTE name ( */
    if (is_literal(before))
        return true; /* no expression begins right behind another */
    if (is_plain_name(before) || before->keyword == KEYWORD_ORDINALITY)
        return true; /* FROM t x(a), FROM f() WITH ORDINALITY x(a): two names are no expression */
    if (closes(walker))
        return true; /* FROM f() x(a), f() FILTER (, f() OVER ( */
    return word != NO_KEYWORD && is_clause_word(walker, word);
}
