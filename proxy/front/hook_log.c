/* What came of the hooks; see hook_log.h. There are as many entries as clusters have had hooks. */
#include "proxy/front/hook_log.h"

#include "conf/base/clock.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    char cluster[EVENT_NAME_MAX], hook[EVENT_NAME_MAX];
    struct hook_record record;
};

struct hook_log {
    struct entry *first;
};

struct hook_log *hook_log_new(void)
{
    return calloc(1, sizeof(struct hook_log));
}

void hook_log_free(struct hook_log *log)
{
    for (struct entry *entry = log ? log->first : NULL, *next; entry; entry = next) {
        next = entry->next;
        free(entry);
    }
    free(log);
}

static struct entry *find(const struct hook_log *log, const char *cluster, const char *hook)
{
    struct entry *entry = log ? log->first : NULL;
    while (entry && (strcmp(entry->cluster, cluster) != 0 || strcmp(entry->hook, hook) != 0))
        entry = entry->next;
    return entry;
}

static struct entry *make(struct hook_log *log, const struct event *event)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    memcpy(entry->cluster, event->cluster, sizeof entry->cluster);
    memcpy(entry->hook, event->hook, sizeof entry->hook);
    entry->next = log->first;
    return log->first = entry;
}

void hook_log_add(struct hook_log *log, const struct event *event)
{
    bool failed = event->kind == EVENT_HOOK_FAILED;
    if (!failed && event->kind != EVENT_HOOK)
        return;
    struct entry *entry = find(log, event->cluster, event->hook);
    if (!entry && !(entry = make(log, event)))
        return;
    struct hook_record *record = &entry->record;
    record->runs++;
    record->failures += failed;
    record->last_ms = event->at_ms ? event->at_ms : clock_day_ms();
    event_say(record->last, sizeof record->last, "%s%s%s", event->text, event->reason[0] ? ": " : "",
        event->reason);
}

struct hook_record hook_log_find(const struct hook_log *log, const char *cluster, const char *hook)
{
    const struct entry *entry = find(log, cluster, hook);
    return entry ? entry->record : (struct hook_record){.runs = 0};
}
