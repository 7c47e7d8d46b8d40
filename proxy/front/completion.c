/*
 * Completion; see completion.h. Behind a command's own words come its arguments as HELP shows them: words in
 * upper case and alternatives stand for themselves, those in lower case for names.
 */
#include "proxy/front/completion.h"

#include "proxy/front/command.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define SEEN_MAX 128

struct offers {
    FILE *out;
    const char *begun;
    char seen[SEEN_MAX][32]; /* several commands begin alike */
    size_t n;
};

static void offer(struct offers *offers, const char *word, size_t len)
{
    char lower[32];
    if (len == 0 || len >= sizeof lower || offers->n == SEEN_MAX)
        return;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)tolower((unsigned char)word[i]);
    lower[len] = 0;
    if (strncasecmp(lower, offers->begun, strlen(offers->begun)) != 0)
        return;
    for (size_t i = 0; i < offers->n; i++)
        if (strcmp(offers->seen[i], lower) == 0)
            return;
    memcpy(offers->seen[offers->n++], lower, len + 1);
    fprintf(offers->out, "%s\n", lower);
}

/* Whether the words are a beginning of the command's; *next: the one that follows them, *n_own: how many it
 * has. */
static bool follows(const struct command *command, int n, char **words, const char **next, int *n_own)
{
    const char *at = command->words;
    *next = NULL;
    for (*n_own = 0; *at; ++*n_own) {
        size_t len = strcspn(at, " ");
        if (*n_own == n)
            *next = at;
        else if (*n_own < n && (strlen(words[*n_own]) != len || strncasecmp(words[*n_own], at, len) != 0))
            return false;
        at += len + (at[len] == ' ');
    }
    return true;
}

static bool names(const char *arguments, const char *what)
{
    const char *found = strstr(arguments, what);
    size_t len = strlen(what);
    return found && (found == arguments || strchr("[ ", found[-1])) && strchr("] ", found[len]);
}

/* Alternatives: "[WAIT | IMMEDIATE]" or "error | warning". */
static void offer_alternatives(struct offers *offers, const char *arguments)
{
    for (const char *at = arguments; strchr(arguments, '|') && *at;) {
        size_t len = strcspn(at, "[]| ");
        offer(offers, at, len);
        at += len ? len : 1;
    }
}

static enum completion_kind offer_arguments(struct offers *offers, const char *arguments, int position)
{
    if (position > 0 || arguments[0] == '\'') /* a text comes first */
        return COMPLETE_NOTHING;
    offer_alternatives(offers, arguments);
    return names(arguments, "node")       ? COMPLETE_NODES
           : names(arguments, "database") ? COMPLETE_DATABASES
           : names(arguments, "session")  ? COMPLETE_SESSIONS
                                          : COMPLETE_NOTHING;
}

enum completion_kind completion_offer(FILE *out, int n, char **words, const char *begun)
{
    struct offers offers = {.out = out, .begun = begun};
    enum completion_kind kind = COMPLETE_NOTHING;
    size_t n_commands;
    const struct command *table = command_table(&n_commands);
    for (size_t i = 0; i < n_commands; i++) {
        const char *next;
        int n_own;
        if (!table[i].help || !follows(&table[i], n, words, &next, &n_own))
            continue;
        if (next)
            offer(&offers, next, strcspn(next, " "));
        else if (table[i].arguments && n >= n_own && kind == COMPLETE_NOTHING)
            kind = offer_arguments(&offers, table[i].arguments, n - n_own);
    }
    return kind;
}
