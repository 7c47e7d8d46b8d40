/*
 * A result as plain text: aligned columns, CSV with a heading, or JSON. Pure but for memory.
 *
 * Control characters inside a cell are written as escapes in the first two, so that an empty line can only be
 * the end of an answer.
 */
#ifndef ROLECALL_FRONT_COMMAND_PRINT_H
#define ROLECALL_FRONT_COMMAND_PRINT_H

#include "conf/base/error.h"
#include "proxy/front/admin_output.h"
#include "proxy/front/command_result.h"

enum print_format { PRINT_TEXT, PRINT_CSV, PRINT_JSON };

/* A result without a table is written as `done` ("RELOAD"). No empty line at the end. */
void print_result(
    struct output *out, enum print_format format, const struct result *result, const char *done);

/* "error: 42601 unknown command ..." or {"error": {...}}. */
void print_failure(struct output *out, enum print_format format, const struct error *error);

#endif
