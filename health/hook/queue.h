/*
 * The hooks of one cluster: the operator's commands, one at a time, in the order in which they were asked
 * for. Owned by the cluster's watch; control thread only.
 */
#ifndef ROLECALL_HEALTH_HOOK_QUEUE_H
#define ROLECALL_HEALTH_HOOK_QUEUE_H

#include "health/hook/command.h"
#include "health/hook/facts.h"
#include "health/news.h"
#include "health/settings.h"

#include <stdbool.h>
#include <uv.h>

#define HOOK_QUEUE_MAX 64 /* that nobody waits for; more are dropped, and the log says so */

struct hook_queue;

/* `news` (NULL: nobody) hears how each one ended. Both must live until hook_queue_close. */
struct hook_queue *hook_queue_open(uv_loop_t *loop, const struct settings *settings, const struct news *news);

bool hook_queue_has(const struct hook_queue *queue, enum hook hook);

/*
 * Runs the hook when those before it have ended. Takes the facts, and leaves them empty. False when no
 * command is configured for it: then nothing follows. `done` (may be NULL) comes from the loop, never after
 * hook_queue_close.
 */
bool hook_queue_run(struct hook_queue *queue, enum hook hook, struct facts *facts, void *context,
    void (*done)(void *context, const struct command_end *end));

/* What runs is killed, what waits is forgotten. NULL is allowed. */
void hook_queue_close(struct hook_queue *queue);

#endif
