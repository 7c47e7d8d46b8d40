/*
 * Reads history files (PostgreSQL, timeline.c): lines of "timeline<tab>switchpoint<tab>reason", blanks and
 * #-comments allowed. A line that is none of these makes the whole unknown: a guess about the past could join
 * two clusters.
 */
#include "health/history.h"

#include "health/lsn.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void append(struct history *history, uint32_t timeline, uint64_t lsn)
{
    if (history->n == HISTORY_MAX_FORKS) {
        memmove(history->forks, history->forks + 1, (HISTORY_MAX_FORKS - 1) * sizeof *history->forks);
        history->n--;
    }
    history->forks[history->n++] = (struct history_fork){timeline, lsn};
}

static bool read_line(struct history *out, const char *line, size_t len)
{
    while (len > 0 && isspace((unsigned char)*line)) {
        line++;
        len--;
    }
    if (len == 0 || *line == '#')
        return true;
    char *end;
    unsigned long timeline = strtoul(line, &end, 10);
    if (!isdigit((unsigned char)*line) || timeline == 0 || timeline > UINT32_MAX || *end != '\t')
        return false;
    char position[LSN_TEXT_MAX];
    size_t width = strcspn(end + 1, "\t \r\n");
    if (width >= sizeof position || end + 1 + width > line + len)
        return false;
    memcpy(position, end + 1, width);
    position[width] = '\0';
    uint64_t lsn;
    if (!lsn_parse(position, &lsn))
        return false;
    append(out, (uint32_t)timeline, lsn);
    return true;
}

bool history_parse(const char *content, uint32_t timeline, struct history *out)
{
    *out = (struct history){.timeline = timeline};
    while (content && *content) {
        size_t len = strcspn(content, "\n");
        if (!read_line(out, content, len)) {
            *out = (struct history){0};
            return false;
        }
        content += len + (content[len] == '\n');
    }
    out->known = out->n > 0;
    return out->known;
}

void history_first(struct history *out)
{
    *out = (struct history){.known = true, .timeline = 1};
}

static bool equal(const struct history *a, const struct history *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->forks[i].timeline != b->forks[i].timeline || a->forks[i].lsn != b->forks[i].lsn)
            return false;
    }
    return true;
}

bool history_same(const struct history *a, const struct history *b)
{
    return a->known && b->known && a->timeline == b->timeline && equal(a, b);
}

bool history_differs(const struct history *a, const struct history *b)
{
    return a->known && b->known && a->timeline == b->timeline && !equal(a, b);
}

bool history_left(const struct history *history, uint32_t timeline, uint64_t *lsn)
{
    for (size_t i = history->n; history->known && i > 0; i--) {
        if (history->forks[i - 1].timeline == timeline) {
            *lsn = history->forks[i - 1].lsn;
            return true;
        }
    }
    return false;
}
