/* How a command may go on, from the table of commands; for shells. Pure. */
#ifndef ROLECALL_FRONT_COMPLETION_H
#define ROLECALL_FRONT_COMPLETION_H

#include <stdio.h>

/* Names that only a running rolecall knows. */
enum completion_kind { COMPLETE_NOTHING, COMPLETE_NODES, COMPLETE_DATABASES, COMPLETE_SESSIONS };

/* Writes the words that may follow n others and begin like `begun`, one on a line, in lower case. */
enum completion_kind completion_offer(FILE *out, int n, char **words, const char *begun);

#endif
