/*
 * From text to sections, keys and values; see parse.h.
 *
 * inih reads lines through our reader, which hands it one line after the other, and calls our handler with
 * each key and value. The reader does what inih would do silently or not at all: it counts lines, refuses
 * lines that are too long (inih would cut them) or hold a NUL byte, and reads the section headers itself,
 * since inih cuts names at 49 bytes and says nothing of an empty section. The first mistake ends the reading
 * with the line that it is in.
 */
#include "conf/parse.h"

#include <ctype.h>
#include <ini.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    struct document *document;
    const char *path;
    const char *at, *end; /* what inih has not read yet */
    int line;
    bool failed;
    struct error *error;
};

static void fail(struct parser *parser, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Keeps the first mistake. */
static void fail(struct parser *parser, const char *format, ...)
{
    if (parser->failed)
        return;
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    parser->failed = true;
    error_set(parser->error, SQLSTATE_CONFIG_FILE_ERROR, "%s:%d: %s", parser->path, parser->line, text);
}

/* An array grows by doubling: room is made whenever the count is a power of two. */
static void *make_room(void *array, size_t n, size_t size)
{
    if ((n & (n - 1)) != 0)
        return array;
    return reallocarray(array, n ? 2 * n : 1, size);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void add_section(struct parser *parser, char *kind, char *name)
{
    struct document *document = parser->document;
    if (document->n_sections >= PARSE_SECTIONS_MAX) {
        fail(parser, "more than %d sections", PARSE_SECTIONS_MAX);
        return;
    }
    struct document_section *sections =
        make_room(document->sections, document->n_sections, sizeof *document->sections);
    if (!sections) {
        fail(parser, "out of memory");
        return;
    }
    document->sections = sections;
    struct document_section *section = &sections[document->n_sections++];
    *section = (struct document_section){.kind = strdup(kind), .line = parser->line};
    section->name = *name ? strdup(name) : NULL;
    if (!section->kind || (*name && !section->name))
        fail(parser, "out of memory");
}

/* "[kind]" or "[kind name]"; `header` begins with the bracket, has no line end, and may be written to. */
static void read_header(struct parser *parser, char *header)
{
    char *close = strchr(header, ']');
    if (!close) {
        fail(parser, "a section begins with [ and ends with ]");
        return;
    }
    if (close[1 + strspn(close + 1, " \t\r")] != '\0') {
        fail(parser, "nothing may follow the ] of a section");
        return;
    }
    while (close > header + 1 && is_blank(close[-1]))
        close--;
    *close = '\0';
    char *kind = header + 1 + strspn(header + 1, " \t");
    char *name = kind + strcspn(kind, " \t");
    if (*name)
        *name++ = '\0';
    add_section(parser, kind, name + strspn(name, " \t"));
}

/* Section headers are read before inih sees the line; everything else is left to it. */
static void look_at_line(struct parser *parser, const char *line, size_t len)
{
    while (len > 0 && isspace((unsigned char)*line)) { /* as inih does */
        line++;
        len--;
    }
    if (len == 0 || *line != '[')
        return;
    char *header = strndup(line, len);
    if (header)
        read_header(parser, header);
    else
        fail(parser, "out of memory");
    free(header);
}

/* inih's reader: the next line without its end, or NULL at the end of the text and after a mistake. */
static char *read_line(char *out, int size, void *context)
{
    struct parser *parser = context;
    if (parser->failed || parser->at == parser->end) {
        explicit_bzero(out, (size_t)size); /* the last line may have been a password */
        return NULL;
    }
    size_t left = (size_t)(parser->end - parser->at);
    const char *newline = memchr(parser->at, '\n', left);
    size_t len = newline ? (size_t)(newline - parser->at) : left;
    const char *line = parser->at;
    parser->at += len + (newline != NULL);
    parser->line++;
    if (len > PARSE_LINE_MAX || len >= (size_t)size)
        fail(parser, "the line is too long (at most %d bytes)",
            PARSE_LINE_MAX < size ? PARSE_LINE_MAX : size - 1);
    else if (memchr(line, '\0', len))
        fail(parser, "the line holds a NUL byte; is this a configuration file?");
    else
        look_at_line(parser, line, len);
    if (parser->failed) {
        explicit_bzero(out, (size_t)size);
        return NULL;
    }
    memcpy(out, line, len);
    out[len] = '\0';
    return out;
}

/* inih's handler. Its section is not used: it would be cut. */
static int on_entry(void *context, const char *cut_section, const char *key, const char *value)
{
    struct parser *parser = context;
    (void)cut_section;
    if (parser->failed)
        return 0;
    if (parser->document->n_sections == 0) {
        fail(parser, "\"%.64s\" stands before the first [section]", key);
        return 0;
    }
    struct document_section *section = &parser->document->sections[parser->document->n_sections - 1];
    struct document_entry *entries = make_room(section->entries, section->n_entries, sizeof *entries);
    if (!entries) {
        fail(parser, "out of memory");
        return 0;
    }
    section->entries = entries;
    struct document_entry *entry = &entries[section->n_entries++];
    *entry = (struct document_entry){
        .key = strdup(key), .value = strdup(value ? value : ""), .line = parser->line};
    if (!entry->key || !entry->value)
        fail(parser, "out of memory");
    return !parser->failed;
}

/*
 * Debian builds inih for lines of 200 bytes and lets the program choose otherwise at run time. Comments
 * behind a value and values over several lines are switched off: the first would cut passwords, the second
 * hide mistakes.
 */
static void choose_syntax(void)
{
    ini_use_stack = true;
    ini_max_line = PARSE_LINE_MAX + 3;
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
    ini_allow_no_value = false;
    ini_allow_bom = false;
    ini_stop_on_first_error = false; /* our reader ends it, and wipes */
}

bool document_parse(
    struct document *document, const char *path, const char *text, size_t len, struct error *error)
{
    static pthread_once_t chosen = PTHREAD_ONCE_INIT;
    pthread_once(&chosen, choose_syntax);
    *document = (struct document){0};
    if (len > PARSE_FILE_MAX)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: larger than %d bytes", path, PARSE_FILE_MAX);
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        len -= 3;
    }
    struct parser parser = {
        .document = document, .path = path, .at = text, .end = text + len, .error = error};
    int result = ini_parse_stream(read_line, &parser, on_entry, &parser);
    if (result < 0)
        fail(&parser, "out of memory");
    if (result > 0 && (!parser.failed || result < parser.line)) { /* inih's own complaint, and the first */
        parser.failed = false;
        parser.line = result;
        fail(&parser, "expected key = value, [section] or a comment");
    }
    if (parser.failed)
        document_fini(document);
    return !parser.failed;
}

void document_fini(struct document *document)
{
    for (size_t i = 0; i < document->n_sections; i++) {
        struct document_section *section = &document->sections[i];
        for (size_t k = 0; k < section->n_entries; k++) {
            if (section->entries[k].value)
                explicit_bzero(section->entries[k].value, strlen(section->entries[k].value));
            free(section->entries[k].value);
            free(section->entries[k].key);
        }
        free(section->entries);
        free(section->kind);
        free(section->name);
    }
    free(document->sections);
    *document = (struct document){0};
}
