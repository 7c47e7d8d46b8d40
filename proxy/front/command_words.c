/*
 * The little language of commands; see command_words.h.
 *
 * One scanner finds where the next piece (blank, comment, semicolon, quote, word) ends; dividing and
 * unquoting both use it, so that they cannot disagree about what is inside a quote. Linear time.
 */
#include "proxy/front/command_words.h"

#include "proxy/front/command.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum piece_kind {
    PIECE_END,
    PIECE_BLANK, /* blanks and comments */
    PIECE_SEMICOLON,
    PIECE_WORD,
    PIECE_STRING,  /* '...' */
    PIECE_ESCAPES, /* E'...' */
    PIECE_DOLLAR,
    PIECE_NAME, /* "..." */
    PIECE_OPEN_QUOTE,
    PIECE_OPEN_COMMENT
};

struct piece {
    enum piece_kind kind;
    size_t len;
    size_t head; /* bytes of the opening quote; the closing one is as long, but for E'...' */
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool starts(struct slice text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.data, with, len) == 0;
}

static struct piece comment(struct slice text)
{
    size_t at = 2;
    if (text.data[0] == '-') {
        while (at < text.len && text.data[at] != '\n')
            at++;
        return (struct piece){PIECE_BLANK, at, 0};
    }
    for (int depth = 1; at + 1 < text.len;) {
        struct slice rest = slice_of(text.data + at, text.len - at);
        int change = starts(rest, "*/") ? -1 : starts(rest, "/*") ? 1 : 0;
        at += change ? 2 : 1;
        if ((depth += change) == 0)
            return (struct piece){PIECE_BLANK, at, 0};
    }
    return (struct piece){PIECE_OPEN_COMMENT, text.len, 0};
}

/* From the quote at `open` to its end; the quote doubled is one inside. */
static struct piece quoted(struct slice text, size_t open, enum piece_kind kind)
{
    char quote = text.data[open];
    for (size_t at = open + 1; at < text.len; at++) {
        if (kind == PIECE_ESCAPES && text.data[at] == '\\')
            at++;
        else if (text.data[at] == quote && at + 1 < text.len && text.data[at + 1] == quote)
            at++;
        else if (text.data[at] == quote)
            return (struct piece){kind, at + 1, open + 1};
    }
    return (struct piece){PIECE_OPEN_QUOTE, text.len, open + 1};
}

static bool is_tag(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80);
}

/* $tag$...$tag$; kind WORD with length 0 when it is none. */
static struct piece dollar(struct slice text)
{
    size_t head = 1;
    while (head < text.len && is_tag(text.data[head]))
        head++;
    if (head == text.len || text.data[head] != '$' ||
        (head > 1 && text.data[1] >= '0' && text.data[1] <= '9'))
        return (struct piece){PIECE_WORD, 0, 0};
    head++;
    const char *end = memmem(text.data + head, text.len - head, text.data, head);
    if (!end)
        return (struct piece){PIECE_OPEN_QUOTE, text.len, head};
    return (struct piece){PIECE_DOLLAR, (size_t)(end - text.data) + head, head};
}

static struct piece word(struct slice text)
{
    size_t at = 1;
    while (at < text.len && !is_blank(text.data[at]) && !strchr(";'\"", text.data[at]))
        at++;
    return (struct piece){PIECE_WORD, at, 0};
}

static struct piece scan(struct slice text)
{
    if (text.len == 0)
        return (struct piece){PIECE_END, 0, 0};
    if (starts(text, "--") || starts(text, "/*"))
        return comment(text);
    if (starts(text, "E'") || starts(text, "e'"))
        return quoted(text, 1, PIECE_ESCAPES);
    switch (text.data[0]) {
    case ';': return (struct piece){PIECE_SEMICOLON, 1, 0};
    case '\'': return quoted(text, 0, PIECE_STRING);
    case '"': return quoted(text, 0, PIECE_NAME);
    case '$': {
        struct piece piece = dollar(text);
        return piece.len ? piece : word(text);
    }
    default: break;
    }
    if (!is_blank(text.data[0]))
        return word(text);
    size_t at = 1;
    while (at < text.len && is_blank(text.data[at]))
        at++;
    return (struct piece){PIECE_BLANK, at, 0};
}

