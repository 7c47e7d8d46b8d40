/*
 * The command-line client of the admin socket; see ctl.h. It says one line in the plain language, shuts its
 * half of the connection, and copies the answers to standard output until the other half ends.
 *
 * An answer that begins with an error goes to standard error and makes the exit status 1. An answer without
 * its empty line at the end was cut off, which is status 3, as is a socket that nobody listens at.
 */
#include "proxy/front/ctl.h"

#include "conf/config.h"
#include "proxy/front/admin_output.h"
#include "proxy/front/completion.h"
#include "proxy/front/ctl_talk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_DONE 0
#define STATUS_REFUSED 1
#define STATUS_USAGE 2
#define STATUS_NOBODY 3
#define PATIENCE_S 60
#define COMPLETION_PATIENCE_S 2
#define DEFAULT_SOCKET "/run/rolecall/.s.PGSQL.6433"

static const char usage[] =
    "rolecall ctl: sends a command to the admin socket of a running rolecall\n\n"
    "  rolecall ctl [-s SOCKET | -c FILE] [--csv | --json] COMMAND...\n\n"
    "  -s, --socket SOCKET   the admin socket (default: $ROLECALL_ADMIN, else " DEFAULT_SOCKET ")\n"
    "  -c, --config FILE     the configuration that names it\n"
    "      --csv, --json     for programs; aligned columns otherwise\n"
    "  -t, --timeout SECONDS without an answer for so long it is given up (default 60; 0: never)\n"
    "      --complete WORDS  how the last of these words may go on, for shells\n\n"
    "  rolecall ctl -c rolecall.conf help\n"
    "  rolecall ctl -c rolecall.conf show nodes\n"
    "  rolecall ctl -c rolecall.conf explain route 'select now()' database app\n"
    "  rolecall ctl -c rolecall.conf \"show pools; show sessions\"\n\n"
    "Exit status: 0 done, 1 the command was refused, 2 wrong usage, 3 nobody there, or no whole answer.\n"
    "The same socket speaks to socat (a command per line), and to psql when it is named .s.PGSQL.PORT:\n"
    "psql \"host=FOLDER port=PORT\".\n";

struct options {
    const char *socket, *config, *format;
    uint32_t patience_s;
    bool help, complete;
    int first; /* word of the command */
};

static bool is_either(const char *text, const char *a, const char *b)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

static bool read_options(int argc, char **argv, struct options *out)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && !out->complete; i++) {
        if (is_either(argv[i], "-h", "--help"))
            out->help = true;
        else if (strcmp(argv[i], "--csv") == 0)
            out->format = "csv";
        else if (strcmp(argv[i], "--json") == 0)
            out->format = "json";
        else if (strcmp(argv[i], "--complete") == 0)
            out->complete = true;
        else if (is_either(argv[i], "-t", "--timeout") && i + 1 < argc) {
            char *end;
            out->patience_s = (uint32_t)strtoul(argv[++i], &end, 10);
            if (*end || end == argv[i])
                return false;
        } else if (is_either(argv[i], "-s", "--socket") && i + 1 < argc)
            out->socket = argv[++i];
        else if (is_either(argv[i], "-c", "--config") && i + 1 < argc)
            out->config = argv[++i];
        else
            return false;
    }
    out->first = i;
    return out->help || out->complete || i < argc;
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

static int fail_usage(const char *what)
{
    fprintf(stderr, "rolecall ctl: %s\n", what);
    return STATUS_USAGE;
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "rolecall ctl: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    return STATUS_NOBODY;
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

static int converse(const char *path, const struct output *line, uint32_t patience_s)
{
    struct output answer = {0};
    const char *why = "";
    int status = ctl_talk(path, line, patience_s, &answer, &why) ? print(&answer) : fail(path, why);
    output_fini(&answer);
    return status;
}

/* ---- completion ---- */

/* Names out of what the running rolecall answers; nothing when nobody is there. */
static void offer_names(const char *path, const char *command, int column, const char *begun)
{
    struct output line = {0}, answer = {0};
    const char *why;
    output_text(&line, command);
    output_text(&line, "; csv\n");
    if (ctl_talk(path, &line, COMPLETION_PATIENCE_S, &answer, &why)) {
        output_bytes(&answer, "", 1);
        char *rows = NULL;
        strtok_r(answer.data, "\n", &rows); /* the heading */
        for (char *row = strtok_r(NULL, "\n", &rows); row; row = strtok_r(NULL, "\n", &rows)) {
            char *rest = row, *name = strsep(&rest, ",");
            for (int i = 0; i < column && rest; i++)
                name = strsep(&rest, ",");
            if (strncmp(name, begun, strlen(begun)) == 0)
                puts(name);
        }
    }
    output_fini(&line);
    output_fini(&answer);
}

static int complete(const char *path, int n, char **words)
{
    const char *begun = n > 0 ? words[n - 1] : "";
    switch (completion_offer(stdout, n > 0 ? n - 1 : 0, words, begun)) {
    case COMPLETE_NODES: offer_names(path, "show nodes", 1, begun); break;
    case COMPLETE_DATABASES: offer_names(path, "show databases", 0, begun); break;
    case COMPLETE_SESSIONS: offer_names(path, "show sessions", 0, begun); break;
    case COMPLETE_NOTHING: break;
    }
    return STATUS_DONE;
}

int ctl_main(int argc, char **argv)
{
    struct options options = {.socket = getenv("ROLECALL_ADMIN"), .patience_s = PATIENCE_S};
    struct config *config = NULL;
    struct output line = {0};
    struct error error;
    if (!read_options(argc, argv, &options) || options.help) {
        fputs(usage, options.help ? stdout : stderr);
        return options.help ? STATUS_DONE : STATUS_USAGE;
    }
    if (options.config && !options.complete) {
        if (!(config = config_load(options.config, &error)))
            return fail_usage(error.text);
        options.socket = config->admin_socket;
        if (!options.socket)
            return fail_usage("the configuration names no admin_socket");
    }
    if (!options.socket || !*options.socket)
        options.socket = DEFAULT_SOCKET;
    if (options.complete)
        return complete(options.socket, argc - options.first, argv + options.first);
    make_line(&line, &options, argc, argv);
    int status = converse(options.socket, &line, options.patience_s);
    output_fini(&line);
    config_unref(config);
    return status;
}
