/* Writing manual pages: text with what man(7) would take for its own escaped. Any thread. */
#ifndef ROLECALL_CONF_BASE_ROFF_H
#define ROLECALL_CONF_BASE_ROFF_H

#include <stdio.h>

/* On a line of its own; never taken for a request. */
void roff_text(FILE *out, const char *text);
/* The same inside a line: after a macro, in quotes. */
void roff_argument(FILE *out, const char *text);

#endif
