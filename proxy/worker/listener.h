/*
 * A listening socket on the main thread's loop: accepts, and hands each connection to the worker with the
 * fewest clients.
 */
#ifndef ROLECALL_WORKER_LISTENER_H
#define ROLECALL_WORKER_LISTENER_H

#include "conf/address.h"
#include "proxy/worker/worker.h"

struct listener;

/* Binds and listens; the configuration's listener `index`. Workers must outlive it. NULL fills the error. */
struct listener *listener_open(uv_loop_t *loop, struct config *config, size_t index, struct worker *workers,
    uint32_t n_workers, struct error *error);
/* Begins to accept; until then clients wait in the backlog. */
void listener_start(struct listener *listener);
/* After a reload: connections accepted from now on belong to this configuration. The listener must be in it.
 */
void listener_set_config(struct listener *listener, struct config *config);
const char *listener_name(const struct listener *listener);
/* Stops accepting; frees itself when the loop has let go of it. A Unix socket's file is removed. */
void listener_close(struct listener *listener);

/* A listening, non-blocking Unix socket with these permissions; a file left by a process that is gone is
   removed. -1 fills the error. */
int listener_bind_unix(const char *path, uint32_t mode, uint32_t backlog, struct error *error);
/* The same with a TCP address, which `text` names in errors. Blocking when it has a host name. */
int listener_bind_tcp(const char *text, const struct address *address, uint32_t backlog, struct error *error);

#endif
