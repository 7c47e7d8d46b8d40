/* A growing run of bytes, for a request being collected or answers being withheld. Spares are kept per
 * worker, so that steady traffic allocates nothing. One thread. */
#ifndef ROLECALL_SESSION_BUFFER_H
#define ROLECALL_SESSION_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data;
    size_t len, cap;
};

#define BUFFER_SPARES 64
#define BUFFER_FIRST 2048

struct buffer_spares {
    char *spare[BUFFER_SPARES]; /* each of BUFFER_FIRST bytes */
    size_t count;
};

bool buffer_append(struct buffer *buffer, struct buffer_spares *spares, const void *data, size_t len);
/* Empties it and gives its memory back. */
void buffer_release(struct buffer *buffer, struct buffer_spares *spares);
void buffer_spares_fini(struct buffer_spares *spares);

#endif
