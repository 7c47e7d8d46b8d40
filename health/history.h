/*
 * A timeline's history: from which timelines it came, and where it left each. Two servers that were promoted
 * apart may both call their timeline 2; only where they forked tells them apart. Pure; any thread.
 */
#ifndef ROLECALL_HEALTH_HISTORY_H
#define ROLECALL_HEALTH_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of longer histories the newest forks are kept: older ones no server of today can be on. */
#define HISTORY_MAX_FORKS 32

struct history_fork {
    uint32_t timeline; /* that was left */
    uint64_t lsn;      /* where */
};

struct history {
    bool known;
    uint32_t timeline; /* whose history this is */
    size_t n;
    struct history_fork forks[HISTORY_MAX_FORKS]; /* oldest first */
};

/* The content of a history file, as TIMELINE_HISTORY sends it. False when it is not one; then nothing is
 * known. */
bool history_parse(const char *content, uint32_t timeline, struct history *out);
/* Timeline 1 has no file: it comes from nowhere. */
void history_first(struct history *out);

/* True when both are known and are the same timeline with the same past. */
bool history_same(const struct history *a, const struct history *b);
/* True when both are known, the same timeline by number, and differ. */
bool history_differs(const struct history *a, const struct history *b);
/* Where this history left `timeline`; false when it does not say. */
bool history_left(const struct history *history, uint32_t timeline, uint64_t *lsn);

#endif
