/* Tables for eyes, spreadsheets and programs; see command_print.h. */
#include "proxy/front/command_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Characters, as far as a terminal's columns go: continuation bytes of UTF-8 count nothing, escapes as
 * written. */
static size_t width_of(struct slice text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        width += c == '\n' || c == '\t' || c == '\r' ? 2 : c < ' ' || c == 0x7f ? 4 : (c & 0xc0) != 0x80;
    }
    return width;
}

static bool is_plain(unsigned char c)
{
    return c >= ' ' && c != 0x7f;
}

static void print_escaped(struct output *out, struct slice text)
{
    char code[8];
    for (size_t i = 0; i < text.len; i++) {
        size_t plain = i;
        while (plain < text.len && is_plain((unsigned char)text.data[plain]))
            plain++;
        output_bytes(out, text.data + i, plain - i);
        if ((i = plain) == text.len)
            return;
        unsigned char c = (unsigned char)text.data[i];
        snprintf(code, sizeof code, c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r" : "\\x%02x", c);
        output_text(out, code);
    }
}

/* ---- aligned ---- */

static struct slice shown(const struct result *result, size_t row, uint32_t column)
{
    struct slice cell = result_cell(result, row, column);
    return cell.len ? cell : slice_from("-");
}

static void print_aligned_cell(struct output *out, struct slice cell, size_t width, bool right, bool last)
{
    size_t missing = width - width_of(cell);
    if (right)
        output_fill(out, ' ', missing);
    print_escaped(out, cell);
    if (!right && !last)
        output_fill(out, ' ', missing);
    output_text(out, last ? "\n" : "  ");
}

static void print_aligned(struct output *out, const struct result *result)
{
    uint32_t n = result->shape->n;
    size_t rows = result_rows(result);
    size_t *widths = calloc(n, sizeof *widths);
    if (!widths) {
        out->failed = true;
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        widths[i] = strlen(result->shape->columns[i].name);
        for (size_t row = 0; row < rows; row++) {
            size_t width = width_of(shown(result, row, i));
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct result_column *column = &result->shape->columns[i];
        print_aligned_cell(
            out, slice_from(column->name), widths[i], column->kind == COLUMN_NUMBER, i + 1 == n);
    }
    for (size_t row = 0; row < rows; row++)
        for (uint32_t i = 0; i < n; i++)
            print_aligned_cell(out, shown(result, row, i), widths[i],
                result->shape->columns[i].kind == COLUMN_NUMBER, i + 1 == n);
    free(widths);
}

/* ---- CSV (RFC 4180, but for control characters) ---- */

static void print_csv_cell(struct output *out, struct slice cell, bool last)
{
    bool quote = cell.data && cell.len == 0; /* an empty text is not NULL */
    for (size_t i = 0; i < cell.len; i++)
        quote = quote || cell.data[i] == ',' || cell.data[i] == '"';
    if (quote)
        output_text(out, "\"");
    for (struct slice rest = cell; rest.len > 0;) {
        const char *mark = memchr(rest.data, '"', rest.len);
        size_t len = mark ? (size_t)(mark - rest.data) + 1 : rest.len;
        print_escaped(out, slice_of(rest.data, len));
        if (mark)
            output_text(out, "\"");
        rest = slice_of(rest.data + len, rest.len - len);
    }
    if (quote)
        output_text(out, "\"");
    output_text(out, last ? "\n" : ",");
}

static void print_csv(struct output *out, const struct result *result)
{
    uint32_t n = result->shape->n;
    for (uint32_t i = 0; i < n; i++)
        print_csv_cell(out, slice_from(result->shape->columns[i].name), i + 1 == n);
    for (size_t row = 0; row < result_rows(result); row++)
        for (uint32_t i = 0; i < n; i++)
            print_csv_cell(out, result_cell(result, row, i), i + 1 == n);
}

/* ---- JSON (RFC 8259): an array with an object per line ---- */

static void print_json_text(struct output *out, struct slice text)
{
    char code[8];
    output_text(out, "\"");
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            output_text(out, "\\");
        } else if (c < ' ' || c == 0x7f) {
            snprintf(code, sizeof code, "\\u%04x", c);
            output_text(out, code);
            continue;
        }
        output_bytes(out, &text.data[i], 1);
    }
    output_text(out, "\"");
}

static void print_json_value(struct output *out, struct slice cell, enum column_kind kind)
{
    if (!cell.data)
        output_text(out, "null");
    else if (kind == COLUMN_BOOL)
        output_text(out, cell.data[0] == 't' ? "true" : "false");
    else if (kind == COLUMN_NUMBER)
        output_bytes(out, cell.data, cell.len);
    else
        print_json_text(out, cell);
}

static void print_json(struct output *out, const struct result *result)
{
    size_t rows = result_rows(result);
    output_text(out, "[");
    for (size_t row = 0; row < rows; row++) {
        output_text(out, row ? ",\n {" : "\n {");
        for (uint32_t i = 0; i < result->shape->n; i++) {
            const struct result_column *column = &result->shape->columns[i];
            output_text(out, i ? ", " : "");
            print_json_text(out, slice_from(column->name));
            output_text(out, ": ");
            print_json_value(out, result_cell(result, row, i), column->kind);
        }
        output_text(out, "}");
    }
    output_text(out, rows ? "\n]\n" : "]\n");
}

void print_result(struct output *out, enum print_format format, const struct result *result, const char *done)
{
    if (result->shape->n == 0) {
        output_text(out, format == PRINT_JSON ? "{\"done\": " : "");
        if (format == PRINT_JSON)
            print_json_text(out, slice_from(done));
        else
            output_text(out, done);
        output_text(out, format == PRINT_JSON ? "}\n" : "\n");
        return;
    }
    switch (format) {
    case PRINT_TEXT: print_aligned(out, result); return;
    case PRINT_CSV: print_csv(out, result); return;
    case PRINT_JSON: print_json(out, result); return;
    }
}

void print_failure(struct output *out, enum print_format format, const struct error *error)
{
    if (format == PRINT_JSON) {
        output_text(out, "{\"error\": {\"sqlstate\": ");
        print_json_text(out, slice_from(error->sqlstate));
        output_text(out, ", \"message\": ");
        print_json_text(out, slice_from(error->text));
        output_text(out, "}}\n");
        return;
    }
    output_text(out, "error: ");
    output_text(out, error->sqlstate);
    output_text(out, " ");
    print_escaped(out, slice_from(error->text));
    output_text(out, "\n");
}
