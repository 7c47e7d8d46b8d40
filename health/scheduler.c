/*
 * The pauses between looks; see scheduler.h. With a primary: probe_interval. Without one that answers every
 * moment counts: nodes that answer are asked every 20 ms, since one of them is about to be promoted, and the
 * others are tried every 50 ms, since they may be restarting. An outage that lasts longer than a minute is
 * looked at four times as slowly.
 */
#include "health/scheduler.h"

#include <assert.h>

#define CANDIDATE_PAUSE_MS 20
#define RETRY_PAUSE_MS 50
#define LONG_OUTAGE_MS 60000
#define LONG_OUTAGE_FACTOR 4

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t schedule_delay_ms(const struct pace *pace, uint32_t random)
{
    uint64_t interval_ms = pace->interval_ms > 0 ? pace->interval_ms : 1;
    if (pace->seeking) {
        uint64_t pause_ms = pace->answering ? CANDIDATE_PAUSE_MS : RETRY_PAUSE_MS;
        if (pace->seeking_ms > LONG_OUTAGE_MS)
            pause_ms *= LONG_OUTAGE_FACTOR;
        return least(pause_ms, interval_ms);
    }
    uint64_t spread_ms = interval_ms / 5;
    return interval_ms - spread_ms / 2 + (spread_ms ? random % spread_ms : 0);
}

uint64_t schedule_hint_gap_ms(enum node_hint hint)
{
    switch (hint) {
    case HINT_READ_ONLY:
    case HINT_SHUTDOWN: return 50;
    case HINT_REFUSED:
    case HINT_LOST:
    case HINT_PROMOTED: return 10;
    }
    return 50;
}

static void on_timer(uv_timer_t *timer)
{
    struct schedule *schedule = timer->data;
    assert(!schedule->running);
    schedule->running = true;
    schedule->hinted = false;
    schedule->last_due_ms = uv_now(timer->loop);
    schedule->due(schedule->context);
}

/* Not before `gap_ms` have passed since the last look began. */
static uint64_t wait_for_gap(const struct schedule *schedule, uint64_t gap_ms)
{
    uint64_t since_ms = uv_now(schedule->timer.loop) - schedule->last_due_ms;
    return since_ms >= gap_ms ? 0 : gap_ms - since_ms;
}

static void bring_forward(struct schedule *schedule, uint64_t delay_ms)
{
    if (!uv_is_active((uv_handle_t *)&schedule->timer) || uv_timer_get_due_in(&schedule->timer) > delay_ms)
        uv_timer_start(&schedule->timer, on_timer, delay_ms, 0);
}

void schedule_open(struct schedule *schedule, uv_loop_t *loop, void *context, void (*due)(void *context))
{
    *schedule = (struct schedule){.context = context, .due = due};
    schedule->random = (uint32_t)(uv_hrtime() ^ (uintptr_t)schedule);
    uv_timer_init(loop, &schedule->timer);
    schedule->timer.data = schedule;
    uv_timer_start(&schedule->timer, on_timer, 0, 0);
}

void schedule_next(struct schedule *schedule, const struct pace *pace)
{
    assert(schedule->running);
    schedule->running = false;
    schedule->random = schedule->random * 1664525u + 1013904223u;
    uint64_t delay_ms = schedule_delay_ms(pace, schedule->random >> 8);
    if (schedule->hinted)
        delay_ms = least(delay_ms, wait_for_gap(schedule, schedule->hinted_gap_ms));
    uv_timer_start(&schedule->timer, on_timer, delay_ms, 0);
}

void schedule_hint(struct schedule *schedule, uint64_t gap_ms)
{
    if (!schedule->running) {
        bring_forward(schedule, wait_for_gap(schedule, gap_ms));
        return;
    }
    schedule->hinted_gap_ms = schedule->hinted ? least(schedule->hinted_gap_ms, gap_ms) : gap_ms;
    schedule->hinted = true;
}

void schedule_hurry(struct schedule *schedule, const struct pace *pace)
{
    if (!schedule->running)
        bring_forward(schedule, schedule_delay_ms(pace, schedule->random >> 8));
}

static void on_closed(uv_handle_t *handle)
{
    struct schedule *schedule = handle->data;
    schedule->closed(schedule->context);
}

void schedule_close(struct schedule *schedule, void (*closed)(void *context))
{
    schedule->closed = closed;
    uv_close((uv_handle_t *)&schedule->timer, on_closed);
}
