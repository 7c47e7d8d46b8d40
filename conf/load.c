/*
 * A file becomes a config: read, parse (parse.c), make objects (build.c), assign values (assign.c), check
 * what belongs together (validate.c). Whatever fails, nothing is left behind and nothing has changed; what
 * was read is wiped.
 */
#include "conf/build.h"
#include "conf/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config *config_new(const char *path)
{
    struct config *config = calloc(1, sizeof *config);
    if (!config)
        return NULL;
    atomic_init(&config->refs, 1);
    config->path = strdup(path);
    if (!config->path) {
        free(config);
        return NULL;
    }
    return config;
}

static struct config *config_build(const char *path, const struct document *document, struct error *error)
{
    struct config *config = config_new(path);
    if (!config) {
        error_set(error, SQLSTATE_OUT_OF_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    struct build build = {.path = path, .document = document, .config = config, .error = error};
    bool good = build_objects(&build) && build_values(&build) && build_validate(&build);
    build_fini(&build);
    if (good)
        return config;
    config_unref(config);
    return NULL;
}

struct config *config_parse_text(const char *path, const char *text, size_t len, struct error *error)
{
    struct document document;
    if (!document_parse(&document, path, text, len, error))
        return NULL;
    struct config *config = config_build(path, &document, error);
    document_fini(&document);
    return config;
}

/* Reads at most one byte more than is allowed, so that the parser can refuse it; -1 with errno. */
static ssize_t read_file(int fd, char *out, size_t size)
{
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, out + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static int open_regular(const char *path, struct error *error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: cannot be read: %s", path, strerror(errno));
        return -1;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: not a regular file", path);
    close(fd);
    return -1;
}

struct config *config_load(const char *path, struct error *error)
{
    size_t size = PARSE_FILE_MAX + 1;
    struct config *config = NULL;
    int fd = open_regular(path, error);
    if (fd < 0)
        return NULL;
    char *text = malloc(size);
    ssize_t len = text ? read_file(fd, text, size) : -1;
    if (len >= 0)
        config = config_parse_text(path, text, (size_t)len, error);
    else
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: cannot be read: %s", path, strerror(errno));
    if (text)
        explicit_bzero(text, size);
    free(text);
    close(fd);
    return config;
}
