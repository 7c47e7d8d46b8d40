/*
 * The walk over a statement's tokens; see walk.h.
 *
 * Each token is looked at with the one before, the one after, and a little state by depth of parentheses.
 * When in doubt a word is a name, and a name before a parenthesis is a call: what is wrongly found to be
 * special goes to the primary, which is always right. The places where a name before a parenthesis is *not* a
 * call are listed in is_syntax(), each with the reason why PostgreSQL's grammar allows no call there.
 */
#include "router/sql/builtins.h"
#include "router/sql/walker.h"

static void found(struct cause *cause, enum reason reason, struct slice culprit)
{
    if (cause->reason == REASON_READ)
        *cause = (struct cause){reason, culprit};
}

/* set_config(), which is never run when a statement is planned. */
static void change_setting(struct walker *walker, const struct set_config *call, enum setting_change change)
{
    struct slice name = call->named ? call->name : slice_of("", 0);
    if (walker->kind != WALK_PLAN)
        effect_of_setting(&walker->findings->effect, name, change);
}

/* It is decided at its closing parenthesis; one inside another's arguments is not told apart. */
static void on_set_config(struct walker *walker)
{
    struct set_config inner;
    bool nested = walker->setting.depth != 0;
    set_config_open(nested ? &inner : &walker->setting, walker->tokens, walker->depth);
    if (nested)
        change_setting(walker, &inner, CHANGE_SESSION);
}

static void call_builtin(struct walker *walker, const struct builtin *builtin, struct slice text)
{
    struct findings *findings = walker->findings;
    if (builtin->pins & PIN_SETTING) {
        on_set_config(walker);
    } else {
        findings->effect.pins |= builtin->pins;
        findings->effect.frees |= builtin->frees;
    }
    if (builtin->kind == BUILTIN_SPECIAL)
        found(&findings->sure, REASON_FUNCTION_SPECIAL, text);
}

/* What a catalogue says of a function or relation; no hint may move what may change the session. */
static void take_kind(
    struct findings *findings, enum name_kind kind, enum reason reason, struct slice culprit)
{
    if (kind == NAME_SPECIAL) {
        found(&findings->maybe, reason, culprit);
    } else if (kind >= NAME_SESSION) {
        found(&findings->sure, reason, culprit);
        effect_of_kind(&findings->effect, kind);
    }
}

static void call(struct walker *walker, struct slice name, struct slice text, bool syntax)
{
    struct findings *findings = walker->findings;
    enum name_kind kind = catalogue_function(walker->catalogue, walker->qualifier, name);
    bool shipped = walker->qualifier.len == 0 || slice_is(walker->qualifier, "pg_catalog");
    const struct builtin *builtin = shipped && !syntax ? builtin_find(name) : NULL;
    if (builtin && (builtin->pins || kind >= NAME_SPECIAL))
        call_builtin(walker, builtin, text);
    take_kind(findings, kind, REASON_FUNCTION_SPECIAL, text);
    if (kind == NAME_UNKNOWN && !syntax) {
        found(&findings->maybe, REASON_FUNCTION_UNKNOWN, text);
        if (walker->catalogue && (walker->kind != WALK_CREATE || walker->query))
            effect_of_survey(&findings->effect);
    }
}

/* A name that is neither called nor followed by a dot: a relation, a column, or row.function. */
static void mention(struct walker *walker, struct slice name, struct slice text)
{
    struct findings *findings = walker->findings;
    take_kind(findings, catalogue_relation(walker->catalogue, walker->qualifier, name),
        REASON_RELATION_SPECIAL, text);
    if (token_is(&walker->before, '.'))
        take_kind(findings, catalogue_own_function(walker->catalogue, name), REASON_FUNCTION_SPECIAL, text);
    if (name.len == 11 && slice_is(name, "system_user") && walker->tokens->now.kind == TOKEN_WORD)
        found(
            &findings->maybe, REASON_FUNCTION_SPECIAL, text); /* PostgreSQL 16: called without parentheses */
}

