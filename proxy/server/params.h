/*
 * A small ordered set of name/value pairs: ParameterStatus values of a server, startup settings of a session.
 *
 * One block of memory, names compared without regard to case (as PostgreSQL does), bounded. One owner, one
 * thread.
 */
#ifndef ROLECALL_SERVER_PARAMS_H
#define ROLECALL_SERVER_PARAMS_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARAMS_BYTES_MAX (1024 * 1024)

struct params {
    char *block; /* name NUL value NUL name NUL value NUL ... */
    uint32_t len, cap;
};

void params_init(struct params *params);
void params_fini(struct params *params);
void params_clear(struct params *params);
/* Adds or replaces. False when it would pass PARAMS_BYTES_MAX, or out of memory, or a NUL is inside. */
bool params_set(struct params *params, struct slice name, struct slice value);
void params_remove(struct params *params, struct slice name);
const char *params_get(const struct params *params, const char *name); /* NULL when it is not there */
bool params_copy(struct params *to, const struct params *from);
/* The same names with the same values, in any order. */
bool params_equal(const struct params *a, const struct params *b);
uint64_t params_hash(
    const struct params *params); /* of names and values, independent of the order; 0 when empty */

/* Iteration: start with *at = 0; false at the end. */
bool params_next(const struct params *params, uint32_t *at, const char **name, const char **value);

#endif
