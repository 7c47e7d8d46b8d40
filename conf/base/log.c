/*
 * One line per event; see log.h.
 *
 * The format is walked pair by pair. The value of a pair is first made as plain bytes (a string is used where
 * it lies, everything else is printed into a small scratch), then appended to the line, quoted and escaped as
 * the output format wants it. The line lives on the stack and holds at most LINE_MAX bytes, so a pipe takes
 * it whole. What does not fit is cut between two characters, the pairs after it are left out, and
 * truncated=true ends the line: a JSON line stays valid JSON. A line that cannot be written is lost; there is
 * nobody to tell.
 */
#include "conf/base/log.h"

#include "conf/base/clock.h"
#include "conf/base/slice.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 4096
#define TAIL_SIZE 32 /* kept free for the end of a cut line */
#define SCRATCH_SIZE 512

static _Atomic int current_level = LOG_INFO;
static _Atomic int current_format = LOG_LOGFMT;
static _Atomic int current_fd = STDERR_FILENO;

struct line {
    char data[LINE_SIZE];
    size_t len;
    bool json, cut;
};

struct value {
    struct slice text;
    bool absent; /* a NULL string: the pair is left out */
    bool bare;   /* valid JSON without quotes */
    char scratch[SCRATCH_SIZE];
};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&current_format, (int)format, memory_order_relaxed);
}

void log_set_fd(int fd)
{
    atomic_store_explicit(&current_fd, fd, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return level <= log_get_level();
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_ERROR: return "error";
    case LOG_WARNING: return "warning";
    case LOG_INFO: return "info";
    case LOG_DEBUG: return "debug";
    }
    return "error";
}

/* All of `data` or nothing, so that no escape is ever cut in two. */
static bool put(struct line *line, const char *data, size_t len)
{
    if (line->cut || len > LINE_SIZE - TAIL_SIZE - line->len) {
        line->cut = true;
        return false;
    }
    memcpy(line->data + line->len, data, len);
    line->len += len;
    return true;
}

/* Length of the well-formed UTF-8 character at `s` (Unicode standard, table 3-7), its code point in *code; 0
 * = none. */
static size_t utf8_length(const unsigned char *s, size_t len, uint32_t *code)
{
    if (s[0] < 0x80) {
        *code = s[0];
        return 1;
    }
    size_t want = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || want > len)
        return 0;
    *code = s[0] & (0x7Fu >> want);
    for (size_t i = 1; i < want; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        *code = *code << 6 | (s[i] & 0x3F);
    }
    bool overlong = (want == 3 && *code < 0x800) || (want == 4 && *code < 0x10000);
    bool surrogate = *code >= 0xD800 && *code <= 0xDFFF;
    return overlong || surrogate || *code > 0x10FFFF ? 0 : want;
}

/* C0, DEL, C1 and the Unicode line separators: what moves a terminal's cursor or ends a line somewhere. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x2028 || code == 0x2029;
}

static bool put_escape(struct line *line, uint32_t code)
{
    char text[8];
    switch (code) {
    case '"': return put(line, "\\\"", 2);
    case '\\': return put(line, "\\\\", 2);
    case '\n': return put(line, "\\n", 2);
    case '\r': return put(line, "\\r", 2);
    case '\t': return put(line, "\\t", 2);
    default: break;
    }
    int len = snprintf(text, sizeof text, "\\u%04x", (unsigned)code & 0xFFFF);
    return put(line, text, (size_t)len);
}

static void put_quoted(struct line *line, struct slice text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    bool fits = put(line, "\"", 1);
    if (!fits)
        return;
    for (size_t i = 0; i < text.len && fits;) {
        uint32_t code = 0xFFFD;
        size_t len = utf8_length(s + i, text.len - i, &code);
        if (len == 0)
            fits = put_escape(line, 0xFFFD);
        else if (is_control(code) || code == '"' || code == '\\')
            fits = put_escape(line, code);
        else
            fits = put(line, text.data + i, len);
        i += len ? len : 1;
    }
    line->data[line->len++] = '"'; /* put keeps TAIL_SIZE bytes free */
}

