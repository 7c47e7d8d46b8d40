/*
 * DateStyle given twice: each value may tell the style, the order of day, month and year, or both, and what
 * one does not tell stays as the other said. Pure; any thread.
 */
#ifndef ROLECALL_ROUTER_DATE_STYLE_H
#define ROLECALL_ROUTER_DATE_STYLE_H

#include "conf/base/slice.h"

#define DATE_STYLE_MAX 64

/* What `before` and then `after` make, in `out`; or `after`, when one of them is not understood. */
struct slice date_style_then(struct slice before, struct slice after, char out[DATE_STYLE_MAX]);

#endif
