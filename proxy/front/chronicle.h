/*
 * Where events come together (router/event.h): those of the control thread and the workers by message, those
 * of the main thread directly, and those that are made of many small things (crowds.h). Owns the ring that
 * the doors show. Main thread, on its loop.
 */
#ifndef ROLECALL_FRONT_CHRONICLE_H
#define ROLECALL_FRONT_CHRONICLE_H

#include "proxy/front/admin_view.h"
#include "proxy/front/events.h"
#include "router/message.h"

#include <uv.h>

struct chronicle;

/* Puts its events into the view, which outlives it. NULL: memory is out. */
struct chronicle *chronicle_open(uv_loop_t *loop, struct admin_view *view);
void chronicle_close(struct chronicle *chronicle);
/* When the loop has ended. NULL is allowed. */
void chronicle_free(struct chronicle *chronicle);

/* Any message of the main thread's mailbox; looks at MESSAGE_EVENT alone and takes nothing out. */
void chronicle_on_message(struct chronicle *chronicle, const struct message *message);

/* An event of the program as a whole; `reason` may be NULL. */
void chronicle_note(struct chronicle *chronicle, enum event_kind kind, const char *text, const char *reason);

#endif
