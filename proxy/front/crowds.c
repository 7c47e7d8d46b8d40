/* Single events of crowds; see crowds.h. */
#include "proxy/front/crowds.h"

#include "conf/base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct hold {
    struct hold *next;
    char cluster[EVENT_NAME_MAX];
    struct cluster_live *live;       /* one reference */
    uint64_t since_us;               /* 0: nothing is held */
    uint64_t held, failed;           /* when it began */
    uint64_t seen_held, seen_failed; /* at the last look */
    uint64_t last_us;                /* when something was held last */
};

struct logins {
    uint64_t count;    /* not told yet */
    uint64_t since_us; /* of the first of them */
    uint64_t told_us;  /* 0: they are no crowd yet */
    struct event last;
};

struct crowds {
    struct events *events;
    struct hold *holds;
    struct logins logins;
};

struct crowds *crowds_new(struct events *events)
{
    struct crowds *crowds = calloc(1, sizeof *crowds);
    if (crowds)
        crowds->events = events;
    return crowds;
}

void crowds_free(struct crowds *crowds)
{
    for (struct hold *hold = crowds ? crowds->holds : NULL, *next; hold; hold = next) {
        next = hold->next;
        cluster_live_unref(hold->live);
        free(hold);
    }
    free(crowds);
}

/* ---- logins ---- */

static void tell_logins(struct crowds *crowds, uint64_t now_us)
{
    struct logins *logins = &crowds->logins;
    struct event event = logins->last;
    uint64_t seconds = (now_us - logins->since_us) / 1000000 + 1;
    event.kind = EVENT_LOGIN_FAILURES;
    event.count = (uint32_t)logins->count;
    event_say(event.text, sizeof event.text, "%" PRIu64 " logins failed within %" PRIu64 " s", logins->count,
        seconds);
    events_add(crowds->events, &event);
    log_event(LOG_WARNING, "login_failures", "count=%llu within_s=%llu", (unsigned long long)logins->count,
        (unsigned long long)seconds);
    logins->count = 0;
    logins->told_us = now_us;
}

void crowds_logins(struct crowds *crowds, const struct event *event, uint64_t now_us)
{
    struct logins *logins = &crowds->logins;
    if (logins->count == 0)
        logins->since_us = now_us;
    logins->count += event->count;
    logins->last = *event;
    if (logins->told_us == 0 && logins->count >= CROWD_LOGINS)
        tell_logins(crowds, now_us);
}

static void tick_logins(struct crowds *crowds, uint64_t now_us)
{
    struct logins *logins = &crowds->logins;
    bool crowd = logins->told_us != 0;
    if (now_us - (crowd ? logins->told_us : logins->since_us) < CROWD_LOGINS_WINDOW_US)
        return;
    if (crowd && logins->count > 0)
        tell_logins(crowds, now_us);
    else
        *logins = (struct logins){.count = 0};
}

void crowds_tick(struct crowds *crowds, uint64_t now_us)
{
    tick_logins(crowds, now_us);
}

/* ---- holds ---- */

static uint64_t load64(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* The account of this cluster, NULL when memory is out. A cluster that was taken out of the configuration and
   came back counts anew. */
static struct hold *hold_of(struct crowds *crowds, const struct topology *topology)
{
    struct hold *hold = crowds->holds;
    while (hold && strcmp(hold->cluster, topology->cluster) != 0)
        hold = hold->next;
    if (hold && hold->live == topology->live)
        return hold;
    if (!hold) {
        hold = calloc(1, sizeof *hold);
        if (!hold)
            return NULL;
        hold->next = crowds->holds;
        crowds->holds = hold;
        event_say(hold->cluster, sizeof hold->cluster, "%s", topology->cluster);
    }
    cluster_live_unref(hold->live);
    hold->live = cluster_live_ref(topology->live);
    hold->since_us = hold->seen_held = hold->seen_failed = 0;
    return hold;
}

static struct event event_of(const struct hold *hold, enum event_kind kind)
{
    struct event event = {.kind = kind};
    event_say(event.cluster, sizeof event.cluster, "%s", hold->cluster);
    return event;
}

static void begin_hold(
    struct crowds *crowds, struct hold *hold, const struct topology *topology, uint64_t now_us)
{
    struct event event = event_of(hold, EVENT_HOLD_BEGUN);
    const char *why = topology->primary < 0 && topology->no_primary_reason
                          ? topology->no_primary_reason
                          : "what they ask for cannot be had at the moment (a fit node, a connection to it)";
    hold->since_us = now_us;
    hold->held = hold->seen_held;
    hold->failed = hold->seen_failed;
    event_say(event.text, sizeof event.text, "requests wait for a node");
    event_say(event.reason, sizeof event.reason, "%s", why);
    events_add(crowds->events, &event);
    log_event(LOG_WARNING, "hold_begun", "cluster=%s reason=%s", hold->cluster, why);
}

static void end_hold(struct crowds *crowds, struct hold *hold)
{
    struct event event = event_of(hold, EVENT_HOLD_ENDED);
    uint64_t held = hold->seen_held - hold->held, failed = hold->seen_failed - hold->failed;
    double seconds = (double)(hold->last_us - hold->since_us) / 1e6;
    event.count = (uint32_t)held;
    event_say(event.text, sizeof event.text,
        "no request waits any more, after %.1f s: %" PRIu64 " had to, %" PRIu64 " were refused", seconds,
        held, failed);
    events_add(crowds->events, &event);
    log_event(LOG_INFO, "hold_ended", "cluster=%s seconds=%.1f held=%llu refused=%llu", hold->cluster,
        seconds, (unsigned long long)held, (unsigned long long)failed);
    hold->since_us = 0;
}

void crowds_hold(struct crowds *crowds, const struct topology *topology, uint64_t now_us)
{
    struct hold *hold = topology->live ? hold_of(crowds, topology) : NULL;
    if (!hold)
        return;
    uint64_t held = load64(&hold->live->held), failed = load64(&hold->live->hold_failed);
    bool holding = atomic_load_explicit(&hold->live->holding, memory_order_relaxed) > 0;
    bool active = holding || held != hold->seen_held || failed != hold->seen_failed;
    if (active && hold->since_us == 0)
        begin_hold(crowds, hold, topology, now_us);
    if (active)
        hold->last_us = now_us;
    hold->seen_held = held;
    hold->seen_failed = failed;
    if (hold->since_us && now_us - hold->last_us >= CROWD_HOLD_GAP_US)
        end_hold(crowds, hold);
}
