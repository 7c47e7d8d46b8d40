/*
 * What statements leave in their session, as the flags, pins and frees of classify.h; and what names and
 * settings add to it. Pure; any thread.
 */
#ifndef ROLECALL_ROUTER_SQL_EFFECT_H
#define ROLECALL_ROUTER_SQL_EFFECT_H

#include "conf/base/slice.h"
#include "router/catalogue.h"
#include "router/classify.h"

#include <stdbool.h>
#include <stdint.h>

struct effect {
    uint32_t flags; /* enum statement_flag */
    uint32_t pins;  /* enum pin */
    uint32_t frees; /* enum pin */
};

enum setting_change {
    CHANGE_SESSION, /* SET name = value, set_config(..., false) */
    CHANGE_DEFAULT, /* RESET name, SET name TO DEFAULT */
    CHANGE_LOCAL    /* SET LOCAL, set_config(..., true) */
};

void effect_add(struct effect *effect, const struct effect *more);

/* May change the session in every way that can be asked for. */
void effect_of_survey(struct effect *effect);

/* Of what runs a function of this kind: nothing below NAME_SESSION. */
void effect_of_kind(struct effect *effect, enum name_kind kind);

/* Of changing a setting, by its name folded; len 0: one that the text does not tell. */
void effect_of_setting(struct effect *effect, struct slice name, enum setting_change change);

#endif
