/*
 * Counting what looking for DDL costs; see catalogue_pace.h. All goes well while schemas are small: a
 * fingerprint takes less than half a millisecond then, and each look is followed by one. A database in which
 * DDL never ends exhausts its credit, and is read every half a minute.
 */
#include "health/catalogue_pace.h"

/* A microsecond of the server's time for so many that pass. */
#define SHARE 2000
#define CREDIT_MAX_US 500000

static uint64_t within(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void fill_credit(struct catalogue_pace *pace, uint64_t now_us)
{
    uint64_t earned_us = (now_us - pace->credited_at_us) / SHARE;
    pace->credited_at_us += earned_us * SHARE;
    pace->credit_us += (int64_t)within(earned_us, 0, INT32_MAX);
    if (pace->credit_us > CREDIT_MAX_US)
        pace->credit_us = CREDIT_MAX_US;
}

void catalogue_pace_init(struct catalogue_pace *pace, uint64_t now_us)
{
    *pace = (struct catalogue_pace){.look_at_us = now_us,
        .fingerprint_at_us = now_us,
        .credited_at_us = now_us,
        .credit_us = CREDIT_MAX_US};
}

void catalogue_pace_looked(struct catalogue_pace *pace, uint64_t now_us)
{
    pace->look_at_us = now_us + CATALOGUE_LOOK_EVERY_US;
}

bool catalogue_pace_may_fingerprint(struct catalogue_pace *pace, uint64_t now_us, bool written)
{
    fill_credit(pace, now_us);
    return now_us >= pace->fingerprint_at_us || (written && pace->credit_us > 0);
}

void catalogue_pace_fingerprinted(struct catalogue_pace *pace, uint64_t now_us, uint64_t cost_us)
{
    fill_credit(pace, now_us);
    if (now_us < pace->fingerprint_at_us)
        pace->credit_us -= (int64_t)within(cost_us, 0, INT32_MAX);
    uint64_t rest_us =
        within(within(cost_us, 0, INT32_MAX) * SHARE, CATALOGUE_LOOK_EVERY_US, CATALOGUE_NOTICE_WITHIN_US);
    /* A look comes every second, give or take: it shall not find the time short by a little. */
    pace->fingerprint_at_us = now_us + rest_us - CATALOGUE_LOOK_EVERY_US / 2;
}

uint64_t catalogue_pace_read_at(struct catalogue_pace *pace, uint64_t now_us)
{
    fill_credit(pace, now_us);
    if (pace->credit_us > 0)
        return now_us;
    uint64_t paid_at_us = now_us + (uint64_t)(1 - pace->credit_us) * SHARE;
    uint64_t latest_us = pace->read_at_us + CATALOGUE_NOTICE_WITHIN_US;
    if (latest_us < now_us)
        return now_us;
    return paid_at_us < latest_us ? paid_at_us : latest_us;
}

void catalogue_pace_read(struct catalogue_pace *pace, uint64_t now_us, uint64_t cost_us, bool asked)
{
    fill_credit(pace, now_us);
    pace->read_at_us = now_us;
    if (!asked)
        pace->credit_us -= (int64_t)within(cost_us, 0, INT32_MAX);
}
