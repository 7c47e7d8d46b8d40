/* A position in the write-ahead log: 64 bits, written "16/B374D848" by PostgreSQL. 0 is no position. */
#ifndef ROLECALL_HEALTH_LSN_H
#define ROLECALL_HEALTH_LSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LSN_TEXT_MAX 18

/* False (and 0) for anything that is not exactly two hexadecimal numbers of at most 8 digits; NULL is
 * allowed. */
bool lsn_parse(const char *text, uint64_t *lsn);
/* Needs LSN_TEXT_MAX bytes; returns out. */
const char *lsn_format(uint64_t lsn, char out[LSN_TEXT_MAX]);

/*
 * The end of the last record before an insert position. When that record ends with its page, the position
 * that PostgreSQL reports already lies behind the next page's header (24 bytes, 40 in a segment's first
 * page), while a replica that replayed everything reports the page's start. 0 for a size means: not known,
 * nothing is subtracted.
 */
uint64_t lsn_without_page_header(uint64_t insert_lsn, uint32_t page_bytes, uint64_t segment_bytes);

#endif
