/*
 * The walk over a statement's tokens; see walk.h.
 *
 * Each token is looked at with the one before, the one after, and a little state by depth of parentheses.
 * When in doubt a word is a name, and a name before a parenthesis is a call: what is wrongly found to be
 * special goes to the primary, which is always right. The places where a name before a parenthesis is *not* a
 * call are listed in is_syntax(), each with the reason why PostgreSQL's grammar allows no call there.
 */
#include "router/sql/walk.h"
#include "router/sql/builtins.h"
#include "router/sql/name.h"

#include <strings.h>

#define DEPTH_BITS 64

struct walker {
    struct tokens *tokens;
    const struct catalogue *catalogue;
    struct findings *findings;
    enum walk_kind kind;
    struct token before, before_that; /* the tokens before the current one */
    unsigned depth;
    uint64_t with_list;   /* bit d: at depth d we are in the list of a WITH clause */
    uint64_t distinct_on; /* bit d: the parenthesis that began depth d was DISTINCT ON ( */
    bool closed_distinct; /* the last closing parenthesis was such a one */
    bool compound;        /* the ATOMIC body of a function: semicolons are inside */
    unsigned blocks;      /* BEGIN and CASE without their END, in such a body */
    /* a dotted name: a.b.c */
    struct token before_name; /* the token before its first word */
    struct slice qualifier;   /* the word before the last dot; len 0: none */
    char storage[2][LEX_NAME_MAX];
    unsigned turn;
    /* set_config(name, value, is_local): its third argument decides whether it pins */
    unsigned setting_depth; /* depth inside its parentheses; 0: not inside one */
    unsigned setting_commas;
};

static void found(struct cause *cause, enum reason reason, struct slice culprit)
{
    if (cause->reason == REASON_READ)
        *cause = (struct cause){reason, culprit};
}

static bool bit(uint64_t bits, unsigned depth)
{
    return depth < DEPTH_BITS && bits >> depth & 1;
}

static void set_bit(uint64_t *bits, unsigned depth, bool on)
{
    if (depth < DEPTH_BITS)
        *bits = (*bits & ~(UINT64_C(1) << depth)) | (uint64_t)on << depth;
}

static bool is_name(const struct token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED || token->kind == TOKEN_UNICODE;
}

/* A name that introduces no expression: what follows it can only be an alias. Key words are not trusted. */
static bool is_plain_name(const struct token *token)
{
    if (token->kind != TOKEN_WORD)
        return is_name(token);
    if (token->keyword != NO_KEYWORD)
        return token->keyword == KEYWORD_ORDINALITY;
    /* XMLTABLE(... COLUMNS a text PATH f(x)): the one word that is no key word and introduces an expression
     */
    return !(token->text.len == 4 && strncasecmp(token->text.data, "path", 4) == 0);
}

/* OPERATOR(schema.+): behind the parenthesis names with dots, then an operator. */
static bool is_operator_clause(const struct tokens *tokens)
{
    struct lexer ahead = tokens->lexer;
    struct token token = lex_next(&ahead);
    for (int names = 0; names < 3 && is_name(&token); names++) {
        token = lex_next(&ahead);
        if (!token_is(&token, '.'))
            return false;
        token = lex_next(&ahead);
    }
    return token.kind == TOKEN_OPERATOR ||
           (token.kind == TOKEN_CHARACTER && memchr("+-*/%^<>=", token.character, 9) != NULL);
}

/* Key words that are no function before a parenthesis, given the word before them. */
static bool is_clause_word(const struct walker *walker, enum keyword word)
{
    enum keyword before = walker->before_name.keyword;
    if (word == KEYWORD_BY) /* ORDER BY (, GROUP BY (, PARTITION BY ( */
        return before == KEYWORD_ORDER || before == KEYWORD_GROUP || before == KEYWORD_PARTITION;
    if (word == KEYWORD_ROLLUP || word == KEYWORD_CUBE)
        return before == KEYWORD_BY || token_is(&walker->before_name, ',') ||
               token_is(&walker->before_name, '(');
    if (word == KEYWORD_SETS)
        return before == KEYWORD_GROUPING;
    if (word == KEYWORD_ZONE) /* AT TIME ZONE ( */
        return before == KEYWORD_TIME;
    if (word == KEYWORD_FIRST || word == KEYWORD_NEXT)
        return before == KEYWORD_FETCH;
    if (word == KEYWORD_VARYING)
        return before == KEYWORD_CHARACTER || before == KEYWORD_CHAR || before == KEYWORD_NCHAR ||
               before == KEYWORD_BIT;
    bool behind_string = walker->before_name.kind == TOKEN_STRING;
    if (word == KEYWORD_SECOND) /* interval day to second(3), interval '1' second(3) */
        return before == KEYWORD_TO || before == KEYWORD_INTERVAL || behind_string;
    if (word == KEYWORD_ESCAPE) /* LIKE 'x' ESCAPE ( */
        return behind_string;
    if (word == KEYWORD_OPERATOR)
        return is_operator_clause(walker->tokens);
    /* JOIN (, x LIKE (: as functions they would have to be somebody's own, which the catalogue tells */
    return word == KEYWORD_JOIN || word == KEYWORD_LIKE || word == KEYWORD_ILIKE;
}

