/* DateStyle as PostgreSQL's check_datestyle() reads it; see date_style.h. */
#include "router/date_style.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* NULL: it is not told. */
struct date_style {
    const char *style, *order;
};

/* Words count up to the length given: "european" is euro, "noneuropean" noneuro. */
static const struct word {
    const char *word;
    size_t len; /* that must be alike; 0: all of it */
    const char *style, *order;
} words[] = {
    {"ISO", 0, "ISO", NULL},
    {"SQL", 0, "SQL", NULL},
    {"POSTGRES", 8, "Postgres", NULL},
    {"GERMAN", 0, "German", NULL}, /* and DMY, when no order is told */
    {"YMD", 0, NULL, "YMD"},
    {"DMY", 0, NULL, "DMY"},
    {"EURO", 4, NULL, "DMY"},
    {"MDY", 0, NULL, "MDY"},
    {"US", 0, NULL, "MDY"},
    {"NONEURO", 7, NULL, "MDY"},
};

static bool is_word(struct slice text, const struct word *word)
{
    size_t len = word->len ? word->len : strlen(word->word);
    bool fits = word->len ? text.len >= len : text.len == len;
    return fits && strncasecmp(text.data, word->word, len) == 0;
}

static bool take(struct date_style *out, struct slice text)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!is_word(text, &words[i]))
            continue;
        out->style = words[i].style ? words[i].style : out->style;
        out->order = words[i].order ? words[i].order : out->order;
        return true;
    }
    return false;
}

static bool read_style(struct slice text, struct date_style *out)
{
    *out = (struct date_style){NULL, NULL};
    for (size_t at = 0, end; at <= text.len; at = end + 1) {
        while (at < text.len && text.data[at] == ' ')
            at++;
        for (end = at; end < text.len && text.data[end] != ',';)
            end++;
        size_t len = end - at;
        while (len > 0 && text.data[at + len - 1] == ' ')
            len--;
        if (!take(out, slice_of(text.data + at, len)))
            return false;
    }
    if (out->style && !out->order && strcmp(out->style, "German") == 0)
        out->order = "DMY";
    return true;
}

struct slice date_style_then(struct slice before, struct slice after, char out[DATE_STYLE_MAX])
{
    struct date_style first, then;
    if (!read_style(before, &first) || !read_style(after, &then))
        return after;
    const char *style = then.style ? then.style : first.style;
    const char *order = then.order ? then.order : first.order;
    if (!style || !order)
        return style || order ? slice_from(style ? style : order) : after;
    int len = snprintf(out, DATE_STYLE_MAX, "%s, %s", style, order);
    return slice_of(out, (size_t)len);
}
