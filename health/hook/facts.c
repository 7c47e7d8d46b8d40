/* The facts of a hook; see facts.h. */
#include "health/hook/facts.h"

#include "health/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define PREFIX "ROLECALL_"

void facts_add(struct facts *facts, const char *name, const char *format, ...)
{
    char value[1024], *entry;
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    assert(facts->n < FACTS_MAX);
    if (asprintf(&entry, PREFIX "%s=%s", name, value) < 0)
        abort();
    facts->entries[facts->n++] = entry;
}

void facts_fini(struct facts *facts)
{
    for (size_t i = 0; i < facts->n; i++)
        free(facts->entries[i]);
    *facts = (struct facts){0};
}

char **facts_environment(const struct facts *facts)
{
    size_t n = 0, at = 0;
    while (environ[n])
        n++;
    char **out = memory_new(n + facts->n + 1, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(environ[i], PREFIX, strlen(PREFIX)) != 0)
            out[at++] = environ[i];
    }
    for (size_t i = 0; i < facts->n; i++)
        out[at++] = facts->entries[i];
    return out;
}
