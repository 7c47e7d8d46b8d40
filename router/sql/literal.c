/*
 * Takes the quotes and escapes off a string literal; see literal.h.
 *
 * Most literals have no escape in them and are returned as they stand in the text. What is rare in the names
 * and programs that are looked for here (numeric escapes, continued strings) is refused rather than decoded:
 * the callers then assume the worst.
 */
#include "router/sql/literal.h"

#include <string.h>

/* Between the two delimiters of $tag$...$tag$. */
static bool dollar_quoted(struct slice text, struct slice *contents)
{
    const char *end = memchr(text.data + 1, '$', text.len - 1);
    size_t delimiter = end ? (size_t)(end - text.data) + 1 : text.len;
    if (text.len < 2 * delimiter)
        return false;
    *contents = slice_of(text.data + delimiter, text.len - 2 * delimiter);
    return true;
}

/* What a backslash and this character stand for; '\0': not known. */
static char unescaped(char character)
{
    switch (character) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return strchr("01234567xuU", character) ? '\0' : character;
    }
}

static bool decode(struct slice text, bool backslashes, char *storage, size_t size, struct slice *contents)
{
    size_t len = 0;
    for (size_t at = 0; at < text.len; at++) {
        char c = text.data[at];
        bool escape = c == '\\' && backslashes;
        if (escape || c == '\'') {
            if (++at == text.len || (!escape && text.data[at] != '\'')) /* the latter: it is continued */
                return false;
            c = escape ? unescaped(text.data[at]) : '\'';
        }
        if (len == size || (escape && c == '\0'))
            return false;
        storage[len++] = c;
    }
    *contents = slice_of(storage, len);
    return true;
}

bool literal_of(
    const struct token *token, bool standard_strings, char *storage, size_t size, struct slice *contents)
{
    struct slice text = token->text;
    if (token->kind != TOKEN_STRING || text.len < 2)
        return false;
    if (text.data[0] == '$')
        return dollar_quoted(text, contents);
    bool escapes = text.data[0] != '\''; /* E'...' */
    text = slice_of(text.data + 1 + escapes, text.len - 2 - escapes);
    bool backslashes = (escapes || !standard_strings) && memchr(text.data, '\\', text.len);
    if (!backslashes && !memchr(text.data, '\'', text.len)) {
        *contents = text;
        return true;
    }
    return decode(text, backslashes, storage, size, contents);
}
