/*
 * Logins that failed in a worker, counted, so that the main thread hears of crowds of them in a message now
 * and then, and never in one for each. One thread, the worker's.
 */
#ifndef ROLECALL_SESSION_FAILED_LOGINS_H
#define ROLECALL_SESSION_FAILED_LOGINS_H

#include "conf/base/mailbox.h"
#include "router/event.h"

#include <stdint.h>

#define FAILED_LOGINS_GAP_MS 1000

/* Zeroed at first. */
struct failed_logins {
    uint32_t count;    /* not told yet */
    uint64_t told_ms;  /* when the last message was sent, by the loop's clock */
    struct event last; /* what is told: the newest of them in words */
};

void failed_logins_note(struct failed_logins *failed, const char *user, const char *database,
    const char *listener, const char *why);

/* Posts a MESSAGE_EVENT of EVENT_LOGIN_FAILURES, unless there is nothing or the last one was a moment ago. */
void failed_logins_tell(struct failed_logins *failed, uint64_t now_ms, struct mailbox *main);

#endif
