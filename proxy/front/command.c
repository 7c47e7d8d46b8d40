/*
 * Finding and running a command; see command.h. The longest entry of the table that the words begin with is
 * meant; what is unknown is answered with the nearest one.
 */
#include "proxy/front/command.h"

#include "conf/nearest.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define SHOWN_MAX 60

/* How many of the words are this command's; 0 when it is another. */
static size_t match(const struct command *command, const struct words *words)
{
    const char *at = command->words;
    for (size_t i = 0;; i++) {
        size_t len = strcspn(at, " ");
        if (i >= words->n || words->list[i].quoted || words->list[i].len != len ||
            strncasecmp(words->list[i].text, at, len) != 0)
            return 0;
        if (!at[len])
            return i + 1;
        at += len + 1;
    }
}

/* The first words as typed, in upper case and printable; n of them at most. */
static void type_again(const struct words *words, size_t n, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < words->n && i < n; i++) {
        if (i > 0 && at + 1 < size)
            out[at++] = ' ';
        for (size_t c = 0; c < words->list[i].len && at + 1 < size; c++) {
            unsigned char letter = (unsigned char)words->list[i].text[c];
            out[at++] = letter < ' ' || letter > '~' ? '?' : (char)toupper(letter);
        }
    }
    out[at] = 0;
}

/* The nearest entry to the first `taken` words. A first word that is right is left out of the comparison:
   else every SHOW would be near to every other. */
static const char *suggest_for(const struct words *words, size_t taken)
{
    size_t n;
    const struct command *table = command_table(&n);
    const char *found = NULL;
    struct nearest nearest = {0};
    char typed[SHOWN_MAX + 1];
    type_again(words, taken, typed, sizeof typed);
    for (size_t i = 0; i < n; i++) {
        size_t first = command_tag(&table[i]).len + 1;
        bool same = taken > 1 && table[i].words[first - 1] && strncmp(typed, table[i].words, first) == 0;
        const char *before = nearest.word;
        if (table[i].help)
            nearest_offer(&nearest, same ? typed + first : typed, table[i].words + (same ? first : 0));
        if (nearest.word != before)
            found = table[i].words;
    }
    return found;
}

static const char *suggest(const struct words *words)
{
    const char *found = words->n > 1 ? suggest_for(words, 2) : NULL;
    return found ? found : suggest_for(words, 1);
}

static void set_unknown(const struct words *words, struct error *error)
{
    char typed[SHOWN_MAX + 1];
    type_again(words, words->n, typed, sizeof typed);
    const char *nearest = suggest(words);
    if (nearest)
        error_set(error, SQLSTATE_SYNTAX_ERROR, "unknown command \"%s\"; did you mean %s?", typed, nearest);
    else
        error_set(error, SQLSTATE_SYNTAX_ERROR, "unknown command \"%s\"; HELP lists all", typed);
}

const struct command *command_find(
    const struct words *words, bool is_admin, size_t *used, struct error *error)
{
    size_t n;
    const struct command *table = command_table(&n), *found = NULL;
    *used = 0;
    for (size_t i = 0; i < n; i++) {
        size_t matched = match(&table[i], words);
        if (matched > *used) {
            found = &table[i];
            *used = matched;
        }
    }
    if (!found) {
        set_unknown(words, error);
        return NULL;
    }
    if (found->permission == PERMISSION_ADMIN && !is_admin) {
        error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE,
            "permission denied: %s is for root, the account that rolecall runs as, and admin_users",
            found->words);
        return NULL;
    }
    if (!found->arguments && words->n > *used) {
        error_set(error, SQLSTATE_SYNTAX_ERROR, "%s takes no argument", found->words);
        return NULL;
    }
    return found;
}

bool command_run(struct command_call *call, struct error *error)
{
    assert((call->asks == SURVEY_NONE) == (call->survey == NULL));
    return call->command->run(call, error);
}

struct slice command_tag(const struct command *command)
{
    return slice_of(command->words, strcspn(command->words, " "));
}