/* True when logfmt needs no quotes: not empty, and nothing that a reader could take for syntax. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c >= 0x7F || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return text.len > 0;
}

/* ASCII alone, so that it may be cut anywhere. */
static void put_plain(struct line *line, struct slice text)
{
    size_t room = LINE_SIZE - TAIL_SIZE - line->len;
    size_t len = text.len < room ? text.len : room;
    put(line, text.data, len);
    line->cut = line->cut || len < text.len;
}

static void put_pair(struct line *line, struct slice key, struct slice text, bool bare)
{
    size_t start = line->len;
    char mark = line->json ? ',' : ' ';
    if (start > 0 && !(line->json && start == 1))
        put(line, &mark, 1);
    if (line->json)
        put_quoted(line, key);
    else
        put(line, key.data, key.len);
    put(line, line->json ? ":" : "=", 1);
    if (line->cut) {
        line->len = start; /* a key without a value would be no pair */
        return;
    }
    size_t value_start = line->len;
    if (line->json && bare)
        put(line, text.data, text.len);
    else if (!line->json && is_plain(text))
        put_plain(line, text);
    else
        put_quoted(line, text);
    if (line->len == value_start)
        line->len = start;
}

/* One conversion of the format: its flags we know, its length, its letter. */
struct conversion {
    bool dot_star, has_precision;
    int zeroes; /* %08x: width to fill with zeroes */
    int precision;
    int longs;
    bool size;
    char letter;
};

static const char *read_small(const char *at, int *number)
{
    for (*number = 0; *at >= '0' && *at <= '9'; at++)
        *number = *number < 1000 ? *number * 10 + (*at - '0') : *number;
    return at;
}

static const char *read_conversion(const char *at, struct conversion *conversion)
{
    *conversion = (struct conversion){0};
    if (*at == '0')
        at = read_small(at, &conversion->zeroes);
    if (at[0] == '.' && at[1] == '*') {
        conversion->dot_star = true;
        at += 2;
    } else if (at[0] == '.') {
        conversion->has_precision = true;
        at = read_small(at + 1, &conversion->precision);
    }
    for (; *at == 'l'; at++)
        conversion->longs++;
    if (*at == 'z') {
        conversion->size = true;
        at++;
    }
    conversion->letter = *at;
    return *at ? at + 1 : at;
}

static void append(struct value *value, const char *data, size_t len)
{
    if (value->text.data != value->scratch) { /* a string that something follows: no longer used in place */
        size_t keep = value->text.len < SCRATCH_SIZE ? value->text.len : SCRATCH_SIZE;
        if (keep > 0)
            memcpy(value->scratch, value->text.data, keep);
        value->text = slice_of(value->scratch, keep);
    }
    size_t room = SCRATCH_SIZE - value->text.len;
    len = len < room ? len : room;
    memcpy(value->scratch + value->text.len, data, len);
    value->text.len += len;
    value->bare = false;
}

static void append_string(struct value *value, const char *text, size_t len)
{
    if (!text) {
        value->absent = true;
    } else if (!value->text.data) {
        value->text = slice_of(text, len);
        value->bare = false;
    } else {
        append(value, text, len);
    }
}

/* Numbers stand without quotes in JSON when they are all of the value. */
static void append_number(struct value *value, const char *text, int len, bool bare)
{
    bool alone = value->text.data == NULL;
    append(value, text, (size_t)len);
    value->bare = alone && bare;
}

static void append_double(struct value *value, const struct conversion *conversion, double number)
{
    char text[400];
    int precision = conversion->has_precision ? conversion->precision : 6;
    if (!isfinite(number)) {
        append(value, isnan(number) ? "nan" : number > 0 ? "inf" : "-inf", number < 0 ? 4 : 3);
        return;
    }
    int len = snprintf(text, sizeof text, "%.*f", precision < 20 ? precision : 20, number);
    append_number(value, text, len, true);
}

static void append_unsigned(struct value *value, const struct conversion *conversion, va_list *args)
{
    char text[32];
    unsigned long long number = conversion->size         ? va_arg(*args, size_t)
                                : conversion->longs >= 2 ? va_arg(*args, unsigned long long)
                                : conversion->longs == 1 ? va_arg(*args, unsigned long)
                                                         : va_arg(*args, unsigned);
    int zeroes = conversion->zeroes < 20 ? conversion->zeroes : 20;
    bool hex = conversion->letter != 'u';
    const char *format = conversion->letter == 'x' ? "%0*llx" : hex ? "%0*llX" : "%0*llu";
    int len = snprintf(text, sizeof text, format, zeroes, number);
    append_number(value, text, len, !hex && zeroes == 0);
}

