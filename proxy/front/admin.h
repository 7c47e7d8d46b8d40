/*
 * The admin socket: a Unix socket that speaks PostgreSQL's protocol and plain text, told apart by the first
 * byte (a startup packet begins with a zero); and clients of listeners who have asked for the administrator's
 * database, whom a worker has let in (proxy/session/console.c). Main thread, on its loop.
 *
 *     echo "show nodes" | socat - UNIX:/run/rolecall/admin.sock          aligned columns; an empty line ends
 * an answer echo "show nodes; json" | socat - UNIX:/run/rolecall/admin.sock    or csv psql
 * "host=/run/rolecall port=6433"                                libpq wants it to be named .s.PGSQL.6433
 *     rolecall ctl -c rolecall.conf show nodes
 *
 * Who may connect is up to the socket's file mode. What they may do there: account.h.
 */
#ifndef ROLECALL_FRONT_ADMIN_H
#define ROLECALL_FRONT_ADMIN_H

#include "conf/base/error.h"
#include "proxy/front/admin_survey.h"
#include "proxy/front/admin_view.h"
#include "router/message.h"

#include <uv.h>

struct admin;

struct admin_host {
    uv_loop_t *loop;
    struct mailbox *mailbox; /* main's: what workers answer is posted there and handed to admin_on_message */
    struct config *config;
    struct worker *workers;
    uint32_t n_workers;
    const struct admin_actions *actions;
    void *context; /* of the actions */
};

/* Binds config->admin_socket, if there is one, and serves from the loop's next turn on. NULL fills the error.
 */
struct admin *admin_open(const struct admin_host *host, struct error *error);

/* MESSAGE_TOPOLOGY, MESSAGE_CATALOGUE, MESSAGE_STATUS_REPLY, MESSAGE_CONSOLE, MESSAGE_CANCEL and
   MESSAGE_NODE_ORDER_REPLY; takes what it keeps out of the message. */
void admin_on_message(struct admin *admin, struct message *message);
void admin_set_config(struct admin *admin, struct config *config);

/* Closes every handle and removes the socket's file. */
void admin_close(struct admin *admin);
/* When the loop has ended and the workers' threads, too. NULL is allowed. */
void admin_free(struct admin *admin);

/* What it shows, for other doors. */
struct admin_view *admin_view(struct admin *admin);
/* How it asks the workers, for other doors: what they answer comes by way of admin_on_message. */
struct surveys *admin_surveys(struct admin *admin);

#endif
