/*
 * Reads SET and RESET (VariableSetStmt and VariableResetStmt of PostgreSQL's grammar); see set_clause.h.
 *
 * SESSION, LOCAL, TIME, ROLE and their like are words of the grammar only where the words behind them say so:
 * `SET local.a = 1` names a setting. What PostgreSQL would refuse is read as something or other.
 */
#include "router/sql/set_clause.h"

#include "router/sql/name.h"

#include <string.h>

bool setting_name_fold(struct slice name, char storage[SETTING_NAME_MAX], struct slice *folded)
{
    if (name.len >= SETTING_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        storage[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    storage[name.len] = '\0';
    *folded = slice_of(storage, name.len);
    if (slice_is(*folded, "sort_mem")) /* map_old_guc_names */
        *folded = slice_from("work_mem");
    else if (slice_is(*folded, "vacuum_mem"))
        *folded = slice_from("maintenance_work_mem");
    return true;
}

static void named(struct set_clause *out, enum set_form form, const char *name)
{
    out->form = form;
    out->name = slice_from(name);
}

/* One part of a dotted name, put behind what is there. */
static bool append_part(struct set_clause *out, size_t *len, const struct token *token)
{
    char storage[LEX_NAME_MAX];
    struct slice part;
    if (!name_of(token, storage, &part) || *len + part.len + 2 > sizeof out->storage)
        return false;
    if (*len > 0)
        out->storage[(*len)++] = '.';
    memcpy(out->storage + *len, part.data, part.len);
    *len += part.len;
    return true;
}

static void read_name(struct tokens *tokens, struct set_clause *out)
{
    size_t len = 0;
    bool known = true;
    for (;;) {
        const struct token *token = &tokens->now;
        if (token->kind != TOKEN_WORD && token->kind != TOKEN_QUOTED && token->kind != TOKEN_UNICODE)
            return; /* no SET that PostgreSQL would take */
        known = known && append_part(out, &len, token);
        tokens_advance(tokens);
        if (!token_is(&tokens->now, '.'))
            break;
        tokens_advance(tokens);
    }
    known = known && setting_name_fold(slice_of(out->storage, len), out->storage, &out->name);
    out->form = known ? SET_VALUE : SET_UNTOLD;
}

/* The words that stand for a setting; true when these are some, and have been gone past. */
static bool read_words(struct tokens *tokens, struct set_clause *out)
{
    static const struct {
        enum keyword word, next;
        const char *name;
    } rows[] = {
        {KEYWORD_TIME, KEYWORD_ZONE, "timezone"},
        {KEYWORD_SESSION, KEYWORD_AUTHORIZATION, "session_authorization"},
        {KEYWORD_XML, KEYWORD_OPTION, "xmloption"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (tokens->now.keyword != rows[i].word || tokens->next.keyword != rows[i].next)
            continue;
        tokens_advance(tokens);
        tokens_advance(tokens);
        named(out, SET_VALUE, rows[i].name);
        return true;
    }
    return false;
}

/* True when a word is followed by what makes it a setting's name: a dot, = or TO. */
static bool is_name_here(const struct tokens *tokens)
{
    return token_is(&tokens->next, '.') || token_is(&tokens->next, '=') || tokens->next.keyword == KEYWORD_TO;
}

/* One word of the grammar that is a setting: SET ROLE x, SET NAMES 'x', SET SCHEMA 'x'. */
static bool read_word(struct tokens *tokens, struct set_clause *out)
{
    const char *name = tokens->now.keyword == KEYWORD_ROLE     ? "role"
                       : tokens->now.keyword == KEYWORD_NAMES  ? "client_encoding"
                       : tokens->now.keyword == KEYWORD_SCHEMA ? "search_path"
                                                               : NULL;
    if (!name || is_name_here(tokens))
        return false;
    tokens_advance(tokens);
    named(out, SET_VALUE, name);
    return true;
}

static bool read_characteristics(struct tokens *tokens, struct set_clause *out)
{
    if (tokens->now.keyword == KEYWORD_SESSION && tokens->next.keyword == KEYWORD_CHARACTERISTICS)
        tokens_advance(tokens);
    if (tokens->now.keyword != KEYWORD_CHARACTERISTICS || tokens->next.keyword != KEYWORD_AS)
        return false;
    tokens_advance(tokens);
    out->characteristics = true;
    named(out, SET_VALUE, "default_transaction_isolation");
    return true;
}

/* Up to the value; DEFAULT, TIME ZONE LOCAL and NAMES alone are the default. */
static void read_sign(struct tokens *tokens, struct set_clause *out)
{
    bool sign = token_is(&tokens->now, '=') || tokens->now.keyword == KEYWORD_TO;
    if (sign)
        tokens_advance(tokens);
    if (out->form != SET_VALUE)
        return;
    if (tokens->now.keyword == KEYWORD_DEFAULT || (!sign && tokens->now.keyword == KEYWORD_LOCAL) ||
        (!sign && tokens_at_end(tokens)))
        out->form = SET_DEFAULT;
}

static void read_set(struct tokens *tokens, struct set_clause *out)
{
    bool session = tokens->now.keyword == KEYWORD_SESSION && !is_name_here(tokens) &&
                   tokens->next.keyword != KEYWORD_AUTHORIZATION;
    out->local = tokens->now.keyword == KEYWORD_LOCAL && !is_name_here(tokens);
    if (session || out->local)
        tokens_advance(tokens);
    if (tokens->now.keyword == KEYWORD_TRANSACTION && !is_name_here(tokens)) {
        tokens_advance(tokens);
        out->form = SET_TRANSACTION;
        return;
    }
    if (tokens->now.keyword == KEYWORD_CONSTRAINTS && !is_name_here(tokens))
        return;
    if (read_characteristics(tokens, out))
        return;
    if (!read_words(tokens, out) && !read_word(tokens, out))
        read_name(tokens, out);
    read_sign(tokens, out);
}

static void read_reset(struct tokens *tokens, struct set_clause *out)
{
    if (tokens_accept(tokens, KEYWORD_ALL)) {
        out->form = SET_ALL;
    } else if (tokens->now.keyword == KEYWORD_TRANSACTION && tokens->next.keyword == KEYWORD_ISOLATION) {
        out->form = SET_TRANSACTION;
    } else {
        if (!read_words(tokens, out))
            read_name(tokens, out);
        if (out->form == SET_VALUE)
            out->form = SET_DEFAULT;
    }
}

void set_clause_read(struct tokens *tokens, struct set_clause *out)
{
    *out = (struct set_clause){.form = SET_NONE};
    if (tokens_accept(tokens, KEYWORD_RESET))
        read_reset(tokens, out);
    else if (tokens_accept(tokens, KEYWORD_SET))
        read_set(tokens, out);
}

void set_clause_names(
    const struct set_clause *clause, void *context, void (*tell)(void *context, struct slice name))
{
    if (clause->form != SET_VALUE && clause->form != SET_DEFAULT)
        return;
    tell(context, clause->name);
    if (clause->characteristics) {
        tell(context, slice_from("default_transaction_read_only"));
        tell(context, slice_from("default_transaction_deferrable"));
    }
}
