/*
 * A command as an operator writes it, as words for execve: blanks divide, '...' and "..." keep them, a
 * backslash takes the next character as it is (not inside '...'). No shell: nothing else means anything. Pure
 * but for memory.
 */
#ifndef ROLECALL_CONF_COMMAND_LINE_H
#define ROLECALL_CONF_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_LINE_WORDS_MAX 64

/* *argv is NULL-terminated and the caller's (value_list_free); NULL for a text of blanks. On failure says why
   in `why`, a constant. The first word must be an absolute path. */
bool command_line_split(const char *text, char ***argv, const char **why);

/* Back to a text that splits into the same words; from malloc, NULL when memory is out. */
char *command_line_join(char *const *argv);

#endif
