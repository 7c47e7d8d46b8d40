/* Events as JSON; see events_json.h. */
#include "proxy/front/events_json.h"

#include "proxy/front/counters.h"

#include <errno.h>
#include <stdlib.h>

#define OK 200u
#define BAD_REQUEST 400u
#define OUT_OF_MEMORY 503u

static void put_text(json_t *object, const char *key, const char *text)
{
    char room[EVENT_EVIDENCE_MAX];
    json_object_set_new(object, key, *text ? json_string(clean_text(text, room, sizeof room)) : json_null());
}

static json_t *event_object(const struct event *event)
{
    json_t *object = json_object();
    json_object_set_new(object, "id", json_integer((json_int_t)event->id));
    json_object_set_new(object, "at_ms", json_integer((json_int_t)event->at_ms));
    put_text(object, "kind", event_kind_name(event->kind));
    put_text(object, "weight", event_weight_name(event_weight(event->kind)));
    put_text(object, "cluster", event->cluster);
    put_text(object, "node", event->node);
    json_object_set_new(object, "count", event->count ? json_integer(event->count) : json_null());
    put_text(object, "text", event->text);
    put_text(object, "reason", event->reason);
    put_text(object, "evidence", event->evidence);
    return object;
}

json_t *events_json(const struct events *events, uint64_t since, uint64_t max)
{
    json_t *array = json_array();
    uint64_t newest = events ? events_newest(events) : 0;
    if (newest > max && since < newest - max)
        since = newest - max;
    for (const struct event *event; events && (event = events_after(events, since)); since = event->id)
        json_array_append_new(array, event_object(event));
    return array;
}

static bool read_id(const char *text, uint64_t *id)
{
    char *end;
    errno = 0;
    *id = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

unsigned events_json_answer(const struct http_asked *asked, struct output *body)
{
    const struct events *events = asked->view->events;
    uint64_t since = 0, newest = events ? events_newest(events) : 0;
    if (asked->since && !read_id(asked->since, &since)) {
        output_text(body, "{\"error\":\"since wants the number of an event\"}\n");
        return BAD_REQUEST;
    }
    json_t *root = json_object();
    json_object_set_new(root, "newest", json_integer((json_int_t)newest));
    json_object_set_new(root, "events", events_json(events, since > newest ? 0 : since, EVENTS_KEPT));
    char *text = json_dumps(root, JSON_COMPACT);
    output_text(body, text ? text : "{\"error\":\"out of memory\"}");
    output_text(body, "\n");
    free(text);
    json_decref(root);
    return text ? OK : OUT_OF_MEMORY;
}
