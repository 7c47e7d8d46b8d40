/*
 * What a cluster remembers over restarts: its system identifier and the highest timeline. One small file per
 * cluster in state_dir, replaced as a whole (written beside, synced, renamed). Control thread; the writing is
 * done by libuv's pool, since a sync may take long.
 */
#ifndef ROLECALL_HEALTH_STATE_FILE_H
#define ROLECALL_HEALTH_STATE_FILE_H

#include "conf/base/error.h"
#include "health/judge.h"

#include <uv.h>

struct state_file;

/* directory NULL: nothing is kept and nothing read. */
struct state_file *state_file_open(uv_loop_t *loop, const char *directory, const char *cluster);
/* Blocking. A missing file is no error and gives zeroes; a damaged one is an error, and gives zeroes. */
bool state_file_read(struct state_file *file, struct judge_memory *memory, struct error *error);
/* Writes in the background, the newest memory last; does nothing when it is what was written or read last.
   Failures are logged when they begin. */
void state_file_save(struct state_file *file, const struct judge_memory *memory);
/* Lets a write under way end. NULL is allowed. */
void state_file_close(struct state_file *file);

#endif
