/*
 * Quantiles; see latency.h. A note keeps the buckets' counts modulo 2^32: only differences within a minute
 * are asked of it. 13 kB for each phase and meter, made when the meter has been seen.
 */
#include "proxy/front/latency.h"

#include "conf/base/clock.h"

#include <stdlib.h>
#include <string.h>

#define NOTES 6
#define NOTE_MS 10000

struct notes {
    struct notes *next;
    const struct meter *meter;
    uint32_t counts[NOTES][METER_PHASES][HISTOGRAM_BUCKETS];
    uint64_t n[NOTES][METER_PHASES], us[NOTES][METER_PHASES], sums[NOTES][METER_SUMS];
};

struct latency {
    uv_timer_t timer;
    struct notes *first;
    unsigned at;              /* the oldest note, which is the next to be written */
    uint64_t noted_us[NOTES]; /* clock_now_us; of one that was not written yet: of latency_open */
};

/* ---- notes ---- */

static struct notes *notes_of(const struct latency *latency, const struct meter *meter)
{
    struct notes *notes = latency->first;
    while (notes && notes->meter != meter)
        notes = notes->next;
    return notes;
}

static struct notes *make_notes(struct latency *latency, const struct meter *meter)
{
    struct notes *notes = calloc(1, sizeof *notes);
    if (!notes)
        return NULL;
    notes->meter = meter;
    notes->next = latency->first;
    return latency->first = notes;
}

static uint64_t bucket(const struct histogram *histogram, unsigned i)
{
    return atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
}

static void note(struct notes *notes, unsigned at)
{
    for (int phase = 0; phase < METER_PHASES; phase++) {
        struct histogram sum = {0};
        meter_merge(notes->meter, (enum meter_phase)phase, &sum);
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
            notes->counts[at][phase][i] = (uint32_t)bucket(&sum, i);
        notes->n[at][phase] = histogram_count(&sum);
        notes->us[at][phase] = histogram_sum_us(&sum);
    }
    for (int sum = 0; sum < METER_SUMS; sum++)
        notes->sums[at][sum] = meter_total(notes->meter, (enum meter_sum)sum);
}

void latency_note(struct latency *latency)
{
    for (const struct meter *meter = meters_first(); meter; meter = meter->next) {
        struct notes *notes = notes_of(latency, meter);
        if (!notes)
            notes = make_notes(latency, meter);
        if (notes)
            note(notes, latency->at);
    }
    latency->noted_us[latency->at] = clock_now_us();
    latency->at = (latency->at + 1) % NOTES;
}

static void on_timer(uv_timer_t *timer)
{
    latency_note(timer->data);
}

struct latency *latency_open(uv_loop_t *loop)
{
    struct latency *latency = calloc(1, sizeof *latency);
    if (!latency)
        return NULL;
    for (unsigned i = 0; i < NOTES; i++)
        latency->noted_us[i] = clock_now_us();
    uv_timer_init(loop, &latency->timer);
    latency->timer.data = latency;
    uv_timer_start(&latency->timer, on_timer, NOTE_MS, NOTE_MS);
    return latency;
}

void latency_close(struct latency *latency)
{
    if (!uv_is_closing((uv_handle_t *)&latency->timer))
        uv_close((uv_handle_t *)&latency->timer, NULL);
}

void latency_free(struct latency *latency)
{
    for (struct notes *notes = latency ? latency->first : NULL, *next; notes; notes = next) {
        next = notes->next;
        free(notes);
    }
    free(latency);
}

void latency_minute(const struct latency *latency, const struct meter *meter, struct latency_minute *into)
{
    const struct notes *notes = notes_of(latency, meter);
    unsigned at = latency->at;
    into->period_us = clock_now_us() - latency->noted_us[at];
    for (int phase = 0; phase < METER_PHASES; phase++) {
        struct histogram sum = {0};
        meter_merge(meter, (enum meter_phase)phase, &sum);
        into->counts[phase] += histogram_count(&sum) - (notes ? notes->n[at][phase] : 0);
        into->us[phase] += histogram_sum_us(&sum) - (notes ? notes->us[at][phase] : 0);
    }
    for (int sum = 0; sum < METER_SUMS; sum++)
        into->sums[sum] += meter_total(meter, (enum meter_sum)sum) - (notes ? notes->sums[at][sum] : 0);
}

