/*
 * Which prepared statements a server connection holds: ids of the pool's registry, least recently used first
 * out; and what columns each has there, as far as the server has said.
 *
 * A statement with id N is called statement_name(N) on the server. One owner, one thread.
 */
#ifndef ROLECALL_SERVER_STATEMENTS_H
#define ROLECALL_SERVER_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATEMENT_NAME_MAX 24

struct statement_entry;

#define STATEMENTS_UNNAMED_UNKNOWN UINT64_MAX /* perhaps one that no session has parsed last */

struct statements {
    struct statement_entry *by_id; /* hash */
    struct statement_entry *oldest, *newest;
    uint32_t count;
    uint32_t batch;   /* the current one; see statements_begin */
    bool unsure;      /* the server may hold others too: a name is closed before it is given */
    uint64_t unnamed; /* stamp of the unnamed statement that the server holds; 0 = none */
};

void statements_init(struct statements *statements);
void statements_fini(struct statements *statements);
/* A batch begins: what it uses is not to make room for what it needs. */
void statements_begin(struct statements *statements);
bool statements_has(const struct statements *statements, uint64_t id);
/* True when the server holds it; it becomes the most recently used. */
bool statements_use(struct statements *statements, uint64_t id);
bool statements_add(struct statements *statements, uint64_t id);
void statements_remove(struct statements *statements, uint64_t id);
/* A hash of the columns that it had when it was parsed here: PostgreSQL lets them be no others. 0: not known.
 */
uint64_t statements_columns(const struct statements *statements, uint64_t id);
void statements_describe(struct statements *statements, uint64_t id, uint64_t columns);
/* What has to go so that one more makes no more than `max`: the least recently used; 0: nothing. What the
   current batch uses stays up to twice as many. */
uint64_t statements_excess(const struct statements *statements, uint32_t max);
/* Forgets all; which unnamed one is there is not known then. */
void statements_clear(struct statements *statements);
/* ... and it may hold others yet: none that is there is used again. */
void statements_distrust(struct statements *statements);

/* Writes the name that statement `id` has on servers; returns its length. */
size_t statement_name(uint64_t id, char out[STATEMENT_NAME_MAX]);

#endif
