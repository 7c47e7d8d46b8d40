/* Pauses and renewals of pools; see pause.h. What a paused pool may not do is in server_is_current, where
 * every connection passes on its way to anybody, and in pool_node_serve and upkeep.c, where they are opened.
 */
#include "proxy/pool/pause.h"

#include "proxy/pool/node.h"

#include <stdio.h>
#include <string.h>

static int find(const struct pauses *pauses, const char *database)
{
    for (uint32_t i = 0; i < pauses->n; i++)
        if (strcmp(pauses->databases[i], database) == 0)
            return (int)i;
    return -1;
}

bool pauses_add(struct pauses *pauses, const char *database)
{
    if (!database[0]) {
        pauses->all = true;
        return true;
    }
    if (find(pauses, database) >= 0)
        return true;
    if (pauses->n == PAUSES_MAX)
        return false;
    snprintf(pauses->databases[pauses->n++], sizeof pauses->databases[0], "%s", database);
    return true;
}

bool pauses_remove(struct pauses *pauses, const char *database)
{
    if (!database[0]) {
        bool some = pauses->all || pauses->n > 0;
        pauses->all = false;
        pauses->n = 0;
        return some;
    }
    int i = find(pauses, database);
    if (i < 0)
        return false;
    memmove(pauses->databases[i], pauses->databases[i + 1],
        (size_t)(--pauses->n - (uint32_t)i) * sizeof pauses->databases[0]);
    return true;
}

bool pauses_cover(const struct pauses *pauses, const char *database)
{
    return pauses->all || find(pauses, database) >= 0;
}

bool pool_is_paused(const struct pool *pool)
{
    return pool->paused;
}

static void serve(struct pool *pool)
{
    for (struct pool_node *at = pool->nodes; at; at = at->next)
        pool_node_serve(at);
}

void pools_apply_pauses(struct pools *pools)
{
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        bool was = pool->paused;
        pool->paused = pauses_cover(&pools->pauses, pool->database);
        if (was && !pool->paused)
            serve(pool);
    }
}

static bool is_meant(const struct pool *pool, const char *database)
{
    return !database[0] || strcmp(pool->database, database) == 0;
}

static void renew(struct pool_node *at)
{
    for (struct server *server = at->places[PLACE_OPENING].first; server; server = server->next)
        server->spent = true;
    for (struct server *server = at->places[PLACE_BUSY].first; server; server = server->next)
        server->spent = true;
    while (at->places[PLACE_IDLE].first)
        pool_drop_server(at->places[PLACE_IDLE].first, STREAM_END_OTHER, NULL, "the administrator renews it");
}

uint32_t pools_renew(struct pools *pools, const char *database)
{
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        for (struct pool_node *at = pool->nodes; at && is_meant(pool, database); at = at->next)
            renew(at);
    }
    return pools_count(pools, database);
}

uint32_t pools_count(const struct pools *pools, const char *database)
{
    uint32_t n = 0;
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        for (struct pool_node *at = pool->nodes; at && is_meant(pool, database); at = at->next)
            for (int place = 0; place < PLACES; place++)
                n += at->places[place].count;
    }
    return n;
}

bool pools_know(const struct pools *pools, const char *database)
{
    struct pool *pool, *next;
    HASH_ITER(hh, pools->by_key, pool, next)
    {
        if (is_meant(pool, database))
            return true;
    }
    return false;
}
