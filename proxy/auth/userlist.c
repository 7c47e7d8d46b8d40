/*
 * PgBouncer's userlist.txt: one user and one secret a line, both in double quotes.
 *
 * The text is copied once and unquoted in place; entries point into the copy and are sorted by name, so a
 * lookup is a binary search. Anything that is not understood is an error with its line; what is quoted in a
 * message is never more than a user's name.
 */
#include "proxy/auth/userlist.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define USER_NAME_MAX 63 /* PostgreSQL's NAMEDATALEN - 1 */

struct entry {
    struct slice user, secret;
    unsigned line;
};

struct userlist {
    _Atomic uint32_t refs;
    char *text;
    size_t text_len;
    struct entry *entries;
    size_t n, cap;
};

/* Where the parser is. */
struct parser {
    struct userlist *list;
    const char *name;
    char *at, *end;
    unsigned line;
    struct error *error;
};

static bool complain(struct parser *parser, const char *what)
{
    return error_set(
        parser->error, SQLSTATE_CONFIG_FILE_ERROR, "%s line %u: %s", parser->name, parser->line, what);
}

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\r'))
        parser->at++;
}

/* A quoted text, unquoted in place. */
static bool read_quoted(
    struct parser *parser, const char *missing, const char *unterminated, struct slice *out)
{
    skip_blanks(parser);
    if (parser->at == parser->end || *parser->at != '"')
        return complain(parser, missing);
    char *start = ++parser->at, *to = start;
    for (; parser->at < parser->end && *parser->at != '\n'; parser->at++) {
        if (*parser->at == '"') {
            parser->at++;
            if (parser->at == parser->end || *parser->at != '"') {
                *out = slice_of(start, (size_t)(to - start));
                return true;
            }
        }
        *to++ = *parser->at;
    }
    return complain(parser, unterminated);
}

static bool add_entry(struct parser *parser, struct entry entry)
{
    struct userlist *list = parser->list;
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        struct entry *entries = reallocarray(list->entries, cap, sizeof *entries);
        if (entries == NULL)
            return complain(parser, "out of memory");
        list->entries = entries;
        list->cap = cap;
    }
    list->entries[list->n++] = entry;
    return true;
}

static bool read_entry(struct parser *parser)
{
    struct entry entry = {.line = parser->line};
    struct secret secret;
    if (!read_quoted(parser, "a user's name in double quotes was expected",
            "the quotes around the user's name are not closed", &entry.user))
        return false;
    if (entry.user.len == 0 || entry.user.len > USER_NAME_MAX)
        return complain(parser, "a user's name has 1 to 63 bytes");
    if (!read_quoted(parser, "the user's secret in double quotes was expected",
            "the quotes around the user's secret are not closed", &entry.secret))
        return false;
    bool good = secret_parse(entry.secret, &secret);
    secret_wipe(&secret);
    if (!good)
        return complain(
            parser, "the secret is too long, or begins like a SCRAM-SHA-256 verifier and is not one");
    return add_entry(parser, entry);
}

static bool read_lines(struct parser *parser)
{
    for (parser->line = 1; parser->at < parser->end; parser->line++) {
        skip_blanks(parser);
        bool empty = parser->at == parser->end || strchr("\n;#", *parser->at) != NULL;
        if (!empty && !read_entry(parser))
            return false;
        char *newline = memchr(parser->at, '\n', (size_t)(parser->end - parser->at));
        parser->at = newline ? newline + 1 : parser->end;
    }
    return true;
}

static int compare_names(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *first = a, *second = b;
    int order = compare_names(first->user, second->user);
    return order != 0 ? order : (first->line > second->line) - (first->line < second->line);
}

static bool sort_entries(struct parser *parser)
{
    struct userlist *list = parser->list;
    if (list->n > 0)
        qsort(list->entries, list->n, sizeof *list->entries, compare_entries);
    for (size_t i = 1; i < list->n; i++) {
        const struct entry *before = &list->entries[i - 1], *entry = &list->entries[i];
        if (slice_equal(before->user, entry->user))
            return error_set(parser->error, SQLSTATE_CONFIG_FILE_ERROR,
                "%s line %u: user \"%.*s\" is listed already on line %u", parser->name, entry->line,
                (int)entry->user.len, entry->user.data, before->line);
    }
    return true;
}

struct userlist *userlist_parse(struct slice text, const char *name, struct error *error)
{
    if (text.len > USERLIST_TEXT_MAX || (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", name,
            text.len > USERLIST_TEXT_MAX ? "longer than 64 MB" : "holds a NUL byte, so it is no text file");
        return NULL;
    }
    struct userlist *list = calloc(1, sizeof *list);
    if (list == NULL || (list->text = malloc(text.len + 1)) == NULL) {
        free(list);
        error_set(error, SQLSTATE_OUT_OF_MEMORY, "%s: out of memory", name);
        return NULL;
    }
    atomic_init(&list->refs, 1);
    list->text_len = text.len;
    if (text.len > 0)
        memcpy(list->text, text.data, text.len);
    list->text[text.len] = '\0';
    struct parser parser = {
        .list = list, .name = name, .at = list->text, .end = list->text + text.len, .error = error};
    if (!read_lines(&parser) || !sort_entries(&parser)) {
        userlist_unref(list);
        return NULL;
    }
    return list;
}

struct userlist *userlist_ref(struct userlist *list)
{
    atomic_fetch_add_explicit(&list->refs, 1, memory_order_relaxed);
    return list;
}

void userlist_unref(struct userlist *list)
{
    if (list == NULL || atomic_fetch_sub_explicit(&list->refs, 1, memory_order_acq_rel) > 1)
        return;
    explicit_bzero(list->text, list->text_len);
    free(list->text);
    free(list->entries);
    free(list);
}

size_t userlist_count(const struct userlist *list)
{
    return list->n;
}

bool userlist_find(const struct userlist *list, struct slice user, struct secret *out)
{
    size_t low = 0, high = list ? list->n : 0;
    memset(out, 0, sizeof *out);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_names(user, list->entries[middle].user);
        if (order == 0) {
            bool good = secret_parse(list->entries[middle].secret, out);
            assert(good); /* every secret was parsed at loading */
            return good;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}
