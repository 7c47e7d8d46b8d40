/* Growing runs of bytes; see buffer.h. */
#include "proxy/session/buffer.h"

#include <stdlib.h>
#include <string.h>

static bool grow(struct buffer *buffer, struct buffer_spares *spares, size_t need)
{
    if (!buffer->data && need <= BUFFER_FIRST && spares->count > 0) {
        buffer->data = spares->spare[--spares->count];
        buffer->cap = BUFFER_FIRST;
        return true;
    }
    size_t cap = buffer->cap ? buffer->cap : BUFFER_FIRST;
    while (cap < need)
        cap *= 2;
    char *data = realloc(buffer->data, cap);
    if (!data)
        return false;
    buffer->data = data;
    buffer->cap = cap;
    return true;
}

bool buffer_append(struct buffer *buffer, struct buffer_spares *spares, const void *data, size_t len)
{
    if (buffer->len + len > buffer->cap && !grow(buffer, spares, buffer->len + len))
        return false;
    if (len)
        memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    return true;
}

void buffer_release(struct buffer *buffer, struct buffer_spares *spares)
{
    if (buffer->data && buffer->cap == BUFFER_FIRST && spares->count < BUFFER_SPARES)
        spares->spare[spares->count++] = buffer->data;
    else
        free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_spares_fini(struct buffer_spares *spares)
{
    while (spares->count > 0)
        free(spares->spare[--spares->count]);
}
