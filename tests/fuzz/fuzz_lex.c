/* Any bytes: tokens follow each other without overlap, every call makes headway until the end or an error. */
#include "router/sql/lex.h"
#include "router/sql/name.h"
#include "router/sql/tokens.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lex_all(struct slice text, bool standard_strings)
{
    struct tokens tokens;
    const char *behind = text.data;
    size_t count = 0;
    for (tokens_init(&tokens, text, standard_strings);; tokens_advance(&tokens)) {
        const struct token *token = &tokens.now;
        char storage[LEX_NAME_MAX];
        struct slice name;
        if (token->kind == TOKEN_END || token->kind == TOKEN_ERROR)
            break;
        if (token->text.len == 0 || token->text.data < behind || ++count > text.len)
            abort();
        behind = token->text.data + token->text.len;
        if (behind > text.data + text.len)
            abort();
        bool named = token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED || token->kind == TOKEN_UNICODE;
        if (named && name_of(token, storage, &name) && (name.len == 0 || name.len >= LEX_NAME_MAX))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        lex_all(slice_of((const char *)data, size), true);
        lex_all(slice_of((const char *)data, size), false);
    }
    return 0;
}
