/*
 * From sections, keys and values (conf/parse.h) to a struct config: which section is which object, and what
 * was written where. Lives only while one configuration is loaded; one thread. The steps are called in the
 * order they stand here.
 */
#ifndef ROLECALL_CONF_BUILD_H
#define ROLECALL_CONF_BUILD_H

#include "conf/config.h"
#include "conf/parse.h"
#include "conf/schema.h"

#include <stdbool.h>
#include <stddef.h>

struct build_section {
    enum section_kind kind;
    const struct document_section *source;
    void *object;               /* in the config; its type follows from the kind */
    int lines[SCHEMA_KEYS_MAX]; /* by schema_index: the line that sets the key; 0 = the default */
};

struct build {
    const char *path;
    const struct document *document;
    struct config *config; /* the caller's */
    struct build_section *sections;
    size_t n_sections;
    struct error *error;
};

/* Makes the objects, named and zeroed; nodes lie in their clusters. Unknown, nameless and double sections end
 * it. */
bool build_objects(struct build *build);

/* Gives every member its default, then what the file says. */
bool build_values(struct build *build);

/* What depends on several keys or sections; changes nothing. */
bool build_validate(const struct build *build);

/* Frees the notes, not the config. */
void build_fini(struct build *build);

/* Fills the error with "path:line: [section] text" and returns false; the line is that of `key` when the
   section sets it, else the section's own. `section` NULL: "path: text". `key` may be NULL. */
bool build_fail(const struct build *build, const struct build_section *section, const char *key,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* True when the section itself sets the key. */
bool build_is_set(const struct build_section *section, const char *key);

/* The section of that name, or NULL. */
const struct build_section *build_find(const struct build *build, enum section_kind kind, const char *name);

/* "; did you mean "x"?" for the nearest cluster's name, or the empty text. */
const char *build_suggest_cluster(const struct build *build, const char *typed, char *out, size_t size);

#endif
