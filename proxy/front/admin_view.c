/* What may be shown; see admin_view.h. */
#include "proxy/front/admin_view.h"

#include "conf/base/clock.h"

#include <stdlib.h>
#include <string.h>

bool admin_view_init(
    struct admin_view *view, struct config *config, const struct worker *workers, uint32_t n_workers)
{
    *view = (struct admin_view){.workers = workers, .n_workers = n_workers, .started_us = clock_now_us()};
    view->topologies = calloc(config->n_clusters + 1, sizeof *view->topologies);
    if (!view->topologies)
        return false;
    view->config = config_ref(config);
    return true;
}

void admin_view_fini(struct admin_view *view)
{
    for (size_t i = 0; view->config && i < view->config->n_clusters; i++)
        topology_unref(view->topologies[i]);
    for (size_t i = 0; i < view->n_catalogues; i++)
        catalogue_unref(view->catalogues[i]);
    free(view->topologies);
    free(view->catalogues);
    config_unref(view->config);
    *view = (struct admin_view){0};
}

static int find_cluster(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_clusters; i++)
        if (strcmp(config->clusters[i].name, name) == 0)
            return (int)i;
    return -1;
}

int admin_view_cluster(const struct admin_view *view, const char *name)
{
    return find_cluster(view->config, name);
}

static void forget_catalogues(struct admin_view *view)
{
    size_t kept = 0;
    for (size_t i = 0; i < view->n_catalogues; i++) {
        if (find_cluster(view->config, catalogue_cluster(view->catalogues[i])) >= 0)
            view->catalogues[kept++] = view->catalogues[i];
        else
            catalogue_unref(view->catalogues[i]);
    }
    view->n_catalogues = kept;
}

bool admin_view_set_config(struct admin_view *view, struct config *config)
{
    struct topology **topologies = calloc(config->n_clusters + 1, sizeof *topologies);
    if (!topologies)
        return false;
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        int cluster = find_cluster(config, view->config->clusters[i].name);
        if (cluster >= 0)
            topologies[cluster] = view->topologies[i];
        else
            topology_unref(view->topologies[i]);
    }
    free(view->topologies);
    view->topologies = topologies;
    config_ref(config);
    config_unref(view->config);
    view->config = config;
    forget_catalogues(view);
    return true;
}

void admin_view_set_topology(struct admin_view *view, struct topology *topology)
{
    int cluster = find_cluster(view->config, topology->cluster);
    if (cluster < 0) {
        topology_unref(topology);
        return;
    }
    topology_unref(view->topologies[cluster]);
    view->topologies[cluster] = topology;
}

static struct catalogue **place_of(const struct admin_view *view, const char *cluster, const char *database)
{
    for (size_t i = 0; i < view->n_catalogues; i++)
        if (strcmp(catalogue_cluster(view->catalogues[i]), cluster) == 0 &&
            strcmp(catalogue_database(view->catalogues[i]), database) == 0)
            return &view->catalogues[i];
    return NULL;
}

void admin_view_set_catalogue(struct admin_view *view, struct catalogue *catalogue)
{
    struct catalogue **place = place_of(view, catalogue_cluster(catalogue), catalogue_database(catalogue));
    if (place) {
        catalogue_unref(*place);
        *place = catalogue;
        return;
    }
    struct catalogue **room = realloc(view->catalogues, (view->n_catalogues + 1) * sizeof *room);
    if (!room) {
        catalogue_unref(catalogue);
        return;
    }
    view->catalogues = room;
    room[view->n_catalogues++] = catalogue;
}

const struct catalogue *admin_view_catalogue(
    const struct admin_view *view, const char *cluster, const char *database)
{
    struct catalogue **place = place_of(view, cluster, database);
    return place ? *place : NULL;
}
