/* Where events come together; see chronicle.h. */
#include "proxy/front/chronicle.h"

#include "conf/base/clock.h"
#include "proxy/front/crowds.h"
#include "proxy/front/hook_log.h"

#include <stdlib.h>

#define LOOK_MS 250

struct chronicle {
    struct admin_view *view;
    struct events *events;
    struct crowds *crowds;
    uv_timer_t timer;
    struct hook_log *hooks;
};

static void on_timer(uv_timer_t *timer)
{
    struct chronicle *chronicle = timer->data;
    const struct admin_view *view = chronicle->view;
    uint64_t now_us = clock_now_us();
    for (size_t i = 0; i < view->config->n_clusters; i++)
        if (view->topologies[i])
            crowds_hold(chronicle->crowds, view->topologies[i], now_us);
    crowds_tick(chronicle->crowds, now_us);
}

struct chronicle *chronicle_open(uv_loop_t *loop, struct admin_view *view)
{
    struct chronicle *chronicle = calloc(1, sizeof *chronicle);
    if (chronicle && (chronicle->events = events_new()) && (chronicle->hooks = hook_log_new()))
        chronicle->crowds = crowds_new(chronicle->events);
    if (!chronicle || !chronicle->crowds) {
        chronicle_free(chronicle);
        return NULL;
    }
    chronicle->view = view;
    view->events = chronicle->events;
    view->hooks = chronicle->hooks;
    uv_timer_init(loop, &chronicle->timer);
    chronicle->timer.data = chronicle;
    uv_timer_start(&chronicle->timer, on_timer, LOOK_MS, LOOK_MS);
    return chronicle;
}

void chronicle_close(struct chronicle *chronicle)
{
    if (!uv_is_closing((uv_handle_t *)&chronicle->timer))
        uv_close((uv_handle_t *)&chronicle->timer, NULL);
}

void chronicle_free(struct chronicle *chronicle)
{
    if (!chronicle)
        return;
    crowds_free(chronicle->crowds);
    events_free(chronicle->events);
    hook_log_free(chronicle->hooks);
    free(chronicle);
}

void chronicle_on_message(struct chronicle *chronicle, const struct message *message)
{
    if (message->kind != MESSAGE_EVENT || !message->event)
        return;
    hook_log_add(chronicle->hooks, message->event);
    if (message->event->kind == EVENT_LOGIN_FAILURES)
        crowds_logins(chronicle->crowds, message->event, clock_now_us());
    else
        events_add(chronicle->events, message->event);
}

void chronicle_note(struct chronicle *chronicle, enum event_kind kind, const char *text, const char *reason)
{
    struct event event = {.kind = kind};
    event_say(event.text, sizeof event.text, "%s", text);
    event_say(event.reason, sizeof event.reason, "%s", reason ? reason : "");
    events_add(chronicle->events, &event);
}
