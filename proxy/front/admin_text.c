/*
 * The admin socket's plain language: a command per line, answers as aligned columns, CSV or JSON, an empty
 * line behind each.
 *
 * A line may hold several commands divided by semicolons; `csv`, `json` or `text` among them is the format of
 * the line's answers. An error begins with "error:" and drops the rest of its line; the connection goes on. A
 * line that is too long is refused and skipped. What stands before the end of input without a newline counts
 * as a line.
 */
#include "proxy/front/admin_script.h"
#include "proxy/front/command_print.h"

#include <stdlib.h>
#include <string.h>

struct talk {
    enum print_format format; /* of this line */
    bool skipping;            /* the rest of a line that was refused */
};

static struct talk *talk_of(struct client *client)
{
    return client->talk;
}

static bool find_format(const struct words *words, enum print_format *out)
{
    static const char *const names[] = {[PRINT_TEXT] = "text", [PRINT_CSV] = "csv", [PRINT_JSON] = "json"};
    for (size_t i = 0; words->n == 1 && i < sizeof names / sizeof *names; i++)
        if (words_are(words, 0, names[i])) {
            *out = (enum print_format)i;
            return true;
        }
    return false;
}

/* The format must be known before the first answer is written. */
static void read_format(struct client *client, struct slice line)
{
    struct slice command;
    struct words words;
    talk_of(client)->format = PRINT_TEXT;
    while (words_next_command(&line, &command)) {
        if (command.len > 16 || !words_parse(command, &words, NULL))
            continue;
        find_format(&words, &talk_of(client)->format);
        words_fini(&words);
    }
}

static bool directive(struct client *client, const struct words *words)
{
    enum print_format format;
    (void)client;
    return find_format(words, &format);
}

static void answer(struct client *client, struct command_call *call)
{
    char done[32];
    struct slice tag = command_tag(call->command);
    struct output *out = &client->out;
    memcpy(done, tag.data, tag.len);
    done[tag.len] = 0;
    print_result(out, talk_of(client)->format, &call->result, done);
    if (call->result.notice[0] && talk_of(client)->format == PRINT_TEXT) {
        output_text(out, "warning: ");
        output_text(out, call->result.notice);
        output_text(out, "\n");
    }
    output_text(out, "\n");
}

static void fail(struct client *client, const struct error *error)
{
    print_failure(&client->out, talk_of(client)->format, error);
    output_text(&client->out, "\n");
}

static void end(struct client *client)
{
    (void)client;
}

static const struct script_events events = {
    .directive = directive, .answer = answer, .fail = fail, .end = end};

static void refuse_long_line(struct client *client)
{
    struct error error;
    error_set(
        &error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "the line is longer than %d bytes", CLIENT_INPUT_MAX - 1);
    talk_of(client)->format = PRINT_TEXT;
    talk_of(client)->skipping = true;
    fail(client, &error);
}

static size_t consume(struct client *client, const char *bytes, size_t len)
{
    const char *newline = memchr(bytes, '\n', len);
    if (!client->talk && !(client->talk = calloc(1, sizeof(struct talk)))) {
        client->ending = true;
        return len;
    }
    client->welcomed = client->welcomed || newline;
    if (talk_of(client)->skipping) {
        talk_of(client)->skipping = !newline;
        return newline ? (size_t)(newline - bytes) + 1 : len;
    }
    if (!newline && len == CLIENT_INPUT_MAX) {
        refuse_long_line(client);
        return len;
    }
    if (!newline && !client->in_ended)
        return 0;
    struct slice line = slice_of(bytes, newline ? (size_t)(newline - bytes) : len);
    read_format(client, line);
    script_begin(client, line, &events);
    return newline ? line.len + 1 : len;
}

static void fatal(struct client *client, const struct error *error)
{
    if (!client->talk)
        return;
    talk_of(client)->format = PRINT_TEXT;
    fail(client, error);
}

static void fini(struct client *client)
{
    free(client->talk);
}

const struct client_language text_language = {.consume = consume, .fatal = fatal, .fini = fini};
