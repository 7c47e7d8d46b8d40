/*
 * The configuration files of a data directory, kept while pg_rewind overwrites them, and what makes a standby
 * of a data directory. Blocking; single-threaded.
 */
#ifndef ROLECALL_HEALTH_REPLICATION_KEPT_FILES_H
#define ROLECALL_HEALTH_REPLICATION_KEPT_FILES_H

#include "conf/base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define KEPT_FILES 4
#define KEPT_FILE_MAX (4u * 1024 * 1024)

struct kept_files {
    struct {
        char *bytes; /* NULL: there is no such file */
        size_t len;
    } files[KEPT_FILES];
};

/* A file that is not there is kept as not being there. */
bool kept_files_read(struct kept_files *kept, const char *data, struct error *error);
/* Each is replaced as a whole. */
bool kept_files_write(const struct kept_files *kept, const char *data, struct error *error);
void kept_files_fini(struct kept_files *kept);

/* standby.signal, and primary_conninfo and primary_slot_name in postgresql.auto.conf. */
bool kept_files_follow(const char *data, const char *primary_conninfo, const char *slot, struct error *error);

#endif
