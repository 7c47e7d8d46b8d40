/*
 * One connection to a database on the primary, on which its catalogue is looked at, and read. Belongs to its
 * opener; loop's thread only. One thing at a time: each call below is answered by one event, or by `failed`,
 * after which all that is left to do is to close. Events come from the loop, never from within a call, and
 * never after closing; a reading may be closed from any of them.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_READING_H
#define ROLECALL_HEALTH_CATALOGUE_READING_H

#include "health/catalogue_query.h"
#include "health/settings.h"

#include <uv.h>

struct catalogue_reading;

struct catalogue_reading_events {
    void *context;
    void (*opened)(void *context);
    void (*looked)(void *context, const struct catalogue_look *look);
    void (*fingerprinted)(void *context, const struct catalogue_fingerprint *fingerprint);
    /* rules: taken over; NULL: the fingerprint is still `known`. cost_us: how long it took. */
    void (*read)(void *context, struct catalogue_rules *rules, uint64_t fingerprint, uint64_t cost_us);
    /* lost: the connection broke while nothing was asked. */
    void (*failed)(void *context, const struct error *error, bool lost);
};

struct catalogue_reading *catalogue_reading_open(uv_loop_t *loop, const struct settings *settings,
    struct endpoint *endpoint, const char *database, const struct catalogue_reading_events *events);

void catalogue_reading_look(struct catalogue_reading *reading);
void catalogue_reading_fingerprint(struct catalogue_reading *reading);
/* known: the fingerprint of what is known already; 0: nothing is. */
void catalogue_reading_read(struct catalogue_reading *reading, uint64_t known);

void catalogue_reading_close(struct catalogue_reading *reading); /* NULL is allowed */

/* Of a fingerprint's or a look's text, for comparing; never 0. */
uint64_t catalogue_reading_hash(const char *text);

#endif
