/*
 * Real PostgreSQL servers for a test: a primary and replicas in a temporary folder, on loopback and a Unix
 * socket. Where PostgreSQL's programs are not installed, postgres_available says so and the test is skipped.
 */
#ifndef ROLECALL_TESTS_HEALTH_POSTGRES_H
#define ROLECALL_TESTS_HEALTH_POSTGRES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define POSTGRES_MAX 4

struct postgres {
    char folder[64]; /* of everything: data, socket, logs */
    int n;
    struct {
        pid_t pid; /* of the postmaster; 0 = not running */
        uint16_t port;
    } servers[POSTGRES_MAX];
};

bool postgres_available(void);
/* The first is the primary, the others stream from it. Fails the test when anything does not work. */
void postgres_start(struct postgres *postgres, int n);
/* Stops all and removes the folder. */
void postgres_end(struct postgres *postgres);

void postgres_run(struct postgres *postgres, int server);  /* starts its postmaster, waits until it answers */
void postgres_kill(struct postgres *postgres, int server); /* SIGKILL to the postmaster; waits for it */
void postgres_stop(struct postgres *postgres, int server); /* fast shutdown */
void postgres_freeze(
    struct postgres *postgres, int server, bool frozen); /* the postmaster and its backends */
/* Runs SQL as the superuser; returns the first value ("" when there is none), valid until the next call. */
const char *postgres_sql(struct postgres *postgres, int server, const char *database, const char *sql);
/* Appends a line to postgresql.conf (or another file of the data folder). */
void postgres_append(struct postgres *postgres, int server, const char *file, const char *line);

#endif
