/*
 * Reads CREATE, ALTER and DROP: whether they change the names that a catalogue knows, and whether what they
 * make is temporary, which pins the session.
 */
#include "router/sql/reading.h"

/* Objects that no catalogue of names knows of, and that nothing is run behind: their CREATE, ALTER and DROP
 * change nothing that the router knows. */
static bool is_no_name(enum keyword word)
{
    static const enum keyword words[] = {KEYWORD_INDEX, KEYWORD_UNIQUE, KEYWORD_ROLE, KEYWORD_USER,
        KEYWORD_GROUP, KEYWORD_DATABASE, KEYWORD_SYSTEM, KEYWORD_TABLESPACE, KEYWORD_SUBSCRIPTION,
        KEYWORD_PUBLICATION, KEYWORD_STATISTICS};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (word == words[i])
            return true;
    }
    return false;
}

void read_ddl(struct reading *reading)
{
    tokens_advance(reading->tokens);
    if (!is_no_name(reading_word(reading)))
        reading->out->effect.flags |= STATEMENT_DDL;
}

void read_create(struct reading *reading)
{
    struct tokens *tokens = reading->tokens;
    struct statement *out = reading->out;
    tokens_advance(tokens);
    if (reading_accept(reading, KEYWORD_OR))
        reading_accept(reading, KEYWORD_REPLACE);
    bool local = reading_accept(reading, KEYWORD_LOCAL) || reading_accept(reading, KEYWORD_GLOBAL);
    bool temporary =
        local || reading_word(reading) == KEYWORD_TEMP || reading_word(reading) == KEYWORD_TEMPORARY;
    bool runs = temporary || reading_word(reading) == KEYWORD_TABLE ||
                reading_word(reading) == KEYWORD_UNLOGGED || reading_word(reading) == KEYWORD_MATERIALIZED;
    bool names = !is_no_name(reading_word(reading));
    struct findings findings;
    walk(tokens, reading->catalogue, WALK_CREATE, false, &findings);
    if (runs) /* CREATE TABLE AS runs its query */
        effect_add(&out->effect, &findings.effect);
    if (temporary || findings.temporary.data)
        out->effect.pins |= PIN_TEMPORARY;
    else if (names)
        out->effect.flags |= STATEMENT_DDL;
    if (findings.error.data)
        reading_broken(reading, findings.error);
}
