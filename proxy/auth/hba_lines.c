/*
 * The words of a pg_hba.conf: divided by blanks, joined into lists by commas, quoted by double quotes (in
 * which "" is one quote), ended by # or the line's end, which a backslash before it takes away. The same
 * rules as in PostgreSQL's next_token; only quotes that are not closed are an error here.
 *
 * Words are unquoted and ended by a NUL in place: a word is never longer than its spelling.
 */
#include "proxy/auth/hba_private.h"

#include <string.h>

/*
 * Takes one line off the text, with the lines that it is continued on by a backslash at the end: they are
 * moved up to it, each byte once.
 */
static char *take_line(struct hba_lexer *lexer, struct hba_line *line)
{
    char *start = lexer->at, *to = start;
    line->number = lexer->number;
    for (;;) {
        char *from = lexer->at;
        char *newline = memchr(from, '\n', (size_t)(lexer->end - from));
        char *last = newline ? newline : lexer->end;
        lexer->at = newline ? newline + 1 : lexer->end;
        lexer->number++;
        if (last > from && last[-1] == '\r')
            last--;
        bool goes_on = last > from && last[-1] == '\\';
        if (goes_on)
            last--;
        memmove(to, from, (size_t)(last - from));
        to += last - from;
        if (!goes_on) {
            *to = '\0'; /* at the line's end, or in the one byte more that the text has */
            return start;
        }
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Reads one word at *at; the byte after it is what ended it. False when a quote is not closed. */
static bool read_word(char **at, struct hba_word *word, char *ended_by)
{
    char *from = *at, *to = *at;
    bool in_quotes = false;
    *word = (struct hba_word){.text = to, .quoted = *from == '"'};
    for (;; from++) {
        if (*from == '"') {
            if (in_quotes && from[1] == '"')
                *to++ = *from++;
            else
                in_quotes = !in_quotes;
            continue;
        }
        if (*from == '\0' || (!in_quotes && (is_blank(*from) || *from == ',' || *from == '#')))
            break;
        *to++ = *from;
    }
    *ended_by = *from;
    *at = from;
    *to = '\0';
    word->list_goes_on = *ended_by == ',';
    return !in_quotes;
}

static bool split_line(char *at, struct hba_line *line, const char *name, struct error *error)
{
    line->n = 0;
    for (;;) {
        while (is_blank(*at) || *at == ',')
            at++;
        if (*at == '\0' || *at == '#')
            break;
        char ended_by;
        if (line->n == HBA_LINE_WORDS)
            return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s line %u: more than %d words on a line",
                name, line->number, HBA_LINE_WORDS);
        if (!read_word(&at, &line->words[line->n++], &ended_by))
            return error_set(
                error, SQLSTATE_CONFIG_FILE_ERROR, "%s line %u: a quote is not closed", name, line->number);
        if (ended_by == '\0' || ended_by == '#')
            break;
        at++;
    }
    if (line->n > 0 && line->words[line->n - 1].list_goes_on)
        return error_set(
            error, SQLSTATE_CONFIG_FILE_ERROR, "%s line %u: a list ends with a comma", name, line->number);
    return true;
}

enum hba_line_result hba_next_line(struct hba_lexer *lexer, struct hba_line *line, struct error *error)
{
    while (lexer->at < lexer->end) {
        char *text = take_line(lexer, line);
        if (!split_line(text, line, lexer->name, error))
            return HBA_LINE_BAD;
        if (line->n > 0)
            return HBA_LINE;
    }
    return HBA_LINES_END;
}
