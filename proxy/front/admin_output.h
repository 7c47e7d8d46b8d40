/* Bytes on their way to a client of the admin socket: grows as needed, given away as a whole. One owner, any
 * thread. */
#ifndef ROLECALL_FRONT_ADMIN_OUTPUT_H
#define ROLECALL_FRONT_ADMIN_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
    char *data;
    size_t len, cap;
    bool failed; /* memory was out: nothing is added any more */
};

/* Room for n more bytes, NULL when memory is out; output_commit says how many were written there. */
char *output_reserve(struct output *output, size_t n);
void output_commit(struct output *output, size_t n);
void output_bytes(struct output *output, const void *bytes, size_t len);
void output_text(struct output *output, const char *text);
void output_fill(struct output *output, char byte, size_t n);
void output_fini(struct output *output);

#endif
