/*
 * What an operator wants to hear of: one event, its kind, and where and why it came about. The one list of
 * kinds for the log's readers, SHOW EVENTS, /events.json and the page.
 *
 * Whoever makes an event fills a struct event (zeroed members mean: nothing to be said) and sends it to the
 * main thread, which gives it its number and keeps the newest ones: the control thread by
 * subscribers_send_event (health/publish.h), a worker by message_of_event, the main thread itself by
 * events_add (proxy/front/events.h). Something that comes in crowds is counted and told as one event. Plain
 * values, any thread.
 */
#ifndef ROLECALL_ROUTER_EVENT_H
#define ROLECALL_ROUTER_EVENT_H

#include <stdint.h>

enum event_kind {
    EVENT_STARTED,
    EVENT_STOPPING,
    EVENT_RELOADED,
    EVENT_RELOAD_FAILED,
    EVENT_COMMAND, /* an operator said something that changes something */
    EVENT_NODE_ADDED,
    EVENT_NODE_REMOVED,
    EVENT_NODE_UP,
    EVENT_NODE_SUSPECT,
    EVENT_NODE_DOWN,
    EVENT_ROLE_CHANGED,
    EVENT_PRIMARY_FOUND,
    EVENT_PRIMARY_LOST,
    EVENT_SPLIT,
    EVENT_FAILOVER,   /* rolecall or a manager moves the primary since it is gone: begun, done, called off */
    EVENT_SWITCHOVER, /* ... since somebody asked for it */
    EVENT_HOOK,       /* a hook ran and ended well */
    EVENT_HOOK_FAILED,
    EVENT_HOLD_BEGUN, /* requests wait for a node */
    EVENT_HOLD_ENDED,
    EVENT_LOGIN_FAILURES, /* many in a short time */
    EVENT_KINDS
};

enum event_weight {
    EVENT_NOTE,
    EVENT_GOOD,   /* something works again */
    EVENT_TROUBLE /* somebody should look */
};

#define EVENT_NAME_MAX 64
#define EVENT_TEXT_MAX 256
#define EVENT_EVIDENCE_MAX 1024

struct event {
    uint64_t id;    /* given by the main thread; rises by one */
    uint64_t at_ms; /* time of day, since 1970; 0: when the main thread hears of it */
    enum event_kind kind;
    uint32_t count; /* how many things it stands for; 0: it is one thing */
    char cluster[EVENT_NAME_MAX], node[EVENT_NAME_MAX]; /* "" = of none */
    char hook[EVENT_NAME_MAX];                          /* EVENT_HOOK, EVENT_HOOK_FAILED: which */
    char text[EVENT_TEXT_MAX];                          /* what has happened */
    char reason[EVENT_TEXT_MAX];                        /* why it is judged so */
    char evidence[EVENT_EVIDENCE_MAX];                  /* what was seen that led to it */
};

/* "role_changed" */
const char *event_kind_name(enum event_kind kind);
enum event_weight event_weight(enum event_kind kind);
/* "note", "good", "trouble" */
const char *event_weight_name(enum event_weight weight);

/* Writes one of the texts of an event, cut at its end: event_say(event.text, sizeof event.text, ...). */
void event_say(char *out, unsigned long size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
