/* Configuration files around a rewind; see kept_files.h. */
#include "health/replication/kept_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[KEPT_FILES] = {
    "postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"};

static bool fail(struct error *error, const char *path)
{
    return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", path, strerror(errno));
}

static bool read_all(int fd, char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = read(fd, bytes + at, len - at);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static bool read_file(const char *path, char **bytes, size_t *len, struct error *error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *bytes = NULL;
    if (fd < 0)
        return errno == ENOENT ? true : fail(error, path);
    bool fine = fstat(fd, &status) == 0 && status.st_size <= KEPT_FILE_MAX;
    *len = fine ? (size_t)status.st_size : 0;
    *bytes = fine ? malloc(*len + 1) : NULL;
    fine = *bytes && read_all(fd, *bytes, *len);
    if (!fine)
        fail(error, path);
    close(fd);
    return fine;
}

bool kept_files_read(struct kept_files *kept, const char *data, struct error *error)
{
    for (size_t i = 0; i < KEPT_FILES; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", data, names[i]);
        if (!read_file(path, &kept->files[i].bytes, &kept->files[i].len, error)) {
            kept_files_fini(kept);
            return false;
        }
    }
    return true;
}

static bool replace_file(const char *path, const char *bytes, size_t len, struct error *error)
{
    char beside[PATH_MAX];
    snprintf(beside, sizeof beside, "%s.rolecall", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(error, beside);
    bool fine = write(fd, bytes, len) == (ssize_t)len && fsync(fd) == 0;
    fine = close(fd) == 0 && fine && rename(beside, path) == 0;
    return fine || fail(error, path);
}

bool kept_files_write(const struct kept_files *kept, const char *data, struct error *error)
{
    for (size_t i = 0; i < KEPT_FILES; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", data, names[i]);
        if (kept->files[i].bytes && !replace_file(path, kept->files[i].bytes, kept->files[i].len, error))
            return false;
        if (!kept->files[i].bytes && unlink(path) != 0 && errno != ENOENT)
            return fail(error, path);
    }
    return true;
}

void kept_files_fini(struct kept_files *kept)
{
    for (size_t i = 0; i < KEPT_FILES; i++) {
        free(kept->files[i].bytes);
        kept->files[i].bytes = NULL;
    }
}

/* As postgresql.conf wants a value: in quotes, which are doubled inside, like backslashes. */
static void write_setting(FILE *file, const char *name, const char *value)
{
    fprintf(file, "%s = '", name);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            fputc(*value, file);
        fputc(*value, file);
    }
    fputs("'\n", file);
}

bool kept_files_follow(const char *data, const char *primary_conninfo, const char *slot, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/standby.signal", data);
    if (!replace_file(path, "", 0, error))
        return false;
    snprintf(path, sizeof path, "%s/postgresql.auto.conf", data);
    FILE *file = fopen(path, "ae");
    if (!file)
        return fail(error, path);
    write_setting(file, "primary_conninfo", primary_conninfo);
    write_setting(file, "primary_slot_name", slot);
    bool fine = fflush(file) == 0 && fsync(fileno(file)) == 0;
    return (fclose(file) == 0 && fine) || fail(error, path);
}
