/* Talking to the admin socket; see ctl_talk.h. */
#include "proxy/front/ctl_talk.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int open_socket(const char *path, uint32_t patience_s)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof un.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(un.sun_path, path);
    const struct timeval patience = {.tv_sec = patience_s};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    }
    if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof un) != 0) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

static bool say(int fd, const struct output *line)
{
    for (size_t at = 0; at < line->len;) {
        ssize_t sent = send(fd, line->data + at, line->len - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        at += (size_t)sent;
    }
    return shutdown(fd, SHUT_WR) == 0;
}

static bool hear(int fd, struct output *answer)
{
    for (;;) {
        char *room = output_reserve(answer, 64 * 1024);
        ssize_t got = room ? read(fd, room, 64 * 1024) : -1;
        if (room && got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        output_commit(answer, (size_t)got);
    }
}

bool ctl_talk(
    const char *path, const struct output *line, uint32_t patience_s, struct output *answer, const char **why)
{
    int fd = open_socket(path, patience_s);
    bool done = fd >= 0 && say(fd, line) && hear(fd, answer);
    if (!done)
        *why = answer->failed               ? "out of memory"
               : fd >= 0 && errno == EAGAIN ? "no answer in time (see --timeout)"
                                            : strerror(errno);
    else if (answer->len == 0)
        *why = "nothing was answered";
    if (fd >= 0)
        close(fd);
    return done && answer->len > 0;
}
