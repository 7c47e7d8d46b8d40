/*
 * Telling the service manager how it goes: systemd's notification protocol (sd_notify(3)), a datagram of
 * assignments to the socket that $NOTIFY_SOCKET names. Without that nothing is told. Main thread.
 *
 * With WatchdogSec= in the unit it also hears, twice in each period, that the main loop turns.
 */
#ifndef ROLECALL_FRONT_NOTIFY_H
#define ROLECALL_FRONT_NOTIFY_H

#include <uv.h>

struct notify;

/* Reads and clears the environment: before any thread starts, so that no child takes itself for the service.
   NULL: nobody wants to know, which the other functions take. */
struct notify *notify_open(uv_loop_t *loop);
void notify_ready(struct notify *notify, const char *status);
/* Until notify_ready. */
void notify_reloading(struct notify *notify);
/* It may take so long until the process ends. */
void notify_stopping(struct notify *notify, uint64_t at_most_ms);
void notify_close(struct notify *notify);
/* When the loop has ended. */
void notify_free(struct notify *notify);

#endif
