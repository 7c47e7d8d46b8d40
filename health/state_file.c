/*
 * The memory of a cluster on disk; see state_file.h. Two lines:
 *
 *     system_identifier=7311223344556677889
 *     timeline=3
 *
 * One write is under way at most; what comes meanwhile waits, and only the newest of it is written. A failed
 * write is tried again half a minute later at the earliest; the cluster goes on without.
 */
#include "health/state_file.h"

#include "conf/base/log.h"
#include "health/memory.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define CONTENT_MAX 128
#define RETRY_MS 30000

struct state_file {
    uv_loop_t *loop;
    char *directory, *path, *temporary;
    uv_work_t work;
    bool working, closing;
    bool failed; /* the last write, told already */
    uint64_t failed_at_ms;
    int error_number;            /* of the write under way */
    struct judge_memory on_disk; /* or on its way there */
    struct judge_memory wanted;
};

/* Cluster names become file names: everything unusual is written as %XX. */
static char *path_of(const char *directory, const char *cluster, const char *suffix)
{
    size_t size = strlen(directory) + 3 * strlen(cluster) + strlen(suffix) + 2;
    char *path = memory_new(size, 1), *end = path + sprintf(path, "%s/", directory);
    for (const char *c = cluster; *c; c++) {
        bool plain = isalnum((unsigned char)*c) || *c == '_' || *c == '-';
        end += sprintf(end, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    sprintf(end, "%s", suffix);
    return path;
}

struct state_file *state_file_open(uv_loop_t *loop, const char *directory, const char *cluster)
{
    struct state_file *file = memory_new(1, sizeof *file);
    file->loop = loop;
    if (directory) {
        file->directory = memory_copy(directory);
        file->path = path_of(directory, cluster, ".state");
        file->temporary = path_of(directory, cluster, ".state.new");
    }
    return file;
}

static bool parse(const char *text, struct judge_memory *memory)
{
    int consumed = 0;
    uint64_t identifier;
    uint32_t timeline;
    if (sscanf(text, "system_identifier=%" SCNu64 "\ntimeline=%" SCNu32 "\n%n", &identifier, &timeline,
            &consumed) != 2)
        return false;
    if (consumed == 0 || text[consumed] != '\0')
        return false;
    *memory = (struct judge_memory){identifier, timeline};
    return true;
}

bool state_file_read(struct state_file *file, struct judge_memory *memory, struct error *error)
{
    *memory = (struct judge_memory){0};
    if (!file->path)
        return true;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ||
               error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", file->path, strerror(errno));
    char text[CONTENT_MAX];
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    if (len >= 0)
        text[len] = '\0';
    if (len < 0 || !parse(text, memory))
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
            "%s: damaged; it should read system_identifier=N and timeline=N", file->path);
    file->on_disk = file->wanted = *memory;
    return true;
}

static bool write_fully(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    size_t len = strlen(text);
    bool good = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    int kept = errno;
    good = close(fd) == 0 && good;
    errno = good ? errno : kept;
    return good;
}

static bool sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

static void do_write(uv_work_t *work)
{
    struct state_file *file = work->data;
    char text[CONTENT_MAX];
    snprintf(text, sizeof text, "system_identifier=%" PRIu64 "\ntimeline=%" PRIu32 "\n",
        file->on_disk.system_identifier, file->on_disk.timeline);
    bool good = write_fully(file->temporary, text) && rename(file->temporary, file->path) == 0 &&
                sync_directory(file->directory);
    file->error_number = good ? 0 : errno ? errno : EIO;
}

static void release(struct state_file *file)
{
    free(file->directory);
    free(file->path);
    free(file->temporary);
    free(file);
}

static bool same(const struct judge_memory *a, const struct judge_memory *b)
{
    return a->system_identifier == b->system_identifier && a->timeline == b->timeline;
}

static void start(struct state_file *file);

static void note_outcome(struct state_file *file, int status)
{
    int failure = status != 0 ? ECANCELED : file->error_number;
    if (failure != 0 && !file->failed)
        log_event(LOG_WARNING, "state_not_saved", "path=%s error=%s", file->path, strerror(failure));
    file->failed = failure != 0;
    file->failed_at_ms = uv_now(file->loop);
}

static void on_written(uv_work_t *work, int status)
{
    struct state_file *file = work->data;
    file->working = false;
    note_outcome(file, status);
    if (!same(&file->on_disk, &file->wanted))
        start(file);
    else if (file->closing)
        release(file);
}

static void start(struct state_file *file)
{
    file->on_disk = file->wanted;
    file->work.data = file;
    file->working = uv_queue_work(file->loop, &file->work, do_write, on_written) == 0;
}

void state_file_save(struct state_file *file, const struct judge_memory *memory)
{
    file->wanted = *memory;
    if (!file->path || file->working)
        return;
    bool again = file->failed && uv_now(file->loop) - file->failed_at_ms >= RETRY_MS;
    if (again || !same(&file->on_disk, &file->wanted))
        start(file);
}

void state_file_close(struct state_file *file)
{
    if (!file)
        return;
    file->closing = true;
    if (!file->working)
        release(file);
}