/* True when the name at hand, though a parenthesis follows, is no call of a function. */
static bool is_syntax(const struct walker *walker, enum keyword word)
{
    const struct token *before = &walker->before_name;
    if (before->kind == TOKEN_TYPECAST)
        return true; /* x::numeric(10,2), x::public.geometry(Point) */
    if (before->keyword == KEYWORD_AS || before->keyword == KEYWORD_INTO)
        return true; /* AS t(a, b), CAST(x AS numeric(10)), AS MATERIALIZED (, INSERT INTO t(a) */
    if (bit(walker->with_list, walker->depth))
        return true; /* WITH x(a) AS, NOT MATERIALIZED (: no expression stands in the list itself */
    if (is_plain_name(before))
        return true; /* FROM t x(a), FROM f() WITH ORDINALITY x(a): two names are no expression */
    if (token_is(before, ')') && walker->depth < DEPTH_BITS && !walker->closed_distinct)
        return true; /* FROM f() x(a), f() FILTER (, f() OVER (, but not DISTINCT ON (a) f(b) */
    return word != NO_KEYWORD && is_clause_word(walker, word);
}

static void call_builtin(struct walker *walker, const struct builtin *builtin, struct slice text)
{
    struct findings *findings = walker->findings;
    if (!(builtin->pins & PIN_SETTING)) {
        findings->pins |= builtin->pins;
    } else if (walker->setting_depth == 0) { /* decided at its closing parenthesis */
        walker->setting_depth = walker->depth + 1;
        walker->setting_commas = 0;
    } else {
        findings->pins |= PIN_SETTING;
    }
    if (builtin->kind == BUILTIN_SPECIAL)
        found(&findings->sure, REASON_FUNCTION_SPECIAL, text);
}

static void call(struct walker *walker, struct slice name, struct slice text, bool syntax)
{
    struct findings *findings = walker->findings;
    enum name_kind kind = catalogue_function(walker->catalogue, walker->qualifier, name);
    bool shipped = walker->qualifier.len == 0 || slice_is(walker->qualifier, "pg_catalog");
    const struct builtin *builtin = shipped && !syntax ? builtin_find(name) : NULL;
    if (builtin && (builtin->pins || kind == NAME_SPECIAL))
        call_builtin(walker, builtin, text);
    if (kind == NAME_SPECIAL)
        found(&findings->maybe, REASON_FUNCTION_SPECIAL, text);
    else if (kind == NAME_UNKNOWN && !syntax)
        found(&findings->maybe, REASON_FUNCTION_UNKNOWN, text);
}

/* A name that is neither called nor followed by a dot: a relation, a column, or row.function. */
static void mention(struct walker *walker, struct slice name, struct slice text)
{
    struct findings *findings = walker->findings;
    if (catalogue_relation(walker->catalogue, walker->qualifier, name) == NAME_SPECIAL)
        found(&findings->maybe, REASON_RELATION_SPECIAL, text);
    if (token_is(&walker->before, '.') && catalogue_own_function(walker->catalogue, name) == NAME_SPECIAL)
        found(&findings->maybe, REASON_FUNCTION_SPECIAL, text);
    if (name.len == 11 && slice_is(name, "system_user") && walker->tokens->now.kind == TOKEN_WORD)
        found(
            &findings->maybe, REASON_FUNCTION_SPECIAL, text); /* PostgreSQL 16: called without parentheses */
}

