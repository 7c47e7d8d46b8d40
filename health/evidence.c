/* Evidence in words; see evidence.h. */
#include "health/evidence.h"

#include "health/lsn.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct page {
    char *out;
    size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void say(struct page *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(page->out + page->len, page->size - page->len, format, args);
    va_end(args);
    page->len += len < 0 ? 0 : (size_t)len;
    if (page->len >= page->size)
        page->len = page->size - 1;
}

static void say_seen(struct page *page, const struct observation *seen)
{
    char lsn[LSN_TEXT_MAX];
    if (seen->in_recovery)
        say(page, "in recovery");
    else
        say(page, seen->read_only ? "out of recovery, but read-only by default" : "takes writes");
    if (seen->timeline != 0)
        say(page, " on timeline %" PRIu32, seen->timeline);
    if (seen->lsn != 0)
        say(page, seen->in_recovery ? ", replayed %s" : ", at %s", lsn_format(seen->lsn, lsn));
    if (seen->in_recovery)
        say(page, seen->receiver ? ", receives WAL" : ", receives no WAL");
    if (seen->receiver && seen->receiver_status[0])
        say(page, " (%s)", seen->receiver_status);
}

static void say_finding(struct page *page, const struct evidence *evidence)
{
    switch (evidence->finding) {
    case FINDING_NONE: say(page, "not probed yet"); break;
    case FINDING_ANSWER: break;
    case FINDING_GONE: say(page, "nobody is there: %.200s", evidence->error); break;
    case FINDING_SILENT:
        say(page, "%" PRIu32 " %s no answer: %.200s", evidence->silent,
            evidence->silent == 1 ? "look got" : "looks in a row got", evidence->error);
        break;
    case FINDING_NOT_NOW: say(page, "lets nobody in: %.200s", evidence->error); break;
    case FINDING_ALIVE: say(page, "alive, but refuses the probe: %.200s", evidence->error); break;
    }
}

size_t evidence_describe(const struct evidence *evidence, char *out, size_t size)
{
    struct page page = {.out = out, .size = size};
    *out = '\0';
    say_finding(&page, evidence);
    if (evidence->answered) {
        say(&page, "%sanswered %" PRIu64 " ms ago: ", page.len > 0 ? "; " : "", evidence->age_ms);
        say_seen(&page, &evidence->seen);
    }
    return page.len;
}

void evidence_describe_all(const struct evidence *evidence, size_t n, char *out, size_t size)
{
    struct page page = {.out = out, .size = size};
    *out = '\0';
    for (size_t i = 0; i < n; i++) {
        say(&page, "%s%s: ", i > 0 ? "; " : "", evidence[i].name);
        page.len += evidence_describe(&evidence[i], out + page.len, size - page.len);
    }
}
