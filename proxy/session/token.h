/*
 * The value of rolecall.token: a position that the primary had reached, as opaque text. Pure; any thread.
 */
#ifndef ROLECALL_SESSION_TOKEN_H
#define ROLECALL_SESSION_TOKEN_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_MAX 64
#define TOKEN_ROW_MAX 1024

/* Asks a primary where it is: the name of the WAL file is that of the running timeline (what
   pg_control_checkpoint() says lags behind a promotion), the insert position is past every commit that was
   acknowledged, synchronous_commit = off included. */
#define TOKEN_QUERY "SELECT pg_catalog.pg_walfile_name(l),l FROM pg_catalog.pg_current_wal_insert_lsn() AS l"

void token_format(uint32_t timeline, uint64_t lsn, char out[TOKEN_MAX + 1]);
/* False for anything that token_format has not made. */
bool token_parse(struct slice text, uint32_t *timeline, uint64_t *lsn);
/* From the one DataRow message that answers TOKEN_QUERY. */
bool token_of_row(const char *bytes, size_t len, char out[TOKEN_MAX + 1]);

#endif