static void append_signed(struct value *value, const struct conversion *conversion, va_list *args)
{
    char text[32];
    long long number = conversion->size         ? (long long)va_arg(*args, ssize_t)
                       : conversion->longs >= 2 ? va_arg(*args, long long)
                       : conversion->longs == 1 ? va_arg(*args, long)
                                                : va_arg(*args, int);
    int zeroes = conversion->zeroes < 20 ? conversion->zeroes : 20;
    int len = snprintf(text, sizeof text, "%0*lld", zeroes, number);
    append_number(value, text, len, zeroes == 0);
}

/* False for a conversion that we do not know, and whose argument we cannot take therefore. */
static bool append_conversion(struct value *value, const struct conversion *conversion, va_list *args)
{
    size_t limit = conversion->has_precision ? (size_t)conversion->precision : SIZE_MAX;
    if (conversion->dot_star) {
        int given = va_arg(*args, int);
        limit = given < 0 ? SIZE_MAX : (size_t)given;
    }
    switch (conversion->letter) {
    case 's': {
        const char *text = va_arg(*args, const char *);
        append_string(value, text, text ? strnlen(text, limit) : 0);
        return true;
    }
    case 'c': {
        char byte = (char)va_arg(*args, int);
        append(value, &byte, 1);
        return true;
    }
    case 'd':
    case 'i': append_signed(value, conversion, args); return true;
    case 'u':
    case 'x':
    case 'X': append_unsigned(value, conversion, args); return true;
    case 'f': append_double(value, conversion, va_arg(*args, double)); return true;
    case '%': append(value, "%", 1); return true;
    default: return false;
    }
}

/* Makes the value that begins at `at`; returns where it ends, NULL when it holds what log.h does not list. */
static const char *read_value(const char *at, struct value *value, va_list *args)
{
    value->text = slice_of(NULL, 0);
    value->absent = value->bare = false;
    while (*at && *at != ' ') {
        if (*at != '%') {
            append(value, at++, 1);
            continue;
        }
        struct conversion conversion;
        at = read_conversion(at + 1, &conversion);
        if (!append_conversion(value, &conversion, args))
            return NULL;
    }
    return at;
}

/* A format that breaks the rules is our own bug, but no reason to end in the middle of reporting another one:
   what is left of it is shown as it is. */
static void put_pairs(struct line *line, const char *format, va_list *args)
{
    struct value value;
    for (const char *at = format, *end; *at; at = end + strspn(end, " ")) {
        struct slice key = slice_of(at, strcspn(at, "= "));
        end = at[key.len] == '=' ? read_value(at + key.len + 1, &value, args) : NULL;
        if (!end) {
            put_pair(line, slice_from("bad_format"), slice_from(at), false);
            return;
        }
        if (!value.absent)
            put_pair(line, key, value.text, value.bare);
    }
}

static void finish(struct line *line)
{
    const char *mark = line->json ? ",\"truncated\":true" : " truncated=true";
    if (line->cut) {
        memcpy(line->data + line->len, mark, strlen(mark));
        line->len += strlen(mark);
    }
    if (line->json)
        line->data[line->len++] = '}';
    line->data[line->len++] = '\n';
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    int saved_errno = errno;
    struct line line;
    line.len = 0;
    line.cut = false;
    line.json = atomic_load_explicit(&current_format, memory_order_relaxed) == LOG_JSON;
    char now[32];
    clock_format(now, sizeof now);
    if (line.json)
        put(&line, "{", 1);
    put_pair(&line, slice_from("ts"), slice_from(now), false);
    put_pair(&line, slice_from("level"), slice_from(level_name(level)), false);
    put_pair(&line, slice_from("event"), slice_from(event), false);

    va_list args;
    va_start(args, format);
    put_pairs(&line, format, &args);
    va_end(args);

    finish(&line);
    ssize_t written = write(atomic_load_explicit(&current_fd, memory_order_relaxed), line.data, line.len);
    (void)written; /* nobody to tell, and a second write could fall into another thread's line */
    errno = saved_errno;
}
