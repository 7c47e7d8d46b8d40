/*
 * synchronous_standby_names, taken apart (PostgreSQL's documentation, 20.6.1). Pure; any thread.
 */
#ifndef ROLECALL_HEALTH_FAILOVER_SYNC_NAMES_H
#define ROLECALL_HEALTH_FAILOVER_SYNC_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYNC_NAMES_LIST_MAX 32
#define SYNC_NAME_MAX 64

struct sync_names {
    uint32_t acknowledge; /* so many of the listed must have a commit before it is told; 0 = none must */
    bool any;             /* "*": whoever it is */
    size_t n;
    char names[SYNC_NAMES_LIST_MAX][SYNC_NAME_MAX];
};

/* False when it cannot be read, or names more or longer ones than there is room for. */
bool sync_names_parse(const char *text, struct sync_names *out);

/* Is a standby of this name listed? Case does not matter, as in PostgreSQL. */
bool sync_names_list(const struct sync_names *names, const char *standby);

#endif
