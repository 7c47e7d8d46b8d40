/*
 * Reads DO and CALL: what the program of a DO says, and what is known of a procedure, tells what they leave
 * in the session. Both are writes, and may commit inside.
 *
 * A program that is not readable (another language, dynamic SQL, too long), that changes the session by
 * statements of its own, or that calls what nothing is known of, may change the session in every way that can
 * be asked for afterwards.
 */
#include "router/setting.h"
#include "router/sql/builtins.h"
#include "router/sql/function_text.h"
#include "router/sql/inline_code.h"
#include "router/sql/reading.h"

#include <string.h>
#include <strings.h>

struct program {
    const struct catalogue *catalogue; /* NULL: not known */
    struct effect *effect;
};

static void on_call(void *context, const char *schema_text, const char *name_text, bool may_be_syntax)
{
    struct program *program = context;
    struct slice schema = slice_from(schema_text), name = slice_from(name_text);
    enum name_kind kind = catalogue_function(program->catalogue, schema, name);
    bool shipped = schema.len == 0 || slice_is(schema, "pg_catalog");
    const struct builtin *builtin = shipped && !may_be_syntax ? builtin_find(name) : NULL;
    if (builtin) {
        program->effect->pins |= builtin->pins & ~(uint32_t)PIN_SETTING; /* told by on_set */
        program->effect->frees |= builtin->frees;
    }
    effect_of_kind(program->effect, kind);
    if (program->catalogue && kind == NAME_UNKNOWN && !may_be_syntax)
        effect_of_survey(program->effect);
}

static bool is_definition(const char *word)
{
    static const char *const words[] = {"create", "alter", "drop", "comment", "grant", "revoke", "security",
        "import", "reassign", "refresh", "into"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    return false;
}

static void on_name(void *context, const char *schema_text, const char *name_text)
{
    struct program *program = context;
    const struct catalogue *catalogue = program->catalogue;
    struct slice schema = slice_from(schema_text), name = slice_from(name_text);
    if (!catalogue)
        return;
    effect_of_kind(program->effect, catalogue_relation(catalogue, schema, name));
    effect_of_kind(program->effect, catalogue_write(catalogue, schema, name));
    effect_of_kind(program->effect, catalogue_type(catalogue, schema, name));
    enum name_kind ddl = catalogue_ddl(catalogue);
    if (ddl != NAME_UNKNOWN && schema.len == 0 && is_definition(name_text))
        effect_of_kind(program->effect, ddl);
    if (schema.len > 0) /* row.function */
        effect_of_kind(program->effect, catalogue_own_function(catalogue, name));
}

static void on_operator(void *context, const char *symbol)
{
    struct program *program = context;
    if (program->catalogue)
        effect_of_kind(program->effect, catalogue_operator(program->catalogue, slice_from(symbol)));
}

static void on_session(void *context)
{
    struct program *program = context;
    effect_of_survey(program->effect);
}

static void on_opaque(void *context)
{
    struct program *program = context;
    effect_of_kind(program->effect, NAME_OPAQUE);
}

static void on_set(void *context, const char *name, bool local)
{
    struct program *program = context;
    if (local) /* the rest is told by on_session */
        effect_of_setting(program->effect, slice_from(name), CHANGE_LOCAL);
}

/* Anywhere in the program, in string literals too. */
static bool asks_for_sequences(struct slice text)
{
    for (size_t i = 0; i + strlen("lastval") <= text.len; i++) {
        if (strncasecmp(text.data + i, "currval", 7) == 0 || strncasecmp(text.data + i, "lastval", 7) == 0)
            return true;
    }
    return false;
}

void read_do(struct reading *reading)
{
    struct program program = {reading->catalogue, &reading->out->effect};
    const struct function_text_events events = {.context = &program,
        .call = on_call,
        .name = on_name,
        .operate = on_operator,
        .session = on_session,
        .unreadable = on_session,
        .opaque = on_opaque,
        .set = on_set};
    struct inline_code code;
    const char *start = reading->tokens->now.text.data;
    inline_code_read(reading->tokens, &code);
    if (asks_for_sequences(slice_of(start, (size_t)(reading->tokens->now.text.data - start))))
        program.effect->pins |= PIN_SEQUENCE;
    if (code.readable)
        function_text_read(code.text, &events);
    else
        effect_of_survey(program.effect);
}

/* CALL name(...): the walk looks the name up with the functions. Without a catalogue it knows nothing of it.
 */
void read_call(struct reading *reading)
{
    struct statement *out = reading->out;
    struct findings findings;
    tokens_advance(reading->tokens);
    walk(reading->tokens, reading->catalogue, WALK_QUERY, false, &findings);
    effect_add(&out->effect, &findings.effect);
    if (findings.maybe.reason == REASON_FUNCTION_UNKNOWN)
        effect_of_survey(&out->effect);
    if (findings.error.data)
        reading_broken(reading, findings.error);
}
