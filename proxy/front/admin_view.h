/*
 * What the main thread knows and may show: the configuration, the newest topology of each cluster, the
 * catalogues, the workers' counters; and what it may be asked to do. Main thread.
 */
#ifndef ROLECALL_FRONT_ADMIN_VIEW_H
#define ROLECALL_FRONT_ADMIN_VIEW_H

#include "conf/config.h"
#include "proxy/worker/worker.h"
#include "router/catalogue.h"
#include "router/message.h"
#include "router/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum admin_stop {
    STOP_DRAIN, /* lets transactions end for shutdown_timeout */
    STOP_WAIT,  /* ... for as long as they take */
    STOP_NOW
};

/* What the program does when a command asks for it. */
struct admin_actions {
    bool (*reload)(void *context, struct error *error); /* false fills the error: nothing has changed */
    void (*stop)(void *context, enum admin_stop how);   /* at once when it is draining already */
    void (*ask_catalogue)(void *context, const char *cluster, const char *database);
    /* To the control thread; takes the message, whose reply comes to admin_on_message. */
    void (*order_node)(void *context, struct message *order);
};

struct latency;
struct events;
struct history;
struct hook_log;

struct admin_view {
    struct config *config;        /* one reference */
    struct topology **topologies; /* as config->clusters; NULL until known */
    struct catalogue **catalogues;
    size_t n_catalogues;
    const struct worker *workers; /* only what any thread may read of them: counters */
    uint32_t n_workers;
    uint64_t started_us;
    bool stopping;
    uint64_t tickets;              /* given to orders so far */
    struct pauses pauses;          /* as the workers were told */
    const struct latency *latency; /* borrowed; NULL: nothing is known */
    struct events *events;         /* borrowed; NULL: none are kept */
    const struct hook_log *hooks;  /* borrowed; NULL: none is kept */
    const struct history *history; /* borrowed; NULL: none is kept */
    const struct admin_actions *actions;
    void *context;
};

/* Takes a reference to config. `workers` must outlive it. False: out of memory. */
bool admin_view_init(
    struct admin_view *view, struct config *config, const struct worker *workers, uint32_t n_workers);
void admin_view_fini(struct admin_view *view);

/* A reload; forgets the clusters that are gone. False: out of memory, nothing has changed. */
bool admin_view_set_config(struct admin_view *view, struct config *config);

/* Both take over the reference. */
void admin_view_set_topology(struct admin_view *view, struct topology *topology);
void admin_view_set_catalogue(struct admin_view *view, struct catalogue *catalogue);

/* Index into config->clusters, -1 when there is none of that name. */
int admin_view_cluster(const struct admin_view *view, const char *name);
const struct catalogue *admin_view_catalogue(
    const struct admin_view *view, const char *cluster, const char *database);

#endif