static void on_name(struct walker *walker)
{
    const struct token *token = &walker->tokens->now, *next = &walker->tokens->next;
    bool dotted = token_is(&walker->before, '.');
    enum keyword word = dotted ? NO_KEYWORD : token->keyword;
    struct slice name;
    if (!dotted) {
        walker->before_name = walker->before;
        walker->qualifier = slice_of("", 0);
    }
    walker->turn ^= 1;
    if (!name_of(token, walker->storage[walker->turn], &name)) {
        found(&walker->findings->sure, REASON_NOT_LEXED, token->text);
        return;
    }
    if (token_is(next, '.')) {
        if (name_is_temporary_schema(name)) {
            walker->findings->temporary = token->text;
            found(&walker->findings->sure, REASON_RELATION_SPECIAL, token->text);
        }
    } else if (!token_is(next, '(')) {
        if (word == NO_KEYWORD || keyword_category(word) != CATEGORY_RESERVED)
            mention(walker, name, token->text);
    } else if (word == NO_KEYWORD || keyword_category(word) == CATEGORY_UNRESERVED ||
               keyword_category(word) == CATEGORY_TYPE_OR_FUNCTION) {
        call(walker, name, token->text, is_syntax(walker, word));
    }
    walker->qualifier = name;
}

/* INTO of a SELECT makes a table; that of INSERT and MERGE is told by the word before. */
static void on_into(struct walker *walker)
{
    struct findings *findings = walker->findings;
    enum keyword before = walker->before.keyword, next = walker->tokens->next.keyword;
    if (before == KEYWORD_INSERT || before == KEYWORD_MERGE)
        return;
    found(&findings->sure, REASON_INTO, walker->tokens->now.text);
    if (next == KEYWORD_TEMP || next == KEYWORD_TEMPORARY || next == KEYWORD_LOCAL || next == KEYWORD_GLOBAL)
        findings->pins |= PIN_TEMPORARY;
    else if (next == KEYWORD_UNLOGGED)
        findings->flags |= STATEMENT_DDL;
}

/* INSERT, UPDATE, DELETE, MERGE may also be columns' names; they are statements behind ( and behind a WITH
 * list. */
static void on_change(struct walker *walker)
{
    bool in_list = bit(walker->with_list, walker->depth);
    enum keyword before = walker->before.keyword;
    bool listed = before == KEYWORD_WITH || before == KEYWORD_RECURSIVE || token_is(&walker->before, ',');
    if (!token_is(&walker->before, '(') && (!in_list || listed))
        return;
    if (in_list)
        set_bit(&walker->with_list, walker->depth, false);
    if (walker->kind != WALK_PLAN)
        found(&walker->findings->sure, REASON_WRITE, walker->tokens->now.text);
}

static void on_for(struct walker *walker)
{
    enum keyword next = walker->tokens->next.keyword;
    if (walker->kind != WALK_PLAN &&
        (next == KEYWORD_UPDATE || next == KEYWORD_SHARE || next == KEYWORD_NO || next == KEYWORD_KEY))
        found(&walker->findings->sure, REASON_ROW_LOCK, walker->tokens->next.text);
}

/* WITH begins a list at the start of a query; elsewhere it is WITH ORDINALITY, WITH TIES, WITH TIME ZONE. */
static void on_with(struct walker *walker)
{
    if (walker->before.kind == TOKEN_END || token_is(&walker->before, '('))
        set_bit(&walker->with_list, walker->depth, true);
}

/* The reserved words that may stand in the list of a WITH clause (SEARCH and CYCLE among them); any other
 * ends it. */
static bool stays_in_list(enum keyword word)
{
    return word == KEYWORD_AS || word == KEYWORD_NOT || word == KEYWORD_TO || word == KEYWORD_DEFAULT ||
           word == KEYWORD_USING || word == KEYWORD_TRUE || word == KEYWORD_FALSE || word == KEYWORD_NULL;
}

/* Inside CREATE FUNCTION ... BEGIN ATOMIC ...; ...; END. */
static void on_body(struct walker *walker, enum keyword word)
{
    if (word == KEYWORD_ATOMIC && walker->before.keyword == KEYWORD_BEGIN) {
        walker->compound = true;
        walker->blocks++;
    } else if (word == KEYWORD_CASE && walker->compound) {
        walker->blocks++;
    } else if (word == KEYWORD_END && walker->compound) {
        walker->compound = --walker->blocks > 0;
    }
}

static void on_keyword(struct walker *walker, enum keyword word)
{
    bool values = word == KEYWORD_VALUES && token_is(&walker->before, ')');
    if (values || (keyword_category(word) == CATEGORY_RESERVED && !stays_in_list(word)))
        set_bit(&walker->with_list, walker->depth, false);
    if (walker->kind == WALK_CREATE)
        on_body(walker, word);
    if ((word == KEYWORD_FROM || word == KEYWORD_TABLE) && !walker->catalogue)
        found(&walker->findings->maybe, REASON_NO_CATALOGUE, walker->tokens->now.text);
    if (word == KEYWORD_WITH)
        on_with(walker);
    else if (word == KEYWORD_INTO)
        on_into(walker);
    else if (word == KEYWORD_FOR)
        on_for(walker);
    else if (word == KEYWORD_INSERT || word == KEYWORD_UPDATE || word == KEYWORD_DELETE ||
             word == KEYWORD_MERGE)
        on_change(walker);
}

