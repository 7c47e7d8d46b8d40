/* The kinds of events by name and weight; see event.h. */
#include "router/event.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    enum event_weight weight;
} kinds[EVENT_KINDS] = {
    [EVENT_STARTED] = {"started", EVENT_NOTE},
    [EVENT_STOPPING] = {"stopping", EVENT_NOTE},
    [EVENT_RELOADED] = {"reloaded", EVENT_NOTE},
    [EVENT_RELOAD_FAILED] = {"reload_failed", EVENT_TROUBLE},
    [EVENT_COMMAND] = {"command", EVENT_NOTE},
    [EVENT_NODE_ADDED] = {"node_added", EVENT_NOTE},
    [EVENT_NODE_REMOVED] = {"node_removed", EVENT_NOTE},
    [EVENT_NODE_UP] = {"node_up", EVENT_GOOD},
    [EVENT_NODE_SUSPECT] = {"node_suspect", EVENT_NOTE},
    [EVENT_NODE_DOWN] = {"node_down", EVENT_TROUBLE},
    [EVENT_ROLE_CHANGED] = {"role_changed", EVENT_NOTE},
    [EVENT_PRIMARY_FOUND] = {"primary_found", EVENT_GOOD},
    [EVENT_PRIMARY_LOST] = {"primary_lost", EVENT_TROUBLE},
    [EVENT_SPLIT] = {"split", EVENT_TROUBLE},
    [EVENT_FAILOVER] = {"failover", EVENT_NOTE},
    [EVENT_SWITCHOVER] = {"switchover", EVENT_NOTE},
    [EVENT_HOOK] = {"hook", EVENT_NOTE},
    [EVENT_HOOK_FAILED] = {"hook_failed", EVENT_TROUBLE},
    [EVENT_HOLD_BEGUN] = {"hold_begun", EVENT_TROUBLE},
    [EVENT_HOLD_ENDED] = {"hold_ended", EVENT_GOOD},
    [EVENT_LOGIN_FAILURES] = {"login_failures", EVENT_TROUBLE},
};

const char *event_kind_name(enum event_kind kind)
{
    return kind < EVENT_KINDS ? kinds[kind].name : "unknown";
}

enum event_weight event_weight(enum event_kind kind)
{
    return kind < EVENT_KINDS ? kinds[kind].weight : EVENT_NOTE;
}

const char *event_weight_name(enum event_weight weight)
{
    switch (weight) {
    case EVENT_NOTE: return "note";
    case EVENT_GOOD: return "good";
    case EVENT_TROUBLE: return "trouble";
    }
    return "note";
}

void event_say(char *out, unsigned long size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out, size, format, args);
    va_end(args);
}
