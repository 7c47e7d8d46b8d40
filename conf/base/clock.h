/* Monotonic time in microseconds, and time of day for logs. Any thread. */
#ifndef ROLECALL_BASE_CLOCK_H
#define ROLECALL_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds of CLOCK_MONOTONIC; comparable between threads of this process. */
uint64_t clock_now_us(void);

/* Writes the time of day as RFC 3339 in UTC with milliseconds ("2026-11-20T10:31:44.123Z"); needs 25 bytes.
 */
void clock_format(char *out, size_t size);

/* The time of day, in milliseconds since 1970; may jump. */
uint64_t clock_day_ms(void);
/* Writes such a time as clock_format does. */
void clock_format_ms(char *out, size_t size, uint64_t day_ms);

#endif
