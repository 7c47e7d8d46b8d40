/*
 * Reads the commands around transactions and the session: BEGIN to ROLLBACK, SET, DISCARD, PREPARE.
 *
 * Each looks at the few words that make a difference; what follows them is of no interest, and PostgreSQL
 * refuses what is wrong with it.
 */
#include "router/sql/name.h"
#include "router/sql/reading.h"

#include <string.h>
#include <strings.h>

/* READ ONLY, READ WRITE, ISOLATION LEVEL ..., SNAPSHOT: up to the end. Gives STATEMENT_BEGIN_READ_ONLY when
 * it applies. */
static uint32_t read_transaction_modes(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    bool read_only = false, read_write = false;
    uint32_t flags = 0;
    for (; !tokens_at_end(tokens); tokens_advance(tokens)) {
        enum keyword word = reading_word(reading), next = tokens->next.keyword;
        if (word == KEYWORD_READ) {
            read_only |= next == KEYWORD_ONLY;
            read_write |= next == KEYWORD_WRITE;
        } else if (word == KEYWORD_SERIALIZABLE || word == KEYWORD_REPEATABLE || word == KEYWORD_SNAPSHOT) {
            flags |= STATEMENT_ISOLATION;
        }
    }
    return read_only && !read_write && !flags ? STATEMENT_BEGIN_READ_ONLY : flags;
}

void read_begin(struct reading *reading)
{
    reading->out->flags |= read_transaction_modes(reading);
}

void read_commit(struct reading *reading)
{
    tokens_advance(reading->tokens);
    if (reading_word(reading) == KEYWORD_PREPARED) /* stands outside every transaction block */
        reading->out->class = STATEMENT_WRITE;
}

void read_rollback(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    tokens_advance(tokens);
    if (reading_word(reading) == KEYWORD_PREPARED) {
        reading->out->class = STATEMENT_WRITE;
        return;
    }
    if (reading_word(reading) == KEYWORD_WORK || reading_word(reading) == KEYWORD_TRANSACTION)
        tokens_advance(tokens);
    if (reading_word(reading) != KEYWORD_TO)
        reading->out->flags |= STATEMENT_ROLLBACK;
}

/* SET search_path TO pg_temp, ...: what is created then is temporary, without a word about it. */
static bool puts_temporary_first(const struct reading *reading)
{
    const struct tokens *tokens = reading->tokens;
    struct token name = tokens->now;
    struct lexer ahead = tokens->lexer;
    struct token value = lex_next(&ahead);
    char storage[LEX_NAME_MAX];
    struct slice schema;
    if (name.kind != TOKEN_WORD || name.text.len != strlen("search_path") ||
        strncasecmp(name.text.data, "search_path", name.text.len) != 0)
        return false;
    if (value.kind == TOKEN_STRING)
        return memmem(value.text.data, value.text.len, "pg_temp", 7) != NULL;
    return (value.kind == TOKEN_WORD || value.kind == TOKEN_QUOTED || value.kind == TOKEN_UNICODE) &&
           name_of(&value, storage, &schema) && name_is_temporary_schema(schema);
}

void read_set(struct reading *reading)
{
    struct statement *out = reading->out;
    tokens_advance(reading->tokens);
    if (reading_word(reading) == KEYWORD_LOCAL || reading_word(reading) == KEYWORD_CONSTRAINTS)
        return;
    if (reading_word(reading) == KEYWORD_TRANSACTION) {
        out->class = STATEMENT_TRANSACTION;
        out->reason = REASON_TRANSACTION;
        out->flags |= read_transaction_modes(reading) & STATEMENT_ISOLATION;
        return;
    }
    out->pins |= PIN_SETTING;
    reading_accept(reading, KEYWORD_SESSION);
    if (reading_word(reading) == KEYWORD_CHARACTERISTICS)
        out->flags |= read_transaction_modes(reading) & STATEMENT_ISOLATION;
    else if (puts_temporary_first(reading))
        out->pins |= PIN_TEMPORARY;
}

void read_discard(struct reading *reading)
{
    tokens_advance(reading->tokens);
    if (reading_word(reading) == KEYWORD_ALL)
        reading->out->flags |= STATEMENT_RESET_ALL;
}

void read_prepare(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    tokens_advance(tokens);
    if (reading_word(reading) == KEYWORD_TRANSACTION && tokens->next.kind == TOKEN_STRING) {
        reading_verdict(reading, STATEMENT_TRANSACTION, REASON_TRANSACTION, reading->out->culprit);
        reading->out->flags |= STATEMENT_COMMIT;
    } else {
        reading->out->pins |= PIN_PREPARE;
    }
}
