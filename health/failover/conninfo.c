/*
 * Connection strings; see conninfo.h, and "34.1.1.1 Keyword/Value Connection Strings" of PostgreSQL's
 * documentation: blanks around = are allowed, a value with blanks is quoted with ', a backslash takes the
 * next character as it is.
 */
#include "health/failover/conninfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct pair {
    const char *key, *value; /* value: as written, quotes included */
    size_t key_len, value_len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(const char **at)
{
    while (is_blank(**at))
        (*at)++;
}

static bool skip_value(const char **at)
{
    bool quoted = **at == '\'';
    *at += quoted;
    while (**at && (quoted ? **at != '\'' : !is_blank(**at))) {
        if (**at == '\\' && !*++*at)
            return false;
        (*at)++;
    }
    if (quoted && **at != '\'')
        return false;
    *at += quoted;
    return true;
}

/* False at the end, with *at at the terminating zero, or where it is no conninfo, with *at before that. */
static bool take_pair(const char **at, struct pair *pair)
{
    skip_blanks(at);
    const char *look = pair->key = *at;
    while ((*look >= 'a' && *look <= 'z') || *look == '_')
        look++;
    pair->key_len = (size_t)(look - pair->key);
    skip_blanks(&look);
    if (pair->key_len == 0 || *look++ != '=')
        return false;
    skip_blanks(&look);
    pair->value = look;
    if (!skip_value(&look))
        return false;
    pair->value_len = (size_t)(look - pair->value);
    *at = look;
    return true;
}

static bool is_key(const struct pair *pair, const char *key)
{
    return strlen(key) == pair->key_len && memcmp(pair->key, key, pair->key_len) == 0;
}

struct writer {
    char *out;
    size_t len;
    bool full;
};

static void put(struct writer *writer, const char *text, size_t len)
{
    if (writer->full || len >= CONNINFO_MAX - writer->len) {
        writer->full = true;
        return;
    }
    memcpy(writer->out + writer->len, text, len);
    writer->len += len;
    writer->out[writer->len] = '\0';
}

static void put_pair(struct writer *writer, const char *key, const char *value)
{
    put(writer, " ", writer->len > 0);
    put(writer, key, strlen(key));
    put(writer, "='", 2);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            put(writer, "\\", 1);
        put(writer, value, 1);
    }
    put(writer, "'", 1);
}

static bool is_replaced(const struct pair *pair, const char *application_name)
{
    return is_key(pair, "host") || is_key(pair, "hostaddr") || is_key(pair, "port") ||
           (application_name && is_key(pair, "application_name"));
}

bool conninfo_repoint(
    const char *text, const char *host, uint16_t port, const char *application_name, char out[CONNINFO_MAX])
{
    struct writer writer = {.out = out};
    struct pair pair;
    char number[8];
    out[0] = '\0';
    while (take_pair(&text, &pair)) {
        if (is_replaced(&pair, application_name))
            continue;
        put(&writer, " ", writer.len > 0);
        put(&writer, pair.key, pair.key_len);
        put(&writer, "=", 1);
        if (pair.value_len > 0)
            put(&writer, pair.value, pair.value_len);
        else /* the last one, which must not take what now follows */
            put(&writer, "''", 2);
    }
    snprintf(number, sizeof number, "%u", (unsigned)port);
    put_pair(&writer, "host", host);
    put_pair(&writer, "port", number);
    if (application_name)
        put_pair(&writer, "application_name", application_name);
    if (*text == '\0' && !writer.full)
        return true;
    explicit_bzero(out, writer.len);
    out[0] = '\0';
    return false;
}

static bool value_is(const struct pair *pair, const char *wanted)
{
    const char *at = pair->value, *end = pair->value + pair->value_len;
    bool quoted = at < end && *at == '\'';
    at += quoted;
    end -= quoted;
    for (; at < end && *wanted; at++, wanted++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        if (*at != *wanted)
            return false;
    }
    return at == end && !*wanted;
}

bool conninfo_names(const char *text, const char *host, uint16_t port)
{
    bool same_host = false, same_port = port == 5432;
    struct pair pair;
    char number[8];
    snprintf(number, sizeof number, "%u", (unsigned)port);
    while (take_pair(&text, &pair)) {
        if (is_key(&pair, "host") || is_key(&pair, "hostaddr"))
            same_host = same_host || value_is(&pair, host);
        if (is_key(&pair, "port"))
            same_port = value_is(&pair, number);
    }
    return same_host && same_port;
}

bool conninfo_literal(const char *text, char out[2 * CONNINFO_MAX + 3])
{
    size_t at = 0;
    if (strlen(text) >= CONNINFO_MAX)
        return false;
    out[at++] = '\'';
    for (; *text; text++) { /* standard_conforming_strings is on where this is used */
        if (*text == '\'')
            out[at++] = '\'';
        out[at++] = *text;
    }
    out[at++] = '\'';
    out[at] = '\0';
    return true;
}
