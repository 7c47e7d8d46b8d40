/* A growing buffer; see admin_output.h. Doubles; memory that is out is remembered and ends the client, not
 * the process. */
#include "proxy/front/admin_output.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

char *output_reserve(struct output *output, size_t n)
{
    if (output->failed)
        return NULL;
    if (n > output->cap - output->len) {
        size_t cap = output->cap ? output->cap : 1024;
        while (cap - output->len < n)
            cap *= 2;
        char *data = realloc(output->data, cap);
        if (!data) {
            output->failed = true;
            return NULL;
        }
        output->data = data;
        output->cap = cap;
    }
    return output->data + output->len;
}

void output_commit(struct output *output, size_t n)
{
    assert(n <= output->cap - output->len);
    output->len += n;
}

void output_bytes(struct output *output, const void *bytes, size_t len)
{
    char *room = len ? output_reserve(output, len) : NULL;
    if (!room)
        return;
    memcpy(room, bytes, len);
    output_commit(output, len);
}

void output_text(struct output *output, const char *text)
{
    output_bytes(output, text, strlen(text));
}

void output_fill(struct output *output, char byte, size_t n)
{
    char *room = n ? output_reserve(output, n) : NULL;
    if (!room)
        return;
    memset(room, byte, n);
    output_commit(output, n);
}

void output_fini(struct output *output)
{
    free(output->data);
    *output = (struct output){0};
}
