/*
 * One running command of the operator's: started without a shell, watched, its output in the log, ended by a
 * deadline. It is the leader of a session of its own, so that what it starts can be killed with it.
 *
 * Belongs to whoever started it; the loop's thread only. `ended` comes once, from the loop, never from within
 * command_start and never after command_abandon.
 */
#ifndef ROLECALL_HEALTH_HOOK_COMMAND_H
#define ROLECALL_HEALTH_HOOK_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define COMMAND_LINES_MAX 200 /* of output that the log gets; the rest is counted */

struct command_end {
    bool ok;      /* status 0, in time */
    char how[96]; /* "status 1", "signal 9", "killed after hook_timeout", why it could not be started */
};

struct command_spec {
    const char *cluster, *name; /* for the log; must live as long as the command */
    char *const *argv;          /* used while starting alone, as is: */
    char *const *environment;
    uint64_t timeout_ms;
    void *context;
    void (*ended)(void *context, const struct command_end *end);
};

struct command_run;

/* Never NULL: what fails is told through `ended`. */
struct command_run *command_start(uv_loop_t *loop, const struct command_spec *spec);

/* Kills it and what it started; it frees itself. NULL is allowed. */
void command_abandon(struct command_run *run);

#endif
