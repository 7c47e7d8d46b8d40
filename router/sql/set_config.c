/* Reads the arguments of set_config(); see set_config.h. What is no plain literal is not known: `named` is
 * false, or the setting is the session's. */
#include "router/sql/set_config.h"

#include "router/sql/literal.h"

void set_config_open(struct set_config *call, const struct tokens *tokens, unsigned depth)
{
    struct lexer ahead = tokens->lexer; /* behind the parenthesis */
    struct token first = lex_next(&ahead), after = lex_next(&ahead);
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
