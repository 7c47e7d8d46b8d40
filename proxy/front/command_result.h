/*
 * What a command answers: a table of text cells, or nothing but its success. Grows as it is filled, bounded;
 * one owner, any thread.
 *
 *     result_text(&r, node->name); result_number(&r, lag); result_null(&r);   one call per column, row by row
 */
#ifndef ROLECALL_FRONT_COMMAND_RESULT_H
#define ROLECALL_FRONT_COMMAND_RESULT_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESULT_COLUMNS_MAX 32
#define RESULT_BYTES_MAX ((size_t)64 * 1024 * 1024)

enum column_kind { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_BOOL /* "t" or "f", as PostgreSQL writes it */ };

struct result_column {
    const char *name; /* with its unit last: lag_bytes */
    enum column_kind kind;
};

/* The columns of a command, constant; n = 0: it has no table. */
struct result_shape {
    const struct result_column *columns;
    uint32_t n;
};

struct result_cell {
    uint32_t at, len; /* in bytes; len RESULT_NULL = NULL */
};
#define RESULT_NULL UINT32_MAX

struct result {
    const struct result_shape *shape;
    char *bytes;
    size_t len, cap;
    struct result_cell *cells;
    size_t n_cells, cap_cells;
    bool truncated;   /* the bound was reached or memory was out: what came later is missing */
    char notice[128]; /* something to be said beside the table; "" = nothing */
};

void result_init(struct result *result, const struct result_shape *shape);
void result_fini(struct result *result);

/* The next cell. Bytes that are no UTF-8 become '?'; text of NULL is NULL. */
void result_slice(struct result *result, struct slice text);
void result_text(struct result *result, const char *text);
void result_number(struct result *result, uint64_t number);
/* NULL unless it is known. */
void result_known_number(struct result *result, bool known, uint64_t number);
void result_bool(struct result *result, bool value);
void result_null(struct result *result);
void result_format(struct result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whole rows only. */
size_t result_rows(const struct result *result);
/* .data NULL = NULL. Valid until the next cell is added. */
struct slice result_cell(const struct result *result, size_t row, uint32_t column);

#endif
