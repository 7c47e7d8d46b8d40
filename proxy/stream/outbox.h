/*
 * The bytes on their way to one peer: a chain of the reactor's pages. One owner (a stream), one thread.
 */
#ifndef ROLECALL_STREAM_OUTBOX_H
#define ROLECALL_STREAM_OUTBOX_H

#include "proxy/stream/reactor.h"

#include <stddef.h>
#include <sys/uio.h>

#define OUTBOX_IOV 32

struct outbox {
    struct page *head, *tail;
    size_t len; /* bytes in all pages */
};

void outbox_append(struct outbox *outbox, struct reactor *reactor, const void *data, size_t len);
/* The first bytes have been sent (or are given up): their pages go back. */
void outbox_drop(struct outbox *outbox, struct reactor *reactor, size_t sent);
/* The first pages, for one sendmsg; returns how many. */
size_t outbox_iov(const struct outbox *outbox, struct iovec iov[OUTBOX_IOV]);

#endif
