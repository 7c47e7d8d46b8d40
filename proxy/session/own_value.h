/* What rolecall's own settings may be, and how they are written. Pure but for allocation-free formatting. */
#ifndef ROLECALL_SESSION_OWN_VALUE_H
#define ROLECALL_SESSION_OWN_VALUE_H

#include "proxy/session/own_settings.h"

#include <stddef.h>

/* Takes a value ("default" counts as one), or changes nothing and says why not: 22023, or 42704 for a name
   that is none. `error` may be NULL. */
bool own_value_set(struct own_settings *own, struct slice name, struct slice value, struct error *error);
/* Gives one back what it is in `base`. */
bool own_value_reset(
    struct own_settings *own, const struct own_settings *base, struct slice name, struct error *error);
/* As SHOW writes it, and SET takes it. `consistency`: the one in force. */
void own_value_show(
    const struct own_settings *own, enum consistency consistency, struct slice name, char *out, size_t size);
/* 42704; false. */
bool own_value_unknown(struct slice name, struct error *error);

#endif
