/*
 * What the demo writes: its configuration, the services for psql, the list of nodes, the environment of its
 * command and the text for its user. Single-threaded.
 */
#ifndef ROLECALL_HEALTH_REPLICATION_DEMO_FILES_H
#define ROLECALL_HEALTH_REPLICATION_DEMO_FILES_H

#include "conf/base/error.h"
#include "health/replication/local.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Index into the endpoints' ports. */
enum demo_endpoint { DEMO_SPLIT, DEMO_PRIMARY, DEMO_REPLICA, DEMO_ENDPOINTS };

#define DEMO_VARIABLES 14

struct demo_environment {
    char text[DEMO_VARIABLES][PATH_MAX];
    char *entries[DEMO_VARIABLES + 1]; /* into text; NULL-terminated */
};

/* Writes rolecall.conf, pg_service.conf and nodes into the cluster's directory. */
bool demo_files_write(const struct local_cluster *cluster, const uint16_t *ports, struct error *error);

/* `marker` is the watchdog's. */
void demo_environment_fill(struct demo_environment *environment, const struct local_cluster *cluster,
    const uint16_t *ports, const char *marker);

/* How to connect and what to try. */
void demo_greet(FILE *out, const struct local_cluster *cluster, const uint16_t *ports);

/* The last lines of every log, when something has failed. */
void demo_show_logs(FILE *out, const struct local_cluster *cluster);

#endif
