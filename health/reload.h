/* What a new configuration changes for a cluster that is being watched. Pure; any thread. */
#ifndef ROLECALL_HEALTH_RELOAD_H
#define ROLECALL_HEALTH_RELOAD_H

#include "health/settings.h"

#include <stddef.h>

enum reload_change {
    RELOAD_MANAGER = 1 << 0,   /* another kind of manager */
    RELOAD_PROBES = 1 << 1,    /* how nodes are logged in to */
    RELOAD_SECRETS = 1 << 2,   /* auth_query, or who runs it */
    RELOAD_CATALOGUES = 1 << 3 /* read_functions, write_functions */
};

/* enum reload_change bits. Plain numbers (intervals, limits) are read anew at each use and are none of these;
 * for the nodes see roster.h. */
unsigned reload_changes(const struct settings *now, const struct config *config, size_t index);

#endif
