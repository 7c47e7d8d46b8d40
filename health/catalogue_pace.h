/*
 * How often a database is looked at for DDL that nobody told of, and what that may cost its primary: less
 * than a thousandth of a core while nothing changes, a hundredth while DDL goes on. Pure: the caller brings
 * the time (clock_now_us); one owner.
 *
 * Looks are cheap (0.1 ms) and come every second. A fingerprint costs what the schema's size makes it cost;
 * it is due as often as its share allows, between a second and half a minute. When a look has seen signs of
 * change it comes at once, out of a credit that fills with time; readings have a credit of their own.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_PACE_H
#define ROLECALL_HEALTH_CATALOGUE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define CATALOGUE_LOOK_EVERY_US 1000000u
/* What changed is noticed after this time whatever it costs. */
#define CATALOGUE_NOTICE_WITHIN_US 30000000u

/* Of the server's time. */
struct pace_credit {
    int64_t left_us; /* negative: owed */
    uint64_t filled_at_us;
};

struct catalogue_pace {
    uint64_t look_at_us;        /* the next look is due */
    uint64_t fingerprint_at_us; /* the next fingerprint is due without any sign of change */
    uint64_t read_at_us;        /* the last reading ended */
    struct pace_credit fingerprints, readings;
};

void catalogue_pace_init(struct catalogue_pace *pace, uint64_t now_us);
void catalogue_pace_looked(struct catalogue_pace *pace, uint64_t now_us);

/* `signs`: the look has seen signs of change. */
bool catalogue_pace_may_fingerprint(struct catalogue_pace *pace, uint64_t now_us, bool signs);
void catalogue_pace_fingerprinted(struct catalogue_pace *pace, uint64_t now_us, uint64_t cost_us);

/* When what a fingerprint has shown to be changed may be read: now or later. */
uint64_t catalogue_pace_read_at(struct catalogue_pace *pace, uint64_t now_us);
/* asked: somebody waits for it, or it is the first: not paid from the credit. */
void catalogue_pace_read(struct catalogue_pace *pace, uint64_t now_us, uint64_t cost_us, bool asked);

#endif
