/*
 * Reads the commands around transactions and the session: BEGIN to ROLLBACK, SET, RESET, DISCARD,
 * PREPARE, EXECUTE.
 *
 * Each looks at the few words that make a difference; what follows them is of no interest, and PostgreSQL
 * refuses what is wrong with it.
 */
#include "router/sql/name.h"
#include "router/sql/reading.h"
#include "router/sql/set_clause.h"

#include <string.h>
#include <strings.h>

/* READ ONLY, READ WRITE, ISOLATION LEVEL ..., SNAPSHOT: up to the end. Gives STATEMENT_BEGIN_READ_ONLY when
 * it applies. */
static uint32_t read_transaction_modes(struct reading *reading, bool *writes)
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
    *writes = read_write;
    return read_only && !read_write && !flags ? STATEMENT_BEGIN_READ_ONLY : flags;
}

/* ... of a transaction that has begun, or of those to come. */
static uint32_t read_set_modes(struct reading *reading, bool has_begun)
{
    bool writes;
    uint32_t flags = read_transaction_modes(reading, &writes) & STATEMENT_ISOLATION;
    return has_begun && writes ? STATEMENT_ISOLATION : flags;
}

void read_begin(struct reading *reading)
{
    bool writes;
    reading->out->effect.flags |= read_transaction_modes(reading, &writes);
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
        reading->out->effect.flags |= STATEMENT_ROLLBACK;
}

/* SET search_path TO pg_temp, ...: what is created then is temporary, without a word about it. The value is
 * at hand. */
static bool puts_temporary_first(const struct reading *reading, const struct set_clause *clause)
{
    const struct token *value = &reading->tokens->now;
    char storage[LEX_NAME_MAX];
    struct slice schema;
    if (clause->form != SET_VALUE || !slice_is(clause->name, "search_path"))
        return false;
    if (value->kind == TOKEN_STRING)
        return memmem(value->text.data, value->text.len, "pg_temp", 7) != NULL;
    return (value->kind == TOKEN_WORD || value->kind == TOKEN_QUOTED || value->kind == TOKEN_UNICODE) &&
           name_of(value, storage, &schema) && name_is_temporary_schema(schema);
}

/* SET [default_]transaction_isolation = 'serializable'; the value is at hand. */
static bool raises_isolation(const struct reading *reading, const struct set_clause *clause)
{
    struct slice name = clause->name, value = reading->tokens->now.text;
    bool committed = value.len > 5 && strncasecmp(value.data + (value.data[0] == '\''), "read ", 5) == 0;
    return clause->form == SET_VALUE && !clause->characteristics && !committed &&
           (slice_is(name, "transaction_isolation") || slice_is(name, "default_transaction_isolation"));
}

/* SET transaction_read_only = off; the value is at hand. */
static bool makes_writable(const struct reading *reading, const struct set_clause *clause)
{
    struct slice value = reading->tokens->now.text;
    bool stays = clause->form == SET_VALUE && (slice_is(value, "on") || slice_is(value, "'on'") ||
                                                  slice_is(value, "true") || slice_is(value, "'true'"));
    return slice_is(clause->name, "transaction_read_only") && !stays;
}

struct setter {
    struct effect *effect;
    enum setting_change change;
};

static void on_name(void *context, struct slice name)
{
    const struct setter *setter = context;
    effect_of_setting(setter->effect, name, setter->change);
}

static void change_setting(struct reading *reading, const struct set_clause *clause)
{
    struct statement *out = reading->out;
    struct setter setter = {&out->effect, clause->local                 ? CHANGE_LOCAL
                                          : clause->form == SET_DEFAULT ? CHANGE_DEFAULT
                                                                        : CHANGE_SESSION};
    if (clause->form == SET_UNTOLD)
        effect_of_setting(&out->effect, slice_of("", 0), setter.change);
    set_clause_names(clause, &setter, on_name);
    if (clause->characteristics)
        out->effect.flags |= read_set_modes(reading, false);
    if (raises_isolation(reading, clause) || makes_writable(reading, clause))
        out->effect.flags |= STATEMENT_ISOLATION;
    if (!clause->local && puts_temporary_first(reading, clause))
        out->effect.pins |= PIN_TEMPORARY;
}

void read_set(struct reading *reading)
{
    struct statement *out = reading->out;
    struct set_clause clause;
    set_clause_read(reading->tokens, &clause);
    switch (clause.form) {
    case SET_NONE: return;
    case SET_TRANSACTION:
        reading_verdict(reading, STATEMENT_TRANSACTION, REASON_TRANSACTION, out->culprit);
        out->effect.flags |= read_set_modes(reading, true);
        return;
    case SET_ALL: out->effect.flags |= STATEMENT_RESETS | STATEMENT_SETS_PARSING; return;
    case SET_VALUE:
    case SET_DEFAULT:
    case SET_UNTOLD: change_setting(reading, &clause); return;
    }
}

/* DISCARD ALL unloads no library and takes no seed back. */
void read_discard(struct reading *reading)
{
    struct effect *effect = &reading->out->effect;
    tokens_advance(reading->tokens);
    enum keyword word = reading_word(reading);
    if (word == KEYWORD_ALL) {
        effect->flags |= STATEMENT_RESET_ALL | STATEMENT_RESETS | STATEMENT_SETS_PARSING;
        effect->frees |= PIN_ASKABLE | PIN_SEQUENCE | PIN_SETTING;
    } else if (word == KEYWORD_TEMP || word == KEYWORD_TEMPORARY) {
        effect->frees |= PIN_TEMPORARY;
    } else if (word == KEYWORD_SEQUENCES) {
        effect->frees |= PIN_SEQUENCE;
    }
}

void read_prepare(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    tokens_advance(tokens);
    if (reading_word(reading) == KEYWORD_TRANSACTION && tokens->next.kind == TOKEN_STRING) {
        reading_verdict(reading, STATEMENT_WRITE, REASON_TRANSACTION, reading->out->culprit);
        reading->out->effect.flags |= STATEMENT_COMMIT;
    } else {
        reading->out->effect.pins |= PIN_PREPARE;
    }
}

/* EXECUTE name (arguments): the name is no function's. */
void read_execute(struct reading *reading)
{
    tokens_advance(reading->tokens);
    if (!tokens_at_end(reading->tokens))
        tokens_advance(reading->tokens);
    reading_calls(reading, WALK_QUERY);
}
