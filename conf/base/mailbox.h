/*
 * Letters between threads: a lock-protected queue and a uv_async that wakes the receiver's loop.
 *
 * Any thread may post; only the thread that runs the loop receives. libuv merges wake-ups, so each wake-up
 * drains the queue fully, in the order of posting. A letter is embedded as the FIRST member of the sender's
 * struct; the receiver owns it from then on. After mailbox_close letters still posted are handed to `drop`.
 */
#ifndef ROLECALL_BASE_MAILBOX_H
#define ROLECALL_BASE_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

struct letter {
    struct letter *next;
};

struct mailbox {
    pthread_mutex_t lock;
    struct letter *head, **tail;
    bool closed;
    uv_async_t async;
    void (*receive)(void *owner, struct letter *letter);
    void (*drop)(struct letter *letter);
    void *owner;
};

/* Receiver's thread, or before it starts. Returns false when the loop gives no async handle. */
bool mailbox_open(struct mailbox *mailbox, uv_loop_t *loop, void *owner,
    void (*receive)(void *owner, struct letter *letter), void (*drop)(struct letter *letter));

/* Any thread. The letter belongs to the receiver afterwards, whatever happens. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

/* Receiver's thread: stops receiving and drops what is queued. The struct must live as long as any sender
 * does. */
void mailbox_close(struct mailbox *mailbox);

/* After the loop has ended and no sender is left. */
void mailbox_fini(struct mailbox *mailbox);

#endif
