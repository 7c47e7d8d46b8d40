/* "Did you mean": the known word that a mistyped one is nearest to. Pure. */
#ifndef ROLECALL_CONF_NEAREST_H
#define ROLECALL_CONF_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *word; /* NULL while none is near enough */
    size_t distance;
};

/* Offers a candidate for `typed`; the nearest one offered so far is kept. Begin with {0}. The word must live
 * on. */
void nearest_offer(struct nearest *nearest, const char *typed, const char *candidate);

#endif
