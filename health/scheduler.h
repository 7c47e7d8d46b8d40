/*
 * When to look at a node: a timer per node, with jitter so that nodes and clusters spread out, and hints that
 * bring the next look forward. Control thread only; schedule_delay_ms is pure.
 */
#ifndef ROLECALL_HEALTH_SCHEDULER_H
#define ROLECALL_HEALTH_SCHEDULER_H

#include "router/message.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What the pause between two looks depends on. */
struct pace {
    uint64_t interval_ms; /* probe_interval */
    bool seeking;         /* the cluster has no primary, or one that does not answer */
    uint64_t seeking_ms;  /* for how long it has had none */
    bool answering;       /* this node answered the last look */
};

/* `random` is any number: it spreads the ordinary pause by a tenth either way. Never 0. */
uint64_t schedule_delay_ms(const struct pace *pace, uint32_t random);
/* How long after the last look a hint may bring the next: hints that any client can cause wait longest. */
uint64_t schedule_hint_gap_ms(enum node_hint hint);

struct schedule {
    uv_timer_t timer;
    void *context;
    void (*due)(void *context);
    void (*closed)(void *context);
    uint64_t last_due_ms; /* loop time */
    uint32_t random;
    bool running; /* between due and schedule_next */
    bool hinted;  /* a hint came while running */
    uint64_t hinted_gap_ms;
};

/* The first look is due at once, from the loop. */
void schedule_open(struct schedule *schedule, uv_loop_t *loop, void *context, void (*due)(void *context));
/* The look that was due has ended: the next one comes after the pace's pause, or sooner when a hint came
 * meanwhile. */
void schedule_next(struct schedule *schedule, const struct pace *pace);
void schedule_hint(struct schedule *schedule, uint64_t gap_ms);
/* Between two looks: brings the next one forward to this pace (the cluster has just lost its primary). */
void schedule_hurry(struct schedule *schedule, const struct pace *pace);
/* `closed` is called from the loop when the memory may go. */
void schedule_close(struct schedule *schedule, void (*closed)(void *context));

#endif
