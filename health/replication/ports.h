/*
 * Free TCP ports of 127.0.0.1, held for whoever will listen there.
 *
 * A held port is bound but not listened on, so that a second demo finds it taken, while a program of ours
 * that sets SO_REUSEADDR (PostgreSQL and rolecall do) can still listen on it, and again after it was
 * restarted.
 */
#ifndef ROLECALL_HEALTH_REPLICATION_PORTS_H
#define ROLECALL_HEALTH_REPLICATION_PORTS_H

#include "conf/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTS_MAX 32

struct ports {
    uint16_t port[PORTS_MAX];
    int fd[PORTS_MAX]; /* close-on-exec */
    size_t n;
};

/* Holds n ports: base, base + 1 ... or, when base is 0, any n ports in a row below the kernel's ephemeral
 * range. */
bool ports_open(struct ports *ports, uint16_t base, size_t n, struct error *error);
void ports_close(struct ports *ports);

#endif
