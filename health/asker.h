/*
 * The sampler's own connection to one node, which asks where its log stands. It is opened when it is first
 * needed and prepared for that one question, so that the question costs the node as little as can be.
 *
 * Owned by the sampler; control thread only. The callbacks come from the loop, never after asker_close.
 */
#ifndef ROLECALL_HEALTH_ASKER_H
#define ROLECALL_HEALTH_ASKER_H

#include "health/endpoint.h"
#include "health/settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct asker;

struct position {
    bool in_recovery;
    uint64_t lsn;         /* replayed by a replica, inserted by a primary */
    uint64_t flush_lsn;   /* of a primary */
    int64_t started_us;   /* of the postmaster that this connection belongs to */
    uint64_t asked_at_us; /* clock_now_us before it was asked */
};

struct asker_owner {
    void *context;
    void (*answered)(void *context, const struct position *position);
    void (*flushed)(void *context, uint64_t took_us); /* what asker_flush asked for is done */
    void (*broke)(void *context);                     /* an open connection broke */
};

/* Never NULL; nothing is opened yet. The pointers must live until asker_close. */
struct asker *asker_new(uv_loop_t *loop, const struct settings *settings, struct endpoint *endpoint,
    const struct asker_owner *owner);

/* True when a question may be asked now. Opens the connection when there is none and it is time to try. */
bool asker_ready(struct asker *asker);

/* Only when ready. `answered` or `broke` follows, or nothing when the node answered with an error. */
void asker_ask(struct asker *asker);

/* Only when ready, and of a primary: an empty transaction, whose commit flushes the log before it. */
void asker_flush(struct asker *asker);

/* The connection goes; asker_ready opens another. */
void asker_rest(struct asker *asker);

/* NULL is allowed. */
void asker_close(struct asker *asker);

#endif
