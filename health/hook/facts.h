/*
 * What a hook is told: environment variables ROLECALL_*. A plain value of whoever fills it; any thread.
 */
#ifndef ROLECALL_HEALTH_HOOK_FACTS_H
#define ROLECALL_HEALTH_HOOK_FACTS_H

#include <stddef.h>

#define FACTS_MAX 24

struct facts {
    size_t n;
    char *entries[FACTS_MAX + 1]; /* "ROLECALL_NODE=db1", NULL-terminated; owned */
};

/* Adds ROLECALL_<name>. More than FACTS_MAX is a bug. */
void facts_add(struct facts *facts, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void facts_fini(struct facts *facts);

/* This process's environment with the facts instead of any ROLECALL_* that it holds itself: an array to be
   freed with free(); its entries stay where they are. */
char **facts_environment(const struct facts *facts);

#endif
