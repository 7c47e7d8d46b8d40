/*
 * Protocol messages as words, for tests: what a scripted peer shall say, and what was heard.
 *
 *     backend:  R:0 S:name=value K Z:I T T:column D:text C:SELECT~1 E:42601 F:57P01 N:57P01 1 2 3 n s I t G H
 * d:text c V A:channel e:0A000=function frontend: Q:select~1 P:name=query B:statement Ds:name Dp: E: Cs:name
 * Cp: S H F d:text c f:why X p:password
 *
 * Words are divided by blanks; a blank inside a word is written as ~. E, F and N are an ERROR, a FATAL and a
 * WARNING with that SQLSTATE, e an ERROR from a function of the node's. One thread.
 */
#ifndef ROLECALL_TESTS_TALK_H
#define ROLECALL_TESTS_TALK_H

#include <stdbool.h>
#include <stddef.h>

#define TALK_MAX (256 * 1024)

/* Writes the messages; returns their length. An unknown word aborts. */
size_t talk_backend(const char *words, char *out, size_t cap);
size_t talk_frontend(const char *words, char *out, size_t cap);

/* Appends the words for the whole messages in `bytes` to the NUL-terminated `words`; returns the bytes used
 * up. */
size_t talk_hear_backend(const char *bytes, size_t len, char *words, size_t cap);
size_t talk_hear_frontend(const char *bytes, size_t len, char *words, size_t cap);

/* StartupMessage of protocol 3.0 for "name=value name=value ...". */
size_t talk_startup(const char *params, char *out, size_t cap);

#endif
