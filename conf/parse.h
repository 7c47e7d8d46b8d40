/*
 * From the text of a configuration file to sections, keys and values with their line numbers. Knows the INI
 * syntax and nothing about what the keys mean; the only user of inih.
 *
 * Syntax: [kind] or [kind name]; key = value (or key: value); comments on lines of their own, beginning with
 * ; or #. A value runs to the end of its line, blanks around it are removed. Lines are at most PARSE_LINE_MAX
 * bytes.
 */
#ifndef ROLECALL_CONF_PARSE_H
#define ROLECALL_CONF_PARSE_H

#include "conf/base/error.h"
#include "conf/config.h"

#include <stdbool.h>
#include <stddef.h>

#define PARSE_LINE_MAX 16384
#define PARSE_FILE_MAX (1024 * 1024)
#define PARSE_SECTIONS_MAX 4096

struct document_entry {
    char *key, *value; /* as written: nothing is expanded yet */
    int line;
};

struct document_section {
    char *kind, *name; /* name is NULL in [kind] */
    int line;
    struct document_entry *entries;
    size_t n_entries;
};

/* In the order of the file. Owned by whoever made it. */
struct document {
    struct document_section *sections;
    size_t n_sections;
};

/* `path` is for messages alone. False with "path:line: what is wrong"; the document is empty then. Any
 * thread. */
bool document_parse(
    struct document *document, const char *path, const char *text, size_t len, struct error *error);

/* Wipes the values (they may be secrets) and frees. */
void document_fini(struct document *document);

/* config_load for a text in memory that pretends to be the file `path`; files that it names are still read.
 */
struct config *config_parse_text(const char *path, const char *text, size_t len, struct error *error);

#endif
