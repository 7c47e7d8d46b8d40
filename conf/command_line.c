/*
 * Words of a command; see command_line.h. One pass: each word is unquoted into a scratch text that is as long
 * as the whole, then copied.
 */
#include "conf/command_line.h"

#include "conf/value.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Unquotes the word at *at into `out`; false when a quote or a backslash is left open. */
static bool take_word(const char **at, char *out, const char **why)
{
    char quote = 0;
    for (; **at && (quote || !is_blank(**at)); (*at)++) {
        char c = **at;
        if (quote && c == quote) {
            quote = 0;
        } else if (!quote && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == '\\' && quote != '\'') {
            if (!(*at)[1]) {
                *why = "ends with a backslash";
                return false;
            }
            *out++ = *++*at;
        } else {
            *out++ = c;
        }
    }
    *out = '\0';
    *why = "a quote is not closed";
    return quote == 0;
}

static bool add_word(char **argv, size_t *n, const char *word, const char **why)
{
    if (*n == COMMAND_LINE_WORDS_MAX) {
        *why = "has more than 64 words";
        return false;
    }
    if (*n == 0 && word[0] != '/') {
        *why = "expected a command that begins with an absolute path";
        return false;
    }
    *why = "out of memory";
    return (argv[(*n)++] = strdup(word)) != NULL;
}

static bool split(const char *text, char **argv, char *scratch, const char **why)
{
    size_t n = 0;
    while (is_blank(*text))
        text++;
    while (*text) {
        if (!take_word(&text, scratch, why) || !add_word(argv, &n, scratch, why))
            return false;
        while (is_blank(*text))
            text++;
    }
    return true;
}

bool command_line_split(const char *text, char ***argv, const char **why)
{
    char **words = calloc(COMMAND_LINE_WORDS_MAX + 1, sizeof *words);
    char *scratch = malloc(strlen(text) + 1);
    bool fine = words && scratch;
    *argv = NULL;
    *why = "out of memory";
    fine = fine && split(text, words, scratch, why);
    free(scratch);
    if (!fine || !words[0]) {
        value_list_free(words);
        return fine;
    }
    *argv = words;
    return true;
}

static bool is_plain(const char *word)
{
    return *word && !strpbrk(word, " \t'\"\\");
}

static char *quote_word(char *at, const char *word)
{
    *at++ = '"';
    for (; *word; word++) {
        if (*word == '"' || *word == '\\')
            *at++ = '\\';
        *at++ = *word;
    }
    *at++ = '"';
    return at;
}

char *command_line_join(char *const *argv)
{
    size_t size = 1;
    for (char *const *word = argv; word && *word; word++)
        size += 2 * strlen(*word) + 3;
    char *out = calloc(1, size), *at = out;
    for (char *const *word = argv; at && word && *word; word++) {
        if (word != argv)
            *at++ = ' ';
        at = is_plain(*word) ? stpcpy(at, *word) : quote_word(at, *word);
    }
    return out;
}
