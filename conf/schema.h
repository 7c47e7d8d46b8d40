/*
 * Every key that a configuration may hold: one constant table that parsing, defaults, ranges, the documented
 * sample and the diff of a reload are all driven by. To add a key: a member in config.h and a row in
 * schema.c.
 */
#ifndef ROLECALL_CONF_SCHEMA_H
#define ROLECALL_CONF_SCHEMA_H

#include "conf/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum section_kind {
    SECTION_ROLECALL,
    SECTION_CLUSTER,
    SECTION_NODE,
    SECTION_LISTENER,
    SECTION_DATABASE,
    SECTION_USER,
    SECTION_HTTP
};
#define SECTION_KINDS 7
#define SECTION_BIT(kind) (1u << (kind))

/* What a key's value is, and so what lies at its offset. */
enum value_type {
    VALUE_BOOL,     /* bool */
    VALUE_UINT,     /* uint32_t */
    VALUE_PORT,     /* uint16_t */
    VALUE_DURATION, /* uint64_t, milliseconds */
    VALUE_SIZE,     /* uint64_t, bytes */
    VALUE_ENUM,     /* an enum; `names` by number */
    VALUE_STRING,   /* char *, one word or name */
    VALUE_TEXT,     /* char *, anything: SQL */
    VALUE_PATH,     /* char *, made absolute by the folder of the configuration file */
    VALUE_LIST,     /* char **, NULL-terminated */
    VALUE_COMMAND,  /* char **, the words of a command (command_line.h); NULL when not set */
    VALUE_MODE,     /* uint32_t, written in octal */
    VALUE_SECRET,   /* char *, wiped; also as <key>_file */
    VALUE_CLUSTER   /* the name of a cluster; size_t, its index (a node: nothing, it lies in its cluster) */
};

/* Whether the offset counts from the section's struct or from a struct inside it that several sections have.
 */
enum schema_part { PART_SECTION, PART_LIMITS, PART_TLS };

struct schema_key {
    const char *key;
    unsigned sections; /* SECTION_BIT of each section that has it */
    enum value_type type;
    enum schema_part part;
    size_t offset;
    const char *value; /* the default as an operator would write it; NULL = not set */
    uint64_t min, max; /* of numbers, in the unit of the member */
    bool zero_is_none; /* 0 is allowed below min and means no limit */
    const char *const *names;
    size_t n_names;
    uint32_t limit;     /* PART_LIMITS: its bit in limits_set */
    bool required;      /* `sample` is what the sample configuration says then */
    bool not_empty;     /* an empty value is refused rather than "not set" */
    bool needs_restart; /* a reload does not bring it into force */
    const char *sample;
    const char *help;
};

#define SCHEMA_KEYS_MAX 128
#define LIMIT_POOL (1u << 0)

/* The whole table, in the order of the sample. */
const struct schema_key *schema_keys(size_t *n);

/* The key of a section, or NULL. *is_file: it is the <key>_file form of a secret. */
const struct schema_key *schema_find(enum section_kind kind, const char *key, bool *is_file);

/* Index in the table. */
size_t schema_index(const struct schema_key *key);

bool schema_has(const struct schema_key *key, enum section_kind kind);

/* Where the value of `key` lies in a struct config, config_cluster, ... of that kind. NULL for a key that is
   stored nowhere (a node's cluster). */
void *schema_place(const struct schema_key *key, enum section_kind kind, void *object);

/* The limits of a config, config_database or config_user; NULL for other kinds. */
struct limits *schema_limits(enum section_kind kind, void *object);

/* "cluster" and so on. */
const char *section_kind_name(enum section_kind kind);
/* There is one section of the kind at most, and it takes no name. */
bool section_kind_is_single(enum section_kind kind);
bool section_kind_find(const char *name, enum section_kind *kind);
/* What an operator should know of a section, for the sample. */
const char *section_kind_help(enum section_kind kind);

#endif
