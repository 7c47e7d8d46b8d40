/*
 * The commands of one script of a client of the admin socket, run one after the other. Main thread.
 *
 *     script_begin -> script_next -> command (-> survey, or the control thread's reply) -> events->answer
 *                         ^------------------------------------------------------------------'
 */
#ifndef ROLECALL_FRONT_ADMIN_SCRIPT_H
#define ROLECALL_FRONT_ADMIN_SCRIPT_H

#include "proxy/front/admin_client.h"

/* For the languages: the command, as far as this client may use it; see command_find. */
const struct command *script_find(
    const struct client *client, const struct words *words, size_t *used, struct error *error);
/* For the languages: runs the commands in a copy of this text, one after the other. */
void script_begin(struct client *client, struct slice text, const struct script_events *events);

/* The client is in the state READING and has a script: begins its next command, or ends it. */
void script_next(struct client *client);
/* The client is in the state RUNNING: looks whether what it waits for has come, or is too late. */
void script_tick(struct client *client);
/* Forgets the command that is being run. */
void script_leave(struct client *client);

/* The control thread has answered an order; nothing happens when this client does not wait for it. */
void script_on_reply(struct client *client, const struct message *reply);
/* The client asks to give up what it is doing; nothing happens when that is over. */
void script_cancel(struct client *client);

#endif