/* What any name may be beside a function or a relation that is read: a type, a relation that is written. */
static void look_further(struct walker *walker, struct slice name, struct slice text)
{
    struct findings *findings = walker->findings;
    if (!walker->catalogue)
        return;
    take_kind(
        findings, catalogue_type(walker->catalogue, walker->qualifier, name), REASON_FUNCTION_SPECIAL, text);
    if (walker->writes)
        effect_of_kind(&findings->effect, catalogue_write(walker->catalogue, walker->qualifier, name));
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
    if (!token_is(next, '.') && (word == NO_KEYWORD || keyword_category(word) != CATEGORY_RESERVED))
        look_further(walker, name, token->text);
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
        call(walker, name, token->text, walker_is_syntax(walker, word));
    }
    walker->qualifier = name;
}

static bool is_first(const struct walker *walker)
{
    return walker->before.kind == TOKEN_END;
}

/* INTO of a SELECT makes a table; that of INSERT and MERGE is told by the word before. */
static void on_into(struct walker *walker)
{
    struct findings *findings = walker->findings;
    enum keyword before = walker->before.keyword, next = walker->tokens->next.keyword;
    if (before == KEYWORD_INSERT || before == KEYWORD_MERGE)
        return;
    found(&findings->sure, REASON_INTO, walker->tokens->now.text);
    if (walker->catalogue && walker->kind != WALK_PLAN)
        effect_of_kind(&findings->effect, catalogue_ddl(walker->catalogue));
    if (next == KEYWORD_TEMP || next == KEYWORD_TEMPORARY || next == KEYWORD_LOCAL || next == KEYWORD_GLOBAL)
        findings->effect.pins |= PIN_TEMPORARY;
    else if (next == KEYWORD_UNLOGGED)
        findings->effect.flags |= STATEMENT_DDL;
}

/* What a statement writes is named behind its first word. What is only planned fires no triggers. */
static void begin_write(struct walker *walker)
{
    walker->writes |= walker->kind != WALK_PLAN;
}

/* INSERT, UPDATE, DELETE, MERGE may also be columns' names; they are statements at the start, behind ( and
 * behind a WITH list. */
static void on_change(struct walker *walker)
{
    if (is_first(walker)) { /* the verdict is another's */
        begin_write(walker);
        return;
    }
    bool in_list = walker_bit(walker->with_list, walker->depth);
    enum keyword before = walker->before.keyword;
    bool listed = before == KEYWORD_WITH || before == KEYWORD_RECURSIVE || token_is(&walker->before, ',');
    if (!token_is(&walker->before, '(') && (!in_list || listed))
        return;
    if (in_list)
        walker_set_bit(&walker->with_list, walker->depth, false);
    begin_write(walker);
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
    if (is_first(walker) || token_is(&walker->before, '('))
        walker_set_bit(&walker->with_list, walker->depth, true);
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
    enum keyword object = walker->findings->first.keyword;
    bool routine = object == KEYWORD_FUNCTION || object == KEYWORD_PROCEDURE;
    if (word == KEYWORD_ATOMIC && walker->before.keyword == KEYWORD_BEGIN && routine) {
        walker->compound = true;
        walker->blocks++;
    } else if (word == KEYWORD_CASE && walker->compound) {
        walker->blocks++;
    } else if (word == KEYWORD_END && walker->compound) {
        walker->compound = --walker->blocks > 0;
    }
}

static void on_operator(struct walker *walker, struct slice symbol)
{
    if (walker->catalogue)
        take_kind(walker->findings, catalogue_operator(walker->catalogue, symbol), REASON_FUNCTION_SPECIAL,
            walker->tokens->now.text);
}

/* Key words that PostgreSQL's grammar turns into operators, which it then looks up as if they were written.
 */
static void on_implied_operators(struct walker *walker, enum keyword word)
{
    enum { NONE, MEMBER, EQUALITY, RANGE, LIKE, ILIKE, SIMILAR };
    static const uint8_t implied[KEYWORD_COUNT] = {[KEYWORD_IN] = MEMBER,
        [KEYWORD_CASE] = EQUALITY,
        [KEYWORD_NULLIF] = EQUALITY,
        [KEYWORD_DISTINCT] = EQUALITY, /* IS DISTINCT FROM */
        [KEYWORD_USING] = EQUALITY,
        [KEYWORD_NATURAL] = EQUALITY,
        [KEYWORD_BETWEEN] = RANGE,
        [KEYWORD_LIKE] = LIKE,
        [KEYWORD_ILIKE] = ILIKE,
        [KEYWORD_SIMILAR] = SIMILAR};
    static const char *const symbols[][4] = {[MEMBER] = {"=", "<>"},
        [EQUALITY] = {"="},
        [RANGE] = {"<=", ">=", "<", ">"},
        [LIKE] = {"~~", "!~~"},
        [ILIKE] = {"~~*", "!~~*"},
        [SIMILAR] = {"~", "!~"}};
    for (size_t i = 0; implied[word] && i < 4 && symbols[implied[word]][i]; i++)
        on_operator(walker, slice_from(symbols[implied[word]][i]));
}