/* ---- rows ---- */

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct latency_row row_of(const struct meter *meter, enum latency_group group)
{
    struct latency_row row = {.cluster = NULL};
    if (group != LATENCY_ALL)
        row.cluster = meter->cluster;
    if (group == LATENCY_NODES)
        row.node = meter->node;
    if (group == LATENCY_POOLS) {
        row.database = meter->database;
        row.user = meter->user;
    }
    return row;
}

static bool belongs(const struct latency_row *row, const struct meter *meter, enum latency_group group)
{
    const struct latency_row its = row_of(meter, group);
    return same(its.cluster, row->cluster) && same(its.database, row->database) &&
           same(its.user, row->user) && same(its.node, row->node);
}

/* What has come to the meter since the oldest note. */
static void add_minute(
    const struct latency *latency, const struct meter *meter, enum meter_phase phase, struct histogram *into)
{
    const struct notes *notes = notes_of(latency, meter);
    struct histogram sum = {0};
    meter_merge(meter, phase, &sum);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint32_t before = notes ? notes->counts[latency->at][phase][i] : 0;
        uint32_t more = (uint32_t)bucket(&sum, i) - before;
        atomic_store_explicit(&into->buckets[i], bucket(into, i) + more, memory_order_relaxed);
    }
    if (histogram_max_us(&sum) > histogram_max_us(into))
        atomic_store_explicit(&into->max_us, histogram_max_us(&sum), memory_order_relaxed);
}

static struct latency_quantiles quantiles(const struct histogram *histogram)
{
    return (struct latency_quantiles){.count = histogram_count(histogram),
        .p50_us = histogram_quantile(histogram, 0.5),
        .p95_us = histogram_quantile(histogram, 0.95),
        .p99_us = histogram_quantile(histogram, 0.99),
        .p999_us = histogram_quantile(histogram, 0.999)};
}

static void fill(const struct latency *latency, enum latency_group group, struct latency_row *row)
{
    for (int phase = 0; phase < METER_PHASES; phase++) {
        struct histogram start = {0}, minute = {0};
        for (const struct meter *meter = meters_first(); meter; meter = meter->next) {
            if (!belongs(row, meter, group))
                continue;
            meter_merge(meter, (enum meter_phase)phase, &start);
            add_minute(latency, meter, (enum meter_phase)phase, &minute);
        }
        row->of[phase][LATENCY_START] = quantiles(&start);
        row->of[phase][LATENCY_MINUTE] = quantiles(&minute);
        row->max_us[phase] = histogram_max_us(&start);
    }
}

static int by_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int compare(const void *left, const void *right)
{
    const struct latency_row *a = left, *b = right;
    int order = by_text(a->cluster, b->cluster);
    order = order ? order : by_text(a->node, b->node);
    order = order ? order : by_text(a->database, b->database);
    return order ? order : by_text(a->user, b->user);
}

size_t latency_rows(const struct latency *latency, enum latency_group group, struct latency_row **rows)
{
    size_t n = 0, cap = 0;
    for (const struct meter *meter = meters_first(); meter; meter = meter->next)
        cap++;
    *rows = calloc(cap + 1, sizeof **rows);
    if (!*rows || !latency)
        return 0;
    for (const struct meter *meter = meters_first(); meter && n < cap; meter = meter->next) {
        bool known = false;
        for (size_t i = 0; i < n && !known; i++)
            known = belongs(&(*rows)[i], meter, group);
        if (!known)
            (*rows)[n++] = row_of(meter, group);
    }
    for (size_t i = 0; i < n; i++)
        fill(latency, group, &(*rows)[i]);
    qsort(*rows, n, sizeof **rows, compare);
    return n;
}
