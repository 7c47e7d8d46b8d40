/*
 * Finds the program of a DO statement; see inline_code.h.
 *
 * The program and the LANGUAGE clause may come in either order. A program with escapes in it that is longer
 * than the storage, or in another language, is not readable: it may do anything.
 */
#include "router/sql/inline_code.h"

#include "router/sql/literal.h"
#include "router/sql/name.h"

#include <string.h>

static bool is_known_language(const struct token *token, bool standard_strings)
{
    char storage[LEX_NAME_MAX];
    struct slice name;
    bool word = name_is_token(token);
    bool told = word ? name_of(token, storage, &name)
                     : literal_of(token, standard_strings, storage, sizeof storage, &name);
    return told && (slice_is(name, "plpgsql") || slice_is(name, "sql"));
}

void inline_code_read(struct tokens *tokens, struct inline_code *out)
{
    bool standard_strings = tokens->lexer.standard_strings, program = false, known = true;
    out->text = slice_of("", 0);
    for (tokens_advance(tokens); !tokens_at_end(tokens); tokens_advance(tokens)) {
        if (tokens_accept(tokens, KEYWORD_LANGUAGE)) {
            known = known && is_known_language(&tokens->now, standard_strings);
            if (tokens_at_end(tokens))
                break;
        } else {
            known = known && !program &&
                    literal_of(&tokens->now, standard_strings, out->storage, sizeof out->storage, &out->text);
            program = true;
        }
    }
    /* inside it a backslash would mean something else than what is assumed there */
    bool plain = standard_strings || !memchr(out->text.data, '\\', out->text.len);
    out->readable = known && program && plain;
}
