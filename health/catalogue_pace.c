/*
 * Counting what looking for DDL costs; see catalogue_pace.h. All goes well while schemas are small and DDL is
 * rare: a fingerprint takes half a millisecond then, and every second look is followed by one; a burst of DDL
 * is read step by step. A database in which DDL never ends exhausts its credit, and is read now and then.
 */
#include "health/catalogue_pace.h"

/* A microsecond of the server's time for so many that pass, and how much is saved up. */
#define FINGERPRINT_SHARE 2000
#define FINGERPRINT_CREDIT_US 500000
#define READING_SHARE 100
#define READING_CREDIT_US 5000000
/* Of a fingerprint, beside what the server knows of it: to be sent, to be woken up. */
#define OVERHEAD_US 200u

static uint64_t within(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void fill(struct pace_credit *credit, uint64_t now_us, uint64_t share, int64_t most_us)
{
    uint64_t earned_us = (now_us - credit->filled_at_us) / share;
    credit->filled_at_us += earned_us * share;
    credit->left_us += (int64_t)within(earned_us, 0, INT32_MAX);
    if (credit->left_us > most_us)
        credit->left_us = most_us;
}

static void fill_all(struct catalogue_pace *pace, uint64_t now_us)
{
    fill(&pace->fingerprints, now_us, FINGERPRINT_SHARE, FINGERPRINT_CREDIT_US);
    fill(&pace->readings, now_us, READING_SHARE, READING_CREDIT_US);
}

void catalogue_pace_init(struct catalogue_pace *pace, uint64_t now_us)
{
    *pace = (struct catalogue_pace){.look_at_us = now_us,
        .fingerprint_at_us = now_us,
        .fingerprints = {FINGERPRINT_CREDIT_US, now_us},
        .readings = {READING_CREDIT_US, now_us}};
}

void catalogue_pace_looked(struct catalogue_pace *pace, uint64_t now_us)
{
    pace->look_at_us = now_us + CATALOGUE_LOOK_EVERY_US;
}

bool catalogue_pace_may_fingerprint(struct catalogue_pace *pace, uint64_t now_us, bool signs)
{
    fill_all(pace, now_us);
    return now_us >= pace->fingerprint_at_us || (signs && pace->fingerprints.left_us > 0);
}

void catalogue_pace_fingerprinted(struct catalogue_pace *pace, uint64_t now_us, uint64_t cost_us)
{
    uint64_t whole_us = within(cost_us, 0, INT32_MAX) + OVERHEAD_US;
    fill_all(pace, now_us);
    if (now_us < pace->fingerprint_at_us)
        pace->fingerprints.left_us -= (int64_t)whole_us;
    pace->fingerprint_at_us =
        now_us + within(whole_us * FINGERPRINT_SHARE, CATALOGUE_LOOK_EVERY_US, CATALOGUE_NOTICE_WITHIN_US);
}

uint64_t catalogue_pace_read_at(struct catalogue_pace *pace, uint64_t now_us)
{
    fill_all(pace, now_us);
    uint64_t latest_us = pace->read_at_us + CATALOGUE_NOTICE_WITHIN_US;
    if (pace->readings.left_us > 0 || latest_us < now_us)
        return now_us;
    uint64_t paid_at_us = now_us + (uint64_t)(1 - pace->readings.left_us) * READING_SHARE;
    return paid_at_us < latest_us ? paid_at_us : latest_us;
}

void catalogue_pace_read(struct catalogue_pace *pace, uint64_t now_us, uint64_t cost_us, bool asked)
{
    fill_all(pace, now_us);
    pace->read_at_us = now_us;
    if (!asked)
        pace->readings.left_us -= (int64_t)within(cost_us, 0, INT32_MAX);
}
