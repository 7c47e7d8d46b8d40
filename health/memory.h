/*
 * Memory that must be had. The control thread works with small, bounded pieces; when even those cannot be had
 * there is nothing left to decide with, and ending the process (to be started again) beats guessing roles.
 */
#ifndef ROLECALL_HEALTH_MEMORY_H
#define ROLECALL_HEALTH_MEMORY_H

#include <stdlib.h>
#include <string.h>

static inline void *memory_must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* Zeroed; freed with free(). */
static inline void *memory_new(size_t count, size_t size)
{
    return memory_must(calloc(count ? count : 1, size));
}

static inline void *memory_resize(void *memory, size_t count, size_t size)
{
    return memory_must(reallocarray(memory, count ? count : 1, size));
}

/* A copy of a string; NULL stays NULL. */
static inline char *memory_copy(const char *text)
{
    return text ? memory_must(strdup(text)) : NULL;
}

/* Wipes and frees a string that was a secret. */
static inline void memory_wipe(char *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

#endif
