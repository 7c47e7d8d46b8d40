/*
 * A data-plane thread: one loop, its sessions, servers and pools. Workers share nothing while a query is
 * served; they and the other threads meet through mailboxes.
 */
#ifndef ROLECALL_WORKER_WORKER_H
#define ROLECALL_WORKER_WORKER_H

#include "conf/base/mailbox.h"
#include "proxy/session/sessions.h"

#include <pthread.h>

struct worker {
    uint32_t index;
    pthread_t thread;
    bool started;
    uv_loop_t loop;
    struct reactor reactor;
    struct mailbox mailbox;
    struct sessions sessions;
    uv_timer_t tick;
    struct mailbox *main; /* told with MESSAGE_STOP when the worker has ended */
    uint64_t handed;      /* connections handed to it; the main thread's */
};

/*
 * Main thread. worker_init makes the loop and the mailbox; when all workers have theirs, worker_start starts
 * the thread. `process_clients` is shared by all. False fills the error.
 */
bool worker_init(struct worker *worker, uint32_t index, struct runtime *runtime,
    _Atomic uint32_t *process_clients, struct error *error);
bool worker_start(struct worker *worker, struct mailbox *const *peers, uint32_t n_peers,
    struct mailbox *control, struct mailbox *main, struct error *error);
/* After MESSAGE_STOP was posted twice, or came back: joins the thread and frees what it held. Another worker
   may still post to the mailbox until worker_fini. */
void worker_join(struct worker *worker);
void worker_fini(struct worker *worker);

/* Clients that it serves or is about to; main thread. */
uint64_t worker_load(const struct worker *worker);

#endif
