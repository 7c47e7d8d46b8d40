/*
 * primary_conninfo, changed to point at another server. Pure; any thread. The text holds a password: whoever
 * has it wipes it.
 */
#ifndef ROLECALL_HEALTH_FAILOVER_CONNINFO_H
#define ROLECALL_HEALTH_FAILOVER_CONNINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONNINFO_MAX 2048

/*
 * Copies a "key=value key='quoted value'" text without its host, hostaddr and port, and with these instead.
 * A name (not NULL) replaces its application_name as well. False when it is no such text (a postgresql:// URI
 * is none) or there is no room; then out is empty.
 */
bool conninfo_repoint(
    const char *text, const char *host, uint16_t port, const char *application_name, char out[CONNINFO_MAX]);

/* Does it name this server, by host (or hostaddr) and port? */
bool conninfo_names(const char *text, const char *host, uint16_t port);

/* As a literal of SQL; false when there is no room. */
bool conninfo_literal(const char *text, char out[2 * CONNINFO_MAX + 3]);

#endif
