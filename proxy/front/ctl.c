/*
 * The command-line client of the admin socket; see ctl.h. It says one line in the plain language, shuts its
 * half of the connection, and copies the answers to standard output until the other half ends.
 *
 * An answer that begins with an error goes to standard error and makes the exit status 1. An answer without
 * its empty line at the end was cut off, which is status 2.
 */
#include "proxy/front/ctl.h"

#include "conf/config.h"
#include "proxy/front/admin_output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS_DONE 0
#define STATUS_REFUSED 1
#define STATUS_NOBODY 2
#define PATIENCE_S 60

static const char usage[] =
    "rolecall ctl: sends a command to the admin socket of a running rolecall\n\n"
    "  rolecall ctl [-s SOCKET | -c FILE] [--csv | --json] COMMAND...\n\n"
    "  -s, --socket SOCKET   the admin socket (default: $ROLECALL_ADMIN)\n"
    "  -c, --config FILE     the configuration that names it\n"
    "      --csv, --json     for programs; aligned columns otherwise\n\n"
    "  rolecall ctl -c rolecall.conf help\n"
    "  rolecall ctl -c rolecall.conf show nodes\n"
    "  rolecall ctl -c rolecall.conf explain route 'select now()' database app\n"
    "  rolecall ctl -c rolecall.conf \"show pools; show sessions\"\n\n"
    "Exit status: 0 done, 1 the command was refused, 2 wrong usage or nobody there.\n"
    "The same socket speaks to socat (a command per line), and to psql when it is named .s.PGSQL.PORT:\n"
    "psql \"host=FOLDER port=PORT\".\n";

struct options {
    const char *socket, *config, *format;
    bool help;
    int first; /* word of the command */
};

static bool is_either(const char *text, const char *a, const char *b)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

static bool read_options(int argc, char **argv, struct options *out)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (is_either(argv[i], "-h", "--help"))
            out->help = true;
        else if (strcmp(argv[i], "--csv") == 0)
            out->format = "csv";
        else if (strcmp(argv[i], "--json") == 0)
            out->format = "json";
        else if (is_either(argv[i], "-s", "--socket") && i + 1 < argc)
            out->socket = argv[++i];
        else if (is_either(argv[i], "-c", "--config") && i + 1 < argc)
            out->config = argv[++i];
        else
            return false;
    }
    out->first = i;
    return out->help || i < argc;
}

/* ---- the line ---- */

static bool is_plain(const char *word)
{
    return *word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")];
}

/* Words that the shell has unquoted are quoted again: E'...' keeps line breaks inside the line. */
static void add_quoted(struct output *line, const char *word)
{
    output_text(line, "E'");
    for (; *word; word++) {
        if (*word == '\n' || *word == '\r') {
            output_text(line, *word == '\n' ? "\\n" : "\\r");
            continue;
        }
        if (*word == '\'' || *word == '\\')
            output_text(line, "\\");
        output_bytes(line, word, 1);
    }
    output_text(line, "'");
}

static void make_line(struct output *line, const struct options *options, int argc, char **argv)
{
    bool verbatim = options->first + 1 == argc; /* a whole command, or several, in one word */
    for (int i = options->first; i < argc; i++) {
        if (i > options->first)
            output_text(line, " ");
        if (verbatim || is_plain(argv[i]))
            output_text(line, argv[i]);
        else
            add_quoted(line, argv[i]);
    }
    for (size_t i = 0; verbatim && i < line->len; i++)
        if (line->data[i] == '\n' || line->data[i] == '\r')
            line->data[i] = ' ';
    if (options->format) {
        output_text(line, "; ");
        output_text(line, options->format);
    }
    output_text(line, "\n");
}

/* ---- the conversation ---- */

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "rolecall ctl: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    return STATUS_NOBODY;
}

static int open_socket(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof un.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(un.sun_path, path);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
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

static bool begins(const char *text, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* Answer by answer, each up to its empty line. */
static int print(const struct output *answer)
{
    int status = STATUS_DONE;
    const char *at = answer->data, *end = at + answer->len;
    while (at < end) {
        const char *stop = *at == '\n' ? at : memmem(at, (size_t)(end - at), "\n\n", 2);
        if (!stop)
            return fail("the answer was cut off", NULL);
        size_t len = (size_t)(stop - at) + (*at != '\n');
        bool refused = begins(at, len, "error: ") || begins(at, len, "{\"error\": ");
        fwrite(at, 1, len, refused ? stderr : stdout);
        status = refused ? STATUS_REFUSED : status;
        at = stop + (*at == '\n' ? 1 : 2);
        if (at < end)
            fputs("\n", stdout);
    }
    return fflush(stdout) == 0 ? status : fail("standard output", strerror(errno));
}

static int converse(const char *path, const struct output *line)
{
    struct output answer = {0};
    int fd = open_socket(path), status;
    if (fd < 0)
        return fail(path, strerror(errno));
    if (!say(fd, line) || !hear(fd, &answer))
        status = fail(path, answer.failed     ? "out of memory"
                            : errno == EAGAIN ? "no answer within a minute"
                                              : strerror(errno));
    else if (answer.len == 0)
        status = fail("nothing was answered", NULL);
    else
        status = print(&answer);
    close(fd);
    output_fini(&answer);
    return status;
}

int ctl_main(int argc, char **argv)
{
    struct options options = {.socket = getenv("ROLECALL_ADMIN")};
    struct config *config = NULL;
    struct output line = {0};
    struct error error;
    if (!read_options(argc, argv, &options) || options.help) {
        fputs(usage, options.help ? stdout : stderr);
        return options.help ? STATUS_DONE : STATUS_NOBODY;
    }
    if (options.config) {
        if (!(config = config_load(options.config, &error)))
            return fail(error.text, NULL);
        options.socket = config->admin_socket;
    }
    make_line(&line, &options, argc, argv);
    int status = options.socket && *options.socket
                     ? converse(options.socket, &line)
                     : fail(options.config ? "the configuration names no admin_socket"
                                           : "no socket: give -s SOCKET or -c FILE, or set ROLECALL_ADMIN",
                           NULL);
    output_fini(&line);
    config_unref(config);
    return status;
}
