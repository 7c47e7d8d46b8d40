/* SHOW EVENTS: what has happened, oldest first. */
#include "proxy/front/command_handlers.h"
#include "proxy/front/events.h"

#include "conf/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

static const struct result_column events_columns[] = {
    {"id", COLUMN_NUMBER}, /* rises by one */
    {"time", COLUMN_TEXT},
    {"kind", COLUMN_TEXT},
    {"weight", COLUMN_TEXT}, /* note, good, trouble */
    {"cluster", COLUMN_TEXT},
    {"node", COLUMN_TEXT},
    {"count", COLUMN_NUMBER}, /* how many things it stands for */
    {"text", COLUMN_TEXT},
    {"reason", COLUMN_TEXT},
    {"evidence", COLUMN_TEXT},
};
const struct result_shape events_shape = RESULT_SHAPE(events_columns);

static void text_or_null(struct result *result, const char *text)
{
    result_text(result, *text ? text : NULL);
}

static void add_event(struct result *result, const struct event *event)
{
    char time[32];
    clock_format_ms(time, sizeof time, event->at_ms);
    result_number(result, event->id);
    result_text(result, time);
    result_text(result, event_kind_name(event->kind));
    result_text(result, event_weight_name(event_weight(event->kind)));
    text_or_null(result, event->cluster);
    text_or_null(result, event->node);
    if (event->count)
        result_number(result, event->count);
    else
        result_null(result);
    text_or_null(result, event->text);
    text_or_null(result, event->reason);
    text_or_null(result, event->evidence);
}

/* [SINCE id] */
static bool read_since(const struct command_call *call, uint64_t *since, struct error *error)
{
    char *end = "x";
    *since = 0;
    if (call->n_arguments == 0)
        return true;
    errno = 0;
    if (call->n_arguments == 2 && strcasecmp(call->arguments[0].text, "since") == 0 &&
        call->arguments[1].text[0] >= '0' && call->arguments[1].text[0] <= '9')
        *since = strtoull(call->arguments[1].text, &end, 10);
    return (*end == '\0' && errno == 0) ||
           error_set(error, SQLSTATE_INVALID_PARAMETER, "SHOW EVENTS takes %s", call->command->arguments);
}

bool show_events(struct command_call *call, struct error *error)
{
    const struct events *events = call->view->events;
    uint64_t since;
    if (!read_since(call, &since, error))
        return false;
    for (const struct event *event; events && (event = events_after(events, since)); since = event->id)
        add_event(&call->result, event);
    return true;
}
