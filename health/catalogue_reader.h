/*
 * Keeps the catalogues of the databases that are used: reads them from the primary when asked, and again when
 * DDL was seen. DDL that nobody tells of is looked for, on a connection per database, about every second
 * while sessions ask, and every 30 s for an hour afterwards. One per cluster, owned by its watch; control
 * thread only.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_READER_H
#define ROLECALL_HEALTH_CATALOGUE_READER_H

#include "health/publish.h"
#include "health/secrets.h"
#include "health/settings.h"

#include <stdbool.h>
#include <uv.h>

struct catalogue_reader;

struct catalogue_reader *catalogue_reader_open(uv_loop_t *loop, const struct settings *settings,
    const struct subscribers *subscribers, const struct secrets_nodes *nodes);
/* changed: what is known is stale; nothing is published before it was read anew. */
void catalogue_reader_request(struct catalogue_reader *reader, const char *database, bool changed);
/* A verdict changed: what waits for a primary may go on. */
void catalogue_reader_nodes_changed(struct catalogue_reader *reader);
/* Who asks, how, or a list of functions has changed: everything is read anew. */
void catalogue_reader_settings_changed(struct catalogue_reader *reader);
/* Before a node goes away: nothing of its endpoint is used afterwards. */
void catalogue_reader_forget_endpoint(struct catalogue_reader *reader, const struct endpoint *endpoint);
void catalogue_reader_close(struct catalogue_reader *reader); /* NULL is allowed */

#endif