static void on_open(struct walker *walker)
{
    /* WITH x AS (...) (SELECT ...): the list is over */
    if (token_is(&walker->before, ')'))
        set_bit(&walker->with_list, walker->depth, false);
    walker->depth++;
    set_bit(&walker->with_list, walker->depth, false);
    set_bit(&walker->distinct_on, walker->depth,
        walker->before.keyword == KEYWORD_ON && walker->before_that.keyword == KEYWORD_DISTINCT);
}

/* False when nothing is open. */
static bool on_close(struct walker *walker)
{
    if (walker->depth == 0)
        return false;
    if (walker->depth == walker->setting_depth) {
        bool local = walker->setting_commas == 2 && walker->before.keyword == KEYWORD_TRUE &&
                     token_is(&walker->before_that, ',');
        if (!local)
            walker->findings->pins |= PIN_SETTING;
        walker->setting_depth = 0;
    }
    walker->closed_distinct = bit(walker->distinct_on, walker->depth);
    walker->depth--;
    return true;
}

/* False at what cannot be inside a statement: a parenthesis too many, a semicolon in parentheses. */
static bool on_character(struct walker *walker)
{
    switch (walker->tokens->now.character) {
    case '(': on_open(walker); return true;
    case ')': return on_close(walker);
    case ',': walker->setting_commas += walker->depth == walker->setting_depth; return true;
    case ';': return walker->kind == WALK_CREATE;
    default: return true;
    }
}

static bool on_token(struct walker *walker)
{
    const struct token *token = &walker->tokens->now;
    if (walker->findings->first.kind == TOKEN_END && !token_is(token, '('))
        walker->findings->first = *token;
    if (token->kind == TOKEN_CHARACTER)
        return on_character(walker);
    if (!is_name(token))
        return true;
    if (token->keyword != NO_KEYWORD && !token_is(&walker->before, '.'))
        on_keyword(walker, token->keyword);
    on_name(walker);
    return true;
}

static bool statement_ends(const struct walker *walker)
{
    const struct tokens *tokens = walker->tokens;
    return tokens_at_end(tokens) && !(token_is(&tokens->now, ';') && (walker->depth > 0 || walker->compound));
}

static void findings_init(struct findings *findings)
{
    *findings = (struct findings){.sure = {.reason = REASON_READ}, .maybe = {.reason = REASON_READ}};
}

void walk(struct tokens *tokens, const struct catalogue *catalogue, enum walk_kind kind, bool group,
    struct findings *findings)
{
    struct walker walker = {.tokens = tokens, .catalogue = catalogue, .findings = findings, .kind = kind};
    findings_init(findings);
    while (!statement_ends(&walker)) {
        bool closing = token_is(&tokens->now, ')');
        if (!on_token(&walker)) {
            findings->error = tokens->now.text;
            return;
        }
        walker.before_that = walker.before;
        walker.before = tokens->now;
        tokens_advance(tokens);
        if (group && closing && walker.depth == 0)
            return;
    }
    if (tokens->now.kind == TOKEN_ERROR || walker.depth > 0 || walker.compound)
        findings->error = tokens->now.text;
}

bool walk_relation(struct tokens *tokens, const struct catalogue *catalogue, struct findings *findings)
{
    struct walker walker = {.tokens = tokens, .catalogue = catalogue, .findings = findings};
    findings_init(findings);
    for (;;) {
        if (!is_name(&tokens->now))
            return false;
        struct slice name;
        walker.turn ^= 1;
        if (!name_of(&tokens->now, walker.storage[walker.turn], &name)) {
            found(&findings->sure, REASON_NOT_LEXED, tokens->now.text);
            return true;
        }
        if (!token_is(&tokens->next, '.')) {
            if (!catalogue)
                found(&findings->maybe, REASON_NO_CATALOGUE, tokens->now.text);
            mention(&walker, name, tokens->now.text);
            tokens_advance(tokens);
            return true;
        }
        if (name_is_temporary_schema(name))
            found(&findings->sure, REASON_RELATION_SPECIAL, tokens->now.text);
        walker.qualifier = name;
        tokens_advance(tokens);
        tokens_advance(tokens);
    }
}
