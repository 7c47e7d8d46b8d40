/*
 * The running program: main thread, workers, listeners, signals, reload and shutdown.
 *
 * program.c does not know the control thread (proxy and health never include each other): main.c passes the
 * three functions that start it, find its mailbox and stop it.
 */
#ifndef ROLECALL_FRONT_PROGRAM_H
#define ROLECALL_FRONT_PROGRAM_H

#include "conf/base/mailbox.h"
#include "conf/config.h"

struct control_door {
    void *(*start)(struct config *config, struct mailbox *const *subscribers, size_t n, struct error *error);
    struct mailbox *(*mailbox)(void *control);
    void (*stop)(void *control);
};

/* Runs until a signal ends it; returns the exit status. Blocking; call it once, from main. */
int program_run(const char *config_path, const struct control_door *door);

#endif
