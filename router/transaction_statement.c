/* Reads BEGIN to ROLLBACK word by word; see transaction_statement.h. */
#include "router/transaction_statement.h"

#include "router/sql/tokens.h"

#include <stdio.h>

static bool read_isolation(struct tokens *tokens, struct transaction_modes *modes)
{
    if (!tokens_accept(tokens, KEYWORD_LEVEL))
        return false;
    if (tokens_accept(tokens, KEYWORD_SERIALIZABLE)) {
        modes->isolation = ISOLATION_SERIALIZABLE;
    } else if (tokens_accept(tokens, KEYWORD_REPEATABLE)) {
        modes->isolation = ISOLATION_REPEATABLE_READ;
        return tokens_accept(tokens, KEYWORD_READ);
    } else if (tokens_accept(tokens, KEYWORD_READ)) {
        bool committed = tokens_accept(tokens, KEYWORD_COMMITTED);
        modes->isolation = committed ? ISOLATION_READ_COMMITTED : ISOLATION_READ_UNCOMMITTED;
        return committed || tokens_accept(tokens, KEYWORD_UNCOMMITTED);
    } else {
        return false;
    }
    return true;
}

static bool read_mode(struct tokens *tokens, struct transaction_modes *modes)
{
    if (tokens_accept(tokens, KEYWORD_ISOLATION))
        return read_isolation(tokens, modes);
    if (tokens_accept(tokens, KEYWORD_READ)) {
        bool only = tokens_accept(tokens, KEYWORD_ONLY);
        modes->read_only = only ? SWITCH_ON : SWITCH_OFF;
        return only || tokens_accept(tokens, KEYWORD_WRITE);
    }
    modes->deferrable = tokens_accept(tokens, KEYWORD_NOT) ? SWITCH_OFF : SWITCH_ON;
    return tokens_accept(tokens, KEYWORD_DEFERRABLE);
}

/* Modes up to the end, divided by blanks or commas. */
static bool read_modes(struct tokens *tokens, struct transaction_modes *modes)
{
    while (!tokens_at_end(tokens)) {
        if (!read_mode(tokens, modes))
            return false;
        if (!token_is(&tokens->now, ','))
            continue;
        tokens_advance(tokens);
        if (tokens_at_end(tokens))
            return false;
    }
    return true;
}

static void skip_noise(struct tokens *tokens)
{
    if (!tokens_accept(tokens, KEYWORD_WORK))
        tokens_accept(tokens, KEYWORD_TRANSACTION);
}

/* [WORK | TRANSACTION] [AND NO CHAIN] */
static bool read_end(struct tokens *tokens)
{
    skip_noise(tokens);
    return !tokens_accept(tokens, KEYWORD_AND) ||
           (tokens_accept(tokens, KEYWORD_NO) && tokens_accept(tokens, KEYWORD_CHAIN));
}

static bool read_statement(struct tokens *tokens, struct transaction_statement *out)
{
    if (tokens_accept(tokens, KEYWORD_BEGIN)) {
        out->verb = TRANSACTION_BEGIN;
        skip_noise(tokens);
        return read_modes(tokens, &out->modes);
    }
    if (tokens_accept(tokens, KEYWORD_START)) {
        out->verb = TRANSACTION_START;
        return tokens_accept(tokens, KEYWORD_TRANSACTION) && read_modes(tokens, &out->modes);
    }
    if (tokens_accept(tokens, KEYWORD_SET)) {
        out->verb = TRANSACTION_SET;
        tokens_accept(tokens, KEYWORD_LOCAL);
        return tokens_accept(tokens, KEYWORD_TRANSACTION) && !tokens_at_end(tokens) &&
               read_modes(tokens, &out->modes);
    }
    if (tokens_accept(tokens, KEYWORD_COMMIT) || tokens_accept(tokens, KEYWORD_END)) {
        out->verb = TRANSACTION_COMMIT;
        return read_end(tokens);
    }
    if (tokens_accept(tokens, KEYWORD_ROLLBACK) || tokens_accept(tokens, KEYWORD_ABORT)) {
        out->verb = TRANSACTION_ROLLBACK;
        return read_end(tokens);
    }
    return false;
}

bool transaction_statement(struct slice text, bool standard_strings, struct transaction_statement *out)
{
    struct tokens tokens;
    tokens_init(&tokens, text, standard_strings);
    *out = (struct transaction_statement){0};
    if (!read_statement(&tokens, out))
        return false;
    while (token_is(&tokens.now, ';'))
        tokens_advance(&tokens);
    return tokens.now.kind == TOKEN_END;
}

void transaction_modes_add(struct transaction_modes *modes, const struct transaction_modes *later)
{
    if (later->isolation != ISOLATION_DEFAULT)
        modes->isolation = later->isolation;
    if (later->read_only != SWITCH_DEFAULT)
        modes->read_only = later->read_only;
    if (later->deferrable != SWITCH_DEFAULT)
        modes->deferrable = later->deferrable;
}

size_t transaction_begin_text(const struct transaction_modes *modes, char out[TRANSACTION_TEXT_MAX])
{
    static const char *const isolations[] = {[ISOLATION_DEFAULT] = "",
        [ISOLATION_READ_UNCOMMITTED] = " ISOLATION LEVEL READ UNCOMMITTED",
        [ISOLATION_READ_COMMITTED] = " ISOLATION LEVEL READ COMMITTED",
        [ISOLATION_REPEATABLE_READ] = " ISOLATION LEVEL REPEATABLE READ",
        [ISOLATION_SERIALIZABLE] = " ISOLATION LEVEL SERIALIZABLE"};
    static const char *const read_only[] = {
        [SWITCH_DEFAULT] = "", [SWITCH_ON] = " READ ONLY", [SWITCH_OFF] = " READ WRITE"};
    static const char *const deferrable[] = {
        [SWITCH_DEFAULT] = "", [SWITCH_ON] = " DEFERRABLE", [SWITCH_OFF] = " NOT DEFERRABLE"};
    int len = snprintf(out, TRANSACTION_TEXT_MAX, "BEGIN%s%s%s", isolations[modes->isolation],
        read_only[modes->read_only], deferrable[modes->deferrable]);
    return (size_t)len;
}
