/*
 * How often a database is looked at for DDL that nobody told of, and what that may cost its primary: on
 * average a thousandth of a core. Pure: the caller brings the time (clock_now_us); one owner.
 *
 * Looks are cheap and come every second. A fingerprint costs what the schema's size makes it cost: it is due
 * as often as half of the share allows, between a second and half a minute. When a look has seen writes to a
 * catalogue, it comes at once, out of a credit that the other half fills; readings are paid from it, too.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_PACE_H
#define ROLECALL_HEALTH_CATALOGUE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define CATALOGUE_LOOK_EVERY_US 1000000u
/* What changed is noticed after this time whatever it costs. */
#define CATALOGUE_NOTICE_WITHIN_US 30000000u

struct catalogue_pace {
    uint64_t look_at_us;        /* the next look is due */
    uint64_t fingerprint_at_us; /* the next fingerprint is due without any sign of change */
    uint64_t read_at_us;        /* the last reading ended */
    uint64_t credited_at_us;
    int64_t credit_us; /* of the server's time; negative: owed */
};

void catalogue_pace_init(struct catalogue_pace *pace, uint64_t now_us);
void catalogue_pace_looked(struct catalogue_pace *pace, uint64_t now_us);

/* `written`: the look has seen signs of change. */
bool catalogue_pace_may_fingerprint(struct catalogue_pace *pace, uint64_t now_us, bool written);
void catalogue_pace_fingerprinted(struct catalogue_pace *pace, uint64_t now_us, uint64_t cost_us);

/* When what a fingerprint has shown to be changed may be read: now or later. */
uint64_t catalogue_pace_read_at(struct catalogue_pace *pace, uint64_t now_us);
/* asked: somebody waits for it, or it is the first: not paid from the credit. */
void catalogue_pace_read(struct catalogue_pace *pace, uint64_t now_us, uint64_t cost_us, bool asked);

#endif
