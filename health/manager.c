/* Which kind of manager a cluster has, and the calls that are passed on to it; see manager.h. */
#include "health/manager.h"

#include "health/manager/monitor.h"
#include "health/manager/patroni.h"

#include <string.h>

struct manager *manager_open(
    uv_loop_t *loop, const struct settings *settings, const struct manager_events *events)
{
    switch (settings->cluster->manager) {
    case MANAGER_KIND_NONE: return NULL;
    case MANAGER_KIND_MONITOR: return monitor_open(loop, settings, events);
    case MANAGER_KIND_PATRONI: return patroni_open(loop, settings, events);
    }
    return NULL;
}

bool manager_members(const struct manager *manager, struct manager_members *out)
{
    out->n = 0;
    return manager && manager->methods->members(manager, out);
}

void manager_word(
    const struct manager *manager, const char *host, uint16_t port, uint64_t now_us, struct manager_word *out)
{
    memset(out, 0, sizeof *out);
    if (manager)
        manager->methods->word(manager, host, port, now_us, out);
}

void manager_ask(struct manager *manager, const char *host, uint16_t port)
{
    if (manager && manager->methods->ask)
        manager->methods->ask(manager, host, port);
}

void manager_seek(struct manager *manager, bool seeking)
{
    if (manager)
        manager->methods->seek(manager, seeking);
}

bool manager_switchover(struct manager *manager, const struct manager_place *from,
    const struct manager_place *to, struct error *error)
{
    if (!manager)
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_STATE, "the cluster has no manager");
    return manager->methods->switchover(manager, from, to, error);
}

void manager_reload(struct manager *manager)
{
    if (manager)
        manager->methods->reload(manager);
}

void manager_close(struct manager *manager)
{
    if (manager)
        manager->methods->close(manager);
}