static void on_keyword(struct walker *walker, enum keyword word)
{
    bool values = word == KEYWORD_VALUES && token_is(&walker->before, ')');
    if (values || (keyword_category(word) == CATEGORY_RESERVED && !stays_in_list(word)))
        walker_set_bit(&walker->with_list, walker->depth, false);
    if (word == KEYWORD_BY && walker->before.keyword == KEYWORD_GROUP)
        walker_set_bit(&walker->group_list, walker->depth, true);
    else if (keyword_category(word) == CATEGORY_RESERVED && word != KEYWORD_ALL && word != KEYWORD_DISTINCT)
        walker_set_bit(&walker->group_list, walker->depth, false);
    if (walker->kind == WALK_CREATE)
        on_body(walker, word);
    if ((word == KEYWORD_FROM || word == KEYWORD_TABLE) && !walker->catalogue)
        found(&walker->findings->maybe, REASON_NO_CATALOGUE, walker->tokens->now.text);
    on_implied_operators(walker, word);
    if (word == KEYWORD_WITH)
        on_with(walker);
    else if (word == KEYWORD_TRUNCATE && is_first(walker))
        begin_write(walker);
    else if (word == KEYWORD_AS)
        walker->query |= walker->depth == 0;
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
        walker_set_bit(&walker->with_list, walker->depth, false);
    enum keyword before = walker->before.keyword;
    bool sets = before == KEYWORD_SETS && walker_bit(walker->group_list, walker->depth);
    walker->depth++;
    walker_set_bit(&walker->group_list, walker->depth, sets);
    walker_set_bit(&walker->with_list, walker->depth, false);
    /* DISTINCT ON (a) f(b), a OPERATOR(+) f(b) */
    walker_set_bit(&walker->openings, walker->depth,
        before == KEYWORD_OPERATOR ||
            (before == KEYWORD_ON && walker->before_that.keyword == KEYWORD_DISTINCT));
}

/* False when nothing is open. */
static bool on_close(struct walker *walker)
{
    if (walker->depth == 0)
        return false;
    if (walker->depth == walker->setting.depth) {
        bool local = set_config_is_local(&walker->setting, &walker->before, &walker->before_that);
        change_setting(walker, &walker->setting, local ? CHANGE_LOCAL : CHANGE_SESSION);
        walker->setting.depth = 0;
    }
    walker->closed_opening = walker_bit(walker->openings, walker->depth);
    walker->depth--;
    return true;
}

/* False at what cannot be inside a statement: a parenthesis too many, a semicolon in parentheses. */
static bool on_character(struct walker *walker)
{
    switch (walker->tokens->now.character) {
    case '(': on_open(walker); return true;
    case ')': return on_close(walker);
    case ',': set_config_comma(&walker->setting, walker->depth); return true;
    case ';': return walker->kind == WALK_CREATE;
    case '.':
    case ':':
    case '[':
    case ']': return true;
    default: on_operator(walker, walker->tokens->now.text); return true;
    }
}

static bool on_token(struct walker *walker)
{
    const struct token *token = &walker->tokens->now;
    if (walker->findings->first.kind == TOKEN_END && !token_is(token, '('))
        walker->findings->first = *token;
    if (token->kind == TOKEN_CHARACTER)
        return on_character(walker);
    if (token->kind == TOKEN_OPERATOR)
        on_operator(walker, slice_is(token->text, "!=") ? slice_from("<>") : token->text);
    if (!name_is_token(token))
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
        if (!name_is_token(&tokens->now))
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
            if (catalogue)
                findings->write = catalogue_write(catalogue, walker.qualifier, name);
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
