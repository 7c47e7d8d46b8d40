/*
 * Classes a whole query string; see classify.h.
 *
 * The comments in front are looked through for a hint, then statement after statement is read and the
 * verdicts are put together: a string of several statements is a read only when all of them are. Where the
 * text stops being SQL the verdict is a write that was not understood; PostgreSQL will refuse the whole
 * string, too.
 */
#include "router/classify.h"
#include "router/sql/statement.h"

#include <string.h>
#include <strings.h>

enum hint { HINT_NONE, HINT_PRIMARY, HINT_REPLICA };

static struct slice trim(struct slice text)
{
    while (text.len > 0 && strchr(" \t\r\n\f", text.data[0]))
        text = slice_of(text.data + 1, text.len - 1);
    while (text.len > 0 && strchr(" \t\r\n\f", text.data[text.len - 1]))
        text.len--;
    return text;
}

/* Goes past a word (ASCII, any case) and the blanks behind it. */
static bool skip_word(struct slice *text, const char *word)
{
    size_t len = strlen(word);
    if (text->len < len || strncasecmp(text->data, word, len) != 0)
        return false;
    *text = trim(slice_of(text->data + len, text->len - len));
    return true;
}

/* "rolecall: primary" or "rolecall: replica" alone in a comment. */
static enum hint read_hint(struct slice comment)
{
    bool block = comment.data[0] == '/'; /* else a line's, from -- to the end of the line */
    struct slice text = trim(slice_of(comment.data + 2, comment.len - (block ? 4 : 2)));
    if (!skip_word(&text, "rolecall") || !skip_word(&text, ":"))
        return HINT_NONE;
    if (text.len != strlen("primary")) /* as long as "replica" */
        return HINT_NONE;
    if (skip_word(&text, "primary"))
        return HINT_PRIMARY;
    return skip_word(&text, "replica") ? HINT_REPLICA : HINT_NONE;
}

/* The first hint among the comments before the first token. */
static enum hint find_hint(struct slice text, struct slice *comment)
{
    struct lexer lexer;
    lex_init(&lexer, text, true);
    while (lex_comment(&lexer, comment)) {
        enum hint hint = read_hint(*comment);
        if (hint != HINT_NONE)
            return hint;
    }
    return HINT_NONE;
}

static void apply_hint(struct statement *statement, enum hint hint, struct slice comment)
{
    if (hint == HINT_PRIMARY && statement->class == STATEMENT_READ) {
        statement->class = STATEMENT_WRITE;
        statement->reason = REASON_HINT_PRIMARY;
        statement->culprit = comment;
    } else if (hint == HINT_REPLICA && statement->hintable) {
        statement->class = STATEMENT_READ;
        statement->reason = REASON_HINT_REPLICA;
        statement->culprit = comment;
    }
}

static void add(struct classification *out, const struct statement *statement)
{
    out->flags |= statement->effect.flags;
    out->pins |= statement->effect.pins;
    out->frees |= statement->effect.frees;
    if (++out->statements == 1) {
        out->class = statement->class;
        out->reason = statement->reason;
        out->culprit = statement->culprit;
        return;
    }
    out->flags |= STATEMENT_MULTIPLE;
    if (out->class == STATEMENT_READ && statement->class == STATEMENT_READ)
        return;
    if (out->class == STATEMENT_READ) /* the first that is no read is named */
        out->culprit = statement->culprit;
    if (out->class != statement->class)
        out->class = STATEMENT_WRITE;
    out->reason = REASON_MULTIPLE;
}

static void not_lexed(struct classification *out, struct slice culprit)
{
    out->class = STATEMENT_WRITE;
    out->reason = REASON_NOT_LEXED;
    out->culprit = culprit;
}

void classify(
    struct slice text, const struct catalogue *catalogue, bool standard_strings, struct classification *out)
{
    struct slice comment;
    struct tokens tokens;
    text = slice_of(text.data ? text.data : "", text.len);
    enum hint hint = find_hint(text, &comment);
    *out = (struct classification){
        .class = STATEMENT_READ, .reason = REASON_EMPTY, .culprit = slice_of(text.data, 0)};
    tokens_init(&tokens, text, standard_strings);
    while (tokens.now.kind != TOKEN_END && tokens.now.kind != TOKEN_ERROR) {
        struct statement statement;
        if (token_is(&tokens.now, ';')) {
            tokens_advance(&tokens);
            continue;
        }
        statement_read(&tokens, catalogue, &statement);
        apply_hint(&statement, hint, comment);
        add(out, &statement);
        if (statement.broken) {
            not_lexed(out, statement.culprit);
            break;
        }
    }
    if (tokens.now.kind == TOKEN_ERROR)
        not_lexed(out, tokens.now.text);
    if (out->flags & STATEMENT_MULTIPLE) /* what else is in the string decides */
        out->flags &= ~(uint32_t)STATEMENT_BEGIN_READ_ONLY;
}
