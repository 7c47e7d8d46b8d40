/*
 * Sessions whose request waits for a node: in order, bounded in number and bytes, and tried again at a
 * measured pace, so that a new primary is not run over by all who waited. One thread.
 */
#ifndef ROLECALL_SESSION_HELD_H
#define ROLECALL_SESSION_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HELD_PER_TURN 64 /* sessions that are tried in one go; then the loop may serve others */

struct session;
struct sessions;

struct held {
    struct session *first, *last;
    struct session *at;     /* the next to be tried; NULL: nobody is being tried */
    struct session *trying; /* it keeps its place when it has to wait on */
    bool again;             /* something has changed: once more from the first */
    uint32_t n;
    size_t bytes; /* of their requests */
    uv_timer_t timer;
};

void held_open(struct sessions *sessions);
void held_close(struct sessions *sessions);

/* False when so many wait already, or with so many bytes. */
bool held_has_room(const struct session *session, uint32_t limit, uint64_t limit_bytes);
/* Before its state changes. */
void held_add(struct session *session);
/* Idempotent. */
void held_remove(struct session *session);

/* What it asks for cannot be had in time, or not at all: counts it for those who watch the cluster. */
void held_failed(const struct session *session);

/* Something has changed: each is routed again, the oldest first. */
void held_try(struct sessions *sessions);

#endif
