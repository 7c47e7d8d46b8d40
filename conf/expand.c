/*
 * Variables, secret files and paths; see expand.h. Everything is bounded: a variable may be long, and a path
 * may lead to a device or a pipe, so only regular files of a few kilobytes are read.
 */
#include "conf/expand.h"

#include "conf/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_LEN 128

static bool is_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool letter =
            (text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= 'a' && text[i] <= 'z') || text[i] == '_';
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (!letter && !(digit && i > 0))
            return false;
    }
    return len > 0 && len < NAME_MAX_LEN;
}

/* The value of the variable at `at`, which points behind "${"; *end is behind the closing brace. */
static const char *read_variable(const char *at, const char **end, char *why)
{
    const char *close = strchr(at, '}');
    if (!close || !is_name(at, (size_t)(close - at))) {
        snprintf(why, EXPAND_WHY_MAX,
            "${ must be followed by the name of an environment variable and }; "
            "a $ itself is written $$");
        return NULL;
    }
    char name[NAME_MAX_LEN];
    memcpy(name, at, (size_t)(close - at));
    name[close - at] = '\0';
    *end = close + 1;
    const char *value = getenv(name);
    if (!value)
        snprintf(why, EXPAND_WHY_MAX, "the environment variable %s is not set", name);
    return value;
}

static bool append(char *out, size_t *len, const char *data, size_t n, char *why)
{
    if (n >= EXPAND_VALUE_MAX - *len) {
        snprintf(why, EXPAND_WHY_MAX, "the value is longer than %d bytes", EXPAND_VALUE_MAX - 1);
        return false;
    }
    memcpy(out + *len, data, n);
    *len += n;
    out[*len] = '\0';
    return true;
}

static bool expand_into(char *out, const char *text, char *why)
{
    size_t len = 0;
    bool fits = append(out, &len, "", 0, why);
    for (const char *at = text; *at && fits;) {
        const char *value = at;
        size_t n = strcspn(at, "$");
        if (n > 0) {
            at += n;
        } else if (at[1] == '{') {
            value = read_variable(at + 2, &at, why);
            if (!value)
                return false;
            n = strlen(value);
        } else {
            at += at[1] == '$' ? 2 : 1;
            n = 1;
        }
        fits = append(out, &len, value, n, why);
    }
    return fits;
}

static char *out_of_memory(char *why)
{
    snprintf(why, EXPAND_WHY_MAX, "out of memory");
    return NULL;
}

char *expand_variables(const char *text, char *why)
{
    char *buffer = malloc(EXPAND_VALUE_MAX);
    if (!buffer)
        return out_of_memory(why);
    char *result = NULL;
    if (expand_into(buffer, text, why)) {
        result = strdup(buffer);
        if (!result)
            out_of_memory(why);
    }
    explicit_bzero(buffer, EXPAND_VALUE_MAX);
    free(buffer);
    return result;
}

/* Reads to the end; the number of bytes, or -1 with errno. */
static ssize_t read_all(int fd, char *out, size_t size)
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

static char *secret_from(int fd, const char *path, char *why)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        snprintf(why, EXPAND_WHY_MAX, "%.160s is not a regular file", path);
        return NULL;
    }
    if (status.st_mode & (S_IROTH | S_IWOTH))
        log_event(LOG_WARNING, "secret_file_open_to_others", "path=%s mode=%s", path,
            status.st_mode & S_IWOTH ? "writable" : "readable");
    char buffer[EXPAND_SECRET_MAX + 1];
    ssize_t len = read_all(fd, buffer, sizeof buffer);
    char *secret = NULL;
    if (len < 0)
        snprintf(why, EXPAND_WHY_MAX, "cannot read %.160s: %s", path, strerror(errno));
    if (len > 0 && buffer[len - 1] == '\n')
        len--;
    if (len > 0 && buffer[len - 1] == '\r')
        len--;
    if (len > EXPAND_SECRET_MAX)
        snprintf(why, EXPAND_WHY_MAX, "%.160s is longer than %d bytes", path, EXPAND_SECRET_MAX);
    else if (len == 0)
        snprintf(why, EXPAND_WHY_MAX, "%.160s is empty", path);
    else if (len > 0 && (memchr(buffer, '\n', (size_t)len) || memchr(buffer, '\0', (size_t)len)))
        snprintf(why, EXPAND_WHY_MAX, "%.160s must hold the secret alone, in one line", path);
    else if (len > 0 && !(secret = strndup(buffer, (size_t)len)))
        out_of_memory(why);
    explicit_bzero(buffer, sizeof buffer);
    return secret;
}

char *expand_secret_file(const char *path, char *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        snprintf(why, EXPAND_WHY_MAX, "cannot read %.160s: %s", path, strerror(errno));
        return NULL;
    }
    char *secret = secret_from(fd, path, why);
    close(fd);
    return secret;
}

char *expand_path(const char *config_path, const char *path, char *why)
{
    char *result = NULL, *here = NULL;
    const char *slash = strrchr(config_path, '/');
    int folder = slash ? (int)(slash - config_path) : 0;
    if (*path == '/') {
        result = strdup(path);
    } else if (*config_path == '/') {
        if (asprintf(&result, "%.*s/%s", folder, config_path, path) < 0)
            result = NULL;
    } else if ((here = getcwd(NULL, 0))) {
        if (asprintf(&result, "%s%s%.*s/%s", here, folder ? "/" : "", folder, config_path, path) < 0)
            result = NULL;
    }
    free(here);
    return result ? result : out_of_memory(why);
}

void expand_free(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}