static void skip(struct slice *text, size_t len)
{
    if (len == 0)
        return;
    text->data += len;
    text->len -= len;
}

bool words_next_command(struct slice *script, struct slice *command)
{
    struct piece piece = scan(*script);
    while (piece.kind == PIECE_BLANK || piece.kind == PIECE_SEMICOLON) {
        skip(script, piece.len);
        piece = scan(*script);
    }
    *command = slice_of(script->data, 0);
    while (piece.kind != PIECE_END && piece.kind != PIECE_SEMICOLON) {
        skip(script, piece.len);
        command->len += piece.len;
        piece = scan(*script);
    }
    skip(script, piece.len);
    return command->len > 0;
}

/* ---- words ---- */

static char escape(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'f': return '\f';
    default: return c;
    }
}

/* Writes what stands between the quotes; returns the end. */
static char *unquote(struct slice inside, enum piece_kind kind, char *out)
{
    char quote = kind == PIECE_NAME ? '"' : '\'';
    for (size_t i = 0; i < inside.len; i++) {
        bool more = i + 1 < inside.len;
        if (kind == PIECE_ESCAPES && inside.data[i] == '\\' && more)
            *out++ = escape(inside.data[++i]);
        else if (kind != PIECE_DOLLAR && inside.data[i] == quote && more && inside.data[i + 1] == quote)
            *out++ = inside.data[i++];
        else
            *out++ = inside.data[i];
    }
    return out;
}

static char *add_word(struct words *words, struct slice text, struct piece piece, char *out)
{
    struct word *word = &words->list[words->n++];
    bool plain = piece.kind == PIECE_WORD;
    size_t tail = piece.kind == PIECE_DOLLAR ? piece.head : plain ? 0 : 1;
    struct slice inside = slice_of(text.data + piece.head, piece.len - piece.head - tail);
    char *end = out;
    if (plain) {
        memcpy(out, inside.data, inside.len);
        end += inside.len;
    } else {
        end = unquote(inside, piece.kind, out);
    }
    *end = 0;
    *word =
        (struct word){.text = out, .len = (size_t)(end - out), .quoted = !plain && piece.kind != PIECE_NAME};
    return end + 1;
}

bool words_parse(struct slice command, struct words *out, struct error *error)
{
    out->n = 0;
    out->buffer = malloc(command.len + WORDS_MAX + 1); /* a word is never longer than it was written */
    if (!out->buffer)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    char *end = out->buffer;
    for (struct piece piece = scan(command); piece.kind != PIECE_END; piece = scan(command)) {
        if (piece.kind == PIECE_OPEN_QUOTE || piece.kind == PIECE_OPEN_COMMENT) {
            error_set(error, SQLSTATE_SYNTAX_ERROR, "a %s is not closed",
                piece.kind == PIECE_OPEN_QUOTE ? "quote" : "comment");
            goto fail;
        }
        if (piece.kind != PIECE_BLANK && piece.kind != PIECE_SEMICOLON) {
            if (out->n == WORDS_MAX) {
                error_set(error, SQLSTATE_SYNTAX_ERROR, "a command has at most %d words; put SQL into quotes",
                    WORDS_MAX);
                goto fail;
            }
            end = add_word(out, command, piece, end);
        }
        skip(&command, piece.len);
    }
    return true;
fail:
    words_fini(out);
    return false;
}

void words_fini(struct words *words)
{
    free(words->buffer);
    words->buffer = NULL;
    words->n = 0;
}

bool words_are(const struct words *words, size_t i, const char *text)
{
    return i < words->n && !words->list[i].quoted && words->list[i].len == strlen(text) &&
           strcasecmp(words->list[i].text, text) == 0;
}
