/*
 * What the administrator does to whole pools of a worker: pausing databases, and closing connections as soon
 * as they are free. Databases are meant as the nodes call them; "" = all. A paused pool gives no connection
 * and keeps none: idle ones are closed, used ones when they come back. One thread.
 */
#ifndef ROLECALL_POOL_PAUSE_H
#define ROLECALL_POOL_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#define PAUSES_MAX 64

struct pools;
struct pool;

/* The databases that are paused; a copy is kept where they are shown. */
struct pauses {
    bool all;
    uint32_t n;
    char databases[PAUSES_MAX][64];
};

/* False when there are too many. Doing it twice does nothing more. */
bool pauses_add(struct pauses *pauses, const char *database);
/* "" ends all pauses. False when that was not paused (or only by a pause of all). */
bool pauses_remove(struct pauses *pauses, const char *database);
bool pauses_cover(const struct pauses *pauses, const char *database);

/* The set has changed: marks the pools, and serves the claims of those that are paused no more. */
void pools_apply_pauses(struct pools *pools);
bool pool_is_paused(const struct pool *pool);

/* Closes the idle connections and has the others closed when they come back. Returns how many are still
   there. */
uint32_t pools_renew(struct pools *pools, const char *database);
/* Whether there is a pool of this database. */
bool pools_know(const struct pools *pools, const char *database);
/* Connections that are open or being opened. */
uint32_t pools_count(const struct pools *pools, const char *database);

#endif
