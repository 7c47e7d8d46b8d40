/* Logins that failed; see failed_logins.h. */
#include "proxy/session/failed_logins.h"

#include "router/message.h"

#include <stdio.h>

void failed_logins_note(struct failed_logins *failed, const char *user, const char *database,
    const char *listener, const char *why)
{
    struct event *last = &failed->last;
    failed->count++;
    snprintf(last->reason, sizeof last->reason, "%s", why);
    snprintf(last->evidence, sizeof last->evidence, "user \"%s\", database \"%s\", listener %s",
        user ? user : "", database ? database : "", listener);
}

void failed_logins_tell(struct failed_logins *failed, uint64_t now_ms, struct mailbox *main)
{
    if (failed->count == 0 || (failed->told_ms && now_ms - failed->told_ms < FAILED_LOGINS_GAP_MS))
        return;
    failed->last.kind = EVENT_LOGIN_FAILURES;
    failed->last.count = failed->count;
    mailbox_post(main, &message_of_event(&failed->last)->letter);
    failed->count = 0;
    failed->told_ms = now_ms;
}
