/*
 * PostgreSQL's key words (15) and their categories. The table is generated; keywords_table.h holds enum
 * keyword. Constant data; any thread.
 */
#ifndef ROLECALL_ROUTER_SQL_KEYWORDS_H
#define ROLECALL_ROUTER_SQL_KEYWORDS_H

#include "conf/base/slice.h"
#include "router/sql/keywords_table.h"

#include <stdint.h>

/* PostgreSQL documentation, appendix C: what else a key word may be. */
enum keyword_category {
    CATEGORY_UNRESERVED,       /* the name of anything */
    CATEGORY_COLUMN_NAME,      /* not of a function or type */
    CATEGORY_TYPE_OR_FUNCTION, /* of a function or type only */
    CATEGORY_RESERVED          /* of nothing, unless quoted, after a dot or after AS */
};

struct keyword_entry {
    const char *word;
    uint8_t len;
    uint8_t category; /* enum keyword_category */
};

extern const struct keyword_entry keyword_entries[KEYWORD_COUNT];

/* NO_KEYWORD when the word, already in lower case, is none. */
enum keyword keyword_find(struct slice word);
enum keyword_category keyword_category(enum keyword keyword);

#endif
