/*
 * Makes a catalogue of rules, in a thread of libuv's pool: a large database takes a while. Loop's thread
 * only, but for the work itself.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_DECIDING_H
#define ROLECALL_HEALTH_CATALOGUE_DECIDING_H

#include "health/catalogue_rules.h"
#include "health/settings.h"

#include <uv.h>

struct catalogue_deciding;

/* Takes the rules over, and applies the settings' lists of functions. `decided` comes once, from the loop,
 * and takes the catalogue over; afterwards the pointer that is returned here means nothing. */
struct catalogue_deciding *catalogue_deciding_begin(uv_loop_t *loop, const struct settings *settings,
    const char *database, struct catalogue_rules *rules, void *context,
    void (*decided)(void *context, struct catalogue *catalogue));

/* Nobody wants it any more: `decided` does not come. NULL is allowed. */
void catalogue_deciding_drop(struct catalogue_deciding *deciding);

#endif
