/*
 * Makes the replicas follow a new primary: its physical slot for each, primary_conninfo, a reload. One
 * after another; what fails is logged, and the next one is done. Belongs to whoever started it; control
 * thread only.
 */
#ifndef ROLECALL_HEALTH_FAILOVER_REPOINT_H
#define ROLECALL_HEALTH_FAILOVER_REPOINT_H

#include "health/endpoint.h"
#include "health/roster.h"
#include "health/settings.h"

#include <stdint.h>
#include <uv.h>

struct repoint_spec {
    const struct settings *settings;
    const struct roster *roster;
    size_t primary;
    uint64_t nodes;   /* bits of those that are to follow */
    uint64_t leaders; /* bits: a replica that is set to follow one of these is let be */
    void *context;
    struct endpoint *(*endpoint)(void *context, size_t node);
    void (*ended)(void *context, uint64_t failed); /* bits; from the loop, never after repoint_close */
};

struct repoint;

struct repoint *repoint_start(uv_loop_t *loop, const struct repoint_spec *spec);
/* NULL is allowed. */
void repoint_close(struct repoint *repoint);

#endif
