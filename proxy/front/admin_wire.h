/*
 * The PostgreSQL side of a client of the admin socket: what admin_wire.c (startup, simple queries, messages)
 * and admin_extended.c (prepared statements and portals) share. For these two only.
 */
#ifndef ROLECALL_FRONT_ADMIN_WIRE_H
#define ROLECALL_FRONT_ADMIN_WIRE_H

#include "proxy/front/admin_client.h"
#include "proxy/wire/backend.h"
#include "proxy/wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct statement;
struct portal;

struct wire {
    bool logged_in;
    bool skip_to_sync; /* an error was given inside a batch */
    uint32_t answers;  /* of the current simple query, errors included */
    struct statement *statements;
    struct portal *portals;
    struct portal *executing;
    uint32_t max_rows; /* of the Execute; 0 = all */
    size_t kept_bytes; /* of statements and portals */
    uint32_t n_portals;
};

static inline struct wire *wire_of(struct client *client)
{
    return client->talk;
}

/* Messages into the client's output. */
void wire_error(struct client *client, enum severity severity, const struct error *error);
void wire_notice(struct client *client, const char *text);
void wire_empty(struct client *client, char type);
/* Bit i of `binary`: column i in PostgreSQL's binary format. NoData when there is no table. */
void wire_columns(struct client *client, const struct result_shape *shape, uint64_t binary);
void wire_rows(struct client *client, const struct result *result, size_t first, size_t n, uint64_t binary);
void wire_complete(struct client *client, struct slice tag);
void wire_fatal(struct client *client, const char *sqlstate, const char *text); /* then the connection ends */

/* Parse, Bind, Describe, Execute, Close; an error skips to Sync. */
void extended_message(struct client *client, const struct frame *frame);
void extended_sync(struct client *client); /* portals end with the batch */
void extended_fini(struct client *client);

#endif
