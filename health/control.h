/*
 * The control thread: watches every cluster of the configuration and says who holds which role.
 *
 * Made and stopped by the main thread. It owns its loop, its connections and everything else under health/;
 * the rest of the process meets it only through mailboxes and the shared records of router/topology.h.
 *
 * What it takes (control_mailbox, any thread may post):
 *   MESSAGE_CONFIG             a reload; nodes that stay (same name, host and port) keep their record,
 *                              evidence and orders
 *   MESSAGE_NODE_HINT          probe that node now (hints that any client can cause are rate-limited per
 *                              node)
 *   MESSAGE_NODE_ORDER         the operator's word about a node; the outcome goes to the log, into the next
 *                              topology, and back as MESSAGE_NODE_ORDER_REPLY
 *   MESSAGE_CATALOGUE_REQUEST  read that database's catalogue, or again when `changed`; repeat the request
 *                              now and then while the database is used: one not asked for within an hour is
 *                              let go
 *   MESSAGE_SECRET_REQUEST     run auth_query; the MESSAGE_SECRET_REPLY goes to subscribers[request.worker]
 *   MESSAGE_STOP               end (control_stop posts it)
 *
 * What it gives: MESSAGE_TOPOLOGY (one per cluster at once at the start, with every node "not probed yet",
 * then at every change) and MESSAGE_CATALOGUE to every subscriber, with a reference of its own each;
 * MESSAGE_EVENT to the last of them.
 */
#ifndef ROLECALL_HEALTH_CONTROL_H
#define ROLECALL_HEALTH_CONTROL_H

#include "conf/base/error.h"
#include "conf/base/mailbox.h"
#include "conf/config.h"

#include <stddef.h>

struct control;

/*
 * Starts the thread. Takes a reference of `config`; `subscribers` is copied, the mailboxes must outlive
 * control_stop, and subscribers[i] must be worker i (whoever is no worker comes after them).
 *
 * Clears libpq's environment variables (PGPASSWORD, PGSERVICE ...) from the process: they must not change how
 * nodes are reached. So call it before other threads read the environment. NULL with an error when no thread
 * can be had.
 */
struct control *control_start(
    struct config *config, struct mailbox *const *subscribers, size_t n_subscribers, struct error *error);

struct mailbox *control_mailbox(struct control *control);

/* Posts MESSAGE_STOP, joins the thread and frees. Nobody may post to the mailbox any more. NULL is allowed.
 */
void control_stop(struct control *control);

#endif
