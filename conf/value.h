/*
 * Values of a configuration: from the operator's text to the member of a struct, and back. Pure but for
 * memory.
 */
#ifndef ROLECALL_CONF_VALUE_H
#define ROLECALL_CONF_VALUE_H

#include "conf/schema.h"

#include <stdbool.h>
#include <stddef.h>

#define VALUE_WHY_MAX 256

/*
 * Parses `text` as `key` wants it and stores it at `place`; what a string or list there held before is freed.
 * The empty text makes a string or a command NULL and a list empty. On failure says what is wrong and what is
 * allowed in `why` (VALUE_WHY_MAX bytes), without the text itself, and leaves the place as it was. Not for
 * VALUE_CLUSTER.
 */
bool value_parse(const struct schema_key *key, const char *text, void *place, char *why);

/* Frees what a string, a secret (wiped first), a list or a command at `place` holds. */
void value_fini(const struct schema_key *key, void *place);

bool value_equal(const struct schema_key *key, const void *a, const void *b);

/*
 * A value as an operator would write it, from malloc; NULL when it is not set (or memory is out). A secret is
 * written as asterisks. Not for VALUE_CLUSTER.
 */
char *value_text(const struct schema_key *key, const void *place);

/* Bytes of the member. */
size_t value_size(const struct schema_key *key);

/* What is allowed, for people: "10ms to 1h, or 0 for no limit", "on | off"; the empty text when anything is.
 */
void value_allowed(const struct schema_key *key, char *out, size_t size);

/* Frees a NULL-terminated list; NULL is allowed. */
void value_list_free(char **list);

#endif
