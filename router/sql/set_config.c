/* Reads the arguments of set_config(); see set_config.h. What is no plain literal is not known: `named` is
 * false, or the setting is the session's. */
#include "router/sql/set_config.h"

#include "router/sql/literal.h"

#include <strings.h>

/* The token behind a literal, which may be written 'name'::text: so PostgreSQL prints it. */
static struct token behind_literal(struct lexer *ahead)
{
    struct token after = lex_next(ahead);
    if (after.kind != TOKEN_TYPECAST)
        return after;
    struct token type = lex_next(ahead);
    bool text = type.kind == TOKEN_WORD && type.text.len == 4 && strncasecmp(type.text.data, "text", 4) == 0;
    return text ? lex_next(ahead) : after;
}

void set_config_open(struct set_config *call, const struct tokens *tokens, unsigned depth)
{
    struct lexer ahead = tokens->lexer; /* behind the parenthesis */
    struct token first = lex_next(&ahead), after = behind_literal(&ahead);
    char storage[SETTING_NAME_MAX];
    struct slice name;
    *call = (struct set_config){.depth = depth + 1};
    call->named = token_is(&after, ',') &&
                  literal_of(&first, ahead.standard_strings, storage, sizeof storage, &name) &&
                  setting_name_fold(name, call->storage, &call->name);
}

bool set_config_is_local(
    const struct set_config *call, const struct token *before, const struct token *before_that)
{
    return call->commas == 2 && before->keyword == KEYWORD_TRUE && token_is(before_that, ',');
}
