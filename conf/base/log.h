/*
 * One line per event, in logfmt or JSON.
 *
 *     log_event(LOG_INFO, "role_changed", "node=%s role=%s lag_bytes=%zu", name, role, lag);
 *
 * The format is a list of key=%conversion pairs divided by single blanks; every value is quoted and escaped
 * as the output format wants it, so no value can forge a field or a line. Conversions: %s %.*s %c %d %i %u %x
 * %ld %lu %lld %llu %zu %zd %X %08X %f and %.Nf; %s of NULL leaves the pair out. Never give it a secret or a
 * query's text. Any thread; a line is one write(2).
 */
#ifndef ROLECALL_BASE_LOG_H
#define ROLECALL_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* Process-wide and settable at any time from any thread (relaxed atomics). Default: info, logfmt, stderr. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_format(enum log_format format);
/* The descriptor stays the caller's. */
void log_set_fd(int fd);

void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True when an event of this level would be written: guards costly arguments. */
bool log_enabled(enum log_level level);

#endif
