/*
 * Commands as text: dividing a script at its semicolons and a command into words. Pure; any thread.
 *
 * Words are divided by blanks. A value in quotes is one word: 'it''s', E'a\nb', $$...$$, $tag$...$tag$, and
 * "Name". SQL comments are skipped.
 */
#ifndef ROLECALL_FRONT_COMMAND_WORDS_H
#define ROLECALL_FRONT_COMMAND_WORDS_H

#include "conf/base/error.h"
#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define WORDS_MAX 32

struct word {
    char *text; /* unquoted, NUL-terminated */
    size_t len;
    bool quoted;
};

struct words {
    struct word list[WORDS_MAX];
    size_t n;
    char *buffer; /* owned */
};

/*
 * Takes the next command off a script; false at its end. Commands of nothing but blanks and comments are
 * passed over. A quote that is not closed takes all that is left.
 */
bool words_next_command(struct slice *script, struct slice *command);

/* False fills the error: a quote or a comment that is not closed, too many words, no memory. */
bool words_parse(struct slice command, struct words *out, struct error *error);
void words_fini(struct words *words);

/* True when word i is there, was not quoted as a value, and is this one (in any case). */
bool words_are(const struct words *words, size_t i, const char *text);

#endif
